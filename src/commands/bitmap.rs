//! Bitmap commands: strings seen as rows of bits.

use crate::commands::DataRow;

pub const COMMANDS: &[DataRow] = &[];
