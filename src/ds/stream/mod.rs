//! Streams: entries that are only ever added at the end, and groups of consumers that read them.
//!
//! ```text
//!   Stream   log      entries in blocks (`log`, `block`), each with its ID (`id`)
//!            groups   how far each has read, its consumers, what is pending (`group`)
//!            producers  which messages became which entries, if somebody asked (`idempotent`)
//!            delayed    entries that wait for their time, which nobody sees yet (`delayed`)
//! ```
//! The parts are public, so that a group can be changed while entries are read.

pub(crate) mod block;
mod blocks;
pub(crate) mod delayed;
pub(crate) mod group;
pub(crate) mod id;
pub(crate) mod idempotent;
pub(crate) mod log;
mod times;

use delayed::Delayed;
use group::{Group, Groups};
use idempotent::Producers;
use log::Log;

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub log: Log,
    pub(crate) groups: Groups,
    pub(crate) producers: Option<Box<Producers>>,
    pub(crate) delayed: Option<Box<Delayed>>,
}

impl Stream {
    /// Allocated bytes, the stream's own not counted; blocks are extrapolated from `samples`.
    pub(crate) fn mem_bytes(&self, samples: usize) -> usize {
        self.log.mem_bytes(samples)
            + self.groups.values().map(Group::mem_bytes).sum::<usize>()
            + self.producers.as_ref().map_or(0, |producers| producers.mem_bytes())
            + self.delayed.as_ref().map_or(0, |delayed| delayed.mem_bytes())
    }

    /// Steps that freeing it takes, in allocations. Compat: the first group stands for all.
    pub(crate) fn free_effort(&self) -> usize {
        let group = self.groups.values().next().map_or(0, |group| 1 + group.pending().len());
        let delayed = self.delayed.as_ref().map_or(0, |delayed| delayed.len());
        self.log.block_count() + self.groups.len() * group + delayed
    }

    /// The last millisecond in which nothing that waits is due; None if nothing waits.
    pub(crate) fn quiet_until_ms(&self) -> Option<i64> {
        Some(self.delayed.as_ref()?.first()?.ms as i64 - 1)
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
