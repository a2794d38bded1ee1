//! What a Sentinel knows, as replies.

use super::{group, machine};
use crate::commands::{CmdResult, Flow};
use crate::resp::reply::Reply;
use crate::sentinel::state::{
    Instance, Link, Links, Ms, Own, Peer, Primary, Reconf, Replica, Role,
};
use crate::server::parts::{Call, Server};

/// Writes fields and their values; the number of pairs becomes known with the last one.
struct Fields<'a> {
    reply: &'a mut Reply,
    pairs: usize,
}

impl Fields<'_> {
    fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.reply.bulk(name.as_bytes());
        self.reply.bulk(value.as_ref());
        self.pairs += 1;
    }
    fn int(&mut self, name: &str, value: i64) {
        self.reply.bulk(name.as_bytes());
        self.reply.bulk_int(value);
        self.pairs += 1;
    }
}

fn fields(reply: &mut Reply, write: impl FnOnce(&mut Fields<'_>)) {
    let at = reply.begin_array();
    let mut fields = Fields { reply, pairs: 0 };
    write(&mut fields);
    let pairs = fields.pairs;
    reply.end_map(at, pairs);
}

/// What all kinds of instances are shown with.
struct View<'a> {
    own: &'a Own,
    links: &'a Links,
    now: Ms,
}

impl View<'_> {
    /// The fields up to those of the kind. `stage`: the state of a failover in progress.
    fn common(
        &self,
        f: &mut Fields<'_>,
        base: &Instance,
        marks: &[(&str, bool)],
        stage: Option<&str>,
        o_down: Option<Ms>,
    ) {
        let Some(link) = self.links.get(base.link) else { return };
        let since = |ms: Ms| self.now - ms;
        f.text("name", base.name());
        f.text("ip", self.own.shown(&base.address));
        f.int("port", i64::from(base.address.port));
        f.text("runid", base.run_id.as_deref().unwrap_or_default());
        f.text("flags", flags(base, link, marks, o_down.is_some()));
        f.int("link-pending-commands", link.pending() as i64);
        f.int("link-refcount", link.shared_by as i64);
        if let Some(stage) = stage {
            f.text("failover-state", stage);
        }
        let unanswered = link.unanswered_ms;
        f.int("last-ping-sent", if unanswered == 0 { 0 } else { since(unanswered) });
        f.int("last-ok-ping-reply", since(link.well_ms));
        f.int("last-ping-reply", since(link.answered_ms));
        if base.s_down {
            f.int("s-down-time", since(base.s_down_ms));
        }
        if let Some(o_down) = o_down {
            f.int("o-down-time", since(o_down));
        }
        f.int("down-after-milliseconds", base.down_after_ms);
    }

    /// What masters and replicas are shown with.
    fn server(&self, f: &mut Fields<'_>, base: &Instance) {
        let since = |ms: Ms| if ms == 0 { 0 } else { self.now - ms };
        f.int("info-refresh", since(base.info_ms));
        let role = if base.role == Some(Role::Primary) { "master" } else { "slave" };
        f.text("role-reported", role);
        f.int("role-reported-time", self.now - base.role_ms);
    }

    fn primary(&self, reply: &mut Reply, primary: &Primary) {
        let Primary { group, base, failover, .. } = primary;
        let marks = [
            ("failover_in_progress", failover.in_progress()),
            ("force_failover", failover.forced),
            ("script_kill_sent", base.kill_sent),
            ("master_reboot", primary.rebooted_ms.is_some()),
        ];
        let stage = failover.in_progress().then(|| failover.stage.word());
        let o_down = primary.o_down.then_some(primary.o_down_ms);
        fields(reply, |f| {
            self.common(f, base, &marks, stage, o_down);
            self.server(f, base);
            f.text("config-epoch", group.config_epoch.to_string());
            f.int("num-slaves", primary.replicas.len() as i64);
            f.int("num-other-sentinels", primary.peers.len() as i64);
            f.int("quorum", i64::from(group.quorum));
            f.int("failover-timeout", group.failover_timeout_ms);
            f.int("parallel-syncs", group.parallel_syncs);
            if let Some(script) = &group.notification_script {
                f.text("notification-script", script);
            }
            if let Some(script) = &group.reconfig_script {
                f.text("client-reconfig-script", script);
            }
        });
    }

    fn replica(&self, reply: &mut Reply, replica: &Replica) {
        let base = &replica.base;
        let marks = [
            ("promoted", replica.promoted),
            ("reconf_sent", replica.reconf == Reconf::Sent),
            ("reconf_inprog", replica.reconf == Reconf::InProgress),
            ("reconf_done", replica.reconf == Reconf::Done),
            ("script_kill_sent", base.kill_sent),
        ];
        fields(reply, |f| {
            self.common(f, base, &marks, None, None);
            self.server(f, base);
            f.int("master-link-down-time", replica.link_down_ms);
            f.text("master-link-status", if replica.link_up { "ok" } else { "err" });
            f.text("master-host", replica.primary_host.as_deref().unwrap_or(b"?"));
            f.int("master-port", i64::from(replica.primary_port));
            f.int("slave-priority", replica.priority);
            f.text("slave-repl-offset", replica.offset.to_string());
            f.int("replica-announced", i64::from(replica.announced));
        });
    }

    fn peer(&self, reply: &mut Reply, peer: &Peer) {
        let base = &peer.base;
        let marks = [("master_down", peer.says_down), ("script_kill_sent", base.kill_sent)];
        fields(reply, |f| {
            self.common(f, base, &marks, None, None);
            f.int("last-hello-message", self.now - peer.hello_ms);
            f.text("voted-leader", peer.leader.as_deref().unwrap_or(b"?"));
            f.text("voted-leader-epoch", peer.leader_epoch.to_string());
        });
    }
}

fn flags(base: &Instance, link: &Link, marks: &[(&str, bool)], o_down: bool) -> String {
    let kind = base.kind();
    let first = [
        ("s_down", base.s_down),
        ("o_down", o_down),
        (kind.word(), true),
        ("disconnected", link.is_disconnected(kind)),
    ];
    let all = first.iter().chain(marks);
    let set: Vec<&str> = all.filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    set.join(",")
}

/// `SENTINEL MASTERS`. O(groups). Joins: sentinel.
pub(super) fn primaries(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let now = srv.clock.now_ms;
    let machine = machine(srv)?;
    let view = View { own: &machine.own, links: &machine.links, now };
    call.reply.array(machine.primaries.len());
    machine.primaries.values().for_each(|primary| view.primary(call.reply, primary));
    Ok(Flow::Done)
}

/// `SENTINEL MASTER name`. Joins: sentinel.
pub(super) fn primary(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    group(srv, call)?;
    let now = srv.clock.now_ms;
    let machine = machine(srv)?;
    let view = View { own: &machine.own, links: &machine.links, now };
    view.primary(call.reply, &machine.primaries[call.argv.at(2)]);
    Ok(Flow::Done)
}

/// `SENTINEL REPLICAS name`: those that want to be shown. O(replicas). Joins: sentinel.
pub(super) fn replicas(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    group(srv, call)?;
    let now = srv.clock.now_ms;
    let machine = machine(srv)?;
    let view = View { own: &machine.own, links: &machine.links, now };
    let replicas = machine.primaries[call.argv.at(2)].replicas.values();
    let shown: Vec<&Replica> = replicas.filter(|replica| replica.announced).collect();
    call.reply.array(shown.len());
    shown.into_iter().for_each(|replica| view.replica(call.reply, replica));
    Ok(Flow::Done)
}

/// `SENTINEL SENTINELS name`. O(Sentinels). Joins: sentinel.
pub(super) fn peers(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    group(srv, call)?;
    let now = srv.clock.now_ms;
    let machine = machine(srv)?;
    let view = View { own: &machine.own, links: &machine.links, now };
    let peers = &machine.primaries[call.argv.at(2)].peers;
    call.reply.array(peers.len());
    peers.values().for_each(|peer| view.peer(call.reply, peer));
    Ok(Flow::Done)
}

/// `SENTINEL INFO-CACHE [name ...]`: the INFO texts that came last. O(instances). Joins: sentinel.
pub(super) fn info_cache(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let now = srv.clock.now_ms;
    let machine = machine(srv)?;
    let wanted = call.argv.from(2);
    let named = |name: &[u8]| wanted.is_empty() || wanted.contains(&name);
    let found: Vec<&Primary> =
        machine.primaries.values().filter(|primary| named(&primary.group.name)).collect();
    let reply = &mut *call.reply;
    let one = |reply: &mut Reply, base: &Instance| {
        reply.array(2);
        reply.int(if base.info_ms == 0 { 0 } else { now - base.info_ms });
        match &base.info {
            Some(text) => reply.bulk(text),
            None => reply.null(),
        }
    };
    reply.array(found.len() * 2);
    for primary in found {
        reply.bulk(&primary.group.name);
        reply.array(primary.replicas.len() + 1);
        one(reply, &primary.base);
        primary.replicas.values().for_each(|replica| one(reply, &replica.base));
    }
    Ok(Flow::Done)
}

/// `SENTINEL PENDING-SCRIPTS`. O(calls). Joins: sentinel.
pub(super) fn pending_scripts(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let now = srv.clock.now_ms;
    let jobs = machine(srv)?.scripts.jobs();
    let reply = &mut *call.reply;
    reply.array(jobs.len());
    for job in jobs {
        reply.map(5);
        reply.bulk(b"argv");
        reply.array(job.words.len());
        job.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(b"flags");
        reply.bulk(if job.running { b"running" } else { b"scheduled" });
        reply.bulk(b"pid");
        reply.bulk_int(i64::from(job.pid));
        let (name, ms) = match job.running {
            true => ("run-time", now - job.at_ms),
            false => ("run-delay", (job.at_ms - now).max(0)),
        };
        reply.bulk_str(name);
        reply.bulk_int(ms);
        reply.bulk(b"retry-num");
        reply.bulk_int(i64::from(job.tries));
    }
    Ok(Flow::Done)
}
