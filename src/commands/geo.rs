//! Geo commands: sorted sets whose scores are places.

use crate::commands::DataRow;

pub const COMMANDS: &[DataRow] = &[];
