//! Measures the time of commands, for statistics, latency events, and the logs of slow and large
//! ones.
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
//! Brief commands have short requests and replies, so the logs of large ones are no concern of
//! theirs unless their thresholds are lower than that (`Noted::single`). Of all others, the reply
//! is compared with its threshold; the request is looked at only if all that came with it is as
//! large.
//!
//! Invariant: `Clock::ticks` is the end of the last command that is accounted for, or where its
//! client's turn began; the commands in `Brief` ran after it.

use std::num::NonZeroU64;

use crate::commands::{CmdResult, Flow, spec};
use crate::config::Config;
use crate::keyspace::env::Origin;
use crate::net::clients::ClientId;
use crate::net::session::{Queued, ReplyMode};
use crate::resp::argv::Argv;
use crate::server::engine::hotkeys;
use crate::server::engine::redact::redact;
use crate::server::parts::exec::Noted;
use crate::server::parts::{Call, Row, Server};

/// A command with more arguments than this is timed by itself.
const BRIEF_ARGS: usize = 8;
/// So is one with a longer reply, in bytes.
const BRIEF_REPLY: usize = 4096;
/// So are all commands of a group whose requests have more bytes.
const BRIEF_GROUP: usize = 64 * 1024;
/// The most that is charged to a brief command, in ns, when another one of its group was not brief.
const BRIEF_NS: u64 = 1000;

/// A group that takes so many ns was not brief.
const SLOW_NS: u64 = 1_000_000;
/// So many groups after it are timed command by command.
const WARY_GROUPS: u32 = 1000;

/// A group of so many commands of a pipeline begins. Their arguments have at most `bytes` bytes in
/// all.
pub(crate) fn begin_group(srv: &mut Server, commands: usize, bytes: usize) {
    srv.exec.noted.expect(bytes);
    let watched = srv.exec.noted.watched;
    let brief = &mut srv.exec.brief;
    brief.begin(commands > 1 && bytes <= BRIEF_GROUP && !watched && brief.wary == 0);
    brief.wary = brief.wary.saturating_sub(1);
    if watched {
        begin_watched(srv, commands, bytes);
    }
}

/// The same while single commands are looked for.
#[cold]
fn begin_watched(srv: &mut Server, commands: usize, bytes: usize) {
    let brief = &mut srv.exec.brief;
    brief.resumes =
        commands > 1 && bytes <= BRIEF_GROUP && !srv.exec.noted.single && brief.wary == 0;
    if hotkeys::begin_group(srv, commands) {
        let noted = &mut srv.exec.noted;
        noted.only_chosen = noted.look_us > 0;
        noted.look_us = 0;
        return;
    }
    srv.exec.noted.only_chosen = false;
    if srv.exec.brief.resumes {
        srv.exec.brief.allow(u64::MAX);
    }
}

/// The group has ended.
#[inline]
pub(crate) fn end_group(srv: &mut Server) {
    srv.exec.brief.forbid();
    settle(srv);
}

/// Whether a command may share its time with those around it.
#[inline]
pub(crate) fn may_share(srv: &Server, call: &Call<'_>) -> bool {
    srv.exec.brief.has_room()
        && srv.exec.nesting == 0
        && call.row.brief
        && call.argv.len() <= BRIEF_ARGS
}

/// Accounts for the brief commands that have run.
#[inline]
pub(crate) fn settle(srv: &mut Server) {
    if let Some(count) = NonZeroU64::new(srv.exec.brief.count()) {
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
    stats.n.commands += exec.brief.count();
    for (id, n) in exec.brief.take() {
        stats.commands[usize::from(id)].record(each_ns, n, cfg.stats.latency_tracking);
    }
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
    if srv.exec.brief.count() > 0 {
        // It was thought to be brief, so those before it are part of its time.
        let before = srv.exec.brief.count();
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
    let noted = &srv.exec.noted;
    if us >= noted.look_us || reply >= noted.reply {
        look(srv, call, ns, reply);
    }
}

/// Accounts for a parked command that ends without having run again. What it took when it began is
/// too little to tell.
pub(crate) fn finish_parked(srv: &mut Server, id: ClientId, command: &Queued, failed: bool) {
    let stats = &mut srv.stats.commands[usize::from(command.command)];
    stats.record(0, 1, srv.cfg.stats.latency_tracking);
    stats.failed += u64::from(failed);
    srv.stats.n.commands += 1;
    let argv: Vec<&[u8]> = command.argv.iter().map(Vec::as_slice).collect();
    srv.exec.noted.expect(Argv::new(&argv).wire_bytes());
    if srv.exec.noted.look_us == 0 {
        log(srv, id, srv.table.by_id(command.command), Argv::new(&argv), 0, 0);
    }
}

/// Settings have changed, or a session of HOTKEYS begins or ends. Until the next group every
/// command is timed by itself.
pub(crate) fn adopt(srv: &mut Server) {
    srv.exec.brief.forbid();
    let mut noted = thresholds(&srv.cfg);
    if let Some(session) = srv.hotkeys.as_ref().filter(|session| session.active) {
        noted.watched = true;
        if session.takes_all() {
            noted.look_from = 0;
        }
    }
    srv.exec.noted = noted;
}

/// Where the logs begin, by the settings.
fn thresholds(cfg: &Config) -> Noted {
    let s = &cfg.stats;
    let never = |limit: i64| u64::try_from(limit).unwrap_or(u64::MAX);
    let bytes = |limit: i64, kept: u64| match kept {
        0 => usize::MAX,
        _ => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let slow_us = never(s.slowlog_slower_than_us);
    let request = bytes(s.commandlog_request_larger_than, s.commandlog_large_request_max_len);
    let reply = bytes(s.commandlog_reply_larger_than, s.commandlog_large_reply_max_len);
    let single = slow_us < 1000
        || s.latency_threshold_ms > 0
        || request <= BRIEF_GROUP
        || reply <= BRIEF_REPLY;
    // The running command has changed them: it is looked at, and so is the rest of its group.
    Noted {
        slow_us,
        request,
        reply,
        look_us: 0,
        look_from: slow_us,
        single,
        watched: single,
        only_chosen: false,
    }
}

/// Looks at a command more closely: it may be one for the logs, or chosen by HOTKEYS.
#[cold]
fn look(srv: &mut Server, call: &Call<'_>, ns: u64, reply: usize) {
    if srv.exec.noted.watched && srv.hotkeys.is_some() {
        hotkeys::note(srv, call, ns, reply);
        let noted = &srv.exec.noted;
        let for_logs = ns / 1000 >= noted.slow_us || reply >= noted.reply;
        // What is nested, or had to wait, may be larger than the group in which it runs.
        let own = call.env.origin == Origin::Client && !srv.exec.unit.again;
        if noted.only_chosen && own && !for_logs {
            return;
        }
    }
    log(srv, call.client, call.row, call.argv, ns / 1000, reply);
}

/// Notes a command in those logs that it belongs to.
fn log(srv: &mut Server, id: ClientId, row: &Row, argv: Argv<'_>, us: u64, reply: usize) {
    let noted = srv.exec.noted;
    // The commands of a script have come from no client.
    let request = match srv.exec.unit.origin {
        Origin::Script => 0,
        _ => argv.wire_bytes(),
    };
    let told = srv.clients.session(id).is_none_or(|s| s.reply_mode == ReplyMode::On);
    let reply = if told { reply } else { 0 };
    let slow = us >= noted.slow_us;
    if row.has(spec::SKIP_SLOWLOG) || !(slow || request >= noted.request || reply >= noted.reply) {
        return;
    }
    let redacted = redact(row, argv);
    let argv: Vec<&[u8]> = match &redacted {
        Some(argv) => argv.iter().map(Vec::as_slice).collect(),
        None => argv.to_vec(),
    };
    let (peer, name) = match srv.clients.session(id) {
        Some(s) => (s.peer.as_str(), s.name.as_slice()),
        None => ("", &b""[..]),
    };
    let stats = &srv.cfg.stats;
    let logs = [
        (slow, &mut srv.slowlog, us, stats.slowlog_max_len),
        (
            request >= noted.request,
            &mut srv.large.requests,
            request as u64,
            stats.commandlog_large_request_max_len,
        ),
        (
            reply >= noted.reply,
            &mut srv.large.replies,
            reply as u64,
            stats.commandlog_large_reply_max_len,
        ),
    ];
    for (belongs, log, value, max) in logs {
        if belongs {
            log.push(&argv, value, srv.clock.now_ms / 1000, peer, name, max as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_is_beyond_all_figures() {
        let mut cfg = Config::default();
        let usual = thresholds(&cfg);
        assert_eq!((usual.slow_us, usual.request, usual.reply), (10_000, 1 << 20, 1 << 20));
        assert!(!usual.watched);
        cfg.stats.commandlog_request_larger_than = -1;
        cfg.stats.commandlog_large_reply_max_len = 0;
        cfg.stats.commandlog_reply_larger_than = 0;
        let off = thresholds(&cfg);
        assert_eq!((off.request, off.reply, off.single), (usize::MAX, usize::MAX, false));
        cfg.stats.commandlog_large_reply_max_len = 1;
        assert!(thresholds(&cfg).watched);
    }
}
