//! CRC-64 as RDB files and DUMP payloads carry it: the Jones polynomial, reflected, no inversion.
//!
//! The work is done by carry-less multiplication where the processor has it (`crc-fast`, some 20
//! times as fast as sixteen tables), so that the checksum of a snapshot costs nothing beside the
//! rest of it.

use crc_fast::{CrcAlgorithm, Digest};

/// The checksum of what `crc` is the checksum of, followed by `bytes`. It is 0 for no bytes. O(n).
pub fn update(crc: u64, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, crc);
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The polynomial `0xad93d23594c935a9`, lowest power first.
    const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9u64.reverse_bits();

    /// Bit by bit, from the definition.
    fn naive(mut crc: u64, bytes: &[u8]) -> u64 {
        for &byte in bytes {
            crc ^= u64::from(byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            }
        }
        crc
    }

    #[test]
    fn the_check_value_of_the_definition() {
        assert_eq!(update(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(update(0, b""), 0);
    }

    #[test]
    fn every_length_and_any_pieces_agree_with_the_definition() {
        let bytes: Vec<u8> = (0..1500u32).map(|i| (i * i * 31 + i) as u8).collect();
        for len in 0..bytes.len() {
            let expected = naive(0x0123_4567_89ab_cdef, &bytes[..len]);
            assert_eq!(update(0x0123_4567_89ab_cdef, &bytes[..len]), expected, "{len} bytes");
            let cut = len / 3;
            let first = update(0x0123_4567_89ab_cdef, &bytes[..cut]);
            assert_eq!(update(first, &bytes[cut..len]), expected, "{len} bytes cut at {cut}");
        }
    }
}
