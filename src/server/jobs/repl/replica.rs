//! The replica's side: whom we follow, and the state of the link over time.
//!
//! A server that begins to follow keeps its data until the primary has answered: if the primary has
//! the same history, it goes on from where it is.

use crate::config::PrimaryAddr;
use crate::log;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::session::Close;
use crate::repl::history::History;
use crate::server::engine::blocking;
use crate::server::jobs::repl::{apply, link, primary};
use crate::server::parts::Server;
use crate::server::parts::identity::random_id;
use crate::server::parts::repl::{Following, Link};
use crate::server::parts::stream;

/// The primary's address as the log shows it.
fn address(following: &Following) -> String {
    format!("{}:{}", String::from_utf8_lossy(&following.host), following.port)
}

/// Begins to follow a primary; the link is made by the cron, or at once by the caller.
///
/// A primary asks to go on in its own history: the other server may be its former replica.
pub(crate) fn follow(srv: &mut Server, host: &[u8], port: u16) {
    let was_primary = srv.repl.following.is_none();
    leave_link(srv);
    let before = srv.repl.following.as_ref();
    let had_history = before.is_none_or(|following| following.resumes);
    let db = before.map_or(0, |following| following.db);
    let following = Following {
        host: host.to_vec(),
        port,
        link: Link::Down,
        client: None,
        db: srv.repl.restored_db.take().unwrap_or(db),
        resumes: had_history && srv.repl.backlog.is_some(),
        heard_ms: srv.clock.now_ms,
        down_since_ms: None,
        takes_over: false,
        retry_ms: 0,
    };
    srv.cfg.repl.primary = Some(PrimaryAddr { host: host.to_vec(), port });
    srv.repl.refusals.start_anew();
    let resumes = following.resumes;
    srv.repl.following = Some(Box::new(following));
    if was_primary {
        blocking::end_all(
            srv,
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        );
        if resumes {
            log!(
                Notice,
                "Before turning into a replica, using my own master parameters to synthesize a cached \
                 master: I may be able to synchronize with the new master with just a partial \
                 transfer."
            );
        }
        srv.stream.set_audience(stream::AOF);
        // Compat: the class of the process is another one.
        let _ = crate::server::jobs::settings::set_oom_score(srv, 1);
        crate::sys::log::set_role(b'S');
    }
    // Our own replicas stay: they may go on with us, if we can go on.
    srv.roles_changed();
}

/// Makes the link without waiting for the cron.
pub(crate) fn connect_now(srv: &mut Server) {
    if let Some(following) = &srv.repl.following {
        log!(Notice, "Connecting to MASTER {}", address(following));
        link::connect(srv);
    }
}

/// Ends following: this server is a primary, of the same data. The old history stays known.
pub(crate) fn lead(srv: &mut Server) {
    if srv.repl.following.is_none() {
        return;
    }
    leave_link(srv);
    srv.repl.following = None;
    srv.cfg.repl.primary = None;
    srv.repl.own_timed.clear();
    srv.repl.held_raw.clear();
    let end = srv.stream.repl_end();
    let id = random_id();
    srv.repl.history.shift(id, end);
    let (second, limit) = srv.repl.history.second();
    log!(
        Notice,
        "Setting secondary replication ID to {second}, valid up to offset: {limit}. New replication \
         ID is {}",
        srv.repl.history.id
    );
    primary::drop_replicas(srv);
    srv.stream.set_audience(stream::ALL);
    srv.stream.select_anew();
    srv.repl.alone_since_ms = srv.clock.now_ms;
    let _ = crate::server::jobs::settings::set_oom_score(srv, 0);
    crate::sys::log::set_role(b'M');
    srv.roles_changed();
    crate::server::jobs::expire::schedule(srv);
}

/// Ends a connection to the primary: a child may have the socket too.
pub(super) fn end_link(srv: &mut Server, mut conn: Conn) {
    srv.net.forget_link(&mut conn);
    conn.shut_down();
}

/// Ends the link in whatever state it is. What is known of the history stays.
fn leave_link(srv: &mut Server) {
    let Some(following) = &mut srv.repl.following else { return };
    let client = following.client.take();
    if let (Link::Loading(_), Some(loading)) = (&following.link, &mut srv.loading) {
        loading.given_up = true;
    }
    if let Some(conn) = link::take_conn(srv) {
        end_link(srv, conn);
    }
    if let Some(id) = client {
        srv.clients.close(id, Close::Now);
        if let Some(session) = srv.clients.session_mut(id) {
            session.primary = false;
        }
    }
    srv.repl.held_raw.clear();
    srv.repl.refusals.now = None;
}

/// A client has ended: if it stood for the primary, the link is down.
pub(crate) fn on_client_gone(srv: &mut Server, id: ClientId) {
    let now_ms = srv.clock.now_ms;
    let Some(following) = &mut srv.repl.following else { return };
    if following.client != Some(id) {
        return;
    }
    srv.repl.held_raw.clear();
    following.client = None;
    following.link = Link::Down;
    following.down_since_ms = Some(now_ms);
    log!(Notice, "Connection with master lost.");
    if let Some(refused) = srv.repl.refusals.now.take() {
        if refused.partly {
            primary::drop_replicas(srv);
            srv.repl.free_backlog(&mut srv.stream);
            srv.repl.history = History::new(random_id());
        }
        srv.roles_changed();
        return rest(srv, refused.why);
    }
    log!(Notice, "Caching the disconnected master state.");
    log!(Notice, "Reconnecting to MASTER {}", address(following));
    srv.roles_changed();
    link::connect(srv);
}

/// What the primary has sent can't be done here, so the two would no longer hold the same. All of
/// its data is asked for, after a pause.
pub(super) fn rest(srv: &mut Server, why: String) {
    let now_ms = srv.clock.now_ms;
    let pause_ms = srv.repl.refusals.rest(why, now_ms);
    let Some(following) = &mut srv.repl.following else { return };
    following.resumes = false;
    following.retry_ms = now_ms + pause_ms;
    log!(
        Warning,
        "The link to the master is stopped: it has sent what this server does not know or may not \
         do, and going on would lose data. A full resynchronization is tried in {} seconds (INFO: \
         redust_replica_last_refusal).",
        pause_ms / 1000
    );
}

/// The link has failed before it was up: it is tried again by the cron.
pub(crate) fn on_link_failed(srv: &mut Server) {
    let now_ms = srv.clock.now_ms;
    if let Some(conn) = link::take_conn(srv) {
        end_link(srv, conn);
    }
    if let Some(following) = &mut srv.repl.following {
        following.down_since_ms = Some(following.down_since_ms.unwrap_or(now_ms));
        following.retry_ms = now_ms + 1000;
    }
    srv.roles_changed();
}

/// Called by the cron: makes the link, watches over it, and acknowledges once a second.
pub(crate) fn on_cron(srv: &mut Server, new_second: bool) {
    let now_ms = srv.clock.now_ms;
    let timeout_ms = i64::from(srv.cfg.repl.timeout_secs) * 1000;
    let Some(following) = &mut srv.repl.following else { return };
    let silent = now_ms - following.heard_ms > timeout_ms;
    match &following.link {
        Link::Down if now_ms >= following.retry_ms => connect_now(srv),
        Link::Connecting(_) | Link::Talking(_) if silent => {
            log!(Warning, "Timeout connecting to the MASTER...");
            on_link_failed(srv);
        }
        Link::Receiving(_) if silent => {
            log!(
                Warning,
                "Timeout receiving bulk data from MASTER... If the problem persists try to set the \
                 'repl-timeout' parameter in redis.conf to a larger value."
            );
            link::abandon(srv);
        }
        Link::Connected if silent => {
            log!(Warning, "MASTER timeout: no data nor PING received...");
            if let Some(id) = following.client {
                srv.clients.close(id, Close::Now);
            }
        }
        Link::Connected if new_second => apply::acknowledge(srv),
        _ => {}
    }
}
