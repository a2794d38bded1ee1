//! Where the two servers may differ, each with its reason; all else must be the same.

use super::side::{Command, may_wait};

/// How the replies of a command are compared.
pub(super) enum Like {
    /// Byte for byte.
    Exactly,
    /// In any order: the elements, or the pairs of them.
    Sorted(usize),
    /// By how many elements there are: chance chooses which.
    Shape,
    /// But for the times that streams show.
    Timeless,
    /// As numbers that are no further apart than this: the clock goes on between the two.
    Near(i64),
}

/// How the replies of this command are compared.
pub(super) fn like(command: &Command) -> Like {
    let name = String::from_utf8_lossy(&command[0]).to_uppercase();
    match name.as_str() {
        // A table has no order.
        "SMEMBERS" | "SDIFF" | "SINTER" | "SUNION" | "HKEYS" | "HVALS" | "KEYS" | "SPOP" => {
            Like::Sorted(1)
        }
        "HGETALL" => Like::Sorted(2),
        "SSCAN" | "SCAN" | "HSCAN" | "ZSCAN" => Like::Sorted(1),
        "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" => Like::Shape,
        "XPENDING" | "XINFO" => Like::Timeless,
        "TTL" | "EXPIRETIME" => Like::Near(2),
        "PTTL" | "PEXPIRETIME" => Like::Near(2000),
        "SORT" | "SORT_RO" if by_pattern(command) == Some(false) => Like::Sorted(1),
        _ => Like::Exactly,
    }
}

/// Whether a command may look at keys in any order, and so find in any order that they are absent,
/// or past their time.
pub(super) fn looks_in_any_order(command: &Command) -> bool {
    ["KEYS", "SCAN", "SORT", "SORT_RO"].iter().any(|name| is(command, name))
}

/// A difference that is meant, or that nobody can foresee: the command is left out of the
/// comparison.
pub(super) struct Known {
    pub reason: &'static str,
    /// The version of redis-server from which on they are the same.
    pub until: (u32, u32),
    pub applies: fn(&Command) -> bool,
}

const FOREVER: (u32, u32) = (u32::MAX, 0);

pub(super) const KNOWN: &[Known] = &[
    Known {
        reason: "doc/compat.md: LSET with an index beyond 32 bits is out of range",
        until: FOREVER,
        applies: |command| {
            is(command, "LSET") && number(command, 2).is_some_and(|n| i32::try_from(n).is_err())
        },
    },
    Known {
        reason: "doc/compat.md: RESTORE with a ttl that overflows a date gets the last date there is",
        until: FOREVER,
        applies: |command| {
            is_restore(command) && number(command, 2).is_some_and(|n| n > i64::MAX / 2)
        },
    },
    Known {
        reason: "doc/compat.md: MIGRATE to database -1",
        until: FOREVER,
        applies: |command| is(command, "MIGRATE") && number(command, 4) == Some(-1),
    },
    Known {
        reason: "what is alike to SORT BY .. ALPHA stays in the order of the qsort, or of a table",
        until: FOREVER,
        applies: |command| {
            is_sort(command) && has(command, "ALPHA") && by_pattern(command) == Some(true)
        },
    },
    Known {
        reason: "some elements of a set in its own order are any elements",
        until: FOREVER,
        applies: |command| {
            is_sort(command)
                && by_pattern(command) == Some(false)
                && has(command, "LIMIT")
                && !has(command, "STORE")
        },
    },
    Known {
        reason: "scores are printed by Grisu2 from 7.2 on, in digests too",
        until: (7, 2),
        applies: |command| {
            let sorted_set = command[0].starts_with(b"Z") || command[0].starts_with(b"BZ");
            let is_broken = |word: &Vec<u8>| {
                let text = String::from_utf8_lossy(word);
                text.parse::<f64>().is_ok() && text.parse::<i64>().is_err()
            };
            sorted_set && command.iter().skip(1).any(is_broken) || has(command, "STOREDIST")
        },
    },
    Known {
        reason: "ZRANK and ZREVRANK have WITHSCORE, and so any option, since 7.2",
        until: (7, 2),
        applies: |command| command.len() > 3 && (is(command, "ZRANK") || is(command, "ZREVRANK")),
    },
    Known {
        reason: "a wait that is too long is called negative before 7.2",
        until: (7, 2),
        applies: |command| has(command, "inf") || has(command, "1e300"),
    },
    Known {
        reason: "7.2 runs a command that waited again, so another key's type may end it",
        until: (7, 2),
        applies: |command| {
            let pops =
                ["BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"].iter().any(|name| is(command, name));
            may_wait(command) && !(pops && command.len() == 3)
        },
    },
    Known {
        // Two redis-servers too end a step elsewhere if COUNT is below the number of keys.
        reason: "doc/compat.md: cursors of SCAN are our own",
        until: FOREVER,
        applies: |command| {
            let at = if is(command, "SCAN") { 1 } else { 2 };
            let scans = ["SCAN", "SSCAN", "HSCAN", "ZSCAN"].iter().any(|name| is(command, name));
            scans && (number(command, at) != Some(0) || !has(command, "1000"))
        },
    },
    Known {
        reason: "SCAN with TYPE said keymiss of keys past their time before 7.2",
        until: (7, 2),
        applies: |command| is(command, "SCAN") && has(command, "TYPE"),
    },
    Known {
        reason: "BITFIELD overflowed itself with numbers of 64 bits before 7.2",
        until: (7, 2),
        applies: |command| {
            let wide = |at| number(command, at).is_some_and(|n: i64| n.unsigned_abs() > 1 << 60);
            is(command, "BITFIELD") && (2..command.len()).any(wide)
        },
    },
    Known {
        reason: "XINFO tells when a consumer was active since 7.2",
        until: (7, 2),
        applies: |command| is(command, "XINFO") && command.len() > 3,
    },
    Known {
        reason: "a score beyond 53 bits, as a digest shows it, is rounded another way before 7.2",
        until: (7, 2),
        applies: |command| {
            let large = |word: &Vec<u8>| {
                let text = String::from_utf8_lossy(word);
                text.parse::<f64>().is_ok_and(|n| n.abs() > 1e15)
            };
            let sorted_set = command[0].starts_with(b"Z") || command[0].starts_with(b"BZ");
            sorted_set && command.iter().skip(1).any(large)
        },
    },
    Known {
        reason: "XSETID may go below the last entry that was deleted before 7.2",
        until: (7, 2),
        applies: |command| is(command, "XSETID"),
    },
    Known {
        reason: "trimming with a view to groups came with 8.2",
        until: (8, 2),
        applies: |command| {
            let trims = is(command, "XADD") || is(command, "XTRIM");
            trims && ["KEEPREF", "DELREF", "ACKED"].iter().any(|word| has(command, word))
        },
    },
    Known {
        reason: "XREADGROUP with CLAIM came with 8.4",
        until: (8, 4),
        applies: |command| is(command, "XREADGROUP") && has(command, "CLAIM"),
    },
    Known {
        reason: "who claims or reads is a consumer since 7.2, whether or not there is something",
        until: (7, 2),
        applies: |command| {
            ["XCLAIM", "XAUTOCLAIM", "XREADGROUP"].iter().any(|name| is(command, name))
        },
    },
    Known {
        reason: "XREAD speaks in other words of an ID that is missing since 7.2",
        until: (7, 2),
        applies: |command| {
            let behind = command.iter().rev().position(|w| w.eq_ignore_ascii_case(b"STREAMS"));
            command[0].to_ascii_uppercase().starts_with(b"XREAD")
                && behind.is_some_and(|n| !n.is_multiple_of(2))
        },
    },
    Known {
        reason: "lists and sets are listpacks since 7.2",
        until: (7, 2),
        applies: |command| is(command, "OBJECT"),
    },
];

/// Before 7.2, an encoding may differ: lists and sets are no listpacks, and ZADD counts elements
/// that it only changes less strictly; HSET counts the fields that are new, not those it is given.
pub(super) fn encodes_alike(kind: &str, version: (u32, u32)) -> bool {
    version >= (7, 2) || !matches!(kind, "list" | "set" | "zset" | "hash")
}

/// Before 7.2, a key past its time was shown by SCAN with TYPE, was no event in RESTORE, and did
/// not count as gone in WATCH.
pub(super) fn expires_alike(version: (u32, u32)) -> bool {
    version >= (7, 2)
}

/// Before 7.2, a consumer that a command makes on the way was no event and no change.
pub(super) fn tells_of_consumers(version: (u32, u32)) -> bool {
    version >= (7, 2)
}

/// Whether a command may make a consumer on the way; EXEC may run such a command.
pub(super) fn may_make_consumer(command: &Command) -> bool {
    ["XREADGROUP", "EXEC"].iter().any(|name| is(command, name))
}

/// Before 7.2, an element that goes to a client that waits for it counts as one change less.
pub(super) fn counts_what_is_served(version: (u32, u32)) -> bool {
    version >= (7, 2)
}

/// The reason why a command is left out beside this version.
pub(super) fn reason(command: &Command, version: (u32, u32)) -> Option<&'static str> {
    let known = KNOWN.iter().find(|known| version < known.until && (known.applies)(command));
    known.map(|known| known.reason)
}

fn is(command: &Command, name: &str) -> bool {
    command[0].eq_ignore_ascii_case(name.as_bytes())
}

fn is_restore(command: &Command) -> bool {
    is(command, "RESTORE") || is(command, "RESTORE-ASKING")
}

fn is_sort(command: &Command) -> bool {
    is(command, "SORT") || is(command, "SORT_RO")
}

fn has(command: &Command, word: &str) -> bool {
    command.iter().skip(1).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the pattern of BY is one; without a star it means the elements' own order.
fn by_pattern(command: &Command) -> Option<bool> {
    let at = command.iter().position(|word| word.eq_ignore_ascii_case(b"BY"))?;
    Some(command.get(at + 1)?.contains(&b'*'))
}

fn number(command: &Command, at: usize) -> Option<i64> {
    String::from_utf8_lossy(command.get(at)?).parse().ok()
}
