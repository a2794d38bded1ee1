//! The hash of DEBUG DIGEST: SHA-1 sums combined by exclusive or (order does not matter) or by
//! hashing the combination (it does). Equal to Redis's, so that datasets can be compared across
//! servers.

use sha1_smol::Sha1;

fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::from(bytes).digest().bytes()
}

/// Adds an element whose place does not matter.
pub(crate) fn xor(sum: &mut [u8; 20], element: &[u8]) {
    xor_digest(sum, &sha1(element));
}

pub(crate) fn xor_digest(sum: &mut [u8; 20], other: &[u8; 20]) {
    sum.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
}

/// Adds an element whose place matters.
pub(crate) fn mix(sum: &mut [u8; 20], element: &[u8]) {
    xor(sum, element);
    *sum = sha1(sum);
}

pub(crate) fn hex(sum: &[u8; 20]) -> String {
    sum.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xor_forgets_the_order_and_mix_keeps_it() {
        let (mut a, mut b) = ([0; 20], [0; 20]);
        xor(&mut a, b"x");
        xor(&mut a, b"y");
        xor(&mut b, b"y");
        xor(&mut b, b"x");
        assert_eq!(a, b);
        let (mut a, mut b) = ([0; 20], [0; 20]);
        mix(&mut a, b"x");
        mix(&mut a, b"y");
        mix(&mut b, b"y");
        mix(&mut b, b"x");
        assert_ne!(a, b);
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
