//! SENTINEL and the commands that are others on a Sentinel: PUBLISH, ROLE, INFO.
//!
//! A handler asks the machine, then lets `jobs::sentinel` do what the machine wants done, and then
//! replies.

mod settings;
mod show;

use crate::commands::{CmdResult, Flow, arg};
use crate::log;
use crate::resp::errors::{self, CmdError};
use crate::sentinel::Sentinel;
use crate::sentinel::monitor::HELLO_CHANNEL;
use crate::sentinel::state::{Kind, Primary};
use crate::server::jobs::sentinel::{save, work};
use crate::server::parts::{Call, Server, ServerRow};
use crate::util::lines::Lines;

/// On a Sentinel these take the place of commands of the same name.
pub(crate) const COMMANDS: &[ServerRow] = &[
    ("publish", publish),
    ("role", role),
    ("sentinel|ckquorum", ckquorum),
    ("sentinel|config", settings::config),
    ("sentinel|debug", settings::debug),
    ("sentinel|failover", failover),
    ("sentinel|flushconfig", flushconfig),
    ("sentinel|get-master-addr-by-name", address),
    ("sentinel|get-primary-addr-by-name", address),
    ("sentinel|help", super::help::help),
    ("sentinel|info-cache", show::info_cache),
    ("sentinel|is-master-down-by-addr", is_down),
    ("sentinel|is-primary-down-by-addr", is_down),
    ("sentinel|master", show::primary),
    ("sentinel|masters", show::primaries),
    ("sentinel|monitor", monitor),
    ("sentinel|myid", myid),
    ("sentinel|pending-scripts", show::pending_scripts),
    ("sentinel|primaries", show::primaries),
    ("sentinel|primary", show::primary),
    ("sentinel|remove", remove),
    ("sentinel|replicas", show::replicas),
    ("sentinel|reset", reset),
    ("sentinel|sentinels", show::peers),
    ("sentinel|set", settings::set),
    ("sentinel|simulate-failure", simulate),
    ("sentinel|slaves", show::replicas),
];

const NO_GROUP: CmdError = CmdError::new("ERR No such master with that name");

/// The machine. Its commands exist on a Sentinel only.
fn machine(srv: &mut Server) -> Result<&mut Sentinel, CmdError> {
    let watching = srv.sentinel.as_mut();
    watching.map(|w| &mut w.machine).ok_or(CmdError::new("ERR This is no Sentinel"))
}

/// The group that the first argument names.
fn group<'a>(srv: &'a mut Server, call: &Call<'_>) -> Result<&'a mut Primary, CmdError> {
    machine(srv)?.primaries.get_mut(call.argv.at(2)).ok_or(NO_GROUP)
}

/// Writes the configuration, and says whether that has worked.
fn save_and_reply(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if save(srv).is_err() {
        return Err(CmdError::new("ERR Failed to save config file. Check server logs."));
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `PUBLISH __sentinel__:hello message`: another Sentinel says hello. Joins: sentinel.
fn publish(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if call.argv.at(1) != HELLO_CHANNEL.as_bytes() {
        let text = "ERR Only HELLO messages are accepted by Sentinel instances.";
        return Err(CmdError::new(text));
    }
    let text = call.argv.at(2).to_vec();
    work(srv, |machine, now, resolve| machine.on_hello(&text, now, resolve));
    call.reply.int(1);
    Ok(Flow::Done)
}

/// `ROLE`: the names of the groups. O(groups). Joins: sentinel.
fn role(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let machine = machine(srv)?;
    call.reply.array(2);
    call.reply.bulk(b"sentinel");
    call.reply.array(machine.primaries.len());
    machine.primaries.keys().for_each(|name| call.reply.bulk(name));
    Ok(Flow::Done)
}

/// `SENTINEL MYID`. Joins: sentinel.
fn myid(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.bulk(&machine(srv)?.own.id);
    Ok(Flow::Done)
}

/// `SENTINEL GET-MASTER-ADDR-BY-NAME name`: what clients ask for. O(log groups). Joins: sentinel.
fn address(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let machine = machine(srv)?;
    let Some(primary) = machine.primaries.get(call.argv.at(2)) else {
        call.reply.null_array();
        return Ok(Flow::Done);
    };
    let address = primary.current_address();
    call.reply.array(2);
    call.reply.bulk(machine.own.shown(address));
    call.reply.bulk_int(i64::from(address.port));
    Ok(Flow::Done)
}

/// `SENTINEL IS-MASTER-DOWN-BY-ADDR ip port epoch runid`: asked by other Sentinels, for their
/// verdict and for a vote. Joins: sentinel.
fn is_down(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let (port, epoch) = (arg::int(call.argv[3])?, arg::int(call.argv[4])?);
    let (host, candidate) = (call.argv.at(2).to_vec(), call.argv.at(5).to_vec());
    let asked = (candidate != b"*").then_some(&candidate[..]);
    let answer = work(srv, |machine, now, resolve| {
        machine.answer((&host, port), epoch as u64, asked, now, resolve)
    });
    let (down, leader, epoch) = answer.unwrap_or_default();
    call.reply.array(3);
    call.reply.int(i64::from(down));
    call.reply.bulk(leader.as_deref().unwrap_or(b"*"));
    call.reply.int(epoch as i64);
    Ok(Flow::Done)
}

/// `SENTINEL RESET pattern`. O(groups). Joins: sentinel.
fn reset(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let pattern = call.argv.at(2).to_vec();
    let count = work(srv, |machine, now, resolve| machine.reset(&pattern, now, resolve));
    call.reply.len_int(count.unwrap_or(0));
    Ok(Flow::Done)
}

/// `SENTINEL FAILOVER name`: at once, without asking the other Sentinels. Joins: sentinel.
fn failover(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    if group(srv, call)?.failover.in_progress() {
        return Err(CmdError::new("INPROG Failover already in progress"));
    }
    let name = call.argv.at(2).to_vec();
    let began = work(srv, |machine, now, resolve| machine.force_failover(&name, now, resolve));
    if began != Some(true) {
        return Err(CmdError::new("NOGOODSLAVE No suitable replica to promote"));
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// `SENTINEL MONITOR name ip port quorum`. Joins: sentinel.
fn monitor(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let int =
        |i: usize, text: &'static str| arg::int(call.argv[i]).map_err(|_| CmdError::new(text));
    let quorum = int(5, "ERR Invalid quorum")?;
    let port = int(4, "ERR Invalid port")?;
    if quorum <= 0 {
        return Err(CmdError::new("ERR Quorum must be 1 or greater."));
    }
    let quorum = u32::try_from(quorum).map_err(|_| CmdError::new("ERR Invalid quorum"))?;
    let (name, host) = (call.argv.at(2).to_vec(), call.argv.at(3).to_vec());
    let found = work(srv, |machine, now, resolve| {
        let (_, mut turn) = machine.turn(now, resolve);
        turn.ip_of(&host).is_some()
    });
    if found != Some(true) {
        return Err(CmdError::new("ERR Invalid IP address or hostname specified"));
    }
    let added = work(srv, |machine, now, resolve| {
        machine.monitor(&name, &host, port, quorum, now, resolve)?;
        machine.announce_one(&name, now, resolve);
        Ok(())
    });
    if let Some(Err(e)) = added {
        let e: crate::sentinel::turn::AddError = e;
        return Err(CmdError::err(e.text(Kind::Primary)));
    }
    save_and_reply(srv, call)
}

/// `SENTINEL REMOVE name`. Joins: sentinel.
fn remove(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let name = call.argv.at(2).to_vec();
    let known = work(srv, |machine, now, resolve| machine.remove(&name, now, resolve));
    if known != Some(true) {
        return Err(NO_GROUP);
    }
    save_and_reply(srv, call)
}

/// `SENTINEL FLUSHCONFIG`. Joins: sentinel, configuration.
fn flushconfig(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    save_and_reply(srv, call)
}

/// `SENTINEL CKQUORUM name`. O(Sentinels of the group). Joins: sentinel.
fn ckquorum(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let found = group(srv, call)?.reachable();
    let usable = found.usable;
    if found.quorum && found.majority {
        call.reply.status(format!(
            "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
        ));
        return Ok(Flow::Done);
    }
    let mut why = Vec::new();
    if !found.quorum {
        why.push("Not enough available Sentinels to reach the specified quorum for this master");
    }
    if !found.majority {
        why.push("Not enough available Sentinels to reach the majority and authorize a failover");
    }
    Err(CmdError::coded("NOQUORUM", format!("{usable} usable Sentinels. {}", why.join(". "))))
}

/// `SENTINEL SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]`. Joins:
/// sentinel.
fn simulate(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    const MODES: [&str; 2] = ["crash-after-election", "crash-after-promotion"];
    let simulated = &mut machine(srv)?.own.simulated;
    *simulated = Default::default();
    for word in call.argv.from(2).iter() {
        if arg::is(word, MODES[0]) {
            simulated.crash_after_election = true;
            log!(
                Warning,
                "Failure simulation: this Sentinel will crash after being successfully elected as \
                 failover leader"
            );
        } else if arg::is(word, MODES[1]) {
            simulated.crash_after_promotion = true;
            log!(
                Warning,
                "Failure simulation: this Sentinel will crash after promoting the selected \
                 replica to master"
            );
        } else if arg::is(word, "help") {
            call.reply.array(MODES.len());
            MODES.iter().for_each(|mode| call.reply.bulk_str(mode));
            return Ok(Flow::Done);
        } else {
            return Err(CmdError::new("ERR Unknown failure simulation specified"));
        }
    }
    call.reply.ok();
    Ok(Flow::Done)
}

/// INFO sentinel.
pub(crate) fn info(srv: &Server, o: &mut Lines) {
    let Some(watching) = &srv.sentinel else { return };
    let (machine, now) = (&watching.machine, srv.clock.now_ms);
    let own = &machine.own;
    o.add("sentinel_masters", machine.primaries.len());
    o.flag("sentinel_tilt", own.tilt_ms.is_some());
    let since = own.tilt_ms.map_or(-1, |since| (now - since) / 1000);
    o.add("sentinel_tilt_since_seconds", since);
    o.add("sentinel_running_scripts", machine.scripts.running());
    o.add("sentinel_scripts_queue_length", machine.scripts.jobs().len());
    let simulated = own.simulated;
    let flags =
        u8::from(simulated.crash_after_election) | u8::from(simulated.crash_after_promotion) << 1;
    o.add("sentinel_simulate_failure_flags", flags);
    for (i, primary) in machine.primaries.values().enumerate() {
        let status = match (primary.o_down, primary.base.s_down) {
            (true, _) => "odown",
            (false, true) => "sdown",
            (false, false) => "ok",
        };
        let text = format!(
            "name={},status={status},address={}:{},slaves={},sentinels={}",
            String::from_utf8_lossy(&primary.group.name),
            String::from_utf8_lossy(own.shown(&primary.base.address)),
            primary.base.address.port,
            primary.replicas.len(),
            primary.peers.len() + 1
        );
        o.add(&format!("master{i}"), text);
    }
}

/// The arguments are not what the command takes.
fn wrong_arity(call: &Call<'_>) -> CmdError {
    errors::wrong_arity(call.row.name())
}
