//! What a replica has told its primary about itself with REPLCONF.

use crate::resp::errors::CmdError;
use crate::util::split::split_args;

/// The capability by which servers of this kind know each other.
pub(crate) const OWN_KIND: &[u8] = b"redust";

/// What a replica can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    /// It reads a snapshot whose end is a mark.
    pub eof: bool,
    /// It understands an ID after +CONTINUE.
    pub psync2: bool,
    /// It reads all versions of snapshots that this server writes: it is one of its kind.
    pub all_versions: bool,
}

/// What it wants of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub no_data: bool,
    pub no_functions: bool,
}

/// All that a replica has told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub port: u16,
    /// The address that it wants to be known by.
    pub address: Vec<u8>,
    pub can: Capabilities,
    pub filter: Filter,
    /// It takes the snapshot and nothing else: a tool.
    pub snapshot_only: bool,
    /// The version of Redis that it speaks, major and minor; None: it has not said.
    pub version: Option<(u32, u32)>,
}

/// Major and minor of a version `a.b.c`.
pub(crate) fn version(text: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

impl Filter {
    /// The words of `rdb-filter-only`, or the error.
    pub(crate) fn parse(text: &[u8]) -> Result<Filter, CmdError> {
        let mut filter = Filter { no_data: true, no_functions: true };
        let words = split_args(text);
        for word in words.map_err(|_| CmdError::new("ERR Missing rdb-filter-only values"))? {
            if !word.eq_ignore_ascii_case(b"functions") {
                let what = [b"Unsupported rdb-filter-only option: ", &word[..]].concat();
                return Err(CmdError::err(what));
            }
            filter.no_functions = false;
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_filters() {
        assert_eq!(version(b"7.2.6"), Some((7, 2)));
        assert_eq!(version(b"255.255.255"), Some((255, 255)));
        assert_eq!(version(b"7"), None);
        assert_eq!(version(b"x.y"), None);
        let none = Filter { no_data: true, no_functions: true };
        assert_eq!(Filter::parse(b""), Ok(none));
        assert_eq!(Filter::parse(b"Functions "), Ok(Filter { no_functions: false, ..none }));
        let refused = |text: &[u8]| Filter::parse(text).expect_err("refused").bytes().to_vec();
        assert_eq!(refused(b"functions keys"), b"ERR Unsupported rdb-filter-only option: keys");
        assert_eq!(refused(b"\"functions"), b"ERR Missing rdb-filter-only values");
    }
}
