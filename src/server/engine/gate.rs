//! Admission: the ordered rules between finding a command and running it.
//!
//! Each rule says with one bit what it is about: the command, its client or the server. It is asked
//! only if that bit is set. The server's bits are kept in one mask (`Exec::concerns`, set by
//! `Server::rearm`), so in the usual case a command passes after two tests.
//!
//! The order is Redis's, because clients see which error comes first. The commands of a transaction
//! were asked when they were queued; the rules with `members` are asked once more when EXEC runs
//! them.

use crate::acl::log::Context;
use crate::commands::own;
use crate::commands::spec::{
    ALLOW_BUSY, DENYOOM, LOADING, MAY_REPLICATE, NO_ASYNC_LOADING, NO_AUTH, NO_MULTI, PROTECTED,
    READONLY, STALE, WRITE,
};
use crate::config::choice::ProtectedAction;
use crate::net::clients::ClientId;
use crate::net::session::{Close, Session};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::engine::access;
use crate::server::engine::audit;
use crate::server::engine::client_memory;
use crate::server::engine::divergence;
use crate::server::engine::evict;
use crate::server::engine::scripts;
use crate::server::engine::transaction;
use crate::server::engine::unit;
use crate::server::parts::Row;
use crate::server::parts::Server;
use crate::server::parts::exec::Unit;
use crate::server::parts::pause::Scope;
use crate::server::parts::table::Handler;
use crate::util::path::os_error;

/// What to do with a command that passed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Run,
    /// Keep it for EXEC.
    Queue,
    /// Run it again from here when the pause is over.
    Postpone,
    /// Its client has just been evicted: it does not run.
    Gone,
}

/// Writes a refusal; an open transaction is broken by it.
#[cold]
pub(crate) fn refuse(
    srv: &mut Server,
    id: ClientId,
    row: Option<&'static Row>,
    e: &CmdError,
    reply: &mut Reply,
) {
    // A refused EXEC ends the transaction, if there is one. Otherwise the client would have to send
    // a second EXEC.
    if row.is_some_and(|r| r.spec.own.has(own::EXEC)) {
        transaction::discard(srv, id);
        let why = e.bytes().strip_prefix(b"ERR ").unwrap_or(e.bytes());
        let why = [b"Transaction discarded because of: ", why].concat();
        reply.error(&CmdError::coded("EXECABORT", why));
        srv.stats.error(b"EXECABORT");
    } else {
        reply.error(e);
        srv.stats.error(e.code());
        divergence::note_refusal(srv, id, row, e);
    }
    if let Some(row) = row {
        srv.stats.commands[usize::from(row.id)].rejected += 1;
    }
    let session = srv.clients.session_mut(id);
    if let Some(multi) = session.and_then(|s| s.multi.as_mut()) {
        multi.broken = true;
    }
}

/// What gives a rule something to look at; a set of bits.
pub(crate) type Concerns = u16;
/// Of the command: it is guarded by a setting.
const GUARDED: Concerns = 1;
/// Of the client: it has not said who it is.
const STRANGER: Concerns = 1 << 1;
/// It is in a transaction.
const IN_MULTI: Concerns = 1 << 2;
/// It is subscribed, and speaks RESP2.
const SUBSCRIBED: Concerns = 1 << 3;
/// It watches all commands, or is a replica.
const LISTENS: Concerns = 1 << 4;
/// Of the server: clients are filed by size, since large ones may be evicted.
const CLIENTS_LIMITED: Concerns = 1 << 5;
/// `maxmemory` is set.
const MEMORY_LIMITED: Concerns = 1 << 6;
/// Too many keys are remembered for clients that cache.
const CROWDED: Concerns = 1 << 7;
/// Writes are refused for the sake of what is or is not on disk or on replicas.
const WRITES_LIMITED: Concerns = 1 << 8;
/// Data is being loaded.
const LOADS: Concerns = 1 << 9;
/// A turn within another's command serves this one.
const BUSY: Concerns = 1 << 10;
/// A pause is in force.
const PAUSED: Concerns = 1 << 11;
/// The server follows a primary.
const FOLLOWS: Concerns = 1 << 12;
/// It does, the link is down, and what it holds is not to be shown.
const STALE_DATA: Concerns = 1 << 13;
/// Of the client: its user may not do everything.
const RESTRICTED: Concerns = 1 << 14;

/// A command that asks to be let in.
struct Ask<'a> {
    id: ClientId,
    row: &'static Row,
    argv: Argv<'a>,
    /// Flags of the command; those of its queue too, if it is EXEC.
    flags: u32,
    /// Those that all commands of its queue have.
    common: u32,
    in_multi: bool,
}

impl Ask<'_> {
    fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Whether all commands of a queue have the flags.
    fn all_have(&self, flags: u32) -> bool {
        self.common & flags == flags
    }

    /// Whether the row has one of our own words.
    fn is(&self, flags: u16) -> bool {
        self.row.spec.own.has(flags)
    }
}

/// A rule answers only what it decides; `Ok(None)` hands on to the next.
type Verdict = Result<Option<Admitted>, CmdError>;

struct Rule {
    concerns: Concerns,
    /// It also holds for what EXEC runs, when it runs.
    members: bool,
    check: fn(&mut Server, &Ask<'_>) -> Verdict,
}

const fn rule(concerns: Concerns, check: fn(&mut Server, &Ask<'_>) -> Verdict) -> Rule {
    Rule { concerns, members: false, check }
}

/// The rules, in Redis's order: clients see which error wins.
static RULES: &[Rule] = &[
    rule(GUARDED, guarded),
    Rule { concerns: STRANGER, members: true, check: authenticated },
    rule(IN_MULTI, fits_a_transaction),
    rule(RESTRICTED, permitted),
    Rule { concerns: RESTRICTED, members: true, check: may_sort },
    rule(CLIENTS_LIMITED, client_memory),
    rule(MEMORY_LIMITED, memory),
    rule(CROWDED, tracking),
    rule(WRITES_LIMITED, writes),
    rule(FOLLOWS, read_only),
    rule(SUBSCRIBED, subscribed),
    rule(STALE_DATA, stale),
    rule(LOADS, loading),
    rule(BUSY, busy),
    rule(LISTENS, listening),
    rule(PAUSED, paused),
    rule(IN_MULTI, queued),
];

/// The server's bits, which are the same for every command. `Exec::concerns` holds them. `CROWDED`
/// is not among them: it changes as keys are read, and is a plain flag already.
pub(crate) fn concerns(srv: &Server) -> Concerns {
    let bit = |on: bool, bit: Concerns| if on { bit } else { 0 };
    bit(srv.clients.tally.files(), CLIENTS_LIMITED)
        | bit(srv.cfg.memory.max_memory > 0, MEMORY_LIMITED)
        | bit(srv.rdb.write_refused() || srv.repl.few || srv.aof.error() != 0, WRITES_LIMITED)
        | bit(srv.loading.is_some(), LOADS)
        | bit(srv.exec.busy, BUSY)
        | bit(srv.pause.scope().is_some(), PAUSED)
        | bit(srv.repl.is_replica(), FOLLOWS)
        | bit(!srv.repl.is_linked() && !srv.cfg.repl.serve_stale_data, STALE_DATA)
}

/// Runs the rules. O(1) but for eviction; two tests where there is nothing to look at.
///
/// Inlined in any case: as a call it made 3 % of a GET (callgrind, pipelines of 16).
#[inline(always)]
pub(crate) fn admit(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
) -> Result<Admitted, CmdError> {
    debug_assert_eq!(srv.exec.concerns, concerns(srv), "somebody forgot to rearm");
    let session = srv.clients.session_mut(id).expect("clients are only reaped between events");
    session.last_command = Some(row.id);
    if !row.spec.arity_ok(argv.len()) || matches!(row.handler, Handler::Container) {
        return Err(errors::wrong_arity(row.name()));
    }
    let plain = session.authenticated
        && session.multi.is_none()
        && !session.subscribed
        && !session.listens();
    // A primary is not told that it may not write.
    let calm = srv.exec.concerns == 0 || session.primary && srv.exec.concerns == FOLLOWS;
    if plain && calm && !srv.tracking.crowded && !row.has(PROTECTED) {
        let user = session.user;
        if !session.restricted || access::may_at_once(&srv.acl, user, row.spec, &argv) {
            return Ok(Admitted::Run);
        }
    }
    admit_by_rules(srv, id, row, argv)
}

#[inline(never)]
fn admit_by_rules(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
) -> Result<Admitted, CmdError> {
    let session = srv.clients.session(id).expect("checked by the caller");
    let of_row = if row.has(PROTECTED) { GUARDED } else { 0 };
    let crowded = if srv.tracking.crowded { CROWDED } else { 0 };
    let mask = srv.exec.concerns | of_row | crowded | concerns_of(session);
    if mask == RESTRICTED && access::may_by_itself(srv, id, row.spec, &argv) {
        return Ok(Admitted::Run);
    }
    let queue = session.multi.as_ref();
    let exec = row.spec.own.has(own::EXEC);
    let ask = Ask {
        id,
        row,
        argv,
        flags: scripts::flags(srv, row, argv)
            | queue.filter(|_| exec).map_or(0, |multi| multi.flags),
        common: queue.filter(|_| exec).map_or(!0, |multi| multi.common),
        in_multi: queue.is_some(),
    };
    for rule in RULES.iter().filter(|rule| rule.concerns & mask != 0) {
        if let Some(verdict) = (rule.check)(srv, &ask)? {
            return Ok(verdict);
        }
    }
    Ok(Admitted::Run)
}

/// Runs the rules that hold for a member of a transaction when EXEC runs it. It has passed the
/// others when it was queued.
pub(crate) fn admit_member(
    srv: &mut Server,
    id: ClientId,
    row: &'static Row,
    argv: Argv<'_>,
) -> Result<(), CmdError> {
    let Some(session) = srv.clients.session(id) else { return Ok(()) };
    if session.restricted
        && let Err(denied) = access::check(srv, id, row, argv, Context::Multi)
    {
        return Err(access::changed_meanwhile(denied));
    }
    let Some(session) = srv.clients.session(id) else { return Ok(()) };
    let mask = concerns_of(session);
    let ask = Ask { id, row, argv, flags: row.flags, common: !0, in_multi: false };
    for rule in RULES.iter().filter(|rule| rule.members && rule.concerns & mask != 0) {
        (rule.check)(srv, &ask)?;
    }
    Ok(())
}

fn concerns_of(session: &Session) -> Concerns {
    let bit = |on: bool, bit: Concerns| if on { bit } else { 0 };
    bit(!session.authenticated, STRANGER)
        | bit(session.restricted, RESTRICTED)
        | bit(session.multi.is_some(), IN_MULTI)
        | bit(session.subscribed && !session.resp3, SUBSCRIBED)
        | bit(session.listens(), LISTENS)
}

fn guarded(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    let loopback = srv.clients.session(ask.id).is_some_and(|s| s.loopback);
    let setting = match ask.is(own::MODULES) {
        true => srv.cfg.acl.module_command,
        false => srv.cfg.acl.debug_command,
    };
    match allowed(setting, loopback) {
        true => Ok(None),
        false => {
            audit::guarded(srv, ask.id, ask.row);
            Err(access::guarded(ask.row))
        }
    }
}

fn authenticated(_: &mut Server, ask: &Ask<'_>) -> Verdict {
    if ask.row.has(NO_AUTH) { Ok(None) } else { Err(errors::NO_AUTH) }
}

/// The rules of the client's user.
fn permitted(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    let context = if ask.in_multi { Context::Multi } else { Context::TopLevel };
    match access::check(srv, ask.id, ask.row, ask.argv, context) {
        Ok(()) => Ok(None),
        Err(denied) => Err(access::refusal(srv, ask.id, ask.row, ask.argv, denied)),
    }
}

/// Asked when it runs, not when it is queued.
fn may_sort(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    if !ask.in_multi {
        access::check_sort(srv, ask.id, ask.row, ask.argv, Context::TopLevel)?;
    }
    Ok(None)
}

fn fits_a_transaction(_: &mut Server, ask: &Ask<'_>) -> Verdict {
    match ask.row.has(NO_MULTI) {
        true => Err(CmdError::new("ERR Command not allowed inside a transaction")),
        false => Ok(None),
    }
}

fn client_memory(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    // While a command runs no client may leave.
    if srv.exec.nesting == 0 {
        client_memory::evict(srv);
    }
    let leaves = srv.clients.session(ask.id).is_none_or(|s| s.close == Close::Now);
    Ok(leaves.then_some(Admitted::Gone))
}

fn memory(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    if srv.loading.is_some() {
        return Ok(None);
    }
    let over = !evict::perform(srv);
    srv.exec.short = over;
    // A queue takes memory, whatever is in it. The commands that end a transaction free it.
    let queues = ask.in_multi && !ask.is(own::ENDS_MULTI);
    if over && (ask.has(DENYOOM) || queues) { Err(errors::OOM) } else { Ok(None) }
}

fn tracking(srv: &mut Server, _: &Ask<'_>) -> Verdict {
    unit::within(srv, Unit::SERVER, Server::limit_tracked_keys);
    Ok(None)
}

fn writes(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    if obeys(srv, ask.id) {
        // What it was told must be done, on disk or not.
        if disk_works(srv).is_err() && !ask.is(own::HEALTH) {
            divergence::apply_without_disk(srv);
        }
    } else if ask.has(WRITE) {
        writes_allowed(srv)?;
    } else if ask.is(own::HEALTH) {
        disk_works(srv)?;
    }
    Ok(None)
}

/// Whether writes are let in, as far as what is on disk and on replicas is concerned.
pub(crate) fn writes_allowed(srv: &Server) -> Result<(), CmdError> {
    disk_works(srv)?;
    if srv.repl.few { Err(errors::NO_REPLICAS) } else { Ok(()) }
}

/// Whether a client is the primary that this server follows.
fn obeys(srv: &Server, id: ClientId) -> bool {
    srv.clients.session(id).is_some_and(|session| session.primary)
}

/// Whether clients may not write, since the data is the primary's.
pub(crate) fn follows_read_only(srv: &Server) -> bool {
    let obeys = srv.exec.unit.obeys;
    srv.repl.is_replica() && srv.cfg.repl.read_only && !obeys && srv.loading.is_none()
}

fn read_only(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    let refused = ask.has(WRITE) && srv.cfg.repl.read_only && !obeys(srv, ask.id);
    if refused { Err(errors::READ_ONLY_REPLICA) } else { Ok(None) }
}

/// Whether the data may be old, and is not to be shown.
pub(crate) fn is_stale(srv: &Server) -> bool {
    let shows = srv.cfg.repl.serve_stale_data || srv.exec.unit.obeys;
    !srv.repl.is_linked() && !shows
}

fn stale(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    let may = ask.has(STALE) && ask.all_have(STALE) || obeys(srv, ask.id);
    if may { Ok(None) } else { Err(errors::PRIMARY_DOWN) }
}

fn disk_works(srv: &Server) -> Result<(), CmdError> {
    if srv.rdb.write_refused() {
        return Err(errors::MISCONF_RDB);
    }
    if srv.aof.error() != 0 {
        let error = os_error(&std::io::Error::from_raw_os_error(srv.aof.error()));
        return Err(CmdError::coded("MISCONF", format!("Errors writing to the AOF file: {error}")));
    }
    Ok(())
}

fn subscribed(_: &mut Server, ask: &Ask<'_>) -> Verdict {
    if ask.is(own::FOR_SUBSCRIBERS) {
        return Ok(None);
    }
    Err(CmdError::err(format!(
        "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        ask.row.name()
    )))
}

fn loading(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    let now_ms = srv.clock.now_ms;
    let ends = srv.loading.as_ref().is_some_and(|loading| loading.may_be_called_off(now_ms));
    if ends && ask.is(own::ENDS_LOAD) && srv.repl.is_loading() {
        return Ok(None);
    }
    let aside = srv.loading.as_ref().is_some_and(|loading| loading.aside);
    let may = if aside {
        !ask.row.has(NO_ASYNC_LOADING)
    } else {
        ask.row.has(LOADING) && ask.all_have(LOADING)
    };
    if may { Ok(None) } else { Err(errors::LOADING) }
}

fn busy(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    match &srv.script.running {
        _ if ask.row.has(ALLOW_BUSY) => Ok(None),
        Some(running) => Err(running.busy()),
        // While data is loaded the rule above has decided.
        None if srv.loading.is_some() => Ok(None),
        None => Err(errors::BUSY),
    }
}

/// Compat: to redis-server a client in MONITOR is a kind of replica.
fn listening(_: &mut Server, ask: &Ask<'_>) -> Verdict {
    match ask.has(WRITE | MAY_REPLICATE | READONLY) {
        true => Err(CmdError::new("ERR Replica can't interact with the keyspace")),
        false => Ok(None),
    }
}

fn paused(srv: &mut Server, ask: &Ask<'_>) -> Verdict {
    // Compat: a client in MONITOR counts as a replica, so a pause does not hold it up either.
    if srv.clients.session(ask.id).is_some_and(|s| s.listens()) {
        return Ok(None);
    }
    let held = match srv.pause.scope() {
        Some(Scope::All) => true,
        Some(Scope::Writes) => ask.has(WRITE | MAY_REPLICATE),
        None => false,
    };
    Ok(held.then_some(Admitted::Postpone))
}

fn queued(_: &mut Server, ask: &Ask<'_>) -> Verdict {
    Ok((!ask.is(own::RUNS_IN_MULTI)).then_some(Admitted::Queue))
}

/// Whether a guarded action is open to a client.
pub(crate) fn allowed(setting: ProtectedAction, loopback: bool) -> bool {
    match setting {
        ProtectedAction::No => false,
        ProtectedAction::Yes => true,
        ProtectedAction::Local => loopback,
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::spec;

    /// What the rules must know of a command stands in its row.
    #[test]
    fn no_rule_knows_a_command_by_its_name() {
        let code = include_str!("gate.rs").split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for text in line.split('"').skip(1).step_by(2) {
                assert!(spec::find(&text.to_ascii_lowercase()).is_none(), "{text}: {line}");
            }
        }
    }
}
