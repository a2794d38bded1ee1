//! Hellos: how Sentinels find each other and agree on where the primary is.
//!
//! ```text
//! ip,port,run ID,epoch of the Sentinel,name,ip,port,epoch of the group's configuration
//! ```
//! The configuration with the latest epoch wins.

use super::Sentinel;
use super::state::{Address, Ms};
use super::turn::{Home, Level, Resolve, Turn, words};
use crate::util::num;

/// A hello taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    pub host: &'a [u8],
    pub port: i64,
    pub run_id: &'a [u8],
    pub epoch: u64,
    pub group: &'a [u8],
    pub primary_host: &'a [u8],
    pub primary_port: i64,
    pub config_epoch: u64,
}

impl Hello<'_> {
    /// None: it is no hello.
    pub(crate) fn read(text: &[u8]) -> Option<Hello<'_>> {
        let fields: Vec<&[u8]> = text.split(|b| *b == b',').collect();
        let [host, port, run_id, epoch, group, primary_host, primary_port, config_epoch] =
            fields.try_into().ok()?;
        let number = |text| i64::from(num::parse_i32_prefix(text));
        Some(Hello {
            host,
            port: number(port),
            run_id,
            epoch: num::parse_u64(epoch).unwrap_or(0),
            group,
            primary_host,
            primary_port: number(primary_port),
            config_epoch: num::parse_u64(config_epoch).unwrap_or(0),
        })
    }
}

impl Sentinel {
    /// A hello has come, by a channel or directly.
    pub(crate) fn on_hello(&mut self, text: &[u8], now: Ms, resolve: Resolve<'_>) {
        let Some(hello) = Hello::read(text) else { return };
        if !self.primaries.contains_key(hello.group) {
            return;
        }
        let known = self.meet(&hello, now, resolve);
        let (primaries, mut t) = self.turn(now, resolve);
        let Some(primary) = primaries.get_mut(hello.group) else { return };
        // A configuration can be no later than the Sentinel that tells of it.
        primary.learn_epoch(&mut t, hello.epoch.max(hello.config_epoch));
        if known && primary.group.config_epoch < hello.config_epoch {
            primary.group.config_epoch = hello.config_epoch;
            // While a failover of ours is not over there are two addresses. It ends when the later
            // configuration has another one than it leads to.
            let ours = [primary.base.address.clone(), primary.current_address().clone()];
            let same = |address: &Address, t: &mut Turn<'_>| {
                hello.primary_port == i64::from(address.port)
                    && t.is_host(address, hello.primary_host)
            };
            if !ours.iter().all(|address| same(address, &mut t)) {
                if let Some(peer) = primary.peers.get(hello.run_id) {
                    let home = primary.home();
                    t.event(Level::Warning, "+config-update-from", &peer.base, home, "");
                }
                let from = primary.current_address().clone();
                let text = words(&[
                    &primary.group.name,
                    t.own.shown(&from),
                    from.port.to_string().as_bytes(),
                    hello.primary_host,
                    hello.primary_port.to_string().as_bytes(),
                ]);
                t.event_text(Level::Warning, "+switch-master", &primary.group, text);
                if primary.switch(&mut t, hello.primary_host, hello.primary_port).is_ok() {
                    primary.call_reconfig(&mut t, "observer", &from, &primary.base.address);
                }
            }
        }
        if let Some(peer) = primary.peers.get_mut(hello.run_id) {
            peer.hello_ms = now;
        }
    }

    /// Sees to it that the Sentinel that says hello is known under its address: whether it is.
    fn meet(&mut self, hello: &Hello<'_>, now: Ms, resolve: Resolve<'_>) -> bool {
        let (primaries, mut t) = self.turn(now, resolve);
        let Some(primary) = primaries.get_mut(hello.group) else { return false };
        let Ok(address) = t.address(hello.host, hello.port, true) else { return false };
        let known = primary.peers.get(hello.run_id);
        if known.is_some_and(|peer| peer.base.address.is(&address)) {
            return true;
        }
        let moved = primary.remove_peer(&mut t, hello.run_id);
        if moved {
            let more = format!(
                " ip {} port {} for {}",
                String::from_utf8_lossy(hello.host),
                hello.port,
                String::from_utf8_lossy(hello.run_id)
            );
            primary.event(&mut t, Level::Notice, "+sentinel-address-switch", &more);
        } else if let Some(other) =
            primary.peers.values().find(|peer| peer.base.address.is(&address))
        {
            // Another one was there before. It must be gone, or it has got a new run ID.
            let home = primary.home();
            t.event(Level::Notice, "+sentinel-invalid-addr", &other.base, home, "");
            let gone = other.base.name().to_vec();
            for primary in primaries.values_mut() {
                primary.remove_peer(&mut t, &gone);
            }
        }
        let Some(primary) = primaries.get_mut(hello.group) else { return false };
        let added = primary.add_peer(&mut t, hello.run_id, hello.host, hello.port);
        if added.is_err() {
            return false;
        }
        if !moved {
            let home = Home { group: &primary.group, address: &primary.base.address };
            let base = &primary.peers[hello.run_id].base;
            t.event(Level::Notice, "+sentinel", base, home, "");
        }
        t.save();
        self.share_link(hello.group, hello.run_id);
        if moved {
            self.move_peer(hello.group, hello.run_id, now, resolve);
        }
        true
    }

    /// Groups that the same Sentinel watches share the link to it.
    pub(crate) fn share_link(&mut self, group: &[u8], run_id: &[u8]) {
        let others = self.primaries.iter().filter(|(name, _)| name.as_slice() != group);
        let found = others.filter_map(|(_, other)| other.peers.get(run_id)).next();
        let Some(shared) = found.map(|peer| peer.base.link) else { return };
        let primary = self.primaries.get_mut(group);
        let Some(peer) = primary.and_then(|primary| primary.peers.get_mut(run_id)) else { return };
        let old = std::mem::replace(&mut peer.base.link, shared);
        // It has just been made, and no connection of it is open.
        self.links.release(old);
        if let Some(link) = self.links.get_mut(shared) {
            link.shared_by += 1;
        }
    }

    /// A Sentinel has another address: all groups learn it, and connect anew.
    fn move_peer(&mut self, group: &[u8], run_id: &[u8], now: Ms, resolve: Resolve<'_>) {
        let (primaries, mut t) = self.turn(now, resolve);
        let peer = primaries.get(group).and_then(|primary| primary.peers.get(run_id));
        let Some(address) = peer.map(|peer| peer.base.address.clone()) else { return };
        let mut others = 0;
        for (name, primary) in primaries.iter_mut() {
            let Some(peer) = primary.peers.get_mut(run_id) else { continue };
            t.close_both(peer.base.link);
            if name != group {
                peer.base.address = address.clone();
                others += 1;
            }
        }
        let Some(primary) = primaries.get(group) else { return };
        if others > 0
            && let Some(peer) = primary.peers.get(run_id)
        {
            let more = format!(" {others} additional matching instances");
            let home = primary.home();
            t.event(Level::Notice, "+sentinel-address-update", &peer.base, home, &more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_has_eight_fields() {
        let hello = Hello::read(b"10.0.0.1,26379,abc,7,m,10.0.0.2,6379,3").expect("a hello");
        assert_eq!((hello.host, hello.port), (&b"10.0.0.1"[..], 26379));
        assert_eq!((hello.epoch, hello.config_epoch, hello.group), (7, 3, &b"m"[..]));
        assert_eq!(Hello::read(b"10.0.0.1,26379,abc,7,m,10.0.0.2,6379"), None);
        assert_eq!(Hello::read(b""), None);
        assert_eq!(Hello::read(b",,,,,,,").expect("fields").port, 0);
    }
}
