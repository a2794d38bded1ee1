//! MIGRATE: moves keys to another server, by DUMP and RESTORE over a connection of our own.
//!
//! The call waits for the other side, as in Redis: the keys must be on one server at a time.
//! Connections are kept for ten seconds, since migrations come in rows.

use crate::server::jobs::save::target_version;
use crate::server::parts::links::{Link, MAX_LINKS};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, Why};
use crate::persist::dump;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};

pub const COMMANDS: &[ServerRow] = &[("migrate", migrate)];

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
    // Without COPY, what has arrived is deleted here even if a later key failed.
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
    let kept = srv.migrate.by_address.remove(address);
    let now_ms = srv.clock.now_ms;
    let had_link = kept.is_some();
    let mut link = match kept {
        Some(link) => link,
        None => connect(address, request.timeout)?,
    };
    let result = exchange(&mut link, request, payloads);
    let result = match result {
        Err(Lost::Writing(e) | Lost::Reading(e)) if had_link && !is_timeout(&e) => {
            link = connect(address, request.timeout)?;
            exchange(&mut link, request, payloads)
        }
        other => other,
    };
    match result {
        Ok(outcome) => {
            link.used_ms = now_ms;
            if srv.migrate.by_address.len() >= MAX_LINKS
                && let Some(any) = srv.migrate.by_address.keys().next().cloned()
            {
                srv.migrate.by_address.remove(&any);
            }
            srv.migrate.by_address.insert(address.to_string(), link);
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

impl From<io::Error> for Lost {
    fn from(e: io::Error) -> Lost {
        Lost::Reading(e)
    }
}

fn is_timeout(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn connect(address: &str, timeout: Duration) -> Result<Link, CmdError> {
    use std::net::ToSocketAddrs;
    let failed = || CmdError::new("IOERR error or timeout connecting to the client");
    let addr = address.to_socket_addrs().ok().and_then(|mut a| a.next()).ok_or_else(failed)?;
    // Compat: redis-server learns of a refusal when it writes.
    let stream = TcpStream::connect_timeout(&addr, timeout)
        .map_err(|e| if is_timeout(&e) { failed() } else { WRITING })?;
    stream.set_nodelay(true).map_err(|_| failed())?;
    Ok(Link { stream: BufReader::new(stream), db: None, used_ms: 0 })
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).into_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn exchange<'a>(
    link: &mut Link,
    request: &Request<'_>,
    payloads: &[Payload<'a>],
) -> Result<Outcome<'a>, Lost> {
    link.stream.get_ref().set_read_timeout(Some(request.timeout))?;
    link.stream.get_ref().set_write_timeout(Some(request.timeout))?;
    let mut out = Vec::new();
    let db = request.db.to_string();
    let select = link.db != Some(request.db);
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
    link.stream.get_mut().write_all(&out).map_err(Lost::Writing)?;
    // Every reply is read, whatever it says, so that the next request finds its own.
    let mut failure = None;
    for _ in 0..usize::from(request.login.is_some()) + usize::from(select) {
        let reply = read_status(&mut link.stream)?;
        failure = failure.or(reply);
    }
    let lost = failure.is_some();
    link.db = (!lost).then_some(request.db);
    let mut moved = Vec::new();
    for (key, ..) in payloads {
        match read_status(&mut link.stream)? {
            None if !lost => moved.push(*key),
            None => {}
            Some(error) => failure = failure.or(Some(error)),
        }
    }
    Ok((moved, failure))
}

/// Reads a one-line reply: None for success, the text of an error otherwise.
fn read_status(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    // A reply here is a short line; whatever else comes is not a server.
    let mut limited = io::Read::take(&mut *stream, 64 * 1024);
    limited.read_until(b'\n', &mut line)?;
    let text = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    match text.split_first() {
        Some((b'-', error)) => Ok(Some(error.to_vec())),
        Some((b'+', _)) => Ok(None),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
