//! HOTKEYS of Redis 8.6: which keys cost most time, and which most bytes.
//!
//! The figures of keys are those of the commands that were looked at, as in Redis: one of so many
//! (SAMPLE). The figures of all commands are those times SAMPLE. Nothing is measured while no
//! session is active.

use crate::commands::{CmdResult, Flow, arg};
use crate::ds::topk::TopK;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::account;
use crate::server::parts::hotkeys::{Metric, Session};
use crate::server::parts::survey::GROUPS;
use crate::server::parts::{Call, Server, ServerRow};
use crate::sys::process::{self, Whose};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("hotkeys|start", start),
    ("hotkeys|get", get),
    ("hotkeys|stop", stop),
    ("hotkeys|reset", reset),
];

fn error(text: &'static str) -> CmdError {
    CmdError::err(text)
}

/// `HOTKEYS START METRICS n [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]`. Joins:
/// hotkeys.
fn start(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.hotkeys.as_ref().is_some_and(|session| session.active) {
        return Err(error("hotkey tracking session already in progress"));
    }
    let argv = call.argv;
    if argv.len() < 4 || !arg::is(argv[2], "metrics") {
        return Err(error("METRICS parameter is required"));
    }
    let n = arg::int_in(argv[3], 1, 2, "METRICS count must be > 0 and <= 2")? as usize;
    let words = argv.from(4);
    let mut metrics = Vec::new();
    for word in words.iter().take(n) {
        let metric = match arg::lower(word).as_slice() {
            b"cpu" => Metric::Cpu,
            b"net" => Metric::Net,
            // Compat: what is no metric counts as one.
            _ => continue,
        };
        if metrics.contains(&metric) {
            return Err(error(match metric {
                Metric::Cpu => "METRICS CPU defined more than once!",
                Metric::Net => "METRICS NET defined more than once!",
            }));
        }
        metrics.push(metric);
    }
    if words.len() < n {
        return Err(error("METRICS count does not match number of metric types provided"));
    }
    if metrics.is_empty() {
        return Err(error("METRICS no valid metrics passed. Supported: CPU|NET"));
    }
    let (mut count, mut seconds, mut sample) = (10, 0, 1);
    let (pairs, rest) = words[n..].as_chunks::<2>();
    for [word, value] in pairs {
        match arg::lower(word).as_slice() {
            b"count" => count = arg::int_in(value, 1, 64, "COUNT must be between 1 and 64")?,
            b"duration" => {
                let range = "DURATION must be between 1 and 1000000";
                seconds = arg::int_in(value, 1, 1_000_000, range)?;
            }
            b"sample" => {
                let max = i64::from(i32::MAX);
                sample = arg::int_in(value, 1, max, "SAMPLE ratio must be positive")?;
            }
            b"slots" => return Err(error("SLOTS parameter cannot be used in non-cluster mode")),
            _ => return Err(errors::SYNTAX),
        }
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let (now, seed) = (srv.clock.now_ms, srv.ks.seed());
    let mut session =
        Session::new(&metrics, count as usize, seconds * 1000, sample as u64, now, seed);
    session.cpu_at_start = process_cpu();
    session.prefixes = srv.survey.on.then(|| TopK::new(GROUPS));
    srv.hotkeys = Some(Box::new(session));
    account::adopt(srv);
    call.reply.ok();
    Ok(Flow::Done)
}

/// User and system time of the process in milliseconds.
fn process_cpu() -> (i64, i64) {
    let used = process::cpu(Whose::Process);
    (used.user_us / 1000, used.sys_us / 1000)
}

/// `HOTKEYS STOP`: the figures stay. Joins: hotkeys.
fn stop(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let now = srv.clock.now_ms;
    match &mut srv.hotkeys {
        Some(session) if session.active => {
            session.stop(now);
            account::adopt(srv);
            call.reply.ok();
        }
        _ => call.reply.null(),
    }
    Ok(Flow::Done)
}

/// `HOTKEYS RESET`: forgets the figures of a session that has ended. Joins: hotkeys.
fn reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.hotkeys.as_ref().is_some_and(|session| session.active) {
        return Err(error("hotkey tracking session in progress, stop tracking first"));
    }
    srv.hotkeys = None;
    call.reply.ok();
    Ok(Flow::Done)
}

/// `HOTKEYS GET`: the keys and their figures, an array of one map. Joins: hotkeys.
fn get(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let now = srv.clock.now_ms;
    let Some(session) = &srv.hotkeys else {
        call.reply.null();
        return Ok(Flow::Done);
    };
    let reply = &mut *call.reply;
    reply.array(1);
    reply.map(7 + 3 * usize::from(session.cpu.is_some()) + 2 * usize::from(session.net.is_some()));
    let int = |reply: &mut Reply, name: &str, n: i64| {
        reply.bulk_str(name);
        reply.int(n);
    };
    int(reply, "tracking-active", i64::from(session.active));
    int(reply, "sample-ratio", session.sample as i64);
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.int(0);
    reply.int(16_383);
    let all = |seen: u64| seen.saturating_mul(session.sample) as i64;
    int(reply, "all-commands-all-slots-us", all(session.seen_ns) / 1000);
    int(reply, "net-bytes-all-commands-all-slots", all(session.seen_bytes));
    int(reply, "collection-start-time-unix-ms", session.started_ms);
    let lasted = if session.active { now - session.started_ms } else { session.lasted_ms };
    int(reply, "collection-duration-ms", lasted);
    if session.cpu.is_some() {
        let (user, system) = process_cpu();
        int(reply, "total-cpu-time-user-ms", user - session.cpu_at_start.0);
        int(reply, "total-cpu-time-sys-ms", system - session.cpu_at_start.1);
    }
    if let Some(net) = &session.net {
        int(reply, "total-net-bytes", net.total() as i64);
    }
    if let Some(cpu) = &session.cpu {
        reply.bulk(b"by-cpu-time-us");
        list(reply, cpu, session.count, 1000);
    }
    if let Some(net) = &session.net {
        reply.bulk(b"by-net-bytes");
        list(reply, net, session.count, 1);
    }
    Ok(Flow::Done)
}

/// The heaviest keys with their weights, divided by `unit`.
fn list(reply: &mut Reply, keys: &TopK, count: usize, unit: u64) {
    let top = keys.top(count);
    reply.array(2 * top.len());
    for heavy in top {
        reply.bulk(heavy.key);
        reply.int((heavy.weight / unit) as i64);
    }
}
