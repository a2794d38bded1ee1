//! Settings: SENTINEL SET for a group, SENTINEL CONFIG for the Sentinel itself, SENTINEL DEBUG for
//! its times.

use super::{group, machine, save_and_reply, wrong_arity};
use crate::commands::{CmdResult, Flow, arg};
use crate::config::choice::{Choice, LogLevel};
use crate::resp::argv::Argv;
use crate::resp::errors::{CmdError, shown};
use crate::sentinel::Sentinel;
use crate::sentinel::file::yes_no;
use crate::sentinel::state::{Ms, Primary};
use crate::sentinel::turn::{Level, Turn};
use crate::server::jobs::sentinel::{save, work};
use crate::server::jobs::settings::set_log;
use crate::server::parts::{Call, Server};
use crate::sys::process;
use crate::util::{glob, num};

/// Why a setting is not taken.
enum Refused {
    /// The value, in this place, is no such one.
    Value(usize),
    /// There is no such option, or its value is missing.
    Option,
    Other(&'static str),
}

const DENIED: &str = "Reconfiguration of scripts path is denied for security reasons. Check the \
                      deny-scripts-reconfig configuration directive in your Sentinel configuration";

/// `SENTINEL SET name option value [option value ...]`: one after the other, up to the first that
/// is wrong. Joins: sentinel, configuration.
pub(super) fn set(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    group(srv, call)?;
    let (name, argv) = (call.argv.at(2).to_vec(), call.argv);
    let (mut at, mut changes) = (3, 0);
    let mut failed = None;
    while at < argv.len() {
        let result = work(srv, |machine, now, resolve| {
            let (primaries, mut turn) = machine.turn(now, resolve);
            match primaries.get_mut(&name) {
                Some(primary) => set_one(&mut turn, primary, argv, at),
                None => Err(Refused::Option),
            }
        });
        match result {
            Some(Ok(next)) => (at, changes) = (next, changes + 1),
            Some(Err(why)) => {
                failed = Some(why);
                break;
            }
            None => break,
        }
    }
    let Some(why) = failed else { return save_and_reply(srv, call) };
    if changes > 0 {
        // What was taken before stays; if it can't be saved, the log says so.
        let _ = save(srv);
    }
    let option = shown(argv[at]);
    Err(CmdError::err(match why {
        Refused::Value(i) => {
            [b"Invalid argument '", shown(argv[i]), b"' for SENTINEL SET '", option, b"'"].concat()
        }
        Refused::Option => {
            let text = &b"Unknown option or number of arguments for SENTINEL SET '"[..];
            [text, option, b"'"].concat()
        }
        Refused::Other(text) => text.into(),
    }))
}

/// Takes the option at `at`; where the next one is.
fn set_one(
    t: &mut Turn<'_>,
    primary: &mut Primary,
    argv: Argv<'_>,
    at: usize,
) -> Result<usize, Refused> {
    let value = argv.get(at + 1).copied().ok_or(Refused::Option)?;
    let number =
        |min: i64| num::parse_i64(value).filter(|n| *n >= min).ok_or(Refused::Value(at + 1));
    let some = (!value.is_empty()).then(|| value.to_vec());
    let option = arg::lower(argv[at]);
    let group = &mut primary.group;
    let mut words = 2;
    match &option[..] {
        b"down-after-milliseconds" => primary.set_down_after(number(1)?),
        b"failover-timeout" => group.failover_timeout_ms = number(1)?,
        b"parallel-syncs" => group.parallel_syncs = number(1)?,
        b"quorum" => {
            let quorum = u32::try_from(number(1)?);
            group.quorum = quorum.map_err(|_| Refused::Value(at + 1))?;
        }
        b"master-reboot-down-after-period" | b"primary-reboot-down-after-period" => {
            group.reboot_down_after_ms = number(0)?;
        }
        b"notification-script" | b"client-reconfig-script" => {
            let notification = option == b"notification-script";
            if t.own.deny_scripts_reconfig {
                return Err(Refused::Other(DENIED));
            }
            if some.is_some() && !process::is_executable(value) {
                return Err(Refused::Other(match notification {
                    true => "Notification script seems non existing or non executable",
                    false => "Client reconfiguration script seems non existing or non executable",
                }));
            }
            match notification {
                true => group.notification_script = some,
                false => group.reconfig_script = some,
            }
        }
        b"auth-pass" | b"auth-user" => {
            match &option[..] {
                b"auth-pass" => group.auth_pass = some,
                _ => group.auth_user = some,
            }
            primary.drop_connections(t);
        }
        b"rename-command" => {
            let new = argv.get(at + 2).copied().ok_or(Refused::Option)?;
            if value.is_empty() || new.is_empty() {
                return Err(Refused::Value(if value.is_empty() { at + 1 } else { at + 2 }));
            }
            let old = value.to_ascii_lowercase();
            match value.eq_ignore_ascii_case(new) {
                true => group.renamed.remove(&old),
                false => group.renamed.insert(old, new.to_vec()),
            };
            words = 3;
        }
        _ => return Err(Refused::Option),
    }
    let mut more = String::new();
    for (i, word) in argv.from(at).iter().take(words).enumerate() {
        let secret = i == 1 && option == b"auth-pass";
        let word = if secret { "******".into() } else { String::from_utf8_lossy(word) };
        more.push(' ');
        more.push_str(&word);
    }
    primary.event(t, Level::Warning, "+set", &more);
    Ok(at + words)
}

const OPTIONS: [&str; 7] = [
    "resolve-hostnames",
    "announce-hostnames",
    "announce-ip",
    "announce-port",
    "sentinel-user",
    "sentinel-pass",
    "loglevel",
];

/// `SENTINEL CONFIG GET pattern [pattern ...] | SET option value [option value ...]`. Joins:
/// sentinel, configuration.
pub(super) fn config(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let words = call.argv.len();
    if words < 4 {
        return Err(wrong_arity(call));
    }
    if arg::is(call.argv[2], "set") && words >= 5 {
        return config_set(srv, call);
    }
    if arg::is(call.argv[2], "get") {
        return config_get(srv, call);
    }
    Err(CmdError::new(
        "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...]/ SET <param> <value> \
         [<param> <value> ...] are supported.",
    ))
}

fn value(machine: &Sentinel, level: LogLevel, option: &str) -> Vec<u8> {
    let own = &machine.own;
    let yes = |on: bool| if on { b"yes".to_vec() } else { b"no".to_vec() };
    let text = |value: &Option<Vec<u8>>| value.clone().unwrap_or_default();
    match option {
        "resolve-hostnames" => yes(own.resolve_hostnames),
        "announce-hostnames" => yes(own.announce_hostnames),
        "announce-ip" => text(&own.announce_ip),
        "announce-port" => own.announce_port.to_string().into_bytes(),
        "sentinel-user" => text(&own.user),
        "sentinel-pass" => text(&own.pass),
        _ => level.word().into(),
    }
}

fn config_get(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let level = srv.cfg.log.level;
    let machine = machine(srv)?;
    let patterns = call.argv.from(3);
    // Each option is shown once, with the first pattern that it matches.
    let mut found: Vec<&str> = Vec::new();
    for pattern in patterns.iter() {
        let new = |option: &&&str| {
            glob::matches(pattern, option.as_bytes(), true) && !found.contains(option)
        };
        let more: Vec<&str> = OPTIONS.iter().filter(new).copied().collect();
        found.extend(more);
    }
    call.reply.map(found.len());
    for option in found {
        call.reply.bulk_str(option);
        call.reply.bulk(&value(machine, level, option));
    }
    Ok(Flow::Done)
}

fn log_level(word: &[u8]) -> Option<LogLevel> {
    let is = |known: &&(&str, u32)| word.eq_ignore_ascii_case(known.0.as_bytes());
    LogLevel::NAMES.iter().find(is).map(|(_, number)| LogLevel::from_number(*number))
}

/// Looks at all options first, so that all are taken or none.
fn check_options(argv: Argv<'_>) -> Result<(), CmdError> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut at = 3;
    while at < argv.len() {
        let name = argv[at];
        let option = name.to_ascii_lowercase();
        let fault =
            |before: &[u8], after: &[u8]| CmdError::err([before, shown(name), after].concat());
        if !OPTIONS.iter().any(|known| known.as_bytes() == option) {
            return Err(fault(b"Invalid argument '", b"' to SENTINEL CONFIG SET"));
        }
        if seen.contains(&option) {
            return Err(fault(b"Duplicate argument '", b"' to SENTINEL CONFIG SET"));
        }
        let Some(value) = argv.get(at + 1).copied() else {
            return Err(fault(b"Missing argument '", b"' value"));
        };
        let fits = match &option[..] {
            b"resolve-hostnames" | b"announce-hostnames" => yes_no(value).is_some(),
            b"announce-port" => num::parse_i64(value).is_some_and(|n| u16::try_from(n).is_ok()),
            b"loglevel" => log_level(value).is_some(),
            _ => true,
        };
        if !fits {
            let before = [b"Invalid value '", shown(value), b"' to SENTINEL CONFIG SET '"].concat();
            return Err(fault(&before, b"'"));
        }
        seen.push(option);
        at += 2;
    }
    Ok(())
}

fn config_set(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    check_options(call.argv)?;
    let mut log_in_anew = false;
    for pair in call.argv.from(3).chunks(2) {
        let [name, value] = pair else { break };
        if arg::is(name, "loglevel")
            && let Some(level) = log_level(value)
        {
            srv.cfg.log.level = level;
            set_log(&srv.cfg);
            continue;
        }
        let own = &mut machine(srv)?.own;
        let some = (!value.is_empty()).then(|| value.to_vec());
        match &name.to_ascii_lowercase()[..] {
            b"resolve-hostnames" => own.resolve_hostnames = yes_no(value).unwrap_or_default(),
            b"announce-hostnames" => own.announce_hostnames = yes_no(value).unwrap_or_default(),
            b"announce-ip" => own.announce_ip = some,
            b"announce-port" => {
                own.announce_port = num::parse_i64(value).unwrap_or_default() as u16;
            }
            b"sentinel-user" => (own.user, log_in_anew) = (some, true),
            b"sentinel-pass" => (own.pass, log_in_anew) = (some, true),
            _ => {}
        }
    }
    if log_in_anew {
        work(srv, |machine, now, resolve| machine.drop_peer_connections(now, resolve));
    }
    save_and_reply(srv, call)
}

/// `SENTINEL DEBUG [name milliseconds ...]`. Joins: sentinel.
pub(super) fn debug(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let periods = &mut machine(srv)?.own.periods;
    if call.argv.len() == 2 {
        let named = periods.named();
        call.reply.map(named.len());
        for (name, ms) in named {
            call.reply.bulk_str(name.to_ascii_uppercase());
            call.reply.bulk_int(*ms);
        }
        return Ok(Flow::Done);
    }
    for pair in call.argv.from(2).chunks(2) {
        let option = pair[0];
        let mut named = periods.named();
        let found = named.iter_mut().find(|(name, _)| arg::is(option, name));
        let (Some((_, period)), Some(value)) = (found, pair.get(1)) else {
            let text = &b"Unknown option or number of arguments for SENTINEL DEBUG '"[..];
            return Err(CmdError::err([text, shown(option), b"'"].concat()));
        };
        let ms: Option<Ms> = num::parse_i64(value).filter(|ms| *ms > 0);
        let Some(ms) = ms else {
            let parts: [&[u8]; 5] = [
                b"Invalid argument '",
                shown(value),
                b"' for SENTINEL DEBUG '",
                shown(option),
                b"'",
            ];
            return Err(CmdError::err(parts.concat()));
        };
        **period = ms;
    }
    call.reply.ok();
    Ok(Flow::Done)
}
