//! The commands of replication: what replicas ask for, whom this server follows, and who waits for
//! replicas.

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::waiting::{Offsets, Wait, Waiting};
use crate::log;
use crate::repl::failover::Failover;
use crate::repl::peer::{self, Filter, OWN_KIND};
use crate::resp::errors::{self, CmdError};
use crate::server::engine::describe::describe;
use crate::server::engine::offsets;
use crate::server::jobs::repl::{failover as handover, names, primary, replica};
use crate::server::parts::repl::Replica;
use crate::server::parts::{Call, Server, ServerRow};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("psync", psync),
    ("sync", sync),
    ("replconf", replconf),
    ("replicaof", replicaof),
    ("slaveof", replicaof),
    ("failover", failover),
    ("role", role),
    ("wait", wait),
    ("waitaof", waitaof),
];

/// `PSYNC id offset`: the stream from that offset (which counts from 1) of that history, or a
/// snapshot first. What it says goes past the reply. Joins: repl, stream, child.
fn psync(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let id = String::from_utf8_lossy(call.argv[1]).into_owned();
    if call.argv.get(3).is_some_and(|word| arg::is(word, "failover")) {
        take_over(srv, call, &id)?;
    }
    let Ok(from) = arg::int(call.argv[2]) else {
        let name = names::name(srv, call.client);
        log!(Warning, "Replica {name} asks for synchronization but with a wrong offset");
        return Err(errors::NOT_INT);
    };
    attach(srv, call, Some((&id, from)))
}

/// `SYNC`: a snapshot, then the stream. Joins: repl, stream, child.
fn sync(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    attach(srv, call, None)
}

fn attach(srv: &mut Server, call: &mut Call<'_>, asked: Option<(&str, i64)>) -> CmdResult {
    let Some(client) = srv.clients.get(call.client) else { return Ok(Flow::Done) };
    // Who monitors gets no second stream.
    if client.session.replica || client.session.monitor {
        return Ok(Flow::Done);
    }
    if srv.repl.failover.is_some() {
        return Err(CmdError::new("NOMASTERLINK Can't SYNC while failing over"));
    }
    if !srv.repl.is_linked() {
        return Err(CmdError::new("NOMASTERLINK Can't SYNC while not connected with my master"));
    }
    // A reply that has not been written would stand in the middle of the snapshot.
    if !client.outbox.is_empty() || call.reply.len() > 0 {
        return Err(CmdError::new("ERR SYNC and PSYNC are invalid with pending output"));
    }
    primary::attach(srv, call.client, asked);
    Ok(Flow::Done)
}

/// Our primary asks us to lead: it has the history that we have, and will follow us.
fn take_over(srv: &mut Server, call: &Call<'_>, id: &str) -> Result<(), CmdError> {
    log!(Notice, "Failover request received for replid {id}.");
    if !srv.repl.is_replica() {
        return Err(CmdError::new("ERR PSYNC FAILOVER can't be sent to a master."));
    }
    if !id.eq_ignore_ascii_case(&srv.repl.history.id) {
        return Err(CmdError::new("ERR PSYNC FAILOVER replid must match my replid."));
    }
    replica::lead(srv);
    let who = srv.clients.get(call.client).map(|client| describe(srv, client)).unwrap_or_default();
    log!(Notice, "MASTER MODE enabled (failover request from '{who}')");
    Ok(())
}

/// `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms]`: hands the role of the primary over to a
/// replica that has all. The reply comes at once; INFO tells how it goes. Joins: repl, pause.
fn failover(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    if argv.len() == 2 && arg::is(argv[1], "abort") {
        if srv.repl.failover.is_none() {
            return Err(CmdError::new("ERR No failover in progress."));
        }
        handover::abort(srv, "Failover manually aborted");
        call.reply.ok();
        return Ok(Flow::Done);
    }
    let (mut timeout, mut force, mut target) = (None, false, None);
    let mut at = 1;
    while at < argv.len() {
        match arg::lower(argv[at]).as_slice() {
            b"timeout" if at + 1 < argv.len() && timeout.is_none() => {
                let ms = arg::int(argv[at + 1])?;
                if ms <= 0 {
                    return Err(CmdError::new("ERR FAILOVER timeout must be greater than 0"));
                }
                timeout = Some(ms);
                at += 2;
            }
            b"to" if at + 2 < argv.len() && target.is_none() => {
                let port = arg::int(argv[at + 2])?;
                let host = String::from_utf8_lossy(argv[at + 1]).into_owned();
                target = Some((host, u16::try_from(port).unwrap_or(0)));
                at += 3;
            }
            b"force" if !force => {
                force = true;
                at += 1;
            }
            _ => return Err(errors::SYNTAX),
        }
    }
    let refuse = |text: &'static str| Err(CmdError::new(text));
    if srv.repl.failover.is_some() {
        return refuse("ERR FAILOVER already in progress.");
    }
    if srv.repl.is_replica() {
        return refuse("ERR FAILOVER is not valid when server is a replica.");
    }
    if srv.repl.replicas.is_empty() {
        return refuse("ERR FAILOVER requires connected replicas.");
    }
    if force && (timeout.is_none() || target.is_none()) {
        return refuse(
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        );
    }
    match &target {
        Some((host, port)) => {
            let is = |replica: &&Replica| {
                let (at_host, at_port) = names::address(srv, replica);
                at_host.eq_ignore_ascii_case(host) && at_port == *port
            };
            match srv.repl.replicas.iter().find(is) {
                None => return refuse("ERR FAILOVER target HOST and PORT is not a replica."),
                Some(replica) if !replica.is_online() => {
                    return refuse("ERR FAILOVER target replica is not online.");
                }
                Some(_) => log!(Notice, "FAILOVER requested to {host}:{port}."),
            }
        }
        None => log!(Notice, "FAILOVER requested to any replica."),
    }
    let until_ms = timeout.map(|ms| call.env.now_ms.saturating_add(ms));
    handover::begin(srv, Failover { target, until_ms, force, asks: false });
    call.reply.ok();
    Ok(Flow::Done)
}

/// `REPLCONF option value [option value ...]`: what a replica tells of itself, and how far it is.
/// Joins: repl.
fn replconf(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    if argv.len().is_multiple_of(2) {
        return Err(errors::SYNTAX);
    }
    for at in (1..argv.len()).step_by(2) {
        let (option, value) = (arg::lower(argv[at]), argv[at + 1]);
        match option.as_slice() {
            b"ack" => return ack(srv, call),
            b"getack" => {
                // The primary asks. It is told when all that it has sent with this is done.
                let primary = srv.clients.session(call.client).is_some_and(|s| s.primary);
                srv.repl.ack_due |= primary;
                return Ok(Flow::Done);
            }
            _ => {}
        }
        let told = match srv.repl.replicas.iter_mut().find(|r| r.client == call.client) {
            Some(replica) => &mut replica.told,
            None => srv.repl.told.entry(call.client).or_default(),
        };
        match option.as_slice() {
            b"listening-port" => {
                let port = arg::int(value)?;
                told.port = u16::try_from(port).unwrap_or(0);
            }
            b"ip-address" => {
                const LONGEST: usize = 255;
                if value.len() > LONGEST {
                    return Err(CmdError::err(format!(
                        "REPLCONF ip-address provided by replica instance is too long: {} bytes",
                        value.len()
                    )));
                }
                told.address = value.to_vec();
            }
            b"capa" => match arg::lower(value).as_slice() {
                b"eof" => told.can.eof = true,
                b"psync2" => told.can.psync2 = true,
                OWN_KIND => told.can.all_versions = true,
                _ => {}
            },
            b"version" => match peer::version(value) {
                Some(version) => told.version = Some(version),
                None => {
                    return Err(CmdError::err([b"Unrecognized version format: ", value].concat()));
                }
            },
            b"rdb-only" => {
                let only = arg::int(value)?;
                if !(0..=1).contains(&only) {
                    return Err(CmdError::err("value is out of range, value must between 0 and 1"));
                }
                told.snapshot_only = only == 1;
            }
            b"rdb-filter-only" => told.filter = Filter::parse(value)?,
            _ => {
                return Err(CmdError::err([b"Unrecognized REPLCONF option: ", argv[at]].concat()));
            }
        }
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `REPLCONF ACK offset [FACK offset]`, which has no reply. From others than replicas it means
/// nothing.
fn ack(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let number = |at: usize| {
        let n = argv.get(at).and_then(|text| crate::util::num::parse_i64(text));
        n.and_then(|n| u64::try_from(n).ok())
    };
    let fack = argv.get(3).is_some_and(|word| arg::is(word, "fack"));
    if let Some(offset) = number(2) {
        primary::acknowledged(srv, call.client, offset, number(4).filter(|_| fack));
    }
    Ok(Flow::Done)
}

/// `REPLICAOF host port | NO ONE`. Joins: repl, stream, clients.
fn replicaof(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (host, port) = (call.argv[1], call.argv[2]);
    if srv.repl.failover.is_some() {
        return Err(CmdError::new("ERR REPLICAOF not allowed while failing over."));
    }
    let who = srv.clients.get(call.client).map(|client| describe(srv, client)).unwrap_or_default();
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        if srv.repl.is_replica() {
            replica::lead(srv);
            log!(Notice, "MASTER MODE enabled (user request from '{who}')");
        }
        call.reply.ok();
        return Ok(Flow::Done);
    }
    if srv.clients.session(call.client).is_some_and(|session| session.replica) {
        return Err(CmdError::new("ERR Command is not valid when client is a replica."));
    }
    let port = arg::int_in(port, 0, 65535, "Invalid master port")? as u16;
    let same = srv.repl.following.as_ref().is_some_and(|following| {
        following.host.eq_ignore_ascii_case(host) && following.port == port
    });
    if same {
        log!(
            Notice,
            "REPLICAOF would result into synchronization with the master we are already connected \
             with. No operation performed."
        );
        call.reply.status("OK Already connected to specified master");
        return Ok(Flow::Done);
    }
    if !srv.repl.is_replica() {
        // There must be an offset to ask for.
        srv.repl.keep_backlog(&mut srv.stream);
    }
    replica::follow(srv, host, port);
    log!(
        Notice,
        "REPLICAOF {}:{port} enabled (user request from '{who}')",
        String::from_utf8_lossy(host)
    );
    replica::connect_now(srv);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `ROLE`: a primary, its offset and its replicas; or a replica, its primary and the link.
/// O(replicas). Joins: repl, stream.
fn role(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let reply = &mut *call.reply;
    let offset = srv.stream.repl_end() as i64;
    if let Some(following) = &srv.repl.following {
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(&following.host);
        reply.int(i64::from(following.port));
        reply.bulk(following.link.word().as_bytes());
        reply.int(if srv.repl.is_linked() { offset } else { -1 });
        return Ok(Flow::Done);
    }
    reply.array(3);
    reply.bulk(b"master");
    reply.int(offset);
    let online = srv.repl.replicas.iter().filter(|replica| replica.is_online());
    let lines: Vec<[String; 3]> = online
        .map(|replica| {
            let (host, port) = names::address(srv, replica);
            [host, port.to_string(), replica.acked.to_string()]
        })
        .collect();
    reply.array(lines.len());
    for line in lines {
        reply.array(3);
        line.iter().for_each(|word| reply.bulk(word.as_bytes()));
    }
    Ok(Flow::Done)
}

const ON_REPLICA: &str = "cannot be used with replica instances. Please also note that since Redis \
    4.0 if a replica is configured to be writable (which is not the default) writes to replicas are \
    just local and are not propagated.";

/// `WAIT numreplicas timeout`: until so many replicas have what the client wrote.
///
/// A time of 0 waits for ever. Joins: blocked, repl.
fn wait(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.repl.is_replica() {
        return Err(CmdError::err(format!("WAIT {ON_REPLICA}")));
    }
    let replicas = arg::int(call.argv.at(1))?;
    let until_ms = arg::timeout_ms(call.argv.at(2), &call.env)?;
    let offsets =
        Offsets { file: false, written: 0, count: 0, local: false, replicas: replicas.max(0) };
    wait_for(srv, call, offsets, until_ms)
}

/// Waits unless the offsets have been reached or the client can't.
fn wait_for(
    srv: &mut Server,
    call: &mut Call<'_>,
    mut offsets: Offsets,
    until_ms: Option<i64>,
) -> CmdResult {
    offsets.written = offsets::written(srv, call.client);
    offsets.count = srv.stream.repl_at(offsets.written);
    let reached = offsets::reached(srv, &offsets);
    if offsets.are_met(reached) || call.env.deny_blocking {
        offsets.write(reached, call.reply);
        return Ok(Flow::Done);
    }
    srv.repl.ask_acks = true;
    let waiting = Waiting::Offsets(offsets);
    Ok(Flow::Block(Box::new(Wait::new(waiting, until_ms))))
}

/// `WAITAOF numlocal numreplicas timeout`: until what the client wrote is on disk, here and at so
/// many replicas. Joins: aof, blocked, repl.
fn waitaof(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let range = "value is out of range, value must between 0 and 1";
    let local = arg::int(call.argv.at(1))?;
    if !(0..=1).contains(&local) {
        return Err(CmdError::err(range));
    }
    let positive = "value is out of range, must be positive";
    let replicas = arg::int_in(call.argv.at(2), 0, i64::MAX, positive)?;
    let until_ms = arg::timeout_ms(call.argv.at(3), &call.env)?;
    if srv.repl.is_replica() {
        return Err(CmdError::err(format!("WAITAOF {ON_REPLICA}")));
    }
    if local > 0 && !srv.aof.is_on() {
        return Err(offsets::NO_FILE);
    }
    let offsets = Offsets { file: true, written: 0, count: 0, local: local > 0, replicas };
    wait_for(srv, call, offsets, until_ms)
}
