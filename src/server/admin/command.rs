//! COMMAND: the command table for clients. Everything is derived from the rows.

use crate::commands::find_keys::Found;
use crate::commands::spec::{self, Begin, Find, KeySpec};
use crate::commands::{CmdResult, Flow, arg};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::dispatch;
use crate::server::parts::{Call, Server};
use crate::server::parts::{Row, ServerRow};
use crate::util::glob;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("command", command),
    ("command|count", count),
    ("command|info", info),
    ("command|list", list),
    ("command|getkeys", getkeys),
    ("command|getkeysandflags", getkeysandflags),
];

/// A command or, as `container|sub`, a subcommand.
pub(crate) fn by_name(srv: &Server, name: &[u8]) -> Option<&'static Row> {
    let mut parts = name.splitn(2, |&c| c == b'|');
    let row = srv.table.lookup(parts.next()?)?;
    match parts.next() {
        None => Some(row),
        Some(sub) => crate::server::parts::Table::sub(row, sub),
    }
}

/// Commands in order of name, so that the reply is the same each time.
pub(crate) fn all(srv: &Server) -> Vec<(&[u8], &'static Row)> {
    let mut rows: Vec<_> = srv.table.commands().collect();
    rows.sort_by_key(|(name, _)| *name);
    rows
}

/// `COMMAND`. O(commands). Joins: table.
fn command(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.len() > 1 {
        return Err(errors::unknown_subcommand("command", call.argv[1]));
    }
    let rows = all(srv);
    call.reply.array(rows.len());
    rows.iter().for_each(|(_, row)| describe(call.reply, row));
    Ok(Flow::Done)
}

/// `COMMAND COUNT`. O(1). Joins: table.
fn count(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.len_int(srv.table.count());
    Ok(Flow::Done)
}

/// `COMMAND INFO [name ...]`. O(names). Joins: table.
fn info(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.len() == 2 {
        let rows = all(srv);
        call.reply.array(rows.len());
        rows.iter().for_each(|(_, row)| describe(call.reply, row));
        return Ok(Flow::Done);
    }
    call.reply.array(call.argv.len() - 2);
    for name in call.argv.from(2) {
        match by_name(srv, name) {
            Some(row) => describe(call.reply, row),
            None => call.reply.null(),
        }
    }
    Ok(Flow::Done)
}

fn describe(reply: &mut Reply, row: &Row) {
    let s = row.spec;
    reply.array(10);
    reply.bulk_str(s.name);
    reply.int(i64::from(s.arity));
    let flags: Vec<_> = s.flag_names().collect();
    reply.set(flags.len());
    flags.iter().for_each(|f| reply.status(f));
    let (first, last, step) = s.legacy;
    [first, last, step].iter().for_each(|n| reply.int(i64::from(*n)));
    let categories: Vec<_> = s.categories().collect();
    reply.set(categories.len());
    categories.iter().for_each(|c| reply.status(format!("@{c}")));
    reply.set(s.tips.len());
    s.tips.iter().for_each(|t| reply.bulk_str(t));
    reply.set(s.keys.len());
    s.keys.iter().for_each(|k| describe_keys(reply, k));
    // Compat: those of a command that has none are an empty set.
    match row.subs.len() {
        0 => reply.set(0),
        n => reply.array(n),
    }
    row.subs.iter().for_each(|sub| describe(reply, sub));
}

fn describe_keys(reply: &mut Reply, k: &KeySpec) {
    reply.map(3 + usize::from(k.note.is_some()));
    if let Some(note) = k.note {
        reply.bulk(b"notes");
        reply.bulk_str(note);
    }
    reply.bulk(b"flags");
    let flags: Vec<_> = KeySpec::flag_names(k.flags).collect();
    reply.set(flags.len());
    flags.iter().for_each(|f| reply.status(f));
    reply.bulk(b"begin_search");
    reply.map(2);
    reply.bulk(b"type");
    match &k.begin {
        Begin::Index(i) => {
            reply.bulk(b"index");
            numbers(reply, &[("index", *i as i64)]);
        }
        Begin::Keyword(word, from) => {
            reply.bulk(b"keyword");
            reply.bulk(b"spec");
            reply.map(2);
            reply.bulk(b"keyword");
            reply.bulk_str(word);
            reply.bulk(b"startfrom");
            reply.int(i64::from(*from));
        }
        Begin::Unknown => {
            reply.bulk(b"unknown");
            numbers(reply, &[]);
        }
    }
    reply.bulk(b"find_keys");
    reply.map(2);
    reply.bulk(b"type");
    match k.find {
        Find::Range { last, step, limit } => {
            reply.bulk(b"range");
            let of = i64::from;
            numbers(reply, &[("lastkey", of(last)), ("keystep", of(step)), ("limit", of(limit))]);
        }
        Find::KeyNum { at, first, step } => {
            reply.bulk(b"keynum");
            let fields = [("keynumidx", at), ("firstkey", first), ("keystep", step)];
            numbers(reply, &fields.map(|(n, v)| (n, v as i64)));
        }
        Find::Unknown => {
            reply.bulk(b"unknown");
            numbers(reply, &[]);
        }
    }
}

fn numbers(reply: &mut Reply, fields: &[(&str, i64)]) {
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (name, n) in fields {
        reply.bulk_str(name);
        reply.int(*n);
    }
}

/// `COMMAND LIST [FILTERBY MODULE name|ACLCAT category|PATTERN pattern]`. O(commands). Joins:
/// table.
fn list(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    enum By<'a> {
        All,
        Nothing,
        Category(u32),
        Pattern(&'a [u8]),
    }
    let by = match argv.len() {
        2 => By::All,
        5 if arg::is(argv[2], "filterby") => {
            if arg::is(argv[3], "module") {
                By::Nothing
            } else if arg::is(argv[3], "aclcat") {
                let wanted = String::from_utf8_lossy(argv[4]).to_ascii_lowercase();
                let bit = spec::CATEGORIES.iter().position(|c| *c == wanted);
                bit.map_or(By::Nothing, |bit| By::Category(1 << bit))
            } else if arg::is(argv[3], "pattern") {
                By::Pattern(argv.at(4))
            } else {
                return Err(errors::SYNTAX);
            }
        }
        _ => return Err(errors::SYNTAX),
    };
    let mut names: Vec<&[u8]> = Vec::new();
    for (_, row) in all(srv) {
        for row in std::iter::once(row).chain(row.subs.iter().copied()) {
            // Compat: the names that commands have of their own, whatever rename-command calls
            // them.
            let name = row.spec.name.as_bytes();
            let takes = match by {
                By::All => true,
                By::Nothing => false,
                By::Category(bit) => row.spec.acl & bit != 0,
                By::Pattern(p) => glob::matches(p, name, true),
            };
            if takes {
                names.push(name);
            }
        }
    }
    call.reply.array(names.len());
    names.iter().for_each(|n| call.reply.bulk(n));
    Ok(Flow::Done)
}

/// `COMMAND GETKEYS command [arg ...]`. O(arguments). Joins: table.
fn getkeys(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let args = call.argv.from(2);
    let keys = keys_of(srv, args)?;
    call.reply.array(keys.len());
    keys.iter().for_each(|(i, _)| call.reply.bulk(args[*i]));
    Ok(Flow::Done)
}

/// `COMMAND GETKEYSANDFLAGS command [arg ...]`. O(arguments). Joins: table.
fn getkeysandflags(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let args = call.argv.from(2);
    let keys = keys_of(srv, args)?;
    call.reply.array(keys.len());
    for (i, flags) in keys {
        call.reply.array(2);
        call.reply.bulk(args[i]);
        let names: Vec<_> = KeySpec::flag_names(flags).collect();
        call.reply.set(names.len());
        names.iter().for_each(|n| call.reply.status(n));
    }
    Ok(Flow::Done)
}

/// Positions and access flags of the keys among the arguments of a command.
fn keys_of(srv: &Server, args: &[&[u8]]) -> Result<Vec<Found>, CmdError> {
    let row = dispatch::find(srv.table, Argv::new(args))
        .map_err(|_| CmdError::new("ERR Invalid command specified"))?;
    if !row.spec.may_have_keys() {
        return Err(CmdError::new("ERR The command has no key arguments"));
    }
    if !row.spec.arity_ok(args.len()) {
        return Err(CmdError::new("ERR Invalid number of arguments specified for command"));
    }
    let keys = row.spec.keys_of(args);
    if keys.is_empty() && !row.has(spec::NO_MANDATORY_KEYS) {
        return Err(CmdError::new("ERR Invalid arguments specified for command"));
    }
    Ok(keys)
}
