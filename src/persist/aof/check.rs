//! redust-check-aof: walks append-only files to their end, says where they break, and cuts off what
//! is broken or came too late.
//!
//! ```text
//!   a manifest            starts with "file" lines, comments aside: the files it names, in order
//!   a snapshot + tail     starts as a snapshot does: it is checked as redust-check-rdb does it,
//!                         then the commands behind it
//!   anything else         commands
//! ```
//! The lines, and what is refused, are redis-check-aof's, since scripts read them. Only the last
//! file is ever cut: after a cut in an earlier one, the commands of later files would follow on a
//! state they were not made for.
//!
//! Memory does not depend on the file: arguments are passed over, only the manifest is held whole.

mod scan;

use crate::persist::aof::manifest::Manifest;
use crate::persist::check as rdb;
use crate::util::num::leading_number;
use crate::util::path::{os_error, to_path};
use scan::{Ended, Scan};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// A line of a manifest is looked at up to here.
const MANIFEST_LINE: usize = 1024;
/// A file that is shorter is no snapshot.
const SNAPSHOT_MIN: u64 = 8;

/// What is to be done about what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Check,
    /// What is broken is cut off, if the user agrees.
    Fix,
    /// What came after this second is cut off.
    ToTimestamp(i64),
}

/// Runs the tool; `args[0]` is the name it was called by. The exit code: 0 if all is sound now.
pub fn run(args: &[OsString]) -> i32 {
    let name = args.first().cloned().unwrap_or_else(|| "redust-check-aof".into());
    let mut out = io::stdout().lock();
    let usage = |out: &mut dyn Write| {
        let what = "[--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>";
        let _ = writeln!(out, "Usage: {} {what}", name.display());
    };
    let (mode, path) = match args.get(1..).unwrap_or_default() {
        [arg] if arg == "-h" || arg == "--help" => {
            usage(&mut out);
            return 0;
        }
        [arg] if arg == "-v" || arg == "--version" => {
            let _ = writeln!(out, "redust-check-aof {}", env!("CARGO_PKG_VERSION"));
            return 0;
        }
        [path] => (Mode::Check, path),
        [option, path] if option == "--fix" => (Mode::Fix, path),
        [option, seconds, path] if option == "--truncate-to-timestamp" => {
            let seconds = seconds.as_bytes();
            let (value, len, in_range) = leading_number(seconds);
            if len != seconds.len() || !in_range {
                let _ = writeln!(out, "Invalid timestamp, aborting...");
                return 1;
            }
            // Compat: zero means that nothing is to be cut.
            (if value == 0 { Mode::Check } else { Mode::ToTimestamp(value) }, path)
        }
        _ => {
            usage(&mut out);
            return 1;
        }
    };
    check(path, mode, &mut io::stdin().lock(), &mut out)
}

/// Checks the file at `path` and those it names; the exit code. `answers` is who says yes to a cut.
///
/// Nobody may be reading `out` (`| head`): that is not the file's fault, and changes nothing.
pub fn check(path: &OsStr, mode: Mode, answers: &mut dyn Read, out: &mut dyn Write) -> i32 {
    let mut tool = Tool { mode, answers, out, lines: 1 };
    let result = tool.whole(path.as_bytes());
    let _ = tool.out.flush();
    i32::from(result.is_err())
}

/// The reason why the tool ends with an error has been said.
#[derive(Debug)]
struct Failed;

/// How it went with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Valid,
    Empty,
    Truncated,
    TruncatedToTimestamp(i64),
}

struct Tool<'a> {
    mode: Mode,
    answers: &'a mut dyn Read,
    out: &'a mut dyn Write,
    /// Compat: lines are counted on from one file to the next.
    lines: u64,
}

/// A file to be walked.
struct Target<'a> {
    /// As the manifest has it, and as the system does.
    name: &'a [u8],
    path: &'a [u8],
    last: bool,
    snapshot: bool,
}

impl Tool<'_> {
    fn say(&mut self, parts: &[&[u8]]) {
        let _ = self.out.write_all(&parts.concat());
    }

    fn fail<T>(&mut self, parts: &[&[u8]]) -> Result<T, Failed> {
        self.say(parts);
        Err(Failed)
    }

    fn whole(&mut self, path: &[u8]) -> Result<(), Failed> {
        if self.is_manifest(path)? {
            return self.multi_part(path);
        }
        let snapshot = self.is_snapshot(path)?;
        self.say(&[b"Start checking Old-Style AOF\n"]);
        let verdict = self.single(&Target { name: path, path, last: true, snapshot })?;
        self.tell(verdict, "AOF", path);
        Ok(())
    }

    fn multi_part(&mut self, path: &[u8]) -> Result<(), Failed> {
        self.say(&[b"Start checking Multi Part AOF\n"]);
        let manifest = match std::fs::read(to_path(path)) {
            Ok(text) => Manifest::parse(&text),
            Err(e) => {
                let error = os_error(&e);
                let what = b"Fatal error: can't open the AOF manifest file ";
                return self.fail(&[what, path, b" for reading: ", error.as_bytes(), b"\n"]);
            }
        };
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => {
                error.lines().iter().for_each(|line| self.say(&[line.as_bytes(), b"\n"]));
                return Err(Failed);
            }
        };
        let dir = match to_path(path).parent().map(Path::as_os_str).map(OsStr::as_bytes) {
            None | Some(b"") => b".".to_vec(),
            Some(dir) => dir.to_vec(),
        };
        let mut left = manifest.files().count();
        if let Some(base) = &manifest.base {
            let path = [&dir[..], b"/", &base.name].concat();
            left -= 1;
            let snapshot = self.is_snapshot(&path)?;
            let format: &[u8] = if snapshot { b"RDB" } else { b"RESP" };
            self.say(&[b"Start to check BASE AOF (", format, b" format).\n"]);
            let target = Target { name: &base.name, path: &path, last: left == 0, snapshot };
            let verdict = self.single(&target)?;
            self.tell(verdict, "BASE AOF", &base.name);
        }
        if !manifest.incr.is_empty() {
            self.say(&[b"Start to check INCR files.\n"]);
        }
        for file in &manifest.incr {
            let path = [&dir[..], b"/", &file.name].concat();
            left -= 1;
            let target = Target { name: &file.name, path: &path, last: left == 0, snapshot: false };
            let verdict = self.single(&target)?;
            self.tell(verdict, "INCR AOF", &file.name);
        }
        self.say(&[b"All AOF files and manifest are valid\n"]);
        Ok(())
    }

    fn tell(&mut self, verdict: Verdict, what: &str, name: &[u8]) {
        let what = what.as_bytes();
        match verdict {
            Verdict::Valid => self.say(&[what, b" ", name, b" is valid\n"]),
            Verdict::Empty => self.say(&[what, b" ", name, b" is empty\n"]),
            Verdict::Truncated => self.say(&[b"Successfully truncated AOF ", name, b"\n"]),
            Verdict::TruncatedToTimestamp(to) => {
                let to = format!(" to timestamp {to}\n");
                self.say(&[b"Successfully truncated AOF ", name, to.as_bytes()]);
            }
        }
    }

    /// Walks one file, and cuts it if that is wanted.
    fn single(&mut self, target: &Target<'_>) -> Result<Verdict, Failed> {
        let opened = open(target.path, self.mode != Mode::Check);
        let (file, size) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                let error = os_error(&e);
                let what = b"Cannot open file ";
                return self.fail(&[
                    what,
                    target.path,
                    b": ",
                    error.as_bytes(),
                    b", aborting...\n",
                ]);
            }
        };
        if size == 0 {
            return Ok(Verdict::Empty);
        }
        let start = if target.snapshot { self.snapshot(&file, target)? } else { 0 };
        let scan = Scan::new(BufReader::with_capacity(BUFFER, &file), start, self.lines);
        let mut scan = match self.mode {
            Mode::ToTimestamp(to) => scan.until(to),
            _ => scan,
        };
        let ended = scan.walk(target.path);
        self.lines = scan.lines();
        let (sound, error) = (scan.sound(), scan.error().map(<[u8]>::to_vec));
        match ended {
            Ok(Ended::End) => {}
            Ok(Ended::NoCommand) => self.say(&[b"AOF ", target.name, b" format error\n"]),
            Ok(Ended::Later { at, limit }) => {
                return self.cut_to_timestamp(&file, target, at, limit);
            }
            Ok(Ended::BadTimestamp) => return self.fail(&[b"Invalid timestamp annotation\n"]),
            Err(_) => {
                return self.fail(&[b"Failed to read from AOF ", target.name, b", aborting...\n"]);
            }
        }
        if let Some(error) = error {
            self.say(&[&error, b"\n"]);
        }
        self.conclude(&file, target, size, sound)
    }

    /// Says how far the file is sound, and cuts it there if that is wanted.
    fn conclude(
        &mut self,
        file: &File,
        target: &Target<'_>,
        size: u64,
        sound: u64,
    ) -> Result<Verdict, Failed> {
        let name = target.name;
        let diff = i128::from(size) - i128::from(sound);
        if let Mode::ToTimestamp(to) = self.mode
            && diff == 0
        {
            let to = format!(" to timestamp {to}\n");
            self.say(&[b"Truncate nothing in AOF ", name, to.as_bytes()]);
            return Ok(Verdict::Valid);
        }
        let figures =
            format!(", size={size}, ok_up_to={sound}, ok_up_to_line={}, diff={diff}\n", self.lines);
        self.say(&[b"AOF analyzed: filename=", name, figures.as_bytes()]);
        if diff <= 0 {
            return Ok(Verdict::Valid);
        }
        if self.mode != Mode::Fix {
            let hint = b" is not valid. Use the --fix option to try fixing it.\n";
            return self.fail(&[b"AOF ", name, hint]);
        }
        if !target.last {
            let why = b" because it is not the last file\n";
            return self.fail(&[b"Failed to truncate AOF ", name, why]);
        }
        let figures = format!(" from {size} bytes, with {diff} bytes, to {sound} bytes\n");
        self.say(&[b"This will shrink the AOF ", name, figures.as_bytes()]);
        self.say(&[b"Continue? [y/N]: "]);
        let _ = self.out.flush();
        let mut answer = [0];
        let yes = self.answers.read_exact(&mut answer).is_ok();
        if !yes || !answer.eq_ignore_ascii_case(b"y") {
            return self.fail(&[b"Aborting...\n"]);
        }
        match cut(file, sound) {
            Ok(()) => Ok(Verdict::Truncated),
            Err(_) => self.fail(&[b"Failed to truncate AOF ", name, b"\n"]),
        }
    }

    /// Cuts off what begins at `at`, with the first annotation of a time after `limit`.
    fn cut_to_timestamp(
        &mut self,
        file: &File,
        target: &Target<'_>,
        at: u64,
        limit: i64,
    ) -> Result<Verdict, Failed> {
        let path = target.path;
        if at == 0 {
            let why = format!(" has nothing before timestamp {limit}, aborting...\n");
            return self.fail(&[b"AOF ", path, why.as_bytes()]);
        }
        if !target.last {
            let why = format!(
                " to timestamp {limit} to offset {at} because it is not the last file.\n\
                 If you insist, please delete all files after this file according to the manifest \
                 file and delete the corresponding records in manifest file manually. Then re-run \
                 redis-check-aof.\n"
            );
            return self.fail(&[b"Failed to truncate AOF ", path, why.as_bytes()]);
        }
        match cut(file, at) {
            Ok(()) => Ok(Verdict::TruncatedToTimestamp(limit)),
            Err(_) => {
                let to = format!(" to timestamp {limit}\n");
                self.fail(&[b"Failed to truncate AOF ", path, to.as_bytes()])
            }
        }
    }

    /// Checks the snapshot that a file begins with; where it ends. The file stands there then.
    fn snapshot(&mut self, mut file: &File, target: &Target<'_>) -> Result<u64, Failed> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        let name = String::from_utf8_lossy(target.path);
        // Only the output can fail here, and that is no reason to doubt the file.
        let mut report = Vec::new();
        let end = rdb::snapshot(file, &name, now, &mut report).unwrap_or(None);
        self.say(&[&report]);
        match end.map(|end| file.seek(SeekFrom::Start(end))) {
            Some(Ok(end)) => {
                self.say(&[b"RDB preamble is OK, proceeding with AOF tail...\n"]);
                Ok(end)
            }
            _ => self.fail(&[b"RDB preamble of AOF file is not sane, aborting.\n"]),
        }
    }

    /// Opens a file to look at how it begins.
    fn look(&mut self, path: &[u8]) -> Result<(File, u64), Failed> {
        let opened = File::open(to_path(path)).and_then(|file| {
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        match opened {
            Ok(opened) => Ok(opened),
            Err(e) => {
                self.fail(&[b"Cannot open file ", path, b": ", os_error(&e).as_bytes(), b"\n"])
            }
        }
    }

    /// Whether the file consists of lines of a manifest, as far as one can tell from its start.
    fn is_manifest(&mut self, path: &[u8]) -> Result<bool, Failed> {
        let (file, size) = self.look(path)?;
        if size == 0 {
            return Ok(false);
        }
        let mut from = BufReader::new(file);
        let (mut found, mut line) = (false, Vec::new());
        loop {
            line.clear();
            match from.by_ref().take(MANIFEST_LINE as u64).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(found),
                Ok(_) if line.starts_with(b"#") => {}
                Ok(_) if line.starts_with(b"file") => found = true,
                Ok(_) => return Ok(found),
                Err(_) => return self.fail(&[b"Cannot read file: ", path, b"\n"]),
            }
        }
    }

    fn is_snapshot(&mut self, path: &[u8]) -> Result<bool, Failed> {
        let (file, size) = self.look(path)?;
        let mut start = Vec::new();
        let read = file.take(6).read_to_end(&mut start).is_ok();
        let magic = start.starts_with(b"REDIS") || start.starts_with(b"VALKEY");
        Ok(size >= SNAPSHOT_MIN && read && magic)
    }
}

/// Opens a file for reading and a cut. One that may only be read can still be checked.
fn open(path: &[u8], cut: bool) -> io::Result<(File, u64)> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let path = to_path(path);
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Err(e) if !cut && matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            File::open(&path)
        }
        opened => opened,
    }?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
