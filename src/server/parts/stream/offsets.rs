//! Replication offsets: what replicas count, and where that is in the stream.
//!
//! Replicas count only the bytes that are meant for them. `withheld` is the sum of the others, each
//! `Partial` knows the sum before it, and `base` is what is added to a position less that sum.
//! While no replica and no backlog reads, the offset stands still.

use crate::server::parts::stream::{REPLICAS, ReaderId, Stream};

impl Stream {
    /// The replication offset of the end.
    pub(crate) fn repl_end(&self) -> u64 {
        match self.wanted & REPLICAS {
            0 => self.resting,
            _ => self.repl_at(self.end),
        }
    }

    /// The replication offset of a position; of the first that is still here, if that is later.
    /// O(log n).
    pub(crate) fn repl_at(&self, at: u64) -> u64 {
        let at = at.max(self.first());
        let next = self.partial.partition_point(|part| part.to <= at);
        let withheld = match self.partial.get(next) {
            None => self.withheld,
            Some(part) if part.targets & REPLICAS == 0 => {
                part.withheld + at.saturating_sub(part.from)
            }
            Some(part) => part.withheld,
        };
        self.base.wrapping_add(at - withheld)
    }

    /// The position of a replication offset between those of a reader and the end. O(log n).
    pub(crate) fn position_of(&self, offset: u64) -> u64 {
        let counted = offset.wrapping_sub(self.base);
        let next = self.partial.partition_point(|part| part.from - part.withheld <= counted);
        let withheld = match next.checked_sub(1).and_then(|last| self.partial.get(last)) {
            Some(part) => part.withheld + part.withholds(),
            None => self.partial.front().map_or(self.withheld, |part| part.withheld),
        };
        (counted + withheld).min(self.end)
    }

    /// The end has this replication offset from now on: what was before it is of another history.
    pub(crate) fn set_repl_end(&mut self, offset: u64) {
        self.base = offset.wrapping_sub(self.end - self.withheld);
        self.resting = offset;
    }

    /// Lets a reader fall behind the end by at most `keep` bytes that are meant for replicas.
    pub(crate) fn keep_back(&mut self, id: ReaderId, keep: u64) {
        let end = self.repl_end();
        if end - self.repl_at(self.position(id)) > keep {
            let at = self.position_of(end - keep);
            self.advance_to(id, at);
        }
    }

    /// The earliest position that a reader for replicas has not passed.
    pub(crate) fn replicas_from(&self) -> u64 {
        let readers = self.readers.iter().filter(|(_, reader)| reader.targets == REPLICAS);
        readers.map(|(_, reader)| reader.at).min().unwrap_or(self.end)
    }
}
