//! What is told for each command, and how long requests and turns of the loop take.
//!
//! `redust_command_duration_seconds` is the work of a command alone. What a client waits for is
//! `redust_request_duration_seconds`: from the moment the command was there to the write of its
//! reply, with all that was served before it. The time that BLPOP and its like wait because they
//! were told to is no part of it.

use crate::server::admin::metrics::View;
use crate::server::admin::metrics::writer::{Family, Kind, Micros, Nanos, Writer};
use crate::stats::CommandStats;

pub(super) fn write(view: &View<'_>, w: &mut Writer<'_>) {
    type Count = fn(&CommandStats) -> u64;
    let counts: [(&'static str, &'static str, Count); 3] = [
        ("redust_commands_total", "Calls.", |c| c.calls),
        ("redust_commands_failed_total", "Calls that ended with an error.", |c| c.failed),
        ("redust_commands_rejected_total", "Calls that were refused.", |c| c.rejected),
    ];
    for (name, help, count) in counts {
        let mut s = w.family(Family { name, kind: Kind::Counter, help });
        view.used.iter().for_each(|(command, stats)| s.of("command", command, count(stats)));
    }
    let mut s = w.family(Family {
        name: "redust_command_seconds_total",
        kind: Kind::Counter,
        help: "Time that calls took.",
    });
    view.used.iter().for_each(|(command, stats)| s.of("command", command, Micros(stats.us)));
    let histogram = |name, help| Family { name, kind: Kind::Histogram, help };
    let mut s = w.family(histogram("redust_command_duration_seconds", "How long calls took."));
    for (command, stats) in &view.used {
        if let Some(h) = stats.latency.as_ref().filter(|h| h.count() > 0) {
            s.histogram(Some(("command", command)), h, Nanos(stats.us * 1000));
        }
    }
    let Some(kept) = &view.srv.metrics.kept else { return };
    w.family(histogram(
        "redust_request_duration_seconds",
        "From the arrival of a command to the write of its reply.",
    ))
    .histogram(None, &kept.requests, Nanos(kept.requests_ns));
    w.family(histogram("redust_loop_turn_duration_seconds", "Turns of the loop, without waiting."))
        .histogram(None, &kept.turns, Nanos(kept.turns_ns));
}
