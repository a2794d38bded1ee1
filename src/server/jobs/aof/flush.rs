//! Writing the append-only file, and syncing it.
//!
//! Each turn of the loop ends with one write of everything that its units have put into the stream,
//! before the first reply leaves: what was acknowledged is in the file, whatever becomes of the
//! process. When it reaches the disk is the policy's business:
//!
//! ```text
//! always     synced here, before the replies leave; an error ends the process
//! everysec   a helper thread is asked once a second
//! no         when the system likes
//! ```
//! While a sync runs the system may hold writes back, for as long as a slow disk takes. Redis puts
//! them off for two seconds, and replies leave before them. Here another helper thread does them
//! meanwhile. Replies to what is not written yet wait; everybody else is served.
//!
//! A write that fails is taken back to the last whole unit and tried again in the next turn, with
//! all that has come since. Until it works, commands that write are refused.

use std::io::{self, IoSlice, Write};

use crate::config::choice::AppendFsync;
use crate::log;
use crate::server::parts::Server;
use crate::server::parts::stream;
use crate::server::parts::writer::Done;
use crate::util::path::os_error;

/// Slices given to one system call.
const SLICES: usize = 64;
/// Seconds between two lines about the same error.
const LOG_EVERY_SECS: i64 = 30;

/// What a write that failed leaves behind.
struct Failed {
    error: io::Error,
    written: u64,
}

/// Writes and syncs what is due. Called each turn before replies leave.
#[inline]
pub(crate) fn flush(srv: &mut Server) {
    if srv.aof.current.is_some() {
        flush_current(srv);
    }
}

fn flush_current(srv: &mut Server) {
    let pending = is_behind(srv);
    let Some(current) = &srv.aof.current else { return };
    let unsynced = current.written != current.sync_asked || srv.syncer.error() != 0;
    if !pending && !unsynced {
        return;
    }
    let started = srv.clock.watch.ticks();
    let patient = srv.cfg.aof.fsync == AppendFsync::Everysec;
    if !patient {
        settle(srv);
    }
    if srv.writer.is_busy() || pending && patient && srv.syncer.pending() > 0 && hand_over(srv) {
        // The rest follows when that write has ended; a sync that is due is counted as delayed.
        sync(srv);
    } else if !pending || write(srv) {
        sync(srv);
    }
    let spent = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    srv.aof.spent_us += spent;
}

/// A sync is running, which may hold a write back: the helper thread writes what the stream holds,
/// and replies to it wait until it has. False if that is not possible.
fn hand_over(srv: &mut Server) -> bool {
    let Server { aof, stream, writer, .. } = &mut *srv;
    let Some(current) = &aof.current else { return false };
    let mut bytes = writer.buffer();
    let from = stream.position(current.reader);
    let mut at = from;
    loop {
        let piece = stream.read_at(stream::AOF, &mut at);
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(piece);
        at += piece.len() as u64;
    }
    if !writer.write(current.file.clone(), bytes) {
        return false;
    }
    aof.handed += 1;
    aof.in_flight = Some((from, at));
    aof.held_from = Some(from);
    true
}

/// A write by the helper thread has ended: the replies that waited for it may leave.
fn on_written(srv: &mut Server, done: Done) {
    let Some((from, to)) = srv.aof.in_flight.take() else { return };
    srv.aof.held_from = None;
    for id in std::mem::take(&mut srv.aof.held) {
        srv.clients.schedule_writable(id);
    }
    match done.error {
        Some(error) => on_error(srv, Failed { error, written: done.written }, from),
        None => wrote(srv, to, done.written),
    }
}

/// Waits until no write is under way on the helper thread.
pub(crate) fn settle(srv: &mut Server) {
    if let Some(done) = srv.writer.wait() {
        on_written(srv, done);
    }
}

/// Whether the stream holds something that could not be written.
pub(crate) fn is_behind(srv: &Server) -> bool {
    let current = srv.aof.current.as_ref();
    current.is_some_and(|current| srv.stream.position(current.reader) != srv.stream.end())
}

/// Writes all that the stream holds for the file. Whether that worked.
fn write(srv: &mut Server) -> bool {
    if srv.aof.flush_sleep_us > 0 {
        std::thread::sleep(std::time::Duration::from_micros(srv.aof.flush_sleep_us));
    }
    let started = srv.clock.watch.ticks();
    let Some(current) = &srv.aof.current else { return false };
    let from = srv.stream.position(current.reader);
    match write_from(&srv.stream, &current.file, from) {
        Ok((at, written)) => {
            wrote(srv, at, written);
            note_latency(srv, started);
            true
        }
        Err(failed) => {
            on_error(srv, failed, from);
            false
        }
    }
}

/// Everything before `at` in the stream is in the file now.
fn wrote(srv: &mut Server, at: u64, bytes: u64) {
    let Server { aof, stream, .. } = &mut *srv;
    let Some(current) = &mut aof.current else { return };
    stream.advance_to(current.reader, at);
    current.written += bytes;
    aof.size += bytes;
    if aof.write_error != 0 {
        log!(Notice, "AOF write error looks solved, Redis can write again.");
        aof.write_error = 0;
        srv.rearm();
    }
}

fn note_latency(srv: &mut Server, started: u64) {
    if srv.cfg.stats.latency_threshold_ms == 0 {
        return;
    }
    let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    let event = if srv.syncer.pending() > 0 {
        "aof-write-pending-fsync"
    } else if srv.child.is_some() {
        "aof-write-active-child"
    } else {
        "aof-write-alone"
    };
    srv.note_latency(event, us);
    srv.note_latency("aof-write", us);
}

/// Writes what the stream holds from `at` on: where that ends, and how many bytes were written.
fn write_from(
    stream: &stream::Stream,
    mut file: &std::fs::File,
    mut at: u64,
) -> Result<(u64, u64), Failed> {
    let mut written = 0;
    loop {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for slice in &mut slices {
            let piece = stream.read_at(stream::AOF, &mut at);
            if piece.is_empty() {
                break;
            }
            *slice = IoSlice::new(piece);
            at += piece.len() as u64;
            count += 1;
        }
        let mut rest = &mut slices[..count];
        if rest.is_empty() {
            return Ok((at, written));
        }
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => {
                    let error = io::Error::from_raw_os_error(libc::ENOSPC);
                    return Err(Failed { error, written });
                }
                Ok(n) => {
                    written += n as u64;
                    IoSlice::advance_slices(&mut rest, n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed { error, written }),
            }
        }
    }
}

/// A write has failed: the file is cut back to its last whole unit, and the rest waits in the
/// stream.
#[cold]
fn on_error(srv: &mut Server, failed: Failed, from: u64) {
    let now = srv.clock.now_ms / 1000;
    let tell = srv.aof.write_error == 0 || now - srv.aof.write_error_logged > LOG_EVERY_SECS;
    if tell {
        srv.aof.write_error_logged = now;
    }
    let expected = srv.stream.end() - from;
    let Some(current) = &mut srv.aof.current else { return };
    let mut left = failed.written;
    if failed.written == 0 {
        if tell {
            log!(Warning, "Error writing to the AOF file: {}", os_error(&failed.error));
        }
    } else {
        if tell {
            log!(
                Warning,
                "Short write while writing to the AOF file: (nwritten={}, expected={expected}): {}",
                failed.written,
                os_error(&failed.error)
            );
        }
        match current.file.set_len(current.written) {
            Ok(()) => left = 0,
            Err(e) if tell => log!(
                Warning,
                "Could not remove short write from the append-only file.  Redis may refuse to load \
                 the AOF the next time it starts.  ftruncate: {}",
                os_error(&e)
            ),
            Err(_) => {}
        }
    }
    if srv.cfg.aof.fsync == AppendFsync::Always {
        log!(
            Warning,
            "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting..."
        );
        std::process::exit(1);
    }
    // What could not be taken back stays, and is gone on from.
    let mut at = from;
    let mut rest = left;
    while rest > 0 {
        let piece = srv.stream.read_at(stream::AOF, &mut at).len() as u64;
        let step = piece.min(rest);
        if step == 0 {
            break;
        }
        at += step;
        rest -= step;
    }
    srv.stream.advance_to(current.reader, at);
    current.written += left;
    srv.aof.size += left;
    let error = failed.error.raw_os_error().unwrap_or(libc::EIO);
    if srv.aof.write_error == 0 {
        srv.aof.note_failure("write", error);
    }
    srv.aof.write_error = error;
    srv.rearm();
}

/// Syncs the file, or asks the helper thread to, if the policy says that it is time.
fn sync(srv: &mut Server) {
    if srv.cfg.aof.no_fsync_on_rewrite && srv.child.is_some() {
        return;
    }
    let now = srv.clock.now_ms / 1000;
    match srv.cfg.aof.fsync {
        AppendFsync::Always => sync_now(srv, now),
        // Not `>`: the clock may be set back, and the file must not wait for it to catch up.
        AppendFsync::Everysec if now != srv.aof.last_sync => {
            let Server { aof, stream, syncer, .. } = &mut *srv;
            let Some(current) = &mut aof.current else { return };
            if syncer.pending() == 0 {
                syncer.sync(current.file.clone(), stream.position(current.reader));
                current.sync_asked = current.written;
                aof.last_sync = now;
            } else if now != aof.delayed_at {
                // Asked for as soon as the one before ends, which wakes the reactor.
                aof.delayed_at = now;
                aof.delayed_syncs += 1;
                log!(
                    Notice,
                    "Asynchronous AOF fsync is taking too long (disk is busy?). The file is written \
                     on without waiting for it, and synced when it has ended."
                );
            }
        }
        AppendFsync::Everysec | AppendFsync::No => {}
    }
}

fn sync_now(srv: &mut Server, now: i64) {
    let started = srv.clock.watch.ticks();
    let Server { aof, stream, syncer, .. } = &mut *srv;
    let Some(current) = &mut aof.current else { return };
    if let Err(e) = current.file.sync_data() {
        log!(
            Warning,
            "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {}. Exiting...",
            os_error(&e)
        );
        std::process::exit(1);
    }
    current.sync_asked = current.written;
    aof.last_sync = now;
    syncer.note_synced(stream.position(current.reader));
    if syncer.error() != 0 {
        syncer.forget_error();
        srv.aof.sync_error = 0;
        srv.rearm();
    }
    let us = srv.clock.watch.us(srv.clock.watch.ticks().wrapping_sub(started));
    srv.syncer.times.note(us);
    srv.note_latency("aof-fsync-always", us);
}

/// Writes everything here and now: the file is about to be replaced or read.
pub(crate) fn flush_all(srv: &mut Server) {
    settle(srv);
    let reader = srv.aof.current.as_ref().map(|current| current.reader);
    if reader.is_some_and(|reader| srv.stream.position(reader) != srv.stream.end()) {
        write(srv);
    }
}

/// The same, and syncs it, whatever the policy: the server ends, or the file does.
pub(crate) fn flush_and_sync(srv: &mut Server) {
    flush_all(srv);
    let Some(current) = &mut srv.aof.current else { return };
    let started = std::time::Instant::now();
    let result = current.file.sync_data();
    srv.syncer.times.note(started.elapsed().as_micros() as u64);
    match result {
        Ok(()) => {
            current.sync_asked = current.written;
            srv.aof.last_sync = srv.clock.now_ms / 1000;
            srv.syncer.note_synced(srv.stream.position(current.reader));
        }
        Err(e) => log!(Warning, "Fail to fsync the AOF file: {}.", os_error(&e)),
    }
}

/// A helper thread has done something: replies may leave, and writes may have to be refused, or
/// need not be any more.
pub(crate) fn on_helper(srv: &mut Server) {
    if let Some(done) = srv.writer.finished() {
        on_written(srv, done);
    }
    let error = srv.syncer.error();
    if error == srv.aof.sync_error {
        return;
    }
    if srv.aof.sync_error == 0 {
        srv.aof.note_failure("fsync", error);
    }
    if error == 0 {
        // What the system could not write it may have dropped; only a new base is sure to hold it.
        log!(
            Warning,
            "AOF fsync works again after an error: a rewrite is to make sure of the data."
        );
        srv.aof.scheduled = srv.aof.is_on();
    }
    srv.aof.sync_error = error;
    srv.rearm();
}

/// A turn begins: if annotations are wanted, the first unit of a second gets one.
#[inline]
pub(crate) fn stamp(srv: &mut Server) {
    if srv.cfg.aof.timestamps && srv.aof.current.is_some() {
        let now = srv.clock.now_ms / 1000;
        if now != srv.aof.stamped {
            srv.aof.stamped = now;
            srv.stream.stamp(now);
        }
    }
}
