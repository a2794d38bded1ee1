//! CONFIG: reading, changing and rewriting settings, and acting on the changes.
//!
//! CONFIG SET goes in this order:
//!
//! 1. `config::get_set` checks all names and sets all values, or none.
//! 2. For each directive that changed, `APPLY` has the act that makes the server follow, such as
//!    opening sockets. An act sees the new configuration and gets the old one.
//! 3. If an act fails, the old values come back, and the acts that were done are done again with
//!    them.
//! 4. At the end `settings::adopt` copies what the hot path reads, and the crash report is renewed.
//!
//! What must hold: an act may run twice, and either does its whole work or leaves what was there.

use crate::server::jobs::settings;
use crate::server::reactor::listen;
use std::os::unix::ffi::OsStrExt;

use crate::commands::{CmdResult, Flow};
use crate::config::get_set::{self, Rights, SetError};
use crate::config::rewrite::{self, Extra};
use crate::config::table::Named;
use crate::config::{Config, RESERVED_FILES};
use crate::log;
use crate::net::clients::ClientId;
use crate::net::listener::Kind;
use crate::resp::errors::{self, CmdError};
use crate::server::engine::{access, audit, evict, gate, survey};
use crate::server::jobs::aof::{files, switch};
use crate::server::jobs::{crash, tls};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::sys::{mem, process, socket};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("config|get", get),
    ("config|set", set),
    ("config|resetstat", resetstat),
    ("config|rewrite", rewrite),
];

/// `CONFIG GET pattern [pattern ...]`. O(settings * patterns). Joins: configuration.
fn get(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let found = get_set::get(&srv.cfg, call.argv.from(2));
    call.reply.map(found.len());
    for (name, value) in found {
        call.reply.bulk(&name);
        call.reply.bulk(&value);
    }
    Ok(Flow::Done)
}

type Apply = fn(&mut Server, &crate::config::Config) -> Result<(), String>;

/// What follows from a change, by the directive's name. The configuration already holds the new
/// value; the old one is passed. An error takes the whole CONFIG SET back.
const APPLY: &[(&str, Apply)] = &[
    ("repl-backlog-size", |srv, _| {
        // Compat: Redis makes it larger without a word.
        srv.cfg.repl.backlog_size = srv.cfg.repl.backlog_size.max(16 << 10);
        Ok(())
    }),
    ("port", |srv, _| reopen(srv, Kind::TCP, "Unable to listen on this port. Check server logs.")),
    ("bind", |srv, _| {
        reopen(srv, Kind::TCP, "Failed to bind to specified addresses.")?;
        reopen(srv, Kind::TLS, "Failed to bind to specified addresses.")
    }),
    ("tls-port", |srv, _| {
        if srv.tls.context.is_none() && tls::is_wanted(&srv.cfg) {
            apply_tls(srv, &Config::default())?;
        }
        reopen(srv, Kind::TLS, "Unable to listen on this port. Check server logs.")
    }),
    ("tls-cluster", apply_tls),
    ("tls-replication", apply_tls),
    ("tls-auth-clients", apply_tls),
    ("tls-prefer-server-ciphers", apply_tls),
    ("tls-session-caching", apply_tls),
    ("tls-session-cache-size", apply_tls),
    ("tls-session-cache-timeout", apply_tls),
    ("tls-cert-file", apply_tls),
    ("tls-key-file", apply_tls),
    ("tls-key-file-pass", apply_tls),
    ("tls-client-cert-file", apply_tls),
    ("tls-client-key-file", apply_tls),
    ("tls-client-key-file-pass", apply_tls),
    ("tls-dh-params-file", apply_tls),
    ("tls-ca-cert-file", apply_tls),
    ("tls-ca-cert-dir", apply_tls),
    ("tls-protocols", apply_tls),
    ("tls-ciphers", apply_tls),
    ("tls-ciphersuites", apply_tls),
    ("admin-port", |srv, _| {
        reopen(srv, Kind::Admin, "Unable to listen on this port. Check server logs.")
    }),
    ("admin-bind", |srv, _| reopen(srv, Kind::Admin, "Failed to bind to specified addresses.")),
    ("metrics-port", |srv, _| {
        reopen(srv, Kind::Metrics, "Unable to listen on this port. Check server logs.")
    }),
    ("metrics-bind", |srv, _| reopen(srv, Kind::Metrics, "Failed to bind to specified addresses.")),
    ("key-survey-separator", regroup),
    ("key-survey-prefixes", regroup),
    ("dir", |srv, _| change_dir(srv)),
    ("maxclients", |srv, old| raise_maxclients(srv, old)),
    ("requirepass", |srv, _| {
        // Clients that are authenticated stay so. If the password is taken away, all clients are,
        // as long as there is none.
        let password = srv.cfg.acl.require_pass.clone();
        srv.acl.set_default_password(&password);
        access::refresh(srv, ClientId::NOBODY);
        Ok(())
    }),
    ("audit-log", |srv, _| audit_log(srv)),
    ("auth-delay-max", |srv, _| {
        if srv.cfg.acl.auth_delay_max_ms == 0 {
            srv.acl.suspects.clear();
        }
        Ok(())
    }),
    ("oom-score-adj", |srv, old| oom(srv, old)),
    ("oom-score-adj-values", |srv, old| oom(srv, old)),
    ("loglevel", |srv, _| follow_log(srv)),
    ("log-format", |srv, _| follow_log(srv)),
    ("log-timestamp-format", |srv, _| follow_log(srv)),
    ("proc-title-template", |srv, _| {
        settings::set_title(srv, "");
        Ok(())
    }),
    ("slowlog-max-len", |srv, _| {
        srv.slowlog.trim(srv.cfg.stats.slowlog_max_len as usize);
        Ok(())
    }),
    ("commandlog-large-request-max-len", |srv, _| {
        srv.large.requests.trim(srv.cfg.stats.commandlog_large_request_max_len as usize);
        Ok(())
    }),
    ("commandlog-large-reply-max-len", |srv, _| {
        srv.large.replies.trim(srv.cfg.stats.commandlog_large_reply_max_len as usize);
        Ok(())
    }),
    ("jemalloc-bg-thread", |srv, _| {
        mem::background_thread(srv.cfg.process.jemalloc_bg_thread);
        Ok(())
    }),
    ("latency-tracking", |srv, _| {
        if !srv.cfg.stats.latency_tracking {
            srv.stats.commands.iter_mut().for_each(|c| c.latency = None);
        }
        Ok(())
    }),
    ("appendonly", |srv, _| match (srv.cfg.aof.enabled, srv.aof.is_on()) {
        (true, false) => {
            let failed = "Unable to turn on AOF. Check server logs.";
            switch::start(srv).map_err(|()| failed.to_string())
        }
        (false, true) => {
            switch::stop(srv);
            Ok(())
        }
        _ => Ok(()),
    }),
    ("appendfsync", |srv, _| {
        switch::policy_changed(srv);
        Ok(())
    }),
    ("aof-disable-auto-gc", |srv, _| {
        files::delete_history(srv);
        Ok(())
    }),
    ("watchdog-period", |srv, _| crash::set_watchdog(srv)),
    ("maxmemory-policy", |srv, _| {
        srv.eviction.forget();
        Ok(())
    }),
    ("maxmemory", |srv, _| {
        let (limit, used) = (srv.cfg.memory.max_memory, evict::counted(srv));
        if limit > 0 && limit < used {
            log!(
                Warning,
                "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the \
                 current memory usage ({used}). This will result in key eviction and/or the inability \
                 to accept new write commands depending on the maxmemory-policy."
            );
            evict::schedule(srv);
        }
        Ok(())
    }),
];

/// New connections are made with what the directives say now. Those that are there stay.
fn apply_tls(srv: &mut Server, _: &Config) -> Result<(), String> {
    let failed = "Unable to update TLS configuration. Check server logs.";
    match tls::is_wanted(&srv.cfg) {
        true => tls::configure(srv).map_err(|()| failed.to_owned()),
        false => Ok(()),
    }
}

fn regroup(srv: &mut Server, _: &Config) -> Result<(), String> {
    survey::regroup(srv);
    Ok(())
}

fn follow_log(srv: &mut Server) -> Result<(), String> {
    settings::set_log(&srv.cfg);
    Ok(())
}

fn reopen(srv: &mut Server, kind: Kind, message: &str) -> Result<(), String> {
    listen::reopen(srv, kind).map_err(|e| {
        listen::warn_of_address(&e);
        message.to_owned()
    })?;
    settings::set_title(srv, "");
    Ok(())
}

/// Whether the new audit log can be written. It is opened when all settings hold.
fn audit_log(srv: &Server) -> Result<(), String> {
    let fault = audit::target(srv).and_then(|target| target.fault());
    fault.map_or(Ok(()), |why| Err(format!("Can't open the audit log: {why}")))
}

fn change_dir(srv: &mut Server) -> Result<(), String> {
    let dir = std::path::Path::new(std::ffi::OsStr::from_bytes(&srv.cfg.process.dir));
    std::env::set_current_dir(dir).map_err(|e| crate::util::path::os_error(&e))?;
    if let Ok(full) = std::env::current_dir() {
        srv.cfg.process.dir = full.as_os_str().as_bytes().to_vec();
    }
    Ok(())
}

fn raise_maxclients(srv: &mut Server, old: &crate::config::Config) -> Result<(), String> {
    let want = u64::from(srv.cfg.clients.max_clients) + RESERVED_FILES;
    let got = socket::raise_nofile(want).limit;
    srv.identity.max_files = got;
    if got < want && srv.cfg.clients.max_clients > old.clients.max_clients {
        return Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {}",
            got.saturating_sub(RESERVED_FILES)
        ));
    }
    Ok(())
}

fn oom(srv: &mut Server, old: &crate::config::Config) -> Result<(), String> {
    use crate::config::choice::OomScoreAdj::No;
    let failed = |_| "Failed to set current oom_score_adj. Check server logs.".to_string();
    if srv.cfg.process.oom_score_adj == No && old.process.oom_score_adj != No {
        srv.identity.oom_set = false;
        // Back to what the process started with.
        return process::set_oom_score_adj(srv.identity.oom_base.unwrap_or(0)).map_err(failed);
    }
    if srv.cfg.process.oom_score_adj == No {
        return Ok(());
    }
    if !srv.identity.oom_set {
        srv.identity.oom_base = process::oom_score_adj().ok();
    }
    settings::set_oom_score(srv, 0).map_err(failed)?;
    srv.identity.oom_set = true;
    Ok(())
}

/// `CONFIG SET name value [name value ...]`: all of them or none. Joins: every part that a setting
/// is about.
fn set(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (pairs, rest) = call.argv.from(2).as_chunks::<2>();
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[n, v]| (*n, *v)).collect();
    let local = srv.clients.session(call.client).is_some_and(|s| s.loopback);
    let rights = Rights {
        protected: gate::allowed(srv.cfg.acl.protected_configs, local),
        loading: srv.loading.is_some(),
    };
    let changed = get_set::set(&mut srv.cfg, &pairs, rights).map_err(refusal)?;
    for warning in &changed.warnings {
        log!(Warning, "{warning}");
    }
    let mut done: Vec<Apply> = Vec::new();
    for named in &changed.rows {
        let Some((_, apply)) = APPLY.iter().find(|(name, _)| *name == named.row.name) else {
            continue;
        };
        // port and bind are one action, whichever of them changed.
        let before = changed.undo.before().clone();
        if let Err(reason) = apply(srv, &before) {
            return Err(undo(srv, *named, reason, changed.undo, &done));
        }
        done.push(*apply);
    }
    settings::tell_inert(srv);
    settings::adopt(srv);
    crash::remember(srv);
    call.reply.ok();
    Ok(Flow::Done)
}

fn undo(
    srv: &mut Server,
    named: Named,
    reason: String,
    undo: get_set::Undo,
    done: &[Apply],
) -> CmdError {
    let failed = srv.cfg.clone();
    undo.restore(&mut srv.cfg);
    // What has been applied is applied again with the old values, which worked before.
    for apply in done {
        if let Err(e) = apply(srv, &failed) {
            log!(Warning, "Failed to restore a setting after CONFIG SET failed: {e}");
        }
    }
    let kind = match named.row.name {
        "port" | "bind" => Some(Kind::TCP),
        "tls-port" => Some(Kind::TLS),
        "admin-port" | "admin-bind" => Some(Kind::Admin),
        "metrics-port" | "metrics-bind" => Some(Kind::Metrics),
        _ => None,
    };
    if let Some(Err(e)) = kind.map(|k| reopen(srv, k, "restoring the listening sockets failed")) {
        log!(Warning, "{e}");
    }
    settings::adopt(srv);
    refusal(SetError::apply_failed(named, reason))
}

fn refusal(e: SetError) -> CmdError {
    match e {
        SetError::Loading => errors::LOADING,
        e => CmdError::err(e.to_string()),
    }
}

/// `CONFIG RESETSTAT`: counters begin anew, those of Redis and ours. What is a state stays, and so
/// do the memory peak and the count of denied AUTHs. Joins: stats, jobs, eviction.
fn resetstat(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    srv.stats.reset();
    srv.metrics.reset();
    srv.tls.reset();
    srv.bio.reset_freed();
    srv.eviction.exceeded_since = None;
    srv.rdb.saves = 0;
    srv.repl.reset();
    srv.stream.reset_spilled_total();
    srv.rdb.latest.reset();
    srv.aof.reset();
    srv.syncer.times.reset();
    call.reply.ok();
    Ok(Flow::Done)
}

/// `CONFIG REWRITE`: the file with the settings in force; comments and order stay. Joins:
/// configuration, identity.
fn rewrite(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let Some(path) = srv.identity.config_file.as_ref() else {
        return Err(CmdError::new("ERR The server is running without a config file"));
    };
    let users = Extra { key: b"user".to_vec(), lines: access::lines(srv) };
    let roles = Extra { key: b"role".to_vec(), lines: access::role_lines(srv) };
    rewrite::rewrite_file_with(path, &srv.cfg, &[roles, users]).map_err(|e| failed(&e))?;
    log!(Notice, "CONFIG REWRITE executed with success.");
    call.reply.ok();
    Ok(Flow::Done)
}

fn failed(why: &str) -> CmdError {
    log!(Warning, "CONFIG REWRITE failed: {why}");
    CmdError::err(format!("Rewriting config file: {why}"))
}
