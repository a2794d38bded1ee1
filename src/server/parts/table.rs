//! The command table: every row of data that has a handler, found by name.
//!
//! A command is recognised by its length and its first eight bytes, case folded, in a small open
//! table; longer names are compared in full. Rows live as long as the process.

use std::collections::HashMap;

use crate::commands::spec::{self, Spec};
use crate::commands::{DataHandler, TABLES, own};
use crate::net::session::CommandId;

/// What runs a command.
#[derive(Clone, Copy)]
pub(crate) enum Handler<F> {
    /// Sees one database, its arguments and its reply; cannot name a client or a socket.
    Data(DataHandler),
    /// Administration, transactions, subscriptions: sees the whole server.
    Server(F),
    /// Only holds subcommands.
    Container,
}

/// A command of the table: what is known of it, and what runs it.
pub(crate) struct Row<F: 'static> {
    pub id: CommandId,
    pub spec: &'static Spec,
    pub handler: Handler<F>,
    pub flags: u32,
    /// The first key is the first argument, so that its bucket can be prefetched.
    pub key_first: bool,
    /// Which argument names an element that is looked up in the first key's collection; 0: none.
    pub element: u8,
    /// It takes so little time that it need not be measured by itself, if its arguments and its
    /// reply are short.
    pub brief: bool,
    /// By name of the subcommand, in order of name.
    pub subs: Vec<&'static Row<F>>,
}

impl<F> Row<F> {
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }
    pub(crate) fn name(&self) -> &'static str {
        self.spec.name
    }
}

const SLOTS: usize = 1024;
/// A name's word and what it names.
type Slot<F> = Option<(u64, &'static Row<F>)>;

pub(crate) struct Table<F: 'static> {
    /// All rows, by number; subcommands included.
    rows: Vec<&'static Row<F>>,
    /// Commands by name (with renames), without subcommands.
    names: HashMap<Vec<u8>, &'static Row<F>>,
    fast: Box<[Slot<F>; SLOTS]>,
}

fn fold(name: &[u8]) -> u64 {
    // Two loads that may overlap. They cost less than a call that copies a few bytes.
    let word = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (name.len() - 4))
        }
        _ => name.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    // Sets the bit that tells lower case from upper in letters; other bytes of names are digits,
    // '-', '|' and '_', which no other name turns into.
    let word = word | 0x2020_2020_2020_2020;
    // The length is part of the word, so that a name differs from the same name with blanks or NULs
    // after it. In a name of eight bytes the highest bits can't be that small.
    match name.len() {
        8 => word,
        len => word & (u64::MAX >> 8) | (len as u64) << 56,
    }
}

fn slot(word: u64) -> usize {
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

fn is_brief<F>(spec: &Spec, handler: &Handler<F>) -> bool {
    let fast = spec.has(spec::FAST) && !spec.own.has(own::MAY_MOVE);
    fast && matches!(handler, Handler::Data(_))
}

impl<F: Copy> Table<F> {
    /// Builds the table. `renames`: old and new names, an empty new name removes the command.
    ///
    /// Rows are leaked: they live as long as the process. An error says which rename is wrong and
    /// why.
    pub(crate) fn build(
        server: &[&[(&'static str, F)]],
        renames: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<&'static Table<F>, (usize, String)> {
        Table::build_of(server, renames, |_| true)
    }

    /// The same, of the rows that `wanted` wants.
    pub(crate) fn build_of(
        server: &[&[(&'static str, F)]],
        renames: &[(Vec<u8>, Vec<u8>)],
        wanted: fn(&Spec) -> bool,
    ) -> Result<&'static Table<F>, (usize, String)> {
        let mut handlers: HashMap<&str, Handler<F>> = HashMap::new();
        for (name, f) in TABLES.iter().copied().flatten() {
            handlers.insert(name, Handler::Data(*f));
        }
        for (name, f) in server.iter().copied().flatten() {
            handlers.insert(name, Handler::Server(*f));
        }
        for name in handlers.keys().copied().collect::<Vec<_>>() {
            if let Some((container, _)) = name.split_once('|') {
                handlers.entry(container).or_insert(Handler::Container);
            }
        }
        let mut table = Table {
            rows: Vec::new(),
            names: HashMap::new(),
            fast: Box::new([const { None }; SLOTS]),
        };
        // Subcommands first, so that containers can hold them.
        let mut subs: HashMap<&str, Vec<&'static Row<F>>> = HashMap::new();
        for with_sub in [true, false] {
            let all = spec::all().iter().filter(|spec| wanted(spec));
            for spec in all.filter(|s| s.sub().is_some() == with_sub) {
                let Some(&handler) = handlers.get(spec.name) else { continue };
                let row: &'static Row<F> = Box::leak(Box::new(Row {
                    id: table.rows.len() as CommandId,
                    spec,
                    handler,
                    flags: spec.flags,
                    key_first: spec.legacy.0 == 1,
                    element: spec.own.element,
                    brief: is_brief(spec, &handler),
                    subs: subs.remove(spec.name).unwrap_or_default(),
                }));
                table.rows.push(row);
                match spec.container() {
                    Some(container) => subs.entry(container).or_default().push(row),
                    None => {
                        table.names.insert(spec.name.as_bytes().to_vec(), row);
                    }
                }
            }
        }
        for (i, (old, new)) in renames.iter().enumerate() {
            rename(&mut table.names, old, new).map_err(|why| (i, why.to_string()))?;
        }
        for (name, row) in &table.names {
            if name.len() <= 8 {
                let word = fold(name);
                let mut at = slot(word);
                while table.fast[at].is_some() {
                    at = (at + 1) % SLOTS;
                }
                table.fast[at] = Some((word, row));
            }
        }
        Ok(Box::leak(Box::new(table)))
    }

    /// The command called `name` in any case, without looking at subcommands.
    #[inline]
    pub(crate) fn lookup(&self, name: &[u8]) -> Option<&'static Row<F>> {
        if name.len() > 8 {
            return self.lookup_long(name);
        }
        let word = fold(name);
        let mut at = slot(word);
        while let Some((other, row)) = self.fast[at] {
            if other == word {
                return Some(row);
            }
            at = (at + 1) % SLOTS;
        }
        None
    }

    #[cold]
    fn lookup_long(&self, name: &[u8]) -> Option<&'static Row<F>> {
        if name.len() > 64 {
            return None;
        }
        self.names.get(&name.to_ascii_lowercase()).copied()
    }

    /// The subcommand of `row` called `name` in any case.
    pub(crate) fn sub(row: &Row<F>, name: &[u8]) -> Option<&'static Row<F>> {
        let is = |r: &&&'static Row<F>| {
            r.spec.sub().is_some_and(|s| s.as_bytes().eq_ignore_ascii_case(name))
        };
        row.subs.iter().find(is).copied()
    }

    pub(crate) fn by_id(&self, id: CommandId) -> &'static Row<F> {
        self.rows[usize::from(id)]
    }

    /// All rows with subcommands.
    pub(crate) fn rows(&self) -> &[&'static Row<F>] {
        &self.rows
    }

    /// Commands without subcommands, with the names they go by.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (&[u8], &'static Row<F>)> {
        self.names.iter().map(|(name, row)| (&name[..], *row))
    }

    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }
}

/// Renames a command, or removes it if the new name is empty. A wrong one changes nothing.
pub(crate) fn rename<T>(
    names: &mut HashMap<Vec<u8>, T>,
    old: &[u8],
    new: &[u8],
) -> Result<(), &'static str> {
    let (old, new) = (old.to_ascii_lowercase(), new.to_ascii_lowercase());
    if !names.contains_key(&old) {
        return Err("No such command in rename-command");
    }
    if !new.is_empty() && new != old && names.contains_key(&new) {
        return Err("Target command name already exists");
    }
    if let Some(row) = names.remove(&old)
        && !new.is_empty()
    {
        names.insert(new, row);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some commands of the server's own; what they do is of no concern here.
    type Rows = [(&'static str, fn())];
    const SERVER: &[&Rows] = &[&[("object|encoding", || ()), ("ping", || ())]];

    #[test]
    fn every_handler_has_a_row_and_names_are_found_in_any_case() {
        let table = Table::build(SERVER, &[]).expect("no renames");
        let known = |name: &str| table.rows().iter().any(|r| r.name() == name);
        let server = SERVER.iter().copied().flatten().map(|r| r.0);
        for name in TABLES.iter().copied().flatten().map(|r| r.0).chain(server) {
            assert!(known(name), "{name} has no row in table.tsv");
        }
        for (name, row) in table.commands() {
            let found = table.lookup(&name.to_ascii_uppercase()).expect("itself");
            assert_eq!(found.id, row.id);
        }
        for none in [&b"getx"[..], b"", b"get ", b"get\0", b"get\0\0\0\0\0", b" get", b"hgetall "] {
            assert!(table.lookup(none).is_none(), "{none:?}");
        }
        let object = table.lookup(b"object").expect("OBJECT");
        assert!(Table::sub(object, b"Encoding").is_some());
    }

    #[test]
    fn renames_move_and_remove() {
        let rename = |a: &str, b: &str| (a.as_bytes().to_vec(), b.as_bytes().to_vec());
        let t = Table::build(SERVER, &[rename("GET", "fetch"), rename("keys", "")]).expect("legal");
        assert!(t.lookup(b"get").is_none() && t.lookup(b"FETCH").is_some());
        assert!(t.lookup(b"keys").is_none());
        assert!(Table::build(SERVER, &[rename("nope", "x")]).is_err());
        assert!(Table::build(SERVER, &[rename("get", "set")]).is_err());
    }
}
