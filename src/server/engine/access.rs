//! Who may run what: the rules of users, asked before a command runs.
//!
//! A client keeps the number of its user, and whether that user is restricted at all. Whoever
//! changes users calls [`refresh`], which keeps that true and ends the connections of users that
//! are gone.

use crate::acl::file;
use crate::acl::keys::Form;
use crate::acl::log::{Context, Event, Reason};
use crate::acl::role::Role;
use crate::acl::selector::Denied;
use crate::acl::user::User;
use crate::acl::{self, Acl, UserId};
use crate::commands::arg;
use crate::commands::own::Finder;
use crate::commands::spec::{KEY_ACCESS, Spec};
use crate::net::clients::ClientId;
use crate::net::session::Close;
use crate::pubsub::Kind;
use crate::resp::argv::Argv;
use crate::resp::errors::CmdError;
use crate::server::engine::audit;
use crate::server::engine::describe::describe;
use crate::server::parts::{Row, Server};
use crate::util::path::{os_error, to_path};

/// Bytes of a key, a channel or the name of a user that ACL LOG keeps.
const LONGEST_LOGGED: usize = 4096;

/// The user of a client; None: it is gone.
pub(crate) fn user_of(srv: &Server, id: ClientId) -> Option<&User> {
    srv.acl.get(srv.clients.session(id)?.user)
}

/// Whether a user may run a command, as far as a quick look at its own rules tells: false may mean
/// that it takes a longer one. It calls nothing, so it saves no registers.
#[inline(never)]
pub(crate) fn may_at_once(acl: &Acl, user: UserId, spec: &Spec, argv: &[&[u8]]) -> bool {
    match acl.get(user) {
        Some(user) => user.may_at_once(spec, argv),
        None => false,
    }
}

/// Whether a user's own rules allow a command of a client, and there is nothing else to ask. If
/// not, the rules of the gate find out why.
pub(crate) fn may_by_itself(srv: &Server, id: ClientId, spec: &Spec, argv: &[&[u8]]) -> bool {
    // SORT may read other keys.
    let sorts = matches!(spec.own.finder, Finder::Sort | Finder::SortRo);
    let Some(session) = srv.clients.session(id).filter(|_| !sorts) else { return false };
    let user = srv.acl.get(session.user);
    user.is_some_and(|user| user.may_by_itself(spec, argv, session.db))
}

/// Whether a client may run a command; a denial is logged and counted.
pub(crate) fn check(
    srv: &mut Server,
    id: ClientId,
    row: &Row,
    argv: Argv<'_>,
    context: Context,
) -> Result<(), Denied> {
    let db = database_of(srv, id, context);
    let result = match user_of(srv, id) {
        Some(user) => user.check(row.spec, &argv, db),
        None => Err(Denied::Command),
    };
    if let Err(denied) = result {
        note(srv, id, row, argv, context, denied);
    }
    result
}

/// The database in which a client's command runs, or will run when its transaction does.
pub(crate) fn database_of(srv: &Server, id: ClientId, context: Context) -> u32 {
    let Some(session) = srv.clients.session(id) else { return 0 };
    match context {
        Context::Script => srv.exec.unit.db,
        _ if session.executing.is_some() => srv.exec.unit.db,
        _ => session.multi.as_ref().and_then(|multi| multi.db).unwrap_or(session.db),
    }
}

#[cold]
fn note(
    srv: &mut Server,
    id: ClientId,
    row: &Row,
    argv: Argv<'_>,
    context: Context,
    denied: Denied,
) {
    let (reason, object) = match denied {
        Denied::Database(at) => (Reason::Database, argv[at]),
        Denied::Command => (Reason::Command, row.name().as_bytes()),
        Denied::Key(at) => (Reason::Key, argv[at]),
        Denied::Channel(at) => (Reason::Channel, argv[at]),
    };
    let user = user_of(srv, id).map(|user| user.name.clone()).unwrap_or_default();
    audit::denied(srv, id, row, (reason, context), object);
    log(srv, id, reason, context, object.to_vec(), user);
}

/// Puts what was denied into ACL LOG, and counts it.
///
/// Compat: Redis keeps names of any length. Here they are cut, since who may do nothing would fill
/// the memory with them.
pub(crate) fn log(
    srv: &mut Server,
    id: ClientId,
    reason: Reason,
    context: Context,
    mut object: Vec<u8>,
    mut user: Vec<u8>,
) {
    for name in [&mut object, &mut user] {
        name.truncate(LONGEST_LOGGED);
        name.shrink_to_fit();
    }
    let n = &mut srv.stats.n;
    match reason {
        Reason::Auth => n.auth_denied += 1,
        Reason::Command => n.command_denied += 1,
        Reason::Key => n.key_denied += 1,
        Reason::Channel => n.channel_denied += 1,
        Reason::Database => n.database_denied += 1,
    }
    let client = srv.clients.get(id).map(|client| describe(srv, client)).unwrap_or_default();
    let event = Event { reason, context, object, user, client, now_ms: srv.clock.now_ms };
    let max = usize::try_from(srv.cfg.acl.log_max_len).unwrap_or(usize::MAX);
    srv.acl.log.note(event, max);
}

/// What the client is told. Which key or channel it was, only an administrator learns
/// (`verbose`).
pub(crate) fn message(
    user: &[u8],
    row: &Row,
    argv: Argv<'_>,
    denied: Denied,
    verbose: bool,
) -> Vec<u8> {
    let may_not = [b"User ", user, b" has no permissions to "].concat();
    match denied {
        Denied::Database(at) if verbose => [&may_not[..], b"access database ", argv[at]].concat(),
        Denied::Database(_) => b"No permissions to access database".to_vec(),
        Denied::Command => {
            [&may_not[..], b"run the '", row.name().as_bytes(), b"' command"].concat()
        }
        Denied::Key(at) if verbose => [&may_not[..], b"access the '", argv[at], b"' key"].concat(),
        Denied::Channel(at) if verbose => {
            [&may_not[..], b"access the '", argv[at], b"' channel"].concat()
        }
        Denied::Key(_) => b"No permissions to access a key".to_vec(),
        Denied::Channel(_) => b"No permissions to access a channel".to_vec(),
    }
}

/// The error of a command that a client may not run.
pub(crate) fn refusal(
    srv: &Server,
    id: ClientId,
    row: &Row,
    argv: Argv<'_>,
    denied: Denied,
) -> CmdError {
    let name = user_of(srv, id).map_or(&b"default"[..], |user| &user.name);
    CmdError::coded("NOPERM", message(name, row, argv, denied, false))
}

/// The error of a command that a setting guards from this client.
#[cold]
pub(crate) fn guarded(row: &Row) -> CmdError {
    let name = row.name().split('|').next().unwrap_or_default();
    CmdError::err(format!(
        "{} command not allowed. If the enable-{name}-command option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the configuration \
         file, and then restart the server.",
        name.to_ascii_uppercase()
    ))
}

/// SORT reads keys that it is not told of. That needs the right to read all. A denial is in the
/// audit log.
///
/// Compat: as in Redis, neither ACL LOG nor the counters know of it.
pub(crate) fn check_sort(
    srv: &mut Server,
    id: ClientId,
    row: &Row,
    argv: Argv<'_>,
    context: Context,
) -> Result<(), CmdError> {
    let Some((option, pattern)) = sort_option(row.spec, argv) else { return Ok(()) };
    let db = database_of(srv, id, context);
    let reads_all = |user: &User| user.check_every_key(row.spec, &argv, db, KEY_ACCESS);
    if user_of(srv, id).is_some_and(reads_all) {
        return Ok(());
    }
    let executing = srv.clients.session(id).is_some_and(|session| session.executing.is_some());
    let context = match context {
        Context::TopLevel if executing => Context::Multi,
        context => context,
    };
    audit::denied(srv, id, row, (Reason::Key, context), argv[pattern]);
    let text = format!("{option} option of SORT denied due to insufficient ACL permissions.");
    Err(CmdError::err(text))
}

/// The first option of SORT that reads other keys, and where their pattern is. None too where SORT
/// itself will refuse what stands before it: that error comes first.
fn sort_option(spec: &Spec, argv: Argv<'_>) -> Option<(&'static str, usize)> {
    if !matches!(spec.own.finder, Finder::Sort | Finder::SortRo) {
        return None;
    }
    let stores = spec.own.finder == Finder::Sort;
    let mut at = 2;
    while let Some(word) = argv.get(at) {
        let value = argv.get(at + 1);
        at += match arg::lower(word).as_slice() {
            b"asc" | b"desc" | b"alpha" => 1,
            b"limit" if at + 2 < argv.len() => {
                arg::int(argv[at + 1]).and_then(|_| arg::int(argv[at + 2])).ok()?;
                3
            }
            b"by" if value.is_some_and(|pattern| pattern.contains(&b'*')) => {
                return Some(("BY", at + 1));
            }
            // Compat: `GET #` reads no other key, and is denied all the same.
            b"get" if value.is_some() => return Some(("GET", at + 1)),
            b"by" if value.is_some() => 2,
            b"store" if value.is_some() && stores => 2,
            _ => return None,
        };
    }
    None
}

/// After a change of users: clients learn whether they are restricted and whether they have to log
/// in, and those whose user is gone leave. O(clients). `asker` gets its reply first.
pub(crate) fn refresh(srv: &mut Server, asker: ClientId) {
    let open = srv.acl.lets_everybody_in();
    let ids: Vec<ClientId> = srv.clients.iter().map(|client| client.id).collect();
    for id in ids {
        let Some(session) = srv.clients.session(id) else { continue };
        if session.primary {
            continue;
        }
        let user = session.user;
        let restricted = srv.acl.get(user).map(|user| !user.is_open());
        let Some(session) = srv.clients.session_mut(id) else { continue };
        session.restricted = restricted.unwrap_or(true);
        // Who came while a password was needed has to give it when it is needed again.
        match open {
            true if user == acl::DEFAULT && !session.authenticated => {
                (session.authenticated, session.let_in) = (true, true);
            }
            false if session.let_in => (session.authenticated, session.let_in) = (false, false),
            _ => {}
        }
        if restricted.is_none() {
            (session.user, session.authenticated) = (acl::DEFAULT, false);
            let how = if id == asker { Close::AfterReply } else { Close::Now };
            srv.clients.close(id, how);
        }
    }
}

/// Ends the connections of a user that listen to what it may not hear any more.
pub(crate) fn end_listeners(srv: &mut Server, user: UserId) {
    let Some(rules) = srv.acl.get(user) else { return };
    let mut gone = Vec::new();
    for client in srv.clients.iter().filter(|c| c.session.user == user && c.session.subscribed) {
        let forbidden = [(Kind::Pattern, true), (Kind::Channel, false), (Kind::Shard, false)]
            .into_iter()
            .any(|(kind, pattern)| {
                let names = srv.pubsub.of(client.id, kind);
                names.iter().any(|name| !rules.allows_channel(name, pattern))
            });
        if forbidden {
            gone.push(client.id);
        }
    }
    for id in gone {
        srv.clients.close(id, Close::Now);
    }
}

/// A command of a queue that was allowed when it was queued.
#[cold]
pub(crate) fn changed_meanwhile(denied: Denied) -> CmdError {
    let why = match denied {
        Denied::Database(_) => "no permission to access the database",
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => {
            "no permission to access one of the channels used as argument to the command"
        }
    };
    CmdError::coded(
        "NOPERM",
        format!(
            "ACLs rules changed between the moment the transaction was accumulated and the EXEC \
             call. This command is no longer allowed for the following reason: {why}"
        ),
    )
}

/// Takes the users and roles of the file `aclfile`. The error tells all that is wrong with it; then
/// nothing has changed.
pub(crate) fn load_file(srv: &mut Server) -> Result<(), String> {
    let name = String::from_utf8_lossy(&srv.cfg.acl.file).into_owned();
    let text = std::fs::read(to_path(&srv.cfg.acl.file))
        .map_err(|e| format!("Error loading ACLs, opening file '{name}': {}", os_error(&e)))?;
    let held = file::read(&text, &name, srv.acl.all_channels)?;
    srv.acl.replace(held);
    Ok(())
}

/// The lines `user ...` of the configuration file; none if another file holds the users.
pub(crate) fn lines(srv: &Server) -> Vec<Vec<u8>> {
    match srv.cfg.acl.file.is_empty() {
        true => {
            srv.acl.users().map(|user| file::config_line(&file::line(user, Form::Kept))).collect()
        }
        false => Vec::new(),
    }
}

/// The lines `role ...` of the configuration file, likewise.
pub(crate) fn role_lines(srv: &Server) -> Vec<Vec<u8>> {
    let line = |role: &Role| file::config_line(&file::role_line(role, Form::Kept));
    match srv.cfg.acl.file.is_empty() {
        true => srv.acl.roles().iter().map(line).collect(),
        false => Vec::new(),
    }
}
