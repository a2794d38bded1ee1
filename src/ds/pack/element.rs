//! An element in the form that listpacks have, made before it is known where it goes.

use crate::ds::listpack::{int_class, str_head};
use crate::util::num;

/// An element on its way in: the bytes that it will take.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    head: [u8; 9],
    head_len: u8,
    /// The payload of a string.
    payload: &'a [u8],
    pub(super) text_len: usize,
}

impl<'a> Element<'a> {
    /// The form that `text` takes: integers are recognised.
    #[inline]
    pub fn new(text: &'a [u8]) -> Element<'a> {
        let mut head = [0; 9];
        if let Some(int) = num::parse_i64(text) {
            let head_len = int_head(&mut head, int);
            return Element { head, head_len, payload: &[], text_len: text.len() };
        }
        let n = text.len();
        match str_head(n) {
            1 => head[0] = 0x80 | n as u8,
            2 => head[..2].copy_from_slice(&[0xE0 | (n >> 8) as u8, n as u8]),
            _ => {
                head[0] = 0xF0;
                let n = u32::try_from(n).expect("longer ones are nodes by themselves");
                head[1..5].copy_from_slice(&n.to_le_bytes());
            }
        }
        Element { head, head_len: str_head(n) as u8, payload: text, text_len: n }
    }

    /// Bytes of encoding and payload.
    #[inline]
    pub(super) fn size(&self) -> usize {
        usize::from(self.head_len) + self.payload.len()
    }

    /// Bytes of the element's text.
    #[inline]
    pub fn text_len(&self) -> usize {
        self.text_len
    }

    #[inline]
    pub(super) fn append_to(&self, buf: &mut Vec<u8>) {
        match self.head_len {
            1 => buf.push(self.head[0]),
            n => buf.extend_from_slice(&self.head[..usize::from(n)]),
        }
        buf.extend_from_slice(self.payload);
    }

    /// Writes the element and, if there is room left, its backlen.
    #[inline]
    pub(super) fn write(&self, to: &mut [u8]) {
        let (head, rest) = to.split_at_mut(usize::from(self.head_len));
        match head {
            [only] => *only = self.head[0],
            _ => head.copy_from_slice(&self.head[..usize::from(self.head_len)]),
        }
        let (payload, back) = rest.split_at_mut(self.payload.len());
        payload.copy_from_slice(self.payload);
        if !back.is_empty() {
            write_backlen(back, self.size());
        }
    }
}

/// Writes an integer's form; returns its length.
fn int_head(head: &mut [u8; 9], n: i64) -> u8 {
    match n {
        0..=127 => {
            head[0] = n as u8;
            1
        }
        -4096..=4095 => {
            head[..2].copy_from_slice(&[0xC0 | (n >> 8) as u8 & 0x1F, n as u8]);
            2
        }
        _ => {
            let (tag, width) = int_class(n);
            head[0] = tag;
            head[1..=width].copy_from_slice(&n.to_le_bytes()[..width]);
            1 + width as u8
        }
    }
}

/// Fills `to`, which is just as long as the backlen of an element of `size` bytes.
#[inline]
pub(super) fn write_backlen(to: &mut [u8], size: usize) {
    if let [only] = to {
        *only = size as u8;
        return;
    }
    let width = to.len();
    for (i, byte) in to.iter_mut().enumerate() {
        let bits = (size >> (7 * (width - 1 - i))) as u8 & 0x7F;
        *byte = bits | if i > 0 { 0x80 } else { 0 };
    }
}
