//! The nodes of a quicklist: packed, plain or compressed, and how much one may hold.

use crate::ds::listpack::{Item, Listpack};
use crate::ds::pack::{Element, End, Pack};
use crate::util::lzf::{self, Compressor};
use crate::util::size_class::size_class;

/// Bytes of a node for `fill` -1 to -5.
pub(super) const LEVELS: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// Bytes of a node whose elements are counted.
pub(super) const COUNTED_BYTES: usize = 8 << 10;
/// Nodes of fewer bytes are not compressed, nor those that would not get so many bytes shorter.
const COMPRESS_FROM: usize = 48;
const COMPRESS_GAIN: usize = 8;

/// What a node may hold at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NodeLimit {
    /// None if elements are counted; the safety limit holds then.
    pub(super) bytes: Option<usize>,
    pub(super) count: usize,
}

impl NodeLimit {
    /// The limit that a fill says.
    pub(crate) fn of(fill: i32) -> NodeLimit {
        match usize::try_from(fill) {
            Ok(count) => NodeLimit { bytes: None, count: count.max(1) },
            Err(_) => {
                let level = (fill.unsigned_abs() as usize - 1).min(LEVELS.len() - 1);
                NodeLimit { bytes: Some(LEVELS[level]), count: usize::MAX }
            }
        }
    }

    /// Whether so many bytes or elements are too much to grow into.
    #[inline]
    pub(crate) fn exceeded_by(&self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes.unwrap_or(COUNTED_BYTES) || count > self.count
    }

    /// Whether so many are little enough for a list that shrank (half the limit) or was loaded (the
    /// limit) to be one row. Bytes don't matter where elements are counted.
    pub(crate) fn allows_row(&self, bytes: usize, count: usize, shrunk: bool) -> bool {
        let part = if shrunk { 2 } else { 1 };
        self.bytes.is_none_or(|max| bytes <= max / part) && count <= self.count / part
    }
}

/// A node: 32 bytes, so that looking for an index reads two of them with a cache line.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Elements.
    pub(super) count: u32,
    pub(super) body: Body,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Packed(Pack),
    Plain(Box<[u8]>),
    Lzf(Box<Lzf>),
}

/// A compressed node.
#[derive(Clone, Debug)]
pub(super) struct Lzf {
    pub(super) packed: Box<[u8]>,
    /// Bytes of a listpack or of a plain element.
    pub(super) bytes: usize,
    pub(super) plain: bool,
}

const _: () = assert!(size_of::<Node>() == 32);

/// A node, as snapshots hold it.
#[derive(Clone, Copy, Debug)]
pub enum NodeView<'a> {
    Packed(&'a Pack),
    Plain(&'a [u8]),
    /// `bytes` when unpacked: a listpack, or a plain element.
    Lzf {
        packed: &'a [u8],
        bytes: usize,
        plain: bool,
    },
}

impl Node {
    pub(super) fn packed(pack: Pack) -> Node {
        Node { count: pack.len() as u32, body: Body::Packed(pack) }
    }

    /// A packed node with one element, to which none will be added soon.
    pub(super) fn sole(element: &Element<'_>) -> Node {
        let mut pack = Pack::with_room(0);
        pack.push(End::Back, element);
        Node::packed(pack)
    }

    pub(super) fn plain(text: &[u8]) -> Node {
        Node { count: 1, body: Body::Plain(text.into()) }
    }

    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    pub(super) fn is_plain(&self) -> bool {
        match &self.body {
            Body::Packed(_) => false,
            Body::Plain(_) => true,
            Body::Lzf(lzf) => lzf.plain,
        }
    }

    /// Whether a packed node may take one more element at all, however large its list lets it be.
    pub(super) fn has_room(&mut self, element: &Element<'_>) -> bool {
        self.pack_mut().has_room(element)
    }

    /// Bytes of the listpack or of the plain element.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Packed(pack) => pack.listpack_bytes(),
            Body::Plain(text) => text.len(),
            Body::Lzf(lzf) => lzf.bytes,
        }
    }

    pub(super) fn mem_bytes(&self) -> usize {
        match &self.body {
            Body::Packed(pack) => pack.mem_bytes(),
            Body::Plain(text) => size_class(text.len()),
            Body::Lzf(lzf) => size_of::<Lzf>() + size_class(lzf.packed.len()),
        }
    }

    /// Shows the uncompressed body to `f`.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Body) -> R) -> R {
        match &self.body {
            Body::Lzf(lzf) => f(&lzf.unpacked()),
            body => f(body),
        }
    }

    pub(super) fn unpack(&mut self) {
        if let Body::Lzf(lzf) = &self.body {
            self.body = lzf.unpacked();
        }
    }

    /// The row of an uncompressed packed node.
    pub(super) fn pack_mut(&mut self) -> &mut Pack {
        self.unpack();
        match &mut self.body {
            Body::Packed(pack) => pack,
            Body::Plain(_) | Body::Lzf(_) => panic!("a packed node is expected here"),
        }
    }

    /// Changes the row of a packed node.
    pub(super) fn edit<R>(&mut self, f: impl FnOnce(&mut Pack) -> R) -> R {
        let pack = self.pack_mut();
        let result = f(pack);
        self.count = pack.len() as u32;
        result
    }

    /// Compresses the node if that is worth it.
    pub(super) fn compress(&mut self) {
        let mut bytes = Vec::new();
        let (raw, plain) = match &self.body {
            Body::Lzf(_) => return,
            Body::Plain(text) => (&text[..], true),
            Body::Packed(pack) => {
                pack.write_listpack(&mut bytes);
                (&bytes[..], false)
            }
        };
        if raw.len() < COMPRESS_FROM {
            return;
        }
        let mut packed = Vec::new();
        if Compressor::default().compress(raw, &mut packed, raw.len() - COMPRESS_GAIN - 1) {
            let lzf = Lzf { packed: packed.into(), bytes: raw.len(), plain };
            self.body = Body::Lzf(Box::new(lzf));
        }
    }
}

impl Lzf {
    pub(super) fn unpacked(&self) -> Body {
        let mut bytes = Vec::new();
        let fine = lzf::decompress(&self.packed, self.bytes, &mut bytes);
        assert!(fine, "compressed by us");
        match self.plain {
            true => Body::Plain(bytes.into()),
            false => {
                let lp = Listpack::from_untrusted(bytes).expect("compressed by us");
                Body::Packed(Pack::from_listpack(&lp))
            }
        }
    }
}

impl Body {
    /// Shows the elements from one on; false if `f` said so.
    #[inline]
    pub(super) fn walk(&self, i: usize, from: End, f: &mut impl FnMut(Item<'_>) -> bool) -> bool {
        match self {
            Body::Packed(pack) => pack.walk(i, from, f),
            Body::Plain(text) => f(Item::Str(text)),
            Body::Lzf(_) => panic!("unpacked before it is read"),
        }
    }
}
