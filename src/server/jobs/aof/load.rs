//! Loading the append-only files: base first, then the incremental ones by their numbers.
//!
//! ```text
//! a file = [snapshot] { command | MULTI command* EXEC | annotation }*
//! ```
//! Commands run in groups, so that the cache misses of sixteen keys overlap. A transaction runs
//! when its EXEC has come, or not at all.
//!
//! The last file with anything in it may end within a command or a transaction: the server died
//! while it was written. With `aof-load-truncated` it is cut back to what is whole; anything else
//! that is wrong ends the start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};

use crate::keyspace::env::Origin;
use crate::keyspace::store::Key;
use crate::log;
use crate::persist::aof::reader::{Commands, ReadError};
use crate::persist::rdb::load::Progress;
use crate::persist::rdb::save::sleep_after_key;
use crate::resp::argv::Argv;
use crate::resp::reply::Reply;
use crate::server::engine::ahead::PREFETCH;
use crate::server::engine::dispatch;
use crate::server::engine::replay::replay;
use crate::server::engine::unit::within;
use crate::server::jobs::aof::files;
use crate::server::jobs::load::{self, Present, Source};
use crate::server::parts::aof::path;
use crate::server::parts::exec::Unit;
use crate::server::parts::{Row, Server};
use crate::util::path::os_error;

/// How loading all the files went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is no file.
    Absent,
    /// There is nothing in them.
    Empty,
    Loaded,
    /// The reason is in the log; the server must not go on.
    Failed,
}

/// Commands between two looks at the other clients.
const EVENTS_EVERY: u64 = 1024;

/// Reads the files that the manifest names into the keyspace, which is empty.
pub(crate) fn load_files(srv: &mut Server, serve: fn(&mut Server)) -> Outcome {
    if files::adopt_old_file(srv).is_err() {
        return Outcome::Failed;
    }
    if srv.aof.manifest.is_empty() {
        return Outcome::Absent;
    }
    let names: Vec<Vec<u8>> = srv.aof.manifest.files().map(|file| file.name.clone()).collect();
    let mut sizes = Vec::new();
    for name in &names {
        match std::fs::metadata(path(&srv.cfg, name)) {
            Ok(m) => sizes.push(m.len()),
            Err(e) => {
                log!(
                    Warning,
                    "Unable to obtain the AOF file {} length. stat: {}",
                    String::from_utf8_lossy(name),
                    os_error(&e)
                );
                return Outcome::Failed;
            }
        }
    }
    let total: u64 = sizes.iter().sum();
    if total == 0 {
        return Outcome::Empty;
    }
    load::begin(srv, total);
    let mut before = 0;
    let mut cut = 0;
    let mut outcome = Outcome::Loaded;
    let has_base = srv.aof.manifest.base.is_some();
    for (i, (name, size)) in names.iter().zip(&sizes).enumerate() {
        let started = crate::sys::clock::wall_us();
        // After an empty file nothing is missing where the one before it ends early.
        let last = sizes[i + 1..].iter().all(|size| *size == 0);
        let unit = Unit { origin: Origin::File, ..Unit::SERVER };
        let loaded = within(srv, unit, |srv| One { srv, name, before, last, serve }.load());
        match loaded {
            Ok(lost) => cut += lost,
            Err(()) => {
                outcome = Outcome::Failed;
                break;
            }
        }
        if *size > 0 {
            let seconds = (crate::sys::clock::wall_us() - started) as f64 / 1e6;
            let kind = if i == 0 && has_base { "base" } else { "incr" };
            log!(
                Notice,
                "DB loaded from {kind} file {}: {seconds:.3} seconds",
                String::from_utf8_lossy(name)
            );
        }
        before += size;
    }
    load::end(srv);
    srv.aof.size = total - cut;
    srv.aof.base_size = if has_base { sizes[0] } else { 0 };
    outcome
}

/// One file that is loaded.
struct One<'a> {
    srv: &'a mut Server,
    name: &'a [u8],
    /// Bytes of the files before it.
    before: u64,
    last: bool,
    serve: fn(&mut Server),
}

/// What has been replayed.
struct Replay {
    db: u32,
    /// The commands of a transaction that has no EXEC yet, and where it began in the file.
    multi: Option<(u64, Vec<Queued>)>,
    reply: Reply,
    done: u64,
}

struct Queued {
    row: &'static Row,
    argv: Vec<Vec<u8>>,
}

impl One<'_> {
    fn shown(&self) -> String {
        String::from_utf8_lossy(self.name).into_owned()
    }

    /// Loads it; how many bytes were cut off its end. The reason of an error is in the log.
    fn load(&mut self) -> Result<u64, ()> {
        let name = self.shown();
        let path = path(&self.srv.cfg, self.name);
        let mut file = File::open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => {
                log!(Warning, "The append log file {name} doesn't exist: {}", os_error(&e));
            }
            _ => log!(
                Warning,
                "Fatal error: can't open the append log file {name} for reading: {}",
                os_error(&e)
            ),
        })?;
        let offset = self.preamble(&mut file)?;
        let mut commands = Commands::new(file, offset);
        let mut state =
            Replay { db: 0, multi: None, reply: Reply::new(Vec::new(), false), done: 0 };
        let result = self.commands(&mut commands, &mut state);
        if self.srv.shutdown.done {
            return Err(());
        }
        let unfinished = state.multi.as_ref().map(|(start, _)| *start);
        match result {
            Ok(()) if unfinished.is_none() => return Ok(0),
            Ok(()) => {
                log!(Warning, "Revert incomplete MULTI/EXEC transaction in AOF file {name}");
            }
            Err(Fault::Read(ReadError::Truncated)) => {}
            Err(Fault::Read(ReadError::Io(e))) => {
                let error = os_error(&e);
                log!(Warning, "Unrecoverable error reading the append only file {name}: {error}");
                return Err(());
            }
            Err(Fault::Read(ReadError::Format)) => {
                log!(
                    Warning,
                    "Bad file format reading the append only file {name}: make a backup of your AOF \
                     file, then use redust-check-aof --fix <filename.manifest>"
                );
                return Err(());
            }
            Err(Fault::Logged) => return Err(()),
        }
        // A transaction that was not finished goes whole.
        self.cut_back(unfinished.unwrap_or(commands.end()))
    }

    /// Reads the snapshot that a file may begin with; where it ends.
    fn preamble(&mut self, file: &mut File) -> Result<u64, ()> {
        let name = self.shown();
        let mut start = [0; 6];
        let mut len = 0;
        while len < start.len() {
            match file.read(&mut start[len..]) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let error = os_error(&e);
                    log!(
                        Warning,
                        "Unrecoverable error reading the append only file {name}: {error}"
                    );
                    return Err(());
                }
            }
        }
        let seek = |file: &mut File, to: u64| {
            file.seek(SeekFrom::Start(to)).map_err(|e| {
                let error = os_error(&e);
                log!(Warning, "Unrecoverable error reading the append only file {name}: {error}");
            })
        };
        seek(file, 0)?;
        if !start.starts_with(b"REDIS") && start != *b"VALKEY" {
            return Ok(0);
        }
        let old_style = self.name == self.srv.cfg.aof.file_name;
        if old_style {
            log!(Notice, "Reading RDB preamble from AOF file...");
        } else {
            log!(Notice, "Reading RDB base file on AOF loading...");
        }
        let source = Source {
            bytes: file.metadata().map_or(0, |m| m.len()),
            before: self.before,
            keeps_expired: true,
            live: false,
            present: Present::Replaced,
        };
        match load::snapshot(self.srv, &mut *file, &source, self.serve) {
            Ok(bytes) => {
                if old_style {
                    log!(Notice, "Reading the remaining AOF tail...");
                }
                seek(file, bytes)
            }
            Err(_) if self.srv.shutdown.done => Err(()),
            Err(e) => {
                log!(Warning, "{e}");
                let what = if old_style { "RDB preamble of the AOF" } else { "RDB base" };
                log!(Warning, "Error reading the {what} file {name}, AOF loading aborted");
                Err(())
            }
        }
    }

    fn commands(&mut self, from: &mut Commands<File>, state: &mut Replay) -> Result<(), Fault> {
        loop {
            self.tick(from.end());
            if self.srv.shutdown.done {
                return Ok(());
            }
            let next = state.done + EVENTS_EVERY;
            while state.done < next {
                let delayed = self.srv.cfg.snapshot.key_load_delay_us != 0;
                let n = from.group(if delayed { 1 } else { PREFETCH }).map_err(Fault::Read)?;
                if n == 0 {
                    return Ok(());
                }
                self.group(from, n, state)?;
                state.done += n as u64;
                if delayed {
                    sleep_after_key(self.srv.cfg.snapshot.key_load_delay_us, state.done);
                    break;
                }
            }
        }
    }

    fn tick(&mut self, at: u64) {
        self.srv.clock.refresh();
        let progress = Progress {
            bytes: self.before + at,
            keys: self.srv.ks.len() as u64,
            used_memory: self.srv.loading.map_or(0, |l| l.progress.used_memory),
        };
        load::tick(self.srv, progress, self.serve);
    }

    /// Runs the commands of a group.
    fn group(&mut self, from: &Commands<File>, n: usize, state: &mut Replay) -> Result<(), Fault> {
        let mut rows: [Option<(&'static Row, Option<Key<'_>>)>; PREFETCH] = [None; PREFETCH];
        let mut latest: (&[u8], Option<&'static Row>) = (&[], None);
        let store = self.srv.ks.db(state.db as usize);
        for (i, slot) in rows.iter_mut().enumerate().take(n) {
            let mut args = from.args(i);
            let name = args.next().unwrap_or_default();
            if name != latest.0 {
                latest = (name, self.srv.table.lookup(name));
            }
            let Some(row) = latest.1.filter(|row| row.subs.is_empty()) else { continue };
            let key = args.next().filter(|_| row.key_first).map(|bytes| store.key(bytes));
            key.iter().for_each(|key| store.prefetch_bucket(key.hash));
            *slot = Some((row, key));
        }
        rows.iter().flatten().filter_map(|(_, key)| *key).for_each(|k| store.prefetch_item(k.hash));
        let mut args: Vec<&[u8]> = Vec::with_capacity(8);
        for (i, known) in rows.iter().enumerate().take(n) {
            args.clear();
            args.extend(from.args(i));
            self.command(&args, *known, from.span(i).0, state)?;
        }
        state.reply.truncate(0);
        Ok(())
    }

    fn command(
        &mut self,
        args: &[&[u8]],
        known: Option<(&'static Row, Option<Key<'_>>)>,
        start: u64,
        state: &mut Replay,
    ) -> Result<(), Fault> {
        let argv = Argv::new(args);
        let (row, key) = match known {
            Some(known) => known,
            None => match dispatch::find(self.srv.table, argv) {
                Ok(row) => (row, None),
                Err(_) => {
                    log!(
                        Warning,
                        "Unknown command '{}' reading the append only file {}",
                        String::from_utf8_lossy(args[0]),
                        self.shown()
                    );
                    return Err(Fault::Logged);
                }
            },
        };
        if !row.spec.arity_ok(args.len()) {
            log!(
                Warning,
                "Wrong number of arguments for '{}' reading the append only file {}",
                row.name(),
                self.shown()
            );
            return Err(Fault::Read(ReadError::Format));
        }
        match (row.name(), &mut state.multi) {
            ("exec", multi) => {
                for queued in multi.take().map(|(_, queue)| queue).into_iter().flatten() {
                    let args: Vec<&[u8]> = queued.argv.iter().map(Vec::as_slice).collect();
                    self.run(queued.row, Argv::new(&args), None, state)?;
                }
                Ok(())
            }
            ("multi", Some(_)) => Ok(()),
            ("multi", multi) => {
                *multi = Some((start, Vec::new()));
                Ok(())
            }
            (_, Some((_, queue))) => {
                queue.push(Queued { row, argv: argv.owned() });
                Ok(())
            }
            (_, None) => self.run(row, argv, key, state),
        }
    }

    fn run(
        &mut self,
        row: &'static Row,
        argv: Argv<'_>,
        key: Option<Key<'_>>,
        state: &mut Replay,
    ) -> Result<(), Fault> {
        if row.name() == "select" {
            let number = crate::util::num::parse_i64(argv[1]).unwrap_or(-1);
            let databases = self.srv.ks.databases();
            if !(0..databases as i64).contains(&number) {
                log!(
                    Warning,
                    "FATAL: Data file was created with a Redis server configured to handle more than \
                     {databases} databases. Exiting"
                );
                return Err(Fault::Logged);
            }
            state.db = number as u32;
            return Ok(());
        }
        replay(self.srv, state.db, row, argv, key, &mut state.reply);
        Ok(())
    }

    /// The file ends in the middle: what lies behind `end` is cut off, if that is wanted.
    fn cut_back(&mut self, end: u64) -> Result<u64, ()> {
        let name = self.shown();
        if self.srv.cfg.aof.load_truncated {
            log!(Warning, "!!! Warning: short read while loading the AOF file {name}!!!");
            if !self.last {
                log!(Warning, "Fatal error: the truncated file is not the last file");
                return Err(());
            }
            log!(Warning, "!!! Truncating the AOF {name} at offset {end} !!!");
            let cut = || {
                let file = OpenOptions::new().write(true).open(path(&self.srv.cfg, self.name))?;
                let size = file.metadata()?.len();
                file.set_len(end)?;
                file.sync_all()?;
                Ok::<u64, io::Error>(size - end)
            };
            match cut() {
                Ok(lost) => {
                    log!(Warning, "AOF {name} loaded anyway because aof-load-truncated is enabled");
                    return Ok(lost);
                }
                Err(e) => {
                    log!(Warning, "Error truncating the AOF file {name}: {}", os_error(&e));
                }
            }
        }
        log!(
            Warning,
            "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of \
             your AOF file, then use redust-check-aof --fix <filename.manifest>. 2) Alternatively you \
             can set the 'aof-load-truncated' configuration option to yes and restart the server."
        );
        Err(())
    }
}

/// Why loading a file ended early.
enum Fault {
    Read(ReadError),
    /// The reason is in the log.
    Logged,
}
