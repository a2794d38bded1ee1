//! A connection to a server, and its replies as a tree that keeps what RESP2 and RESP3 tell apart.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::step::brief;

/// A server that does not answer within this time hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A reply: a line (`+ - : , # ( _` and nulls), a text (`$ =`), or several replies (`* % ~ >`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Line(u8, Vec<u8>),
    Text(u8, Vec<u8>),
    Many(u8, Vec<Value>),
}

impl Value {
    pub(super) fn is_error(&self) -> bool {
        matches!(self, Value::Line(b'-', _))
    }

    pub(super) fn is_line(&self, kind: u8, text: &[u8]) -> bool {
        matches!(self, Value::Line(k, t) if *k == kind && t == text)
    }

    /// The first error in the reply, at any depth.
    pub(super) fn error(&self) -> Option<&Value> {
        match self {
            Value::Many(_, all) => all.iter().find_map(Value::error),
            other => other.is_error().then_some(other),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Value::Line(_, bytes) | Value::Text(_, bytes) => bytes,
            Value::Many(..) => b"",
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub(super) fn number(&self) -> Option<i64> {
        std::str::from_utf8(self.bytes()).ok()?.parse().ok()
    }

    pub(super) fn members(&self) -> &[Value] {
        match self {
            Value::Many(_, all) => all,
            _ => &[],
        }
    }

    /// The same reply without times of streams' consumers: when they were seen, and since when
    /// something is pending.
    pub(super) fn timeless(&self) -> Value {
        const TIMES: [&[u8]; 4] = [b"idle", b"inactive", b"seen-time", b"active-time"];
        let Value::Many(kind, all) = self else {
            let is_date = self.number().is_some_and(|n| n > 1_600_000_000_000);
            let hidden = Value::Line(b':', b"a time".to_vec());
            return if is_date { hidden } else { self.clone() };
        };
        let mut out: Vec<Value> = all.iter().map(Value::timeless).collect();
        let is_pending = out.len() == 4 && !out[0].bytes().is_empty() && out[1].number().is_none();
        for at in 1..out.len() {
            let is_time = TIMES.contains(&out[at - 1].bytes()) || is_pending && at == 2;
            if is_time && out[at].number().is_some_and(|n| n >= 0) {
                out[at] = Value::Line(b':', b"a time".to_vec());
            }
        }
        Value::Many(*kind, out)
    }

    /// The same reply with its elements in order: one by one, or by pairs.
    pub(super) fn sorted(&self, by: usize) -> Value {
        let Value::Many(kind, all) = self else { return self.clone() };
        let by = if *kind == b'%' { 2 } else { by };
        let mut groups: Vec<&[Value]> = all.chunks(by).collect();
        groups.sort();
        Value::Many(*kind, groups.concat())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Line(kind, text) => write!(f, "{}{}", *kind as char, text.escape_ascii()),
            Value::Text(b'$', text) => write!(f, "\"{}\"", brief(&text.escape_ascii().to_string())),
            Value::Text(kind, text) => write!(f, "{}\"{}\"", *kind as char, text.escape_ascii()),
            Value::Many(kind, all) => {
                write!(f, "{}", *kind as char)?;
                f.debug_list().entries(all).finish()
            }
        }
    }
}

/// Parses one reply: it, and its length. `None` if it is not there as a whole.
pub(super) fn parse(bytes: &[u8]) -> Option<(Value, usize)> {
    let kind = *bytes.first()?;
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &bytes[1..end];
    let mut at = end + 2;
    let count = || std::str::from_utf8(line).ok()?.parse::<i64>().ok();
    match kind {
        b'$' | b'=' => match count().expect("a length") {
            -1 => Some((Value::Line(kind, line.to_vec()), at)),
            len => {
                let len = len as usize;
                let text = bytes.get(at..at + len + 2)?[..len].to_vec();
                Some((Value::Text(kind, text), at + len + 2))
            }
        },
        b'*' | b'~' | b'>' | b'%' => {
            let count = count().expect("a count");
            if count < 0 {
                return Some((Value::Line(kind, line.to_vec()), at));
            }
            let mut all = Vec::new();
            for _ in 0..count * if kind == b'%' { 2 } else { 1 } {
                let (value, len) = parse(&bytes[at..])?;
                all.push(value);
                at += len;
            }
            Some((Value::Many(kind, all), at))
        }
        b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => {
            Some((Value::Line(kind, line.to_vec()), at))
        }
        other => panic!("no reply begins with {:?}", other as char),
    }
}

/// A command as clients send it.
pub(super) fn encode<T: AsRef<[u8]>>(args: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend(arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// An error of a connection is the end of its server, as far as these tests can tell.
#[derive(Debug)]
pub(super) struct Gone(pub String);

pub(super) struct Connection {
    socket: UnixStream,
    unread: Vec<u8>,
    /// Where in `unread` the next reply begins.
    at: usize,
}

impl Connection {
    pub(super) fn open(path: &Path) -> Result<Connection, Gone> {
        let socket = UnixStream::connect(path).map_err(|e| Gone(e.to_string()))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|e| Gone(e.to_string()))?;
        Ok(Connection { socket, unread: Vec::new(), at: 0 })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.socket.write_all(bytes).map_err(|e| Gone(e.to_string()))
    }

    /// The next reply, which the server owes us.
    pub(super) fn read(&mut self) -> Result<Value, Gone> {
        loop {
            if let Some(value) = self.buffered() {
                return Ok(value);
            }
            self.fill()?;
        }
    }

    /// The next reply if it has come.
    pub(super) fn poll(&mut self) -> Result<Option<Value>, Gone> {
        if let Some(value) = self.buffered() {
            return Ok(Some(value));
        }
        self.socket.set_nonblocking(true).map_err(|e| Gone(e.to_string()))?;
        let filled = self.fill();
        self.socket.set_nonblocking(false).map_err(|e| Gone(e.to_string()))?;
        match filled {
            Ok(()) => Ok(self.buffered()),
            Err(Gone(text)) if text == WOULD_BLOCK => Ok(None),
            Err(gone) => Err(gone),
        }
    }

    fn buffered(&mut self) -> Option<Value> {
        let (value, len) = parse(&self.unread[self.at..])?;
        self.at += len;
        if self.at == self.unread.len() {
            self.unread.clear();
            self.at = 0;
        }
        Some(value)
    }

    fn fill(&mut self) -> Result<(), Gone> {
        let mut piece = [0; 1 << 16];
        match self.socket.read(&mut piece) {
            Ok(0) => Err(Gone("the server closed the connection".into())),
            Ok(n) => {
                self.unread.extend(&piece[..n]);
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Err(Gone(WOULD_BLOCK.into())),
            Err(e) => Err(Gone(e.to_string())),
        }
    }

    pub(super) fn ask<T: AsRef<[u8]>>(&mut self, args: &[T]) -> Result<Value, Gone> {
        self.send(&encode(args))?;
        self.read()
    }

    /// A command of words without spaces.
    pub(super) fn words(&mut self, line: &str) -> Result<Value, Gone> {
        self.ask(&line.split(' ').collect::<Vec<_>>())
    }
}

const WOULD_BLOCK: &str = "no reply in time";
