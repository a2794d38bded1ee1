//! Directives that other versions of Redis and Valkey know, and this one does not.
//!
//! Whoever moves a configuration between versions should be told that a line is no typing error:
//! that it belongs to a later version, or to an earlier one and by what it was replaced. The
//! directives of later versions that we accept have a row in the table, and are not here.

/// What another version knows a name as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It came with this version.
    Since(&'static str),
    /// It was removed in the first version; the second text says what to do instead.
    Until(&'static str, &'static str),
}

use Fate::{Since, Until};

const VIRTUAL_MEMORY: &str = "delete the line: data lives in memory, and 'maxmemory' limits it";
const HASH_ENTRIES: &str = "use 'hash-max-listpack-entries'";
const HASH_VALUE: &str = "use 'hash-max-listpack-value'";

/// The names, in order.
static NAMES: &[(&str, Fate)] = &[
    ("aof-load-corrupt-tail-max-size", Since("Redis 8.2")),
    ("array-slice-size", Since("Redis 8.8")),
    ("array-sparse-kmax", Since("Redis 8.8")),
    ("array-sparse-kmin", Since("Redis 8.8")),
    ("cluster-slot-migration-handoff-max-lag-bytes", Since("Redis 8.4")),
    ("cluster-slot-migration-max-archived-tasks", Since("Redis 8.4")),
    ("cluster-slot-migration-sync-buffer-drain-timeout", Since("Redis 8.4")),
    ("cluster-slot-migration-write-pause-timeout", Since("Redis 8.4")),
    ("glueoutputbuf", Until("Redis 2.6", "delete the line: replies are always joined")),
    ("gopher-enabled", Until("Redis 7.0", "delete the line")),
    ("hash-max-zipmap-entries", Until("Redis 2.6", HASH_ENTRIES)),
    ("hash-max-zipmap-value", Until("Redis 2.6", HASH_VALUE)),
    ("key-memory-histograms", Since("Redis 8.6")),
    ("lookahead", Since("Redis 8.4")),
    ("rdma-bind", Since("Valkey 8.1")),
    ("rdma-completion-vector", Since("Valkey 8.1")),
    ("rdma-port", Since("Valkey 8.1")),
    ("rdma-rx-size", Since("Valkey 8.1")),
    ("really-use-vm", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("shareobjects", Until("Redis 2.2", "delete the line: small integers are always shared")),
    ("shareobjectspoolsize", Until("Redis 2.2", "delete the line")),
    ("slot-migration-max-failover-repl-bytes", Since("Valkey 9.0")),
    ("slowlog-entry-max-argc", Since("Redis 8.8")),
    ("slowlog-entry-max-string-len", Since("Redis 8.8")),
    ("vm-enabled", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vm-max-memory", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vm-max-threads", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vm-page-size", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vm-pages", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vm-swap-file", Until("Redis 2.6", VIRTUAL_MEMORY)),
    ("vset-force-single-threaded-execution", Since("Redis 8.2")),
];

/// The modules that Redis 8 brings along name their directives so.
static MODULES: &[&str] = &["bf-", "cf-", "search-", "ts-"];

/// Directives of earlier versions that a server still reads and does nothing about, with what is
/// there instead.
static FORGOTTEN: &[(&str, &str)] = &[
    ("events-per-io-thread", "delete the line"),
    ("list-max-ziplist-entries", "use 'list-max-listpack-size'"),
    ("list-max-ziplist-value", "use 'list-max-listpack-size'"),
    ("lua-replicate-commands", "delete the line: scripts replicate their effects"),
];

/// Values of our directives that are a later version's.
static VALUES: &[(&str, &str, &str)] = &[
    ("maxmemory-policy", "allkeys-lrm", "Redis 8.6"),
    ("maxmemory-policy", "volatile-lrm", "Redis 8.6"),
    ("repl-diskless-load", "flush-before-load", "Valkey 8.1"),
    ("shutdown-on-sigint", "failover", "Valkey 9.0"),
    ("shutdown-on-sigint", "safe", "Valkey 9.0"),
    ("shutdown-on-sigterm", "failover", "Valkey 9.0"),
    ("shutdown-on-sigterm", "safe", "Valkey 9.0"),
];

/// What is to be said about a directive that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// To whom it is known, as a sentence without its subject.
    pub text: String,
    /// What to do about it.
    pub fix: &'static str,
}

/// What other versions know of `name`, which is in lower case.
pub(crate) fn find(name: &[u8]) -> Option<Known> {
    let found = NAMES.iter().find(|(known, _)| known.as_bytes() == name);
    let known = match found.map(|(_, fate)| *fate) {
        Some(Since(version)) => Known {
            text: format!("known to {version} and later; this version does not have it"),
            fix: "delete the line",
        },
        Some(Until(version, fix)) => Known { text: format!("removed in {version}"), fix },
        None if MODULES.iter().any(|prefix| name.starts_with(prefix.as_bytes())) => Known {
            text: "known to Redis 8.0 and later, where a module brings it; modules can't be loaded"
                .into(),
            fix: "delete the line",
        },
        None => return None,
    };
    Some(known)
}

/// What later versions know of a value of the directive `name`, both in lower case.
pub(crate) fn find_value(name: &[u8], value: &[u8]) -> Option<String> {
    let is = |row: &&(&str, &str, &str)| row.0.as_bytes() == name && row.1.as_bytes() == value;
    let (_, value, version) = VALUES.iter().find(is)?;
    Some(format!("'{value}' is known to {version} and later; this version does not have it"))
}

/// What to do about a directive of an earlier version that is read and has no effect.
pub(crate) fn forgotten(name: &[u8]) -> Option<&'static str> {
    FORGOTTEN.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, fix)| *fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    #[test]
    fn no_name_is_ours_too() {
        for (name, _) in NAMES {
            assert!(table::find(name.as_bytes()).is_none(), "{name}");
            assert!(forgotten(name.as_bytes()).is_none(), "{name}");
        }
        for (name, _) in FORGOTTEN {
            assert!(table::find(name.as_bytes()).is_none(), "{name}");
        }
        assert!(NAMES.is_sorted_by_key(|(name, _)| *name));
        assert!(FORGOTTEN.is_sorted());
        for prefix in MODULES {
            assert!(
                table::rows().flat_map(|row| row.names()).all(|name| !name.starts_with(prefix))
            );
        }
    }

    #[test]
    fn later_and_earlier_versions_are_told_apart() {
        let text = |name: &[u8]| find(name).expect("known").text;
        assert_eq!(
            text(b"slowlog-entry-max-argc"),
            "known to Redis 8.8 and later; this version does not have it"
        );
        assert_eq!(text(b"vm-enabled"), "removed in Redis 2.6");
        assert!(text(b"search-timeout").contains("module"));
        assert_eq!(find(b"hash-max-zipmap-value").expect("known").fix, HASH_VALUE);
        assert_eq!((find(b"maxmemry"), find(b"port")), (None, None));
        assert!(forgotten(b"list-max-ziplist-value").is_some());
        for (name, value, _) in VALUES {
            assert!(table::find(name.as_bytes()).is_some_and(|named| named.name == *name));
            assert!(find_value(name.as_bytes(), value.as_bytes()).is_some());
        }
        assert_eq!(find_value(b"maxmemory-policy", b"lru"), None);
    }
}
