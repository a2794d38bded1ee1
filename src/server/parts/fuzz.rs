//! What fuzzing calls of the parts.

use super::script::{Bounds, Scripting};
use crate::commands::stream::delayed;
use crate::commands::{self, Ctx, spec};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::Effects;
use crate::keyspace::env::{Env, Expiry, Origin};
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::limits::Limits;
use crate::keyspace::store::Store;
use crate::persist::dump::{self, dump_libraries, restore_libraries, seal_libraries};
use crate::resp::argv::Argv;
use crate::resp::reply::Reply;
use crate::value::stream::Stream;
use crate::value::{Collection, ObjectRef, Type, Value, ValueRef};

/// What an interpreter of libraries may take, and so much more for each byte of the input.
const BYTES: usize = 1 << 20;
const BYTES_PER_BYTE: usize = 1 << 10;

/// Restores libraries from a payload, as it is and with a sound footer. They are restored whole or
/// not at all, and what is there afterwards can be dumped and restored again.
pub fn libraries(data: &[u8]) {
    let bounds = Bounds { hurry: true, memory: BYTES + BYTES_PER_BYTE * data.len() };
    for payload in [data.to_vec(), seal_libraries(data.to_vec())] {
        let Ok(codes) = restore_libraries(&payload) else { continue };
        let mut scripting = Scripting::default();
        for (replace, flush) in [(false, false), (true, false), (false, true)] {
            let before = scripting.texts().len();
            let done = scripting.restore(&codes, replace, flush, bounds);
            let after = scripting.texts();
            assert_eq!(after.len(), if done.is_ok() { codes.len() } else { before });
            if done.is_ok() {
                let payload = dump_libraries(after.iter().map(|library| &library.code[..]));
                let again = restore_libraries(&payload).expect("our own payload");
                // Its code may have used up its time or its memory.
                if let Ok(()) = Scripting::default().restore(&again, false, false, bounds) {
                    assert_eq!(again.len(), codes.len());
                }
            }
        }
    }
}

/// Restores a stream from a payload and runs commands on it. `data` has the commands, a line each,
/// then a line of two dashes, then type and value of the payload. Whatever is restored and whatever
/// is done to it, what is there afterwards can be dumped and restored to the same.
pub fn streams(data: &[u8]) {
    const MARK: &[u8] = b"\n--\n";
    let Some(at) = data.windows(MARK.len()).position(|at| at == MARK) else { return };
    let (lines, body) = (&data[..at], &data[at + MARK.len()..]);
    let limits = Limits::default();
    // The version is one that has all types; the checksum is not looked at.
    let payload = [body, &[14, 0], &[0; 8]].concat();
    let Ok(value) = dump::restore(&payload, false, &limits) else { return };
    let mut store = Store::new(limits.seed, 0);
    let key = store.key(b"s");
    if value.value_type() != Type::Stream {
        return;
    }
    store.put(key, value, None, 0);
    same_again(&store, &limits);
    for (i, line) in lines.split(|byte| *byte == b'\n').take(64).enumerate() {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        run(&mut store, &limits, Argv::new(&words), i as i64);
    }
    same_again(&store, &limits);
}

/// Runs a command about streams, if it is one. At APPEAR, what waits and is due appears.
fn run(store: &mut Store, limits: &Limits, argv: Argv<'_>, at: i64) {
    let mut name = argv.at(0).to_ascii_lowercase();
    if matches!(&name[..], b"xgroup" | b"xinfo") && argv.len() > 1 {
        name.push(b'|');
        name.extend_from_slice(&argv.at(1).to_ascii_lowercase());
    }
    let env = Env {
        now_ms: 1_900_000_000_000 + at * 100,
        lru_clock: 0,
        db: 0,
        origin: Origin::Client,
        expiry: if at % 3 == 2 { Expiry::Ignore } else { Expiry::Delete },
        deny_blocking: true,
        touch: false,
        lfu: None,
        random: 1,
    };
    let mut reply = Reply::new(Vec::new(), at % 2 == 1);
    let mut fx = Effects::new(u8::MAX, 0);
    let db = DbMut::new(store, &env, None, Lazyfree::default());
    let mut ctx = Ctx { db, argv, reply: &mut reply, fx: &mut fx, limits, env: &env };
    if name == b"appear" {
        delayed::appear(&mut ctx, b"s", 9);
        return store.check();
    }
    let rows = commands::TABLES.iter().flat_map(|table| table.iter());
    let Some(row) = rows.into_iter().find(|row| row.0.starts_with('x') && row.0.as_bytes() == name)
    else {
        return;
    };
    let spec = spec::all().iter().find(|spec| spec.name == row.0);
    if spec.is_none_or(|spec| !spec.arity_ok(argv.len())) {
        return;
    }
    let _ = (row.1)(&mut ctx);
    store.check();
}

/// Each stream can be dumped and restored to the same.
fn same_again(store: &Store, limits: &Limits) {
    for entry in store.iter().filter(|entry| entry.value_type() == Type::Stream) {
        let payload = dump::dump(entry, 0, true);
        let again = dump::restore(&payload, true, limits).expect("our own payload");
        let (Value::Object(again), ValueRef::Object(ObjectRef::Stream(stream))) =
            (&again, entry.value())
        else {
            panic!("a stream");
        };
        let Some(again) = Stream::of(again.view()) else { panic!("a stream") };
        // The limits of groups are not in it.
        let mut plain = stream.clone();
        plain.groups.values_mut().for_each(|group| group.limit = None);
        assert!(plain == *again, "a stream comes back as another one");
    }
}
