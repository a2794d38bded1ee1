//! Entries for a fuzzer: what must hold of the append-only file's readers, whatever the bytes.
//!
//! Each panics if a property does not hold.

use super::check::{Mode, check};
use super::manifest::Manifest;
use super::reader::{Commands, ReadError};
use std::io::{self, Read};
use std::path::Path;

/// Gives its bytes in pieces of a given size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(self.1).min(buf.len());
        buf[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// What reading came to: where each command lies, where the last thing ended, and why it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    spans: Vec<(u64, u64)>,
    end: u64,
    fault: Option<&'static str>,
    /// There is no MULTI and no EXEC.
    plain: bool,
}

fn read(data: &[u8], piece: usize, limit: usize) -> Outcome {
    let mut commands = Commands::new(Pieces(data, piece), 0);
    let (mut spans, mut plain) = (Vec::new(), true);
    let fault = loop {
        match commands.group(limit) {
            Ok(0) => break None,
            Ok(n) => {
                assert!(n <= limit);
                for i in 0..n {
                    let (start, end) = commands.span(i);
                    spans.push((start, end));
                    assert!(start < end && end <= commands.end());
                    let name = commands.args(i).next().expect("there is one");
                    let name = name.split(|b| *b == 0).next().unwrap_or_default();
                    plain &= ![&b"multi"[..], b"exec"].iter().any(|n| name.eq_ignore_ascii_case(n));
                }
            }
            Err(ReadError::Truncated) => break Some("truncated"),
            Err(ReadError::Format) => break Some("format"),
            Err(ReadError::Io(e)) => panic!("memory can be read: {e}"),
        }
    };
    // What a length claims takes none.
    assert!(commands.room() <= (1 << 20) + 2 * data.len());
    Outcome { spans, end: commands.end(), fault, plain }
}

/// Commands of a file: the same ones however they arrive; what is whole can be read again as whole.
pub fn commands(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let whole = read(data, usize::MAX, 16);
    let pieces = read(data, 1 + usize::from(first >> 4) * 7, 1 + usize::from(first & 15));
    assert_eq!(whole, pieces);
    assert!(whole.end <= data.len() as u64);
    assert_eq!(whole.fault.is_none(), whole.end == data.len() as u64);
    // A file that is cut back to `end` has the same commands, and nothing is wrong with it.
    let cut = read(&data[..whole.end as usize], usize::MAX, 16);
    assert_eq!(cut, Outcome { fault: None, ..whole });
    for (start, end) in &cut.spans {
        let one = &data[*start as usize..*end as usize];
        assert_eq!(read(one, usize::MAX, 16).spans, [(0, end - start)]);
    }
    // Neither is anything wrong with the start of the file up to any byte: it is only cut off.
    let at = usize::from(first) * cut.end as usize / 255;
    let start = read(&data[..at], usize::MAX, 16);
    assert!(start.fault != Some("format"), "at {at}");
    assert_eq!(start.spans, cut.spans[..start.spans.len()]);
}

/// A manifest: what is read and written is read as the same.
pub fn manifest(data: &[u8]) {
    const LINE: usize = 1024;
    let Ok(manifest) = Manifest::parse(data) else { return };
    let text = manifest.text();
    if text.is_empty() || text.split_inclusive(|b| *b == b'\n').any(|line| line.len() > LINE) {
        // There are only comments, or a name that no file can have.
        return;
    }
    let back = Manifest::parse(&text).expect("our own text");
    assert_eq!(back, manifest);
    assert_eq!(back.text(), text);
}

const NAMES: [&str; 4] = ["m", "a", "b", "c"];

/// The tool on a file `m`, beside which lie `a`, `b` and `c`: it changes nothing that it should
/// not, and what it has mended is sound.
///
/// The first byte says what is done; the files come one after the other with `==` lines between.
pub fn tool(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let dir = std::env::temp_dir().join(format!("redust-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let mut files: Vec<&[u8]> = Vec::new();
    let mut rest = data;
    while files.len() + 1 < NAMES.len()
        && let Some(at) = memchr::memmem::find(rest, b"==\n")
    {
        files.push(&rest[..at]);
        rest = &rest[at + 3..];
    }
    files.push(rest);
    for (name, bytes) in NAMES.iter().zip(&files) {
        std::fs::write(dir.join(name), bytes).expect("written");
    }
    let (mode, answer) = match first % 4 {
        0 => (Mode::Check, "y"),
        1 => (Mode::Fix, "n"),
        2 => (Mode::Fix, "y"),
        _ => (Mode::ToTimestamp(i64::from(first)), ""),
    };
    let code = run(&dir, mode, answer);
    for (name, bytes) in NAMES.iter().zip(&files) {
        let now = std::fs::read(dir.join(name)).expect("it is there");
        assert!(bytes.starts_with(&now), "{name}");
        let cuts = answer != "n" && mode != Mode::Check;
        assert!(cuts || now.len() == bytes.len(), "{name}");
    }
    if code == 0 && mode == Mode::Fix {
        assert_eq!(run(&dir, Mode::Check, ""), 0);
    }
    // What the server reads, the tool must not call broken.
    let commands = read(files[0], usize::MAX, 16);
    let manifest = files[0].starts_with(b"file") || files[0].starts_with(b"#");
    if mode == Mode::Check && commands.fault.is_none() && commands.plain && !manifest {
        assert_eq!(code, 0);
    }
    std::fs::remove_dir_all(&dir).expect("removed");
}

fn run(dir: &Path, mode: Mode, answer: &str) -> i32 {
    let mut out = Vec::new();
    check(dir.join(NAMES[0]).as_os_str(), mode, &mut answer.as_bytes(), &mut out)
}
