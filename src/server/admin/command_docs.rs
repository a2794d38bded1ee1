//! COMMAND DOCS: what a command is for and what it takes. redis-cli makes its hints from this.
//!
//! The arguments are parsed from the row (`commands/arguments.rs`), so there is one text to keep
//! right.

use crate::commands::arguments::{self, Arg, Kind};
use crate::commands::{CmdResult, Flow, history};
use crate::resp::reply::Reply;
use crate::server::admin::command::{all, by_name};
use crate::server::parts::{Call, Server};
use crate::server::parts::{Row, ServerRow};

pub(crate) const COMMANDS: &[ServerRow] = &[("command|docs", docs)];

/// `COMMAND DOCS [name ...]`. O(names). Joins: table.
fn docs(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let rows: Vec<&'static Row> = match call.argv.len() {
        2 => all(srv).into_iter().map(|(_, row)| row).collect(),
        _ => call.argv.from(2).iter().filter_map(|name| by_name(srv, name)).collect(),
    };
    call.reply.map(rows.len());
    for row in rows {
        call.reply.bulk_str(row.name());
        describe(call.reply, row);
    }
    Ok(Flow::Done)
}

fn describe(reply: &mut Reply, row: &Row) {
    let s = row.spec;
    let args = arguments::parse(s.arguments);
    let changes = history::of(s.name);
    let deprecated = !s.deprecated.is_empty() && !s.is_syscmd();
    let flags: &[&str] = match (deprecated, s.is_syscmd()) {
        (true, _) => &["deprecated"],
        (_, true) => &["syscmd"],
        _ => &[],
    };
    let fields = 3
        + usize::from(!s.complexity.is_empty())
        + usize::from(!flags.is_empty())
        + 2 * usize::from(deprecated)
        + usize::from(!changes.is_empty())
        + usize::from(!args.is_empty())
        + usize::from(!row.subs.is_empty());
    reply.map(fields);
    let mut text = |name: &str, value: &str| {
        reply.bulk_str(name);
        reply.bulk_str(value);
    };
    text("summary", s.summary);
    text("since", s.since);
    text("group", if s.group == "sorted_set" { "sorted-set" } else { s.group });
    if !s.complexity.is_empty() {
        text("complexity", s.complexity);
    }
    if !flags.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(flags.len());
        flags.iter().for_each(|f| reply.status(f));
    }
    if deprecated {
        let (since, instead) = s.deprecated.split_once(' ').unwrap_or((s.deprecated, ""));
        reply.bulk(b"deprecated_since");
        reply.bulk_str(since);
        reply.bulk(b"replaced_by");
        reply.bulk_str(instead);
    }
    if !changes.is_empty() {
        reply.bulk(b"history");
        reply.set(changes.len());
        for change in changes {
            reply.array(2);
            reply.bulk_str(change.version);
            reply.bulk_str(change.what);
        }
    }
    if !args.is_empty() {
        reply.bulk(b"arguments");
        write_args(reply, &args);
    }
    if !row.subs.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(row.subs.len());
        for sub in &row.subs {
            reply.bulk_str(sub.name());
            describe(reply, sub);
        }
    }
}

fn write_args(reply: &mut Reply, args: &[Arg<'_>]) {
    reply.array(args.len());
    args.iter().for_each(|a| write_arg(reply, a));
}

fn write_arg(reply: &mut Reply, a: &Arg<'_>) {
    let nested = match &a.kind {
        Kind::OneOf(inner) | Kind::Block(inner) => Some(inner),
        _ => None,
    };
    let flags =
        [(a.optional, "optional"), (a.multiple, "multiple"), (a.multiple_token, "multiple_token")];
    let flags: Vec<&str> = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
    let texts = [
        ("name", Some(a.name)),
        ("type", Some(a.kind.name())),
        ("display_text", if nested.is_some() { None } else { Some(a.display.unwrap_or(a.name)) }),
    ];
    let more = [("token", a.token), ("since", a.since), ("deprecated_since", a.deprecated)];
    let given = texts.iter().chain(&more).filter(|t| t.1.is_some()).count();
    let others = [a.key_spec.is_some(), !flags.is_empty(), nested.is_some()];
    reply.map(given + others.iter().filter(|o| **o).count());
    let write = |reply: &mut Reply, fields: &[(&str, Option<&str>)]| {
        for (name, text) in fields {
            if let Some(text) = text {
                reply.bulk_str(name);
                reply.bulk_str(text);
            }
        }
    };
    write(reply, &texts);
    if let Some(number) = a.key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(i64::from(number));
    }
    write(reply, &more);
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|f| reply.status(f));
    }
    if let Some(inner) = nested {
        reply.bulk(b"arguments");
        write_args(reply, inner);
    }
}
