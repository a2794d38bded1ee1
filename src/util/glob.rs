//! Glob patterns over bytes, in the dialect of KEYS, SCAN MATCH, PSUBSCRIBE, ACL and CONFIG GET.
//!
//! ```text
//! *        any run of bytes        ?        one byte
//! [abc]    one of these            [^abc]   none of these
//! [a-z]    a range, either way round        \x       the byte x itself
//! ```
//!
//! Everything except `*` consumes exactly one byte. So when a match fails after a star, only that
//! last star has to be retried one byte further: an earlier star could not help, because the part
//! between the two has already been found at its earliest place. That keeps the cost at
//! `pattern * string` steps in the worst case, whatever the pattern.
//!
//! Compat: three corners are kept as redis-server has them, since clients can see them. A pattern
//! of stars does not match the empty string. A class that is never closed ends with the pattern.
//! Range bounds are compared as signed bytes, so `[a-\xff]` is the range 0xff..=a.

/// More stars than this match nothing: redis-server gives up at that depth.
const MAX_STARS: usize = 1000;

/// Whether `string` as a whole matches `pattern`. With `nocase`, ASCII letters match either case.
/// O(pattern * string) in the worst case, O(pattern + string) for one star.
pub(crate) fn matches(pattern: &[u8], string: &[u8], nocase: bool) -> bool {
    if string.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut s, mut stars) = (0, 0, 0);
    // Where to resume when a byte does not fit: the pattern after the last star, and the first
    // string position not yet tried for it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            while pattern.get(p) == Some(&b'*') {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            retry = Some((p, s));
        }
        if s == string.len() {
            // The rest of the pattern needs at least one byte per element, and a later start
            // would leave it even fewer.
            return p == pattern.len();
        }
        match match_one(&pattern[p..], string[s], nocase) {
            Some(used) => {
                p += used;
                s += 1;
            }
            None => match retry {
                Some((star, from)) => {
                    p = star;
                    s = from + 1;
                    retry = Some((star, s));
                }
                None => return false,
            },
        }
    }
}

/// Whether `pattern` has a byte that a glob gives a meaning to. Without one, a lookup will do.
pub(crate) fn has_wildcard(pattern: &[u8]) -> bool {
    pattern.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// Matches one pattern element, which is not a star, against one byte.
/// Returns how much of the pattern the element takes, or `None` when the byte does not fit.
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let (fits, used) = match *pattern.first()? {
        b'?' => (true, 1),
        b'[' => match_class(pattern, byte, nocase),
        b'\\' if pattern.len() >= 2 => (same(pattern[1], byte, nocase), 2),
        literal => (same(literal, byte, nocase), 1),
    };
    fits.then_some(used)
}

/// Matches the class that `pattern` begins with. Returns whether `byte` is in it, and its length.
fn match_class(pattern: &[u8], byte: u8, nocase: bool) -> (bool, usize) {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut found = false;
    loop {
        match &pattern[at..] {
            [] => break,
            // Compat: an escaped member of a class is compared as it is, even with `nocase`.
            [b'\\', member, ..] => {
                found |= *member == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                found |= in_range(*from, *to, byte, nocase);
                at += 3;
            }
            [member, ..] => {
                found |= same(*member, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated, at)
}

/// Whether `byte` lies between `a` and `b`, whichever of the two is the smaller.
fn in_range(a: u8, b: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = if (a as i8) > (b as i8) { (b, a) } else { (a, b) };
    let fold = |c: u8| if nocase { c.to_ascii_lowercase() as i8 } else { c as i8 };
    (fold(low)..=fold(high)).contains(&fold(byte))
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    if nocase { a.eq_ignore_ascii_case(&b) } else { a == b }
}

#[cfg(test)]
mod tests;
