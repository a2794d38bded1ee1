//! Comparing short texts without a call, and secrets without a hint.

/// Whether two texts are the same. O(length). Keys and names are mostly short. Up to 16 bytes they
/// are compared as two words that may overlap, which costs less than the call that compares longer
/// ones.
#[inline(always)]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    #[inline(always)]
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        let (first, last) = (a.first_chunk::<N>(), a.last_chunk::<N>());
        (first == b.first_chunk::<N>()) & (last == b.last_chunk::<N>())
    }
    a.len() == b.len()
        && match a.len() {
            0 => true,
            1..4 => a[0] == b[0] && a[a.len() / 2] == b[b.len() / 2] && a.last() == b.last(),
            4..8 => ends::<4>(a, b),
            8..=16 => ends::<8>(a, b),
            _ => a == b,
        }
}

/// Compares secrets in a time that does not tell where they differ.
pub(crate) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    let mut different = a.len() ^ b.len();
    for i in 0..a.len().max(b.len()) {
        let at = |s: &[u8]| s.get(i).copied().unwrap_or(0);
        different |= usize::from(at(a) ^ at(b));
    }
    different == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        for len in 0..40 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same_secret(&text, &text.clone()));
            assert!(!same_secret(&text, &[&text[..], b"\0"].concat()));
            assert!(same(&text, &text.clone()) && !same(&text, &[&text[..], b"x"].concat()));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(!same(&text, &other) && !same_secret(&text, &other), "byte {at} of {len}");
            }
        }
    }
}
