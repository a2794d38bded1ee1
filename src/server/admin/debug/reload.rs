//! DEBUG RELOAD and DEBUG LOADAOF: the data as it would be after a restart, without one.

use crate::commands::arg;
use crate::resp::errors::{self, CmdError};
use crate::server::jobs::aof::load::Outcome;
use crate::server::jobs::aof::{self, files, flush};
use crate::server::jobs::{children, load, save};
use crate::server::parts::{Call, Server};
use crate::server::reactor::turn;

pub(crate) fn snapshot(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    refuse_while_loading(srv)?;
    let (mut save, mut flush, mut merge) = (true, true, false);
    for word in call.argv.from(2) {
        match arg::lower(word).as_slice() {
            b"nosave" => save = false,
            b"noflush" => flush = false,
            b"merge" => merge = true,
            _ => {
                return Err(CmdError::new(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    const FAILED: CmdError =
        CmdError::new("ERR Error trying to load the RDB dump, check server logs.");
    if save {
        children::kill(srv);
        save::foreground(srv).map_err(|()| CmdError::new("ERR"))?;
    }
    let present = match (merge, flush) {
        (true, _) => load::Present::Overwritten,
        (false, false) => load::Present::Kept,
        (false, true) => load::Present::Replaced,
    };
    match load::from_disk(srv, present, turn::serve_while_busy) {
        Ok(load::FromDisk::Loaded) => {}
        Ok(load::FromDisk::Absent) => return Err(FAILED),
        Err(e) => {
            crate::log!(Warning, "DEBUG RELOAD: {e}");
            return Err(FAILED);
        }
    }
    crate::log!(Warning, "DB reloaded by DEBUG RELOAD");
    call.reply.ok();
    Ok(())
}

/// Not in Redis: half of the data would be saved over the whole, or the rest of a file would be run
/// on top of all of it.
fn refuse_while_loading(srv: &Server) -> Result<(), CmdError> {
    if srv.loading.is_some() { Err(errors::LOADING) } else { Ok(()) }
}

/// Empties the databases and reads the append-only files again. If that fails, there is what could
/// be read.
pub(crate) fn append_only_files(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    refuse_while_loading(srv)?;
    flush::flush_all(srv);
    let old = srv.ks.flush(None, srv.clock.now_ms);
    srv.bio.free_stores(old);
    let loaded = files::load_manifest(srv).map(|()| {
        files::delete_history(srv);
        aof::load::load_files(srv, turn::serve_while_busy)
    });
    match loaded {
        Ok(Outcome::Loaded | Outcome::Empty) => {}
        _ if srv.shutdown.done => return Ok(()),
        _ => {
            return Err(CmdError::new(
                "ERR Error trying to load the AOF files, check server logs.",
            ));
        }
    }
    srv.rdb.dirty = 0;
    crate::log!(Notice, "Append Only File loaded by DEBUG LOADAOF");
    call.reply.ok();
    Ok(())
}
