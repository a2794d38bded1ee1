//! Lists: one packed row while they are small, a quicklist above.
//!
//! The row is reported as `listpack`, which it is in snapshots. When a list changes from one to the
//! other follows Redis 7.2. It becomes a quicklist before elements are added that would make the
//! row longer than a node may be (`list-max-listpack-size`). It becomes a row again when only one
//! node is left and that is at most half as long.

use crate::ds::listpack::{Item, Needle, Scratch};
use crate::ds::pack::{Element, End, Pack};
use crate::ds::quicklist::{NodeLimit, Quicklist, Shape, Side};
use crate::util::digest;
use crate::value::{Collection, Encoding, Object, View, variant};

/// A list.
#[derive(Debug)]
pub enum List {
    Row(Pack),
    Nodes(Box<Quicklist>),
}

impl List {
    /// Number of elements. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        View::len(self)
    }

    /// Whether there are none. O(1).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoding that clients are told. O(1).
    pub fn encoding(&self) -> Encoding {
        View::encoding(self)
    }

    /// An empty one, with room for `bytes` of elements.
    pub fn with_room(bytes: usize) -> List {
        List::Row(Pack::with_room(bytes))
    }

    /// A list that was read from a snapshot, in the encoding that its size asks for.
    pub fn loaded(self, shape: Shape) -> List {
        match self {
            List::Row(row) => {
                let mut list = List::Row(row);
                list.grow(0, 0, shape);
                list
            }
            List::Nodes(mut nodes) => match row_of(&mut nodes, shape, false) {
                Some(row) => List::Row(row),
                None => List::Nodes(nodes),
            },
        }
    }

    /// The list that SORT stores.
    ///
    /// Compat: redis-server makes a quicklist of the usual nodes, whatever `list-max-listpack-size`
    /// says, and a listpack of it if that has one node and is not too long.
    pub fn sorted<'e>(elements: impl Iterator<Item = &'e [u8]> + Clone, shape: Shape) -> List {
        let usual = Shape { fill: Shape::default().fill, ..shape };
        let (node, limit) = (NodeLimit::of(usual.fill), NodeLimit::of(shape.fill));
        let mut row =
            Pack::with_room(elements.clone().map(|e| e.len() + 2).sum::<usize>().min(1 << 13));
        let mut nodes = None;
        for text in elements {
            if nodes.is_none() {
                // What a node counts for one more element beside its text.
                const BESIDE: usize = 8;
                if text.len() < shape.plain_from
                    && (row.is_empty()
                        || !node.exceeded_by(row.listpack_bytes() + text.len() + BESIDE, 0))
                {
                    row.push(End::Back, &Element::new(text));
                    continue;
                }
                let mut list = Quicklist::new(usual);
                list.append_row(std::mem::replace(&mut row, Pack::with_room(0)));
                nodes = Some(list);
            }
            if let Some(nodes) = &mut nodes {
                nodes.push(End::Back, text, shape.plain_from);
            }
        }
        match nodes {
            Some(nodes) => List::Nodes(Box::new(nodes)),
            None if limit.allows_row(row.listpack_bytes(), row.len(), false) => List::Row(row),
            None => {
                let mut list = List::Row(row);
                list.become_nodes(usual);
                list
            }
        }
    }

    /// Adds elements at one end, one after the other. Amortised O(their length).
    #[inline]
    pub fn push<'e>(
        &mut self,
        end: End,
        elements: impl Iterator<Item = &'e [u8]> + Clone,
        shape: Shape,
    ) {
        if let List::Row(_) = self {
            let bytes = elements.clone().map(<[u8]>::len).sum();
            self.grow(bytes, elements.clone().count(), shape);
        }
        match self {
            List::Row(row) => elements.for_each(|text| row.push(end, &Element::new(text))),
            List::Nodes(nodes) => elements.for_each(|text| nodes.push(end, text, shape.plain_from)),
        }
    }

    /// Turns a row that is to get `count` more elements of `bytes` bytes into a quicklist, if it is
    /// to be one then.
    #[inline]
    fn grow(&mut self, bytes: usize, count: usize, shape: Shape) {
        if let List::Row(row) = self
            && NodeLimit::of(shape.fill)
                .exceeded_by(row.listpack_bytes() + bytes, row.len() + count)
        {
            self.become_nodes(shape);
        }
    }

    #[cold]
    fn become_nodes(&mut self, shape: Shape) {
        if let List::Row(row) = self {
            let mut nodes = Quicklist::new(shape);
            nodes.append_row(std::mem::replace(row, Pack::with_room(0)));
            *self = List::Nodes(Box::new(nodes));
        }
    }

    /// Turns a quicklist that has become small into a row.
    #[inline]
    fn shrink(&mut self, shape: Shape) {
        if let List::Nodes(nodes) = self
            && nodes.node_count() == 1
            && let Some(row) = row_of(nodes, shape, true)
        {
            *self = List::Row(row);
        }
    }

    /// The element at one end. O(1).
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        match self {
            List::Row(row) => row.end(end),
            List::Nodes(nodes) => nodes.end(end),
        }
    }

    /// Takes the element at one end away. Amortised O(1).
    #[inline]
    pub fn pop(&mut self, end: End, shape: Shape) {
        match self {
            List::Row(row) => row.pop(end),
            List::Nodes(nodes) => {
                nodes.pop(end);
                self.shrink(shape);
            }
        }
    }

    /// Moves the element at one end, which is `text`, to an end of the same list. Amortised
    /// O(its length).
    ///
    /// Compat: whether the list has become small is decided when the element is back in it.
    pub fn rotate(&mut self, from: End, to: End, text: &[u8], shape: Shape) {
        match self {
            List::Row(row) => row.pop(from),
            List::Nodes(nodes) => nodes.pop(from),
        }
        self.push(to, std::iter::once(text), shape);
        self.shrink(shape);
    }

    /// Shows the elements to `f` from `index` on, towards the end that is not `from`, until it says
    /// false. O(nodes to the nearer end + elements).
    #[inline]
    pub fn walk(&self, index: usize, from: End, f: &mut impl FnMut(Item<'_>) -> bool) {
        match self {
            List::Nodes(nodes) => nodes.walk(index, from, f),
            List::Row(row) if index < row.len() => {
                row.walk(index, from, f);
            }
            List::Row(_) => {}
        }
    }

    /// The index of the first element that is `needle`. O(n).
    pub fn position(&self, needle: &Needle<'_>) -> Option<usize> {
        let mut at = 0;
        self.walk(0, End::Front, &mut |item| {
            let other = !needle.is(item);
            at += usize::from(other);
            other
        });
        (at < self.len()).then_some(at)
    }

    /// Inserts an element beside the first one that is `pivot`; whether there is one. O(n).
    ///
    /// The encoding may change even if there is none, as in Redis.
    pub fn insert(&mut self, side: Side, pivot: &Needle<'_>, text: &[u8], shape: Shape) -> bool {
        self.grow(text.len(), 1, shape);
        let Some(index) = self.position(pivot) else { return false };
        match self {
            List::Row(row) => {
                let index = index + usize::from(side == Side::After);
                row.insert(index, &Element::new(text));
            }
            List::Nodes(nodes) => nodes.insert(index, side, text, shape.plain_from),
        }
        true
    }

    /// Replaces the element with this index; false if there is none. O(nodes + bytes of a node).
    pub fn replace(&mut self, index: usize, text: &[u8], shape: Shape) -> bool {
        self.grow(text.len(), 1, shape);
        if index >= self.len() {
            return false;
        }
        match self {
            List::Row(row) => row.replace(index, &Element::new(text)),
            List::Nodes(nodes) => nodes.replace(index, text, shape.plain_from),
        }
        self.shrink(shape);
        true
    }

    /// Removes `n` elements from `index` on, which must be there. O(nodes + bytes of two nodes).
    pub fn remove(&mut self, index: usize, n: usize, shape: Shape) {
        match self {
            _ if n == 0 => {}
            List::Row(row) => row.remove(index, n),
            List::Nodes(nodes) => nodes.remove(index, n),
        }
        self.shrink(shape);
    }

    /// Removes elements that are `needle`, at most `max` of them beginning at one end; returns how
    /// many. O(n).
    pub fn remove_equal(
        &mut self,
        needle: &Needle<'_>,
        max: usize,
        from: End,
        shape: Shape,
    ) -> usize {
        let removed = match self {
            List::Row(row) => row.remove_equal(needle, max, from),
            List::Nodes(nodes) => nodes.remove_equal(needle, max, from),
        };
        if removed > 0 {
            self.shrink(shape);
        }
        removed
    }
}

/// Takes the row out of a quicklist that should be one.
fn row_of(nodes: &mut Quicklist, shape: Shape, shrunk: bool) -> Option<Pack> {
    let row = nodes.sole_row()?;
    let limit = NodeLimit::of(shape.fill);
    if !limit.allows_row(row.listpack_bytes(), row.len(), shrunk) {
        return None;
    }
    std::mem::replace(nodes, Quicklist::new(shape)).into_sole_row()
}

impl Collection for List {
    variant!(List);
    type Ref<'a> = &'a List;

    #[inline]
    fn view(&self) -> &List {
        self
    }
}

impl View for &List {
    fn encoding(self) -> Encoding {
        match self {
            List::Row(_) => Encoding::Listpack,
            List::Nodes(_) => Encoding::Quicklist,
        }
    }

    #[inline]
    fn len(self) -> usize {
        match self {
            List::Row(row) => row.len(),
            List::Nodes(nodes) => nodes.len(),
        }
    }

    fn duplicate(self, _room: usize) -> Object {
        Object::List(match self {
            List::Row(row) => List::Row(row.clone()),
            List::Nodes(nodes) => List::Nodes(nodes.clone()),
        })
    }

    fn free_effort(self) -> usize {
        match self {
            List::Row(_) => 1,
            List::Nodes(nodes) => nodes.node_count(),
        }
    }

    fn mem_bytes(self, samples: usize) -> usize {
        match self {
            List::Row(row) => row.mem_bytes(),
            List::Nodes(nodes) => nodes.mem_bytes(samples),
        }
    }

    fn digest(self, sum: &mut [u8; 20]) {
        self.walk(0, End::Front, &mut |item| {
            digest::mix(sum, item.bytes(&mut Scratch::default()));
            true
        });
    }
}

impl PartialEq for List {
    /// Whether the elements are equal, whatever the encodings.
    fn eq(&self, other: &List) -> bool {
        let texts = |list: &List| {
            let mut all = Vec::with_capacity(list.len());
            list.walk(0, End::Front, &mut |item| {
                all.push(item.to_vec());
                true
            });
            all
        };
        self.len() == other.len() && texts(self) == texts(other)
    }
}

impl Eq for List {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(fill: i32) -> Shape {
        Shape { fill, ..Shape::default() }
    }

    fn list(texts: &[&str], shape: Shape) -> List {
        let mut list = List::with_room(0);
        texts.iter().for_each(|t| list.push(End::Back, [t.as_bytes()].into_iter(), shape));
        list
    }

    #[test]
    fn a_list_is_small() {
        assert_eq!(size_of::<List>(), 24);
    }

    #[test]
    fn it_grows_into_nodes_and_shrinks_at_half_the_limit() {
        let four = shape(4);
        let mut l = list(&["a", "b", "c", "d"], four);
        assert_eq!(l.encoding(), Encoding::Listpack);
        l.push(End::Front, [&b"x"[..]].into_iter(), four);
        assert_eq!((l.encoding(), l.len()), (Encoding::Quicklist, 5));
        // Two nodes: only the second is left when the first is gone.
        for _ in 0..2 {
            l.pop(End::Back, four);
            assert_eq!(l.encoding(), Encoding::Quicklist);
        }
        l.pop(End::Front, four);
        assert_eq!((l.encoding(), l.len()), (Encoding::Listpack, 2));
    }

    #[test]
    fn bytes_count_where_the_fill_is_a_size() {
        let big = "x".repeat(4000);
        let mut l = list(&[&big], shape(-1));
        assert_eq!(l.encoding(), Encoding::Listpack);
        l.push(End::Back, [&big.as_bytes()[..100]].into_iter(), shape(-1));
        assert_eq!(l.encoding(), Encoding::Quicklist);
        assert!(l.replace(0, b"small", shape(-1)));
        assert_eq!(l.encoding(), Encoding::Quicklist, "still two nodes");
        l.remove(0, 1, shape(-1));
        assert_eq!(l.encoding(), Encoding::Listpack);
    }

    #[test]
    fn a_failed_insert_may_change_the_encoding() {
        let mut l = list(&["a", "b"], shape(2));
        assert!(!l.insert(Side::After, &Needle::new(b"z"), b"c", shape(2)));
        assert_eq!(l.encoding(), Encoding::Quicklist);
        assert!(l.insert(Side::After, &Needle::new(b"a"), b"c", shape(2)));
        assert_eq!(l, list(&["a", "c", "b"], shape(-2)));
    }

    #[test]
    fn equal_content_has_equal_digests() {
        let texts: Vec<String> = (0..500).map(|i| (i * 7919).to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (mut a, mut b) = ([0; 20], [0; 20]);
        list(&texts, shape(-2)).digest(&mut a);
        list(&texts, Shape { fill: 3, depth: 1, plain_from: 4 }).digest(&mut b);
        assert_eq!(a, b);
    }
}
