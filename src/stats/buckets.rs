//! A histogram as monitoring wants it: few buckets, the same for all, each with all that is below.

use super::Histogram;

/// Powers of two of a microsecond, from 1 µs to 16.8 s.
pub(crate) const BOUNDS: usize = 25;

impl Histogram {
    /// How many values are below each bound: at `k` those below 2^k µs. O(buckets).
    ///
    /// A fine bucket that a bound cuts counts as above it, as in LATENCY HISTOGRAM.
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
    fn the_bounds_are_those_of_latency_histogram() {
        let mut h = Histogram::new();
        for n in 0..100_000u64 {
            h.record(n * n % 70_000_000_000, 1 + n % 3);
        }
        let below = h.below_bounds();
        for (us, count) in h.by_power().into_iter().filter(|(us, _)| *us < 1 << BOUNDS) {
            assert_eq!(below[us.ilog2() as usize], count, "{us} us");
        }
        assert!(below.is_sorted() && below[BOUNDS - 1] <= h.count());
    }
}
