//! What the page at `/` of the endpoint for metrics shows, as JSON.
//!
//! ```text
//! figures   fields of INFO, times of requests, memory, keys, commands, errors, latency events
//! logs      the logs of commands that cost much
//! clients   sums, and the clients that are largest or silent longest
//! keys      what HOTKEYS and the survey of keys have found
//! json      the writer
//! ```
//! Each figure comes from where INFO and the commands have it, so that they agree. Nothing is kept
//! for the page but which clients it shows. A request walks no keys, and of the clients a bounded
//! part; each list has a limit, named beside it.
//!
//! Invariants: no value of a key is told; a name of a key, or a part of one, only while
//! `metrics-page-key-names` is set. Who asks is not looked at here: the reactor does that.

mod clients;
mod figures;
mod json;
mod keys;
mod logs;

use crate::server::parts::Server;
use crate::server::parts::identity::REDUST_VERSION;
use json::Json;

/// Writes all that the page shows.
pub(super) fn render(srv: &mut Server, out: &mut Vec<u8>) {
    let shown = clients::choose(srv);
    let srv = &*srv;
    Json::write(out, |j| {
        j.int("now_ms", srv.clock.now_ms);
        j.text("redust_version", REDUST_VERSION);
        j.flag("key_names", srv.cfg.metrics.page_key_names);
        figures::write(srv, j);
        logs::write(srv, j);
        clients::write(srv, &shown, j);
        keys::write(srv, j);
    });
}
