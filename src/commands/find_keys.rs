//! Which arguments of a command are keys, and what the command does with them.
//!
//! For nearly all commands the key specs of the row say so. A spec may leave something open: an
//! option that may stand anywhere, or a use that depends on other arguments. Then, and also if the
//! arguments don't fit the spec, a function for that command looks through the arguments
//! (`native`). If neither finds keys, there are none: the command will say what is wrong.

use crate::commands::arg;
use crate::commands::own::{Databases, Finder};
use crate::commands::spec::{
    Begin, Find, KEY_ACCESS, KEY_DELETE, KEY_INCOMPLETE, KEY_INSERT, KEY_NOT_KEY, KEY_OW, KEY_RO,
    KEY_RW, KEY_UPDATE, KEY_VARIABLE, KEYSPACE, KeySpec, Spec,
};

/// The position of a key among the arguments, and its access flags (none if the specs don't tell).
pub(crate) type Found = (usize, u16);

impl Spec {
    /// Whether the command may have keys at all. Shard channels are looked up like keys, but are
    /// none.
    pub(crate) fn may_have_keys(&self) -> bool {
        self.keys.iter().any(|k| k.flags & KEY_NOT_KEY == 0)
    }

    /// The most that the command may do with its only key, its first argument, if that is all the
    /// keys it has.
    #[inline]
    pub(crate) fn use_of_only_key(&self) -> Option<u16> {
        match self.one_key {
            // With some options SET reads.
            None if self.own.finder == Finder::Set => Some(KEY_RW | KEY_ACCESS | KEY_UPDATE),
            one_key => one_key,
        }
    }

    /// The arguments that name databases.
    pub(crate) fn databases_of(&self, argv: &[&[u8]]) -> impl Iterator<Item = usize> {
        let argc = argv.len();
        let places = match self.own.databases {
            Databases::None | Databases::All => 0..0,
            Databases::First => 1..2,
            Databases::Second => 2..3,
            Databases::FirstTwo => 1..3,
            Databases::BehindDb => 4..argc.max(4),
        };
        let behind_db = self.own.databases == Databases::BehindDb;
        places.filter(move |&at| at < argc && (!behind_db || arg::is(argv[at - 1], "db")))
    }

    pub(crate) fn acts_on_all_databases(&self) -> bool {
        self.own.databases == Databases::All
    }

    /// Whether it reads or changes the selected database.
    pub(crate) fn uses_selected_database(&self) -> bool {
        let named = self.own.databases != Databases::None;
        self.may_have_keys() || self.acl & KEYSPACE != 0 && !named
    }

    /// The keys in `argv` if they stand in one row, as those of most commands do; without an
    /// allocation. They are those of `keys_of`.
    #[inline]
    pub(crate) fn row_of_keys(&self, argv: &[&[u8]]) -> Option<impl Iterator<Item = Found>> {
        let (flags, (first, last, step)) = match self.keys.as_slice() {
            _ if self.own.finder == Finder::Set => (set_flags(argv), (1, 1, 1)),
            [k @ KeySpec { begin: Begin::Index(first), find: Find::Range { .. }, flags, .. }]
                if flags & (KEY_NOT_KEY | KEY_VARIABLE | KEY_INCOMPLETE) == 0
                    && self.own.finder != Finder::DeadLetters =>
            {
                (*flags, range(k, *first, argv)?)
            }
            _ => return None,
        };
        let fits = last < argv.len() && first <= last;
        fits.then(|| (first..=last).step_by(step).map(move |at| (at, flags)))
    }

    /// The keys in `argv`, whose arity has been checked. O(arguments).
    pub(crate) fn keys_of(&self, argv: &[&[u8]]) -> Vec<Found> {
        let variable = self.keys.iter().any(|k| k.flags & KEY_VARIABLE != 0);
        let by_specs = if self.may_have_keys() && !variable { by_specs(self, argv) } else { None };
        let mut keys = by_specs.unwrap_or_else(|| native(self.own.finder, argv));
        if self.own.finder == Finder::DeadLetters {
            keys.extend(dead_letters(argv));
        }
        keys
    }
}

/// None if a spec does not tell everything, or the arguments don't fit it.
fn by_specs(spec: &Spec, argv: &[&[u8]]) -> Option<Vec<Found>> {
    let mut out = Vec::new();
    for k in spec.keys.iter().filter(|k| k.flags & KEY_NOT_KEY == 0) {
        let Some(first) = begin(k, argv)? else { continue };
        let (first, last, step) = range(k, first, argv)?;
        if last >= argv.len() || last < first {
            return None;
        }
        out.extend((first..=last).step_by(step).map(|i| (i, k.flags)));
        if k.flags & KEY_INCOMPLETE != 0 {
            return None;
        }
    }
    Some(out)
}

/// Where a spec begins to count; the inner None: its keyword is absent.
fn begin(k: &KeySpec, argv: &[&[u8]]) -> Option<Option<usize>> {
    let argc = argv.len();
    match &k.begin {
        Begin::Index(i) => Some(Some(*i)),
        Begin::Keyword(word, from) => {
            let is = |i: &usize| arg::is(argv[*i], word);
            // A keyword does not count if nothing follows it, or if it is the first argument.
            let found = if *from > 0 {
                (*from as usize..argc.saturating_sub(1)).find(is)
            } else {
                let start = argc.saturating_sub(from.unsigned_abs() as usize);
                (2..=start).rev().find(is)
            };
            Some(found.map(|i| i + 1))
        }
        Begin::Unknown => None,
    }
}

/// First and last position, and the step between keys.
fn range(k: &KeySpec, first: usize, argv: &[&[u8]]) -> Option<(usize, usize, usize)> {
    let argc = argv.len();
    match k.find {
        Find::Range { last, step, limit } => {
            let last = match last {
                n if n >= 0 => first + n as usize,
                // A limit leaves only the first 1/limit of the arguments: XREAD's keys, then ids.
                -1 if limit > 0 => {
                    (first + argc.saturating_sub(first) / limit as usize).checked_sub(1)?
                }
                n => argc.checked_sub(n.unsigned_abs() as usize)?,
            };
            Some((first, last, step as usize))
        }
        Find::KeyNum { at, first: skip, step } => {
            let count = crate::util::num::parse_i64(argv.get(first + at)?)?;
            let steps = usize::try_from(count).ok()?.checked_sub(1)?.checked_mul(step)?;
            let first = first + skip;
            Some((first, first.checked_add(steps)?, step))
        }
        Find::Unknown => None,
    }
}

/// What the function named in the command's row finds in the arguments.
fn native(finder: Finder, argv: &[&[u8]]) -> Vec<Found> {
    match finder {
        Finder::Specs | Finder::DeadLetters => Vec::new(),
        Finder::Set => vec![(1, set_flags(argv))],
        Finder::BitField => vec![(1, bitfield_flags(argv))],
        Finder::Sort => sort(argv),
        Finder::SortRo => vec![(1, KEY_RO | KEY_ACCESS)],
        Finder::Migrate => migrate(argv),
        Finder::GeoRadius => georadius(argv),
        Finder::Streams => xread(argv),
        Finder::CountedStore => {
            let mut keys = counted(argv, 2);
            if !keys.is_empty() {
                keys.push((1, 0));
            }
            keys
        }
        Finder::Counted1 => counted(argv, 1),
        Finder::Counted2 => counted(argv, 2),
    }
}

/// The keys after their number at `at`. Digits are read as far as they go, so that keys are found
/// even if the command will refuse the number.
fn counted(argv: &[&[u8]], at: usize) -> Vec<Found> {
    let text = argv.get(at).copied().unwrap_or_default();
    let count = usize::try_from(crate::util::num::parse_i32_prefix(text)).ok();
    let room = argv.len().saturating_sub(at + 1);
    let count = count.filter(|&n| n <= room).unwrap_or(0);
    (at + 1..at + 1 + count).map(|i| (i, 0)).collect()
}

/// What SET does with the key depends on its options.
fn set_flags(argv: &[&[u8]]) -> u16 {
    match argv[3..].iter().any(|w| arg::is(w, "get") || arg::is(w, "ifeq")) {
        true => KEY_RW | KEY_ACCESS | KEY_UPDATE,
        false => KEY_OW | KEY_UPDATE,
    }
}

/// BITFIELD only reads if it has only valid GETs.
fn bitfield_flags(argv: &[&[u8]]) -> u16 {
    let mut at = 2;
    while let Some(word) = argv.get(at) {
        let behind = argv.len() - at - 1;
        at += match arg::lower(word).as_slice() {
            b"get" if behind >= 2 => 3,
            b"overflow" if behind >= 1 => 2,
            _ => return KEY_RW | KEY_ACCESS | KEY_UPDATE,
        };
    }
    KEY_RO | KEY_ACCESS
}

/// STORE can stand anywhere after the key; the last one counts.
fn sort(argv: &[&[u8]]) -> Vec<Found> {
    let (mut at, mut target) = (2, None);
    while let Some(word) = argv.get(at) {
        at += match arg::lower(word).as_slice() {
            b"limit" => 3,
            b"by" | b"get" => 2,
            b"store" if at + 1 < argv.len() => {
                target = Some(at + 1);
                1
            }
            _ => 1,
        };
    }
    let target = target.map(|at| (at, KEY_OW | KEY_UPDATE));
    std::iter::once((1, KEY_RO | KEY_ACCESS)).chain(target).collect()
}

/// The key, or those after KEYS if the key is empty. To give both is a mistake.
fn migrate(argv: &[&[u8]]) -> Vec<Found> {
    const FLAGS: u16 = KEY_RW | KEY_ACCESS | KEY_DELETE;
    let mut at = 6;
    while let Some(word) = argv.get(at) {
        at += match arg::lower(word).as_slice() {
            b"keys" if !argv[3].is_empty() => return Vec::new(),
            b"keys" => return (at + 1..argv.len()).map(|i| (i, FLAGS)).collect(),
            b"auth" => 2,
            b"auth2" => 3,
            _ => 1,
        };
    }
    vec![(3, FLAGS)]
}

/// The key, and the last of those behind STORE or STOREDIST.
fn georadius(argv: &[&[u8]]) -> Vec<Found> {
    let (mut at, mut target) = (5, None);
    while at + 1 < argv.len() {
        if arg::is(argv[at], "store") || arg::is(argv[at], "storedist") {
            at += 1;
            target = Some((at, 0));
        }
        at += 1;
    }
    std::iter::once((1, 0)).chain(target).collect()
}

/// The streams behind DLQ. Whoever claims writes to them without a right of its own, so whoever
/// names one needs the right to.
///
/// Compat: a key spec would say so too, but it would change what COMMAND shows of XGROUP.
fn dead_letters(argv: &[&[u8]]) -> Vec<Found> {
    let (mut at, mut found) = (5, Vec::new());
    while at + 1 < argv.len() {
        at += match arg::lower(argv[at]).as_slice() {
            b"dlq" => {
                found.push((at + 1, KEY_RW | KEY_INSERT));
                2
            }
            b"entriesread" | b"maxdeliveries" => 2,
            _ => 1,
        };
    }
    found
}

/// The first half of the arguments after STREAMS, a word that may also be a name elsewhere.
fn xread(argv: &[&[u8]]) -> Vec<Found> {
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        at += match arg::lower(word).as_slice() {
            b"block" | b"count" => 2,
            b"group" => 3,
            b"noack" => 1,
            b"streams" => {
                let behind = argv.len() - at - 1;
                let keys = if behind.is_multiple_of(2) { behind / 2 } else { 0 };
                return (at + 1..at + 1 + keys).map(|i| (i, 0)).collect();
            }
            _ => break,
        };
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::commands::spec;

    /// The arguments that are keys.
    fn keys(argv: &str) -> String {
        let argv: Vec<&[u8]> = argv.split(' ').map(str::as_bytes).collect();
        let name = String::from_utf8_lossy(argv[0]).into_owned();
        let found = spec::find(&name).expect("a command").keys_of(&argv);
        let words: Vec<_> = found.iter().map(|k| String::from_utf8_lossy(argv[k.0])).collect();
        words.join(" ")
    }

    fn flags(argv: &str) -> Vec<&'static str> {
        let argv: Vec<&[u8]> = argv.split(' ').map(str::as_bytes).collect();
        let name = String::from_utf8_lossy(argv[0]).into_owned();
        let found = spec::find(&name).expect("a command").keys_of(&argv);
        spec::KeySpec::flag_names(found[0].1).collect()
    }

    #[test]
    fn by_index_keyword_and_number() {
        for (argv, expected) in [
            ("mset a 1 b 2", "a b"),
            ("del a b c", "a b c"),
            ("msetex 2 a 1 b 2", "a b"),
            ("zunionstore d 2 a b", "d a b"),
            ("georadius k 1 2 3 m store d", "k d"),
            ("xread streams a b 0 0", "a b"),
            ("eval script 0 x", ""),
        ] {
            assert_eq!(keys(argv), expected, "{argv}");
        }
    }

    #[test]
    fn where_specs_leave_something_open() {
        for (argv, expected) in [
            ("sort k by x get y store a limit 0 store store b", "k b"),
            ("sort k store", "k"),
            ("sort_ro k by x", "k"),
            ("migrate h 1 a 0 9", "a"),
            ("migrate h 1 a 0 9 keys x y", ""),
            ("migrate h 1  0 9 copy auth keys keys x y", "x y"),
            ("georadius k 1 2 3 m store a storedist b", "k a b"),
            ("georadius k 1 2 3 m store", "k"),
            ("xread streams a b 0", "a"),
            ("xread block 0 streams", ""),
            ("zdiffstore d 0 a", ""),
            ("zunionstore d 9 a b", ""),
            ("zunionstore d 2x a b", "a b d"),
            ("lmpop 2 a left", "a left"),
            ("lmpop 3 a left", ""),
        ] {
            assert_eq!(keys(argv), expected, "{argv}");
        }
    }

    #[test]
    fn the_stream_for_dead_letters_is_a_key() {
        for (argv, expected) in [
            ("xgroup|create xgroup create s g 0", "s"),
            ("xgroup|create xgroup create s g 0 mkstream maxdeliveries 2 dlq d", "s d"),
            ("xgroup|setid xgroup setid s dlq $ entriesread 3 MAXDELIVERIES 2 DLQ dlq", "s dlq"),
            (
                "xgroup|setid xgroup setid s g 0 maxdeliveries 2 dlq a maxdeliveries 2 dlq b",
                "s a b",
            ),
            ("xgroup|setid xgroup setid s g 0 maxdeliveries 2 dlq", "s"),
        ] {
            let argv: Vec<&[u8]> = argv.split(' ').map(str::as_bytes).collect();
            let name = String::from_utf8_lossy(argv[0]).into_owned();
            let spec = spec::find(&name).expect("a command");
            let found = spec.keys_of(&argv[1..]);
            let words: Vec<_> =
                found.iter().map(|k| String::from_utf8_lossy(argv[1 + k.0])).collect();
            assert_eq!(words.join(" "), expected);
            assert!(spec.row_of_keys(&argv[1..]).is_none());
        }
    }

    #[test]
    fn flags_follow_the_options() {
        assert_eq!(flags("set k v"), ["OW", "update"]);
        assert_eq!(flags("set k v ex 10 GET"), ["RW", "access", "update"]);
        assert_eq!(flags("bitfield k get u8 0"), ["RO", "access"]);
        assert_eq!(flags("bitfield k get u8 0 set u8 0 1"), ["RW", "access", "update"]);
        assert_eq!(flags("bitfield k get u8"), ["RW", "access", "update"]);
    }

    #[test]
    fn channels_are_no_keys() {
        let spec = spec::find("spublish").expect("SPUBLISH");
        assert!(!spec.may_have_keys() && spec.keys_of(&[b"spublish", b"a", b"b"]).is_empty());
    }

    #[test]
    fn nothing_is_found_outside_of_the_arguments() {
        let words = [
            "a",
            "0",
            "1",
            "2",
            "-1",
            "9223372036854775807",
            "store",
            "streams",
            "keys",
            "get",
            "",
        ];
        let mut seed = 1u64;
        let mut next = |n: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % n
        };
        for spec in spec::all().iter().filter(|s| s.may_have_keys()) {
            for _ in 0..200 {
                let mut argv = vec![spec.name.as_bytes()];
                while !spec.arity_ok(argv.len()) || next(3) > 0 && spec.arity < 0 {
                    argv.push(words[next(words.len())].as_bytes());
                }
                assert!(
                    spec.keys_of(&argv).iter().all(|k| (1..argv.len()).contains(&k.0)),
                    "{argv:?}"
                );
            }
        }
    }
}
