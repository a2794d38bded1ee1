//! Commands that need the whole server: `fn(&mut Server, &mut Call) -> CmdResult`.
//!
//! Each says in its comment which parts it joins. Everything else is a data command.

pub(super) mod absent;
pub(super) mod acl;
pub(super) mod client;
mod client_filter;
pub(super) mod cluster;
pub(super) mod command;
pub(super) mod command_docs;
pub(super) mod commandlog;
pub(super) mod config;
pub(super) mod connection;
pub(super) mod databases;
pub(super) mod debug;
pub(super) mod dump;
pub(super) mod footprint;
pub(super) mod help;
mod help_looks;
pub(super) mod hotkeys;
pub(super) mod info;
pub(super) mod latency;
pub(super) mod latency_doctor;
pub(super) mod memory;
pub(super) mod metrics;
pub(super) mod migrate;
pub(super) mod module;
pub(super) mod monitor;
pub(super) mod multi;
mod page;
pub(super) mod persist;
pub(super) mod pubsub;
pub(super) mod replication;
mod replication_info;
pub(super) mod scripting;
pub(super) mod sentinel;
pub(super) mod server_info;
pub(super) mod survey;
pub(super) mod tracking;

use crate::server::parts::ServerRow;

/// The tables of a server.
pub(super) const TABLES: &[&[ServerRow]] = &[
    acl::COMMANDS,
    scripting::EVAL,
    scripting::FUNCTION,
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    command_docs::COMMANDS,
    commandlog::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    databases::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    help::COMMANDS,
    hotkeys::COMMANDS,
    latency::COMMANDS,
    memory::COMMANDS,
    migrate::COMMANDS,
    module::COMMANDS,
    monitor::COMMANDS,
    multi::COMMANDS,
    persist::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    server_info::COMMANDS,
    survey::COMMANDS,
    tracking::COMMANDS,
];

/// The tables of a Sentinel: those of a server, and what takes the place of some of their commands.
pub(super) fn sentinel_tables() -> Vec<&'static [ServerRow]> {
    TABLES.iter().copied().chain([sentinel::COMMANDS]).collect()
}
