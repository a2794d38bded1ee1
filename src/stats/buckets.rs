//! A histogram as monitoring wants it: few buckets, the same for all, each with all that is below.

use super::Histogram;

/// Powers of two of a microsecond, from 1 µs to 16.8 s.
pub(crate) const BOUNDS: usize = 25;

impl Histogram {
    /// Tells the filled ones of buckets an eighth of a power of two wide: what their values in
    /// nanoseconds are below, and how many there are. O(buckets).
    pub(crate) fn by_eighths(&self, mut tell: impl FnMut(u64, u64)) {
        const MERGED: usize = Histogram::STEPS / 8;
        for (i, four) in self.buckets.as_chunks::<MERGED>().0.iter().enumerate() {
            let count = four.iter().sum();
            if count > 0 {
                tell(Histogram::upper(i * MERGED + MERGED - 1) + 1, count);
            }
        }
    }

    /// How many values are below each bound: at `k` those below 2^k µs. O(buckets).
    ///
    /// A fine bucket that a bound cuts counts as above it.
    pub(crate) fn below_bounds(&self) -> [u64; BOUNDS] {
        let (mut from, mut seen) = (0, 0);
        std::array::from_fn(|k| {
            let to = Histogram::index(1000 << k);
            seen += self.buckets[from..to].iter().sum::<u64>();
            from = to;
            seen
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighths_hold_all_values_and_are_an_eighth_wide() {
        let mut h = Histogram::new();
        (1..=100_000u64).for_each(|ns| h.record(ns, 1));
        let mut told = Vec::new();
        h.by_eighths(|below, count| told.push((below, count)));
        assert!(told.is_sorted() && told.len() < 120);
        assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), 100_000);
        let mut seen = 0;
        for (below, count) in told {
            seen += count;
            assert_eq!(seen, (below - 1).min(100_000));
            assert!(count <= below / 8 + 4, "{below}: {count}");
        }
    }

    #[test]
    fn each_bound_counts_what_is_below_it() {
        let (mut h, mut values) = (Histogram::new(), Vec::new());
        for n in 0..100_000u64 {
            values.push((n * n % 70_000_000_000, 1 + n % 3));
        }
        values.iter().for_each(|&(ns, n)| h.record(ns, n));
        let below = h.below_bounds();
        for (k, &count) in below.iter().enumerate() {
            let bound = 1000u64 << k;
            // A fine bucket is 3% wide at most.
            let sum = |limit: u64| -> u64 {
                values.iter().filter(|(ns, _)| *ns < limit).map(|(_, n)| n).sum()
            };
            assert!((sum(bound * 96 / 100)..=sum(bound)).contains(&count), "{k}: {count}");
        }
        assert!(below.is_sorted() && below[BOUNDS - 1] <= h.count());
    }
}
