//! Loading a snapshot: at start, for DEBUG RELOAD, and as the base of an append-only file.

use crate::server::parts::clock::access_clock;
use crate::server::parts::loading::Loading;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;

use crate::config::choice::VersionCheck;
use crate::log;
use crate::persist::rdb::error::shown;
use crate::persist::rdb::library::Library;
use crate::persist::rdb::load::{Input, LoadOptions, Note, Pace, Progress, RdbError, load_from};
use crate::repl::history::ID_LEN;
use crate::server::parts::Server;
use crate::server::parts::repl::Loaded;
use crate::server::parts::script::Bounds;
use crate::util::num;
use crate::util::path::os_error;

/// So many collections without elements are named in the log.
const EMPTY_NAMED: u64 = 10;

/// What a snapshot file gave.
#[derive(Debug)]
pub(crate) enum FromDisk {
    /// There is no file.
    Absent,
    Loaded,
}

/// What becomes of the keys that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Present {
    /// They go when the file has been read whole.
    Replaced,
    /// They stay; a key that is in the file as well is an error.
    Kept,
    /// They stay, but for those that the file has as well.
    Overwritten,
}

/// Loading begins: other clients are served meanwhile, with LOADING for most commands.
pub(crate) fn begin(srv: &mut Server, total_bytes: u64) {
    let started_ms = crate::sys::clock::wall_ms();
    srv.loading = Some(Loading { started_ms, total_bytes, ..Loading::default() });
    srv.rearm();
}

/// Loading has ended, however it did.
pub(crate) fn end(srv: &mut Server) {
    srv.loading = None;
    srv.survey.restart();
    srv.rearm();
    srv.clock.refresh();
    crate::server::jobs::expire::schedule(srv);
}

/// Reads the snapshot into a keyspace of its own, which replaces the present one when it is
/// complete, or is added to it key by key.
pub(crate) fn from_disk(
    srv: &mut Server,
    present: Present,
    serve: fn(&mut Server),
) -> Result<FromDisk, RdbError> {
    let path = std::path::PathBuf::from(std::ffi::OsStr::from_bytes(&srv.cfg.snapshot.file_name));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(FromDisk::Absent),
        Err(e) => {
            log!(
                Warning,
                "Fatal error: can't open the RDB file {} for reading: {}",
                path.display(),
                os_error(&e)
            );
            return Err(RdbError::Io(e));
        }
    };
    let total_bytes = file.metadata().map_or(0, |m| m.len());
    begin(srv, total_bytes);
    let started_ms = crate::sys::clock::wall_ms();
    let source = Source {
        bytes: total_bytes,
        before: 0,
        keeps_expired: srv.cfg.repl.primary.is_some(),
        live: false,
        present,
    };
    let loaded = snapshot(srv, file, &source, serve);
    end(srv);
    loaded?;
    let seconds = (srv.clock.now_ms - started_ms) as f64 / 1000.0;
    log!(Notice, "DB loaded from disk: {seconds:.3} seconds");
    Ok(FromDisk::Loaded)
}

/// What a snapshot is read from, and for.
pub(crate) struct Source {
    /// How long it is; 0: a pipe says nothing.
    pub bytes: u64,
    /// Bytes that have been loaded before it.
    pub before: u64,
    /// Keys past their time are loaded as well: what follows may be about them.
    pub keeps_expired: bool,
    /// It is a socket, whose other side waits for an answer at the end.
    pub live: bool,
    pub present: Present,
}

/// Where bytes of a snapshot come from.
pub(crate) trait Fetch {
    /// Reads as `Read` does. Who has to wait may serve others meanwhile.
    fn fetch(
        &mut self,
        srv: &mut Server,
        serve: fn(&mut Server),
        buf: &mut [u8],
    ) -> std::io::Result<usize>;
}

impl<R: Read> Fetch for R {
    fn fetch(
        &mut self,
        _: &mut Server,
        _: fn(&mut Server),
        buf: &mut [u8],
    ) -> std::io::Result<usize> {
        self.read(buf)
    }
}

/// An input beside which others are served.
pub(crate) struct Served<'a, F> {
    srv: &'a mut Server,
    pub input: &'a mut F,
    before: u64,
    serve: fn(&mut Server),
}

impl<F: Fetch> Read for Served<'_, F> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.input.fetch(self.srv, self.serve, buf)
    }
}

impl<F: Fetch> Input for Served<'_, F> {
    fn tick(&mut self, progress: &Progress) -> Pace {
        let bytes = self.before + progress.bytes;
        tick(self.srv, Progress { bytes, ..*progress }, self.serve);
        Pace {
            key_delay_us: self.srv.cfg.snapshot.key_load_delay_us,
            events_interval_bytes: self.srv.cfg.snapshot.loading_events_interval_bytes,
            stop: self.srv.shutdown.done || self.srv.is_load_given_up(),
        }
    }
}

impl<F: Fetch> Input for &mut Served<'_, F> {
    fn tick(&mut self, progress: &Progress) -> Pace {
        Served::tick(self, progress)
    }
}

impl Server {
    fn is_load_given_up(&self) -> bool {
        self.loading.as_ref().is_some_and(|loading| loading.given_up)
    }
}

/// Reads a snapshot between `begin` and `end`; how many bytes it has.
pub(crate) fn snapshot(
    srv: &mut Server,
    mut input: impl Fetch,
    source: &Source,
    serve: fn(&mut Server),
) -> Result<u64, RdbError> {
    snapshot_that(srv, &mut input, source, serve, |_, _| Ok(()))
}

/// The same, of a snapshot that counts as whole if `ends` finds what has to follow its bytes. The
/// data that is there stays until then.
pub(crate) fn snapshot_that<F: Fetch>(
    srv: &mut Server,
    input: &mut F,
    source: &Source,
    serve: fn(&mut Server),
    ends: impl FnOnce(&mut Served<'_, F>, u64) -> std::io::Result<()>,
) -> Result<u64, RdbError> {
    let started_ms = crate::sys::clock::wall_ms();
    let present = source.present;
    let keep = present != Present::Replaced;
    let mut ks = match keep {
        true => {
            let empty = srv.ks.empty_like(started_ms);
            std::mem::replace(&mut srv.ks, empty)
        }
        false => srv.ks.empty_like(started_ms),
    };
    let lfu = srv.cfg.memory.policy.is_lfu();
    let lru_clock = access_clock(srv.clock.now_ms, lfu);
    let opts = LoadOptions {
        verify_checksum: srv.cfg.snapshot.checksum && srv.debug.verify_checksum,
        now_ms: srv.clock.now_ms,
        drop_expired: !source.keeps_expired,
        events_interval_bytes: srv.cfg.snapshot.loading_events_interval_bytes,
        fresh_access: srv.env_in(0, crate::keyspace::env::Origin::Client, false).fresh_access(),
        lru_clock,
        lfu,
        replace: present == Present::Overwritten,
        live: source.live,
        any_version: srv.cfg.snapshot.version_check == VersionCheck::Relaxed,
        input_bytes: Some(source.bytes).filter(|&n| n > 0),
        limits: srv.limits.clone(),
    };
    let mut history = Loaded::default();
    let result = {
        let mut empty = 0;
        let mut note = |n: Note<'_>| note(n, &mut empty, &mut history);
        let mut input = Served { srv, input, before: source.before, serve };
        load_from(&mut input, &opts, &mut ks, &mut note).and_then(|loaded| {
            ends(&mut input, loaded.bytes).map_err(RdbError::Io)?;
            match input.srv.is_load_given_up() {
                true => Err(RdbError::Stopped),
                false => Ok(loaded),
            }
        })
    };
    srv.repl.loaded = history;
    if result.is_ok() && !keep {
        // What was there is flushed, even if the same comes back.
        (0..srv.ks.databases()).for_each(|n| srv.tell_of_flush(n as u32));
    }
    if result.is_ok() || keep {
        let old = std::mem::replace(&mut srv.ks, ks);
        srv.bio.free_stores(old.into_stores());
    }
    if result.is_ok() && !keep {
        srv.invalidate_all();
    }
    let mut loaded = result?;
    keep_libraries(srv, std::mem::take(&mut loaded.libraries), present)?;
    srv.rdb.load_expired = loaded.expired;
    srv.rdb.load_loaded = loaded.keys;
    srv.stats.n.expired_fields += loaded.expired_fields;
    let empty = match loaded.empty {
        0 => String::new(),
        n => format!(", empty keys skipped: {n}"),
    };
    log!(
        Notice,
        "Done loading RDB, keys loaded: {}, keys expired: {}{empty}.",
        loaded.keys,
        loaded.expired
    );
    Ok(loaded.bytes)
}

/// Keeps the libraries of a file as its keys were kept.
fn keep_libraries(
    srv: &mut Server,
    libraries: Vec<Library>,
    present: Present,
) -> Result<(), RdbError> {
    if present == Present::Replaced {
        drop(srv.script.flush_libraries());
    }
    for library in libraries {
        let replace = present == Present::Overwritten;
        if let Err(why) = srv.script.load_library(&library.code, replace, Bounds::NONE) {
            log!(Warning, "Failed creating new functions: {}", String::from_utf8_lossy(&why));
            return Err(RdbError::corrupt(0, "a library of functions can't be loaded"));
        }
    }
    Ok(())
}

/// Tells of what the loader came upon; `empty` counts the keys that it passed over.
fn note(note: Note<'_>, empty: &mut u64, history: &mut Loaded) {
    match note {
        Note::Aux(name, value) => aux(name, &String::from_utf8_lossy(value), history),
        Note::SlotImport => log!(
            Warning,
            "The RDB file was written while slots of a cluster were being imported: what they held may be \
             incomplete"
        ),
        // Replicas that go on from this state have to be told.
        Note::Expired(db, key) if history.id.is_some() => {
            history.expired.push((db as u32, key.to_vec()));
        }
        Note::Expired(..) => {}
        Note::EmptyKey(key) => {
            *empty += 1;
            if *empty <= EMPTY_NAMED {
                log!(Notice, "Loading RDB: skipping empty key: {}", shown(key));
            }
        }
    }
}

/// Logs an AUX field, in the words that tools look for.
fn aux(name: &[u8], value: &str, history: &mut Loaded) {
    let number = || num::parse_i64_lenient(value.as_bytes()).unwrap_or(0);
    match name.to_ascii_lowercase().as_slice() {
        [b'%', ..] => log!(Notice, "RDB '{}': {value}", shown(name)),
        b"redis-ver" => log!(Notice, "Loading RDB produced by version {value}"),
        b"valkey-ver" => log!(Notice, "Loading RDB produced by Valkey version {value}"),
        b"ctime" => {
            let age = (crate::sys::clock::wall_ms() / 1000).saturating_sub(number()).max(0);
            log!(Notice, "RDB age {age} seconds");
        }
        b"used-mem" => {
            let megabytes = number() as f64 / (1 << 20) as f64;
            log!(Notice, "RDB memory usage when created {megabytes:.2} Mb");
        }
        b"aof-preamble" if number() != 0 => log!(Notice, "RDB has an AOF tail"),
        b"aof-base" if number() != 0 => log!(Notice, "RDB is base AOF"),
        b"redis-bits" | b"aof-preamble" | b"aof-base" => {}
        b"repl-id" if value.len() == ID_LEN => history.id = Some(value.to_owned()),
        b"repl-offset" => history.offset = u64::try_from(number()).ok(),
        b"repl-stream-db" => history.db = u32::try_from(number()).ok(),
        b"repl-id" | b"lua" => log!(Verbose, "RDB AUX field '{}' is not used", shown(name)),
        _ => log!(Debug, "Unrecognized RDB AUX field: '{}'", shown(name)),
    }
}

/// So much has been loaded; others are served.
pub(crate) fn tick(srv: &mut Server, progress: Progress, serve: fn(&mut Server)) {
    if let Some(l) = &mut srv.loading {
        l.progress = progress;
        // A word every tenth of a large file, so that a long start explains itself.
        let tenth = l.total_bytes / 10;
        if tenth > 64 << 20 && progress.bytes / tenth > l.logged_at {
            l.logged_at = progress.bytes / tenth;
            log!(Notice, "Loading: {}0% ({} keys)", l.logged_at, progress.keys);
        }
    }
    serve(srv);
}
