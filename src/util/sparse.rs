//! Tables that most of their entries have left give their room back.
//!
//! A hash table of the standard library never shrinks by itself, so one client with a hundred
//! thousand keys would leave a large table behind for good.

use std::collections::HashMap;
use std::hash::Hash;

/// Below this, a table is not worth the trouble.
const SMALL: usize = 128;

/// Shrinks a table of which less than an eighth is in use, to twice what it holds. To be called
/// after removals; O(1) amortised over them.
pub(crate) fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > SMALL && map.len() < map.capacity() / 8 {
        map.shrink_to(2 * map.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shrinks_with_what_it_holds_but_not_at_each_removal() {
        let mut map: HashMap<u32, u32> = (0..100_000).map(|n| (n, n)).collect();
        let mut times = 0;
        for n in 0..100_000 {
            map.remove(&n);
            let before = map.capacity();
            shrink(&mut map);
            times += usize::from(map.capacity() < before);
            assert!(map.capacity() <= SMALL || map.len() >= map.capacity() / 8);
            assert_eq!(map.contains_key(&99_999), n < 99_999);
        }
        assert!(map.capacity() <= SMALL && times < 12, "{} {times}", map.capacity());
    }
}
