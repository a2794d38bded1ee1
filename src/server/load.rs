//! Loading the snapshot: at start, and for DEBUG RELOAD.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;

use crate::config::choice::VersionCheck;
use crate::log;
use crate::persist::rdb::load::{LoadOptions, Pace, Progress, RdbError, load};
use crate::server::{Server, turn};

/// A load in progress, as INFO shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loading {
    pub started_ms: i64,
    pub total_bytes: u64,
    pub progress: Progress,
    logged_at: u64,
}

/// What a snapshot file gave.
#[derive(Debug)]
pub enum FromDisk {
    /// There is no file.
    Absent,
    Loaded,
}

/// What becomes of the keys that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// They go when the file has been read whole.
    Replaced,
    /// They stay; a key that is in the file as well is an error.
    Kept,
    /// They stay, but for those that the file has as well.
    Overwritten,
}

/// Reads the snapshot into a keyspace of its own, which replaces the present one when it is complete,
/// or is added to it key by key.
///
/// Other clients are served meanwhile, with LOADING for most commands.
pub fn from_disk(srv: &mut Server, present: Present) -> Result<FromDisk, RdbError> {
    let path = std::path::PathBuf::from(std::ffi::OsStr::from_bytes(&srv.cfg.snapshot.file_name));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(FromDisk::Absent),
        Err(e) => return Err(RdbError::Io(e)),
    };
    let total_bytes = file.metadata().map_or(0, |m| m.len());
    let started_ms = crate::sys::clock::wall_ms();
    srv.loading = Some(Loading { started_ms, total_bytes, ..Loading::default() });
    let keep = present != Present::Replaced;
    let mut ks = match keep {
        true => {
            let empty = srv.ks.empty_like(started_ms);
            std::mem::replace(&mut srv.ks, empty)
        }
        false => srv.ks.empty_like(started_ms),
    };
    let lfu = srv.cfg.memory.policy.is_lfu();
    let lru_clock = super::dispatch::access_clock(srv.clock.now_ms, lfu);
    let opts = LoadOptions {
        verify_checksum: srv.cfg.snapshot.checksum && srv.debug.verify_checksum,
        now_ms: srv.clock.now_ms,
        drop_expired: true,
        events_interval_bytes: srv.cfg.snapshot.loading_events_interval_bytes,
        fresh_access: srv.env(0, crate::keyspace::env::Origin::Client, false).fresh_access(),
        lru_clock,
        lfu,
        replace: present == Present::Overwritten,
        any_version: srv.cfg.snapshot.version_check == VersionCheck::Relaxed,
        limits: srv.limits.clone(),
    };
    log!(Notice, "Loading RDB produced by version {}", creator(&path));
    let result = load(file, &opts, &mut ks, &mut |progress| tick(srv, progress));
    srv.loading = None;
    if result.is_ok() && !keep {
        // What was there is flushed, even if the same comes back.
        (0..srv.ks.databases()).for_each(|n| srv.break_flushed_watches(n as u32));
    }
    if result.is_ok() || keep {
        let old = std::mem::replace(&mut srv.ks, ks);
        srv.bio.free_stores(old.into_stores());
    }
    if result.is_ok() && !keep {
        srv.invalidate_all();
    }
    let loaded = result?;
    srv.rdb.load_expired = loaded.expired;
    srv.rdb.load_loaded = loaded.keys;
    srv.clock.refresh();
    super::expire::schedule(srv);
    let seconds = (srv.clock.now_ms - started_ms) as f64 / 1000.0;
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
    log!(Notice, "DB loaded from disk: {seconds:.3} seconds");
    Ok(FromDisk::Loaded)
}

/// The program that wrote a snapshot, from its first bytes; "unknown" if it does not say.
fn creator(path: &std::path::Path) -> String {
    use std::io::Read;
    let mut head = [0; 64];
    let n = File::open(path).and_then(|mut f| f.read(&mut head)).unwrap_or(0);
    let name = b"redis-ver";
    let at = memchr::memmem::find(&head[..n], name).map(|i| i + name.len());
    let value = at.and_then(|i| head.get(i + 1..i + 1 + usize::from(*head.get(i)?)));
    value.map_or("unknown".to_string(), |v| String::from_utf8_lossy(v).into_owned())
}

fn tick(srv: &mut Server, progress: &Progress) -> Pace {
    if let Some(l) = &mut srv.loading {
        l.progress = *progress;
        // A word every tenth of a large file, so that a long start explains itself.
        let tenth = l.total_bytes / 10;
        if tenth > 64 << 20 && progress.bytes / tenth > l.logged_at {
            l.logged_at = progress.bytes / tenth;
            log!(Notice, "Loading: {}0% ({} keys)", l.logged_at, progress.keys);
        }
    }
    turn::serve_while_busy(srv);
    Pace {
        key_delay_us: srv.cfg.snapshot.key_load_delay_us,
        events_interval_bytes: srv.cfg.snapshot.loading_events_interval_bytes,
        stop: srv.shutdown.done,
    }
}
