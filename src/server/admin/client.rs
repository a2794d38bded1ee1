//! CLIENT: what is known of connections, and what a connection says of itself.

use crate::commands::{CmdResult, Flow, arg};
use crate::net::clients::{Client, ClientId};
use crate::net::session::{Close, ReplyMode};
use crate::resp::errors::{self, CmdError};
use crate::server::admin::client_filter::{self, Filter};
use crate::server::engine::blocking;
use crate::server::engine::describe::line_with;
use crate::server::engine::offsets;
use crate::server::jobs::pause;
use crate::server::parts::ServerRow;
use crate::server::parts::pause::{Purpose, Scope};
use crate::server::parts::{Call, Server};
use crate::server::reactor::reap;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("client|id", id),
    ("client|getname", getname),
    ("client|setname", setname),
    ("client|setinfo", setinfo),
    ("client|info", info),
    ("client|list", list),
    ("client|reply", reply_mode),
    ("client|no-evict", no_evict),
    ("client|no-touch", no_touch),
    ("client|kill", kill),
    ("client|unblock", unblock),
    ("client|pause", pause_clients),
    ("client|unpause", unpause),
];

/// `CLIENT ID`. Joins: clients.
fn id(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let serial = srv.clients.session(call.client).map_or(0, |s| s.serial);
    call.reply.int(serial as i64);
    Ok(Flow::Done)
}

/// `CLIENT GETNAME`. Joins: clients.
fn getname(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    match srv.clients.session(call.client).map(|s| &s.name) {
        Some(name) if !name.is_empty() => call.reply.bulk(name),
        _ => call.reply.null(),
    }
    Ok(Flow::Done)
}

/// Whether a text keeps the columns of CLIENT LIST apart. Compat: nothing behind a NUL is looked
/// at, or shown there.
fn is_plain(text: &[u8]) -> bool {
    errors::shown(text).iter().all(|c| (b'!'..=b'~').contains(c))
}

/// A name must not break the columns of CLIENT LIST.
pub(crate) fn check_name(name: &[u8]) -> Result<(), CmdError> {
    match is_plain(name) {
        true => Ok(()),
        false => Err(CmdError::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        )),
    }
}

/// `CLIENT SETNAME name`. Joins: clients.
fn setname(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    check_name(call.argv.at(2))?;
    if let Some(s) = srv.clients.session_mut(call.client) {
        s.name = call.argv.at(2).to_vec();
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT SETINFO LIB-NAME|LIB-VER value`. Joins: clients.
fn setinfo(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (option, value) = (call.argv.at(2), call.argv.at(3));
    let name = if arg::is(option, "lib-name") {
        true
    } else if arg::is(option, "lib-ver") {
        false
    } else {
        return Err(CmdError::err(
            [b"Unrecognized option '", errors::shown(option), b"'"].concat(),
        ));
    };
    if !is_plain(value) {
        let why = b" cannot contain spaces, newlines or special characters.";
        return Err(CmdError::err([errors::shown(option), why].concat()));
    }
    if let Some(s) = srv.clients.session_mut(call.client) {
        *(if name { &mut s.lib_name } else { &mut s.lib_ver }) = value.to_vec();
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT INFO`. Joins: clients.
fn info(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(client) = srv.clients.get(call.client) else { return Ok(Flow::Done) };
    let mut text = line_with(srv, client, call.argv.bytes());
    text.push(b'\n');
    call.reply.verbatim("txt", &text);
    Ok(Flow::Done)
}

/// `CLIENT LIST [TYPE type] [ID id ...]`, or any filters of Valkey 9 (`client_filter`). O(clients).
/// Joins: clients.
fn list(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let mut text = Vec::new();
    let mut add = |client: &Client| {
        text.extend(line_with(srv, client, argv.bytes()));
        text.push(b'\n');
    };
    match argv.len() {
        2 => srv.clients.iter().for_each(&mut add),
        n if n > 3 && arg::is(argv[2], "id") && !has_more_filters(argv.from(3)) => {
            // Compat: in the order in which they are named, and as often.
            for text in argv.from(3) {
                let id = arg::int_in(text, i64::MIN, i64::MAX, "Invalid client ID")?;
                if let Some(client) =
                    srv.clients.by_serial(id as u64).and_then(|id| srv.clients.get(id))
                {
                    add(client);
                }
            }
        }
        n if n > 3 => {
            let filter = Filter::parse(srv, argv.from(2), false)?;
            let (me, now) = (call.client, srv.clock.now_ms);
            srv.clients.iter().filter(|c| filter.takes(c, me, now)).for_each(&mut add);
        }
        _ => return Err(errors::SYNTAX),
    }
    call.reply.verbatim("txt", &text);
    Ok(Flow::Done)
}

/// Whether another filter follows the IDs. Compat: anything else among them is a wrong ID.
fn has_more_filters(ids: &[&[u8]]) -> bool {
    let word = ids.iter().position(|text| crate::util::num::parse_i64(text).is_none());
    word.is_some_and(|at| at > 0 && at + 1 < ids.len() && client_filter::is_word(ids[at]))
}

/// `CLIENT REPLY ON|OFF|SKIP`. Joins: clients.
fn reply_mode(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(s) = srv.clients.session_mut(call.client) else { return Ok(Flow::Done) };
    match arg::lower(call.argv.at(2)).as_slice() {
        b"on" => {
            s.reply_mode = ReplyMode::On;
            call.reply.ok();
        }
        b"off" => s.reply_mode = ReplyMode::Off,
        b"skip" if s.reply_mode != ReplyMode::Off => s.reply_mode = ReplyMode::SkipNext,
        b"skip" => {}
        _ => return Err(errors::SYNTAX),
    }
    Ok(Flow::Done)
}

fn on_off(word: &[u8]) -> Result<bool, CmdError> {
    match arg::lower(word).as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(errors::SYNTAX),
    }
}

/// `CLIENT NO-EVICT ON|OFF`. Joins: clients.
fn no_evict(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let on = on_off(call.argv.at(2))?;
    if let Some(s) = srv.clients.session_mut(call.client) {
        s.no_evict = on;
    }
    srv.clients.account(call.client, 0);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT NO-TOUCH ON|OFF`. Joins: clients.
fn no_touch(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let on = on_off(call.argv.at(2))?;
    if let Some(s) = srv.clients.session_mut(call.client) {
        s.no_touch = on;
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT KILL addr` or `CLIENT KILL [ID id] [ADDR ..] [LADDR ..] [TYPE ..] [USER ..] [MAXAGE ..]
/// [SKIPME yes|no]`, or any filters of Valkey 9. O(clients). Joins: clients.
fn kill(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    let old_form = argv.len() == 3;
    let filter = if old_form {
        Filter::of_addr(argv.at(2))
    } else {
        Filter::parse(srv, argv.from(2), true)?
    };
    let now = srv.clock.now_ms;
    let chosen: Vec<ClientId> =
        srv.clients.iter().filter(|c| filter.takes(c, call.client, now)).map(|c| c.id).collect();
    for &id in &chosen {
        match id == call.client {
            true => srv.clients.close(id, Close::AfterReply),
            false => reap::end(srv, id),
        }
    }
    match (old_form, chosen.len()) {
        (true, 0) => return Err(CmdError::new("ERR No such client")),
        (true, _) => call.reply.ok(),
        (false, n) => call.reply.len_int(n),
    }
    Ok(Flow::Done)
}

/// `CLIENT PAUSE timeout [WRITE|ALL]`: `timeout` in milliseconds. Joins: pause.
fn pause_clients(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.len() > 4 {
        return Err(errors::unknown_subcommand("client", call.argv[1]));
    }
    let scope = match call.argv.get(3).map(|w| arg::lower(w)) {
        None => Scope::All,
        Some(w) if w == b"all" => Scope::All,
        Some(w) if w == b"write" => Scope::Writes,
        Some(_) => return Err(CmdError::new("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout = crate::util::num::parse_i64(call.argv.at(2))
        .ok_or(CmdError::new("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CmdError::new("ERR timeout is negative"));
    }
    let until = srv.clock.now_ms.checked_add(timeout);
    pause::start(
        srv,
        Purpose::Command,
        scope,
        until.ok_or(CmdError::new("ERR timeout is out of range"))?,
    );
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT UNPAUSE`. O(clients held back). Joins: pause.
fn unpause(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    pause::end(srv, Purpose::Command);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`. Joins: clients, blocked.
fn unblock(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let argv = call.argv;
    if argv.len() > 4 {
        return Err(errors::unknown_subcommand("client", argv[1]));
    }
    let with_error = match argv.get(3).map(|w| arg::lower(w)) {
        None => false,
        Some(w) if w == b"timeout" => false,
        Some(w) if w == b"error" => true,
        Some(_) => {
            return Err(CmdError::new("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
    };
    let serial = arg::int(argv[2])?;
    let id = u64::try_from(serial).ok().and_then(|s| srv.clients.by_serial(s));
    let parked = id.and_then(|id| Some((id, blocking::unpark(srv, id)?)));
    let Some((id, parked)) = parked else {
        call.reply.int(0);
        return Ok(Flow::Done);
    };
    blocking::with_reply(srv, id, |srv, reply| {
        if with_error {
            let e = CmdError::new("UNBLOCKED client unblocked via CLIENT UNBLOCK");
            reply.error(&e);
            srv.stats.error(e.code());
        } else {
            offsets::write_nothing(srv, &parked.waiting, reply);
        }
    });
    blocking::account_unblocked(srv, id, &parked, with_error);
    srv.net.wake(id);
    call.reply.int(1);
    Ok(Flow::Done)
}
