//! ACL: users and roles, their rules, and what was denied.
//!
//! Whoever changes users has `engine::access` bring all clients into line.

use crate::acl::file;
use crate::acl::keys::Form;
use crate::acl::rights::Rights;
use crate::acl::selector::{self, Selector};
use crate::commands::spec::{self, Spec};
use crate::commands::{CmdResult, Flow, arg};
use crate::config::rewrite::write_atomically;
use crate::log;
use crate::resp::errors::{self, CmdError, shown};
use crate::resp::reply::Reply;
use crate::server::engine::{access, dispatch};
use crate::server::parts::identity::random_bytes;
use crate::server::parts::{Call, Server, ServerRow};
use crate::util::path::to_path;

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("acl|cat", cat),
    ("acl|delrole", delrole),
    ("acl|deluser", deluser),
    ("acl|dryrun", dryrun),
    ("acl|genpass", genpass),
    ("acl|getrole", getrole),
    ("acl|getuser", getuser),
    ("acl|help", super::help::help),
    ("acl|list", list),
    ("acl|load", load),
    ("acl|log", show_log),
    ("acl|roles", roles),
    ("acl|save", save),
    ("acl|setrole", setrole),
    ("acl|setuser", setuser),
    ("acl|users", users),
    ("acl|whoami", whoami),
];

/// `ACL CAT [category]`. O(commands). Joins: table.
fn cat(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let reply = &mut *call.reply;
    match call.argv.len() {
        2 => {
            reply.array(spec::CATEGORIES.len());
            spec::CATEGORIES.iter().for_each(|name| reply.bulk_str(name));
        }
        3 => {
            let unknown = || {
                let name = shown(call.argv[2]);
                let name = &name[..name.len().min(128)];
                CmdError::err([b"Unknown category '", name, b"'"].concat())
            };
            let bit = selector::category(call.argv[2]).ok_or_else(unknown)?;
            let in_it = |spec: &&Spec| spec.acl & bit != 0;
            let found: Vec<&Spec> =
                srv.table.rows().iter().map(|row| row.spec).filter(in_it).collect();
            reply.array(found.len());
            found.iter().for_each(|spec| reply.bulk_str(spec.name));
        }
        _ => return Err(errors::unknown_subcommand("acl", call.argv[1])),
    }
    Ok(Flow::Done)
}

/// `ACL SETUSER name [rule ...]`: all rules or none. O(rules + clients). Joins: acl, clients,
/// pubsub.
fn setuser(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let name = call.argv.at(2);
    if selector::has_spaces(name) {
        return Err(CmdError::new("ERR Usernames can't contain spaces or null characters"));
    }
    let changed = srv.acl.set(name, call.argv.from(3)).map_err(|text| on_one_line(&text))?;
    if changed.loses_channels {
        access::end_listeners(srv, changed.id);
    }
    access::refresh(srv, call.client);
    call.reply.ok();
    Ok(Flow::Done)
}

/// An error with words of the client in it. A text of several lines would be several replies.
fn on_one_line(text: &[u8]) -> CmdError {
    let line = |b: &u8| if matches!(b, b'\r' | b'\n') { b' ' } else { *b };
    CmdError::err(text.iter().map(line).collect::<Vec<u8>>())
}

/// `ACL SETROLE name [rule ...]`: all rules or none, at once for all users that have the role.
/// O(rules + users + clients of those that lose channels). Joins: acl, clients, pubsub.
fn setrole(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let losers = srv.acl.set_role(call.argv.at(2), call.argv.from(3));
    for user in losers.map_err(|text| on_one_line(&text))? {
        access::end_listeners(srv, user);
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `ACL DELROLE name [name ...]`: all or, if a user has one of them, none. O(users). Joins: acl.
fn delrole(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let gone = srv.acl.remove_roles(call.argv.from(2)).map_err(|text| on_one_line(&text))?;
    call.reply.len_int(gone);
    Ok(Flow::Done)
}

/// `ACL GETROLE name`. O(rules + users). Joins: acl.
fn getrole(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let reply = &mut *call.reply;
    let Some(role) = srv.acl.roles().get(call.argv.at(2)) else {
        reply.null();
        return Ok(Flow::Done);
    };
    reply.map(6);
    describe_all(reply, role.rights(), Databases::Always);
    reply.bulk(b"users");
    let names: Vec<&[u8]> = srv.acl.holders(&role.name).map(|user| &user.name[..]).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name));
    Ok(Flow::Done)
}

/// `ACL ROLES`. O(roles). Joins: acl.
fn roles(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.array(srv.acl.roles().len());
    srv.acl.roles().iter().for_each(|role| call.reply.bulk(&role.name));
    Ok(Flow::Done)
}

/// `ACL DELUSER name [name ...]`. O(users + clients). Joins: acl, clients.
fn deluser(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let names = call.argv.from(2);
    if names.contains(&&b"default"[..]) {
        return Err(CmdError::new("ERR The 'default' user cannot be removed"));
    }
    let gone = names.iter().filter(|name| srv.acl.remove(name).is_some()).count();
    access::refresh(srv, call.client);
    call.reply.len_int(gone);
    Ok(Flow::Done)
}

/// `ACL GETUSER name`. O(rules). Joins: acl.
fn getuser(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let reply = &mut *call.reply;
    let Some(user) = srv.acl.by_name(call.argv.at(2)) else {
        reply.null();
        return Ok(Flow::Done);
    };
    let rights = user.own();
    // Compat: Redis knows nothing of databases and roles here. Valkey 9.1 and 9.2 do.
    let databases = usize::from(Databases::IfAny.text_of(rights.root()).is_some());
    reply.map(6 + databases + usize::from(!user.roles().is_empty()));
    reply.bulk(b"flags");
    let flags: Vec<&str> = user.flags().collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk_str(flag));
    reply.bulk(b"passwords");
    reply.array(user.passwords().len());
    user.passwords().iter().for_each(|hash| reply.bulk_str(hash));
    describe_all(reply, rights, Databases::IfAny);
    if !user.roles().is_empty() {
        reply.bulk(b"roles");
        reply.array(user.roles().len());
        user.roles().iter().for_each(|role| reply.bulk(&role.name));
    }
    Ok(Flow::Done)
}

/// Whether a reply has a field for the databases.
#[derive(Clone, Copy)]
enum Databases {
    /// Only for a selector with a rule about them.
    IfAny,
    Always,
}

impl Databases {
    fn text_of(self, selector: &Selector) -> Option<String> {
        let all = || matches!(self, Databases::Always).then(|| "alldbs".to_owned());
        selector.databases_text().or_else(all)
    }
}

/// The fields of a selector, and one that lists the selectors in parentheses.
fn describe_all(reply: &mut Reply, rights: &Rights, databases: Databases) {
    describe(reply, rights.root(), databases);
    reply.bulk(b"selectors");
    reply.array(rights.selectors().len());
    for selector in rights.selectors() {
        reply.map(3 + usize::from(databases.text_of(selector).is_some()));
        describe(reply, selector, databases);
    }
}

/// The fields of a selector.
fn describe(reply: &mut Reply, selector: &Selector, databases: Databases) {
    reply.bulk(b"commands");
    reply.bulk(&selector.commands_text());
    reply.bulk(b"keys");
    reply.bulk(&selector.keys_text(Form::Shown));
    reply.bulk(b"channels");
    reply.bulk(&selector.channels_text());
    if let Some(text) = databases.text_of(selector) {
        reply.bulk(b"databases");
        reply.bulk_str(text);
    }
}

/// `ACL LIST`: roles come first. O(roles + users). Joins: acl.
fn list(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.array(srv.acl.roles().len() + srv.acl.len());
    srv.acl.roles().iter().for_each(|role| call.reply.bulk(&file::role_line(role, Form::Shown)));
    srv.acl.users().for_each(|user| call.reply.bulk(&file::line(user, Form::Shown)));
    Ok(Flow::Done)
}

/// `ACL USERS`. O(users). Joins: acl.
fn users(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.array(srv.acl.len());
    srv.acl.users().for_each(|user| call.reply.bulk(&user.name));
    Ok(Flow::Done)
}

/// `ACL WHOAMI`. Joins: acl, clients.
fn whoami(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    match access::user_of(srv, call.client) {
        Some(user) => call.reply.bulk(&user.name),
        None => call.reply.null(),
    }
    Ok(Flow::Done)
}

/// `ACL GENPASS [bits]`: four bits a digit. Joins: nothing.
fn genpass(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    const MAX_BITS: i64 = 4096;
    let bits = match call.argv.len() {
        2 => 256,
        3 => arg::int(call.argv[2])?,
        _ => return Err(errors::unknown_subcommand("acl", call.argv[1])),
    };
    if !(1..=MAX_BITS).contains(&bits) {
        return Err(CmdError::err(format!(
            "ACL GENPASS argument must be the number of bits for the output password, a positive \
             number up to {MAX_BITS}"
        )));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut text = String::new();
    while text.len() < digits {
        for byte in random_bytes() {
            text.push_str(&format!("{byte:02x}"));
        }
    }
    text.truncate(digits);
    call.reply.bulk_str(text);
    Ok(Flow::Done)
}

/// `ACL LOG [count | RESET]`. O(count). Joins: acl.
fn show_log(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let mut count = 10;
    match call.argv.get(2) {
        _ if call.argv.len() > 3 => {
            return Err(errors::unknown_subcommand("acl", call.argv[1]));
        }
        Some(word) if arg::is(word, "reset") => {
            srv.acl.log.clear();
            call.reply.ok();
            return Ok(Flow::Done);
        }
        Some(word) => count = arg::int(word)?.max(0),
        None => {}
    }
    let now = call.env.now_ms;
    let entries = srv.acl.log.entries();
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(entries.len());
    let reply = &mut *call.reply;
    reply.array(count);
    for entry in entries.take(count) {
        let event = &entry.event;
        reply.map(10);
        reply.bulk(b"count");
        reply.int(entry.count as i64);
        reply.bulk(b"reason");
        reply.bulk_str(event.reason.word());
        reply.bulk(b"context");
        reply.bulk_str(event.context.word());
        reply.bulk(b"object");
        reply.bulk(&event.object);
        reply.bulk(b"username");
        reply.bulk(&event.user);
        reply.bulk(b"age-seconds");
        reply.double((now - event.now_ms) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk_str(&event.client);
        reply.bulk(b"entry-id");
        reply.int(entry.id as i64);
        reply.bulk(b"timestamp-created");
        reply.int(entry.created_ms);
        reply.bulk(b"timestamp-last-updated");
        reply.int(event.now_ms);
    }
    Ok(Flow::Done)
}

/// `ACL DRYRUN name command [arg ...]`: whether that user could run it. Joins: acl, table.
fn dryrun(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (name, argv) = (call.argv.at(2), crate::resp::argv::Argv::new(call.argv.from(3)));
    let Some(user) = srv.acl.by_name(name) else {
        return Err(CmdError::err([b"User '", shown(name), b"' not found"].concat()));
    };
    let Ok(row) = dispatch::find(srv.table, argv) else {
        return Err(CmdError::err([b"Command '", shown(argv[0]), b"' not found"].concat()));
    };
    if !row.spec.arity_ok(argv.len()) {
        return Err(errors::wrong_arity(row.name()));
    }
    match user.check(row.spec, &argv, call.env.db) {
        Ok(()) => call.reply.ok(),
        Err(denied) => call.reply.bulk(&access::message(name, row, argv, denied, true)),
    }
    Ok(Flow::Done)
}

const NO_FILE: CmdError = CmdError::new(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via \
     the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration \
     file set) in order to store users in the Redis configuration.",
);

/// `ACL LOAD`: the users and roles of the file take the place of all, or nothing changes.
/// O(users + clients). Joins: acl, configuration, clients.
fn load(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.cfg.acl.file.is_empty() {
        return Err(NO_FILE);
    }
    access::load_file(srv).map_err(CmdError::err)?;
    access::refresh(srv, call.client);
    call.reply.ok();
    Ok(Flow::Done)
}

/// `ACL SAVE`. O(users). Joins: acl, configuration.
fn save(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if srv.cfg.acl.file.is_empty() {
        return Err(NO_FILE);
    }
    let text = file::write(srv.acl.roles(), srv.acl.users());
    let path = to_path(&srv.cfg.acl.file);
    if let Err(why) = write_atomically(&path, &text) {
        log!(Warning, "Writing ACL file for ACL SAVE: {why}");
        return Err(CmdError::new(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more \
             information",
        ));
    }
    call.reply.ok();
    Ok(Flow::Done)
}
