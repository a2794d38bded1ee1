//! The manifest of an append-only directory: one line a file, written anew and renamed into place
//! at each change.
//!
//! ```text
//! file appendonly.aof.3.base.rdb seq 3 type b      base: at most one
//! file appendonly.aof.6.incr.aof seq 6 type h      history: replaced by the base, to be deleted
//! file appendonly.aof.7.incr.aof seq 7 type i      incremental: in the order of their numbers
//! ```
//! Names with unusual characters are quoted as in the configuration. Lines that start with `#` and
//! pairs of words that are not known are passed over, so that later versions can add some.

use crate::persist::rdb::file::{FileError, write_atomically};
use crate::util::num::leading_number;
use crate::util::path::to_path;
use crate::util::split::{needs_repr, repr_into, split_args};
use std::io::{self, Write};
use std::path::Path;

/// A line has at most so many bytes, its end included.
const MAX_LINE: usize = 1024;

/// A file that the manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub name: Vec<u8>,
    pub seq: i64,
}

/// What a manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<FileInfo>,
    /// What the latest rewrite replaced comes first.
    pub history: Vec<FileInfo>,
    /// Oldest first, by rising numbers.
    pub incr: Vec<FileInfo>,
    /// The largest numbers given out.
    pub base_seq: i64,
    pub incr_seq: i64,
}

/// Why a manifest can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line at fault: its number, from 1, and its text.
    pub line: Option<(usize, Vec<u8>)>,
    pub what: &'static str,
}

impl ManifestError {
    /// The error as lines for a log.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["\n*** FATAL AOF MANIFEST FILE ERROR ***\n".to_owned()];
        if let Some((number, text)) = &self.line {
            lines.push(format!("Reading the manifest file, at line {number}\n"));
            lines.push(format!(">>> '{}'\n", String::from_utf8_lossy(text)));
        }
        lines.push(format!("{}\n", self.what));
        lines
    }
}

impl Manifest {
    /// Reads a manifest. O(bytes).
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let whole = |what| ManifestError { line: None, what };
        if text.is_empty() {
            return Err(whole("Found an empty AOF manifest"));
        }
        let mut manifest = Manifest::default();
        let mut rest = text;
        let mut number = 0;
        while !rest.is_empty() {
            number += 1;
            let window = &rest[..rest.len().min(MAX_LINE)];
            let end = memchr::memchr(b'\n', window);
            let (line, after) = rest.split_at(end.map_or(window.len(), |at| at + 1));
            rest = after;
            if line.starts_with(b"#") {
                continue;
            }
            // Compat: a zero byte ends a line of C before its end.
            if end.is_none() || line.contains(&0) {
                return Err(whole("The AOF manifest file contains too long line"));
            }
            let line = line.trim_ascii();
            manifest
                .add_line(line)
                .map_err(|what| ManifestError { line: Some((number, line.to_vec())), what })?;
        }
        Ok(manifest)
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const INVALID: &str = "Invalid AOF manifest file format";
        let words = split_args(line).map_err(|_| INVALID)?;
        let (pairs, rest) = words.as_chunks::<2>();
        if pairs.len() < 3 || !rest.is_empty() {
            return Err(INVALID);
        }
        let (mut name, mut seq, mut kind) = (None, 0, None);
        for [key, value] in pairs {
            if key.eq_ignore_ascii_case(b"file") {
                if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value.clone());
            } else if key.eq_ignore_ascii_case(b"seq") {
                seq = leading_number(value).0;
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = value.first().copied();
            }
        }
        let (Some(name), Some(kind)) = (name, kind) else { return Err(INVALID) };
        if seq == 0 {
            return Err(INVALID);
        }
        let file = FileInfo { name, seq };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.base_seq = seq.max(self.base_seq);
                self.base = Some(file);
            }
            // What is to be deleted still has its name, so the number must not be given out again.
            b'h' => {
                let incr = file.name.ends_with(b".incr.aof");
                let largest = if incr { &mut self.incr_seq } else { &mut self.base_seq };
                *largest = seq.max(*largest);
                self.history.push(file);
            }
            b'i' if seq <= self.incr.last().map_or(0, |last| last.seq) => {
                return Err("Found a non-monotonic sequence number");
            }
            b'i' => {
                self.incr_seq = seq.max(self.incr_seq);
                self.incr.push(file);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The manifest as it stands on disk.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut line = |file: &FileInfo, kind: char| {
            out.extend_from_slice(b"file ");
            // Compat: redis-server does not quote a name for these, and can't read its file again.
            let odd = file.name.is_empty() || file.name.contains(&b'\'');
            if odd || needs_repr(&file.name) {
                repr_into(&mut out, &file.name);
            } else {
                out.extend_from_slice(&file.name);
            }
            out.extend_from_slice(format!(" seq {} type {kind}\n", file.seq).as_bytes());
        };
        self.base.iter().for_each(|file| line(file, 'b'));
        self.history.iter().for_each(|file| line(file, 'h'));
        self.incr.iter().for_each(|file| line(file, 'i'));
        out
    }

    /// Whether there is nothing to load.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incr.is_empty()
    }

    /// The files to load, in order.
    pub fn files(&self) -> impl Iterator<Item = &FileInfo> {
        self.base.iter().chain(&self.incr)
    }

    /// Names a new base, whose predecessor is history from now on. `rdb`: it is a snapshot.
    pub fn new_base(&mut self, file_name: &[u8], rdb: bool) -> Vec<u8> {
        if let Some(old) = self.base.take() {
            self.history.insert(0, old);
        }
        self.base_seq += 1;
        let suffix = if rdb { "rdb" } else { "aof" };
        let name = numbered(file_name, self.base_seq, &format!("base.{suffix}"));
        self.base = Some(FileInfo { name: name.clone(), seq: self.base_seq });
        name
    }

    /// The one file of an old server becomes the base.
    pub fn adopt_base(&mut self, name: &[u8]) {
        self.base_seq = 1;
        self.base = Some(FileInfo { name: name.to_vec(), seq: 1 });
    }

    /// Names a new incremental file.
    pub fn new_incr(&mut self, file_name: &[u8]) -> Vec<u8> {
        self.incr_seq += 1;
        let name = numbered(file_name, self.incr_seq, "incr.aof");
        self.incr.push(FileInfo { name: name.clone(), seq: self.incr_seq });
        name
    }

    /// A new base holds what the incremental files do: they are history, but for the last `kept`.
    pub fn retire_incr(&mut self, kept: usize) {
        let old = self.incr.len().saturating_sub(kept);
        for file in self.incr.drain(..old).rev() {
            self.history.insert(0, file);
        }
    }

    /// Writes the manifest of `file_name` into `dir`: a crash leaves the old one or this one.
    pub fn persist(&self, dir: &Path, file_name: &[u8]) -> Result<(), FileError> {
        self.persist_when(dir, file_name, || Ok(()))
    }

    /// The same, but it gets its name only when `ready` has returned: what it names is on disk
    /// then. By that time its own text is.
    pub(crate) fn persist_when(
        &self,
        dir: &Path,
        file_name: &[u8],
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), FileError> {
        let (name, temporary) = (manifest_name(file_name), temporary_manifest_name(file_name));
        let text = self.text();
        write_atomically(dir, &to_path(&name), &to_path(&temporary), false, |out| {
            out.write_all(&text)?;
            out.file.sync_all()?;
            ready()
        })
    }
}

fn numbered(file_name: &[u8], seq: i64, what: &str) -> Vec<u8> {
    [file_name, format!(".{seq}.{what}").as_bytes()].concat()
}

/// The manifest's name.
pub fn manifest_name(file_name: &[u8]) -> Vec<u8> {
    [file_name, b".manifest"].concat()
}

/// What the manifest is called while it is written.
pub fn temporary_manifest_name(file_name: &[u8]) -> Vec<u8> {
    [b"temp-", file_name, b".manifest"].concat()
}

/// The file that gathers writes until the first rewrite is done.
pub fn temporary_incr_name(file_name: &[u8]) -> Vec<u8> {
    [b"temp-", file_name, b".incr"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (Option<usize>, &'static str) {
        let error = Manifest::parse(text.as_bytes()).expect_err(text);
        (error.line.map(|(number, _)| number), error.what)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut manifest = Manifest::default();
        for round in 0..5 {
            let name: &[u8] = [&b"a.aof"[..], b"with \"blank\n", b"it's"][round % 3];
            manifest.new_incr(name);
            manifest.new_incr(name);
            manifest.new_base(name, round % 2 == 0);
            manifest.retire_incr(1);
            assert_eq!(Manifest::parse(&manifest.text()).as_ref(), Ok(&manifest), "{round}");
        }
        assert_eq!((manifest.base_seq, manifest.incr_seq), (5, 10));
        assert_eq!((manifest.incr.len(), manifest.history.len()), (1, 4 + 9));
    }

    #[test]
    fn names_and_order_are_those_of_redis() {
        let mut manifest = Manifest::default();
        manifest.new_base(b"appendonly.aof", true);
        manifest.new_incr(b"appendonly.aof");
        manifest.new_incr(b"appendonly.aof");
        manifest.new_incr(b"appendonly.aof");
        manifest.new_base(b"appendonly.aof", false);
        manifest.retire_incr(1);
        let text = String::from_utf8(manifest.text()).expect("plain");
        assert_eq!(
            text,
            "file appendonly.aof.2.base.aof seq 2 type b\n\
             file appendonly.aof.1.incr.aof seq 1 type h\n\
             file appendonly.aof.2.incr.aof seq 2 type h\n\
             file appendonly.aof.1.base.rdb seq 1 type h\n\
             file appendonly.aof.3.incr.aof seq 3 type i\n"
        );
    }

    #[test]
    fn errors_name_line_and_reason() {
        const FORMAT: &str = "Invalid AOF manifest file format";
        assert_eq!(error(""), (None, "Found an empty AOF manifest"));
        assert_eq!(error("\n"), (Some(1), FORMAT));
        assert_eq!(error("# c\nfile a seq 1\n"), (Some(2), FORMAT));
        assert_eq!(error("file a seq x type b\n"), (Some(1), FORMAT));
        assert_eq!(error("file a seq 1 type b more\n"), (Some(1), FORMAT));
        assert_eq!(error("file \"a seq 1 type b\n"), (Some(1), FORMAT));
        assert_eq!(error("file a seq 1 type z\n"), (Some(1), "Unknown AOF file type"));
        assert_eq!(
            error("file a/b seq 1 type i\n"),
            (Some(1), "File can't be a path, just a filename")
        );
        assert_eq!(
            error("file a seq 1 type b\nfile b seq 2 type b\n"),
            (Some(2), "Found duplicate base file information")
        );
        assert_eq!(
            error("file a seq 2 type i\nfile b seq 2 type i\n"),
            (Some(2), "Found a non-monotonic sequence number")
        );
        let long = "The AOF manifest file contains too long line";
        assert_eq!(error("file a seq 1 type b"), (None, long));
        assert_eq!(error("file a seq 1 type b\0\n"), (None, long));
        assert_eq!(error(&format!("file {} seq 1 type b\n", "a".repeat(1100))), (None, long));
    }

    /// As redis-server reads them, with C's `atoll`.
    #[test]
    fn numbers_end_where_digits_end() {
        let seq = |text: &str| {
            let text = format!("file a seq {text} type b\n");
            Manifest::parse(text.as_bytes()).ok()?.base.map(|base| base.seq)
        };
        for (text, expected) in [("3i", 3), ("+7", 7), ("-2", -2), ("\" 4\"", 4), ("007", 7)] {
            assert_eq!(seq(text), Some(expected), "{text}");
        }
        assert_eq!(seq("99999999999999999999"), Some(i64::MAX));
        assert_eq!((seq("x"), seq("0")), (None, None));
    }

    #[test]
    fn the_number_of_a_file_that_is_to_be_deleted_is_not_given_out_again() {
        let mut manifest = Manifest::default();
        manifest.new_base(b"a", true);
        manifest.new_incr(b"a");
        // The file was off when this base was written: it comes without an incremental one.
        manifest.new_base(b"a", true);
        manifest.retire_incr(0);
        let mut again = Manifest::parse(&manifest.text()).expect("sound");
        assert_eq!(again, manifest);
        again.new_incr(b"a");
        assert_eq!(again.incr[0].name, b"a.2.incr.aof");
    }

    #[test]
    fn unknown_pairs_and_comments_are_passed_over() {
        let text = "# first\nfile a newkey x seq 1 TYPE base\n";
        let manifest = Manifest::parse(text.as_bytes()).expect("sound");
        assert_eq!(manifest.base, Some(FileInfo { name: b"a".to_vec(), seq: 1 }));
    }
}
