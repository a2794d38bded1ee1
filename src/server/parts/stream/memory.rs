//! Where the bytes of the stream are: in memory, or in files.

use std::io;

use crate::server::parts::stream::{AOF, BLOCK, Partial, ReaderId, Stream};

impl Stream {
    /// Memory of the blocks from a position on.
    pub(crate) fn memory_from(&self, at: u64) -> u64 {
        let before = (at.max(self.start) - self.start) as usize / BLOCK;
        (self.blocks.len().saturating_sub(before) * BLOCK) as u64
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        let blocks = (self.blocks.len() + self.spare.len()) * BLOCK;
        (blocks + self.unit.capacity() + self.lists()) as u64
    }

    /// Bytes of the lists of blocks and of ranges.
    fn lists(&self) -> usize {
        let blocks = (self.blocks.capacity() + self.spare.capacity()) * size_of::<Vec<u8>>();
        blocks + self.partial.capacity() * size_of::<Partial>()
    }

    /// The first position that is still here.
    pub(super) fn first(&self) -> u64 {
        self.spill.from().unwrap_or(self.start)
    }

    /// Where the blocks begin, which are in memory.
    pub(crate) fn blocks_from(&self) -> u64 {
        self.start
    }

    /// Bytes that are in files now.
    pub(crate) fn spilled(&self) -> u64 {
        self.start - self.first()
    }

    /// Bytes that were written to such files in all.
    pub(crate) fn spilled_total(&self) -> u64 {
        self.spill.total()
    }

    pub(crate) fn reset_spilled_total(&mut self) {
        self.spill.reset_total();
    }

    /// Moves blocks that end before `at` from memory to files: so many bytes at most. The file of
    /// commands has to have passed them.
    pub(crate) fn spill(&mut self, at: u64, mut at_most: usize) -> io::Result<()> {
        let files = self.readers.iter().filter(|(_, reader)| reader.targets & AOF != 0);
        let at = files.map(|(_, reader)| reader.at).fold(at, u64::min);
        while self.blocks.len() > 1 && self.start + BLOCK as u64 <= at && at_most > 0 {
            if let Some(block) = self.blocks.front() {
                self.spill.push(self.start, block)?;
            }
            let block = self.blocks.pop_front();
            self.start += BLOCK as u64;
            self.keep_spare(block);
            at_most = at_most.saturating_sub(BLOCK);
        }
        Ok(())
    }

    /// The next bytes for a reader, as far as they can be had at once; empty when it has all.
    pub(crate) fn next_of(&mut self, id: ReaderId) -> io::Result<&[u8]> {
        let Some(reader) = self.readers.get(id.0) else { return Ok(&[]) };
        let (targets, mut at) = (reader.targets, reader.at);
        if at >= self.start {
            return Ok(self.next(id));
        }
        let to = self.run_at(targets, &mut at).min(self.start);
        if let Some(reader) = self.readers.get_mut(id.0) {
            reader.at = at;
        }
        if at >= self.start {
            return Ok(self.next(id));
        }
        let piece = self.spill.read(at)?;
        Ok(&piece[..piece.len().min((to - at) as usize)])
    }
}
