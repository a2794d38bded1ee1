//! Errors that a client sees. Texts that clients match on stand here once, exactly as in Redis.
//!
//! A command fails with `Err(CmdError)`. Only the dispatcher writes it, and counts it by its first
//! word (`errorstat_<WORD>`).

use std::borrow::Cow;

/// An error reply without the leading `-` and the line end: `CODE text`.
///
/// Invariant: it holds no CR or LF, which would end the reply early. The constructors make sure of
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CmdError(Cow<'static, [u8]>);

impl CmdError {
    pub(crate) const fn new(text: &'static str) -> CmdError {
        CmdError(Cow::Borrowed(text.as_bytes()))
    }

    /// An error that is `text` and nothing else.
    pub(crate) fn bare(text: impl AsRef<[u8]>) -> CmdError {
        CmdError(Cow::Owned(one_line(text.as_ref()).collect()))
    }

    /// An error with the generic code `ERR` before `text`.
    pub(crate) fn err(text: impl AsRef<[u8]>) -> CmdError {
        CmdError::coded("ERR", text)
    }

    pub(crate) fn coded(code: &str, text: impl AsRef<[u8]>) -> CmdError {
        let mut out = Vec::with_capacity(code.len() + 1 + text.as_ref().len());
        out.extend_from_slice(code.as_bytes());
        out.push(b' ');
        out.extend(one_line(text.as_ref()));
        CmdError(Cow::Owned(out))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first word, which `INFO errorstats` counts by. Compat: it counts as `ERR` if it is
    /// longer than 30 bytes, or the only one.
    pub(crate) fn code(&self) -> &[u8] {
        let end = memchr::memchr(b' ', &self.0[..self.0.len().min(31)]);
        end.map_or(b"ERR", |end| &self.0[..end])
    }
}

/// The text may quote the client, and a line end in it would end the reply. Compat: line ends at
/// the end are removed, others become spaces.
fn one_line(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let is_end = |c: &u8| matches!(c, b'\r' | b'\n');
    let len = text.iter().rposition(|c| !is_end(c)).map_or(0, |last| last + 1);
    text[..len].iter().map(move |c| if is_end(c) { b' ' } else { *c })
}

/// What error texts show of a client's bytes. Compat: Redis makes them of C strings, which end at a
/// NUL.
pub(crate) fn shown(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// The same, of no more than 128 bytes.
fn shown_128(text: &[u8]) -> &[u8] {
    shown(&text[..text.len().min(128)])
}

pub(crate) const WRONG_TYPE: CmdError =
    CmdError::new("WRONGTYPE Operation against a key holding the wrong kind of value");
pub(crate) const SYNTAX: CmdError = CmdError::new("ERR syntax error");
pub(crate) const NOT_INT: CmdError = CmdError::new("ERR value is not an integer or out of range");
pub(crate) const NOT_FLOAT: CmdError = CmdError::new("ERR value is not a valid float");
pub(crate) const OUT_OF_RANGE: CmdError = CmdError::new("ERR value is out of range");
pub(crate) const NO_SUCH_KEY: CmdError = CmdError::new("ERR no such key");
pub(crate) const SAME_OBJECT: CmdError =
    CmdError::new("ERR source and destination objects are the same");
pub(crate) const INDEX_RANGE: CmdError = CmdError::new("ERR index out of range");
pub(crate) const OFFSET_RANGE: CmdError = CmdError::new("ERR offset is out of range");
pub(crate) const NOT_INT32: CmdError =
    CmdError::new("ERR value is out of range, value must between -2147483648 and 2147483647");
pub(crate) const DB_RANGE: CmdError = CmdError::new("ERR DB index is out of range");
pub(crate) const BUSY_KEY: CmdError = CmdError::new("BUSYKEY Target key name already exists.");
pub(crate) const OVERFLOW: CmdError = CmdError::new("ERR increment or decrement would overflow");
pub(crate) const NAN_OR_INF: CmdError =
    CmdError::new("ERR increment would produce NaN or Infinity");
pub(crate) const STRING_TOO_LONG: CmdError =
    CmdError::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
pub(crate) const WRONG_PASS: CmdError =
    CmdError::new("WRONGPASS invalid username-password pair or user is disabled.");
pub(crate) const NO_AUTH: CmdError = CmdError::new("NOAUTH Authentication required.");
pub(crate) const NO_PROTO: CmdError = CmdError::new("NOPROTO unsupported protocol version");
pub(crate) const LOADING: CmdError =
    CmdError::new("LOADING Redis is loading the dataset in memory");
pub(crate) const OOM: CmdError =
    CmdError::new("OOM command not allowed when used memory > 'maxmemory'.");
pub(crate) const READ_ONLY_REPLICA: CmdError =
    CmdError::new("READONLY You can't write against a read only replica.");
pub(crate) const PRIMARY_DOWN: CmdError = CmdError::new(
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
);
pub(crate) const NO_REPLICAS: CmdError =
    CmdError::new("NOREPLICAS Not enough good replicas to write.");
pub(crate) const BUSY: CmdError = CmdError::new(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
pub(crate) const BUSY_FUNCTION: CmdError = CmdError::new(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
pub(crate) const MISCONF_RDB: CmdError = CmdError::new(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
     disk. Commands that may modify the data set are disabled, because this instance is configured \
     to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
     Please check the Redis logs for details about the RDB error.",
);
pub(crate) const EXEC_ABORT: CmdError =
    CmdError::new("EXECABORT Transaction discarded because of previous errors.");
pub(crate) const MAX_CLIENTS: CmdError = CmdError::new("ERR max number of clients reached");

/// `ERR wrong number of arguments for '<name>' command`, the name in lower case.
#[cold]
pub(crate) fn wrong_arity(name: &str) -> CmdError {
    CmdError::err(format!("wrong number of arguments for '{name}' command"))
}

/// `ERR invalid expire time in '<name>' command`.
#[cold]
pub(crate) fn invalid_expire(name: &str) -> CmdError {
    CmdError::err(format!("invalid expire time in '{name}' command"))
}

/// The reply of a container command to a subcommand that it does not have.
#[cold]
pub(crate) fn no_subcommand(container: &str, sub: &[u8]) -> CmdError {
    let head = b"unknown subcommand '";
    let container = container.to_ascii_uppercase();
    let tail = format!("'. Try {container} HELP.");
    CmdError::err([head, shown_128(sub), tail.as_bytes()].concat())
}

/// The reply of a command that reads its subcommand itself, if it does not have it or if the
/// arguments are wrong.
#[cold]
pub(crate) fn unknown_subcommand(container: &str, sub: &[u8]) -> CmdError {
    let mut text = b"unknown subcommand or wrong number of arguments for '".to_vec();
    text.extend_from_slice(shown_128(sub));
    text.extend_from_slice(b"'. Try ");
    text.extend_from_slice(container.to_ascii_uppercase().as_bytes());
    text.extend_from_slice(b" HELP.");
    CmdError::err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_line_end_cannot_end_the_reply() {
        let e = CmdError::err(b"unknown command 'a\r\nb'");
        assert_eq!(e.bytes(), b"ERR unknown command 'a  b'");
        assert_eq!(e.code(), b"ERR");
        assert_eq!(CmdError::err(b"no option a\r\n\n").bytes(), b"ERR no option a");
        assert_eq!(CmdError::bare(b"CODE a\n\rb\r\n").bytes(), b"CODE a  b");
    }
}
