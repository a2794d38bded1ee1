//! The same random commands for our server and for a redis-server, which must answer the same.
//!
//! Compared are, after each pipeline of a client: the replies, the clients that were woken, the
//! keyspace events and the count of changes; after each case: what the servers hold, key by key.
//! What may differ stands in `known.rs`. Both expire keys only when they are read, and nothing
//! expires between: a time is either far away or over a moment later, and then both wait for that
//! moment.
//!
//! `REDUST_PEER` names another redis-server, `REDUST_COMMANDS` the length of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::{Connection, Gone, Value};
use super::generate::{Generator, Purpose};
use super::known::{self, Like};
use super::picture::{self, Key};
use super::process::{self, Server};
use super::shrink::shrink;
use super::side::{Answer, Command, Side, may_wait, show};
use super::step::{Step, now_ms};
use super::{GONE, commands, dumps, names_of, say};
use crate::rng;

const CASE: usize = 250;
const COMMANDS: usize = 15_000;
/// A run goes on after a fault, up to so many.
const FAULTS: usize = 12;
/// Times of keys may differ by as much as the two servers are apart in getting a command.
const NEAR: i64 = 2000;

const SETTINGS: &str = "--hash-max-listpack-entries 8 --hash-max-listpack-value 32 \
    --zset-max-listpack-entries 6 --list-max-listpack-size 5 --set-max-intset-entries 6 \
    --notify-keyspace-events KEAmn";

struct Pair {
    ours: Side,
    theirs: Side,
    events: [Option<Connection>; 2],
    /// Where each of them migrates to.
    targets: [Server; 2],
    version: (u32, u32),
    /// Counts of changes when the case began.
    changes: [i64; 2],
    marks: usize,
}

impl Pair {
    fn start(peer: &std::path::Path) -> Result<Pair, Gone> {
        let mut theirs = Side::start(peer, SETTINGS)?;
        let version = theirs.info("redis_version")?;
        let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let mut ours = Side::start(&process::ours(), SETTINGS)?;
        if version >= (7, 2) {
            for side in [&mut ours, &mut theirs] {
                side.admin.words("CONFIG SET set-max-listpack-entries 8")?;
            }
        }
        let target = || Server::start(&process::ours(), "", true);
        let targets = [target(), target()];
        Ok(Pair { ours, theirs, events: [None, None], targets, version, changes: [0; 2], marks: 0 })
    }

    fn both<T>(
        &mut self,
        mut ask: impl FnMut(&mut Side) -> Result<T, Gone>,
    ) -> Result<(T, T), Gone> {
        Ok((ask(&mut self.ours)?, ask(&mut self.theirs)?))
    }

    fn reset(&mut self) -> Result<(), Gone> {
        self.events = [None, None];
        self.both(Side::reset)?;
        self.both(|side| side.admin.words("DEBUG SET-ACTIVE-EXPIRE 0"))?;
        for (number, target) in self.targets.iter().enumerate() {
            target.connect()?.words("FLUSHALL")?;
            let server = if number == 0 { &self.ours.server } else { &self.theirs.server };
            let mut events = server.connect()?;
            events.words("PSUBSCRIBE __key*__:* mark")?;
            events.read()?;
            self.events[number] = Some(events);
        }
        self.changes = [self.ours.changes()?, self.theirs.changes()?];
        Ok(())
    }

    fn run(&mut self, steps: &[Step]) -> Option<String> {
        match self.try_run(steps) {
            Ok(fault) => fault,
            Err(Gone(text)) => {
                let log = self.ours.server.log();
                Some(format!("{GONE}: {text}\nthe log of ours:\n{log}"))
            }
        }
    }

    fn try_run(&mut self, steps: &[Step]) -> Result<Option<String>, Gone> {
        self.reset()?;
        let mut at = 0;
        while at < steps.len() {
            let client = steps[at].client;
            let now = now_ms();
            let mut commands: [Vec<Command>; 2] = [Vec::new(), Vec::new()];
            let mut pause = false;
            // A pipeline: up to the next client, the next wait, or a key that is about to expire.
            while at < steps.len() && steps[at].client == client && !pause {
                let step = &steps[at];
                if commands[0].len() == 12 || step.may_wait() && !commands[0].is_empty() {
                    break;
                }
                for (side, list) in commands.iter_mut().enumerate() {
                    list.push(step.render(now, self.targets[side].port));
                }
                at += 1;
                pause = step.brief;
                if step.may_wait() {
                    break;
                }
            }
            if self.ours.is_waiting(client) {
                continue;
            }
            if let Some(fault) = self.pipeline(client, &commands)? {
                return Ok(Some(fault));
            }
            if pause {
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        let (ours, theirs) = self.both(Side::finish)?;
        if let Some(fault) = self.compare_answers(&ours, &theirs) {
            return Ok(Some(fault));
        }
        // What was queued may have set a time that is over a moment later.
        std::thread::sleep(Duration::from_millis(3));
        let in_count = known::tells_of_consumers(self.version);
        if let Some(fault) = self.compare_effects(false, in_count)? {
            return Ok(Some(fault));
        }
        let (ours, theirs) = self.both(|side| picture::take(side, false))?;
        Ok(picture::difference(&ours, &theirs, |a, b| same(a, b, self.version)))
    }

    fn pipeline(
        &mut self,
        client: usize,
        commands: &[Vec<Command>; 2],
    ) -> Result<Option<String>, Gone> {
        // EXEC may run such a command, too.
        let any_order = |c: &Command| known::looks_in_any_order(c) || c[0] == b"EXEC";
        let in_order = !commands[0].iter().any(any_order);
        let (ours, theirs) = if may_wait(&commands[0][0]) {
            let ours = self.ours.run_waiting(client, &commands[0][0], true)?;
            let theirs = self.theirs.run_waiting(client, &commands[1][0], true)?;
            (Vec::from_iter(ours), Vec::from_iter(theirs))
        } else {
            (self.ours.run(client, &commands[0])?, self.theirs.run(client, &commands[1])?)
        };
        if let Some(fault) = self.compare_answers(&ours, &theirs) {
            return Ok(Some(fault));
        }
        let (ours, theirs) = self.both(Side::woken)?;
        let in_count = ours.is_empty()
            && (known::tells_of_consumers(self.version)
                || !commands[0].iter().any(known::may_make_consumer));
        if let Some(fault) = self.compare_answers(&ours, &theirs) {
            return Ok(Some(fault));
        }
        self.compare_effects(in_order, in_count).map(|fault| {
            let list: Vec<String> = commands[0].iter().map(show).collect();
            fault.map(|fault| format!("after {}:\n{fault}", list.join(" / ")))
        })
    }

    fn compare_answers(&self, ours: &[Answer], theirs: &[Answer]) -> Option<String> {
        if ours.len() != theirs.len() {
            let list = |answers: &[Answer]| {
                let lines =
                    answers.iter().map(|a| format!("  {}: {:?}", show(&a.command), a.reply));
                lines.collect::<Vec<_>>().join("\n")
            };
            return Some(format!("other clients wait:\n{}\n---\n{}", list(ours), list(theirs)));
        }
        ours.iter().zip(theirs).find_map(|(ours, theirs)| self.compare_answer(ours, theirs))
    }

    fn compare_answer(&self, ours: &Answer, theirs: &Answer) -> Option<String> {
        if ours.client != theirs.client {
            return Some(format!("client {} is served, or client {}", ours.client, theirs.client));
        }
        let (a, b) = (ours.reply.members(), theirs.reply.members());
        let is_exec = ours.command[0].eq_ignore_ascii_case(b"EXEC");
        if is_exec && a.len() == b.len() && a.len() == ours.queued.len() {
            let mut all = ours.queued.iter().zip(a.iter().zip(b));
            return all.find_map(|(command, (a, b))| self.compare_reply(command, a, b));
        }
        self.compare_reply(&ours.command, &ours.reply, &theirs.reply)
    }

    fn compare_reply(&self, command: &Command, ours: &Value, theirs: &Value) -> Option<String> {
        if ours == theirs {
            return None;
        }
        let same = match known::like(command) {
            Like::Exactly => false,
            Like::Sorted(by) if ours.members().len() == 2 && by == 1 => {
                let sorted =
                    |v: &Value| v.members().iter().map(|v| v.sorted(1)).collect::<Vec<_>>();
                ours.sorted(by) == theirs.sorted(by) || sorted(ours) == sorted(theirs)
            }
            Like::Timeless => ours.timeless() == theirs.timeless(),
            Like::Sorted(by) => ours.sorted(by) == theirs.sorted(by),
            Like::Shape => {
                ours.members().len() == theirs.members().len()
                    && ours.is_error() == theirs.is_error()
            }
            Like::Near(most) => match (ours.number(), theirs.number()) {
                (Some(a), Some(b)) => a > 0 && b > 0 && (a - b).abs() <= most,
                _ => false,
            },
        };
        (!same).then(|| format!("{}\n  ours:   {ours:?}\n  theirs: {theirs:?}", show(command)))
    }

    /// Events and changes since the last time. `in_order`: whether the events must be in the same
    /// order; `in_count`: whether the changes must be as many.
    fn compare_effects(&mut self, in_order: bool, in_count: bool) -> Result<Option<String>, Gone> {
        self.marks += 1;
        let mark = format!("PUBLISH mark {}", self.marks);
        self.both(|side| side.admin.words(&mark))?;
        let mut lists: [Vec<String>; 2] = [Vec::new(), Vec::new()];
        for (list, events) in lists.iter_mut().zip(&mut self.events) {
            let events = events.as_mut().expect("a subscriber");
            loop {
                let message = events.read()?;
                let message = message.members();
                if message[2].bytes() == b"mark" {
                    break;
                }
                let is_of_consumer = message[2].bytes().ends_with(b":xgroup-createconsumer");
                if is_of_consumer && !known::tells_of_consumers(self.version) {
                    continue;
                }
                if message[2].bytes().starts_with(b"__keyevent") {
                    list.push(format!("{:?} {:?}", message[2], message[3]));
                }
            }
        }
        if !in_order {
            lists.iter_mut().for_each(|list| list.sort());
        }
        if lists[0] != lists[1] {
            return Ok(Some(format!("events differ:\n  {:?}\n  {:?}", lists[0], lists[1])));
        }
        let changes = [self.ours.changes()?, self.theirs.changes()?];
        let more = [changes[0] - self.changes[0], changes[1] - self.changes[1]];
        self.changes = changes;
        if more[0] != more[1] && (in_count || known::counts_what_is_served(self.version)) {
            return Ok(Some(format!(
                "rdb_changes_since_last_save grows by {} and {}",
                more[0], more[1]
            )));
        }
        Ok(None)
    }
}

impl Side {
    fn changes(&mut self) -> Result<i64, Gone> {
        Ok(self.info("rdb_changes_since_last_save")?.parse().expect("a number"))
    }
}

impl Step {
    fn may_wait(&self) -> bool {
        may_wait(&self.render(0, 0))
    }
}

fn same(a: &Key, b: &Key, version: (u32, u32)) -> bool {
    let encoding = a.encoding == b.encoding || !known::encodes_alike(&a.kind, version);
    let near = a.expires == b.expires
        || a.expires > 0 && b.expires > 0 && (a.expires - b.expires).abs() <= NEAR;
    a.kind == b.kind && a.digest == b.digest && encoding && near && a.pending == b.pending
}

fn case(
    seed: u64,
    dumps: &[Vec<u8>],
    version: (u32, u32),
    known: impl Fn(&str) -> bool,
) -> Vec<Step> {
    let mut generator = Generator::new(seed, Purpose::Compare, dumps, known);
    let mut steps = Vec::new();
    while steps.len() < CASE {
        let turn = generator.turn();
        let same = |step: &Step| {
            known::reason(&step.render(0, 0), version).is_none()
                && (!step.brief || known::expires_alike(version))
        };
        steps.extend(turn.into_iter().filter(same));
    }
    steps
}

#[test]
fn model_differential() {
    let Some(peer) = process::peer() else {
        say(
            "model: differential: skipped, there is no redis-server (apt-get install redis-server)",
        );
        return;
    };
    let seed = rng::seed();
    let mut pair = Pair::start(&peer).expect("servers");
    let (ours, theirs) = pair.both(|side| Ok(names_of(side, &[]))).expect("names");
    let both = |name: &str| ours.contains(name) && theirs.contains(name);
    pair.ours.admin.words("CONFIG SET rdb-target-version 10").expect("an answer");
    let dumps = dumps(&mut pair.ours, false);

    let wanted = commands(COMMANDS);
    let (mut sent, mut cases) = (0, 0);
    let mut faults: BTreeMap<u64, String> = BTreeMap::new();
    while sent < wanted && faults.len() < FAULTS {
        let case_seed = seed.wrapping_add(cases);
        let steps = case(case_seed, &dumps, pair.version, both);
        sent += steps.len();
        cases += 1;
        let Some(fault) = pair.run(&steps) else { continue };
        if fault.starts_with(GONE) {
            pair = Pair::start(&peer).expect("servers");
        }
        let (steps, fault) = shrink(steps, fault, |steps| {
            let fault = pair.run(steps);
            if fault.as_ref().is_some_and(|fault| fault.starts_with(GONE)) {
                pair = Pair::start(&peer).expect("servers");
            }
            fault
        });
        let lines: Vec<String> = steps.iter().map(|step| format!("  {step}")).collect();
        faults.insert(case_seed, format!("{}\n{fault}", lines.join("\n")));
    }
    let version = format!("{}.{}", pair.version.0, pair.version.1);
    say(&format!(
        "model: differential: {sent} commands in {cases} cases beside redis-server {version}, \
         REDUST_SEED={seed}: {} differ",
        faults.len()
    ));
    for (seed, fault) in &faults {
        println!("\nREDUST_SEED={seed}:\n{fault}");
    }
    assert!(faults.is_empty(), "{} cases differ", faults.len());
}
