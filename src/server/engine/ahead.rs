//! Fetches what a batch of commands will look up, so that the cache misses of sixteen overlap.
//!
//! ```text
//! keys: hash, bucket -> entry        elements of large collections: hash, bucket -> element
//! ```
//! In a pipeline about one key the key is hashed once. A command may change what others were looked
//! ahead for. Then a line was fetched in vain, but nothing is wrong: the fetch is only a hint.

use crate::keyspace::store::{Key, Store};
use crate::net::clients::ClientId;
use crate::resp::parser::{Batch, Cmd};
use crate::server::parts::Row;
use crate::server::parts::Server;
use crate::util::bytes::same;
use crate::value::ValueRef;
use crate::value::elements::Elements;

/// Commands that are looked ahead for together.
pub(crate) const PREFETCH: usize = 16;

/// A command looked at before it runs: its row, and its first key with the hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ahead<'a> {
    pub row: Option<&'static Row>,
    pub key: Option<Key<'a>>,
    /// The element that it looks up.
    element: Option<&'a [u8]>,
}

/// Looks at the commands of a group and fetches what they will look up.
#[inline]
pub(crate) fn look<'a>(
    srv: &Server,
    id: ClientId,
    batch: &Batch<'a>,
    group: &[Cmd],
    ahead: &mut [Ahead<'a>; PREFETCH],
) {
    let db = srv.clients.session(id).map_or(0, |s| s.db as usize);
    let store = srv.ks.db(db);
    let mut latest: Option<Key<'a>> = None;
    let mut called: (&[u8], Option<&'static Row>) = (&[], None);
    let mut elements = false;
    for (cmd, slot) in group.iter().zip(ahead.iter_mut()) {
        *slot = Ahead::default();
        let args = batch.args_of(cmd);
        let Some(name) = args.first() else { continue };
        if !same(name, called.0) {
            called = (name, srv.table.lookup(name));
        }
        slot.row = called.1;
        if let (Some(row), Some(&bytes)) = (slot.row, args.get(1))
            && row.key_first
        {
            let key = match latest {
                Some(latest) if same(latest.bytes, bytes) => Key { bytes, hash: latest.hash },
                _ => {
                    let key = store.key(bytes);
                    store.prefetch_bucket(key.hash);
                    key
                }
            };
            latest = Some(key);
            slot.key = Some(key);
            if row.element > 0
                && let Some(&element) = args.get(usize::from(row.element))
            {
                slot.element = Some(element);
                elements = true;
            }
        }
    }
    if group.len() > 1 {
        let ahead = &ahead[..group.len()];
        for key in ahead.iter().filter_map(|a| a.key) {
            store.prefetch_item(key.hash);
        }
        if elements {
            look_into_collections(store, ahead);
        }
    }
}

/// Fetches the elements that commands name, where they are in tables.
fn look_into_collections(store: &Store, ahead: &[Ahead<'_>]) {
    let mut found: [Option<(Elements<'_>, u64)>; PREFETCH] = [None; PREFETCH];
    let mut latest: Option<(&[u8], Option<Elements<'_>>)> = None;
    for (ahead, slot) in ahead.iter().zip(&mut found) {
        let (Some(key), Some(element)) = (ahead.key, ahead.element) else { continue };
        let table = match latest {
            Some((bytes, table)) if bytes == key.bytes => table,
            _ => match store.find(key).map(|entry| entry.value()) {
                Some(ValueRef::Object(object)) => Elements::of(object),
                _ => None,
            },
        };
        latest = Some((key.bytes, table));
        if let Some(table) = table {
            let hash = table.hash(element);
            table.prefetch_bucket(hash);
            *slot = Some((table, hash));
        }
    }
    for (table, hash) in found.iter().flatten() {
        table.prefetch_item(*hash);
    }
}
