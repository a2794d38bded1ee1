//! HOTKEYS: what the chosen commands have cost goes to their keys. `parts::hotkeys` says which ones
//! are chosen.
//!
//! A transaction is chosen with all that it has queued. What a script runs is part of the script.

use crate::commands::spec::{MOVABLE_KEYS, PUBSUB};
use crate::keyspace::env::Origin;
use crate::net::session::ReplyMode;
use crate::server::parts::survey::Rule;
use crate::server::parts::{Call, Server};

/// A group of commands begins. Returns whether one of them is chosen: those before it may share
/// their time.
pub(crate) fn begin_group(srv: &mut Server, commands: usize) -> bool {
    let brief = &mut srv.exec.brief;
    let Some(session) = srv.hotkeys.as_mut().filter(|session| session.active) else { return false };
    session.pass(std::mem::take(&mut brief.passed));
    let chosen = session.begin_group(commands as u64);
    if chosen && brief.resumes {
        brief.allow(session.until_next());
    }
    chosen
}

/// A command has run that may be the chosen one.
pub(crate) fn note(srv: &mut Server, call: &Call<'_>, ns: u64, reply: usize) {
    let Server { hotkeys, clients, exec, cfg, .. } = srv;
    let Some(session) = hotkeys.as_mut().filter(|session| session.active) else { return };
    session.pass(std::mem::take(&mut exec.brief.passed));
    let chosen = match call.env.origin {
        Origin::Script | Origin::File => return,
        // Its transaction is still to come.
        Origin::Exec => session.takes_all() || session.looks() && session.is_next(),
        // It is here for the logs, as its group was counted as a whole; or the session has begun
        // within the group.
        Origin::Client if !session.looks() && !exec.unit.again => session.takes_all(),
        Origin::Client => {
            let (chosen, more) = session.next();
            // A woken command belongs to no group.
            if !exec.unit.again {
                if !more {
                    // The rest of the group is of no interest.
                    exec.noted.look_us = exec.noted.look_from;
                }
                if exec.brief.resumes {
                    exec.brief.allow(if more { session.until_next() } else { u64::MAX });
                }
            }
            chosen
        }
    };
    if !chosen {
        return;
    }
    let told = clients.session(call.client).is_none_or(|s| s.reply_mode == ReplyMode::On);
    let bytes = call.argv.wire_bytes() + if told { reply } else { 0 };
    if call.row.has(PUBSUB) {
        return;
    }
    let (argv, spec) = (call.argv, &call.row.spec);
    let rule = Rule::of(&cfg.memory);
    match spec.legacy {
        _ if call.row.has(MOVABLE_KEYS) => {
            let keys: Vec<&[u8]> =
                spec.keys_of(&argv).iter().filter_map(|(i, _)| argv.get(*i).copied()).collect();
            session.add(keys.into_iter(), ns, bytes as u64, rule);
        }
        (first @ 1.., last, step) => {
            let last = if last < 0 { argv.len() as i32 + last } else { last };
            let last = (last.max(0) as usize).min(argv.len() - 1);
            let keys = argv.from(0)[..=last].iter().copied().skip(first as usize);
            session.add(keys.step_by(step.max(1) as usize), ns, bytes as u64, rule);
        }
        _ => {}
    }
}
