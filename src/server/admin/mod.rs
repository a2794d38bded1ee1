//! Commands that need the whole server: `fn(&mut Server, &mut Call) -> CmdResult`.
//!
//! Each says in its comment which parts it joins. Everything else is a data command.

pub mod client;
pub mod cluster;
pub mod command;
pub mod command_docs;
pub mod config;
pub mod connection;
pub mod databases;
pub mod debug;
pub mod dump;
pub mod footprint;
pub mod help;
pub mod info;
pub mod latency;
pub mod memory;
pub mod migrate;
pub mod monitor;
pub mod multi;
pub mod persist;
pub mod pubsub;
pub mod server_info;
pub mod tracking;

use crate::resp::argv::Argv;
use crate::server::parts::table::{Row, ServerRow};

/// The tables of all files.
pub const TABLES: &[&[ServerRow]] = &[
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    command_docs::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    databases::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    help::COMMANDS,
    latency::COMMANDS,
    memory::COMMANDS,
    migrate::COMMANDS,
    monitor::COMMANDS,
    multi::COMMANDS,
    persist::COMMANDS,
    pubsub::COMMANDS,
    server_info::COMMANDS,
    tracking::COMMANDS,
];

/// What logs show instead of a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a command with its secrets replaced; None if it has none.
pub fn redact(row: &Row, argv: Argv<'_>) -> Option<Vec<Vec<u8>>> {
    let mut out = argv.to_owned();
    let mut hide = |i: usize| {
        if let Some(arg) = out.get_mut(i) {
            *arg = REDACTED.to_vec();
        }
    };
    match row.name() {
        // Compat: with more arguments than it can have, it is not recognised as one that holds a password.
        "auth" if argv.len() > 3 => return None,
        "auth" => (1..argv.len()).for_each(&mut hide),
        "hello" => {
            for (i, arg) in argv.iter().enumerate() {
                if arg.eq_ignore_ascii_case(b"auth") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        "migrate" => {
            for (i, arg) in argv.iter().enumerate().skip(6) {
                if arg.eq_ignore_ascii_case(b"auth") {
                    hide(i + 1);
                } else if arg.eq_ignore_ascii_case(b"auth2") {
                    hide(i + 1);
                    hide(i + 2);
                }
            }
        }
        "config|set" => {
            for i in (2..argv.len().saturating_sub(1)).step_by(2) {
                if crate::config::get_set::is_sensitive(argv[i]) {
                    hide(i + 1);
                }
            }
        }
        _ => return None,
    }
    Some(out)
}
