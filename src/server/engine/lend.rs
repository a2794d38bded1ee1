//! Moves a large argument into what keeps it, instead of copying it.
//!
//! A command only borrows its arguments. So an argument that is lent moves after the command:
//!
//! ```text
//! begin    the owner lends an argument
//!   (run)    SET stores an empty value in its place (`Effects::keep`); MULTI queues an empty
//!            argument
//! end      who asked for it, if anybody
//! give     the owner moves it there
//! ```
//! Nobody sees the empty value. Events, MONITOR and the stream take the arguments, and no other
//! command reads the key before the value has come.

use crate::commands::string::KEEPERS;
use crate::keyspace::effects;
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::argv::Argv;
use crate::resp::large::LARGE;
use crate::server::engine::survey;
use crate::server::parts::exec::Keeper;
use crate::server::parts::{Row, Server};
use crate::value::Value;
use crate::value::string::StrBuf;

/// Lends the large argument at `index` to a command that is going to run.
pub(crate) fn begin(srv: &mut Server, argv: Argv<'_>, index: usize) {
    srv.exec.lent = Some(index);
    let row = srv.table.lookup(argv[0]);
    if row.is_some_and(|row| may_keep(row, argv) == Some(index)) {
        srv.exec.armed |= effects::LENT;
    }
}

/// The command has run. Says who gets the argument.
pub(crate) fn end(srv: &mut Server) -> Option<Keeper> {
    srv.exec.lent = None;
    srv.exec.armed &= !effects::LENT;
    srv.exec.kept.take()
}

/// The argument that a command may keep. It is the only large one, so that it can't be mistaken for
/// another.
pub(crate) fn may_keep(row: &Row, argv: Argv<'_>) -> Option<usize> {
    let index = argv.iter().position(|arg| arg.len() >= LARGE)?;
    let only = argv[index + 1..].iter().all(|arg| arg.len() < LARGE);
    (only && KEEPERS.contains(&row.name())).then_some(index)
}

/// Moves an argument to who asked for it.
pub(crate) fn give(srv: &mut Server, keeper: Keeper, argument: Vec<u8>) {
    match keeper {
        Keeper::Key(kept) => {
            let store = srv.ks.db_mut(kept.db as usize);
            let value = SetValue::Owned(Value::Str(StrBuf::raw(argument)));
            if let Some(mut entry) = store.find_mut(store.key(&kept.key)) {
                entry.set_value(value, Expire::Keep);
            }
            if srv.survey.on {
                // It has seen the empty value.
                survey::changed(srv, kept.db, &kept.key);
            }
        }
        Keeper::Queue { client, argument: index } => {
            let multi = srv.clients.session_mut(client).and_then(|s| s.multi.as_mut());
            if let Some(queued) = multi.and_then(|multi| multi.queue.last_mut()) {
                queued.argv[index] = argument;
            }
        }
    }
}
