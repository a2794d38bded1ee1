//! Scripts of operators: started, looked after, killed.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::log;
use crate::sentinel::script::Ended;
use crate::server::parts::Server;
use crate::util::path::os_error;

/// The code of a script that can't be run at all, so that it is not tried again.
const NOT_RUN: i32 = 2;

/// Starts a script. It inherits the environment and the standard streams, and no other descriptor.
pub(super) fn spawn(srv: &mut Server, job: u64, words: &[Vec<u8>]) {
    let now = srv.clock.now_ms;
    let Some(watching) = &mut srv.sentinel else { return };
    let Some((script, rest)) = words.split_first() else { return };
    let mut command = Command::new(OsStr::from_bytes(script));
    match command.args(rest.iter().map(|word| OsStr::from_bytes(word))).spawn() {
        Ok(child) => {
            watching.machine.on_script_started(job, child.id());
            watching.scripts.push((job, child));
        }
        Err(e) => {
            log!(Warning, "Can't run {}: {}", String::from_utf8_lossy(script), os_error(&e));
            let passing = [ErrorKind::WouldBlock, ErrorKind::OutOfMemory].contains(&e.kind());
            let how = if passing { Ended::NotStarted } else { Ended::Code(NOT_RUN) };
            watching.machine.on_script_ended(job, how, now);
        }
    }
}

/// Looks which scripts have ended.
pub(super) fn reap(srv: &mut Server) {
    let now = srv.clock.now_ms;
    let Some(watching) = &mut srv.sentinel else { return };
    let machine = &mut watching.machine;
    watching.scripts.retain_mut(|(job, child)| {
        let how = match child.try_wait() {
            Ok(None) => return true,
            Ok(Some(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => Ended::Code(code),
                (None, Some(signal)) => Ended::Signal(signal),
                (None, None) => Ended::Code(0),
            },
            Err(_) => Ended::Code(0),
        };
        machine.on_script_ended(*job, how, now);
        false
    });
}

pub(super) fn kill(srv: &mut Server, job: u64) {
    let Some(watching) = &mut srv.sentinel else { return };
    let found = watching.scripts.iter_mut().find(|(number, _)| *number == job);
    if let Some((_, child)) = found {
        // It may have ended by itself.
        let _ = child.kill();
    }
}
