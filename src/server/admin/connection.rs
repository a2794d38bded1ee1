//! The conversation itself: PING, ECHO, AUTH, HELLO, SELECT, RESET, QUIT, WAIT.

use crate::acl;
use crate::acl::log::{Context, Reason};
use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::waiting::{Wait, Waiting};
use crate::net::clients::ClientId;
use crate::net::session::{Close, ReplyMode};
use crate::resp::errors::{self, CmdError};
use crate::server::engine::audit::{self, Login};
use crate::server::engine::{access, transaction};
use crate::server::parts::ServerRow;
use crate::server::parts::identity::REDIS_VERSION;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("ping", ping),
    ("echo", echo),
    ("auth", auth),
    ("hello", hello),
    ("select", select),
    ("reset", reset),
    ("quit", quit),
];

const NO_PASSWORD_SET: CmdError = CmdError::new(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
     your configuration is correct?",
);

/// `PING [message]`. Joins: clients (a RESP2 subscriber gets an array).
fn ping(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Call { argv, reply, client, .. } = call;
    if argv.len() > 2 {
        return Err(errors::wrong_arity("ping"));
    }
    let subscribed = srv.clients.session(*client).is_some_and(|s| s.subscribed);
    if subscribed && !reply.resp3() {
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(argv.get(1).copied().unwrap_or_default());
    } else {
        match argv.get(1) {
            Some(message) => reply.bulk(message),
            None => reply.status("PONG"),
        }
    }
    Ok(Flow::Done)
}

/// `ECHO message`.
fn echo(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.bulk(call.argv.at(1));
    Ok(Flow::Done)
}

/// How long a login has to wait before it is looked at, if wrong passwords came from its address.
/// One that has waited does not wait again.
fn wait_of_suspect(srv: &mut Server, call: &Call<'_>) -> Result<Option<Wait>, CmdError> {
    let most = i64::from(srv.cfg.acl.auth_delay_max_ms);
    if most == 0 || srv.exec.unit.again {
        return Ok(None);
    }
    let peer = srv.clients.get(call.client).and_then(|client| client.conn.peer());
    let now_ms = srv.clock.now_ms;
    let delay_ms = peer.map_or(0, |peer| srv.acl.suspects.delay_ms(peer.ip(), now_ms, most));
    if delay_ms == 0 {
        return Ok(None);
    }
    if call.env.deny_blocking {
        return Err(CmdError::new(
            "ERR AUTH is not possible in a transaction now: wrong passwords came from this address",
        ));
    }
    srv.acl.suspects.delayed += 1;
    Ok(Some(Wait::new(Waiting::Login, Some(now_ms + delay_ms))))
}

/// Remembers the address of a client that gave a wrong password.
fn suspect(srv: &mut Server, id: ClientId) {
    if srv.cfg.acl.auth_delay_max_ms == 0 {
        return;
    }
    if let Some(peer) = srv.clients.get(id).and_then(|client| client.conn.peer()) {
        srv.acl.suspects.note(peer.ip(), srv.clock.now_ms);
    }
}

/// Checks a name and password, and lets the client in.
fn authenticate(
    srv: &mut Server,
    call: &Call<'_>,
    user: &[u8],
    pass: &[u8],
) -> Result<Flow, CmdError> {
    if let Some(wait) = wait_of_suspect(srv, call)? {
        return Ok(Flow::Block(Box::new(wait)));
    }
    let Some(id) = srv.acl.log_in(user, pass) else {
        let in_multi = srv.clients.session(call.client).is_some_and(|s| s.executing.is_some());
        let context = if in_multi { Context::Multi } else { Context::TopLevel };
        let object = call.argv[0].to_vec();
        access::log(srv, call.client, Reason::Auth, context, object, user.to_vec());
        audit::login(srv, call.client, user, Login::Password, false);
        suspect(srv, call.client);
        return Err(errors::WRONG_PASS);
    };
    let restricted = srv.acl.get(id).is_some_and(|user| !user.is_open());
    if let Some(session) = srv.clients.session_mut(call.client) {
        (session.authenticated, session.let_in) = (true, false);
        (session.user, session.restricted) = (id, restricted);
    }
    audit::login(srv, call.client, user, Login::Password, true);
    Ok(Flow::Done)
}

/// `AUTH [username] password`. Joins: configuration, clients.
fn auth(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (user, pass) = match call.argv.len() {
        2 if srv.acl.default_needs_no_password() => return Err(NO_PASSWORD_SET),
        2 => (&b"default"[..], call.argv.at(1)),
        3 => (call.argv.at(1), call.argv.at(2)),
        _ => return Err(errors::SYNTAX),
    };
    let flow = authenticate(srv, call, user, pass)?;
    if matches!(flow, Flow::Done) {
        call.reply.ok();
    }
    Ok(flow)
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`. Joins: clients, configuration.
fn hello(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let mut version = None;
    let mut next = 1;
    if argv.len() >= 2 {
        let n = crate::util::num::parse_i64(argv[1]);
        let n = n.ok_or(CmdError::new("ERR Protocol version is not an integer or out of range"))?;
        if !(2..=3).contains(&n) {
            return Err(errors::NO_PROTO);
        }
        version = Some(n);
        next = 2;
    }
    let (mut login, mut name) = (None, None);
    while next < argv.len() {
        let more = argv.len() - next - 1;
        if arg::is(argv[next], "auth") && more >= 2 {
            login = Some((argv.at(next + 1), argv.at(next + 2)));
            next += 3;
        } else if arg::is(argv[next], "setname") && more >= 1 {
            super::client::check_name(argv[next + 1])?;
            name = Some(argv.at(next + 1));
            next += 2;
        } else {
            let text =
                [b"Syntax error in HELLO option '", errors::shown(argv[next]), b"'"].concat();
            return Err(CmdError::err(text));
        }
    }
    if let Some((user, pass)) = login {
        let flow = authenticate(srv, call, user, pass)?;
        if matches!(flow, Flow::Block(_)) {
            return Ok(flow);
        }
    }
    let Some(session) = srv.clients.session_mut(call.client) else { return Ok(Flow::Done) };
    if !session.authenticated {
        return Err(CmdError::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
             RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        session.name = name.to_vec();
    }
    let reply = &mut *call.reply;
    if let Some(version) = version {
        session.resp3 = version == 3;
        reply.set_resp3(version == 3);
    }
    let serial = session.serial;
    let following = srv.repl.is_replica();
    // A Sentinel has no role.
    let has_role = srv.sentinel.is_none();
    reply.map(6 + usize::from(has_role));
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk_str(REDIS_VERSION);
    reply.bulk(b"proto");
    reply.int(if reply.resp3() { 3 } else { 2 });
    reply.bulk(b"id");
    reply.int(serial as i64);
    reply.bulk(b"mode");
    reply.bulk_str(srv.identity.mode);
    if has_role {
        reply.bulk(b"role");
        reply.bulk(if following { &b"replica"[..] } else { b"master" });
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(Flow::Done)
}

/// `SELECT index`. Joins: clients, keyspace.
fn select(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let n = arg::int32(call.argv.at(1))?;
    let db = database(srv, n)?;
    if let Some(session) = srv.clients.session_mut(call.client) {
        session.db = db;
    }
    srv.exec.unit.db = db;
    call.reply.ok();
    Ok(Flow::Done)
}

/// A database number that exists.
pub(crate) fn database(srv: &Server, n: i64) -> Result<u32, CmdError> {
    let found = usize::try_from(n).ok().filter(|&n| n < srv.ks.databases());
    found.map(|n| n as u32).ok_or(errors::DB_RANGE)
}

/// `RESET`: the connection as if it were new. Joins: clients, watch, pubsub, configuration.
fn reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let id = call.client;
    if srv.clients.session(id).is_some_and(|s| s.replica || s.primary) {
        return Err(CmdError::new("ERR can only reset normal client connections"));
    }
    transaction::discard(srv, id);
    srv.pubsub.forget(id);
    srv.clients.set_monitor(id, false);
    super::tracking::stop(srv, id);
    let trusted = srv.acl.lets_everybody_in();
    let restricted = srv.acl.default_is_restricted();
    srv.exec.unit.db = 0;
    if let Some(s) = srv.clients.session_mut(id) {
        s.db = 0;
        s.resp3 = false;
        s.was_authenticated |= s.authenticated;
        (s.authenticated, s.let_in) = (trusted, false);
        (s.user, s.restricted) = (acl::DEFAULT, restricted);
        (s.no_evict, s.no_touch) = (s.admin, false);
        // Compat: if this is the reply that is to be skipped, it is.
        if s.reply_mode != ReplyMode::Skip {
            s.reply_mode = ReplyMode::On;
        }
        s.name.clear();
    }
    srv.listed(id);
    call.reply.set_resp3(false);
    call.reply.status("RESET");
    Ok(Flow::Done)
}

/// `QUIT`: the reply, then the end. Joins: clients.
fn quit(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.ok();
    srv.clients.close(call.client, Close::AfterReply);
    Ok(Flow::Done)
}
