//! Random numbers for sampling: fast, and nothing that secrets may depend on.

/// An endless sequence of uniform words from `seed` (SplitMix64; Steele, Lea, Flood 2014).
///
/// Seeds that follow each other give sequences that have nothing in common, unlike a plain
/// xorshift, whose second sequence would be the first one moved by a step.
pub(crate) fn generator(seed: u64) -> impl FnMut() -> u64 {
    let mut state = mix(seed ^ 0x6a09_e667_f3bc_c908);
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(state)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_seeds_share_nothing() {
        let take = |seed| {
            let mut next = generator(seed);
            (0..1000).map(|_| next()).collect::<std::collections::HashSet<u64>>()
        };
        assert!(take(1).is_disjoint(&take(2)));
        let ones: u32 = take(3).iter().map(|w| w.count_ones()).sum();
        assert!((31_000..33_000).contains(&ones));
    }
}
