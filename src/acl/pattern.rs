//! Patterns, with the usual ones made fast: a literal, and a literal with a star behind it.

use crate::util::glob;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Literal,
    /// So many bytes, then anything.
    Prefix,
    Glob,
}

/// A glob pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    shape: Shape,
    /// So many bytes at the beginning stand for themselves.
    head: usize,
}

impl Pattern {
    pub(crate) fn new(text: &[u8]) -> Pattern {
        let special = |b: &u8| b"*?[\\".contains(b);
        let at = text.iter().position(special);
        let head = at.unwrap_or(text.len());
        let shape = match at {
            None => Shape::Literal,
            Some(at) if at + 1 == text.len() && text[at] == b'*' => Shape::Prefix,
            Some(_) => Shape::Glob,
        };
        Pattern { text: text.to_vec(), shape, head }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// What every name that matches begins with.
    pub(crate) fn head(&self) -> &[u8] {
        &self.text[..self.head]
    }

    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self.shape {
            Shape::Literal => self.text == name,
            // Compat: a star alone does not match the empty name.
            Shape::Prefix => !name.is_empty() && name.starts_with(self.head()),
            Shape::Glob => glob::matches(&self.text, name, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::rand::generator;

    #[test]
    fn the_fast_shapes_match_what_the_glob_matches() {
        let mut next = generator(20_261_128);
        let mut text = |letters: &[u8]| -> Vec<u8> {
            let len = next() % 6;
            (0..len).map(|_| letters[(next() % letters.len() as u64) as usize]).collect()
        };
        for _ in 0..200_000 {
            let (pattern, name) = (text(b"ab*?[]\\^-"), text(b"ab*"));
            let expected = glob::matches(&pattern, &name, false);
            assert_eq!(Pattern::new(&pattern).matches(&name), expected, "{pattern:?} {name:?}");
        }
    }
}
