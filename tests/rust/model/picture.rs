//! What a server holds, key by key, so that two servers can be compared and the difference named.

use std::collections::BTreeMap;

use super::client::Gone;
use super::side::{Command, Side, words};

/// A key: its database, and its name.
pub(super) type Name = (usize, Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub kind: String,
    pub encoding: String,
    pub digest: String,
    /// When it expires, or -1.
    pub expires: i64,
    /// When its fields expire; empty where none does.
    pub fields: Vec<(Vec<u8>, i64)>,
    /// What is pending in the groups of a stream: group, entry and consumer.
    pub pending: Vec<[String; 3]>,
}

pub(super) struct Picture {
    pub digest: String,
    /// Keys of each database as DBSIZE counts them.
    pub sizes: Vec<i64>,
    pub keys: BTreeMap<Name, Key>,
    /// What INFO keytypes says; empty of another server.
    pub types: String,
}

impl Picture {
    /// How the counts of keys by type differ from the keys, if they do.
    pub(super) fn miscounted(&self) -> Option<String> {
        let kinds = ["string", "list", "set", "zset", "hash", "stream"];
        let mut want = String::from("# Keytypes\r\n");
        for db in 0..self.sizes.len() {
            let of = |kind: &str| {
                self.keys.iter().filter(|((n, _), key)| *n == db && key.kind == kind).count()
            };
            let counts: Vec<String> =
                kinds.iter().map(|kind| format!("{kind}={}", of(kind))).collect();
            if kinds.iter().any(|kind| of(kind) > 0) {
                want += &format!("db{db}_types:{}\r\n", counts.join(","));
            }
        }
        (want != self.types).then(|| format!("{:?}\n    and keys of {want:?}", self.types))
    }
}

/// Looks at everything. `fields`: whether the server knows times of fields.
pub(super) fn take(side: &mut Side, fields: bool) -> Result<Picture, Gone> {
    let (mut sizes, mut keys) = (Vec::new(), BTreeMap::new());
    let digest = side.admin.words("DEBUG DIGEST")?.text();
    for db in 0..4 {
        let select = words(&format!("SELECT {db}"));
        let replies = side.ask_all(&[select, words("DBSIZE"), words("KEYS *")])?;
        sizes.push(replies[1].number().unwrap_or(-1));
        let names: Vec<&[u8]> = replies[2].members().iter().map(|name| name.bytes()).collect();
        let mut commands = Vec::new();
        for name in &names {
            commands.push(with_key("TYPE", name));
            commands.push(with_key("OBJECT ENCODING", name));
            commands.push(with_key("DEBUG DIGEST-VALUE", name));
            commands.push(with_key("PEXPIRETIME", name));
            commands.push(with_key("HKEYS", name));
        }
        let facts = side.ask_all(&commands)?;
        for (name, facts) in names.iter().zip(facts.chunks(5)) {
            let key = Key {
                kind: facts[0].text(),
                encoding: facts[1].text(),
                digest: facts[2].members().iter().map(|d| d.text()).collect(),
                expires: facts[3].number().unwrap_or(i64::MIN),
                fields: match facts[4].members() {
                    all if fields && !all.is_empty() => {
                        let all: Vec<&[u8]> = all.iter().map(|field| field.bytes()).collect();
                        field_times(side, name, &all)?
                    }
                    _ => Vec::new(),
                },
                pending: match facts[0].text().as_str() {
                    "stream" => pending(side, name)?,
                    _ => Vec::new(),
                },
            };
            keys.insert((db, name.to_vec()), key);
        }
    }
    side.admin.words("SELECT 0")?;
    let types = side.admin.words("INFO keytypes")?.text();
    Ok(Picture { digest, sizes, keys, types })
}

fn field_times(side: &mut Side, key: &[u8], fields: &[&[u8]]) -> Result<Vec<(Vec<u8>, i64)>, Gone> {
    let mut command = with_key("HPEXPIRETIME", key);
    command.extend([b"FIELDS".to_vec(), fields.len().to_string().into_bytes()]);
    command.extend(fields.iter().map(|field| field.to_vec()));
    let times = side.admin.ask(&command)?;
    let times = times.members().iter().map(|time| time.number().unwrap_or(i64::MIN));
    let mut all: Vec<(Vec<u8>, i64)> = fields
        .iter()
        .map(|field| field.to_vec())
        .zip(times)
        .filter(|(_, time)| *time >= 0)
        .collect();
    all.sort();
    Ok(all)
}

fn pending(side: &mut Side, key: &[u8]) -> Result<Vec<[String; 3]>, Gone> {
    let groups = side.admin.ask(&with_key("XINFO GROUPS", key))?;
    let mut all = Vec::new();
    for group in groups.members() {
        let name = &group.members()[1];
        let mut command = with_key("XPENDING", key);
        command.push(name.bytes().to_vec());
        command.extend(words("- + 1000"));
        for entry in side.admin.ask(&command)?.members() {
            let [id, consumer, ..] = entry.members() else { continue };
            all.push([name.text(), id.text(), consumer.text()]);
        }
    }
    Ok(all)
}

fn with_key(start: &str, key: &[u8]) -> Command {
    let mut command = words(start);
    command.push(key.to_vec());
    command
}

/// The first difference, by the given comparison of two keys of one name.
pub(super) fn difference(
    ours: &Picture,
    theirs: &Picture,
    same: impl Fn(&Key, &Key) -> bool,
) -> Option<String> {
    let names = ours.keys.keys().chain(theirs.keys.keys());
    let differing = |name: &&Name| match (ours.keys.get(name), theirs.keys.get(name)) {
        (Some(a), Some(b)) => !same(a, b),
        _ => true,
    };
    let mut list: Vec<&Name> = names.filter(differing).collect();
    list.sort();
    list.dedup();
    let lines: Vec<String> = list
        .iter()
        .map(|(db, name)| {
            let name = (*db, name.clone());
            let (a, b) = (ours.keys.get(&name), theirs.keys.get(&name));
            format!("  db {db} key {}: {a:?}\n    and {b:?}", name.1.escape_ascii())
        })
        .collect();
    if !lines.is_empty() {
        return Some(format!("keys differ:\n{}", lines.join("\n")));
    }
    if ours.sizes != theirs.sizes {
        return Some(format!("DBSIZE differs: {:?} and {:?}", ours.sizes, theirs.sizes));
    }
    (ours.digest != theirs.digest)
        .then(|| format!("DEBUG DIGEST differs: {} and {}", ours.digest, theirs.digest))
}
