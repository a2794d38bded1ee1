//! LATENCY: what the latency monitor has noted, and how long commands take.

use crate::commands::{CmdResult, Flow};
use crate::latency::graph;
use crate::resp::errors::CmdError;
use crate::resp::reply::Reply;
use crate::server::admin::latency_doctor;
use crate::server::parts::{Call, Server};
use crate::server::parts::{Row, ServerRow};
use crate::stats::Histogram;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("latency|latest", latest),
    ("latency|history", history),
    ("latency|reset", reset),
    ("latency|graph", draw),
    ("latency|doctor", doctor),
    ("latency|histogram", histogram),
];

/// `LATENCY LATEST`: of each kind of event its time, its duration and the longest. Joins: latency.
fn latest(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.array(srv.latency.iter().len());
    for (event, history) in srv.latency.iter() {
        let last = history.latest();
        call.reply.array(4);
        call.reply.bulk_str(event);
        call.reply.int(last.map_or(0, |s| s.time));
        call.reply.int(last.map_or(0, |s| s.ms) as i64);
        call.reply.int(history.max_ms as i64);
    }
    Ok(Flow::Done)
}

/// `LATENCY HISTORY event`. O(occurrences kept). Joins: latency.
fn history(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(history) = srv.latency.of(call.argv.at(2)) else {
        call.reply.array(0);
        return Ok(Flow::Done);
    };
    call.reply.array(history.samples().len());
    for sample in history.samples() {
        call.reply.array(2);
        call.reply.int(sample.time);
        call.reply.int(sample.ms as i64);
    }
    Ok(Flow::Done)
}

/// `LATENCY RESET [event ...]`: how many kinds were forgotten. Joins: latency.
fn reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let count = match call.argv.from(2) {
        [] => srv.latency.reset(),
        events => events.iter().filter(|event| srv.latency.forget(event)).count(),
    };
    call.reply.len_int(count);
    Ok(Flow::Done)
}

/// `LATENCY GRAPH event`. O(occurrences kept). Joins: latency.
fn draw(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let event = call.argv.at(2);
    let name = String::from_utf8_lossy(event);
    let history = srv.latency.of(event).ok_or_else(|| {
        let shown = crate::resp::errors::shown(event);
        CmdError::err([b"No samples available for event '", shown, b"'"].concat())
    })?;
    let text = graph(&name, history, srv.clock.now_ms / 1000);
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

/// `LATENCY DOCTOR`: the same facts as a report with advice. Joins: latency, configuration.
fn doctor(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let text = latency_doctor::report(srv);
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

/// The name of the row about requests. Commands are shown by the names that Redis gave them, none
/// of which begins like this.
const REQUESTS: &[u8] = b"@requests";

/// `LATENCY HISTOGRAM [command ...]`: calls by duration, cumulated at powers of two microseconds;
/// of a container all its subcommands. `@requests` is shown only where it is named: how long
/// requests took from their arrival to the reply, the time in which they waited for others
/// included, while `latency-tracking-requests` or `metrics-port` is set. O(commands). Joins: table,
/// statistics, metrics.
fn histogram(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let rows: Vec<&'static Row> = match call.argv.from(2) {
        [] => srv.table.rows().to_vec(),
        names => names.iter().flat_map(|name| named(srv, name)).collect(),
    };
    let at = call.reply.begin_array();
    let mut shown = 0;
    for row in rows {
        let stats = &srv.stats.commands[usize::from(row.id)];
        let Some(latency) = stats.latency.as_ref().filter(|_| stats.calls > 0) else { continue };
        shown += 1;
        write_row(call.reply, row.name().as_bytes(), stats.calls, latency);
    }
    if call.argv.from(2).iter().any(|name| name.eq_ignore_ascii_case(REQUESTS))
        && let Some(kept) = &srv.metrics.kept
    {
        shown += 1;
        write_row(call.reply, REQUESTS, kept.requests.count(), &kept.requests);
    }
    call.reply.end_map(at, shown);
    Ok(Flow::Done)
}

fn write_row(reply: &mut Reply, name: &[u8], calls: u64, latency: &Histogram) {
    reply.bulk(name);
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(calls as i64);
    reply.bulk(b"histogram_usec");
    let steps = latency.by_power();
    reply.map(steps.len());
    for (bound, count) in steps {
        reply.int(bound as i64);
        reply.int(count as i64);
    }
}

/// The rows that a name stands for: a command, its subcommands too, or one subcommand.
fn named(srv: &Server, name: &[u8]) -> Vec<&'static Row> {
    let rows = srv.table.rows().iter().copied();
    let name = name.to_ascii_lowercase();
    let container = [&name[..], b"|"].concat();
    rows.filter(|row| {
        let own = row.name().as_bytes();
        own == name || own.starts_with(&container)
    })
    .collect()
}
