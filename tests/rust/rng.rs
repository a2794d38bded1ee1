//! Chance for the tests: one generator, and the seed that repeats a run.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seed of this run: that of `REDUST_SEED`, a new one for `random`, and else always the same
/// one, so that a change is judged by what it changes; long runs look for what is new.
pub(crate) fn seed() -> u64 {
    match std::env::var("REDUST_SEED").as_deref() {
        Ok("random") => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
            now.as_nanos() as u64
        }
        Ok(text) => text.parse().expect("REDUST_SEED is a number, or `random`"),
        Err(_) => 20_261_128,
    }
}

/// xorshift64*: the same numbers for the same seed, everywhere.
#[derive(Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// Seeds that are close to each other must not give sequences that are.
    pub(crate) fn new(seed: u64) -> Rng {
        let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng((mixed ^ (mixed >> 29)) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % bound
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
