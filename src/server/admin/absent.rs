//! INFO fields of parts that this server does not have. Monitoring reads them by name, so they
//! stand here with the values of a part at rest.
//!
//! When such a part is written, its function moves there.

use crate::util::lines::Lines;

pub(crate) fn threads(o: &mut Lines) {
    o.add("io_threads_active", 0);
}

pub(crate) fn more_memory(o: &mut Lines) {
    o.add("mem_cluster_links", 0);
}

pub(crate) fn defrag(o: &mut Lines) {
    o.add("active_defrag_running", 0);
}

pub(crate) fn modules(o: &mut Lines) {
    o.each(&["module_fork_in_progress", "module_fork_last_cow_size"], 0);
}

pub(crate) fn defrag_counts(o: &mut Lines) {
    o.each(&["active_defrag_hits", "active_defrag_misses"], 0);
    o.each(&["active_defrag_key_hits", "active_defrag_key_misses"], 0);
    o.each(&["total_active_defrag_time", "current_active_defrag_time"], 0);
}

pub(crate) fn cluster(o: &mut Lines) {
    o.add("cluster_enabled", 0);
}
