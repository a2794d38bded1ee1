//! SipHash-1-3: the keyed hash of every table.
//!
//! Clients choose the keys, so an unkeyed hash would let them aim thousands of keys at one bucket.
//! SipHash with one compression and three finalisation rounds is the variant that Rust's own
//! `HashMap` and Valkey-class servers rely on: no practical way is known to find collisions without
//! the seed, and it costs about a nanosecond for each eight bytes.
//!
//! Steps: four words of state are keyed by the seed; each little-endian word of input is mixed in
//! by one round; the last word carries the left-over bytes and, in its top byte, the length; three
//! rounds finish. Inputs of 1 to 64 bytes are the case to be fast at, so the tail is read with two
//! overlapping loads instead of byte by byte.

/// The secret of one process: 16 random bytes, as two words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u64; 2]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(secret)")
    }
}

impl Seed {
    /// The seed made of these 16 bytes (little-endian words, as in the reference).
    pub fn from_bytes(bytes: [u8; 16]) -> Seed {
        let word = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        Seed([word(0), word(8)])
    }

    /// The hash of `bytes` under this seed. O(n).
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.0;
        let mut s = State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        let (words, rest) = bytes.as_chunks::<8>();
        for &word in words {
            s.absorb(u64::from_le_bytes(word));
        }
        s.absorb(tail_word(rest) | (bytes.len() as u64) << 56);
        s.finish()
    }
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn absorb(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn finish(mut self) -> u64 {
        self.v2 ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// Up to seven bytes as the low bytes of a word.
#[inline(always)]
fn tail_word(rest: &[u8]) -> u64 {
    match rest.len() {
        0 => 0,
        // First, middle and last byte are every byte there is; setting one twice does no harm.
        n @ 1..=3 => {
            rest[0] as u64
                | (rest[n / 2] as u64) << (8 * (n / 2))
                | (rest[n - 1] as u64) << (8 * (n - 1))
        }
        n => {
            let low = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as u64;
            let high = u32::from_le_bytes([rest[n - 4], rest[n - 3], rest[n - 2], rest[n - 1]]);
            low | (high as u64) << (8 * (n - 4))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    fn reference_seed() -> Seed {
        Seed::from_bytes(std::array::from_fn(|i| i as u8))
    }

    /// Byte-at-a-time transcription of the paper, as the oracle.
    fn naive(seed: &Seed, bytes: &[u8]) -> u64 {
        let mut padded = bytes.to_vec();
        while padded.len() % 8 != 7 {
            padded.push(0);
        }
        padded.push(bytes.len() as u8);
        let [k0, k1] = seed.0;
        let mut s = State {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        };
        for word in padded.chunks(8) {
            let m = word.iter().rev().fold(0u64, |acc, &b| acc << 8 | b as u64);
            s.absorb(m);
        }
        s.finish()
    }

    #[test]
    fn reference_vectors_of_siphash_1_3() {
        // Seed 00..0f, input 00, 01, .. of the given length.
        let expect = [
            (0, 0xabac_0158_050f_c4dc),
            (1, 0xc9f4_9bf3_7d57_ca93),
            (2, 0x82cb_9b02_4dc7_d44d),
            (3, 0x8bf8_0ab8_e7dd_f7fb),
            (4, 0xcf75_5760_88d3_8328),
        ];
        for (n, hash) in expect {
            let input: Vec<u8> = (0..n as u8).collect();
            assert_eq!(reference_seed().hash(&input), hash, "length {n}");
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_length() {
        let seed = reference_seed();
        let input: Vec<u8> = (0..300u32).map(|i| (i * 7 + 3) as u8).collect();
        for n in 0..=input.len() {
            assert_eq!(seed.hash(&input[..n]), naive(&seed, &input[..n]), "length {n}");
        }
    }

    #[test]
    fn agrees_with_the_hash_map_of_std_under_a_zero_seed() {
        // `DefaultHasher::new()` is SipHash-1-3 with a zero key in today's std.
        for n in [0usize, 1, 5, 8, 16, 63, 64, 100] {
            let input = vec![0xa5u8; n];
            let mut std = std::hash::DefaultHasher::new();
            std.write(&input);
            assert_eq!(Seed([0, 0]).hash(&input), std.finish(), "length {n}");
        }
    }

    #[test]
    fn another_seed_gives_another_hash() {
        assert_ne!(Seed([1, 2]).hash(b"key"), Seed([1, 3]).hash(b"key"));
        assert_ne!(Seed([1, 2]).hash(b"key"), Seed([2, 2]).hash(b"key"));
    }
}
