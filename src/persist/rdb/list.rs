//! How a list is written and read.
//!
//! ```text
//!   written:  LIST_QUICKLIST_2   nodes { 2 listpack | 1 element }*    a small list is one listpack
//!   read too: LIST               elements { element }*
//!             LIST_ZIPLIST       ziplist
//!             LIST_QUICKLIST     nodes { ziplist }*
//! ```
//!
//! Nodes that are compressed in memory are written as they are: what was compressed is the
//! listpack.

use super::blob;
use super::error::RdbError as Error;
use super::read::Reader;
use super::types::{LISTPACKS_SINCE, ValueKind};
use super::write::Writer;
use crate::ds::listpack::{Item, Listpack};
use crate::ds::pack::{End, Pack};
use crate::ds::quicklist::{NodeView, Quicklist};
use crate::keyspace::limits::Limits;
use crate::value::list::List;
use std::io::{self, Read, Write};

/// What a node of a quicklist holds.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// The form in which it is written.
pub(crate) fn kind(version: u32) -> ValueKind {
    if version < LISTPACKS_SINCE { ValueKind::List } else { ValueKind::ListQuicklist2 }
}

/// Writes it in that form.
pub(crate) fn save<W: Write>(to: &mut Writer<W>, list: &List, version: u32) -> io::Result<()> {
    let mut listpack = Vec::new();
    match list {
        _ if kind(version) == ValueKind::List => elements(to, list),
        List::Row(row) => {
            to.length(1)?;
            node(to, NodeView::Packed(row), &mut listpack)
        }
        List::Nodes(nodes) => {
            to.length(nodes.node_count() as u64)?;
            nodes.nodes().try_for_each(|view| node(to, view, &mut listpack))
        }
    }
}

/// Each element by itself, as the oldest form has it.
fn elements<W: Write>(to: &mut Writer<W>, list: &List) -> io::Result<()> {
    to.length(list.len() as u64)?;
    let mut result = Ok(());
    list.walk(0, End::Front, &mut |item| {
        result = match item {
            Item::Int(n) => to.int(n),
            Item::Str(text) => to.string(text),
        };
        result.is_ok()
    });
    result
}

fn node<W: Write>(
    to: &mut Writer<W>,
    view: NodeView<'_>,
    listpack: &mut Vec<u8>,
) -> io::Result<()> {
    match view {
        NodeView::Packed(row) => {
            listpack.clear();
            row.write_listpack(listpack);
            to.length(PACKED)?;
            to.string(listpack)
        }
        NodeView::Plain(text) => {
            to.length(PLAIN)?;
            to.string(text)
        }
        NodeView::Lzf { packed, bytes, plain } => {
            to.length(if plain { PLAIN } else { PACKED })?;
            to.compressed(packed, bytes as u64)
        }
    }
}

/// Reads one of any form, and gives it the encoding that the limits ask for.
pub(crate) fn load<R: Read>(
    from: &mut Reader<R>,
    kind: ValueKind,
    limits: &Limits,
) -> Result<List, Error> {
    let shape = limits.list();
    let list = match kind {
        ValueKind::ListZiplist => List::Row(ziplist(from)?),
        ValueKind::List => {
            let n = from.length()?;
            let mut list = Quicklist::new(shape);
            let mut text = Vec::new();
            for _ in 0..n {
                from.string_into(&mut text)?;
                list.push(End::Back, &text, shape.plain_from);
            }
            List::Nodes(Box::new(list))
        }
        ValueKind::ListQuicklist => {
            let nodes = from.length()?;
            let mut list = Quicklist::new(shape);
            for _ in 0..nodes {
                list.append_row(ziplist(from)?);
            }
            List::Nodes(Box::new(list))
        }
        _ => {
            let nodes = from.length()?;
            let mut list = Quicklist::new(shape);
            for _ in 0..nodes {
                load_node(from, &mut list)?;
            }
            List::Nodes(Box::new(list))
        }
    };
    Ok(list.loaded(shape))
}

fn load_node<R: Read>(from: &mut Reader<R>, list: &mut Quicklist) -> Result<(), Error> {
    let at = from.offset();
    let broken = |what| Error::corrupt(at, what);
    let container = from.length()?;
    if !matches!(container, PLAIN | PACKED) {
        return Err(broken("Quicklist integrity check failed"));
    }
    let bytes = from.string()?;
    if bytes.is_empty() {
        return Err(broken("A quicklist node without content"));
    }
    if container == PLAIN {
        list.append_plain(bytes.into());
    } else {
        let lp = Listpack::from_untrusted(bytes);
        let lp = lp.map_err(|_| broken("Listpack integrity check failed"))?;
        list.append_row(Pack::from_listpack(&lp));
    }
    Ok(())
}

fn ziplist<R: Read>(from: &mut Reader<R>) -> Result<Pack, Error> {
    let at = from.offset();
    let bytes = from.string()?;
    let lp = blob::ziplist_to_listpack(&bytes).map_err(|what| Error::corrupt(at, what))?;
    Ok(Pack::from_listpack(&lp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::quicklist::Shape;

    fn texts(texts: &[&str], shape: Shape) -> List {
        let mut list = List::with_room(0);
        list.push(End::Back, texts.iter().map(|t| t.as_bytes()), shape);
        list
    }

    fn saved(list: &List) -> Vec<u8> {
        let mut out = Vec::new();
        let mut to = Writer::new(&mut out, 4096, false, false);
        save(&mut to, list, 11).unwrap();
        to.flush().unwrap();
        out
    }

    fn loaded(bytes: &[u8], kind: ValueKind, limits: &Limits) -> Result<List, Error> {
        let mut from = Reader::new(bytes, 64, false);
        let list = load(&mut from, kind, limits)?;
        assert_eq!(from.offset(), bytes.len() as u64, "all is read");
        Ok(list)
    }

    /// As redis-server 7.0 writes it.
    #[test]
    fn a_small_list_is_one_listpack() {
        let list = texts(&["a", "1", "bc"], Shape::default());
        let listpack = b"\x10\0\0\0\x03\0\x81a\x02\x01\x01\x82bc\x03\xff";
        assert_eq!(saved(&list), [&[1, 2, 16][..], listpack].concat());
    }

    #[test]
    fn every_layout_comes_back() {
        let many: Vec<String> = (0..3_000).map(|i| format!("element {}", i * i % 777)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for fill in [-2, -1, 1, 100, 5_000] {
            for (depth, plain_from) in [(0, 1 << 30), (2, 1 << 30), (1, 11)] {
                let limits = Limits {
                    list_listpack_size: fill,
                    list_compress_depth: depth,
                    list_plain_from: plain_from,
                    ..Limits::default()
                };
                for n in [1, 2, 100, 3_000] {
                    let list = texts(&many[..n], limits.list());
                    let bytes = saved(&list);
                    let back = loaded(&bytes, ValueKind::ListQuicklist2, &limits).unwrap();
                    assert_eq!(back, list);
                    assert_eq!(back.encoding(), list.encoding(), "{fill} {depth} {n}");
                    assert_eq!(saved(&back).len(), bytes.len());
                }
            }
        }
    }

    #[test]
    fn old_forms_are_read() {
        let limits = Limits::default();
        let want = texts(&["a", "-5"], Shape::default());
        let plain = [&[2][..], b"\x01a", b"\xc0\xfb"].concat();
        assert_eq!(loaded(&plain, ValueKind::List, &limits).unwrap(), want);
        let ziplist = b"\x12\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\xfe\xfb\xff";
        let ziplist = [&[17, 17][..], &ziplist[1..]].concat();
        let one = loaded(&ziplist, ValueKind::ListZiplist, &limits).unwrap();
        assert_eq!((one.encoding(), &one), (crate::value::Encoding::Listpack, &want));
        let nodes = [&[2][..], &ziplist, &ziplist].concat();
        let two = loaded(&nodes, ValueKind::ListQuicklist, &limits).unwrap();
        assert_eq!((two.encoding(), two.len()), (crate::value::Encoding::Quicklist, 4));
    }

    #[test]
    fn broken_nodes_are_refused() {
        let limits = Limits::default();
        for bytes in [
            &b"\x01\x03\x01a"[..],
            b"\x01\x01\x00",
            b"\x01\x02\x00",
            b"\x01\x02\x07\x07\0\0\0\x01\0\xff",
            b"\x02\x01\x01a",
            b"\x01\x02\x04abcd",
        ] {
            assert!(loaded(bytes, ValueKind::ListQuicklist2, &limits).is_err(), "{bytes:?}");
        }
        // Nodes without elements are passed over.
        let empty = b"\x02\x02\x07\x07\0\0\0\0\0\xff\x01\x01a";
        let list = loaded(empty, ValueKind::ListQuicklist2, &limits).unwrap();
        assert_eq!((list.encoding(), list.len()), (crate::value::Encoding::Quicklist, 1));
    }
}
