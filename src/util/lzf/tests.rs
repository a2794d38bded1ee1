//! Golden bytes, round trips, and input that is no compressed string.

use super::*;

fn expand(input: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let fine = decompress(input, len, &mut out);
    assert!(out.len() - 6 <= len, "more than asked for");
    assert!(out.starts_with(b"before"));
    fine.then(|| out.split_off(6))
}

fn round_trip(compressor: &mut Compressor, text: &[u8]) -> usize {
    let mut out = b"x".to_vec();
    assert!(compressor.compress(text, &mut out, text.len() + text.len() / 32 + 8), "fits");
    assert_eq!(expand(&out[1..], text.len()).as_deref(), Some(text));
    out.len() - 1
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

#[test]
fn the_format_of_the_three_items() {
    assert_eq!(expand(b"\x02abc", 3).as_deref(), Some(b"abc".as_slice()));
    // One literal, then 2 + 1 and 9 + 1 bytes from one back.
    assert_eq!(expand(b"\x00a\x20\x00", 4).as_deref(), Some(b"aaaa".as_slice()));
    assert_eq!(expand(b"\x00a\xe0\x01\x00", 11).as_deref(), Some(b"aaaaaaaaaaa".as_slice()));
    // From three back, overlapping.
    assert_eq!(expand(b"\x02abc\x80\x02", 9).as_deref(), Some(b"abcabcabc".as_slice()));
    assert_eq!(expand(b"", 0).as_deref(), Some(b"".as_slice()));
}

#[test]
fn what_is_no_compressed_string() {
    for (input, len) in [
        (b"\x02abc".as_slice(), 2),
        (b"\x02abc", 4),
        (b"\x02ab", 3),
        (b"\x20\x00", 3),
        (b"\x00a\x20", 4),
        (b"\x00a\x20\x01", 4),
        (b"\x00a\xe0\x01", 11),
        (b"\x00a\xe0", 11),
        (b"\x00a\x20\x00", 3),
        (b"\x00a", usize::MAX),
        (b"", 1),
    ] {
        assert_eq!(expand(input, len), None, "{input:?} as {len} bytes");
    }
}

#[test]
fn copies_never_reach_into_what_was_in_the_buffer_before() {
    let mut out = b"secret".to_vec();
    assert!(!decompress(b"\x00a\x20\x03", 4, &mut out));
}

#[test]
fn round_trips_of_texts_runs_and_noise() {
    let mut compressor = Compressor::default();
    for n in [4, 5, 20, 33, 263, 264, 265, 266, 300, 8191, 8192, 8193, 8194, 70_000] {
        let packed = round_trip(&mut compressor, &vec![b'a'; n]);
        assert!(packed <= 2 + 3 * n.div_ceil(COPY_MAX) + 3, "{n} bytes became {packed}");
    }
    let text = "the quick brown fox jumps over the lazy dog; ".repeat(50);
    assert!(round_trip(&mut compressor, text.as_bytes()) < text.len() / 10);

    let seed = 0x5eed_1234;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    for _ in 0..600 {
        let most = if random.below(10) == 0 { 40_000 } else { 300 };
        let len = 4 + random.below(most) as usize;
        let letters = 1 + random.below(256);
        let mut text: Vec<u8> = Vec::with_capacity(len);
        while text.len() < len {
            if random.below(3) == 0 && !text.is_empty() {
                let from = random.below(text.len() as u64) as usize;
                let n = (random.below(400) as usize).min(text.len() - from);
                text.extend_from_within(from..from + n);
            } else {
                text.push(random.below(letters) as u8);
            }
        }
        round_trip(&mut compressor, &text);
    }
}

#[test]
fn a_limit_is_kept_and_failing_leaves_no_trace() {
    let mut compressor = Compressor::default();
    let mut random = Random(77);
    let noise: Vec<u8> = (0..500).map(|_| random.next() as u8).collect();
    let mut out = b"x".to_vec();
    assert!(!compressor.compress(&noise, &mut out, noise.len() - 4));
    assert_eq!(out, b"x");
    let text = b"abcdefgh".repeat(20);
    let need = round_trip(&mut compressor, &text);
    for limit in 0..need + 3 {
        let mut out = Vec::new();
        // A copy asks for three bytes even where two would do, so a limit may fail by one.
        let fits = compressor.compress(&text, &mut out, limit);
        assert!(fits == (limit >= need) || limit == need, "{limit} of {need}");
        assert!(out.len() <= limit);
    }
}

#[test]
fn positions_start_over_before_they_overflow() {
    let mut compressor = Compressor::default();
    let text = b"abcabcabcabcabc".repeat(9);
    round_trip(&mut compressor, &text);
    compressor.start = u32::MAX - 20;
    round_trip(&mut compressor, &text);
    assert!(compressor.start < 1000);
}

#[test]
fn damage_is_never_a_panic() {
    let mut compressor = Compressor::default();
    let text = b"some text, some more text, and again some text ".repeat(6);
    let mut packed = Vec::new();
    assert!(compressor.compress(&text, &mut packed, text.len()));
    for i in 0..packed.len() {
        for flip in 1..=255u8 {
            let mut bad = packed.clone();
            bad[i] ^= flip;
            let _ = expand(&bad, text.len());
            let _ = expand(&bad[..i], text.len());
        }
    }
}

/// What is too long for positions of 32 bits is compressed in parts; nobody who unpacks it can
/// tell.
#[test]
fn parts_are_one_string() {
    let mut random = Random(7);
    let mut compressor = Compressor::default();
    for n in [4, 5, 29, 30, 31, 32, 33, 60, 61, 1_000, 3_002] {
        let text: Vec<u8> =
            (0..n).map(|i| b"abcd"[random.below(4) as usize] ^ (i / 50) as u8).collect();
        for part in [1, 2, 3, 4, 30, 1_000] {
            let mut out = b"before".to_vec();
            assert!(compressor.compress_in_parts(&text, &mut out, 2 * n, part));
            assert_eq!(expand(&out[6..], n).as_deref(), Some(&text[..]), "{n} in parts of {part}");
            assert!(!compressor.compress_in_parts(&text, &mut out, n / 3, part.min(30)) || n > 999);
        }
    }
    let mut out = b"before".to_vec();
    assert!(!compressor.compress_in_parts(&[7; 100], &mut out, 30, 4));
    assert_eq!(out, b"before", "what did not fit is taken back");
}
