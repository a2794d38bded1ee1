//! Random commands from the lines of `grammar.rs`: which client sends which command with what
//! arguments.
//!
//! The keys are few, so that commands meet: three for each type, and now and then a command gets a
//! key of another type. Numbers have edge values among them. Some commands are spoilt after they
//! are made.

use super::grammar::FAMILIES;
use super::step::{Arg, Step};
use crate::rng::Rng;

pub(super) const CLIENTS: usize = 4;

/// What commands are for; it decides which there are, and which times and waits they name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One server, whose stream of writes is replayed: anything goes.
    Replay,
    /// Two servers side by side: nothing that chance or a slow clock decides.
    Compare,
}

/// The names of all commands that the grammar knows, in lower case.
pub(super) fn names() -> Vec<String> {
    let texts = FAMILIES.iter().flat_map(|f| [f.writes, f.reads, f.later, f.chance]);
    let lines = texts.flat_map(str::lines).filter_map(|line| line.split_whitespace().next());
    lines.map(str::to_lowercase).collect()
}

pub(super) struct Generator<'a> {
    rng: Rng,
    purpose: Purpose,
    /// Lines to choose from, by family.
    families: Vec<Vec<&'static str>>,
    /// What RESTORE gets.
    dumps: &'a [Vec<u8>],
    /// Commands that each client has queued since its MULTI, plus one.
    queued: [usize; CLIENTS],
    /// Whether one of them sets a time that is brief.
    queued_brief: [bool; CLIENTS],
    brief: bool,
}

impl<'a> Generator<'a> {
    /// `known` says which commands there are on all servers.
    pub(super) fn new(
        seed: u64,
        purpose: Purpose,
        dumps: &'a [Vec<u8>],
        known: impl Fn(&str) -> bool,
    ) -> Generator<'a> {
        let mut rng = Rng::new(seed);
        let mut families = Vec::new();
        for family in FAMILIES {
            let texts = match purpose {
                Purpose::Replay => [family.writes, family.later, family.chance],
                Purpose::Compare => [family.writes, family.reads, ""],
            };
            let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
            let name = |line: &str| line.split(' ').next().unwrap_or_default().to_lowercase();
            let lines: Vec<&str> = lines.filter(|l| !l.is_empty() && known(&name(l))).collect();
            // A case is about some families more than about others.
            let weight = match family.name {
                "flush" => 0,
                "keys" => 3,
                _ => [1, 1, 1, 6][rng.below(4)],
            };
            families.extend(std::iter::repeat_n(lines, weight));
        }
        Generator {
            rng,
            purpose,
            families,
            dumps,
            queued: [0; CLIENTS],
            queued_brief: [false; CLIENTS],
            brief: false,
        }
    }

    pub(super) fn step(&mut self) -> Step {
        // Clients take turns of some length, as a pipeline does.
        let client = self.rng.below(CLIENTS);
        self.step_of(client)
    }

    /// Some steps of one client.
    pub(super) fn turn(&mut self) -> Vec<Step> {
        let client = self.rng.below(CLIENTS);
        let count = 1 + self.rng.below(12);
        (0..count).map(|_| self.step_of(client)).collect()
    }

    fn step_of(&mut self, client: usize) -> Step {
        self.brief = false;
        let queued = self.queued[client];
        let words = |text: &str| text.split(' ').map(|w| Arg::Bytes(w.into())).collect();
        let mut args: Vec<Arg> = Vec::new();
        if queued > 0 && (self.rng.chance(15) || queued > 8) {
            self.queued[client] = 0;
            self.brief = std::mem::take(&mut self.queued_brief[client]);
            args = words(if self.rng.chance(85) { "EXEC" } else { "DISCARD" });
        } else if queued == 0 && self.rng.chance(3) {
            self.queued[client] = 1;
            args = words("MULTI");
        } else {
            if queued > 0 {
                self.queued[client] += 1;
            }
            let line = if self.rng.below(400) == 0 {
                let flush = FAMILIES.iter().find(|f| f.name == "flush").expect("it is there");
                let lines: Vec<&str> = flush.writes.lines().filter(|l| !l.is_empty()).collect();
                *self.rng.pick(&lines)
            } else {
                let family = self.rng.below(self.families.len());
                let line = self.rng.below(self.families[family].len());
                self.families[family][line]
            };
            self.sequence(line, &mut args);
            if self.rng.chance(3) {
                self.spoil(&mut args);
            }
        }
        if queued > 0 && self.queued[client] > 0 {
            self.queued_brief[client] |= self.brief;
        }
        Step { client, args, brief: self.brief }
    }

    /// A command that is not quite right any more.
    fn spoil(&mut self, args: &mut Vec<Arg>) {
        let at = 1 + self.rng.below(args.len());
        if at == args.len() {
            args.push(Arg::Bytes(self.bytes("val")));
            return;
        }
        match self.rng.below(5) {
            0 => drop(args.remove(at)),
            1 => args.insert(at, args[at].clone()),
            2 => args[at] = Arg::Bytes(self.bytes("int")),
            3 => {
                let other = 1 + self.rng.below(args.len() - 1);
                args.swap(at, other);
            }
            _ => {
                if let Arg::Bytes(bytes) = &mut args[at] {
                    bytes.make_ascii_lowercase();
                }
            }
        }
        // What was a time or a length may be a wait, a huge count or an offset now.
        if self.needs_care(args) {
            args.truncate(1);
        }
    }

    /// Commands in which a number at the wrong place takes gigabytes, waits, is up to chance,
    /// or makes scores differ.
    fn needs_care(&self, args: &[Arg]) -> bool {
        let is = |arg: &Arg, words: &[&str]| matches!(arg, Arg::Bytes(b) if words.iter().any(|w| w.as_bytes() == b));
        const NAMES: &[&str] = &[
            "SETRANGE",
            "SETBIT",
            "BITFIELD",
            "BITFIELD_RO",
            "MIGRATE",
            "SRANDMEMBER",
            "HRANDFIELD",
            "ZRANDMEMBER",
            "RESTORE",
            "SPOP",
            "PEXPIRE",
            "PSETEX",
            "BLPOP",
            "BRPOP",
            "BLMOVE",
            "BRPOPLPUSH",
            "BLMPOP",
            "BZPOPMIN",
            "BZPOPMAX",
            "BZMPOP",
            "XREAD",
            "XREADGROUP",
            "XCLAIM",
            "XAUTOCLAIM",
            "XPENDING",
        ];
        is(&args[0], NAMES)
            || args.iter().any(|arg| is(arg, &["PX", "px", "nosort", "y0", "y1", "y2"]))
    }

    fn sequence(&mut self, text: &str, out: &mut Vec<Arg>) {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (token, after) = split_token(rest);
            rest = after.trim_start();
            self.token(token, out);
        }
    }

    fn token(&mut self, token: &str, out: &mut Vec<Arg>) {
        if let Some(item) = token.strip_prefix("$n{").and_then(|t| t.strip_suffix('}')) {
            let count = 1 + self.rng.below(3);
            let told = if self.rng.chance(3) { self.bytes("int") } else { number(count as i64) };
            out.push(Arg::Bytes(told));
            (0..count).for_each(|_| self.sequence(item, out));
        } else if token.len() > 1 && token.ends_with('*') && !token.ends_with("-*") {
            let times = match self.rng.below(60) {
                0 => 0,
                1 => 12,
                n => 1 + n % 3,
            };
            (0..times).for_each(|_| self.token(&token[..token.len() - 1], out));
        } else if token.starts_with(['[', '(']) {
            if token.starts_with('[') && self.rng.chance(55) {
                return;
            }
            let choices = split_choices(&token[1..token.len() - 1]);
            let choice = *self.rng.pick(&choices);
            self.sequence(choice, out);
        } else if let Some(name) = token.strip_prefix('$').and_then(|t| t.strip_suffix("-*")) {
            // Whatever comes before it.
            let ms = match name {
                "id" => number(1 + self.rng.below(40) as i64),
                other => self.bytes(other),
            };
            out.push(Arg::Bytes([&ms[..], b"-*"].concat()));
        } else if let Some(name) = token.strip_prefix('$').filter(|name| !name.is_empty()) {
            let arg = self.argument(name);
            out.push(arg);
        } else {
            out.push(Arg::Bytes(token.into()));
        }
    }

    fn argument(&mut self, name: &str) -> Arg {
        let far = 100_000 + self.rng.below(900_000_000) as i64;
        match name {
            "ttl" | "pttl" => Arg::Bytes(self.time_to_live(name, far)),
            "at" | "pat" => {
                let from_now = match self.rng.below(20) {
                    0 => return Arg::Bytes(self.pick(&["0", "-1", "abc", "1", "1000"])),
                    1..4 => -1 - self.rng.below(100_000) as i64,
                    // Two servers would not get the command before the same moment.
                    4..7 if self.purpose == Purpose::Replay => self.soon(),
                    _ => far,
                };
                if name == "at" { Arg::Seconds(from_now) } else { Arg::Milliseconds(from_now) }
            }
            "port" => Arg::Port,
            other => Arg::Bytes(self.bytes(other)),
        }
    }

    /// A time to live that ends during the run.
    fn soon(&mut self) -> i64 {
        self.brief = true;
        match self.purpose {
            Purpose::Replay => 1 + self.rng.below(12) as i64,
            Purpose::Compare => 1,
        }
    }

    fn time_to_live(&mut self, name: &str, far: i64) -> Vec<u8> {
        match self.rng.below(24) {
            0 | 1 => self.pick(&["0", "-1", "-1000", "abc", "", "9223372036854775807"]),
            2..8 if name == "pttl" => number(self.soon()),
            8..16 if name == "pttl" && self.purpose == Purpose::Replay => number(self.soon()),
            _ if name == "pttl" => number(far),
            _ => number(far / 1000),
        }
    }

    fn pick(&mut self, from: &[&str]) -> Vec<u8> {
        self.rng.pick(from).as_bytes().to_vec()
    }

    fn bytes(&mut self, name: &str) -> Vec<u8> {
        const TYPES: &[u8] = b"sbltzhgpx";
        match name {
            "s" | "b" | "l" | "t" | "z" | "h" | "g" | "p" | "x" => {
                let own = name.as_bytes()[0];
                let kind = if self.rng.chance(4) { *self.rng.pick(TYPES) } else { own };
                format!("{}{}", kind as char, self.rng.below(3)).into_bytes()
            }
            // Their scores are all 0, which commands on keys of any type would not respect.
            "y" => format!("y{}", self.rng.below(3)).into_bytes(),
            "key" => {
                let kind = *self.rng.pick(TYPES);
                format!("{}{}", kind as char, self.rng.below(3)).into_bytes()
            }
            "lt" => self.one_of(&["l", "t"]),
            "zt" => self.one_of(&["z", "z", "t"]),
            "ltz" => self.one_of(&["l", "t", "z"]),
            "empty" => Vec::new(),
            "val" => self.value(),
            "elem" => match self.rng.below(10) {
                0 => self.value(),
                n => number(n as i64),
            },
            "member" => match self.rng.below(12) {
                0 => self.value(),
                n => vec![b'a' + n as u8],
            },
            "field" => match self.rng.below(12) {
                0 => self.value(),
                n => format!("f{n}").into_bytes(),
            },
            "whole" => number(self.rng.below(2000) as i64 - 1000),
            "int" => self.integer(),
            "float" => match self.rng.below(8) {
                0 => self.integer(),
                1 => {
                    self.pick(&["nan", "inf", "-inf", "1e400", "abc", "", "1e-30", "0x10", "1e17"])
                }
                n => format!("{}.{}", self.rng.below(200) as i64 - 100, n * 125).into_bytes(),
            },
            "small" | "slot" => {
                let n = number(self.rng.below(10) as i64 - 3);
                if name == "slot" { [b"#", &n[..]].concat() } else { n }
            }
            "count" => match self.rng.below(12) {
                0 => self.pick(&["0", "-1", "abc", "", "9223372036854775807"]),
                n => number(n as i64 / 2),
            },
            "idx" => match self.rng.below(15) {
                0 => self.integer(),
                _ => number(self.rng.below(14) as i64 - 6),
            },
            // Beyond 512 MB is an error; close to it would take as much memory.
            "off" => match self.rng.below(15) {
                0 => self.pick(&["-1", "4294967296", "9223372036854775807", "abc", ""]),
                _ => number(self.rng.below(90) as i64),
            },
            "bits" => match self.rng.below(12) {
                0 => self.pick(&["u64", "i65", "u0", "i0", "x8", "u", "8"]),
                _ => {
                    let sign = *self.rng.pick(&["u", "i"]);
                    format!("{sign}{}", 1 + self.rng.below(63)).into_bytes()
                }
            },
            // A packed set keeps no -0, so how it is encoded shows in later commands.
            "weight" if self.purpose == Purpose::Replay => number(1 + self.rng.below(4) as i64),
            "score" | "weight" => match self.rng.below(12) {
                0 if self.purpose == Purpose::Compare && self.rng.chance(20) => self.pick(&["-0"]),
                0 => self.pick(&["inf", "-inf", "nan", "abc", "", "1e300", "9007199254740993"]),
                1 | 2 => format!("{}.{}", self.rng.below(9), self.rng.below(99)).into_bytes(),
                _ => number(self.rng.below(14) as i64 - 4),
            },
            "bound" => match self.rng.below(8) {
                0 => self.pick(&["-inf", "+inf", "(inf", "abc", "(", "nan"]),
                1 | 2 => format!("({}", self.rng.below(9)).into_bytes(),
                _ => number(self.rng.below(14) as i64 - 4),
            },
            "lex" => match self.rng.below(8) {
                0 => self.pick(&["-", "+", "", "(", "[", "a"]),
                n => [if n % 2 == 0 { b'(' } else { b'[' }, b'a' + self.rng.below(13) as u8].into(),
            },
            "lon" => self.coordinate(170),
            "lat" => self.coordinate(80),
            "radius" => match self.rng.below(12) {
                0 => self.pick(&["-1", "abc", "0", ""]),
                _ => number([10, 300, 3000, 9000][self.rng.below(4)]),
            },
            "unit" => self.pick(&["km", "km", "km", "m", "mi", "ft", "KM", "parsec"]),
            "db" => self.pick(&["0", "1", "2", "3", "0", "1", "2", "3", "4", "-1", "abc", "1.0"]),
            "glob" => self.pick(&["*", "s*", "?1", "[hl]*", "f1*", "[^a-c]", "", "\\*", "a", "1*"]),
            "pattern" => self.pick(&["s*", "h*->f1", "none", "h1->f*", "*", "h1->", "b*"]),
            "wait" => self.wait(),
            "waitms" => match self.wait() {
                brief if brief.starts_with(b"0.") => match self.purpose {
                    Purpose::Replay => self.pick(&["1", "20"]),
                    // It would be over at one server before the other.
                    Purpose::Compare => self.pick(&["1000"]),
                },
                other => other,
            },
            "group" => self.pick(&["g1", "g1", "g1", "g2"]),
            "consumer" => self.pick(&["ann", "bob", "cy"]),
            "id" => match self.rng.below(30) {
                0 => self.pick(&["0", "0-0", "-", "1-", "abc", "", "1-1-1", "007", "5-*"]),
                1 => self
                    .pick(&["18446744073709551615", "18446744073709551615-18446744073709551615"]),
                n if n % 3 == 0 => number(1 + self.rng.below(40) as i64),
                n => format!("{}-{}", 1 + self.rng.below(40), n % 4).into_bytes(),
            },
            "idbound" => match self.rng.below(6) {
                0 => b"-".to_vec(),
                1 => b"+".to_vec(),
                2 => [b"(", &self.bytes("id")[..]].concat(),
                _ => self.bytes("id"),
            },
            "dump" => match self.rng.below(10) {
                0 => self.value(),
                1 => {
                    let mut dump = self.rng.pick(self.dumps).clone();
                    let at = self.rng.below(dump.len());
                    dump[at] ^= 1 << self.rng.below(8);
                    dump
                }
                _ => self.rng.pick(self.dumps).clone(),
            },
            other => panic!("the grammar names ${other}, which nobody knows"),
        }
    }

    fn one_of(&mut self, names: &[&str]) -> Vec<u8> {
        let name = *self.rng.pick(names);
        self.bytes(name)
    }

    fn coordinate(&mut self, most: usize) -> Vec<u8> {
        match self.rng.below(25) {
            0 => self.pick(&["200", "-200", "abc", "nan", ""]),
            _ => {
                let whole = self.rng.below(2 * most) as i64 - most as i64;
                format!("{whole}.{}", self.rng.below(9999)).into_bytes()
            }
        }
    }

    fn wait(&mut self) -> Vec<u8> {
        match (self.purpose, self.rng.below(12)) {
            (_, 0) => self.pick(&["-1", "abc", "", "inf", "1e300"]),
            (_, 1) => self.pick(&["0.001"]),
            (Purpose::Replay, 2..6) => self.pick(&["0.01", "0.03"]),
            _ => self.pick(&["0", "1000"]),
        }
    }

    fn integer(&mut self) -> Vec<u8> {
        const EDGES: &[&str] = &[
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "18446744073709551615",
            "4294967296",
            "2147483648",
            "1.5",
            "abc",
            "",
            " 1",
            "+1",
            "01",
            "-0",
            "1e3",
        ];
        match self.rng.below(5) {
            0 => self.pick(EDGES),
            _ => number(self.rng.below(60) as i64 - 20),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.rng.below(16) {
            0 => Vec::new(),
            1 => self.integer(),
            2 => b"a\r\n\0\xff\"b".to_vec(),
            3 => vec![b'x'; 40 + self.rng.below(60)],
            4 => vec![b'y'; 200 + self.rng.below(400)],
            5 => self.pick(&["3.25", "1e5", "10.0", "0.1"]),
            6..10 => number(self.rng.below(30) as i64),
            n => vec![b'a' + n as u8; 1 + self.rng.below(6)],
        }
    }
}

fn number(n: i64) -> Vec<u8> {
    n.to_string().into_bytes()
}

/// The first token of a line, with all that its brackets hold, and the rest.
fn split_token(text: &str) -> (&str, &str) {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth -= 1,
            b' ' if depth == 0 => return (&text[..at], &text[at..]),
            _ => (),
        }
    }
    (text, "")
}

/// What stands between the bars, as far as they are not within brackets.
fn split_choices(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut choices) = (0, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth -= 1,
            b'|' if depth == 0 => {
                choices.push(&text[start..at]);
                start = at + 1;
            }
            _ => (),
        }
    }
    choices.push(&text[start..]);
    choices
}
