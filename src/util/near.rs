//! Which known name somebody meant who wrote an unknown one.

/// Names longer than this are not looked at: nobody means one of ours by them.
const LONGEST: usize = 64;

/// The one of `known` that comes closest to `name`, if any is close enough to be meant.
pub(crate) fn nearest(
    name: &[u8],
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    if name.len() > LONGEST {
        return None;
    }
    known
        .map(|known| (edits(name, known.as_bytes()), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 1 + known.len() / 6)
        .map(|(_, known)| known)
}

/// How many bytes have to be added, dropped, changed or exchanged with their neighbour to make `b`
/// of `a`.
fn edits(a: &[u8], b: &[u8]) -> usize {
    // The distances of the beginnings of `b` from the last three beginnings of `a`.
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        rows.rotate_left(1);
        let [older, old, row] = &mut rows;
        row.clear();
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = old[j] + usize::from(x != y);
            let mut least = change.min(old[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                least = least.min(older[j - 1] + 1);
            }
            row.push(least);
        }
    }
    rows[2][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = || ["maxmemory", "port", "save"].into_iter();
        assert_eq!(nearest(b"maxmemry", known()), Some("maxmemory"));
        assert_eq!(nearest(b"prot", known()), Some("port"));
        assert_eq!(nearest(b"tpro", known()), None);
        assert_eq!(nearest(b"portt", known()), Some("port"));
        assert_eq!(nearest(b"something-else", known()), None);
        assert_eq!(nearest(&[b'a'; 65], known()), None);
        assert_eq!((edits(b"", b"ab"), edits(b"ab", b"ab"), edits(b"abc", b"axd")), (2, 0, 2));
        assert_eq!((edits(b"abcd", b"badc"), edits(b"ab", b""), edits(b"", b"")), (2, 2, 0));
    }
}
