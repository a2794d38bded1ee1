//! FAILOVER: writes are held back until a replica has all, then we follow it and ask it to lead.

use crate::log;
use crate::repl::failover::{Failover, Step};
use crate::server::jobs::pause;
use crate::server::jobs::repl::{names, replica};
use crate::server::parts::Server;
use crate::server::parts::pause::{Purpose, Scope};

/// Begins; clients' writes wait from now on.
pub(crate) fn begin(srv: &mut Server, failover: Failover) {
    srv.repl.failover = Some(failover);
    pause::start(srv, Purpose::Failover, Scope::Writes, i64::MAX);
}

/// It is over, in whatever way.
pub(crate) fn end(srv: &mut Server) {
    srv.repl.failover = None;
    pause::end(srv, Purpose::Failover);
}

/// Gives up: this server goes on as a primary.
pub(crate) fn abort(srv: &mut Server, why: &str) {
    let Some(failover) = srv.repl.failover.take() else { return };
    log!(Notice, "FAILOVER to {} aborted: {why}", failover.named());
    if failover.asks {
        replica::lead(srv);
    }
    end(srv);
}

/// Called by the cron, and when a replica has told how far it is.
pub(crate) fn on_cron(srv: &mut Server) {
    let Some(failover) = &srv.repl.failover else { return };
    let replicas: Vec<(String, u16, u64)> = srv
        .repl
        .replicas
        .iter()
        .map(|replica| {
            let (host, port) = names::address(srv, replica);
            (host, port, replica.acked)
        })
        .collect();
    let step = failover.step(srv.clock.now_ms, srv.stream.repl_end(), &replicas);
    match step {
        Step::Wait => {}
        Step::GiveUp => abort(srv, "Replica never caught up before timeout"),
        Step::HandOver(host, port) => {
            log!(Notice, "Failover target {host}:{port} is synced, failing over.");
            ask(srv, host, port);
        }
        Step::Force(host, port) => {
            log!(Notice, "FAILOVER to {host}:{port} time out exceeded, failing over.");
            ask(srv, host, port);
        }
    }
}

fn ask(srv: &mut Server, host: String, port: u16) {
    if let Some(failover) = &mut srv.repl.failover {
        failover.asks = true;
        failover.target = Some((host.clone(), port));
    }
    srv.repl.keep_backlog(&mut srv.stream);
    replica::follow(srv, host.as_bytes(), port);
    if let Some(following) = &mut srv.repl.following {
        following.takes_over = true;
    }
    replica::connect_now(srv);
}
