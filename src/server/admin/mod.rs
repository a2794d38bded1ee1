//! Commands that need the whole server: `fn(&mut Server, &mut Call) -> CmdResult`.
//!
//! Each says in its comment which parts it joins. Everything else is a data command.

pub mod absent;
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

use crate::server::parts::ServerRow;

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
