//! The start of a Sentinel: what its part of the configuration says.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::file::Placed;
use crate::log;
use crate::sentinel::Sentinel;
use crate::server::jobs::sentinel::resolve;
use crate::server::parts::clock::Clock;
use crate::server::parts::identity::random_bytes;
use crate::server::parts::sentinel::Watching;
use crate::sys::process;
use crate::util::path::os_error;
use crate::util::rand::generator;

/// A line of Sentinel's directives.
type Line = Placed<Vec<Vec<u8>>>;

/// A Sentinel that watches what the lines say.
pub(super) fn make(lines: &[Line]) -> Result<Box<Watching>, String> {
    let machine = read(lines).map_err(|(line, fault)| line.error(fault).to_string())?;
    Ok(Box::new(Watching::new(machine)))
}

/// The machine that the lines describe, or which one is wrong and why.
pub(super) fn read(lines: &[Line]) -> Result<Sentinel, (&Line, &'static str)> {
    let words: Vec<&[Vec<u8>]> = lines.iter().map(|line| line.value.as_slice()).collect();
    let entropy = random_bytes();
    let seed = u64::from_le_bytes(entropy[..8].try_into().expect("eight bytes"));
    let now = Clock::new().now_ms;
    let mut machine = Sentinel::new(now, Box::new(generator(seed)));
    machine.load(&words, now, &mut resolve).map_err(|(i, fault)| (&lines[i], fault))?;
    Ok(machine)
}

/// Its file is its memory: it must be able to write it.
pub(super) fn check_file(file: Option<&Path>) -> Result<(), String> {
    let Some(file) = file else {
        log!(Warning, "Sentinel needs config file on disk to save state. Exiting...");
        return Err(String::new());
    };
    process::may_write(file.as_os_str().as_bytes()).map_err(|e| {
        log!(
            Warning,
            "Sentinel config file {} is not writable: {}. Exiting...",
            file.display(),
            os_error(&e)
        );
        String::new()
    })
}
