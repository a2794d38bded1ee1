//! Candidates for eviction.

/// The best candidates seen so far, the best last. Candidates that one eviction leaves over help to
/// choose in the next. So a few samples each time come close to looking at all keys.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub best: Vec<Candidate>,
    /// A timer will go on where the last command left off.
    pub scheduled: bool,
    /// Since when memory has been above the limit though keys were asked to leave, in ticks.
    pub exceeded_since: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Candidate {
    pub score: u64,
    pub db: usize,
    pub key: Vec<u8>,
}

const POOL_MAX: usize = 16;

impl Pool {
    /// Scores of one policy mean nothing to another.
    pub(crate) fn forget(&mut self) {
        self.best.clear();
    }

    pub(crate) fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let at = self.best.partition_point(|c| c.score < score);
        if self.best.len() == POOL_MAX && at == 0
            || self.best.iter().any(|c| c.db == db && c.key == key)
        {
            return;
        }
        self.best.insert(at, Candidate { score, db, key: key.to_vec() });
        if self.best.len() > POOL_MAX {
            self.best.remove(0);
        }
    }
}
