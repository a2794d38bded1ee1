//! CLIENT PAUSE: commands wait until a time, all of them or those that change data.
//!
//! A paused client is postponed: its command stays in its query buffer, nothing more is read from
//! it, and when the pause ends it goes on as if it had just arrived. While writes are paused the
//! data does not change by itself either: nothing expires (keys past their time are hidden),
//! nothing is evicted.

use crate::server::parts::Server;
use crate::server::parts::net::Timer;
use crate::server::parts::pause::Scope;

/// Starts a pause, or extends the one in force: the longer time and the wider scope win.
pub(crate) fn start(srv: &mut Server, scope: Scope, until_ms: i64) {
    let (scope, until_ms) = match srv.pause.current {
        Some((old, at)) => (scope.max(old), until_ms.max(at)),
        None => (scope, until_ms),
    };
    srv.pause.current = Some((scope, until_ms));
    srv.net.set_timer(until_ms, Timer::Unpause);
    srv.rearm();
}

/// A timer says that a pause may be over.
pub(crate) fn on_timer(srv: &mut Server) {
    if srv.pause.current.is_some_and(|(_, until)| until <= srv.clock.now_ms) {
        end(srv);
    }
}

/// Ends the pause and lets everybody go on.
pub(crate) fn end(srv: &mut Server) {
    srv.pause.current = None;
    srv.rearm();
    for id in std::mem::take(&mut srv.pause.waiting) {
        if let Some(session) = srv.clients.session_mut(id) {
            session.postponed = false;
            srv.net.wake(id);
        }
    }
    crate::server::jobs::expire::schedule(srv);
}
