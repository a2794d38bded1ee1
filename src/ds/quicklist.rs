//! Quicklist: a long list as a row of nodes, each a packed row (`pack`) of limited size.
//!
//! ```text
//!   nodes:  [ packed ] [ packed ] [ lzf ] [ plain ] [ lzf ] [ packed ] [ packed ]
//!             ^ pushed and popped at the ends           ^ compressed: `depth` nodes or more
//!                                                         from either end
//! ```
//!
//! - *packed*: up to so many elements or bytes as the list's `fill` says;
//! - *plain*: one element that is too large to be packed (`Shape::plain_from`);
//! - *lzf*: either of them, compressed. What is compressed is the form that snapshots hold (for
//!   packed nodes the listpack), so that saving needs no second look.
//!
//! The nodes lie in a ring. So both ends are O(1), and a node in the middle costs a move of 32
//! bytes for each node on the shorter side. Reading never changes a node: a compressed one is
//! unpacked into other memory for that time. Whoever changes a node unpacks it in place, and ends
//! with `settle` (if the number of nodes changed) or `settle_at`.
//!
//! Invariants: no node is empty; `len` is the sum of the nodes' counts; a node's `count` is that of
//! its body; the `depth` outermost nodes at both ends, and all if `depth` is 0, are not compressed.

mod node;

use super::listpack::{EMPTY_BYTES, Item, Needle};
use super::pack::{Element, End, HEADER, Pack};
use node::{Body, COUNTED_BYTES, LEVELS, Node};
pub(crate) use node::{NodeLimit, NodeView};
use std::collections::VecDeque;

const FILL_MAX: i32 = (1 << 15) - 1;
const DEPTH_MAX: u32 = (1 << 16) - 1;
/// Lists of that many nodes make a new node at its full size.
const LONG: usize = 8;
/// The element size from which on an element is a node by itself, unless a test says otherwise.
pub(crate) const PLAIN_FROM: usize = 1 << 30;

/// How lists are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Elements of a node, or -1 to -5: 4, 8, 16, 32, 64 KiB.
    pub fill: i32,
    /// Nodes at either end that are never compressed; 0: none is.
    pub depth: u32,
    /// Elements of that many bytes are nodes by themselves.
    pub plain_from: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { fill: -2, depth: 0, plain_from: PLAIN_FROM }
    }
}

/// The list.
#[derive(Clone, Debug)]
pub struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    limit: NodeLimit,
    fill: i32,
    depth: u32,
}

impl Quicklist {
    /// An empty list. It keeps fill and depth for its life.
    pub fn new(shape: Shape) -> Quicklist {
        let fill = shape.fill.clamp(-(LEVELS.len() as i32), FILL_MAX);
        Quicklist {
            nodes: VecDeque::new(),
            len: 0,
            limit: NodeLimit::of(fill),
            fill,
            depth: shape.depth.min(DEPTH_MAX),
        }
    }

    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of nodes. O(1).
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The fill it was made with.
    pub fn fill(&self) -> i32 {
        self.fill
    }

    /// Whether nodes may be compressed.
    pub fn compresses(&self) -> bool {
        self.depth > 0
    }

    /// Bytes of all nodes, uncompressed. O(nodes).
    pub fn uncompressed_bytes(&self) -> usize {
        self.nodes.iter().map(Node::bytes).sum()
    }

    /// Allocated bytes, from `samples` nodes if not 0. O(samples or nodes).
    pub fn mem_bytes(&self, samples: usize) -> usize {
        let n = if samples == 0 { self.nodes.len() } else { samples.min(self.nodes.len()) };
        let sum: usize = self.nodes.iter().take(n).map(Node::mem_bytes).sum();
        let all = (sum as f64 / n.max(1) as f64 * self.nodes.len() as f64) as usize;
        size_of::<Quicklist>() + self.nodes.capacity() * size_of::<Node>() + all
    }

    /// The nodes as snapshots hold them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeView<'_>> {
        self.nodes.iter().map(|node| match &node.body {
            Body::Packed(pack) => NodeView::Packed(pack),
            Body::Plain(text) => NodeView::Plain(text),
            Body::Lzf(lzf) => {
                NodeView::Lzf { packed: &lzf.packed, bytes: lzf.bytes, plain: lzf.plain }
            }
        })
    }

    /// The row, if the list is a single packed node.
    pub fn sole_row(&self) -> Option<&Pack> {
        match self.nodes.front() {
            Some(Node { body: Body::Packed(pack), .. }) if self.nodes.len() == 1 => Some(pack),
            _ => None,
        }
    }

    /// The row of a list for which `sole_row` has one.
    pub fn into_sole_row(mut self) -> Option<Pack> {
        self.sole_row()?;
        match self.nodes.pop_front() {
            Some(Node { body: Body::Packed(pack), .. }) => Some(pack),
            _ => None,
        }
    }

    /// Adds a row at the back. O(its bytes).
    pub fn append_row(&mut self, mut row: Pack) {
        if row.is_empty() {
            return;
        }
        self.len += row.len();
        // Rows from a snapshot are as long as listpacks of the elements may be; ours hold some
        // more. But two that were one listpack's worth stay two, since what becomes of the list
        // depends on it.
        if let Some(Node { body: Body::Packed(last), count }) = self.nodes.back_mut()
            && self.limit.exceeded_by(last.listpack_bytes() + row.listpack_bytes(), 0)
        {
            let fit = last.fit_more(&row, self.limit.bytes.unwrap_or(COUNTED_BYTES));
            let fit = fit.min(row.len()).min(self.limit.count.saturating_sub(last.len()));
            if fit > 0 {
                let rest = row.split_off(fit);
                last.append(&row);
                *count = last.len() as u32;
                row = rest;
            }
        }
        if !row.is_empty() {
            row.shrink();
            self.nodes.push_back(Node::packed(row));
            self.settle();
        }
    }

    /// Adds an element that is a node by itself at the back.
    pub fn append_plain(&mut self, text: Box<[u8]>) {
        self.len += 1;
        self.nodes.push_back(Node { count: 1, body: Body::Plain(text) });
        self.settle();
    }

    /// Adds an element at one end. Amortised O(its length).
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8], plain_from: usize) {
        self.len += 1;
        let node = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        };
        if text.len() < plain_from {
            let element = Element::new(text);
            if let Some(Node { count, body: Body::Packed(pack) }) = node
                && !self.limit.exceeded_by(pack.bytes_with(&element), *count as usize + 1)
            {
                pack.push(end, &element);
                *count += 1;
                return;
            }
            let new = self.new_node(end, &element);
            self.push_node(end, new);
        } else {
            self.push_node(end, Node::plain(text));
        }
    }

    /// A node with one element, to which more will be added at this end.
    fn new_node(&self, end: End, element: &Element<'_>) -> Node {
        // A node that grows leaves smaller allocations behind, which the allocator keeps for a
        // while. In long lists a node is made as large as it will be.
        let part = if self.nodes.len() < LONG { 4 } else { 1 };
        let room = self.limit.bytes.map_or(0, |bytes| bytes / part - HEADER);
        let mut pack = Pack::with_room(room);
        pack.push(end, element);
        Node::packed(pack)
    }

    #[cold]
    fn push_node(&mut self, end: End, node: Node) {
        // What was the end will not be extended any more.
        if let Some(Node { body: Body::Packed(pack), .. }) = self.end_node_mut(end) {
            pack.shrink();
        }
        match end {
            End::Front => self.nodes.push_front(node),
            End::Back => self.nodes.push_back(node),
        }
        self.settle();
    }

    fn end_node_mut(&mut self, end: End) -> Option<&mut Node> {
        match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        }
    }

    /// The element at one end. O(1).
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        let node = match end {
            End::Front => self.nodes.front(),
            End::Back => self.nodes.back(),
        };
        match &node?.body {
            Body::Packed(pack) => pack.end(end),
            Body::Plain(text) => Some(Item::Str(text)),
            Body::Lzf(_) => panic!("the ends are never compressed"),
        }
    }

    /// Takes the element at one end away, unless there is none. Amortised O(1).
    #[inline]
    pub fn pop(&mut self, end: End) {
        let Some(node) = self.end_node_mut(end) else { return };
        if let Node { count: 2.., body: Body::Packed(pack) } = node {
            pack.pop(end);
            node.count -= 1;
            self.len -= 1;
        } else {
            self.pop_node(end);
        }
    }

    #[cold]
    fn pop_node(&mut self, end: End) {
        let node = match end {
            End::Front => self.nodes.pop_front(),
            End::Back => self.nodes.pop_back(),
        };
        self.len -= node.map_or(0, |node| node.len());
        self.settle();
    }

    /// The node that holds the element with this index, and the element's index there.
    /// O(nodes to the nearer end).
    fn locate(&self, index: usize) -> (usize, usize) {
        assert!(index < self.len);
        if index <= self.len / 2 {
            let mut before = 0;
            for (k, node) in self.nodes.iter().enumerate() {
                if index < before + node.len() {
                    return (k, index - before);
                }
                before += node.len();
            }
        } else {
            let mut behind = self.len;
            for (k, node) in self.nodes.iter().enumerate().rev() {
                behind -= node.len();
                if index >= behind {
                    return (k, index - behind);
                }
            }
        }
        unreachable!("len is the sum of the counts")
    }

    /// Shows the elements to `f` from `index` on, to the back (`from` is the front) or to the
    /// front, until it says false. O(nodes to the nearer end + elements).
    #[inline]
    pub fn walk(&self, index: usize, from: End, f: &mut impl FnMut(Item<'_>) -> bool) {
        if index >= self.len {
            return;
        }
        let (k, mut i) = self.locate(index);
        match from {
            End::Front => {
                for node in self.nodes.range(k..) {
                    if !node.read(|body| body.walk(i, from, f)) {
                        return;
                    }
                    i = 0;
                }
            }
            End::Back => {
                for node in self.nodes.range(..=k).rev() {
                    if !node.read(|body| body.walk(i, from, f)) {
                        return;
                    }
                    i = usize::MAX;
                }
            }
        }
    }

    /// Inserts an element before or behind the one with this index. O(nodes + bytes of a node).
    pub fn insert(&mut self, index: usize, side: Side, text: &[u8], plain_from: usize) {
        let (k, i) = self.locate(index);
        let after = side == Side::After;
        let spot = i + usize::from(after);
        let at_edge = spot == 0 || spot == self.nodes[k].len();
        self.len += 1;
        if text.len() >= plain_from {
            let at = if at_edge { k + usize::from(after) } else { self.split(k, spot) };
            return self.insert_node(at, Node::plain(text));
        }
        let element = Element::new(text);
        if self.allows(k, &element) {
            self.nodes[k].edit(|pack| pack.insert(spot, &element));
            return self.settle_at(k);
        }
        if at_edge {
            let next = if after { Some(k + 1) } else { k.checked_sub(1) };
            let next = next.filter(|&n| n < self.nodes.len() && self.allows(n, &element));
            let Some(n) = next else {
                return self.insert_node(k + usize::from(after), Node::sole(&element));
            };
            let end = if after { End::Front } else { End::Back };
            self.nodes[n].edit(|pack| pack.push(end, &element));
            return self.settle_at(n);
        }
        let right = self.split(k, spot);
        let (n, end) = if after { (right, End::Front) } else { (k, End::Back) };
        if !self.nodes[n].has_room(&element) {
            return self.insert_node(right, Node::sole(&element));
        }
        self.nodes[n].edit(|pack| pack.push(end, &element));
        self.merge_near(if after { k } else { right });
    }

    /// Replaces the element with this index. O(nodes + bytes of a node).
    pub fn replace(&mut self, index: usize, text: &[u8], plain_from: usize) {
        let (k, i) = self.locate(index);
        let large = text.len() >= plain_from;
        match (self.nodes[k].is_plain(), large) {
            (false, false) => {
                let element = Element::new(text);
                if self.nodes[k].has_room(&element) {
                    self.nodes[k].edit(|pack| pack.replace(i, &element));
                    self.settle_at(k);
                } else {
                    self.replace_by_node(k, i, Node::sole(&element));
                }
            }
            (true, true) => {
                self.nodes[k] = Node::plain(text);
                self.settle_at(k);
            }
            (true, false) => {
                self.insert(index, Side::After, text, plain_from);
                self.len -= 1;
                self.nodes.remove(k);
                self.settle();
            }
            (false, true) => self.replace_by_node(k, i, Node::plain(text)),
        }
    }

    /// Replaces the element `i` of a packed node by a node, between what is before and behind it.
    fn replace_by_node(&mut self, k: usize, i: usize, node: Node) {
        let mut at = if i + 1 < self.nodes[k].len() { self.split(k, i + 1) } else { k + 1 };
        if i == 0 {
            self.nodes.remove(k);
            at -= 1;
        } else {
            self.nodes[k].edit(|pack| pack.pop(End::Back));
        }
        self.nodes.insert(at, node);
        self.merge_near(at);
    }

    /// Removes `n` elements from `index` on, which must be there. O(nodes + bytes of two nodes).
    pub fn remove(&mut self, index: usize, mut n: usize) {
        if n == 0 {
            return;
        }
        let (mut k, i) = self.locate(index);
        self.len -= n;
        let here = self.nodes[k].len();
        if i > 0 {
            let some = n.min(here - i);
            self.nodes[k].edit(|pack| pack.remove(i, some));
            self.settle_at(k);
            n -= some;
            k += 1;
        }
        let first = k;
        while n > 0 && n >= self.nodes[k].len() {
            n -= self.nodes[k].len();
            k += 1;
        }
        if n > 0 {
            self.nodes[k].edit(|pack| pack.remove(0, n));
            self.settle_at(k);
        }
        if k > first {
            self.nodes.drain(first..k);
            self.settle();
        }
    }

    /// Removes elements equal to `needle`, at most `max` of them beginning at one end; returns how
    /// many. O(n).
    pub fn remove_equal(&mut self, needle: &Needle<'_>, max: usize, from: End) -> usize {
        let mut removed = 0;
        let mut left = self.nodes.len();
        let mut k = if from == End::Front { 0 } else { left.saturating_sub(1) };
        while left > 0 && removed < max {
            left -= 1;
            let node = &mut self.nodes[k];
            node.unpack();
            let some = match &node.body {
                Body::Plain(text) => {
                    let equal = needle.is(Item::Str(text));
                    node.count -= u32::from(equal);
                    usize::from(equal)
                }
                _ => node.edit(|pack| pack.remove_equal(needle, max - removed, from)),
            };
            removed += some;
            if node.count == 0 {
                self.nodes.remove(k);
                k = if from == End::Front { k } else { k.saturating_sub(1) };
            } else {
                self.settle_at(k);
                k = if from == End::Front { k + 1 } else { k.saturating_sub(1) };
            }
        }
        self.len -= removed;
        self.settle();
        removed
    }

    /// Whether a node has room for one more element.
    fn allows(&self, k: usize, element: &Element<'_>) -> bool {
        let node = &self.nodes[k];
        let bytes = match &node.body {
            Body::Packed(pack) => pack.bytes_with(element),
            Body::Lzf(lzf) if !lzf.plain => lzf.bytes + element.text_len() + 8,
            _ => return false,
        };
        !self.limit.exceeded_by(bytes, node.len() + 1)
    }

    /// Splits a packed node before its element `at`; returns the number of the second part's node.
    fn split(&mut self, k: usize, at: usize) -> usize {
        let tail = self.nodes[k].edit(|pack| pack.split_off(at));
        self.nodes.insert(k + 1, Node::packed(tail));
        k + 1
    }

    fn insert_node(&mut self, at: usize, node: Node) {
        self.nodes.insert(at, node);
        self.settle();
        self.settle_near(at);
    }

    /// Merges the neighbours of a node with theirs, and it with them, where a node may be so large.
    fn merge_near(&mut self, center: usize) {
        let mut k = center;
        if k >= 2 && self.merge(k - 2) {
            k -= 1;
        }
        self.merge(k + 1);
        if k >= 1 && self.merge(k - 1) {
            k -= 1;
        }
        self.merge(k);
        self.settle();
        self.settle_near(k);
    }

    /// Merges a node with the next, if both together are within the limit.
    fn merge(&mut self, k: usize) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(k), self.nodes.get(k + 1)) else { return false };
        let bytes = match (&a.body, &b.body) {
            (Body::Packed(a), Body::Packed(b)) => a.bytes_with_all(b),
            _ if a.is_plain() || b.is_plain() => return false,
            _ => a.bytes() + b.bytes() - EMPTY_BYTES,
        };
        if self.limit.exceeded_by(bytes, a.len() + b.len()) {
            return false;
        }
        let Some(mut next) = self.nodes.remove(k + 1) else { return false };
        let next = next.pack_mut();
        self.nodes[k].edit(|pack| pack.append(next));
        true
    }

    /// Makes sure that the nodes around one are compressed if they should be.
    fn settle_near(&mut self, k: usize) {
        for k in k.saturating_sub(1)..=k + 1 {
            self.settle_at(k);
        }
    }

    /// Compresses a node if it is far enough from both ends.
    fn settle_at(&mut self, k: usize) {
        let depth = self.depth as usize;
        if depth > 0 && k >= depth && k + depth < self.nodes.len() {
            self.nodes[k].compress();
        }
    }

    /// Unpacks the outer nodes and compresses those next to them, after nodes were added or
    /// removed.
    #[inline]
    fn settle(&mut self) {
        if self.depth > 0 {
            self.settle_ends();
        }
    }

    fn settle_ends(&mut self) {
        let (depth, n) = (self.depth as usize, self.nodes.len());
        for k in 0..depth.min(n) {
            self.nodes[k].unpack();
            self.nodes[n - 1 - k].unpack();
        }
        if n > 2 * depth {
            self.nodes[depth].compress();
            self.nodes[n - 1 - depth].compress();
        }
    }

    /// Walks the list and checks it. O(n).
    #[cfg(test)]
    pub fn check(&self) {
        let (depth, n) = (self.depth as usize, self.nodes.len());
        let mut sum = 0;
        for (k, node) in self.nodes.iter().enumerate() {
            assert!(node.count > 0);
            sum += node.len();
            let outer = depth == 0 || k < depth || k + depth >= n;
            assert!(!outer || !matches!(node.body, Body::Lzf(_)), "{k} of {n}");
            let inner = !outer && node.bytes() >= 1000 && !node.is_plain();
            node.read(|body| {
                if let Body::Packed(pack) = body {
                    pack.check();
                    assert_eq!(pack.len(), node.len());
                }
            });
            // All that is long here can be compressed, by how the tests make it.
            assert!(!inner || matches!(node.body, Body::Lzf(_)), "{k} of {n}");
        }
        assert_eq!(sum, self.len);
    }
}

/// Where an element is inserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Before,
    After,
}

#[cfg(test)]
mod tests;
