//! What has come on a link: replies to what was asked, hellos, or its end.

use std::rc::Rc;

use super::Sentinel;
use super::monitor::send_script_kill;
use super::state::{Expected, Instance, Kind, Ms, Primary, Request, Who};
use super::turn::{Channel, Level, Resolve, Turn, show};
use crate::resp::value::Value;

impl Sentinel {
    /// A connection is up, from this address of ours.
    pub(crate) fn on_local(&mut self, link: u64, local: Vec<u8>) {
        let link = self.links.get_mut(link);
        if let Some(commands) = link.and_then(|link| link.commands.as_mut()) {
            commands.local = Some(local);
        }
    }

    /// A connection has ended, or could not be made. Replies that were to come are lost.
    pub(crate) fn on_lost(&mut self, link: u64, channel: Channel) {
        if let Some(link) = self.links.get_mut(link) {
            match channel {
                Channel::Commands => link.commands = None,
                Channel::Hellos => link.listening = None,
            }
        }
    }

    /// A value has come on a connection.
    pub(crate) fn on_value(
        &mut self,
        link: u64,
        channel: Channel,
        value: Value,
        now: Ms,
        resolve: Resolve<'_>,
    ) {
        match channel {
            Channel::Hellos => self.on_message(link, value, now, resolve),
            Channel::Commands => self.on_reply(link, value, now, resolve),
        }
    }

    fn on_message(&mut self, link: u64, value: Value, now: Ms, resolve: Resolve<'_>) {
        let known = self.links.get_mut(link);
        let Some(listening) = known.and_then(|link| link.listening.as_mut()) else { return };
        if listening.greeting > 0 {
            listening.greeting -= 1;
            return;
        }
        if let Value::Error(_) = value {
            // It listens to nothing: to try again is better than to believe that nobody speaks.
            let (_, mut t) = self.turn(now, resolve);
            return t.close(link, Channel::Hellos);
        }
        listening.active_ms = now;
        let (Value::Array(parts) | Value::Push(parts)) = value else { return };
        let [Value::Bulk(kind), Value::Bulk(_), Value::Bulk(text)] = &parts[..] else { return };
        let from_us = text.windows(self.own.id.len().max(1)).any(|part| part == self.own.id);
        if kind == b"message" && !from_us {
            self.on_hello(text, now, resolve);
        }
    }

    fn on_reply(&mut self, link: u64, value: Value, now: Ms, resolve: Resolve<'_>) {
        let known = self.links.get_mut(link);
        let Some(commands) = known.and_then(|link| link.commands.as_mut()) else { return };
        let Some(Expected { who, what }) = commands.expected.pop_front() else {
            // Nothing was asked: the next reply would be taken for another one's.
            let (_, mut t) = self.turn(now, resolve);
            return t.close(link, Channel::Commands);
        };
        match (what, who) {
            (Request::Ping, who) => self.on_pong(link, who, value, now, resolve),
            (Request::Other, _) | (_, None) => {}
            (Request::Info, Some(who)) => {
                if let Value::Bulk(text) | Value::Verbatim(_, text) = value {
                    let (primaries, mut t) = self.turn(now, resolve);
                    if let Some(primary) = primaries.get_mut(&who.group)
                        && primary.knows(&who)
                    {
                        primary.on_info(&mut t, &who, &text);
                    }
                }
            }
            (Request::Publish, Some(who)) => self.on_published(&who, &value, now),
            (Request::Ask, Some(who)) => self.on_answer(&who, &value, now, resolve),
        }
    }

    fn on_pong(
        &mut self,
        link: u64,
        who: Option<Rc<Who>>,
        value: Value,
        now: Ms,
        resolve: Resolve<'_>,
    ) {
        let (primaries, mut t) = self.turn(now, resolve);
        let Some(state) = t.links.get_mut(link) else { return };
        state.answered_ms = now;
        let (Value::Simple(text) | Value::Error(text)) = value else { return };
        let well = [&b"PONG"[..], b"LOADING", b"MASTERDOWN"].iter().any(|w| text.starts_with(w));
        if well {
            (state.well_ms, state.unanswered_ms) = (now, 0);
        }
        let Some(who) = who else { return };
        let Some(primary) = primaries.get_mut(&who.group) else { return };
        if !primary.knows(&who) {
            return;
        }
        if who.kind == Kind::Primary && text.starts_with(b"PONG") {
            primary.rebooted_ms = None;
        }
        if !well && text.starts_with(b"BUSY") {
            kill_script(&mut t, primary, &who);
        }
    }

    fn on_published(&mut self, who: &Who, value: &Value, now: Ms) {
        let Some(primary) = self.primaries.get_mut(&who.group) else { return };
        if !matches!(value, Value::Error(_))
            && let Some(base) = primary.base_mut(who)
        {
            base.published_ms = now;
        }
    }

    /// Another Sentinel's word on the primary: whether it is down, and the vote.
    fn on_answer(&mut self, who: &Who, value: &Value, now: Ms, resolve: Resolve<'_>) {
        let Value::Array(parts) = value else { return };
        let [Value::Int(down), Value::Bulk(leader), Value::Int(epoch)] = &parts[..] else { return };
        let (primaries, mut t) = self.turn(now, resolve);
        let primary = primaries.get_mut(&who.group).filter(|primary| primary.knows(who));
        let Some(peer) = primary.and_then(|primary| primary.peers.get_mut(&who.key)) else {
            return;
        };
        peer.answered_ms = now;
        peer.says_down = *down == 1;
        if leader != b"*" {
            let epoch = *epoch as u64;
            if peer.leader_epoch != epoch {
                let text = format!("{} voted for {} {epoch}", show(&who.key), show(leader));
                t.log(Level::Notice, text);
            }
            peer.leader = Some(leader.clone());
            peer.leader_epoch = epoch;
        }
    }
}

/// An instance that does not answer because of a script is asked, once, to end it.
fn kill_script(t: &mut Turn<'_>, primary: &mut Primary, who: &Who) {
    let Primary { group, base, replicas, peers, .. } = primary;
    let base = match who.kind {
        Kind::Primary => Some(base),
        Kind::Replica => replicas.get_mut(&who.key).map(|replica| &mut replica.base),
        Kind::Peer => peers.get_mut(&who.key).map(|peer| &mut peer.base),
    };
    if let Some(base) = base
        && base.s_down
        && !base.kill_sent
    {
        send_script_kill(t, base, group);
        base.kill_sent = true;
    }
}

impl Primary {
    /// Whether this very instance is still known.
    pub(crate) fn knows(&self, who: &Who) -> bool {
        let base = match who.kind {
            Kind::Primary => Some(&self.base),
            Kind::Replica => self.replicas.get(&who.key).map(|replica| &replica.base),
            Kind::Peer => self.peers.get(&who.key).map(|peer| &peer.base),
        };
        base.is_some_and(|base| base.who.number == who.number)
    }

    fn base_mut(&mut self, who: &Who) -> Option<&mut Instance> {
        let base = match who.kind {
            Kind::Primary => Some(&mut self.base),
            Kind::Replica => self.replicas.get_mut(&who.key).map(|replica| &mut replica.base),
            Kind::Peer => self.peers.get_mut(&who.key).map(|peer| &mut peer.base),
        };
        base.filter(|base| base.who.number == who.number)
    }
}
