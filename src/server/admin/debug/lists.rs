//! DEBUG on lists: how they are laid out, and from which size on an element is a node by itself.

use crate::commands::{CmdResult, Flow};
use crate::ds::quicklist::{PLAIN_FROM, Quicklist};
use crate::keyspace::entry::Entry;
use crate::resp::errors::{self, CmdError};
use crate::server::parts::{Call, Server};
use crate::util::num;
use crate::value::list::List;
use crate::value::{Encoding, ObjectRef, ValueRef, View};
use std::fmt::Write as _;

/// Thresholds from here on are refused: a packed element is far below 4 GiB.
const PLAIN_FROM_MAX: u64 = (1 << 32) - (1 << 20);

fn quicklist(entry: &Entry) -> Option<&Quicklist> {
    match entry.value() {
        ValueRef::Object(ObjectRef::List(List::Nodes(nodes))) => Some(nodes),
        _ => None,
    }
}

/// What DEBUG OBJECT adds for a quicklist.
pub(super) fn figures(entry: &Entry) -> String {
    let mut text = String::new();
    if let Some(list) = quicklist(entry) {
        let nodes = list.node_count();
        let _ = write!(
            text,
            " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} \
             ql_uncompressed_size:{}",
            list.len() as f64 / nodes as f64,
            list.fill(),
            u8::from(list.compresses()),
            list.uncompressed_bytes()
        );
    }
    text
}

/// `DEBUG QUICKLIST-PACKED-THRESHOLD size`, 0 for the default. Joins: limits.
pub(super) fn packed_threshold(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    const WRONG: CmdError =
        CmdError::new("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    let size = num::parse_memory(call.argv[2]).filter(|&n| n <= PLAIN_FROM_MAX).ok_or(WRONG)?;
    srv.limits.list_plain_from = if size == 0 { PLAIN_FROM } else { size as usize };
    call.reply.ok();
    Ok(Flow::Done)
}

/// `DEBUG QUICKLIST key [detail]`: prints the nodes. Joins: keyspace.
pub(super) fn print_quicklist(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let store = srv.ks.db(call.env.db as usize);
    let entry = store.find(store.key(call.argv[2])).ok_or(errors::NO_SUCH_KEY)?;
    let list = quicklist(entry).ok_or(CmdError::new("ERR Not a quicklist encoded object."))?;
    println!("{} elements in {} nodes", list.len(), list.node_count());
    if call.argv.get(3).is_some_and(|detail| *detail != b"0") {
        list.nodes().for_each(|node| println!("{node:?}"));
    }
    call.reply.status("Quicklist structure printed on stdout");
    Ok(Flow::Done)
}

/// `DEBUG LISTPACK key`: prints what a value in this encoding holds. Joins: keyspace.
pub(super) fn print_listpack(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let store = srv.ks.db(call.env.db as usize);
    let entry = store.find(store.key(call.argv[2])).ok_or(errors::NO_SUCH_KEY)?;
    match entry.value() {
        ValueRef::Object(object)
            if matches!(object.encoding(), Encoding::Listpack | Encoding::ListpackEx) =>
        {
            println!("{} elements: {object:?}", object.len());
        }
        _ => return Err(CmdError::new("ERR Not a listpack encoded object.")),
    }
    call.reply.status("Listpack structure printed on stdout");
    Ok(Flow::Done)
}
