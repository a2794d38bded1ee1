//! What is known of a command without running it: one row of `table.tsv` each.
//!
//! Everything else is derived from the row: arity checks, COMMAND INFO, DOCS, LIST and GETKEYS, the
//! gate's checks, and which argument is a key. A row without a handler is not shown, so the table
//! may know more commands than the server.
//!
//! Columns, tab-separated: name (`container|sub`), group, since, arity (negative: at least), flags,
//! ACL categories, key specs, tips, deprecation, arguments (see `arguments`), complexity, summary.
//! Among the flags stand words of ours too, which nobody is shown (see `own`).
//!
//! A key spec is `begin/find/flags`, several are separated by ` ; ` (Redis documentation, "Command
//! key specifications"); a fourth part is a remark on its flags.

use std::sync::OnceLock;

use crate::commands::own::Own;

pub(crate) const WRITE: u32 = 1;
pub(crate) const READONLY: u32 = 1 << 1;
pub(crate) const DENYOOM: u32 = 1 << 2;
pub(crate) const ADMIN: u32 = 1 << 3;
pub(crate) const PUBSUB: u32 = 1 << 4;
pub(crate) const NOSCRIPT: u32 = 1 << 5;
pub(crate) const BLOCKING: u32 = 1 << 6;
pub(crate) const LOADING: u32 = 1 << 7;
pub(crate) const STALE: u32 = 1 << 8;
pub(crate) const SKIP_MONITOR: u32 = 1 << 9;
pub(crate) const SKIP_SLOWLOG: u32 = 1 << 10;
pub(crate) const ASKING: u32 = 1 << 11;
pub(crate) const FAST: u32 = 1 << 12;
pub(crate) const NO_AUTH: u32 = 1 << 13;
pub(crate) const MAY_REPLICATE: u32 = 1 << 14;
pub(crate) const MOVABLE_KEYS: u32 = 1 << 15;
pub(crate) const ALLOW_BUSY: u32 = 1 << 16;
pub(crate) const NO_ASYNC_LOADING: u32 = 1 << 17;
pub(crate) const NO_MULTI: u32 = 1 << 18;
pub(crate) const PROTECTED: u32 = 1 << 19;
pub(crate) const NO_MANDATORY_KEYS: u32 = 1 << 20;
pub(crate) const TOUCHES_ARBITRARY_KEYS: u32 = 1 << 21;
pub(crate) const SENTINEL: u32 = 1 << 22;
pub(crate) const ONLY_SENTINEL: u32 = 1 << 23;
pub(crate) const GETKEYS: u32 = 1 << 24;

/// Flags by name; `shown` ones are printed by COMMAND INFO, in this order.
const FLAGS: &[(&str, u32, bool)] = &[
    ("write", WRITE, true),
    ("readonly", READONLY, true),
    ("denyoom", DENYOOM, true),
    ("module", 0, true),
    ("admin", ADMIN, true),
    ("pubsub", PUBSUB, true),
    ("noscript", NOSCRIPT, true),
    ("blocking", BLOCKING, true),
    ("loading", LOADING, true),
    ("stale", STALE, true),
    ("skip_monitor", SKIP_MONITOR, true),
    ("skip_slowlog", SKIP_SLOWLOG, true),
    ("asking", ASKING, true),
    ("fast", FAST, true),
    ("no_auth", NO_AUTH, true),
    ("may_replicate", MAY_REPLICATE, false),
    ("no_mandatory_keys", NO_MANDATORY_KEYS, true),
    ("protected", PROTECTED, false),
    ("sentinel", SENTINEL, false),
    ("only_sentinel", ONLY_SENTINEL, false),
    ("no_async_loading", NO_ASYNC_LOADING, true),
    ("no_multi", NO_MULTI, true),
    ("movablekeys", MOVABLE_KEYS, true),
    ("allow_busy", ALLOW_BUSY, true),
    ("touches_arbitrary_keys", TOUCHES_ARBITRARY_KEYS, false),
    ("getkeys", GETKEYS, false),
];

/// ACL categories in the order of their bits.
pub(crate) const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The bit of the category `keyspace`.
pub(crate) const KEYSPACE: u32 = 1;

pub(crate) const KEY_RO: u16 = 1;
pub(crate) const KEY_RW: u16 = 1 << 1;
pub(crate) const KEY_OW: u16 = 1 << 2;
pub(crate) const KEY_ACCESS: u16 = 1 << 4;
pub(crate) const KEY_UPDATE: u16 = 1 << 5;
pub(crate) const KEY_INSERT: u16 = 1 << 6;
pub(crate) const KEY_DELETE: u16 = 1 << 7;
pub(crate) const KEY_NOT_KEY: u16 = 1 << 8;
pub(crate) const KEY_INCOMPLETE: u16 = 1 << 9;
pub(crate) const KEY_VARIABLE: u16 = 1 << 10;

/// Key flags in the order COMMAND prints them: table name, printed name.
const KEY_FLAGS: &[(&str, &str)] = &[
    ("RO", "RO"),
    ("RW", "RW"),
    ("OW", "OW"),
    ("RM", "RM"),
    ("ACCESS", "access"),
    ("UPDATE", "update"),
    ("INSERT", "insert"),
    ("DELETE", "delete"),
    ("NOT_KEY", "not_key"),
    ("INCOMPLETE", "incomplete"),
    ("VARIABLE_FLAGS", "variable_flags"),
];

/// Where the keys of a spec begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begin {
    Index(usize),
    /// Behind a word, looked for from a position (negative: from the end).
    Keyword(String, i32),
    Unknown,
}

/// How many keys follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Find {
    /// Up to `last` (relative to the begin; negative: from the end), every `step`th; `limit`
    /// halves.
    Range {
        last: i32,
        step: i32,
        limit: i32,
    },
    /// A number at `at`, keys from `first` on, all relative to the begin.
    KeyNum {
        at: usize,
        first: usize,
        step: usize,
    },
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub flags: u16,
    /// Why the flags are what they are.
    pub note: Option<&'static str>,
}

impl KeySpec {
    pub(crate) fn flag_names(flags: u16) -> impl Iterator<Item = &'static str> {
        KEY_FLAGS.iter().enumerate().filter(move |(i, _)| flags & 1 << i != 0).map(|(_, n)| n.1)
    }
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its place among all rows.
    pub index: u16,
    /// Lower case, `config|get` for a subcommand.
    pub name: &'static str,
    pub group: &'static str,
    pub since: &'static str,
    /// Number of arguments with the name; negative: at least so many.
    pub arity: i32,
    pub flags: u32,
    /// Our own words, which clients don't see.
    pub own: Own,
    /// Bits of `CATEGORIES`.
    pub acl: u32,
    pub keys: Vec<KeySpec>,
    /// The first argument is the only key; what is done with it.
    pub one_key: Option<u16>,
    pub tips: Vec<&'static str>,
    pub deprecated: &'static str,
    pub arguments: &'static str,
    pub complexity: &'static str,
    pub summary: &'static str,
    /// First key, last key and step, which COMMAND showed before there were key specs.
    pub legacy: (i32, i32, i32),
}

impl Spec {
    pub(crate) fn container(&self) -> Option<&'static str> {
        self.name.split_once('|').map(|(c, _)| c)
    }
    pub(crate) fn sub(&self) -> Option<&'static str> {
        self.name.split_once('|').map(|(_, s)| s)
    }
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }
    pub(crate) fn arity_ok(&self, argc: usize) -> bool {
        match self.arity {
            n if n >= 0 => argc == n as usize,
            n => argc >= n.unsigned_abs() as usize,
        }
    }
    pub(crate) fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        FLAGS.iter().filter(|f| f.2 && self.flags & f.1 != 0).map(|f| f.0)
    }
    pub(crate) fn categories(&self) -> impl Iterator<Item = &'static str> {
        CATEGORIES.iter().enumerate().filter(|(i, _)| self.acl & 1 << i != 0).map(|(_, n)| *n)
    }
    pub(crate) fn is_syscmd(&self) -> bool {
        self.deprecated == "syscmd"
    }
}

/// All rows, in order of name. Parsed once, at start, from text that is part of the program.
pub(crate) fn all() -> &'static [Spec] {
    static ROWS: OnceLock<Vec<Spec>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let lines = include_str!("table.tsv").lines().filter(|l| !l.starts_with('#'));
        let mut rows: Vec<Spec> = lines.map(parse_row).collect();
        rows.sort_by_key(|r| r.name);
        rows.iter_mut().zip(0..).for_each(|(row, i)| row.index = i);
        rows
    })
}

/// The row of `name` (lower case). O(log rows).
pub(crate) fn find(name: &str) -> Option<&'static Spec> {
    let rows = all();
    rows.binary_search_by_key(&name, |r| r.name).ok().map(|i| &rows[i])
}

fn parse_row(line: &'static str) -> Spec {
    let mut column = line.split('\t');
    let mut next = || column.next().expect("the table has twelve columns");
    let (name, group, since) = (next(), next(), next());
    let arity = next().parse().expect("an arity is a number");
    let (mut flags, mut own) = (0, Own::default());
    for word in words(next()) {
        match FLAGS.iter().find(|f| f.0 == word) {
            Some(flag) => flags |= flag.1,
            None => assert!(own.take(word), "{name}: flag {word}"),
        }
    }
    let acl = words(next()).fold(0, |set, w| {
        let bit = CATEGORIES.iter().position(|c| *c == w);
        set | 1 << bit.unwrap_or_else(|| panic!("{name}: category {w}"))
    });
    let specs = next().split(" ; ").filter(|s| !s.is_empty());
    let keys: Vec<KeySpec> = specs.map(|s| parse_keys(name, s)).collect();
    let tips = words(next()).collect();
    let (deprecated, arguments, complexity, summary) = (next(), next(), next(), next());
    let one_key = match keys.as_slice() {
        [KeySpec { begin: Begin::Index(1), find: Find::Range { last: 0, .. }, flags, .. }]
            if flags & (KEY_NOT_KEY | KEY_VARIABLE | KEY_INCOMPLETE) == 0 =>
        {
            Some(*flags)
        }
        _ => None,
    };
    let mut spec = Spec {
        index: 0,
        name,
        group,
        since,
        arity,
        flags,
        own,
        acl,
        keys,
        one_key,
        tips,
        deprecated,
        arguments,
        complexity,
        summary,
        legacy: (0, 0, 0),
    };
    derive_legacy(&mut spec);
    spec
}

fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(',').filter(|w| !w.is_empty())
}

fn parse_keys(name: &str, text: &'static str) -> KeySpec {
    let parts: Vec<&'static str> = text.trim().splitn(4, '/').collect();
    let [begin, find, flags, ref note @ ..] = parts[..] else { panic!("{name}: key spec {text}") };
    let call = |s: &str| -> (String, Vec<String>) {
        let (word, rest) = s.split_once('(').unwrap_or((s, ")"));
        let args = rest.trim_end_matches(')').split(',').map(str::to_string);
        (word.to_string(), args.collect())
    };
    let number = |s: &String| s.parse::<i32>().expect("key specs hold numbers");
    let begin = match call(begin) {
        (w, a) if w == "index" => Begin::Index(number(&a[0]) as usize),
        (w, a) if w == "keyword" => Begin::Keyword(a[0].clone(), number(&a[1])),
        _ => Begin::Unknown,
    };
    let find = match call(find) {
        (w, a) if w == "range" => {
            Find::Range { last: number(&a[0]), step: number(&a[1]), limit: number(&a[2]) }
        }
        (w, a) if w == "keynum" => {
            let at = |i: usize| number(&a[i]) as usize;
            Find::KeyNum { at: at(0), first: at(1), step: at(2) }
        }
        _ => Find::Unknown,
    };
    let flags = flags.split(',').fold(0, |set, w| {
        let bit = KEY_FLAGS.iter().position(|f| f.0 == w);
        set | 1 << bit.unwrap_or_else(|| panic!("{name}: key flag {w}"))
    });
    KeySpec { begin, find, flags, note: note.first().copied() }
}

/// Joins consecutive plain ranges into one triple. Whatever does not fit makes the keys "movable".
fn derive_legacy(spec: &mut Spec) {
    let ranges = spec.keys.iter().map(|k| match (&k.begin, &k.find) {
        (Begin::Index(i), Find::Range { last, step, .. }) => Some((*i as i32, *last, *step)),
        _ => None,
    });
    let ranges: Vec<_> = ranges.collect();
    let incomplete = spec.keys.iter().any(|k| k.flags & KEY_INCOMPLETE != 0);
    let absolute = |first: i32, last: i32| if last >= 0 { first + last } else { last };
    if let [Some((first, last, step))] = ranges[..] {
        spec.legacy = (first, absolute(first, last), step);
        if incomplete {
            spec.flags |= MOVABLE_KEYS;
        }
        return;
    }
    let mut joined: Option<(i32, i32)> = None;
    for range in ranges {
        match (range, joined) {
            (Some((first, last, 1)), None) => joined = Some((first, absolute(first, last))),
            (Some((first, last, 1)), Some((from, to))) if to == first - 1 => {
                joined = Some((from, absolute(first, last)));
            }
            _ => spec.flags |= MOVABLE_KEYS,
        }
    }
    if incomplete {
        spec.flags |= MOVABLE_KEYS;
    }
    if let Some((first, last)) = joined {
        spec.legacy = (first, last, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_parses_and_is_sorted() {
        assert!(all().len() > 300);
        let get = find("get").expect("GET");
        assert_eq!((get.arity, get.legacy), (2, (1, 1, 1)));
        assert_eq!(get.flag_names().collect::<Vec<_>>(), ["readonly", "fast"]);
        assert_eq!(get.categories().collect::<Vec<_>>(), ["read", "string", "fast"]);
        assert!(get.arity_ok(2) && !get.arity_ok(3));
        assert_eq!(find("rename").expect("RENAME").legacy, (1, 2, 1));
        assert_eq!(CATEGORIES[KEYSPACE.trailing_zeros() as usize], "keyspace");
        assert!(find("migrate").expect("MIGRATE").has(MOVABLE_KEYS));
    }
}
