//! DEBUG: hooks for tests and for looking inside.

mod allocator;
mod lists;
mod reload;
mod stream;

use crate::commands::{CmdResult, Flow, arg};
use crate::config::rewrite::rewrite_file;
use crate::ds::dict::Stats;
use crate::keyspace::entry::Entry;
use crate::keyspace::store::{Expire, SetValue};
use crate::net::usage::ReplyRules;
use crate::persist::dump;
use crate::repl::history::History;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::admin::help;
use crate::server::jobs::settings;
use crate::server::jobs::{restart, save};
use crate::server::parts::ServerRow;
use crate::server::parts::identity::random_id;
use crate::server::parts::{Call, Server};
use crate::sys::signals;
use crate::util::{digest, glob, rand};
use crate::value::{ObjectRef, ValueRef, View};

pub(crate) const COMMANDS: &[ServerRow] = &[("debug", debug)];

/// `DEBUG subcommand ...`. Joins: whatever the subcommand is about.
fn debug(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let sub = arg::lower(argv.at(1));
    match (sub.as_slice(), argv.len()) {
        (b"help", 2) => help::write(call.reply, "DEBUG", help::DEBUG),
        (b"sleep", 3) => {
            let seconds = crate::util::num::parse_f64(argv[2]).unwrap_or(0.0);
            std::thread::sleep(std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e6)));
            call.reply.ok();
        }
        (b"set-active-expire", 3) => {
            srv.expiry.enabled = flag(argv[2]);
            crate::server::jobs::expire::schedule(srv);
            call.reply.ok();
        }
        (b"stream", 3) => stream::debug_stream(srv, call.reply, argv.at(2))?,
        (b"replybuffer", 4) => {
            reply_rules(&mut srv.debug.reply_rules, argv)?;
            call.reply.ok();
        }
        (b"pause-cron", 3) => {
            srv.debug.pause_cron = flag(argv[2]);
            call.reply.ok();
        }
        (b"set-skip-checksum-validation", 3) => {
            srv.debug.verify_checksum = !flag(argv[2]);
            settings::adopt(srv);
            call.reply.ok();
        }
        (b"config-rewrite-force-all", 2) => {
            let failed =
                |why: String| CmdError::err(format!("CONFIG-REWRITE-FORCE-ALL failed: {why}"));
            let path = srv.identity.config_file.as_ref();
            // Compat: what the system says to redis-server of a path that is none.
            let path = path.ok_or_else(|| failed("Bad address".to_string()))?;
            rewrite_file(path, &srv.cfg, true).map_err(failed)?;
            call.reply.ok();
        }
        (b"set-disable-deny-scripts", 3) => {
            srv.debug.scripts_call_all = flag(argv[2]);
            call.reply.ok();
        }
        (b"dict-resizing", 3) => {
            use crate::ds::dict::{self, Resize};
            let policy = if flag(argv[2]) { Resize::Allow } else { Resize::Avoid };
            dict::set_resize(policy);
            call.reply.ok();
        }
        (b"log", 3) => {
            crate::log!(Warning, "DEBUG LOG: {}", String::from_utf8_lossy(argv[2]));
            call.reply.ok();
        }
        (b"digest", 2) => call.reply.status(digest::hex(&dataset(srv))),
        (b"digest-value", n) if n >= 2 => {
            call.reply.array(argv.len() - 2);
            for key in argv.from(2) {
                let store = srv.ks.db(call.env.db as usize);
                let sum = store.find(store.key(key)).map_or([0; 20], |e| value_digest(e, [0; 20]));
                call.reply.status(digest::hex(&sum));
            }
        }
        (b"object", 3) => object(srv, call)?,
        (b"object", 4) if arg::is(argv[3], "fast") => object(srv, call)?,
        (b"listpack", 3) => return lists::print_listpack(srv, call),
        (b"quicklist", 3..=4) => return lists::print_quicklist(srv, call),
        (b"quicklist-packed-threshold", 3) => return lists::packed_threshold(srv, call),
        (b"sdslen", 3) => sdslen(srv, call)?,
        (b"populate", 3..=5) => populate(srv, call)?,
        (b"reload", _) => reload::snapshot(srv, call)?,
        (b"loadaof", 2) => reload::append_only_files(srv, call)?,
        (b"aof-flush-sleep", 3) => {
            let us = arg::int(call.argv.at(2))?;
            srv.aof.flush_sleep_us = us.max(0) as u64;
            call.reply.ok();
        }
        (b"protocol", 3) => protocol(srv, call, argv[2])?,
        (b"htstats", 3..) => htstats(srv, call)?,
        (b"htstats-key", 3..) => htstats_key(srv, call)?,
        (b"stringmatch-len", 4) => {
            let hit = glob::matches(argv[2], argv[3], false);
            call.reply.int(i64::from(hit));
        }
        (b"structsize", 2) => {
            call.reply.status(format!(
                "bits:64 entry:{} value:{} store:{}",
                size_of::<crate::keyspace::entry::EntryBox>(),
                size_of::<crate::value::Value>(),
                size_of::<crate::keyspace::store::Store>()
            ));
        }
        (b"stringmatch-test", 2) => {
            stringmatch_test(call.env.random);
            call.reply.status("Apparently Redis did not crash: test passed");
        }
        (b"mallctl", 3..) => allocator::number(call)?,
        (b"mallctl-str", 3..) => allocator::text(call)?,
        (b"change-repl-id", 2) => {
            crate::log!(Notice, "Changing replication IDs after receiving DEBUG change-repl-id");
            srv.repl.history = History::new(random_id());
            call.reply.ok();
        }
        (b"replicate", 3..) => {
            let words: Vec<&[u8]> = call.argv.from(2).to_vec();
            srv.stream.add_for_link(&words);
            call.reply.ok();
        }
        (b"client-eviction", 2) => client_eviction(srv, call.reply)?,
        // It is a reply for tests of clients, and no error of the server: no figure counts it.
        (b"error", 3) => call.reply.error(&CmdError::bare(argv[2])),
        (b"segfault", 2) => signals::segfault(),
        (b"panic", 2) => panic!("called by DEBUG PANIC"),
        (b"assert", 2) => assert!(argv.is_empty(), "called by DEBUG ASSERT"),
        (b"oom", 2) => {
            let _ = std::hint::black_box(Vec::<u8>::with_capacity(isize::MAX as usize));
        }
        (b"leak", 3) => {
            std::mem::forget(argv[2].to_vec());
            call.reply.ok();
        }
        (b"restart", _) => restart(srv, call, true)?,
        (b"crash-and-recover", _) => restart(srv, call, false)?,
        _ => return Err(errors::unknown_subcommand("debug", argv[1])),
    }
    Ok(Flow::Done)
}

/// `DEBUG RESTART|CRASH-AND-RECOVER [milliseconds]`. No reply on success: connections end.
fn restart(srv: &mut Server, call: &Call<'_>, graceful: bool) -> Result<(), CmdError> {
    let delay_ms = call.argv.get(2).map_or(Ok(0), |text| arg::int(text))?;
    restart::ask(srv, graceful, u64::try_from(delay_ms).unwrap_or(0))
        .map_err(|()| CmdError::new("ERR failed to restart the server. Check server logs."))
}

/// `DEBUG REPLYBUFFER PEAK-RESET-TIME ms|NEVER|RESET` and `RESIZING 0|1`.
fn reply_rules(rules: &mut ReplyRules, argv: Argv<'_>) -> Result<(), CmdError> {
    let (what, value) = (argv[2], argv[3]);
    if arg::is(what, "peak-reset-time") {
        rules.peak_reset_ms = if arg::is(value, "never") {
            None
        } else if arg::is(value, "reset") {
            Some(ReplyRules::PEAK_RESET_MS)
        } else {
            Some(arg::int(value)?).filter(|ms| *ms >= 0)
        };
    } else if arg::is(what, "resizing") {
        rules.resize = flag(value);
    } else {
        return Err(errors::unknown_subcommand("debug", argv[1]));
    }
    Ok(())
}

/// A switch. Compat: as C's atoi reads a number, so that a word means off.
fn flag(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let number = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    number.iter().take_while(|c| c.is_ascii_digit()).any(|c| *c != b'0')
}

/// Hash of all databases; equal datasets have equal ones, whatever the order of insertion.
fn dataset(srv: &Server) -> [u8; 20] {
    let mut whole = [0; 20];
    for (n, store) in srv.ks.iter().filter(|(_, s)| !s.is_empty()) {
        digest::mix(&mut whole, &(n as u32).to_be_bytes());
        for entry in store.iter() {
            let mut sum = [0; 20];
            digest::mix(&mut sum, entry.key());
            let value = value_digest(entry, sum);
            digest::xor(&mut whole, &value);
        }
    }
    whole
}

/// Continues a hash with a value and whether it expires, independent of its encoding. The dataset's
/// hash starts with the key, DIGEST-VALUE with nothing.
fn value_digest(entry: &Entry, mut sum: [u8; 20]) -> [u8; 20] {
    digest::mix(&mut sum, &(entry.value_type().number() as u32).to_be_bytes());
    match entry.value() {
        ValueRef::Object(object) => object.digest(&mut sum),
        _ => digest::mix(&mut sum, crate::commands::string::value_bytes(entry, &mut [0; 20])),
    }
    if entry.expire_ms().is_some() {
        digest::xor(&mut sum, b"!!expire!!");
    }
    sum
}

fn object(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    let store = srv.ks.db(call.env.db as usize);
    let entry = store.find(store.key(call.argv[2])).ok_or(errors::NO_SUCH_KEY)?;
    let idle = crate::commands::keys_info::idle_seconds(entry.lru(), call.env.lru_clock);
    call.reply.status(format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
        entry,
        entry.encoding().name(),
        dump::dump(entry, save::target_version(&srv.cfg), srv.cfg.snapshot.compression)
            .len()
            .saturating_sub(11),
        entry.lru(),
        idle,
        lists::figures(entry)
    ));
    Ok(())
}

fn sdslen(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    let store = srv.ks.db(call.env.db as usize);
    let entry = store.find(store.key(call.argv[2])).ok_or(errors::NO_SUCH_KEY)?;
    if !["raw", "embstr"].contains(&entry.encoding().name()) {
        return Err(CmdError::new("ERR Not an sds encoded string."));
    }
    let len = crate::commands::string::value_bytes(entry, &mut [0; 20]).len();
    call.reply.status(format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {}, val_sds_len:{len}, val_sds_avail:0, \
         val_zmalloc: {}",
        entry.key().len(),
        entry.key().len(),
        entry.mem_bytes(1).saturating_sub(entry.key().len())
    ));
    Ok(())
}

/// Makes keys `prefix:i` with values `value:i`; existing ones stay. O(count).
fn populate(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    let argv = call.argv;
    let count = arg::int_in(argv[2], 0, i64::MAX, "value is out of range, must be positive")?;
    let prefix = argv.get(3).copied().unwrap_or(b"key");
    let size = match argv.get(4) {
        Some(text) => {
            let positive = "value is out of range, must be positive";
            Some(arg::int_in(text, 0, 1 << 40, positive)? as usize)
        }
        None => None,
    };
    let access = call.env.fresh_access();
    let store = srv.ks.db_mut(call.env.db as usize);
    store.reserve(usize::try_from(count).unwrap_or(0).min(1 << 28));
    for i in 0..count {
        let key = [prefix, format!(":{i}").as_bytes()].concat();
        let key = store.key(&key);
        if store.find(key).is_some() {
            continue;
        }
        let mut value = format!("value:{i}").into_bytes();
        if let Some(size) = size {
            value.resize(size, 0);
        }
        store.set(key, SetValue::Bytes(&value), Expire::None, access);
        call.fx.touched(key.bytes);
    }
    call.reply.ok();
    Ok(())
}

fn protocol(srv: &mut Server, call: &mut Call<'_>, kind: &[u8]) -> Result<(), CmdError> {
    let reply = &mut *call.reply;
    match arg::lower(kind).as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        #[expect(clippy::approx_constant, reason = "clients expect this number, not pi")]
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.int(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.int(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => {
            if reply.resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            // An attribute comes before the reply that every client gets.
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !reply.resp3() {
                return Err(CmdError::new("ERR RESP2 is not supported by this command"));
            }
            // A push is not the reply. It waits until the reply is written.
            let mut push = Reply::new(Vec::new(), true);
            push.push(2);
            push.bulk(b"server-cpu-usage");
            push.int(42);
            srv.clients.push(call.client, push.buf());
            reply.bulk(b"Some real reply following the push reply");
        }
        b"bignum" => reply.bignum("1234567999999999999999999999999999999"),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(CmdError::new(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// Matches random texts against random patterns, to show that this ends for any of them. O(1), some
/// hundred milliseconds.
fn stringmatch_test(seed: u64) {
    const TIMES: usize = 1_000_000;
    // Any byte may come, but mostly those that mean something in a pattern, so that they meet.
    const SIGNS: &[u8] = b"*?[]^-\\abcd\0";
    let mut next = rand::generator(seed);
    let mut text = |max: u64| -> Vec<u8> {
        let len = next() % max;
        let byte = |word: u64| match word % 16 {
            n if (n as usize) < SIGNS.len() => SIGNS[n as usize],
            _ => (word >> 8) as u8,
        };
        (0..len).map(|_| byte(next())).collect()
    };
    for i in 0..TIMES {
        std::hint::black_box(glob::matches(&text(32), &text(32), i % 2 == 0));
    }
}

/// Clients by size, as they are filed for `maxmemory-clients`.
fn client_eviction(srv: &Server, reply: &mut Reply) -> Result<(), CmdError> {
    let filed = srv.clients.tally.filed();
    let filed = filed.ok_or(CmdError::new("ERR maxmemory-clients is disabled."))?;
    let mut text = String::new();
    for bucket in filed {
        let sizes = match bucket.below {
            Some(below) => format!("{:>10} - {:>10}: ", bucket.from, below - 1),
            None => format!("{:>10}+            : ", bucket.from),
        };
        let bytes = |id| srv.clients.get(id).map_or(0, |c| c.memory());
        let total: usize = bucket.clients.iter().copied().map(bytes).sum();
        text += &format!("bucket {sizes}tot-mem: {total:>10}, clients: {}\n", bucket.clients.len());
    }
    reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Figures of a database's table. Ours has no second table, but the words are those that tools look
/// for.
fn htstats(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    let n = arg::int(call.argv[2])?;
    let n = usize::try_from(n).ok().filter(|&n| n < srv.ks.databases());
    let n = n.ok_or(CmdError::new("ERR Out of range database"))?;
    let store = srv.ks.db(n);
    let full = call.argv.get(3).is_some_and(|word| arg::is(word, "full"));
    let mut text = "[Dictionary HT]\n".to_string();
    describe_table(&mut text, &store.stats(), full);
    text += "[Expires HT]\n";
    match store.expires() {
        0 => text += NO_TABLE,
        // The times are in a wheel, which has elements but is no table.
        n => text += &format!("{MAIN_TABLE} number of elements: {n}\n"),
    }
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

const MAIN_TABLE: &str = "Hash table 0 stats (main hash table):\n";
const NO_TABLE: &str =
    "Hash table 0 stats (main hash table):\nNo stats available for empty dictionaries\n";

/// The shape of a table in Redis's words. There never is a second table, since the table grows by a
/// bucket at a time. A chain is all that is in one bucket.
fn describe_table(text: &mut String, stats: &Stats, full: bool) {
    if stats.items == 0 {
        return text.push_str(NO_TABLE);
    }
    *text += MAIN_TABLE;
    *text += &format!(" table size: {}\n number of elements: {}\n", stats.size, stats.items);
    if !full {
        return;
    }
    let used = stats.buckets - stats.by_items[0];
    *text += &format!(
        " different slots: {used}\n max chain length: {}\n avg chain length (counted): {:.2}\n \
         avg chain length (computed): {:.2}\n buckets: {}\n overflow nodes: {}\n \
         deepest chain of nodes: {}\n memory: {} bytes\n Chain length distribution:\n",
        stats.max_items,
        stats.items as f64 / used.max(1) as f64,
        stats.items as f64 / used.max(1) as f64,
        stats.buckets,
        stats.overflow_full + stats.overflow_half,
        stats.max_depth,
        stats.bytes,
    );
    let last = stats.by_items.len() - 1;
    for (items, &n) in stats.by_items.iter().enumerate().filter(|(_, n)| **n > 0) {
        let more = if items == last { ">=" } else { "" };
        let share = n as f64 / stats.buckets as f64 * 100.0;
        *text += &format!("   {more}{items}: {n} ({share:.2}%)\n");
    }
}

/// The value at the key that is the third argument.
fn object_at<'a>(srv: &'a Server, call: &Call<'_>) -> Result<&'a Entry, CmdError> {
    let store = srv.ks.db(call.env.db as usize);
    store.find(store.key(call.argv[2])).ok_or(errors::NO_SUCH_KEY)
}

/// `DEBUG HTSTATS-KEY key [full]`: the table of a large collection.
fn htstats_key(srv: &mut Server, call: &mut Call<'_>) -> Result<(), CmdError> {
    let stats = match object_at(srv, call)?.value() {
        ValueRef::Object(ObjectRef::Set(set)) => set.as_table().map(|table| table.stats()),
        ValueRef::Object(ObjectRef::Hash(hash)) => hash.as_table().map(|table| table.stats()),
        _ => None,
    };
    let stats = stats.ok_or(CmdError::new(
        "ERR The value stored at the specified key is not represented using an hash table",
    ))?;
    let mut text = String::new();
    describe_table(&mut text, &stats, call.argv.get(3).is_some_and(|word| arg::is(word, "full")));
    call.reply.verbatim("txt", text.as_bytes());
    Ok(())
}
