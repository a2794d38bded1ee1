//! MEMORY: what a key costs, and the allocator's own report.

use crate::commands::{CmdResult, Flow, arg};
use crate::resp::errors;
use crate::server::table::ServerRow;
use crate::server::{Call, Server};
use crate::sys::mem;

pub const COMMANDS: &[ServerRow] =
    &[("memory|usage", usage), ("memory|purge", purge), ("memory|malloc-stats", malloc_stats)];

/// An entry's share of the table and, if it expires, of the wheel.
const TABLE_BYTES: usize = 10;
const WHEEL_BYTES: usize = 6;

/// Elements of a collection that are looked at, unless asked for otherwise.
const SAMPLES: usize = 5;

/// `MEMORY USAGE key [SAMPLES count]`: bytes of the entry and its share of the table. O(samples).
/// Joins: keyspace.
fn usage(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let mut samples = SAMPLES;
    let mut options = arg::Options::new(argv, 3);
    while let Some(word) = options.next() {
        if !arg::is(word, "samples") || options.remaining() == 0 {
            return Err(errors::SYNTAX);
        }
        samples = usize::try_from(arg::int(options.value()?)?).map_err(|_| errors::SYNTAX)?;
    }
    let store = &srv.ks.dbs[call.env.db as usize];
    match store.find(store.key(argv[2])) {
        Some(entry) => {
            let wheel = if entry.expire_ms().is_some() { WHEEL_BYTES } else { 0 };
            call.reply.len_int(entry.mem_bytes(samples) + TABLE_BYTES + wheel);
        }
        None => call.reply.null(),
    }
    Ok(Flow::Done)
}

/// `MEMORY PURGE`: gives unused pages back to the system.
fn purge(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    mem::purge();
    call.reply.ok();
    Ok(Flow::Done)
}

/// `MEMORY MALLOC-STATS`.
fn malloc_stats(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.verbatim("txt", mem::malloc_stats().as_bytes());
    Ok(Flow::Done)
}
