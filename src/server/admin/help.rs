//! HELP of every container command: its subcommands with a line on each.

use crate::commands::{CmdResult, Flow};
use crate::resp::reply::Reply;
use crate::server::table::{ServerRow, Table};
use crate::server::{Call, Server};

pub const COMMANDS: &[ServerRow] = &[
    ("client|help", derived),
    ("command|help", derived),
    ("config|help", derived),
    ("latency|help", derived),
    ("memory|help", derived),
    ("object|help", derived),
    ("pubsub|help", derived),
    ("slowlog|help", derived),
];

/// Writes help text in Redis's form: a head line, then syntax and explanation of each subcommand.
pub fn write(reply: &mut Reply, command: &str, lines: &[(&str, &str)]) {
    reply.array(1 + 2 * lines.len() + 2);
    let head = format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    reply.status(head);
    let mut entry = |syntax: &str, text: &str| {
        reply.status(syntax);
        reply.status(format!("    {text}"));
    };
    lines.iter().for_each(|(syntax, text)| entry(syntax, text));
    entry("HELP", "Print this help.");
}

/// `<container> HELP`, made from the command table. Joins: table.
fn derived(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let container = call.row.spec.container().unwrap_or_default();
    let Some(row) = srv.table.rows().iter().find(|r| r.name() == container) else {
        return Ok(Flow::Done);
    };
    debug_assert!(Table::sub(row, b"help").is_some());
    let lines: Vec<(String, &str)> = row
        .subs
        .iter()
        .filter(|s| s.spec.sub() != Some("help"))
        .map(|s| {
            let name = s.spec.sub().unwrap_or_default().to_ascii_uppercase();
            (format!("{name} {}", s.spec.syntax).trim_end().to_string(), s.spec.summary)
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(s, t)| (s.as_str(), *t)).collect();
    write(call.reply, &container.to_ascii_uppercase(), &lines);
    Ok(Flow::Done)
}
