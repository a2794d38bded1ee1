//! COMMAND DOCS: what a command is for and what it takes, in the form that redis-cli makes hints from.
//!
//! The arguments are parsed from the row's syntax, so there is one text to keep right:
//! `word` a value, `WORD` a token, `[..]` optional, `<a|b>` or `a|b` one of, `x [x ...]` several.

use crate::commands::{CmdResult, Flow};
use crate::resp::reply::Reply;
use crate::server::admin::command::{all, by_name};
use crate::server::table::{Row, ServerRow};
use crate::server::{Call, Server};

pub const COMMANDS: &[ServerRow] = &[("command|docs", docs)];

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
    let args = parse(s.syntax);
    let deprecated = !s.deprecated.is_empty() && !s.is_syscmd();
    let flags: &[&str] = match (deprecated, s.is_syscmd()) {
        (true, _) => &["deprecated"],
        (_, true) => &["syscmd"],
        _ => &[],
    };
    let fields = 4
        + usize::from(!flags.is_empty())
        + 2 * usize::from(deprecated)
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
    text("complexity", s.complexity);
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
    if !args.is_empty() {
        let mut keys = s.keys.len();
        reply.bulk(b"arguments");
        write_args(reply, &args, &mut keys);
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

/// One argument of a command.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Arg {
    name: String,
    /// The word before the value, or the word itself when there is no value.
    token: Option<String>,
    kind: Kind,
    optional: bool,
    multiple: bool,
    /// The token is repeated with each value.
    multiple_token: bool,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Kind {
    #[default]
    Value,
    Token,
    OneOf(Vec<Arg>),
    Block(Vec<Arg>),
}

fn write_args(reply: &mut Reply, args: &[Arg], keys: &mut usize) {
    reply.array(args.len());
    for a in args {
        write_arg(reply, a, keys);
    }
}

fn value_type(name: &str) -> &'static str {
    const INTEGERS: [&str; 16] = [
        "seconds",
        "milliseconds",
        "count",
        "numkeys",
        "offset",
        "start",
        "end",
        "port",
        "timeout",
        "index",
        "increment",
        "decrement",
        "cursor",
        "ttl",
        "min-match-len",
        "numreplicas",
    ];
    if name == "key"
        || name.starts_with("key") && name[3..].bytes().all(|c| c.is_ascii_digit())
        || ["source", "destination", "newkey"].contains(&name)
    {
        "key"
    } else if name == "pattern" {
        "pattern"
    } else if name.starts_with("unix-time") {
        "unix-time"
    } else if INTEGERS.contains(&name) {
        "integer"
    } else {
        "string"
    }
}

fn write_arg(reply: &mut Reply, a: &Arg, keys: &mut usize) {
    let kind = match &a.kind {
        Kind::Value => value_type(&a.name),
        Kind::Token => "pure-token",
        Kind::OneOf(_) => "oneof",
        Kind::Block(_) => "block",
    };
    let is_key = kind == "key" && *keys > 0;
    let flags: Vec<&str> =
        [(a.optional, "optional"), (a.multiple, "multiple"), (a.multiple_token, "multiple_token")]
            .iter()
            .filter(|f| f.0)
            .map(|f| f.1)
            .collect();
    let nested = matches!(a.kind, Kind::OneOf(_) | Kind::Block(_));
    let fields = 2
        + usize::from(!nested)
        + usize::from(is_key)
        + usize::from(a.token.is_some())
        + usize::from(!flags.is_empty())
        + usize::from(nested);
    reply.map(fields);
    reply.bulk(b"name");
    reply.bulk_str(&a.name);
    reply.bulk(b"type");
    reply.bulk_str(kind);
    if !nested {
        reply.bulk(b"display_text");
        reply.bulk_str(&a.name);
    }
    if is_key {
        reply.bulk(b"key_spec_index");
        reply.int(0);
    }
    if let Some(token) = &a.token {
        reply.bulk(b"token");
        reply.bulk_str(token);
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.array(flags.len());
        flags.iter().for_each(|f| reply.status(f));
    }
    if let Kind::OneOf(inner) | Kind::Block(inner) = &a.kind {
        reply.bulk(b"arguments");
        write_args(reply, inner, keys);
    }
}

/// Parses a syntax line.
fn parse(syntax: &str) -> Vec<Arg> {
    let spaced: String = syntax
        .chars()
        .flat_map(|c| match c {
            '[' | ']' | '<' | '>' | '|' => vec![' ', c, ' '],
            c => vec![c],
        })
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    sequence(&words, &mut at)
}

/// Reads arguments up to a closing bracket or the end.
fn sequence(words: &[&str], at: &mut usize) -> Vec<Arg> {
    let mut choices: Vec<Vec<Arg>> = vec![Vec::new()];
    while let Some(&word) = words.get(*at) {
        *at += 1;
        let current = choices.last_mut().expect("never empty");
        match word {
            "]" | ">" => break,
            "|" => choices.push(Vec::new()),
            "<" => current.extend(one(sequence(words, at))),
            "[" => optional(words, at, current),
            "..." => {}
            word => current.push(leaf(word)),
        }
    }
    if choices.len() == 1 {
        return join_tokens(choices.pop().expect("one"));
    }
    // `a | b c` at the top of a group: alternatives; whatever precedes the first bar in the same
    // sequence belongs to the first alternative.
    let options: Vec<Arg> = choices.into_iter().flat_map(|c| one(join_tokens(c))).collect();
    let name = options.first().map_or(String::new(), |a| a.name.clone());
    vec![Arg { name, kind: Kind::OneOf(options), ..Arg::default() }]
}

/// `[x ...]` behind an `x` makes it repeatable; any other bracket is an optional argument.
fn optional(words: &[&str], at: &mut usize, current: &mut Vec<Arg>) {
    let start = *at;
    let inner = sequence(words, at);
    let repeats = words[start..*at].contains(&"...");
    if repeats {
        let tail = current.len().saturating_sub(inner.len());
        let same = current.len() >= inner.len()
            && current[tail..].iter().zip(&inner).all(|(a, b)| a.name == b.name);
        if same && !inner.is_empty() {
            let group: Vec<Arg> = current.drain(tail..).collect();
            current.extend(one(group).map(|a| Arg { multiple: true, ..a }));
            return;
        }
        // `[section [section ...]]` and `[key ...]`.
        current.extend(one(inner).map(|a| Arg { optional: true, multiple: true, ..a }));
        return;
    }
    current.extend(one(inner).map(|a| Arg { optional: true, ..a }));
}

/// Several arguments as one: themselves if it is one, else a block.
fn one(mut args: Vec<Arg>) -> Option<Arg> {
    match args.len() {
        0 => None,
        1 => args.pop(),
        _ => {
            let name = args[0].name.clone();
            Some(Arg { name, kind: Kind::Block(args), ..Arg::default() })
        }
    }
}

fn leaf(word: &str) -> Arg {
    let token = word.bytes().any(|c| c.is_ascii_uppercase())
        && !word.bytes().any(|c| c.is_ascii_lowercase());
    Arg {
        name: word.trim_matches('"').to_ascii_lowercase(),
        token: token.then(|| word.to_string()),
        kind: if token { Kind::Token } else { Kind::Value },
        ..Arg::default()
    }
}

/// `EX seconds`: a token and the value behind it are one argument.
fn join_tokens(args: Vec<Arg>) -> Vec<Arg> {
    let mut out: Vec<Arg> = Vec::new();
    for a in args {
        match out.last_mut() {
            Some(t) if t.kind == Kind::Token && a.token.is_none() && !a.optional => {
                let token = t.token.take();
                *t = Arg { token, ..a };
            }
            _ => out.push(a),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_becomes_arguments() {
        let set = parse("key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]");
        assert_eq!(set.len(), 5);
        assert_eq!((set[0].name.as_str(), &set[0].kind), ("key", &Kind::Value));
        let Kind::OneOf(options) = &set[2].kind else { panic!("{:?}", set[2]) };
        assert!(set[2].optional && options.len() == 2 && options[0].kind == Kind::Token);
        let Kind::OneOf(options) = &set[4].kind else { panic!("{:?}", set[4]) };
        assert_eq!(options[0].token.as_deref(), Some("EX"));
        assert_eq!((options[0].name.as_str(), &options[0].kind), ("seconds", &Kind::Value));
        assert_eq!(options[2].kind, Kind::Token);
    }

    #[test]
    fn repetition_is_understood() {
        let del = parse("key [key ...]");
        assert_eq!((del.len(), del[0].multiple, del[0].optional), (1, true, false));
        let mset = parse("key value [key value ...]");
        assert!(mset.len() == 1 && mset[0].multiple && matches!(mset[0].kind, Kind::Block(_)));
        let info = parse("[section [section ...]]");
        assert!(info.len() == 1 && info[0].optional);
    }

    #[test]
    fn every_row_parses() {
        for spec in crate::commands::spec::all() {
            let args = parse(spec.syntax);
            assert_eq!(args.is_empty(), spec.syntax.is_empty(), "{}", spec.name);
        }
    }
}
