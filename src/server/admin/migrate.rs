//! MIGRATE: moves keys to another server, by DUMP and RESTORE over a connection of our own.
//!
//! The call waits for the other side, as in Redis: the keys must be on one server at a time.
//! Connections are kept for ten seconds, since migrations come in rows.

use std::io;
use std::time::Duration;

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, Why};
use crate::net::link::{ConnectError, Link, is_timeout};
use crate::persist::dump;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::command;
use crate::resp::value::{Limits, Value};
use crate::server::jobs::save::target_version;
use crate::server::parts::ServerRow;
use crate::server::parts::links::Kept;
use crate::server::parts::{Call, Server};

/// A reply is a short line. Whatever sends more is not a server.
const REPLIES: Limits = Limits { bytes: 64 * 1024, depth: 1 };

pub(crate) const COMMANDS: &[ServerRow] = &[("migrate", migrate)];

struct Request<'a> {
    host: &'a [u8],
    port: &'a [u8],
    db: i64,
    timeout: Duration,
    copy: bool,
    replace: bool,
    login: Option<Vec<&'a [u8]>>,
    keys: Vec<&'a [u8]>,
}

fn parse<'a>(argv: Argv<'a>) -> Result<Request<'a>, CmdError> {
    let mut r = Request {
        host: argv.at(1),
        port: argv.at(2),
        db: 0,
        timeout: Duration::ZERO,
        copy: false,
        replace: false,
        login: None,
        keys: vec![argv.at(3)],
    };
    let mut i = 6;
    while i < argv.len() {
        let more = argv.len() - i - 1;
        if arg::is(argv[i], "copy") {
            r.copy = true;
        } else if arg::is(argv[i], "replace") {
            r.replace = true;
        } else if arg::is(argv[i], "auth") {
            if more < 1 {
                return Err(errors::SYNTAX);
            }
            r.login = Some(vec![argv.at(i + 1)]);
            i += 1;
        } else if arg::is(argv[i], "auth2") {
            if more < 2 {
                return Err(errors::SYNTAX);
            }
            r.login = Some(vec![argv.at(i + 1), argv.at(i + 2)]);
            i += 2;
        } else if arg::is(argv[i], "keys") {
            if !argv[3].is_empty() {
                return Err(CmdError::new(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                     string",
                ));
            }
            r.keys = argv.from(i + 1).to_vec();
            break;
        } else {
            return Err(errors::SYNTAX);
        }
        i += 1;
    }
    let timeout = arg::int(argv[5])?;
    r.db = arg::int(argv[4])?;
    // Nothing can be done in no time.
    r.timeout = Duration::from_millis(if timeout <= 0 { 1000 } else { timeout as u64 });
    Ok(r)
}

/// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p|AUTH2 u p] [KEYS key ...]`.
/// Joins: keyspace, persist, links.
fn migrate(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let request = parse(call.argv)?;
    let Call { fx, env, reply, .. } = call;
    let lazy = srv.lazyfree;
    let version = target_version(&srv.cfg);
    let compression = srv.cfg.snapshot.compression;
    let mut db = DbMut::new(srv.ks.db_mut(env.db as usize), env, None, lazy);
    let mut payloads = Vec::new();
    for &key in &request.keys {
        if let Some(entry) = db.read(key, fx) {
            let ttl = entry.expire_ms().map_or(0, |at| (at - env.now_ms).max(1));
            payloads.push((key, ttl, dump::dump(entry, version, compression)));
        }
    }
    if payloads.is_empty() {
        reply.status("NOKEY");
        return Ok(Flow::Done);
    }
    let address = format!(
        "{}:{}",
        String::from_utf8_lossy(request.host),
        String::from_utf8_lossy(request.port)
    );
    let sent = send(srv, &address, &request, &payloads);
    srv.clock.refresh();
    // Without COPY, the keys that have arrived are deleted here, even if a later key failed.
    let (moved, failure) = sent?;
    if !request.copy && !moved.is_empty() {
        let mut db = DbMut::new(srv.ks.db_mut(env.db as usize), env, None, lazy);
        for &key in &moved {
            db.delete(key, Why::Del, fx);
            fx.modified(key);
            fx.event(EV_GENERIC, "del", key);
        }
        let mut words: Vec<&[u8]> = vec![b"DEL"];
        words.extend(&moved);
        fx.rewrite(&words);
    }
    if let Some(text) = failure {
        let text = [b"Target instance replied with error: ", &text[..]].concat();
        return Err(CmdError::err(text));
    }
    reply.ok();
    Ok(Flow::Done)
}

type Payload<'a> = (&'a [u8], i64, Vec<u8>);
type Outcome<'a> = (Vec<&'a [u8]>, Option<Vec<u8>>);

/// Sends everything and reads the replies; tries once more if a kept connection turns out dead.
fn send<'a>(
    srv: &mut Server,
    address: &str,
    request: &Request<'_>,
    payloads: &[Payload<'a>],
) -> Result<Outcome<'a>, CmdError> {
    let kept = srv.migrate.take(address);
    // The ten seconds count from the beginning of the command.
    let now_ms = srv.clock.now_ms;
    let had_link = kept.is_some();
    let mut kept = match kept {
        Some(kept) => kept,
        None => connect(srv, address, request.timeout)?,
    };
    let result = exchange(&mut kept, request, payloads);
    let result = match result {
        Err(Lost::Writing(e) | Lost::Reading(e)) if had_link && !is_timeout(&e) => {
            kept = connect(srv, address, request.timeout)?;
            exchange(&mut kept, request, payloads)
        }
        other => other,
    };
    match result {
        Ok(outcome) => {
            kept.used_ms = now_ms;
            if !kept.link.has_more() {
                srv.migrate.keep(address, kept);
            }
            Ok(outcome)
        }
        Err(Lost::Writing(_)) => Err(WRITING),
        Err(Lost::Reading(_)) => {
            Err(CmdError::new("IOERR error or timeout reading to target instance"))
        }
    }
}

const WRITING: CmdError = CmdError::new("IOERR error or timeout writing to target instance");

/// What went wrong between the servers.
enum Lost {
    Writing(io::Error),
    Reading(io::Error),
}

/// Compat: `tls-cluster` says how keys travel between servers.
fn connect(srv: &Server, address: &str, timeout: Duration) -> Result<Kept, CmdError> {
    let tls = srv.tls.context.as_ref().filter(|_| srv.cfg.tls.cluster);
    match Link::connect(address, timeout, REPLIES, tls.map(|context| &context.client)) {
        Ok(link) => Ok(Kept { link, db: None, used_ms: 0 }),
        // Compat: redis-server learns of a refusal when it writes.
        Err(ConnectError::Io(e)) if !is_timeout(&e) => Err(WRITING),
        Err(_) => Err(CmdError::new("IOERR error or timeout connecting to the client")),
    }
}

fn exchange<'a>(
    kept: &mut Kept,
    request: &Request<'_>,
    payloads: &[Payload<'a>],
) -> Result<Outcome<'a>, Lost> {
    kept.link.set_timeout(request.timeout);
    let mut out = Vec::new();
    let db = request.db.to_string();
    let select = kept.db != Some(request.db);
    if let Some(login) = &request.login {
        let words: Vec<&[u8]> =
            std::iter::once(&b"AUTH"[..]).chain(login.iter().copied()).collect();
        command(&mut out, &words);
    }
    if select {
        command(&mut out, &[b"SELECT", db.as_bytes()]);
    }
    for (key, ttl, payload) in payloads {
        let ttl = ttl.to_string();
        let mut words = vec![&b"RESTORE"[..], key, ttl.as_bytes(), payload];
        if request.replace {
            words.push(b"REPLACE");
        }
        command(&mut out, &words);
    }
    kept.link.send(&out).map_err(Lost::Writing)?;
    // Every reply is read, even after an error, so that the next request reads its own.
    let mut failure = None;
    for _ in 0..usize::from(request.login.is_some()) + usize::from(select) {
        let reply = read_status(&mut kept.link)?;
        failure = failure.or(reply);
    }
    let lost = failure.is_some();
    kept.db = (!lost).then_some(request.db);
    let mut moved = Vec::new();
    for (key, ..) in payloads {
        match read_status(&mut kept.link)? {
            None if !lost => moved.push(*key),
            None => {}
            Some(error) => failure = failure.or(Some(error)),
        }
    }
    Ok((moved, failure))
}

/// Reads a reply: None for success, the text of an error otherwise.
fn read_status(link: &mut Link) -> Result<Option<Vec<u8>>, Lost> {
    match link.read().map_err(Lost::Reading)? {
        Value::Simple(_) => Ok(None),
        Value::Error(text) => Ok(Some(text)),
        _ => Err(Lost::Reading(io::ErrorKind::InvalidData.into())),
    }
}
