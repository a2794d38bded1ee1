//! How groups and their instances come and go.

use std::collections::BTreeMap;

use super::state::{Address, Failover, Group, Kind, Peer, Primary, Reconf, Replica, Role};
use super::turn::{AddError, Home, Level, Turn};

/// A replica is as good as any other until its INFO says something else.
const DEFAULT_PRIORITY: i64 = 100;

impl Primary {
    /// A new group. Its name must be free.
    pub(crate) fn new(
        t: &mut Turn<'_>,
        name: &[u8],
        host: &[u8],
        port: i64,
        quorum: u32,
    ) -> Result<Primary, AddError> {
        let address = t.address(host, port, true)?;
        let down_after = t.own.periods.default_down_after;
        let base = t.instance(Kind::Primary, name, name.to_vec(), address, down_after);
        let group = Group {
            name: name.to_vec(),
            quorum,
            parallel_syncs: 1,
            failover_timeout_ms: t.own.periods.default_failover_timeout,
            reboot_down_after_ms: 0,
            notification_script: None,
            reconfig_script: None,
            auth_user: None,
            auth_pass: None,
            renamed: BTreeMap::new(),
            config_epoch: 0,
        };
        Ok(Primary {
            group,
            base,
            replicas: BTreeMap::new(),
            peers: BTreeMap::new(),
            o_down: false,
            o_down_ms: 0,
            rebooted_ms: None,
            failover: Failover::default(),
            leader: None,
            leader_epoch: 0,
        })
    }

    pub(crate) fn home(&self) -> Home<'_> {
        Home { group: &self.group, address: &self.base.address }
    }

    /// An event about the group's primary.
    pub(crate) fn event(&self, t: &mut Turn<'_>, level: Level, name: &'static str, more: &str) {
        t.event(level, name, &self.base, self.home(), more);
    }

    pub(crate) fn announce(&self, t: &mut Turn<'_>) {
        let more = format!(" quorum {}", self.group.quorum);
        self.event(t, Level::Warning, "+monitor", &more);
    }

    /// Adds a replica; its key.
    pub(crate) fn add_replica(
        &mut self,
        t: &mut Turn<'_>,
        host: &[u8],
        port: i64,
    ) -> Result<Vec<u8>, AddError> {
        let address = t.address(host, port, true)?;
        let key = t.own.place(&address);
        if self.replicas.contains_key(&key) {
            return Err(AddError::Duplicate);
        }
        let down_after = self.base.down_after_ms;
        let base = t.instance(Kind::Replica, &self.group.name, key.clone(), address, down_after);
        let replica = Replica {
            base,
            link_down_ms: 0,
            link_up: false,
            priority: DEFAULT_PRIORITY,
            announced: true,
            primary_host: None,
            primary_port: 0,
            offset: 0,
            conf_changed_ms: t.now,
            promoted: false,
            reconf: Reconf::None,
            reconf_sent_ms: 0,
        };
        self.replicas.insert(key.clone(), replica);
        Ok(key)
    }

    /// Whether a replica at this place is known.
    pub(crate) fn has_replica(&self, t: &mut Turn<'_>, host: &[u8], port: i64) -> bool {
        let address = t.address(host, port, false);
        address.is_ok_and(|address| self.replicas.contains_key(&t.own.place(&address)))
    }

    /// Adds another Sentinel.
    pub(crate) fn add_peer(
        &mut self,
        t: &mut Turn<'_>,
        run_id: &[u8],
        host: &[u8],
        port: i64,
    ) -> Result<(), AddError> {
        let address = t.address(host, port, true)?;
        if self.peers.contains_key(run_id) {
            return Err(AddError::Duplicate);
        }
        let down_after = self.base.down_after_ms;
        let mut base =
            t.instance(Kind::Peer, &self.group.name, run_id.to_vec(), address, down_after);
        base.run_id = Some(run_id.to_vec());
        let peer = Peer {
            base,
            hello_ms: t.now,
            answered_ms: t.now,
            says_down: false,
            leader: None,
            leader_epoch: 0,
        };
        self.peers.insert(run_id.to_vec(), peer);
        Ok(())
    }

    /// Removes a Sentinel: whether it was known.
    pub(crate) fn remove_peer(&mut self, t: &mut Turn<'_>, run_id: &[u8]) -> bool {
        let found = self.peers.remove(run_id);
        if let Some(peer) = &found {
            t.forget(&peer.base);
        }
        found.is_some()
    }

    /// Forgets everything but the settings: all instances, and the failover in progress.
    pub(crate) fn reset(&mut self, t: &mut Turn<'_>, with_peers: bool) {
        for replica in std::mem::take(&mut self.replicas).into_values() {
            t.forget(&replica.base);
        }
        if with_peers {
            for peer in std::mem::take(&mut self.peers).into_values() {
                t.forget(&peer.base);
            }
        }
        t.close_both(self.base.link);
        if let Some(link) = t.links.get_mut(self.base.link) {
            link.unanswered_ms = t.now;
            link.pinged_ms = 0;
            // Where it leads now has not been tried.
            link.tried_ms = 0;
            link.well_ms = t.now;
            link.answered_ms = t.now;
        }
        let base = &mut self.base;
        (base.s_down, base.kill_sent, base.run_id) = (false, false, None);
        (base.role, base.role_ms) = (Some(Role::Primary), t.now);
        (self.o_down, self.rebooted_ms, self.leader) = (false, None, None);
        let epoch = self.failover.epoch;
        self.failover = Failover { epoch, ..Failover::default() };
    }

    /// The group has another primary now. The old one becomes one of its replicas.
    pub(crate) fn switch(
        &mut self,
        t: &mut Turn<'_>,
        host: &[u8],
        port: i64,
    ) -> Result<(), AddError> {
        let new = t.address(host, port, false)?;
        let mut places: Vec<Address> = self
            .replicas
            .values()
            .map(|replica| replica.base.address.clone())
            .filter(|address| !address.is(&new))
            .collect();
        if !new.is(&self.base.address) {
            places.push(self.base.address.clone());
        }
        self.reset(t, false);
        self.base.address = new;
        (self.base.s_down_ms, self.o_down_ms) = (0, 0);
        for place in places {
            if let Ok(key) = self.add_replica(t, &place.host, i64::from(place.port)) {
                let replica = &self.replicas[&key];
                t.event(Level::Notice, "+slave", &replica.base, self.home(), "");
            }
        }
        t.save();
        Ok(())
    }

    /// Everything about the group goes.
    pub(crate) fn end(mut self, t: &mut Turn<'_>) {
        self.reset(t, true);
        t.forget(&self.base);
    }

    /// Closes the connections to the servers of the group, for instance to log in anew.
    pub(crate) fn drop_connections(&self, t: &mut Turn<'_>) {
        t.close_both(self.base.link);
        for replica in self.replicas.values() {
            t.close_both(replica.base.link);
        }
    }

    /// Calls the script that tells clients of a new primary.
    pub(crate) fn call_reconfig(&self, t: &mut Turn<'_>, role: &str, from: &Address, to: &Address) {
        let Some(script) = &self.group.reconfig_script else { return };
        let (from_port, to_port) = (from.port.to_string(), to.port.to_string());
        let words: [&[u8]; 8] = [
            script,
            &self.group.name,
            role.as_bytes(),
            b"start",
            t.own.shown(from),
            from_port.as_bytes(),
            t.own.shown(to),
            to_port.as_bytes(),
        ];
        let words = words.map(<[u8]>::to_vec).to_vec();
        t.scripts.add(words);
    }

    /// Enough time has passed without trouble, and INFO is fresh: its word counts.
    pub(crate) fn looks_sane(&self, t: &Turn<'_>) -> bool {
        self.base.role == Some(Role::Primary)
            && !self.base.s_down
            && !self.o_down
            && t.now - self.base.info_ms < t.own.periods.info * 2
    }

    /// Tells everybody of the group soon, instead of when it is their turn.
    pub(crate) fn publish_soon(&mut self, t: &Turn<'_>) {
        let back = t.own.periods.publish + 1;
        let replicas = self.replicas.values_mut().map(|replica| &mut replica.base);
        let peers = self.peers.values_mut().map(|peer| &mut peer.base);
        for base in std::iter::once(&mut self.base).chain(replicas).chain(peers) {
            if base.published_ms >= back {
                base.published_ms -= back;
            }
        }
    }
}
