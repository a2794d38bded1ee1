//! Streams: entries that are only ever added at the end, and groups of consumers that read them.
//!
//! ```text
//!   Stream   log      entries in blocks (`log`, `block`), each with its ID (`id`)
//!            groups   how far each has read, its consumers, what is pending (`group`)
//!            producers  which messages became which entries, if somebody asked (`idempotent`)
//! ```
//! The parts are public, so that a group can be changed while entries are read.

pub(crate) mod block;
mod blocks;
pub(crate) mod group;
pub(crate) mod id;
pub(crate) mod idempotent;
pub(crate) mod log;

use group::{Group, Groups};
use idempotent::Producers;
use log::Log;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub log: Log,
    pub(crate) groups: Groups,
    pub(crate) producers: Option<Box<Producers>>,
}

impl Stream {
    /// Allocated bytes, the stream's own not counted; blocks are extrapolated from `samples`.
    pub(crate) fn mem_bytes(&self, samples: usize) -> usize {
        self.log.mem_bytes(samples)
            + self.groups.values().map(Group::mem_bytes).sum::<usize>()
            + self.producers.as_ref().map_or(0, |producers| producers.mem_bytes())
    }

    /// Steps that freeing it takes, in allocations. Compat: the first group stands for all.
    pub(crate) fn free_effort(&self) -> usize {
        let group = self.groups.values().next().map_or(0, |group| 1 + group.pending().len());
        self.log.block_count() + self.groups.len() * group
    }

    /// How many entries a group has still to read, if that can be told.
    pub(crate) fn lag(&self, group: &Group) -> Option<i64> {
        let log = &self.log;
        if log.added == 0 {
            return Some(0);
        }
        let read = match group.entries_read {
            Some(read) if !log.has_gaps(group.last_id) => read,
            _ => log.added_up_to(group.last_id)?,
        };
        Some((log.added as i64).wrapping_sub(read))
    }
}

#[cfg(test)]
mod tests;
