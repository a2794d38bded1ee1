//! How a hash is written and read.

use super::error::RdbError as Error;
use super::read::Reader;
use super::skip;
use super::types::ValueKind;
use super::write::Writer;
use crate::keyspace::limits::Limits;
use crate::value::hash::Hash;
use std::io::{self, Read, Write};

/// The form in which it is written.
pub fn kind(hash: &Hash) -> ValueKind {
    match *hash {}
}

/// Writes it in that form.
pub fn save<W: Write>(_to: &mut Writer<W>, hash: &Hash) -> io::Result<()> {
    match *hash {}
}

/// Reads one of any form, and gives it the encoding that the limits ask for.
pub fn load<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    _limits: &Limits,
) -> Result<Hash, Error> {
    let at = from.offset();
    skip::value(from, kind)?;
    Err(Error::Unsupported { at, type_name: kind.type_name(), key: None })
}
