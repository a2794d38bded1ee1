//! The logs of commands that cost much: the slow ones (SLOWLOG), and those whose request or reply
//! was large (COMMANDLOG of Valkey 8.1). Each keeps the latest and has numbers of its own.

use std::collections::VecDeque;

/// Arguments kept of a command at most; the last one then says how many more there were.
const MAX_ARGS: usize = 32;
/// Bytes kept of an argument.
const MAX_BYTES: usize = 128;

#[derive(Debug)]
pub(crate) struct Entry {
    pub id: u64,
    /// Seconds since 1970.
    pub time: i64,
    /// Microseconds that the command took, or bytes of its request or reply.
    pub value: u64,
    pub argv: Vec<Vec<u8>>,
    /// There were more arguments; the last one here says how many.
    cut: bool,
    pub peer: String,
    pub name: Vec<u8>,
}

impl Entry {
    /// The arguments that were kept, without what stands for the others.
    pub(crate) fn kept(&self) -> &[Vec<u8>] {
        match self.cut {
            true => &self.argv[..self.argv.len() - 1],
            false => &self.argv,
        }
    }
}

/// The logs of large requests and of large replies.
#[derive(Debug, Default)]
pub(crate) struct Large {
    pub requests: Slowlog,
    pub replies: Slowlog,
}

/// Newest first.
#[derive(Debug, Default)]
pub(crate) struct Slowlog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Slowlog {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
    pub(crate) fn reset(&mut self) {
        self.entries.clear();
    }

    /// Adds a command and drops the oldest beyond `max_len`.
    pub(crate) fn push(
        &mut self,
        argv: &[&[u8]],
        value: u64,
        time: i64,
        peer: &str,
        name: &[u8],
        max_len: usize,
    ) {
        let entry = Entry {
            id: self.next_id,
            time,
            value,
            argv: trimmed(argv),
            cut: argv.len() > MAX_ARGS,
            peer: peer.to_string(),
            name: name.to_vec(),
        };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.trim(max_len);
    }

    pub(crate) fn trim(&mut self, max_len: usize) {
        self.entries.truncate(max_len);
    }
}

fn trimmed(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    let cut = |arg: &&[u8]| {
        let mut kept = arg[..arg.len().min(MAX_BYTES)].to_vec();
        if arg.len() > MAX_BYTES {
            kept.extend(format!("... ({} more bytes)", arg.len() - MAX_BYTES).into_bytes());
        }
        kept
    };
    if argv.len() <= MAX_ARGS {
        return argv.iter().map(cut).collect();
    }
    let mut kept: Vec<_> = argv[..MAX_ARGS - 1].iter().map(cut).collect();
    kept.push(format!("... ({} more arguments)", argv.len() - MAX_ARGS + 1).into_bytes());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_cut() {
        let long = vec![b'x'; 200];
        let mut argv: Vec<&[u8]> = vec![b"a"; 40];
        argv[1] = &long;
        let kept = trimmed(&argv);
        assert_eq!(kept.len(), 32);
        assert_eq!(kept[31], b"... (9 more arguments)");
        assert!(kept[1].ends_with(b"... (72 more bytes)") && kept[1].len() == 128 + 19);
    }
}
