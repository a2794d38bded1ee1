//! A histogram as monitoring wants it: few buckets, the same for all, each with all that is below.

use super::Histogram;

/// Powers of two of a microsecond, from 1 µs to 16.8 s.
pub(crate) const BOUNDS: usize = 25;

impl Histogram {
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
