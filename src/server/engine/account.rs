//! Measures the time of commands, for statistics, latency events and the slow log.
//!
//! The stopwatch reading that ends one command starts the next. A reading costs as much as a part
//! of a short command. So in a pipeline it is not read between commands that are brief by their
//! nature (`Row::brief`) and that turned out brief: they share the time of their group.
//!
//! This would hide a single slow command, so it is not done where somebody looks for one. Every
//! command is timed by itself if the slow log or the latency monitor watches for single
//! milliseconds, and also if it is alone in its group. When a group took long after all, the groups
//! after it are timed command by command for a while, so that what is slow again is found.
//!
//! Invariant: `Clock::ticks` is the end of the last command that is accounted for, or where its
//! client's turn began; the commands in `Brief` ran after it.

use crate::server::engine::redact::redact;
use std::num::NonZeroU64;

use crate::commands::{CmdResult, Flow, spec};
use crate::net::clients::ClientId;
use crate::net::session::Queued;
use crate::resp::argv::Argv;
use crate::server::parts::{Call, Row, Server};

/// A command with more arguments than this is timed by itself.
const BRIEF_ARGS: usize = 8;
/// So is one with a longer reply, in bytes.
const BRIEF_REPLY: usize = 4096;
/// The most that is charged to a brief command, in ns, when another one of its group was not brief.
const BRIEF_NS: u64 = 1000;

/// A group that takes so many ns was not brief.
const SLOW_NS: u64 = 1_000_000;
/// So many groups after it are timed command by command.
const WARY_GROUPS: u32 = 1000;

/// A group of so many commands of a pipeline begins. Their arguments have at most `bytes` bytes in
/// all.
pub(crate) fn begin_group(srv: &mut Server, commands: usize, bytes: usize) {
    const LARGE: usize = 64 * 1024;
    let s = &srv.cfg.stats;
    let curious = (0..1000).contains(&s.slowlog_slower_than_us) || s.latency_threshold_ms > 0;
    let brief = &mut srv.exec.brief;
    brief.allowed = commands > 1 && bytes <= LARGE && !curious && brief.wary == 0;
    brief.wary = brief.wary.saturating_sub(1);
}

/// The group has ended.
#[inline]
pub(crate) fn end_group(srv: &mut Server) {
    srv.exec.brief.allowed = false;
    settle(srv);
}

/// Whether a command may share its time with those around it.
#[inline]
pub(crate) fn may_share(srv: &Server, call: &Call<'_>) -> bool {
    srv.exec.brief.allowed
        && srv.exec.nesting == 0
        && call.row.brief
        && call.argv.len() <= BRIEF_ARGS
}

/// Accounts for the brief commands that have run.
#[inline]
pub(crate) fn settle(srv: &mut Server) {
    if let Some(count) = NonZeroU64::new(srv.exec.brief.count) {
        let end = srv.clock.watch.ticks();
        let ns = srv.clock.watch.ns(end.wrapping_sub(srv.clock.ticks));
        srv.clock.ticks = end;
        record_brief(srv, ns / count);
        if ns >= SLOW_NS {
            srv.exec.brief.wary = WARY_GROUPS;
            srv.clock.now_ms = crate::sys::clock::wall_ms();
        }
    }
}

fn record_brief(srv: &mut Server, each_ns: u64) {
    let Server { exec, stats, cfg, .. } = srv;
    for (id, n) in exec.brief.runs.drain(..) {
        stats.commands[usize::from(id)].record(each_ns, n, cfg.stats.latency_tracking);
    }
    stats.n.commands += std::mem::take(&mut exec.brief.count);
}

/// Accounts for a command that has run since `started`, in ticks. `shares` says that it may be
/// brief, and `reply` how many bytes it has replied.
///
/// One that blocks is accounted for when it has run to its end.
#[inline]
pub(crate) fn finish(
    srv: &mut Server,
    call: &Call<'_>,
    result: &CmdResult,
    shares: bool,
    reply: usize,
    started: u64,
) {
    let blocks = matches!(result, Ok(Flow::Block(_)));
    if shares && !blocks && reply <= BRIEF_REPLY {
        return srv.exec.brief.note(call.row.id);
    }
    let end = srv.clock.watch.ticks();
    let mut ns = srv.clock.watch.ns(end.wrapping_sub(started));
    srv.clock.ticks = end;
    if srv.exec.brief.count > 0 {
        // It was thought to be brief, so those before it are part of its time.
        let before = srv.exec.brief.count;
        let each = (ns / (before + 1)).min(BRIEF_NS);
        record_brief(srv, each);
        ns -= each * before;
    }
    if blocks {
        return;
    }
    let stats = &mut srv.stats.commands[usize::from(call.row.id)];
    stats.record(ns, 1, srv.cfg.stats.latency_tracking);
    srv.stats.n.commands += 1;
    let us = ns / 1000;
    if us >= 1000 {
        let event = if call.row.has(spec::FAST) { "fast-command" } else { "command" };
        srv.note_latency(event, us);
        // Whoever comes next must not see the time before a slow command.
        srv.clock.now_ms = crate::sys::clock::wall_ms();
    }
    if is_slow(srv, us) {
        log_slow(srv, call.client, call.row, call.argv, us);
    }
}

/// Accounts for a parked command that ends without having run again. What it took when it began is
/// too little to tell.
pub(crate) fn finish_parked(srv: &mut Server, id: ClientId, command: &Queued, failed: bool) {
    let stats = &mut srv.stats.commands[usize::from(command.command)];
    stats.record(0, 1, srv.cfg.stats.latency_tracking);
    stats.failed += u64::from(failed);
    srv.stats.n.commands += 1;
    if is_slow(srv, 0) {
        let argv: Vec<&[u8]> = command.argv.iter().map(Vec::as_slice).collect();
        log_slow(srv, id, srv.table.by_id(command.command), Argv::new(&argv), 0);
    }
}

fn is_slow(srv: &Server, us: u64) -> bool {
    let limit = srv.cfg.stats.slowlog_slower_than_us;
    limit >= 0 && us >= limit as u64
}

#[cold]
fn log_slow(srv: &mut Server, id: ClientId, row: &Row, argv: Argv<'_>, us: u64) {
    if row.has(spec::SKIP_SLOWLOG) {
        return;
    }
    let max = srv.cfg.stats.slowlog_max_len as usize;
    let redacted = redact(row, argv);
    let argv: Vec<&[u8]> = match &redacted {
        Some(argv) => argv.iter().map(Vec::as_slice).collect(),
        None => argv.to_vec(),
    };
    let (peer, name) = match srv.clients.session(id) {
        Some(s) => (s.peer.as_str(), s.name.as_slice()),
        None => ("", &b""[..]),
    };
    srv.slowlog.push(&argv, us, srv.clock.now_ms / 1000, peer, name, max);
}
