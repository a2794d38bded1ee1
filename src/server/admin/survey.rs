//! What the survey of keys has found (MEMORY BIGKEYS, MEMORY PREFIXES), and INFO's keysizes.

use crate::commands::{CmdResult, Flow, arg};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::server::parts::survey::{By, List, MAX_TOLD};
use crate::server::parts::{Call, Server, ServerRow};
use crate::util::lines::Lines;
use crate::value::{Type, ValueRef, View};

pub(crate) const COMMANDS: &[ServerRow] =
    &[("memory|bigkeys", bigkeys), ("memory|prefixes", prefixes)];

/// What is told if nothing else is asked for.
const TOLD: usize = 10;

/// What BIGKEYS is asked for.
struct Wanted {
    count: usize,
    by: By,
    of: Option<Type>,
    db: Option<u32>,
}

fn wanted(argv: Argv<'_>) -> Result<Wanted, CmdError> {
    let mut wanted = Wanted { count: TOLD, by: By::Bytes, of: None, db: None };
    let mut options = arg::Options::new(argv, 2);
    while let Some(word) = options.next() {
        let word = arg::lower(word);
        if options.remaining() == 0 {
            return Err(errors::SYNTAX);
        }
        let value = options.value()?;
        match word.as_slice() {
            b"count" => wanted.count = count(value)?,
            b"by" if arg::is(value, "bytes") => wanted.by = By::Bytes,
            b"by" if arg::is(value, "elements") => wanted.by = By::Elements,
            b"type" => {
                let name = arg::lower(value);
                let of = Type::STORED.iter().find(|of| of.name().as_bytes() == name.as_slice());
                wanted.of = Some(*of.ok_or(CmdError::new("ERR unknown type name"))?);
            }
            b"db" => {
                wanted.db = Some(arg::int_in(value, 0, i64::from(u32::MAX), OUT_OF_RANGE)? as u32)
            }
            _ => return Err(errors::SYNTAX),
        }
    }
    Ok(wanted)
}

const OUT_OF_RANGE: &str = "value is out of range";

fn count(text: &[u8]) -> Result<usize, CmdError> {
    const TEXT: &str = "COUNT must be between 1 and 64";
    Ok(arg::int_in(text, 1, MAX_TOLD as i64, TEXT)? as usize)
}

fn off() -> CmdError {
    CmdError::new("ERR the keys are not surveyed: CONFIG SET key-survey yes")
}

/// `MEMORY BIGKEYS [COUNT n] [BY BYTES|ELEMENTS] [TYPE type] [DB n]`: the largest keys of each type
/// in each database. O(keys told). Joins: survey.
fn bigkeys(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let wanted = wanted(call.argv)?;
    if !srv.survey.on {
        return Err(off());
    }
    let reply = &mut *call.reply;
    let lists: Vec<&List> = srv
        .survey
        .board()
        .iter()
        .flat_map(|board| &board.lists)
        .filter(|list| wanted.of.is_none_or(|of| of == list.of))
        .filter(|list| wanted.db.is_none_or(|db| db == list.db))
        .collect();
    let tops: Vec<_> = lists.iter().map(|list| list.by(wanted.by).top(wanted.count)).collect();
    let complete = srv.survey.board().is_some() && tops.iter().all(|(_, certain)| *certain);
    reply.map(2);
    reply.bulk(b"complete");
    reply.int(i64::from(complete));
    reply.bulk(b"keys");
    reply.array(tops.iter().map(|(top, _)| top.len()).sum());
    for (list, (top, _)) in lists.iter().zip(&tops) {
        for (key, size) in top {
            reply.map(4);
            reply.bulk(b"db");
            reply.int(i64::from(list.db));
            reply.bulk(b"type");
            reply.bulk_str(list.of.name());
            reply.bulk(b"key");
            reply.bulk(key);
            reply.bulk(match wanted.by {
                By::Bytes => b"bytes",
                By::Elements => b"elements",
            });
            reply.int(*size as i64);
        }
    }
    if !complete {
        // Too many of the largest have gone since the last pass.
        srv.survey.look_again();
    }
    Ok(Flow::Done)
}

/// `MEMORY PREFIXES [COUNT n]`: the groups of keys with the same prefix that take most, as the
/// latest pass has found them. O(groups). Joins: survey, hotkeys.
fn prefixes(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let n = match call.argv.from(2) {
        [] => TOLD,
        [word, value] if arg::is(word, "count") => count(value)?,
        _ => return Err(errors::SYNTAX),
    };
    if !srv.survey.on {
        return Err(off());
    }
    let reply = &mut *call.reply;
    let Some(board) = srv.survey.board() else {
        reply.map(2);
        reply.bulk(b"complete");
        reply.int(0);
        reply.bulk(b"prefixes");
        reply.array(0);
        return Ok(Flow::Done);
    };
    let groups = &board.groups;
    let top = groups.bytes.top(n);
    let requests = srv.hotkeys.as_ref().and_then(|s| Some((s.prefixes.as_ref()?, s.sample)));
    reply.map(5);
    for (name, n) in [
        ("complete", i64::from(!board.outdated)),
        ("age-ms", srv.clock.now_ms - board.ended_ms),
        ("total-keys", groups.keys.total() as i64),
        ("total-bytes", groups.bytes.total() as i64),
    ] {
        reply.bulk_str(name);
        reply.int(n);
    }
    reply.bulk(b"prefixes");
    reply.array(top.len());
    for group in top {
        let keys = groups.keys.of(group.key);
        let mut figures = vec![
            ("keys", keys.map_or(0, |heavy| heavy.weight)),
            ("keys-error", keys.map_or(groups.keys.most_unknown(), |heavy| heavy.error)),
            ("bytes", group.weight),
            ("bytes-error", group.error),
        ];
        if let Some((prefixes, sample)) = requests {
            let heavy = prefixes.of(group.key);
            let error = heavy.map_or(prefixes.most_unknown(), |heavy| heavy.error);
            figures.push(("requests", heavy.map_or(0, |heavy| heavy.weight) * sample));
            figures.push(("requests-error", error * sample));
        }
        reply.map(1 + figures.len());
        reply.bulk(b"prefix");
        reply.bulk(group.key);
        for (name, n) in figures {
            reply.bulk_str(name);
            reply.int(n as i64);
        }
    }
    Ok(Flow::Done)
}

/// INFO keysizes, as Redis 8 has it: of each type how many keys have so many elements, or bytes if
/// they are strings, counted at powers of two. Nothing is kept for it; all keys are looked at.
pub(super) fn keysizes(srv: &Server, o: &mut Lines) {
    const TYPES: [(Type, &str); 5] = [
        (Type::String, "strings_sizes"),
        (Type::List, "lists_items"),
        (Type::Set, "sets_items"),
        (Type::ZSet, "zsets_items"),
        (Type::Hash, "hashes_items"),
    ];
    for (n, store) in srv.ks.iter() {
        let mut counts = [[0u64; 65]; Type::COUNT];
        for entry in store.iter() {
            let len = match entry.value() {
                ValueRef::Object(object) => object.len() as u64,
                _ => crate::server::engine::survey::size(entry).elements,
            };
            let bin = len.checked_ilog2().map_or(0, |power| power as usize + 1);
            counts[entry.value_type() as usize][bin] += 1;
        }
        for (of, name) in TYPES {
            let bins = counts[of as usize].iter().enumerate().filter(|(_, keys)| **keys > 0);
            let shown: Vec<String> =
                bins.map(|(bin, keys)| format!("{}={keys}", label(bin))).collect();
            if !shown.is_empty() {
                o.add(&format!("db{n}_distrib_{name}"), shown.join(","));
            }
        }
    }
}

/// What the smallest size of a bin is called: 0, 1, 2, .. 512, 1K, 2K, .. 1M ..
fn label(bin: usize) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    match bin.checked_sub(1) {
        None => "0".to_owned(),
        Some(power) => format!("{}{}", 1u64 << (power % 10), UNITS[power / 10]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bins_are_named_by_their_smallest_size() {
        let labels: Vec<String> = [0, 1, 2, 10, 11, 21, 64].map(super::label).into();
        assert_eq!(labels, ["0", "1", "2", "512", "1K", "1M", "8E"]);
    }
}
