//! Data commands: functions over one database, `fn(&mut Ctx) -> CmdResult`.
//!
//! A command sees its arguments, the database, the reply and the record of effects. It can't name a
//! client or a socket. So the same function serves a client, EXEC, a script, a replica and a
//! replayed file, and it is tested without any of them. Each file opens with its table of handlers;
//! names, arities, flags and keys are in `table.tsv` (see `spec`).

pub(crate) mod arg;
pub(crate) mod arguments;
pub(crate) mod bitfield;
pub(crate) mod bitmap;
pub(crate) mod expire;
pub(crate) mod find_keys;
pub(crate) mod geo;
pub(crate) mod hash;
pub(crate) mod history;
pub(crate) mod hll;
pub(crate) mod keys;
pub(crate) mod keys_info;
pub(crate) mod lcs;
pub(crate) mod list;
pub(crate) mod own;
pub(crate) mod scan;
pub(crate) mod set;
pub(crate) mod sort;
pub(crate) mod spec;
pub(crate) mod stream;
pub(crate) mod string;
pub(crate) mod string_multi;
pub(crate) mod zset;

use crate::keyspace::db::DbMut;
use crate::keyspace::effects::Effects;
use crate::keyspace::env::Env;
use crate::keyspace::limits::Limits;
use crate::keyspace::waiting::{Wait, Waiting, Wants};
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::resp::reply::{Nothing, Reply};
use crate::value::Type;

/// Everything a data command may touch, as separate public parts: destructure, do not add getters.
pub(crate) struct Ctx<'a> {
    pub db: DbMut<'a>,
    pub argv: Argv<'a>,
    pub reply: &'a mut Reply,
    pub fx: &'a mut Effects,
    /// Encoding thresholds and size limits; not the whole configuration.
    pub limits: &'a Limits,
    pub env: &'a Env,
}

/// What a command asks of the dispatcher once it has run.
#[derive(Debug)]
pub(crate) enum Flow {
    Done,
    /// Nothing to serve the client with: it waits.
    Block(Box<Wait>),
}

impl Flow {
    /// Waits until one of the keys holds a value of a type, to run again then. Compat: a deletion
    /// wakes nobody here.
    fn until_there(env: &Env, keys: &[&[u8]], holds: Type, until_ms: Option<i64>) -> Flow {
        let waiting = Waiting::Keys {
            db: env.db,
            keys: keys.iter().map(|key| key.to_vec()).collect(),
            wants: Wants { holds: Some(holds), wakes_on_deletion: false },
            reads: None,
            nothing: Nothing::NullArray,
        };
        Flow::Block(Box::new(Wait::new(waiting, until_ms)))
    }
}

pub(crate) type CmdResult = Result<Flow, CmdError>;
pub(crate) type DataHandler = fn(&mut Ctx<'_>) -> CmdResult;
/// One row of a file's table: the command's name as in `table.tsv`, and its function.
pub(crate) type DataRow = (&'static str, DataHandler);

/// The tables of all files.
pub(crate) const TABLES: &[&[DataRow]] = &[
    string::COMMANDS,
    string_multi::COMMANDS,
    lcs::COMMANDS,
    keys::COMMANDS,
    keys_info::COMMANDS,
    expire::COMMANDS,
    scan::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    set::random::COMMANDS,
    set::algebra::COMMANDS,
    hash::COMMANDS,
    hash::random::COMMANDS,
    hash::field_expire::COMMANDS,
    hash::field_values::COMMANDS,
    zset::COMMANDS,
    zset::range::COMMANDS,
    zset::store::COMMANDS,
    zset::pop::COMMANDS,
    stream::COMMANDS,
    stream::add::COMMANDS,
    stream::idempotent::COMMANDS,
    stream::release::COMMANDS,
    stream::read::COMMANDS,
    stream::group::COMMANDS,
    stream::claim::COMMANDS,
    stream::refs::COMMANDS,
    stream::info::COMMANDS,
    bitmap::COMMANDS,
    bitfield::COMMANDS,
    hll::COMMANDS,
    geo::COMMANDS,
    geo::search::COMMANDS,
    sort::COMMANDS,
];
