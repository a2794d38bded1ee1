//! Sentinel: watches primaries and their replicas together with other Sentinels, and replaces a
//! primary that is down.
//!
//! ```text
//! state      groups, instances, links
//! turn       what is to be done outside: actions
//! group      how groups and instances come and go
//! monitor    connect, ask, see who is down
//! reply      what the answers mean
//! info       what INFO says           hello     how Sentinels find each other
//! failover   elections, and what the elected one does
//! script     scripts of operators     file      the configuration, which holds the state as well
//! ```
//! A machine without sockets or a clock: it is told the time and what has come, and says what to do
//! ([`Action`]); `server/jobs/sentinel` does that. So a handful of them can be tested in one thread
//! with a clock of its own. Behaviour: Redis documentation, "High availability with Redis Sentinel"
//! and "Sentinel client spec".

pub(crate) mod failover;
pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod hello;
pub(crate) mod info;
pub(crate) mod monitor;
pub(crate) mod reply;
pub(crate) mod script;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod turn;

use std::collections::BTreeMap;

use script::{Ended, Scripts};
use state::{Links, Ms, Own, Primary, Stage};
use turn::{Action, AddError, Level, Resolve, Turn};

use crate::util::glob;
use crate::util::split::split_args;

pub(crate) struct Sentinel {
    pub own: Own,
    /// The groups by name.
    pub primaries: BTreeMap<Vec<u8>, Primary>,
    pub links: Links,
    pub scripts: Scripts,
    actions: Vec<Action>,
    random: Box<dyn FnMut() -> u64>,
}

impl Sentinel {
    pub(crate) fn new(now: Ms, random: Box<dyn FnMut() -> u64>) -> Sentinel {
        Sentinel {
            own: Own::new(now),
            primaries: BTreeMap::new(),
            links: Links::default(),
            scripts: Scripts::default(),
            actions: Vec::new(),
            random,
        }
    }

    /// What is to be done since the last call, in this order.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The groups, and what work on them needs besides.
    pub(crate) fn turn<'a>(
        &'a mut self,
        now: Ms,
        resolve: Resolve<'a>,
    ) -> (&'a mut BTreeMap<Vec<u8>, Primary>, Turn<'a>) {
        let Sentinel { own, primaries, links, scripts, actions, random } = self;
        (primaries, Turn { now, own, links, scripts, actions, random, resolve })
    }

    /// Tells of the groups that the configuration names.
    pub(crate) fn announce(&mut self, now: Ms, resolve: Resolve<'_>) {
        let (primaries, mut t) = self.turn(now, resolve);
        primaries.values().for_each(|primary| primary.announce(&mut t));
    }

    /// Tells of a new group.
    pub(crate) fn announce_one(&mut self, name: &[u8], now: Ms, resolve: Resolve<'_>) {
        let (primaries, mut t) = self.turn(now, resolve);
        if let Some(primary) = primaries.get(name) {
            primary.announce(&mut t);
        }
    }

    /// A round: what is done about ten times a second.
    pub(crate) fn tick(&mut self, now: Ms, resolve: Resolve<'_>) {
        let (primaries, mut t) = self.turn(now, resolve);
        tilt(&mut t);
        for primary in primaries.values_mut() {
            primary.watch(&mut t);
            if t.own.tilt_ms.is_none() {
                primary.act(&mut t);
            }
        }
        for primary in primaries.values_mut() {
            if primary.failover.stage == Stage::UpdateConfig {
                primary.switch_to_promoted(&mut t);
            }
        }
        for (number, script, pid) in t.scripts.overdue(now, &t.own.periods) {
            let text = format!("{} {pid}", turn::show(&script));
            t.event_alone(Level::Warning, "-script-timeout", text);
            t.actions.push(Action::Kill { job: number });
        }
        for (job, words) in t.scripts.due(now) {
            t.actions.push(Action::Spawn { job, words });
        }
    }

    /// A script runs as this process.
    pub(crate) fn on_script_started(&mut self, job: u64, pid: u32) {
        self.scripts.started(job, pid);
        let (level, text) = (Level::Debug, pid.to_string().into_bytes());
        self.actions.push(Action::Event { level, name: "+script-child", text });
    }

    /// A script has ended, or has not even started.
    pub(crate) fn on_script_ended(&mut self, job: u64, how: Ended, now: Ms) {
        let pid = self.scripts.jobs().iter().find(|known| known.number == job);
        let pid = pid.map_or(0, |job| job.pid);
        if let Ended::Code(_) | Ended::Signal(_) = how {
            let (code, signal) = match how {
                Ended::Code(code) => (code, 0),
                Ended::Signal(signal) => (0, signal),
                Ended::NotStarted => (0, 0),
            };
            let text = format!("{pid} {code} {signal}").into_bytes();
            self.actions.push(Action::Event { level: Level::Debug, name: "-script-child", text });
        }
        if let Some((script, signal, code)) = self.scripts.ended(job, how, now, &self.own.periods) {
            let text = format!("{} {signal} {code}", turn::show(&script)).into_bytes();
            let name = "-script-error";
            self.actions.push(Action::Event { level: Level::Warning, name, text });
        }
    }

    /// Begins to watch a group. SENTINEL MONITOR, and the configuration.
    pub(crate) fn monitor(
        &mut self,
        name: &[u8],
        host: &[u8],
        port: i64,
        quorum: u32,
        now: Ms,
        resolve: Resolve<'_>,
    ) -> Result<(), AddError> {
        let (primaries, mut t) = self.turn(now, resolve);
        let primary = Primary::new(&mut t, name, host, port, quorum)?;
        if primaries.contains_key(name) {
            primary.end(&mut t);
            return Err(AddError::Duplicate);
        }
        primaries.insert(name.to_vec(), primary);
        Ok(())
    }

    /// Watches a group no more: whether it was known.
    pub(crate) fn remove(&mut self, name: &[u8], now: Ms, resolve: Resolve<'_>) -> bool {
        let (primaries, mut t) = self.turn(now, resolve);
        let Some(primary) = primaries.remove(name) else { return false };
        primary.event(&mut t, Level::Warning, "-monitor", "");
        primary.end(&mut t);
        true
    }

    /// Resets the groups whose names match; how many.
    pub(crate) fn reset(&mut self, pattern: &[u8], now: Ms, resolve: Resolve<'_>) -> usize {
        let (primaries, mut t) = self.turn(now, resolve);
        let mut count = 0;
        for (name, primary) in primaries.iter_mut() {
            if glob::matches(pattern, name, false) {
                primary.reset(&mut t, true);
                primary.event(&mut t, Level::Warning, "+reset-master", "");
                count += 1;
            }
        }
        count
    }

    /// What another Sentinel is told that asks whether the primary at an address is down: that, and
    /// the vote with its epoch if it wants one for `candidate`.
    pub(crate) fn answer(
        &mut self,
        (host, port): (&[u8], i64),
        epoch: u64,
        candidate: Option<&[u8]>,
        now: Ms,
        resolve: Resolve<'_>,
    ) -> (bool, Option<Vec<u8>>, u64) {
        let (primaries, mut t) = self.turn(now, resolve);
        let Ok(address) = t.address(host, port, true) else { return (false, None, 0) };
        let found = primaries.values_mut().find(|primary| primary.base.address.is(&address));
        let Some(primary) = found else { return (false, None, 0) };
        let down = primary.base.s_down && t.own.tilt_ms.is_none();
        match candidate {
            Some(candidate) => {
                let (leader, at) = primary.vote(&mut t, epoch, candidate);
                (down, leader, at)
            }
            None => (down, None, 0),
        }
    }

    /// Begins a failover that needs nobody's consent: whether there is a replica for it.
    pub(crate) fn force_failover(&mut self, name: &[u8], now: Ms, resolve: Resolve<'_>) -> bool {
        let (primaries, mut t) = self.turn(now, resolve);
        let Some(primary) = primaries.get_mut(name) else { return false };
        if primary.best_replica(&t).is_none() {
            return false;
        }
        let text = format!("Executing user requested FAILOVER of '{}'", turn::show(name));
        t.log(Level::Notice, text);
        primary.start_failover(&mut t);
        primary.failover.forced = true;
        true
    }

    /// A number below `n`.
    pub(crate) fn random_below(&mut self, n: u64) -> i64 {
        ((self.random)() % n) as i64
    }

    /// Closes the connections to other Sentinels, to log in anew.
    pub(crate) fn drop_peer_connections(&mut self, now: Ms, resolve: Resolve<'_>) {
        let (primaries, mut t) = self.turn(now, resolve);
        for peer in primaries.values().flat_map(|primary| primary.peers.values()) {
            t.close_both(peer.base.link);
        }
    }
}

/// Feeds arbitrary bytes to what reads hellos, INFO, directives and votes, between rounds of a
/// machine that watches a group. The first byte of each piece says which.
pub fn fuzz(data: &[u8]) {
    let mut machine = Sentinel::new(1_000_000, Box::new(|| 7));
    machine.own.id = vec![b'f'; 40];
    let resolve = &mut |_: &[u8]| None;
    if machine.monitor(b"m", b"10.0.0.1", 6379, 2, 1_000_000, resolve).is_err() {
        return;
    }
    let mut now = 1_000_000;
    for line in data.split(|b| *b == 0) {
        let Some((what, text)) = line.split_first() else { continue };
        now += i64::from(*what) * 50;
        match what % 5 {
            0 => machine.on_hello(text, now, resolve),
            1 | 2 => {
                let (primaries, mut t) = machine.turn(now, resolve);
                for primary in primaries.values_mut() {
                    let first = primary.replicas.values().next().map(|r| r.base.who.clone());
                    let who = primary.base.who.clone();
                    let who = if what % 5 == 1 { who } else { first.unwrap_or(who) };
                    primary.on_info(&mut t, &who, text);
                }
            }
            3 => {
                let words: Vec<Vec<u8>> = text.split(|b| *b == b' ').map(<[u8]>::to_vec).collect();
                // What is wrong is said; that is no fault of the machine.
                let _ = machine.load(&[&words], now, resolve);
            }
            _ => {
                machine.answer((b"10.0.0.1", 6379), u64::from(*what), Some(text), now, resolve);
            }
        }
        machine.tick(now, resolve);
        for action in machine.take_actions() {
            if let Action::Connect { link, channel, .. } = action {
                match what & 64 {
                    0 => machine.on_lost(link, channel),
                    _ => machine.on_local(link, b"10.0.0.9".to_vec()),
                }
            }
        }
    }
    // What it would write must be something that it reads.
    let lines: Vec<Vec<Vec<u8>>> = machine
        .lines()
        .into_iter()
        .flat_map(|lines| lines.lines)
        .map(|line| split_args(&line).expect("words")[1..].to_vec())
        .collect();
    let lines: Vec<&[Vec<u8>]> = lines.iter().map(Vec::as_slice).collect();
    let mut again = Sentinel::new(now, Box::new(|| 7));
    if let Err((i, fault)) = again.load(&lines, now, resolve) {
        panic!("{:?}: {fault}", lines[i]);
    }
    assert_eq!(again.lines(), machine.lines());
}

/// Time that jumps, or a round that comes late, means that nothing seen around now is true. It only
/// watches for a while then.
fn tilt(t: &mut Turn<'_>) {
    let delta = t.now - t.own.round_ms;
    t.own.round_ms = t.now;
    if delta < 0 || delta > t.own.periods.tilt_trigger {
        t.own.tilt_ms = Some(t.now);
        t.event_alone(Level::Warning, "+tilt", "#tilt mode entered".into());
    } else if t.own.tilt_ms.is_some_and(|since| t.now - since >= t.own.periods.tilt) {
        t.own.tilt_ms = None;
        t.event_alone(Level::Warning, "-tilt", "#tilt mode exited".into());
    }
}
