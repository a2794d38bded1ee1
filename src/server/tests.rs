//! The command path without a socket: transactions, blocking, notifications, WATCH and propagation
//! go through the one `call`, and their consequences come in the right order.

mod hotkeys;
mod migrate;
mod page;
mod waiting;

use std::os::unix::net::UnixStream;

use crate::commands::{CmdResult, Flow};
use crate::config::Config;
use crate::keyspace::waiting::{Wait, Waiting, Wants};
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::session::{Close, ReplyMode, Session};
use crate::resp::argv::Argv;
use crate::resp::parser::{self, Batch, Partial};
use crate::resp::reply::Nothing;
use crate::server::admin;
use crate::server::boot;
use crate::server::engine::{account, blocking, dispatch};
use crate::server::parts::Table;
use crate::server::parts::stream::{self, ReaderId};
use crate::server::parts::{Call, Server};

/// A blocking command for these tests: takes the string at one of its keys, or waits for one.
///
/// It stands in for BLPOP, by its name; that it works with a plain string shows that blocking knows
/// no type.
fn take_or_wait(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let keys = &call.argv.from(1)[..call.argv.len() - 2];
    let (env, lazy) = (call.env, srv.lazyfree);
    let store = srv.ks.db_mut(env.db as usize);
    let mut db = crate::keyspace::db::DbMut::new(store, &env, None, lazy);
    for &key in keys {
        let Some(entry) = db.read(key, &mut call.fx) else { continue };
        call.reply.array(2);
        call.reply.bulk(key);
        crate::commands::string::reply_value(call.reply, entry);
        db.delete(key, crate::keyspace::effects::Why::Del, &mut call.fx);
        call.fx.modified(key);
        call.fx.rewrite(&[b"DEL", key]);
        return Ok(Flow::Done);
    }
    if env.deny_blocking {
        call.reply.null_array();
        return Ok(Flow::Done);
    }
    let seconds = crate::commands::arg::int(call.argv[call.argv.len() - 1])?;
    let until_ms = (seconds > 0).then(|| env.now_ms + seconds * 1000);
    let waiting = Waiting::Keys {
        db: env.db,
        keys: keys.iter().map(|k| k.to_vec()).collect(),
        wants: Wants { holds: None, wakes_on_deletion: false },
        reads: None,
        nothing: Nothing::NullArray,
    };
    Ok(Flow::Block(Box::new(Wait::new(waiting, until_ms))))
}

struct Bench {
    srv: Server,
    reader: ReaderId,
    /// The other ends of the clients' sockets, kept open.
    _peers: Vec<UnixStream>,
    ids: Vec<ClientId>,
}

impl Bench {
    fn new(clients: usize) -> Bench {
        let rows = [admin::TABLES, &[&[("blpop", take_or_wait)]]].concat();
        Bench::with(Table::build(&rows, &[]).expect("no renames"), clients)
    }

    fn with(table: &'static Table, clients: usize) -> Bench {
        let cfg = Config::default();
        let mut srv =
            boot::assemble(cfg, "redust-server".into(), None, "no", table).expect("parts");
        let reader = srv.stream.join(stream::ALL);
        srv.rearm();
        let mut bench = Bench { srv, reader, _peers: Vec::new(), ids: Vec::new() };
        for _ in 0..clients {
            bench.connect();
        }
        // The first command isn't charged with what came before it: a slow one moves the clock.
        bench.srv.clock.ticks = bench.srv.clock.watch.ticks();
        bench
    }

    fn connect(&mut self) {
        let (a, b) = UnixStream::pair().expect("a socket pair");
        let conn = Conn::Unix(mio::net::UnixStream::from_std(a));
        let session = Session { authenticated: true, ..Session::new(&conn, 0) };
        self.ids.push(self.srv.clients.insert(conn, session));
        self._peers.push(b);
    }

    /// Runs a line for client `who` (from 1); what is in its outbox afterwards.
    fn run(&mut self, who: usize, line: &str) -> String {
        let id = self.ids[who - 1];
        let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        blocking::with_reply(&mut self.srv, id, |srv, reply| {
            dispatch::process_command(srv, id, Argv::new(&argv), None, None, reply);
        });
        self.out(who)
    }

    /// Takes what waits in the client's outbox.
    fn out(&mut self, who: usize) -> String {
        let client = self.srv.clients.get_mut(self.ids[who - 1]).expect("connected");
        let text = client.outbox.waiting();
        client.outbox.clear();
        String::from_utf8(text).expect("text")
    }

    /// What the stream of writes has had since it was last asked, without SELECT 0 of the first
    /// unit.
    fn stream(&mut self) -> Vec<String> {
        let bytes = self.srv.stream.take(self.reader);
        let limits = parser::Limits { max_bulk: 1 << 20, trusted: true };
        let mut batch = Batch::default();
        let parsed = parser::parse(&bytes, Partial::default(), limits, usize::MAX, &mut batch);
        assert!(parsed.error.is_none() && parsed.used == bytes.len());
        let text = |cmd: &parser::Cmd| {
            let words: Vec<_> =
                batch.args_of(cmd).iter().map(|a| String::from_utf8_lossy(a)).collect();
            words.join(" ")
        };
        batch.cmds.iter().map(text).filter(|line| !line.starts_with("SELECT")).collect()
    }
}

#[test]
fn exec_runs_its_queue_as_one_unit() {
    let mut b = Bench::new(1);
    assert_eq!(b.run(1, "multi"), "+OK\r\n");
    assert_eq!(b.run(1, "set k 1"), "+QUEUED\r\n");
    b.run(1, "incr k");
    b.run(1, "incr other extra");
    assert_eq!(
        b.run(1, "exec"),
        "-EXECABORT Transaction discarded because of previous errors.\r\n"
    );
    b.run(1, "multi");
    b.run(1, "set k x");
    b.run(1, "incr k");
    b.run(1, "blpop none 0");
    b.run(1, "append k y");
    let not_int = "-ERR value is not an integer or out of range";
    assert_eq!(b.run(1, "exec"), format!("*4\r\n+OK\r\n{not_int}\r\n*-1\r\n:2\r\n"));
    assert_eq!(b.stream(), ["MULTI", "set k x", "append k y", "EXEC"]);
    assert_eq!(b.run(1, "exec"), "-ERR EXEC without MULTI\r\n");
}

#[test]
fn a_transaction_that_wrote_nothing_leaves_no_trace() {
    let mut b = Bench::new(1);
    for line in ["multi", "get k", "del k", "exec"] {
        b.run(1, line);
    }
    assert!(b.stream().is_empty());
    assert_eq!(b.srv.rdb.dirty, 0);
}

#[test]
fn watch_sees_others_flushes_and_expiry() {
    let mut b = Bench::new(2);
    let mut broken_by = |setup: &str, change: &str| {
        b.run(2, setup);
        b.run(1, "watch k");
        b.run(2, change);
        b.run(1, "multi");
        b.run(1, "ping");
        b.run(1, "exec") == "*-1\r\n"
    };
    assert!(broken_by("set k 1", "set k 2"));
    assert!(broken_by("set k 1", "flushall"));
    assert!(broken_by("set k 1", "rename k other"));
    assert!(broken_by("set k 1", "swapdb 0 1"));
    assert!(!broken_by("set k 1", "get k"));
    assert!(!broken_by("del k", "del k"));
    b.run(2, "set k 1 px 5");
    b.run(1, "watch k");
    b.srv.clock.now_ms += 10;
    b.run(1, "multi");
    assert_eq!(b.run(1, "exec"), "*-1\r\n", "expired, though nobody has deleted it");
}

#[test]
fn a_parked_client_is_served_by_the_write_and_the_stream_shows_no_waiting() {
    let mut b = Bench::new(3);
    assert_eq!(b.run(1, "blpop a b 0"), "");
    assert_eq!(b.run(2, "blpop b 0"), "");
    assert_eq!(b.srv.blocked.clients(), 2);
    assert_eq!(b.run(3, "set b x"), "+OK\r\n");
    assert_eq!(b.out(1), "*2\r\n$1\r\nb\r\n$1\r\nx\r\n", "first come, first served");
    assert_eq!(b.out(2), "");
    assert_eq!(b.stream(), ["set b x", "DEL b"]);
    b.run(1, "blpop b 0");
    b.run(3, "set b y");
    assert!(b.out(2).ends_with("y\r\n"), "the one left keeps its place");
    assert_eq!(b.out(1), "");
    assert_eq!(b.run(3, "client unblock 1 error"), ":1\r\n");
    assert!(b.out(1).starts_with("-UNBLOCKED"));
    assert_eq!(b.srv.blocked.clients(), 0);
}

#[test]
fn blocking_list_commands_travel_as_what_they_did() {
    let mut b = Bench::with(Table::build(admin::TABLES, &[]).expect("no renames"), 3);
    assert_eq!(b.run(1, "blpop a b 0"), "");
    assert_eq!(b.run(2, "rpush b 1 2 3 4 5"), ":5\r\n");
    assert_eq!(b.out(1), "*2\r\n$1\r\nb\r\n$1\r\n1\r\n");
    assert_eq!(b.stream(), ["rpush b 1 2 3 4 5", "LPOP b"]);
    b.run(1, "blmpop 0 1 c right count 9");
    for line in ["rpush c x y", "brpop b 0", "blmove b d left right 0", "brpoplpush d e 0"] {
        b.run(2, line);
    }
    for line in ["lmpop 1 b left count 2", "lrem e 0 none", "ltrim e 0 -1", "blpop none b 0.001"] {
        b.run(2, line);
    }
    assert_eq!(
        b.stream(),
        ["rpush c x y", "RPOP c 2", "RPOP b", "LMOVE b d left right", "RPOPLPUSH d e", "LPOP b 2",]
    );
}

#[test]
fn a_client_woken_by_a_woken_client_runs_before_the_next_command() {
    let mut b = Bench::with(Table::build(admin::TABLES, &[]).expect("no renames"), 3);
    b.run(1, "blmove src dst left right 0");
    b.run(2, "blmove dst src right left 0");
    b.run(3, "lpush src it");
    b.run(3, "set k v");
    assert_eq!(b.out(1), "$2\r\nit\r\n");
    assert_eq!(b.out(2), "$2\r\nit\r\n");
    assert_eq!(
        b.stream(),
        ["lpush src it", "LMOVE src dst left right", "LMOVE dst src right left", "set k v"]
    );
    // A list that a client moves within itself is there for the next one.
    b.run(1, "blmove l l left left 100");
    b.run(2, "blpop l 0");
    for line in ["multi", "rpush l a", "lpop l", "rpush l b", "exec"] {
        b.run(3, line);
    }
    assert_eq!(b.out(1), "$1\r\nb\r\n");
    assert!(b.out(2).ends_with("b\r\n"));
}

#[test]
fn a_blocked_command_may_be_refused_when_it_would_go_on() {
    let mut b = Bench::with(Table::build(admin::TABLES, &[]).expect("no renames"), 2);
    b.run(1, "blmove src dst left right 0");
    b.run(2, "rpush other x");
    b.srv.cfg.memory.max_memory = 1;
    b.srv.rearm();
    b.run(2, "rename other src");
    assert!(b.out(1).starts_with("-OOM "));
    assert_eq!(b.srv.blocked.clients(), 0);
}

#[test]
fn a_key_made_by_any_command_wakes_and_one_that_is_gone_again_does_not() {
    let mut b = Bench::new(2);
    b.run(2, "set src v");
    b.run(1, "blpop k 0");
    b.run(2, "rename src k");
    assert!(b.out(1).ends_with("v\r\n"));
    b.run(1, "blpop k 0");
    for line in ["multi", "set k v", "del k", "exec"] {
        b.run(2, line);
    }
    assert_eq!(b.out(1), "", "nothing is left of it after EXEC");
    assert_eq!(b.srv.blocked.clients(), 1);
    b.run(2, "select 1");
    b.run(2, "set k other");
    assert_eq!(b.out(1), "", "another database's key is another key");
    b.run(2, "swapdb 0 1");
    assert!(b.out(1).ends_with("other\r\n"));
}

#[test]
fn messages_to_oneself_follow_the_reply_and_events_reach_others_in_order() {
    let mut b = Bench::new(2);
    b.srv.cfg.keyspace.notify_events = u32::MAX;
    b.run(1, "hello 3");
    b.run(1, "subscribe c");
    assert_eq!(b.run(1, "publish c hi"), ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
    b.run(1, "psubscribe __keyspace@0__:*");
    b.run(2, "set k v ex 100");
    let events = b.out(1);
    let at = |word: &str| events.find(&format!("\r\n{word}\r\n")).expect("published");
    assert!(at("new") < at("set") && at("set") < at("expire"), "{events}");
}

#[test]
fn lazy_expiry_is_propagated_before_the_command_that_met_it() {
    let mut b = Bench::new(1);
    b.run(1, "set k v px 5");
    let at = b.srv.clock.now_ms + 5;
    b.srv.clock.now_ms += 10;
    assert_eq!(b.run(1, "append k x"), ":1\r\n");
    let set = format!("SET k v PXAT {at}");
    assert_eq!(b.stream(), [set.as_str(), "MULTI", "DEL k", "append k x", "EXEC"]);
    assert_eq!(b.srv.stats.n.expired_keys, 1);
}

#[test]
fn durations_travel_as_dates_and_conditions_as_plain_writes() {
    let mut b = Bench::new(1);
    let now = b.srv.clock.now_ms;
    for line in [
        "set k v ex 10 nx",
        "expire k 20",
        "getex k persist",
        "set k 2 get",
        "getdel k",
        "incrbyfloat f 1.5",
        "msetex 2 a 1 b 2 px 500",
        "setrange s 0 x",
    ] {
        b.run(1, line);
    }
    assert_eq!(
        b.stream(),
        [
            format!("SET k v PXAT {}", now + 10_000),
            format!("PEXPIREAT k {}", now + 20_000),
            "PERSIST k".into(),
            "set k 2".into(),
            "DEL k".into(),
            "SET f 1.5 KEEPTTL".into(),
            "MULTI".into(),
            format!("SET a 1 PXAT {}", now + 500),
            format!("SET b 2 PXAT {}", now + 500),
            "EXEC".into(),
            "setrange s 0 x".into(),
        ]
    );
}

#[test]
fn what_is_popped_travels_as_pops_and_places_as_scores() {
    let mut b = Bench::new(1);
    for line in [
        "zadd z 1 a 2 b 3 c 4 d 5 e",
        "zadd z 1 a",
        "zmpop 2 none z max count 2",
        "bzpopmin none z 0",
        "bzmpop 0 1 z min count 9",
        "zpopmin z",
        "geoadd g ch 13.361389 38.115556 p",
        "georadius g 13 38 200 km store h",
    ] {
        b.run(1, line);
    }
    let want = [
        "zadd z 1 a 2 b 3 c 4 d 5 e",
        "ZPOPMAX z 2",
        "ZPOPMIN z",
        "ZPOPMIN z 2",
        "zadd g ch 3479099956230698 p",
        "georadius g 13 38 200 km store h",
    ];
    assert_eq!(b.stream(), want);
}

#[test]
fn reply_modes_and_closing() {
    let mut b = Bench::new(1);
    assert_eq!(b.run(1, "client reply off"), "");
    assert_eq!(b.run(1, "ping"), "");
    assert_eq!(b.run(1, "client reply on"), "+OK\r\n");
    assert_eq!(b.run(1, "client reply skip"), "");
    assert_eq!(b.run(1, "ping"), "");
    assert_eq!(b.run(1, "ping"), "+PONG\r\n");
    assert_eq!(b.srv.clients.session(b.ids[0]).map(|s| s.reply_mode), Some(ReplyMode::On));
    // RESET ends what OFF began, but is skipped itself.
    assert_eq!(b.run(1, "client reply off"), "");
    assert_eq!(b.run(1, "reset"), "+RESET\r\n");
    assert_eq!(b.run(1, "client reply skip"), "");
    assert_eq!(b.run(1, "reset"), "");
    assert_eq!(b.run(1, "ping"), "+PONG\r\n");
    assert_eq!(b.run(1, "quit"), "+OK\r\n");
    assert_eq!(b.srv.clients.session(b.ids[0]).map(|s| s.close), Some(Close::AfterReply));
}

#[test]
fn what_chance_took_from_a_set_is_propagated_by_name() {
    let mut b = Bench::new(1);
    b.run(1, "sadd s only");
    b.stream();
    assert_eq!(b.run(1, "spop s"), "$4\r\nonly\r\n");
    assert_eq!(b.stream(), ["SREM s only"]);
    let members: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    b.run(1, &format!("sadd s {}", members.join(" ")));
    b.stream();
    // In batches; whichever way they are chosen.
    for (count, sizes) in [("1500", &[1024, 476][..]), ("1400", &[1024, 376]), ("5", &[5])] {
        b.run(1, &format!("spop s {count}"));
        let stream = b.stream();
        let inner: Vec<&String> = stream.iter().filter(|op| op.starts_with("SREM")).collect();
        let named: Vec<usize> = inner.iter().map(|op| op.split(' ').count() - 2).collect();
        assert_eq!(named, sizes);
        assert!(stream.len() == inner.len() || stream.len() == inner.len() + 2, "{stream:?}");
    }
    b.run(1, "spop s 1000");
    assert_eq!(b.stream(), ["DEL s"]);
    b.run(1, "spop s 3");
    b.run(1, "srandmember s");
    assert!(b.stream().is_empty());
}

#[test]
fn times_of_fields_are_propagated_as_dates() {
    let mut b = Bench::new(1);
    b.run(1, "hset h a 1 b 2 c 3 d 4");
    b.stream();
    let date = b.srv.clock.now_ms + 1000;
    let now = |b: &mut Bench| b.stream().join("; ");
    b.run(1, &format!("hpexpireat h {date} fields 2 a x"));
    assert_eq!(now(&mut b), format!("HPEXPIREAT h {date} fields 1 a"));
    b.run(1, "hexpire h 33333333333 NX fields 1 a");
    assert_eq!(now(&mut b), "", "a condition that is not met");
    b.run(1, "hpexpireat h 1 fields 1 b");
    assert_eq!(now(&mut b), "HDEL h b");
    b.run(1, "hexpireat h 33333333333 nx fields 3 a c d");
    assert_eq!(now(&mut b), "HPEXPIREAT h 33333333333000 nx fields 2 c d");
    b.run(1, "hgetex h persist fields 2 a x");
    assert_eq!(now(&mut b), "HPERSIST h FIELDS 1 a");
    b.run(1, "hgetex h exat 33333333333 fields 1 a");
    assert_eq!(now(&mut b), "HPEXPIREAT h 33333333333000 FIELDS 1 a");
    b.run(1, "hgetex h fields 1 a");
    assert_eq!(now(&mut b), "");
    b.run(1, "hsetex h exat 33333333333 fields 1 e 5");
    assert_eq!(now(&mut b), "hsetex h PXAT 33333333333000 fields 1 e 5");
    b.run(1, "hgetdel h fields 2 e x");
    assert_eq!(now(&mut b), "HDEL h e x");
    b.run(1, "hincrbyfloat h a 0.5");
    assert_eq!(now(&mut b), "HSETEX h KEEPTTL FIELDS 1 a 1.5");
    b.run(1, "hincrbyfloat h f 0.5");
    assert_eq!(now(&mut b), "HSET h f 0.5");
}

#[test]
fn due_fields_are_propagated_when_they_are_met_and_when_they_go_by_themselves() {
    let mut b = Bench::new(1);
    b.run(1, "hset h a 1 b 2 c 3");
    b.run(1, "hpexpire h 1 fields 2 a b");
    b.stream();
    // The real clock: a slow command makes the server look at it.
    std::thread::sleep(std::time::Duration::from_millis(10));
    b.srv.clock.now_ms = crate::sys::clock::wall_ms();
    assert_eq!(b.run(1, "hget h a"), "$-1\r\n");
    assert_eq!(b.stream(), ["HDEL h a"]);
    assert_eq!(b.run(1, "hlen h"), ":2\r\n");
    crate::server::jobs::expire::run(&mut b.srv);
    assert_eq!(b.stream(), ["HDEL h b"]);
    assert_eq!(b.srv.stats.n.expired_fields, 2);
    assert_eq!(b.run(1, "hgetall h"), "*2\r\n$1\r\nc\r\n$1\r\n3\r\n");
    b.srv.ks.db(0).check();
}

#[test]
fn a_pipeline_that_was_slow_is_looked_at_one_by_one() {
    let mut b = Bench::new(1);
    let late = b.srv.clock.watch.ticks_in(20_000);
    for noted in [false, true] {
        account::begin_group(&mut b.srv, 2, 10);
        // As if the first command took that long.
        b.srv.clock.ticks = b.srv.clock.ticks.wrapping_sub(late);
        assert_eq!(b.run(1, "get k") + &b.run(1, "get k"), "$-1\r\n$-1\r\n");
        account::end_group(&mut b.srv);
        assert_eq!(b.srv.slowlog.len() > 0, noted);
    }
    let get = b.srv.table.lookup(b"get").expect("GET").id;
    assert_eq!((b.srv.stats.commands[usize::from(get)].calls, b.srv.stats.n.commands), (4, 4));
}
