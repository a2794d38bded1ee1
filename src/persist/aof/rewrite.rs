//! A base file in the form of commands: what would make the keyspace from nothing.
//!
//! ```text
//! SELECT 0    SET k v    RPUSH l a b ..    PEXPIREAT k 1700000000000    SELECT 3 ..
//! ```
//! Elements go in portions of `PORTION`, so that no command gets long. Times are absolute. Keys
//! past their time are written as well: what comes in later files may be about them.

mod stream;

use crate::ds::listpack::Item;
use crate::ds::pack::End;
use crate::keyspace::Keyspace;
use crate::keyspace::entry::Entry;
use crate::persist::rdb::save::{SaveOptions, Summary, sleep_after_key};
use crate::util::num::{MAX_I64_CHARS, format_i64, write_f64_17g};
use crate::value::{ObjectRef, ValueRef, View};
use std::io::{self, BufWriter, Write};

/// Elements in one command.
const PORTION: usize = 64;
/// Bytes between two writes.
const BUFFER: usize = 256 << 10;
/// Keys between two reports of progress.
const REPORT_KEYS: u64 = 1024;

/// Counts what goes through it.
struct Out<W: Write> {
    to: BufWriter<W>,
    bytes: u64,
}

impl<W: Write> Out<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    fn header(&mut self, mark: u8, n: usize) -> io::Result<()> {
        let mut digits = [0; MAX_I64_CHARS];
        let len = format_i64(&mut digits, n as i64);
        self.put(&[mark])?;
        self.put(&digits[..len])?;
        self.put(b"\r\n")
    }

    fn arg(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.header(b'$', bytes.len())?;
        self.put(bytes)?;
        self.put(b"\r\n")
    }

    fn int(&mut self, n: i64) -> io::Result<()> {
        let mut digits = [0; MAX_I64_CHARS];
        let len = format_i64(&mut digits, n);
        self.arg(&digits[..len])
    }

    fn item(&mut self, item: Item<'_>) -> io::Result<()> {
        match item {
            Item::Int(n) => self.int(n),
            Item::Str(text) => self.arg(text),
        }
    }

    fn command(&mut self, args: &[&[u8]]) -> io::Result<()> {
        self.header(b'*', args.len())?;
        args.iter().try_for_each(|arg| self.arg(arg))
    }
}

/// Elements of one key, on their way into commands of at most `PORTION` of them.
struct Portions<'a> {
    name: &'a [u8],
    key: &'a [u8],
    /// Elements that no command has room for yet, and what room the open one has.
    left: usize,
    room: usize,
    /// Arguments that an element takes.
    width: usize,
}

impl<'a> Portions<'a> {
    fn new(name: &'a [u8], key: &'a [u8], elements: usize, width: usize) -> Portions<'a> {
        Portions { name, key, left: elements, room: 0, width }
    }

    /// An element follows: the beginning of a command, if it needs one.
    fn element<W: Write>(&mut self, out: &mut Out<W>) -> io::Result<()> {
        if self.room == 0 {
            self.room = self.left.min(PORTION);
            self.left -= self.room;
            out.header(b'*', 2 + self.room * self.width)?;
            out.arg(self.name)?;
            out.arg(self.key)?;
        }
        self.room -= 1;
        Ok(())
    }
}

/// Writes the keyspace as commands; with `stamp`, the time before them. `on_keys` is told now and
/// then how many keys are done.
pub(crate) fn commands(
    ks: &Keyspace,
    to: impl Write,
    opts: &SaveOptions,
    stamp: bool,
    on_keys: &mut dyn FnMut(u64),
) -> io::Result<Summary> {
    let mut out = Out { to: BufWriter::with_capacity(BUFFER, to), bytes: 0 };
    if stamp {
        out.put(format!("#TS:{}\r\n", opts.now_secs).as_bytes())?;
    }
    for library in &opts.libraries {
        out.command(&[b"FUNCTION", b"LOAD", &library.code])?;
    }
    let mut keys = 0;
    for (number, db) in ks.iter().filter(|(_, db)| !db.is_empty()) {
        out.command(&[b"SELECT", number.to_string().as_bytes()])?;
        for entry in db.iter() {
            key(&mut out, entry)?;
            keys += 1;
            if keys % REPORT_KEYS == 0 {
                on_keys(keys);
            }
            if opts.key_delay_us != 0 {
                sleep_after_key(opts.key_delay_us, keys);
            }
        }
    }
    out.to.flush()?;
    Ok(Summary { keys, bytes: out.bytes })
}

fn key<W: Write>(out: &mut Out<W>, entry: &Entry) -> io::Result<()> {
    let key = entry.key();
    match entry.value() {
        ValueRef::Int(n) => {
            out.header(b'*', 3)?;
            out.arg(b"SET")?;
            out.arg(key)?;
            out.int(n)?;
        }
        ValueRef::Str(bytes) => out.command(&[b"SET", key, bytes])?,
        ValueRef::Object(object) => self::object(out, key, object)?,
    }
    match entry.expire_ms() {
        None => Ok(()),
        Some(at) => out.command(&[b"PEXPIREAT", key, at.to_string().as_bytes()]),
    }
}

fn object<W: Write>(out: &mut Out<W>, key: &[u8], object: ObjectRef<'_>) -> io::Result<()> {
    match object {
        ObjectRef::List(list) => {
            let mut portions = Portions::new(b"RPUSH", key, list.len(), 1);
            let mut result = Ok(());
            list.walk(0, End::Front, &mut |item| {
                result = portions.element(out).and_then(|()| out.item(item));
                result.is_ok()
            });
            result
        }
        ObjectRef::Set(set) => {
            let mut portions = Portions::new(b"SADD", key, set.len(), 1);
            set.iter().try_for_each(|member| {
                portions.element(out)?;
                out.item(member)
            })
        }
        ObjectRef::ZSet(zset) => {
            let mut portions = Portions::new(b"ZADD", key, zset.len(), 2);
            let mut text = Vec::new();
            let mut result = Ok(());
            zset.each(|member, score| {
                if result.is_ok() {
                    text.clear();
                    write_f64_17g(&mut text, score);
                    result = portions
                        .element(out)
                        .and_then(|()| out.arg(&text))
                        .and_then(|()| out.item(member));
                }
            });
            result
        }
        ObjectRef::Hash(hash) => {
            let mut portions = Portions::new(b"HMSET", key, hash.len(), 2);
            for pair in hash.iter() {
                portions.element(out)?;
                out.item(pair.field)?;
                out.item(pair.value)?;
            }
            for pair in hash.iter() {
                let Some(at) = pair.expire else { continue };
                out.header(b'*', 6)?;
                out.arg(b"HPEXPIREAT")?;
                out.arg(key)?;
                out.int(at)?;
                out.arg(b"FIELDS")?;
                out.arg(b"1")?;
                out.item(pair.field)?;
            }
            Ok(())
        }
        ObjectRef::Stream(stream) => stream::commands(out, key, stream),
    }
}
