//! Pauses: commands wait until a time, all of them or those that change data. CLIENT PAUSE asks for
//! one, and so do the end of the server and FAILOVER.
//!
//! A paused client is postponed: its command stays in its query buffer, nothing more is read from
//! it, and when the pause ends it goes on as if it had just arrived. While writes are paused the
//! data does not change by itself either: nothing expires (keys past their time are hidden),
//! nothing is evicted.

use crate::server::parts::Server;
use crate::server::parts::net::Timer;
use crate::server::parts::pause::{Purpose, Scope};

/// Starts a pause, or extends the one in force for the same purpose: the longer time and the wider
/// scope win. `i64::MAX`: until it is ended.
pub(crate) fn start(srv: &mut Server, purpose: Purpose, scope: Scope, until_ms: i64) {
    let (scope, until_ms) = match srv.pause.of(purpose) {
        Some((old, at)) => (scope.max(old), until_ms.max(at)),
        None => (scope, until_ms),
    };
    srv.pause.set(purpose, Some((scope, until_ms)));
    if until_ms < i64::MAX {
        srv.net.set_timer(until_ms, Timer::Unpause);
    }
    srv.rearm();
}

/// A timer says that a pause may be over.
pub(crate) fn on_timer(srv: &mut Server) {
    if srv.pause.expire(srv.clock.now_ms) {
        go_on(srv);
    }
}

/// Ends the pause for a purpose. Everybody may go on, unless there is another one.
pub(crate) fn end(srv: &mut Server, purpose: Purpose) {
    srv.pause.set(purpose, None);
    go_on(srv);
}

/// Those that are held back try again: what remains of the pauses decides.
fn go_on(srv: &mut Server) {
    srv.rearm();
    for id in std::mem::take(&mut srv.pause.waiting) {
        if let Some(session) = srv.clients.session_mut(id) {
            session.postponed = false;
            srv.net.wake(id);
        }
    }
    crate::server::jobs::expire::schedule(srv);
}
