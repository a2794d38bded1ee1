//! Hash commands.

use crate::commands::DataRow;

pub const COMMANDS: &[DataRow] = &[];
