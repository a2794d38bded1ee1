//! SORT and SORT_RO.

use crate::commands::DataRow;

pub const COMMANDS: &[DataRow] = &[];
