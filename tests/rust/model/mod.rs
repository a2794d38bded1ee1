//! Servers under random commands. Two runs share one generator (`grammar`, `generate`):
//!
//! - `replay`: the stream of writes of one server is fed into a second one, which must then hold
//!   the same;
//! - `differential`: the same commands for our server and for a redis-server, which must answer the
//!   same.
//!
//! A fault is shrunk (`shrink`) before it is printed, with the seed that repeats the run:
//! `REDUST_SEED=n cargo test --test redust model`, or `random`. `REDUST_COMMANDS=n` runs longer, or
//! shorter, and `REDUST_SERVER` names another server than the one that cargo has built.

mod client;
mod differential;
mod generate;
mod grammar;
mod known;
mod picture;
mod process;
mod replay;
mod shrink;
mod side;
mod step;

use std::collections::BTreeSet;
use std::io::Write;

use side::{Side, words};

/// How a fault begins that is the end of a server.
const GONE: &str = "a server is gone";

/// Says something even when the test passes, which `println!` does not.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How many commands a run sends; `usual` unless the environment says otherwise.
fn commands(usual: usize) -> usize {
    let text = std::env::var("REDUST_COMMANDS").ok();
    text.map_or(usual, |text| text.parse().expect("REDUST_COMMANDS is a number"))
}

/// The names of a server's commands: of those with one of the flags, or of all.
fn names_of(side: &mut Side, flags: &[&str]) -> BTreeSet<String> {
    let all = side.admin.words("COMMAND").expect("a list of commands");
    let has = |row: &client::Value| {
        row.members()[2].members().iter().any(|flag| flags.contains(&flag.text().as_str()))
    };
    let rows = all.members().iter().filter(|row| flags.is_empty() || has(row));
    rows.map(|row| row.members()[0].text()).collect()
}

/// Payloads for RESTORE: one of each type and of most encodings.
fn dumps(side: &mut Side, later: bool) -> Vec<Vec<u8>> {
    let mut lines = vec![
        "SET d some-text".to_owned(),
        "SET d 12345".to_owned(),
        "RPUSH d a b 3".to_owned(),
        format!("RPUSH d {}", vec!["0123456789"; 40].join(" ")),
        "SADD d 1 2 3".to_owned(),
        "SADD d a b c".to_owned(),
        "HSET d f1 v1 f2 2".to_owned(),
        "ZADD d 1 a 2.5 b".to_owned(),
        format!("HSET d f1 {}", "x".repeat(200)),
        "XADD d 5-1 f1 v1 f2 2".to_owned(),
    ];
    if later {
        // Beyond what the replay moves: nothing can move a time within a payload.
        lines.push("HSETEX d PXAT 9000000000000 FIELDS 2 f1 v1 f2 2".to_owned());
    }
    let mut dumps = Vec::new();
    for line in lines {
        let replies = side.ask_all(&[words("DEL d"), words(&line), words("DUMP d")]);
        dumps.push(replies.expect("a payload")[2].bytes().to_vec());
    }
    side.admin.words("DEL d").expect("an answer");
    dumps
}
