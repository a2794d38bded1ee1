//! Clients that have to know when the key they wait on goes, and clients that wait for no key.

use super::Bench;
use crate::commands::{CmdResult, Flow};
use crate::keyspace::waiting::{Wait, Waiting, Wants};
use crate::resp::errors::CmdError;
use crate::resp::reply::Nothing;
use crate::server::admin;
use crate::server::engine::blocking;
use crate::server::jobs::expire;
use crate::server::parts::{Call, Server, Table};
use crate::value::list::List;
use crate::value::{Collection, Type, ValueRef};

/// A command that waits as XREADGROUP does, for these tests: until the list at its key has two
/// elements, and no longer than there is a list. When it runs again it says `again` in place of its
/// time-out.
fn wait_on(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let key = call.argv.at(1);
    match srv.ks.type_of(call.env.db, key, call.env.now_ms) {
        None => return Err(CmdError::new("NOLIST it is gone")),
        Some(Type::List) => {}
        Some(_) => return Err(CmdError::new("OTHER it is no list")),
    }
    let store = srv.ks.db(call.env.db as usize);
    let list = store.find(store.key(key)).expect("seen above");
    let ValueRef::Object(object) = list.value() else { return Ok(Flow::Done) };
    let two = List::of(object).is_some_and(|l| l.len() > 1);
    if two {
        call.reply.bulk(call.argv.at(2));
        return Ok(Flow::Done);
    }
    let waiting = Waiting::Keys {
        db: call.env.db,
        keys: vec![key.to_vec()],
        wants: Wants { holds: Some(Type::List), wakes_on_deletion: true },
        reads: None,
        nothing: Nothing::NullArray,
    };
    let rewritten = Some(vec![b"brpop".to_vec(), key.to_vec(), b"again".to_vec()]);
    Ok(Flow::Block(Box::new(Wait { rewritten, ..Wait::new(waiting, None) })))
}

fn bench(clients: usize) -> Bench {
    let rows = [admin::TABLES, &[&[("brpop", wait_on)]]].concat();
    Bench::with(Table::build(&rows, &[]).expect("no renames"), clients)
}

const GONE: &str = "-NOLIST it is gone\r\n";
const OTHER: &str = "-OTHER it is no list\r\n";

#[test]
fn a_client_that_has_to_know_is_woken_by_the_end_of_its_key() {
    let gone = [
        "del l",
        "unlink l",
        "rpop l",
        "lmove l m left left",
        "ltrim l 5 6",
        "rename l m",
        "move l 1",
        "flushdb",
        "flushall async",
        "swapdb 0 1",
        "pexpireat l 1",
        "lrem l 0 a",
        "sort none store l",
        "sunionstore l none",
        "zunionstore l 1 none",
        "bitop or l none",
        "lmpop 1 l left",
    ];
    let other = [
        "set l x",
        "mset a b l x",
        "getset m x;rename m l",
        "set m x;copy m l replace",
        "sadd m x;sunionstore l m",
        "zadd z 1 a;zunionstore l 1 z",
        "setex l 10 x",
    ];
    let cases = gone.iter().map(|line| (line, GONE)).chain(other.iter().map(|l| (l, OTHER)));
    let mut b = bench(2);
    for (lines, said) in cases {
        b.run(2, "flushall");
        b.run(2, "rpush l a");
        assert_eq!(b.run(1, "brpop l 0"), "");
        assert!(b.srv.blocked.waits_for_deletion());
        lines.split(';').for_each(|line| drop(b.run(2, line)));
        assert_eq!(b.out(1), said, "{lines}");
        assert!(!b.srv.blocked.waits_for_deletion() && b.srv.blocked.clients() == 0);
        assert_eq!(b.srv.exec.armed & crate::keyspace::effects::TOUCHED, 0, "nobody listens");
    }
}

#[test]
fn a_client_that_has_to_know_sleeps_through_everything_else() {
    let mut b = bench(2);
    b.run(2, "rpush l a");
    b.run(1, "brpop l 0");
    for line in
        ["lset l 0 b", "expire l 100", "persist l", "set other x", "del other", "swapdb 1 2"]
    {
        b.run(2, line);
        assert_eq!((b.out(1).as_str(), b.srv.blocked.clients()), ("", 1), "{line}");
    }
    b.run(2, "select 1");
    b.run(2, "rpush l a");
    b.run(2, "flushdb");
    assert_eq!(b.out(1), "", "another database's key is another key");
    b.run(2, "select 0");
    for line in ["multi", "del l", "rpush l a b", "exec"] {
        b.run(2, line);
    }
    assert_eq!(b.out(1), "$5\r\nagain\r\n", "it runs in its other form, and finds a new key");
}

#[test]
fn a_client_that_has_to_know_learns_of_a_key_whose_time_is_up() {
    let mut b = bench(2);
    b.run(2, "rpush l a");
    b.run(2, "pexpire l 5");
    b.run(1, "brpop l 0");
    b.srv.clock.now_ms += 10;
    b.run(2, "llen l");
    assert_eq!(b.out(1), GONE, "whoever meets it past its time tells");
    b.run(2, "rpush l a");
    b.run(2, "pexpire l 5");
    b.run(1, "brpop l 0");
    b.srv.clock.now_ms += 10_000;
    expire::run(&mut b.srv);
    assert_eq!(b.out(1), "");
    blocking::serve_unclaimed(&mut b.srv);
    assert_eq!(b.out(1), GONE, "nobody has met it, and the turn ends");
}

#[test]
fn who_only_waits_for_a_key_keeps_its_place_when_it_goes() {
    let mut b = bench(3);
    b.run(1, "blpop l other 0");
    b.run(3, "select 1");
    b.run(3, "rpush l a");
    b.run(2, "select 1");
    b.run(2, "brpop l 0");
    b.run(3, "del l");
    assert_eq!((b.out(1).as_str(), b.out(2).as_str()), ("", GONE));
    b.run(3, "select 0");
    b.run(3, "zadd l 1 a");
    b.run(3, "del l");
    assert_eq!((b.out(1).as_str(), b.srv.blocked.clients()), ("", 1));
    b.run(3, "rpush l a");
    assert!(b.out(1).ends_with("a\r\n"));
}

#[test]
fn wait_ends_when_its_time_is_up_or_it_is_told_to_give_up() {
    let mut b = bench(2);
    assert_eq!(b.run(1, "wait 0 0"), ":0\r\n");
    assert_eq!(b.run(1, "waitaof 0 0 0"), "*2\r\n:0\r\n:0\r\n");
    for line in ["multi", "wait 1 0", "waitaof 0 1 0"] {
        b.run(1, line);
    }
    assert_eq!(b.run(1, "exec"), "*2\r\n:0\r\n*2\r\n:0\r\n:0\r\n");
    assert_eq!(b.run(1, "wait 1 9223372036854775807"), "-ERR timeout is out of range\r\n");
    assert_eq!(b.run(1, "wait 1 0"), "");
    assert!(b.srv.blocked.clients() == 1 && b.srv.blocked.is_empty());
    assert_eq!(b.run(2, "client unblock 1"), ":1\r\n");
    assert_eq!(b.out(1), ":0\r\n");
    assert_eq!(b.run(1, "waitaof 0 1 0"), "");
    assert_eq!(b.run(2, "client unblock 1"), ":1\r\n");
    assert_eq!(b.out(1), "*2\r\n:0\r\n:0\r\n");
    b.run(1, "wait 1 100");
    assert_eq!(b.run(2, "client unblock 1 error"), ":1\r\n");
    assert!(b.out(1).starts_with("-UNBLOCKED"));
    assert_eq!(b.srv.blocked.clients(), 0);
}
