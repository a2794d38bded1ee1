//! Elections, and what the Sentinel that is elected does.
//!
//! ```text
//! WaitStart -> SelectReplica -> SendPromotion -> WaitPromotion -> ReconfReplicas -> UpdateConfig
//!     until elected                                 until its INFO says that it is the primary
//! ```
//! In each epoch a Sentinel votes once for a group. Who has the votes of the majority, and of at
//! least `quorum`, leads the failover of that epoch (the leader election of Raft; Ongaro and
//! Ousterhout 2014).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::monitor::send_follow;
use super::state::{Kind, Ms, Primary, Reconf, Replica, Stage};
use super::turn::{Action, Home, Level, Turn, words};

/// Sentinels begin up to so many milliseconds apart, so that they don't split the votes.
const MAX_DESYNC: u64 = 1000;

/// How many Sentinels of a group can be reached, and what they are enough for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub usable: usize,
    pub quorum: bool,
    pub majority: bool,
}

impl Primary {
    pub(crate) fn reachable(&self) -> Reachable {
        let usable = self.peers.values().filter(|peer| !peer.base.s_down).count() + 1;
        let voters = self.peers.len() + 1;
        Reachable {
            usable,
            quorum: usable >= self.group.quorum as usize,
            majority: usable > voters / 2,
        }
    }

    fn enter(&mut self, t: &Turn<'_>, stage: Stage) {
        self.failover.stage = stage;
        self.failover.changed_ms = t.now;
    }

    fn event_epoch(&self, t: &mut Turn<'_>) {
        let epoch = t.own.epoch.to_string().into_bytes();
        t.event_text(Level::Warning, "+new-epoch", &self.group, epoch);
    }

    /// The other side's epoch is later than ours.
    pub(crate) fn learn_epoch(&self, t: &mut Turn<'_>, epoch: u64) {
        if epoch > t.own.epoch {
            t.own.epoch = epoch;
            t.save();
            self.event_epoch(t);
        }
    }

    /// Votes for `candidate`, unless we have voted in this epoch. The vote there is, and its epoch.
    pub(crate) fn vote(
        &mut self,
        t: &mut Turn<'_>,
        epoch: u64,
        candidate: &[u8],
    ) -> (Option<Vec<u8>>, u64) {
        self.learn_epoch(t, epoch);
        if self.leader_epoch < epoch && t.own.epoch <= epoch {
            self.leader = Some(candidate.to_vec());
            self.leader_epoch = t.own.epoch;
            t.save();
            let text = words(&[candidate, self.leader_epoch.to_string().as_bytes()]);
            t.event_text(Level::Warning, "+vote-for-leader", &self.group, text);
            // Who votes for another one waits before it tries itself.
            if !candidate.eq_ignore_ascii_case(&t.own.id) {
                self.failover.started_ms = t.now + t.below(MAX_DESYNC);
            }
        }
        (self.leader.clone(), self.leader_epoch)
    }

    /// Who has won the election of this epoch, if anybody has. Our own vote is given here at last.
    fn leader_of(&mut self, t: &mut Turn<'_>, epoch: u64) -> Option<Vec<u8>> {
        let mut votes: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for peer in self.peers.values().filter(|peer| peer.leader_epoch == t.own.epoch) {
            if let Some(leader) = &peer.leader {
                *votes.entry(leader.clone()).or_default() += 1;
            }
        }
        let most = |votes: &BTreeMap<Vec<u8>, usize>| {
            votes.iter().max_by_key(|(_, n)| **n).map(|(who, n)| (who.clone(), *n))
        };
        let candidate = most(&votes).map_or_else(|| t.own.id.clone(), |(who, _)| who);
        let (mine, at) = self.vote(t, epoch, &candidate);
        if let Some(mine) = mine
            && at == epoch
        {
            *votes.entry(mine).or_default() += 1;
        }
        let (who, n) = most(&votes)?;
        let enough = n > self.peers.len().div_ceil(2) && n >= self.group.quorum as usize;
        enough.then_some(who)
    }

    pub(crate) fn start_failover(&mut self, t: &mut Turn<'_>) {
        t.own.epoch = t.own.epoch.saturating_add(1);
        self.failover.epoch = t.own.epoch;
        self.event_epoch(t);
        self.event(t, Level::Warning, "+try-failover", "");
        self.failover.started_ms = t.now + t.below(MAX_DESYNC);
        self.enter(t, Stage::WaitStart);
    }

    /// Starts a failover if the primary is down for enough Sentinels, and the last attempt was long
    /// ago. Whether it did.
    pub(crate) fn start_failover_if_needed(&mut self, t: &mut Turn<'_>) -> bool {
        if !self.o_down || self.failover.in_progress() {
            return false;
        }
        let wait = self.group.failover_timeout_ms.saturating_mul(2);
        let failover = &mut self.failover;
        if t.now - failover.started_ms < wait {
            if failover.delay_logged_ms != failover.started_ms {
                failover.delay_logged_ms = failover.started_ms;
                t.actions.push(Action::Wait { until_ms: failover.started_ms.saturating_add(wait) });
            }
            return false;
        }
        self.start_failover(t);
        true
    }

    /// The best replica to promote, by its key: the lowest priority, then the most data, then the
    /// lowest run ID. Those that are down, silent or cut off for long are no choice.
    pub(crate) fn best_replica(&self, t: &Turn<'_>) -> Option<Vec<u8>> {
        let mut max_link_down = self.base.down_after_ms.saturating_mul(10);
        if self.base.s_down {
            max_link_down += t.now - self.base.s_down_ms;
        }
        let periods = &t.own.periods;
        // While the primary is down, replicas are asked for INFO every second.
        let info_age = if self.base.s_down { periods.ping * 5 } else { periods.info * 3 };
        let fits = |replica: &&Replica| {
            let base = &replica.base;
            let well = |link: &super::state::Link| {
                !link.is_disconnected(Kind::Replica) && t.now - link.well_ms <= periods.ping * 5
            };
            !base.s_down
                && t.links.get(base.link).is_some_and(well)
                && replica.priority != 0
                && t.now - base.info_ms <= info_age
                && replica.link_down_ms <= max_link_down
        };
        let order = |replica: &&Replica| {
            let run_id = replica.base.run_id.as_ref().map(|id| id.to_ascii_lowercase());
            (replica.priority, Reverse(replica.offset), run_id.is_none(), run_id)
        };
        let best = self.replicas.values().filter(fits).min_by_key(order);
        best.map(|replica| replica.base.name().to_vec())
    }

    pub(crate) fn go_on_with_failover(&mut self, t: &mut Turn<'_>) {
        match self.failover.stage {
            Stage::None | Stage::UpdateConfig => {}
            Stage::WaitStart => self.wait_start(t),
            Stage::SelectReplica => self.select(t),
            Stage::SendPromotion => self.send_promotion(t),
            Stage::WaitPromotion => {
                self.abort_if_late(t);
            }
            Stage::ReconfReplicas => self.reconf_next(t),
        }
    }

    /// Ends a failover before the new primary has taken over.
    fn abort(&mut self, t: &Turn<'_>) {
        debug_assert!(self.failover.stage <= Stage::WaitPromotion);
        self.enter(t, Stage::None);
        self.failover.forced = false;
        if let Some(key) = self.failover.promoted.take()
            && let Some(replica) = self.replicas.get_mut(&key)
        {
            replica.promoted = false;
        }
    }

    fn abort_if_late(&mut self, t: &mut Turn<'_>) -> bool {
        let late = t.now - self.failover.changed_ms > self.group.failover_timeout_ms;
        if late {
            self.event(t, Level::Warning, "-failover-abort-slave-timeout", "");
            self.abort(t);
        }
        late
    }

    fn wait_start(&mut self, t: &mut Turn<'_>) {
        let leader = self.leader_of(t, self.failover.epoch);
        let elected = leader.is_some_and(|leader| leader.eq_ignore_ascii_case(&t.own.id));
        if !elected && !self.failover.forced {
            let timeout = t.own.periods.election_timeout.min(self.group.failover_timeout_ms);
            if t.now - self.failover.started_ms > timeout {
                self.event(t, Level::Warning, "-failover-abort-not-elected", "");
                self.abort(t);
            }
            return;
        }
        self.event(t, Level::Warning, "+elected-leader", "");
        if t.own.simulated.crash_after_election {
            t.actions.push(Action::Crash);
        }
        self.enter(t, Stage::SelectReplica);
        self.event(t, Level::Warning, "+failover-state-select-slave", "");
    }

    fn select(&mut self, t: &mut Turn<'_>) {
        let best = self.best_replica(t);
        let Some(key) = best else {
            self.event(t, Level::Warning, "-failover-abort-no-good-slave", "");
            return self.abort(t);
        };
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.promoted = true;
            let home = Home { group: &self.group, address: &self.base.address };
            t.event(Level::Warning, "+selected-slave", &replica.base, home, "");
            let name = "+failover-state-send-slaveof-noone";
            t.event(Level::Notice, name, &replica.base, home, "");
        }
        self.failover.promoted = Some(key);
        self.enter(t, Stage::SendPromotion);
    }

    fn send_promotion(&mut self, t: &mut Turn<'_>) {
        let Some(replica) = self.promoted() else {
            return self.abort(t);
        };
        let link = t.links.get(replica.base.link);
        if link.is_none_or(|link| link.is_disconnected(Kind::Replica)) {
            self.abort_if_late(t);
            return;
        }
        if !send_follow(t, &replica.base, &self.group, None) {
            return;
        }
        let name = "+failover-state-wait-promotion";
        t.event(Level::Notice, name, &replica.base, self.home(), "");
        self.enter(t, Stage::WaitPromotion);
    }

    /// Tells more replicas to follow the new primary, `parallel-syncs` at a time.
    fn reconf_next(&mut self, t: &mut Turn<'_>) {
        let Some(to) = self.promoted().map(|replica| replica.base.address.clone()) else {
            return self.enter(t, Stage::UpdateConfig);
        };
        let (shown, timeout) = (t.own.shown(&to).to_vec(), t.own.periods.reconf_timeout);
        let Primary { group, base: primary, replicas, .. } = self;
        let home = Home { group, address: &primary.address };
        let moving =
            |replica: &&Replica| matches!(replica.reconf, Reconf::Sent | Reconf::InProgress);
        let mut in_progress = replicas.values().filter(moving).count() as i64;
        for replica in replicas.values_mut() {
            if in_progress >= group.parallel_syncs {
                break;
            }
            if replica.promoted || replica.reconf == Reconf::Done {
                continue;
            }
            // One that does not move counts as done; its configuration is mended later.
            if replica.reconf == Reconf::Sent && t.now - replica.reconf_sent_ms > timeout {
                t.event(Level::Notice, "-slave-reconf-sent-timeout", &replica.base, home, "");
                replica.reconf = Reconf::Done;
            }
            let link = t.links.get(replica.base.link);
            let connected = link.is_some_and(|link| !link.is_disconnected(Kind::Replica));
            if matches!(replica.reconf, Reconf::Sent | Reconf::InProgress) || !connected {
                continue;
            }
            if send_follow(t, &replica.base, group, Some((&shown, to.port))) {
                (replica.reconf, replica.reconf_sent_ms) = (Reconf::Sent, t.now);
                t.event(Level::Notice, "+slave-reconf-sent", &replica.base, home, "");
                in_progress += 1;
            }
        }
        self.detect_end(t, &shown, to.port);
    }

    /// Ends the failover when all replicas that can be reached follow the new primary, or when it
    /// has taken too long.
    fn detect_end(&mut self, t: &mut Turn<'_>, shown: &[u8], port: u16) {
        if self.promoted().is_none_or(|replica| replica.base.s_down) {
            return;
        }
        let left = |replica: &&Replica| {
            !replica.promoted && replica.reconf != Reconf::Done && !replica.base.s_down
        };
        let mut done = !self.replicas.values().any(|replica| left(&replica));
        let elapsed: Ms = t.now - self.failover.changed_ms;
        let late = elapsed > self.group.failover_timeout_ms;
        if late {
            done = true;
            self.event(t, Level::Warning, "+failover-end-for-timeout", "");
        }
        if done {
            self.event(t, Level::Warning, "+failover-end", "");
            self.enter(t, Stage::UpdateConfig);
        }
        if !late {
            return;
        }
        // The others are told all the same; nobody waits for them.
        let Primary { group, base: primary, replicas, .. } = self;
        let home = Home { group, address: &primary.address };
        for replica in replicas.values_mut() {
            let told = matches!(replica.reconf, Reconf::Sent | Reconf::Done);
            let link = t.links.get(replica.base.link);
            let connected = link.is_some_and(|link| !link.is_disconnected(Kind::Replica));
            if !replica.promoted
                && !told
                && connected
                && send_follow(t, &replica.base, group, Some((shown, port)))
            {
                t.event(Level::Notice, "+slave-reconf-sent-be", &replica.base, home, "");
                replica.reconf = Reconf::Sent;
            }
        }
    }

    /// The failover is over: the group's address is that of the new primary.
    pub(crate) fn switch_to_promoted(&mut self, t: &mut Turn<'_>) {
        let to = self.promoted().map_or(&self.base, |replica| &replica.base).address.clone();
        let from = &self.base.address;
        let text = words(&[
            &self.group.name,
            t.own.shown(from),
            from.port.to_string().as_bytes(),
            t.own.shown(&to),
            to.port.to_string().as_bytes(),
        ]);
        t.event_text(Level::Warning, "+switch-master", &self.group, text);
        if self.switch(t, &to.host, i64::from(to.port)).is_err() {
            // The name can't be resolved now. It is tried again in the next round.
            self.failover.changed_ms = t.now;
        }
    }
}
