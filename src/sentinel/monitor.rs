//! What is done for every instance several times a second: connect, ask, and see whether it is
//! down.

use super::state::{Group, Instance, Kind, Ms, Own, Primary, Replica, Request, Role, Stage};
use super::turn::{Action, Channel, Home, Level, Turn};

/// The channel on which Sentinels find each other.
pub(crate) const HELLO_CHANNEL: &str = "__sentinel__:hello";

/// Commands without a reply on one link, for each instance that shares it. Beyond that nothing
/// more is asked.
const MAX_PENDING: usize = 100;

/// What the connection logs in with: the user, if not the default one, and the password.
fn login<'a>(own: &'a Own, kind: Kind, group: &'a Group) -> Option<(Option<&'a [u8]>, &'a [u8])> {
    let (user, pass) = match kind {
        Kind::Primary | Kind::Replica => (&group.auth_user, &group.auth_pass),
        Kind::Peer if own.pass.is_some() => (&own.user, &own.pass),
        // Compat: the same password for both directions.
        Kind::Peer => (&None, &own.requirepass),
    };
    Some((user.as_deref(), pass.as_deref()?))
}

fn command(group: &Group, name: &str, rest: &[&[u8]]) -> Vec<Vec<u8>> {
    let rest = rest.iter().map(|word| word.to_vec());
    std::iter::once(group.command(name)).chain(rest).collect()
}

/// The commands with which a connection begins.
fn greeting(own: &Own, kind: Kind, group: &Group, channel: Channel) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    match login(own, kind, group) {
        Some((Some(user), pass)) => commands.push(command(group, "AUTH", &[user, pass])),
        Some((None, pass)) => commands.push(command(group, "AUTH", &[pass])),
        None => {}
    }
    let suffix: &[u8] = match channel {
        Channel::Commands => b"-cmd",
        Channel::Hellos => b"-pubsub",
    };
    let name = [b"sentinel-", &own.id[..own.id.len().min(8)], suffix].concat();
    commands.push(command(group, "CLIENT", &[b"SETNAME", &name]));
    commands
}

/// Connects what is not connected.
fn reconnect(t: &mut Turn<'_>, base: &mut Instance, group: &Group) {
    let kind = base.kind();
    let Some(link) = t.links.get_mut(base.link) else { return };
    if !link.is_disconnected(kind) || base.address.port == 0 {
        return;
    }
    if t.now - link.tried_ms < t.own.periods.ping {
        return;
    }
    link.tried_ms = t.now;
    if link.commands.is_none() {
        // A name may lead somewhere else since the last time.
        if t.own.resolve_hostnames
            && let Ok(found) =
                t.address(&base.address.host.clone(), i64::from(base.address.port), false)
        {
            base.address = found;
        }
        t.connect(base, Channel::Commands);
        for words in greeting(t.own, kind, group, Channel::Commands) {
            t.send(base, Request::Other, words);
        }
        ping(t, base, group);
    }
    let listens = t.links.get(base.link).is_none_or(|link| link.listening.is_some());
    if kind != Kind::Peer && !listens {
        t.connect(base, Channel::Hellos);
        let mut commands = greeting(t.own, kind, group, Channel::Hellos);
        if let Some(listening) = t.links.get_mut(base.link).and_then(|l| l.listening.as_mut()) {
            listening.greeting = commands.len();
        }
        commands.push(command(group, "SUBSCRIBE", &[HELLO_CHANNEL.as_bytes()]));
        for words in commands {
            let channel = Channel::Hellos;
            t.actions.push(Action::Send { link: base.link, channel, words });
        }
    }
}

fn ping(t: &mut Turn<'_>, base: &Instance, group: &Group) {
    if t.send(base, Request::Ping, command(group, "PING", &[]))
        && let Some(link) = t.links.get_mut(base.link)
    {
        link.pinged_ms = t.now;
        // Time counts from the first one that was not answered.
        if link.unanswered_ms == 0 {
            link.unanswered_ms = t.now;
        }
    }
}

/// Asks for INFO and PING and says hello, each when it is time.
fn ask(t: &mut Turn<'_>, base: &Instance, group: &Group, hello: &Hello, info_period: Ms) {
    let kind = base.kind();
    let Some(link) = t.links.get(base.link) else { return };
    if link.is_disconnected(kind) || link.pending() >= MAX_PENDING * link.shared_by {
        return;
    }
    let (answered, pinged) = (link.answered_ms, link.pinged_ms);
    let ping_period = base.down_after_ms.min(t.own.periods.ping);
    if kind != Kind::Peer && (base.info_ms == 0 || t.now - base.info_ms > info_period) {
        t.send(base, Request::Info, command(group, "INFO", &[]));
    }
    if t.now - answered > ping_period && t.now - pinged > ping_period / 2 {
        ping(t, base, group);
    }
    if t.now - base.published_ms > t.own.periods.publish {
        say_hello(t, base, group, hello);
    }
}

/// What hellos say of the group.
struct Hello {
    shown: Vec<u8>,
    port: u16,
}

impl Hello {
    fn of(primary: &Primary, own: &Own) -> Hello {
        let address = primary.current_address();
        Hello { shown: own.shown(address).to_vec(), port: address.port }
    }
}

fn say_hello(t: &mut Turn<'_>, base: &Instance, group: &Group, hello: &Hello) {
    let own = &*t.own;
    let local = t.links.get(base.link).and_then(|link| link.commands.as_ref()?.local.clone());
    let Some(ip) = own.announce_ip.clone().or(local) else { return };
    let port = match own.announce_port {
        0 => own.listening_port,
        port => port,
    };
    let text = [
        &ip[..],
        port.to_string().as_bytes(),
        &own.id,
        own.epoch.to_string().as_bytes(),
        &group.name,
        &hello.shown,
        hello.port.to_string().as_bytes(),
        group.config_epoch.to_string().as_bytes(),
    ]
    .join(&b',');
    let words = command(group, "PUBLISH", &[HELLO_CHANNEL.as_bytes(), &text]);
    t.send(base, Request::Publish, words);
}

/// Whether the instance has been silent for too long.
fn is_silent(t: &Turn<'_>, base: &Instance) -> bool {
    let Some(link) = t.links.get(base.link) else { return false };
    let since = match link.unanswered_ms {
        0 if link.is_disconnected(base.kind()) => link.well_ms,
        0 => return false,
        since => since,
    };
    t.now - since > base.down_after_ms
}

/// Closes connections that seem to be up but bring nothing.
fn close_dead(t: &mut Turn<'_>, base: &Instance) {
    let Some(link) = t.links.get(base.link) else { return };
    let periods = &t.own.periods;
    let half = base.down_after_ms / 2;
    let old = |since: Ms| t.now - since > periods.min_reconnect;
    let commands = link.commands.as_ref().is_some_and(|commands| {
        old(commands.since_ms)
            && link.unanswered_ms != 0
            && t.now - link.unanswered_ms > half
            && t.now - link.answered_ms > half
    });
    let hellos = link.listening.as_ref().is_some_and(|listening| {
        // Our own hellos come back on it.
        old(listening.since_ms) && t.now - listening.active_ms > periods.publish * 3
    });
    if commands {
        t.close(base.link, Channel::Commands);
    }
    if hellos {
        t.close(base.link, Channel::Hellos);
    }
}

/// Sets or clears `s_down`: the event that tells of it.
fn judge(now: Ms, base: &mut Instance, down: bool) -> Option<&'static str> {
    if down == base.s_down {
        return None;
    }
    base.s_down = down;
    if down {
        base.s_down_ms = now;
        return Some("+sdown");
    }
    base.kill_sent = false;
    Some("-sdown")
}

impl Primary {
    /// Connects to all and asks them what is due. What is known is not judged.
    pub(crate) fn watch(&mut self, t: &mut Turn<'_>) {
        let hello = Hello::of(self, t.own);
        let period = t.own.periods.info;
        let troubled = self.o_down || self.failover.in_progress();
        let Primary { group, base, replicas, peers, .. } = self;
        reconnect(t, base, group);
        ask(t, base, group, &hello, period);
        for Replica { base, link_down_ms, .. } in replicas.values_mut() {
            // A replica is asked more often while it may become the primary, or be made one by
            // others, and while its link is down.
            let often = troubled || *link_down_ms != 0;
            reconnect(t, base, group);
            ask(t, base, group, &hello, if often { 1000 } else { period });
        }
        for peer in peers.values_mut() {
            reconnect(t, &mut peer.base, group);
            ask(t, &peer.base, group, &hello, period);
        }
    }

    /// Finds out who is down, and does something about it.
    pub(crate) fn act(&mut self, t: &mut Turn<'_>) {
        close_dead(t, &self.base);
        let down = self.is_down(t);
        if let Some(name) = judge(t.now, &mut self.base, down) {
            self.event(t, Level::Warning, name, "");
        }
        self.check_quorum(t);
        if self.start_failover_if_needed(t) {
            self.ask_peers(t, true);
        }
        self.go_on_with_failover(t);
        self.ask_peers(t, false);
        let Primary { group, base, replicas, peers, .. } = self;
        let home = Home { group, address: &base.address };
        let replicas = replicas.values_mut().map(|replica| &mut replica.base);
        for base in replicas.chain(peers.values_mut().map(|peer| &mut peer.base)) {
            close_dead(t, base);
            let down = is_silent(t, base);
            if let Some(name) = judge(t.now, base, down) {
                t.event(Level::Warning, name, base, home, "");
            }
        }
    }

    fn is_down(&self, t: &Turn<'_>) -> bool {
        let base = &self.base;
        // It says that it is a replica, for long enough that INFO came twice.
        let turned = base.role == Some(Role::Replica)
            && t.now - base.role_ms > base.down_after_ms + t.own.periods.info * 2;
        let rebooted = self.rebooted_ms;
        let slow = rebooted.is_some_and(|since| t.now - since > self.group.reboot_down_after_ms);
        turned || slow || is_silent(t, base)
    }

    /// Sets or clears `o_down`.
    fn check_quorum(&mut self, t: &mut Turn<'_>) {
        let agree = self.peers.values().filter(|peer| peer.says_down).count() + 1;
        let down = self.base.s_down && agree >= self.group.quorum as usize;
        match (down, self.o_down) {
            (true, false) => {
                let more = format!(" #quorum {agree}/{}", self.group.quorum);
                self.event(t, Level::Warning, "+odown", &more);
                (self.o_down, self.o_down_ms) = (true, t.now);
            }
            (false, true) => {
                self.event(t, Level::Warning, "-odown", "");
                self.o_down = false;
            }
            _ => {}
        }
    }

    /// Asks the other Sentinels whether the primary is down, and for a vote while a failover is in
    /// progress.
    fn ask_peers(&mut self, t: &mut Turn<'_>, now: bool) {
        let (period, down) = (t.own.periods.ask, self.base.s_down);
        let vote = self.failover.stage != Stage::None;
        let Primary { group, base: primary, peers, .. } = self;
        for peer in peers.values_mut() {
            let since = t.now - peer.answered_ms;
            if since > period * 5 {
                (peer.says_down, peer.leader) = (false, None);
            }
            let link = t.links.get(peer.base.link);
            if !down || link.is_none_or(|link| link.is_disconnected(Kind::Peer)) {
                continue;
            }
            if !now && since < period {
                continue;
            }
            let port = primary.address.port.to_string();
            let epoch = t.own.epoch.to_string();
            let words = command(
                group,
                "SENTINEL",
                &[
                    b"is-master-down-by-addr",
                    t.own.shown(&primary.address),
                    port.as_bytes(),
                    epoch.as_bytes(),
                    if vote { &t.own.id } else { b"*" },
                ],
            );
            t.send(&peer.base, Request::Ask, words);
        }
    }
}

/// Makes a server follow another one, or nobody: one transaction, which writes that into its
/// configuration and ends its clients' connections, so that they ask anew who leads. Whether it
/// could be sent.
pub(crate) fn send_follow(
    t: &mut Turn<'_>,
    base: &Instance,
    group: &Group,
    to: Option<(&[u8], u16)>,
) -> bool {
    let (host, port) = match to {
        Some((host, port)) => (host, port.to_string()),
        None => (&b"NO"[..], "ONE".to_owned()),
    };
    [
        command(group, "MULTI", &[]),
        command(group, "SLAVEOF", &[host, port.as_bytes()]),
        command(group, "CONFIG", &[b"REWRITE"]),
        command(group, "CLIENT", &[b"KILL", b"TYPE", b"normal"]),
        command(group, "CLIENT", &[b"KILL", b"TYPE", b"pubsub"]),
        command(group, "EXEC", &[]),
    ]
    .into_iter()
    .all(|words| t.send(base, Request::Other, words))
}

/// Asks a server to end the script that it is busy with.
pub(crate) fn send_script_kill(t: &mut Turn<'_>, base: &Instance, group: &Group) {
    t.send(base, Request::Other, command(group, "SCRIPT", &[b"KILL"]));
}
