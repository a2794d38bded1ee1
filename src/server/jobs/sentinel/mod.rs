//! Sentinel at work: what its machine asks for is done here.
//!
//! ```text
//! cron, a reply, a command -> the machine -> actions -> links, events, the file, scripts
//! ```
//! Actions are done in their order. In particular the file is written, with the vote that was just
//! given in it, before anybody is told of the vote.

pub(crate) mod links;
mod scripts;

use std::net::{IpAddr, ToSocketAddrs};

use crate::config::rewrite::{self, Extra};
use crate::log;
use crate::sentinel::Sentinel;
use crate::sentinel::state::Ms;
use crate::sentinel::turn::{Action, Level, Resolve};
use crate::server::engine::access;
use crate::server::parts::Server;
use crate::server::parts::identity::random_id;
use crate::sys::log as logfile;

/// The code with which a simulated failure ends the process.
const CRASH_CODE: i32 = 99;

/// Finds the address of a name. Compat: the system's resolver is waited for.
pub(crate) fn resolve(name: &[u8]) -> Option<IpAddr> {
    let name = std::str::from_utf8(name).ok()?;
    let mut found = (name, 0).to_socket_addrs().ok()?;
    found.next().map(|address| address.ip())
}

/// Has the machine do something, and does what it asks for then. None: this is no Sentinel.
pub(crate) fn work<R>(
    srv: &mut Server,
    job: impl FnOnce(&mut Sentinel, Ms, Resolve<'_>) -> R,
) -> Option<R> {
    let now = srv.clock.now_ms;
    let watching = srv.sentinel.as_mut()?;
    watching.machine.own.listening_port = srv.cfg.port_for_peers();
    let result = job(&mut watching.machine, now, &mut resolve);
    perform(srv);
    Some(result)
}

/// The start, when all is read and the listeners are open.
pub(crate) fn start(srv: &mut Server) {
    let Some(watching) = &mut srv.sentinel else { return };
    let own = &mut watching.machine.own;
    if own.id.is_empty() {
        own.id = random_id().into_bytes();
        // If it fails, the log says so.
        let _ = save(srv);
    }
    let Some(watching) = &srv.sentinel else { return };
    log!(Notice, "Sentinel ID is {}", String::from_utf8_lossy(&watching.machine.own.id));
    work(srv, |machine, now, resolve| machine.announce(now, resolve));
}

/// A round.
pub(crate) fn on_cron(srv: &mut Server) {
    if srv.sentinel.is_none() {
        return;
    }
    scripts::reap(srv);
    let password = srv.cfg.acl.require_pass.clone();
    work(srv, |machine, now, resolve| {
        machine.own.requirepass = (!password.is_empty()).then_some(password);
        machine.tick(now, resolve);
    });
}

/// Rounds a second: never the same, so that Sentinels that were started together don't stand for
/// election together again and again.
pub(crate) fn hz(srv: &mut Server) -> Option<i64> {
    let watching = srv.sentinel.as_mut()?;
    Some(10 + watching.machine.random_below(10))
}

/// Does what the machine asks for, and what follows from that.
fn perform(srv: &mut Server) {
    while let Some(watching) = &mut srv.sentinel {
        let actions = watching.machine.take_actions();
        if actions.is_empty() {
            return;
        }
        // One file holds what all of these actions have changed.
        let mut saved = false;
        for action in actions {
            match action {
                Action::Connect { link, channel, ip, port } => {
                    links::connect(srv, link, channel, &ip, port);
                }
                Action::Close { link, channel } => links::close(srv, link, channel),
                Action::Send { link, channel, words } => links::send(srv, link, channel, &words),
                Action::Event { level, name, text } => event(srv, level, name, &text),
                Action::Log { level, text } => log_at(level, &text),
                Action::Wait { until_ms } => {
                    let until = logfile::local_time(until_ms / 1000);
                    log!(Notice, "Next failover delay: I will not start a failover before {until}");
                }
                Action::Save if saved => {}
                Action::Save => {
                    // If it fails, the log says so; what is known still counts.
                    let _ = save(srv);
                    saved = true;
                }
                Action::Crash => {
                    log!(Warning, "Sentinel CRASH because of SENTINEL simulate-failure");
                    std::process::exit(CRASH_CODE);
                }
                Action::Spawn { job, words } => scripts::spawn(srv, job, &words),
                Action::Kill { job } => scripts::kill(srv, job),
            }
        }
    }
}

fn log_at(level: Level, text: &str) {
    match level {
        Level::Debug => log!(Debug, "{text}"),
        Level::Verbose => log!(Verbose, "{text}"),
        Level::Notice => log!(Notice, "{text}"),
        Level::Warning => log!(Warning, "{text}"),
    }
}

fn event(srv: &mut Server, level: Level, name: &'static str, text: &[u8]) {
    log_at(level, &format!("{name} {}", String::from_utf8_lossy(text)));
    if level != Level::Debug {
        srv.publish(name.as_bytes(), text);
    }
}

/// Writes the configuration file, with all that the Sentinel knows in it.
pub(crate) fn save(srv: &Server) -> Result<(), ()> {
    let (Some(watching), Some(path)) = (&srv.sentinel, &srv.identity.config_file) else {
        return Err(());
    };
    let lines = watching.machine.lines().into_iter();
    // A Sentinel has no data to save.
    let nothing = Extra { key: b"save".to_vec(), lines: Vec::new() };
    let users = Extra { key: b"user".to_vec(), lines: access::lines(srv) };
    let extras = lines.map(|l| Extra { key: l.key, lines: l.lines }).chain([nothing, users]);
    let extras: Vec<Extra> = extras.collect();
    match rewrite::rewrite_file_with(path, &srv.cfg, &extras) {
        Ok(()) => {
            log!(Notice, "Sentinel new configuration saved on disk");
            Ok(())
        }
        Err(why) => {
            log!(
                Warning,
                "WARNING: Sentinel was not able to save the new configuration on disk!!!: {why}"
            );
            Err(())
        }
    }
}
