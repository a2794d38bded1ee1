//! The allocator's size classes: how much room a request for so many bytes really gets.
//!
//! Buffers that grow ask for a whole class, and layouts are compared by class, so that no byte that
//! is paid for goes to waste. See `.cargo/config.toml` for the quantum of 8.

/// The allocator's size class for `bytes`: multiples of 8 to 64, then four classes to each
/// doubling.
#[inline]
pub(crate) const fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return if bytes == 0 { 8 } else { bytes.next_multiple_of(8) };
    }
    bytes.next_multiple_of(bytes.next_power_of_two() / 8)
}

/// Makes room in `buf` for `more` bytes, a whole size class at a time. Amortised O(n) for rows of
/// small additions, yet at most a fifth of the buffer is spare.
#[inline]
pub(crate) fn reserve(buf: &mut Vec<u8>, more: usize) {
    if buf.capacity() - buf.len() < more {
        buf.reserve_exact(size_class(buf.len() + more) - buf.len());
    }
}

/// Gives back what `buf` has beyond the size class of its content.
#[inline]
pub(crate) fn shrink(buf: &mut Vec<u8>) {
    if size_class(buf.capacity()) > size_class(buf.len()) {
        buf.shrink_to(size_class(buf.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_and_do_not_waste() {
        for bytes in 1..100_000usize {
            let class = size_class(bytes);
            assert!(class >= bytes && class - bytes <= 8.max(bytes / 4), "{bytes}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn buffers_grow_by_classes_and_shrink_again() {
        let mut buf = Vec::new();
        let mut moves = 0;
        for _ in 0..8192 {
            let before = buf.capacity();
            reserve(&mut buf, 1);
            buf.push(0);
            moves += usize::from(buf.capacity() != before);
        }
        assert!(moves < 40 && buf.capacity() == 8192);
        buf.truncate(100);
        shrink(&mut buf);
        assert_eq!(buf.capacity(), size_class(100));
    }
}
