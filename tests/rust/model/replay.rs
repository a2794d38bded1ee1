//! The stream of writes, replayed: server A gets random commands from several clients, its stream
//! (`DEBUG STREAM`) is fed into server B, and B must then hold what A holds.
//!
//! B must not help by expiring keys on its own. So all times in the stream are moved a year into
//! the future on the way: a key leaves B only if the stream says so, and its time must still be A's
//! plus that year. A relative time in the stream is therefore a fault, as is an error that B
//! replies with, or a command that B can't repeat because chance or the moment decides it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::client::{Connection, Gone, Value, encode, parse};
use super::generate::{Generator, Purpose};
use super::picture::{self, Key};
use super::process::{self, Server};
use super::shrink::shrink;
use super::side::{Command, Side, may_wait, show, words};
use super::step::{Arg, Step, now_ms};
use super::{GONE, commands, dumps, names_of, say};
use crate::rng;

/// How much later it is for B.
const LATER: i64 = 365 * 24 * 3600 * 1000;
/// Between two comparisons.
const STRETCH: usize = 100;
const CASE: usize = 400;
const COMMANDS: usize = 24_000;
const PATIENCE: Duration = Duration::from_secs(8);

/// Steps that are no command: they change what A does by itself.
const PAUSE: &str = "*PAUSE";
const LAZY: &str = "*LAZY";
const EVICT: &str = "*EVICT";

const SETTINGS_A: &str = "--stream-node-max-entries 3 --hash-max-listpack-entries 8 --hash-max-listpack-value 32 \
    --zset-max-listpack-entries 6 --list-max-listpack-size 5 --set-max-intset-entries 6 \
    --set-max-listpack-entries 8 --hll-sparse-max-bytes 100";

/// A HyperLogLog is a string, whose bytes show its encoding: this setting must be the same.
const SETTINGS_B: &str = "--hll-sparse-max-bytes 100";

/// What must not be in the stream: chance, waits, and times that count from the moment of the
/// replay.
const UNREPEATABLE: [&str; 21] = [
    "spop",
    "expire",
    "pexpire",
    "setex",
    "psetex",
    "hexpire",
    "hpexpire",
    "migrate",
    "blpop",
    "brpop",
    "blmove",
    "brpoplpush",
    "blmpop",
    "bzpopmin",
    "bzpopmax",
    "bzmpop",
    "incrbyfloat",
    "hincrbyfloat",
    "publish",
    "xreadgroup",
    "xautoclaim",
];

/// What may be in it besides commands that write. PFCOUNT keeps what it has counted in
/// the value; it is XGROUP's subcommands that write.
const BESIDE_WRITES: [&str; 5] = ["select", "multi", "exec", "pfcount", "xgroup"];

struct Pair {
    a: Side,
    b: Side,
    /// What the stream is fed through: a stream has its own selected database.
    feeder: Connection,
    target: Server,
    writes: BTreeSet<String>,
    /// Commands that came through the stream, and clients whose wait ended.
    fed: usize,
    woken: usize,
}

impl Pair {
    fn start() -> Result<Pair, Gone> {
        let binary = process::ours();
        let mut a = Side::start(&binary, SETTINGS_A)?;
        let b = Side::start(&binary, SETTINGS_B)?;
        let feeder = b.server.connect()?;
        let target = Server::start(&binary, "", true);
        let writes = names_of(&mut a, &["write"]);
        Ok(Pair { a, b, feeder, target, writes, fed: 0, woken: 0 })
    }

    /// An empty A and an empty B, at the beginning of a stream.
    fn reset(&mut self) -> Result<(), Gone> {
        for side in [&mut self.a, &mut self.b] {
            side.admin.words("DEBUG SET-ACTIVE-EXPIRE 1")?;
            side.admin.words("CONFIG SET maxmemory 0")?;
            side.reset()?;
        }
        self.b.admin.words("DEBUG SET-ACTIVE-EXPIRE 0")?;
        self.target.connect()?.words("FLUSHALL")?;
        self.a.admin.words("DEBUG STREAM OFF")?;
        self.a.admin.words("DEBUG STREAM ON")?;
        Ok(())
    }

    /// Runs a case from the beginning: what is wrong, if anything is.
    fn run(&mut self, steps: &[Step]) -> Option<String> {
        match self.try_run(steps) {
            Ok(fault) => fault,
            Err(Gone(text)) => {
                let logs = [&self.a, &self.b].map(|side| side.server.log());
                Some(format!("{GONE}: {text}\nA: {}\nB: {}", logs[0], logs[1]))
            }
        }
    }

    fn try_run(&mut self, steps: &[Step]) -> Result<Option<String>, Gone> {
        self.reset()?;
        for (number, step) in steps.iter().enumerate() {
            self.step(step)?;
            if number % 7 == 6
                && let Some(fault) = self.feed()?
            {
                return Ok(Some(fault));
            }
            if number % STRETCH == STRETCH - 1
                && let Some(fault) = self.compare()?
            {
                return Ok(Some(fault));
            }
        }
        self.a.finish()?;
        self.compare()
    }

    fn step(&mut self, step: &Step) -> Result<(), Gone> {
        match step.name().as_str() {
            PAUSE => std::thread::sleep(Duration::from_millis(8)),
            LAZY => drop(self.a.admin.words("DEBUG SET-ACTIVE-EXPIRE 0")?),
            EVICT => {
                let used: i64 = self.a.info("used_memory")?.parse().expect("a number");
                let policy = ["allkeys-lru", "allkeys-random"][step.client % 2];
                self.a.admin.words(&format!("CONFIG SET maxmemory-policy {policy}"))?;
                self.a.admin.words(&format!("CONFIG SET maxmemory {}", used - 500))?;
                self.a.admin.words("SET e0 evicting")?;
                self.a.admin.words("CONFIG SET maxmemory 0")?;
            }
            _ if self.a.is_waiting(step.client) => (),
            _ => {
                let command = step.render(now_ms(), self.target.port);
                if may_wait(&command) {
                    self.a.run_waiting(step.client, &command, false)?;
                } else {
                    self.a.run(step.client, &[command])?;
                }
            }
        }
        self.woken += self.a.woken()?.len();
        Ok(())
    }

    /// Gives B what A has written since the last time.
    fn feed(&mut self) -> Result<Option<String>, Gone> {
        let stream = self.a.admin.words("DEBUG STREAM TAKE")?;
        let (mut rest, mut all): (&[u8], Vec<Command>) = (stream.bytes(), Vec::new());
        while !rest.is_empty() {
            let Some((command, len)) = parse(rest) else {
                return Ok(Some(format!(
                    "the stream ends within a command: {}",
                    rest.escape_ascii()
                )));
            };
            rest = &rest[len..];
            let mut command: Command =
                command.members().iter().map(|word| word.bytes().to_vec()).collect();
            if let Some(fault) = self.unfit(&command) {
                return Ok(Some(format!("{fault} in the stream: {}", show(&command))));
            }
            move_times(&mut command);
            all.push(command);
        }
        self.fed += all.len();
        let bytes: Vec<u8> = all.iter().flat_map(|command| encode(command)).collect();
        self.feeder.send(&bytes)?;
        let mut queued: Vec<&Command> = Vec::new();
        let mut fault = None;
        for command in &all {
            let reply = self.feeder.read()?;
            if reply.is_line(b'+', b"QUEUED") {
                queued.push(command);
                continue;
            }
            let unit = std::mem::take(&mut queued);
            if let Some(error) = reply.error() {
                let at = reply.members().iter().position(Value::is_error);
                let culprit = at.and_then(|at| unit.get(at)).copied().unwrap_or(command);
                fault =
                    fault.or(Some(format!("the replay of {} replies {error:?}", show(culprit))));
            }
        }
        Ok(fault)
    }

    /// Why a command must not be in the stream.
    fn unfit(&self, command: &Command) -> Option<&'static str> {
        let name = String::from_utf8_lossy(&command[0]).to_lowercase();
        if UNREPEATABLE.contains(&name.as_str()) {
            return Some("a command that can't be repeated");
        }
        if !self.writes.contains(&name) && !BESIDE_WRITES.contains(&name.as_str()) {
            return Some("a command that does not write");
        }
        if name == "xadd" && command.iter().any(|word| word.eq_ignore_ascii_case(b"DELAY")) {
            return Some("a relative time");
        }
        let options = option_words(&name, command);
        options.iter().any(|word| word == b"EX" || word == b"PX").then_some("a relative time")
    }

    /// Compares all that A and B hold. A difference must last: a key of A may be past its time.
    fn compare(&mut self) -> Result<Option<String>, Gone> {
        let active = words("DEBUG SET-ACTIVE-EXPIRE 1");
        self.a.ask_all(&[active])?;
        let mut difference = None;
        for attempt in 0..4 {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(15 * attempt));
            }
            if let Some(fault) = self.feed()? {
                return Ok(Some(fault));
            }
            let a = picture::take(&mut self.a, true)?;
            let b = picture::take(&mut self.b, true)?;
            difference = picture::difference(&a, &b, same_later);
            difference = difference.or_else(|| a.miscounted()).or_else(|| b.miscounted());
            if difference.is_none() {
                break;
            }
        }
        Ok(difference)
    }
}

/// The same key, but later for B; encodings follow from settings, in which A and B differ.
fn same_later(a: &Key, b: &Key) -> bool {
    let fields: Vec<_> =
        a.fields.iter().map(|(field, time)| (field.clone(), later(*time))).collect();
    a.kind == b.kind
        && a.digest == b.digest
        && later(a.expires) == b.expires
        && fields == b.fields
        && a.pending == b.pending
}

/// Times beyond 2223 stay: they come from payloads, or there is no later time.
fn later(time: i64) -> i64 {
    if (0..8_000_000_000_000).contains(&time) { time + LATER } else { time }
}

/// The words of a command that can be options of time.
fn option_words(name: &str, command: &Command) -> Vec<Vec<u8>> {
    let from = option_range(name, command);
    command[from].iter().map(|word| word.to_ascii_uppercase()).collect()
}

fn option_range(name: &str, command: &Command) -> std::ops::Range<usize> {
    let fields = |from: usize| {
        let rest = command.iter().skip(from).position(|word| word.eq_ignore_ascii_case(b"FIELDS"));
        rest.map_or(command.len(), |at| from + at)
    };
    match name {
        "set" => 3..command.len(),
        "getex" => 2..command.len(),
        "hgetex" | "hsetex" => 2..fields(2),
        "msetex" => {
            let pairs: usize = String::from_utf8_lossy(&command[1]).parse().unwrap_or(0);
            (2 + 2 * pairs).min(command.len())..command.len()
        }
        _ => 0..0,
    }
}

/// Moves the times that a command names to where B lives.
fn move_times(command: &mut Command) {
    let name = String::from_utf8_lossy(&command[0]).to_lowercase();
    let move_at = |word: &mut Vec<u8>, unit: i64| {
        if let Ok(time) = String::from_utf8_lossy(word).parse::<i64>() {
            let moved = if time > i64::MAX / unit { time } else { later(time * unit) / unit };
            *word = moved.to_string().into_bytes();
        }
    };
    match name.as_str() {
        // Who obeys takes a limit beside an exact threshold; a client must not send it.
        "xadd" | "xtrim" => {
            let limit = command.iter().position(|word| word.eq_ignore_ascii_case(b"LIMIT"));
            if let Some(at) = limit.filter(|at| at + 1 < command.len()) {
                command.drain(at..at + 2);
            }
        }
        "pexpireat" | "hpexpireat" => move_at(&mut command[2], 1),
        "expireat" | "hexpireat" => move_at(&mut command[2], 1000),
        "restore" | "restore-asking" if command[2] != b"0" => move_at(&mut command[2], 1),
        _ => {
            let range = option_range(&name, command);
            let end = range.end;
            for at in range {
                let unit = match command[at].to_ascii_uppercase().as_slice() {
                    b"PXAT" => 1,
                    b"EXAT" => 1000,
                    _ => continue,
                };
                // The value of SET is before the range, so the word is the option.
                if at + 1 < end {
                    move_at(&mut command[at + 1], unit);
                }
            }
        }
    }
}

fn special(client: usize, name: &str) -> Step {
    Step { client, args: vec![Arg::Bytes(name.into())], brief: false }
}

fn case(seed: u64, dumps: &[Vec<u8>]) -> Vec<Step> {
    let mut rng = rng::Rng::new(!seed);
    let mut generator = Generator::new(seed, Purpose::Replay, dumps, |_| true);
    let mut steps = Vec::new();
    if rng.chance(30) {
        steps.push(special(0, LAZY));
    }
    let evicts = rng.chance(30);
    while steps.len() < CASE {
        steps.push(generator.step());
        match rng.below(150) {
            0..3 => steps.push(special(0, PAUSE)),
            3..5 if evicts => steps.push(special(rng.below(2), EVICT)),
            _ => (),
        }
    }
    steps
}

#[test]
fn model_replay() {
    let seed = rng::seed();
    let mut pair = Pair::start().expect("servers");
    let known = super::generate::names();
    let missing: Vec<&String> = pair.writes.iter().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "tests/rust/model/grammar.rs has no line for {missing:?}");

    pair.a.admin.words("DEBUG STREAM OFF").expect("an answer");
    let dumps = dumps(&mut pair.a, true);
    let wanted = commands(COMMANDS);
    let end = Instant::now() + PATIENCE;
    let (mut sent, mut cases) = (0, 0);
    while sent < wanted && (Instant::now() < end || wanted != COMMANDS) {
        let steps = case(seed.wrapping_add(cases), &dumps);
        if let Some(fault) = pair.run(&steps) {
            let (steps, fault) = shrink(steps, fault, |steps| {
                let fault = pair.run(steps);
                // FLUSHALL is as good as a new server, unless the server has gone.
                if fault.as_ref().is_some_and(|fault| fault.starts_with(GONE)) {
                    pair = Pair::start().expect("fresh servers");
                }
                fault
            });
            let lines: Vec<String> = steps.iter().map(|step| format!("  {step}")).collect();
            panic!("{fault}\nREDUST_SEED={}:\n{}", seed.wrapping_add(cases), lines.join("\n"));
        }
        sent += steps.len();
        cases += 1;
    }
    let facts = ["expired_keys", "expired_subkeys", "evicted_keys"]
        .map(|field| format!("{field} {}", pair.a.info(field).expect("a fact")));
    say(&format!(
        "model: replay: {sent} commands in {cases} cases, {} in the stream, {} clients woken, {}, \
         REDUST_SEED={seed}: no difference",
        pair.fed,
        pair.woken,
        facts.join(", ")
    ));
}
