//! What the page is told: valid JSON, no values, and names of keys only when they are asked for.

use super::Bench;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::session::{Close, Session};
use crate::resp::argv::Argv;
use crate::server::engine::{blocking, dispatch, survey};
use crate::server::parts::metrics::Format;
use crate::server::parts::survey::Rule;
use crate::server::{admin, parts::Table};
use std::os::unix::net::UnixStream;

/// As much of JSON as a value takes; what is behind it. Panics where it is no JSON.
fn value(text: &str) -> &str {
    let first = text.chars().next().expect("a value");
    match first {
        '{' | '[' => {
            let close = if first == '{' { '}' } else { ']' };
            let mut rest = &text[1..];
            if let Some(rest) = rest.strip_prefix(close) {
                return rest;
            }
            loop {
                if first == '{' {
                    rest = string(rest).strip_prefix(':').expect("a colon");
                }
                rest = value(rest);
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => return rest.strip_prefix(close).expect("the end"),
                }
            }
        }
        '"' => string(text),
        _ => {
            let end = text.find([',', '}', ']']).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            let number = || word.parse::<f64>().is_ok_and(f64::is_finite);
            assert!(word == "true" || word == "false" || number(), "{word}");
            rest
        }
    }
}

fn string(text: &str) -> &str {
    let mut rest = text.strip_prefix('"').expect("a quote");
    loop {
        let at = rest.find(['"', '\\']).expect("the end of a text");
        assert!(rest[..at].chars().all(|c| !c.is_control()), "{rest}");
        if rest[at..].starts_with('"') {
            return &rest[at + 1..];
        }
        let after = rest[at + 1..].chars().next().expect("an escape");
        assert!("\"\\/bfnrtu".contains(after), "{rest}");
        rest = &rest[at + 2..];
    }
}

impl Bench {
    fn page(&mut self) -> String {
        let mut out = b"of the last reply".to_vec();
        let render = self.srv.render;
        render(&mut self.srv, Format::Page, &mut out);
        let text = String::from_utf8(out).expect("text");
        assert_eq!(value(&text), "", "{text}");
        text
    }

    fn run_bytes(&mut self, argv: &[&[u8]]) {
        let id = self.ids[0];
        blocking::with_reply(&mut self.srv, id, |srv, reply| {
            dispatch::process_command(srv, id, Argv::new(argv), None, None, reply);
        });
        if let Some(client) = self.srv.clients.get_mut(id) {
            client.outbox.clear();
        }
    }

    /// A pass of the survey over all keys.
    fn survey(&mut self) {
        let now = self.srv.clock.now_ms;
        let srv = &mut self.srv;
        // As a setting too, which each CONFIG SET follows.
        srv.cfg.memory.survey = true;
        srv.survey.switch(true);
        let (rule, seed) = (Rule::of(&srv.cfg.memory), srv.ks.seed());
        let pass = srv.survey.pass(now).expect("due");
        for entry in srv.ks.db(0).iter() {
            pass.found(entry.key(), survey::size(entry), rule, seed);
        }
        srv.survey.end_pass(now);
    }
}

fn bench(clients: usize) -> Bench {
    Bench::with(Table::build(admin::TABLES, &[]).expect("no renames"), clients)
}

const HOSTILE: &[u8] = b"name<img src=x onerror=alert(1)>\"\\\n\x00\xff\xe2\x80\xa8";

#[test]
fn names_of_keys_are_told_only_when_they_are_asked_for_and_values_never() {
    let mut b = bench(1);
    b.run(1, "config set slowlog-log-slower-than 0");
    b.run(1, "hotkeys start metrics 2 cpu net");
    b.run_bytes(&[b"SET", HOSTILE, b"secretvalue"]);
    b.run_bytes(&[b"MSET", b"name:2", b"secretvalue", b"name:3", b"secretvalue"]);
    b.run_bytes(&[b"EVAL", b"return 'secretscript'", b"1", b"name:4", b"secretvalue"]);
    b.run_bytes(&[b"CONFIG", b"SET", b"metrics-token", b"secretvalue"]);
    b.run_bytes(&[b"secretcommand", b"name:5"]);
    let reply = b"return redis.error_reply(ARGV[1])";
    b.run_bytes(&[b"EVAL", reply, b"0", b"secretvalue and more"]);
    b.survey();
    let page = b.page();
    assert!(!page.contains("name:") && !page.contains("onerror"), "{page}");
    assert!(!page.contains("secret"), "{page}");
    assert!(page.contains("\"key_names\":false"));
    assert!(page.contains("{\"error\":\"another word\",\"count\":1}"), "{page}");
    assert!(page.contains("\"command\":\"mset\"") && page.contains("\"keys\":2"), "{page}");
    assert!(page.contains("\"command\":\"config|set\""), "{page}");
    assert!(page.contains("\"big\":[{\"db\":0,\"type\":\"string\",\"bytes\":"), "{page}");

    b.run(1, "config set metrics-page-key-names yes");
    let page = b.page();
    assert!(!page.contains("secret"), "{page}");
    assert!(page.contains("\"key_names\":[\"name:2\",\"name:3\"]"), "{page}");
    assert!(page.contains("\"key_names\":[\"name:4\"]"), "{page}");
    let shown = "name<img src=x onerror=alert(1)>\\\"\\\\\\n\\u0000\\\\xff";
    assert_eq!(page.matches(shown).count(), 4, "slow log, time, traffic, large keys: {page}");
    assert!(page.contains("\"prefix\":\"name:\""), "{page}");
}

#[test]
fn of_a_long_command_only_keys_are_told() {
    let mut b = bench(1);
    b.run(1, "config set slowlog-log-slower-than 0 metrics-page-key-names yes");
    let names: Vec<Vec<u8>> = (0..50).map(|n| format!("k{n}").into_bytes()).collect();
    let mut argv: Vec<&[u8]> = vec![b"MSET"];
    names.iter().for_each(|name| argv.extend([&name[..], b"secretvalue"]));
    b.run_bytes(&argv);
    b.run_bytes(&[b"BLPOP", b"k1", b"secret"]);
    let page = b.page();
    assert!(page.contains("\"key_names\":[\"k0\",\"k1\",\"k2\",\"k3\","), "{page}");
    assert!(!page.contains("secret") && !page.contains("more arguments"), "{page}");
}

#[test]
fn of_many_clients_the_largest_are_told_once_all_have_been_looked_at() {
    let mut b = bench(0);
    let (a, _peer) = UnixStream::pair().expect("a socket pair");
    let add = |b: &mut Bench, name: usize| -> ClientId {
        let socket = a.try_clone().expect("a copy");
        let conn = Conn::Unix(mio::net::UnixStream::from_std(socket));
        let session = Session { name: vec![b'x'; name], ..Session::new(&conn, 0) };
        b.srv.clients.insert(conn, session)
    };
    for n in 0..700 {
        add(&mut b, if n % 100 == 99 { 5000 + n } else { 3 });
    }
    let largest = |page: &str| -> Vec<u64> {
        let rows = page.split("{\"id\":").skip(1);
        rows.map(|row| row.split(',').next().expect("id").parse().expect("a number")).collect()
    };
    let page = b.page();
    assert!(page.contains("\"total\":700,\"complete\":false"), "{page}");
    assert_eq!(largest(&page)[..5], [500, 400, 300, 200, 100], "{page}");
    let page = b.page();
    assert!(page.contains("\"total\":700,\"complete\":true"), "{page}");
    assert_eq!(largest(&page)[..7], [700, 600, 500, 400, 300, 200, 100]);
    assert!(largest(&page).len() <= 40);
    // Whoever leaves is not told any more.
    let last = b.srv.clients.by_serial(700).expect("there");
    b.srv.clients.close(last, Close::Now);
    let page = b.page();
    assert_eq!(largest(&page)[0], 600);
    assert!(page.len() < 32 * 1024, "{}", page.len());
}
