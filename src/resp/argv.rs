//! The arguments of one command: borrowed slices, the command's name first.
//!
//! They point into the read buffer, into a queued transaction, or into the memory of a caller that
//! builds a command itself. The owner of a large one may let the command have it (`Effects::keep`).

use std::ops::{Deref, Index, Range, RangeFrom};

/// Arguments of a command. `argv[0]` is the name as the client spelled it; never empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argv<'a>(&'a [&'a [u8]]);

impl<'a> Argv<'a> {
    pub(crate) fn new(args: &'a [&'a [u8]]) -> Argv<'a> {
        debug_assert!(!args.is_empty());
        Argv(args)
    }

    /// The argument at `i`, with the life of the arguments rather than of this handle.
    pub(crate) fn at(&self, i: usize) -> &'a [u8] {
        self.0[i]
    }

    pub(crate) fn from(&self, start: usize) -> &'a [&'a [u8]] {
        &self.0[start..]
    }

    /// Sum of the lengths of all arguments in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|a| a.len()).sum()
    }

    /// Bytes of the command as clients send it.
    pub(crate) fn wire_bytes(&self) -> usize {
        let digits = |n: usize| n.checked_ilog10().unwrap_or(0) as usize + 1;
        let mark = |n: usize| 1 + digits(n) + 2;
        mark(self.len()) + self.iter().map(|arg| mark(arg.len()) + arg.len() + 2).sum::<usize>()
    }

    /// An owned copy, for commands that outlive the read buffer (MULTI, blocked clients).
    pub(crate) fn owned(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|a| a.to_vec()).collect()
    }

    /// The same with one argument left empty: it is moved there later.
    pub(crate) fn owned_but(&self, empty: usize) -> Vec<Vec<u8>> {
        let copy = |(i, arg): (usize, &&[u8])| if i == empty { Vec::new() } else { arg.to_vec() };
        self.0.iter().enumerate().map(copy).collect()
    }
}

impl<'a> Deref for Argv<'a> {
    type Target = [&'a [u8]];
    fn deref(&self) -> &[&'a [u8]] {
        self.0
    }
}

impl<'a> Index<usize> for Argv<'a> {
    type Output = &'a [u8];
    fn index(&self, i: usize) -> &&'a [u8] {
        &self.0[i]
    }
}

impl<'a> Index<RangeFrom<usize>> for Argv<'a> {
    type Output = [&'a [u8]];
    fn index(&self, range: RangeFrom<usize>) -> &[&'a [u8]] {
        &self.0[range]
    }
}

impl<'a> Index<Range<usize>> for Argv<'a> {
    type Output = [&'a [u8]];
    fn index(&self, range: Range<usize>) -> &[&'a [u8]] {
        &self.0[range]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_command_is_that_on_the_wire() {
        let value = vec![b'v'; 1000];
        let argvs: [&[&[u8]]; 3] = [&[b"PING"], &[b"SET", b"", &value], &[&value[..9]; 12]];
        for argv in argvs {
            let mut wire = Vec::new();
            crate::resp::reply::command(&mut wire, argv);
            assert_eq!(Argv::new(argv).wire_bytes(), wire.len());
        }
    }
}
