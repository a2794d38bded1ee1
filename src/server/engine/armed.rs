//! Who listens for effects, what the gate has to look at, and what becomes of keys past their time:
//! facts that every command needs, and that change seldom. They are found anew when they may have
//! changed.

use crate::config::{AUDIT_AUTH, AUDIT_DENIED};
use crate::keyspace::effects;
use crate::keyspace::env::Expiry;
use crate::net::clients::ClientId;
use crate::server::engine::gate;
use crate::server::parts::Server;

impl Server {
    /// Sets who listens for effects, and what the gate has to look at. Whoever starts or stops
    /// listening calls this, and whoever changes what `concerns` looks at.
    pub(crate) fn rearm(&mut self) {
        let mut armed = 0;
        // Who has to know when a key goes learns it from what changes.
        let waits = self.blocked.waits_for_deletion();
        if waits || self.survey.on || !self.watch.is_empty() || !self.tracking.is_idle() {
            armed |= effects::TOUCHED;
        }
        if self.tracking.active() > 0 {
            armed |= effects::CACHED;
        }
        if self.cfg.keyspace.notify_events & 3 != 0 && !self.pubsub.is_empty() {
            armed |= effects::EVENTS;
        }
        if !self.blocked.is_empty() {
            armed |= effects::READY;
        }
        if self.stream.has_readers() {
            armed |= effects::STREAM;
        }
        if self.repl.is_replica() && !self.cfg.repl.read_only {
            armed |= effects::OWN_KEYS;
        }
        if self.audit.events & !(AUDIT_AUTH | AUDIT_DENIED) != 0 {
            armed |= effects::AUDITED;
        }
        self.exec.expiry = match &self.loading {
            Some(loading) if !loading.aside => Expiry::Ignore,
            // Compat: a replica leaves it to its primary what has expired.
            _ if self.pause.scope().is_some() || self.repl.is_replica() => Expiry::Hide,
            _ => Expiry::Delete,
        };
        self.exec.armed = armed;
        self.exec.concerns = gate::concerns(self);
    }

    /// The role has changed, or who follows this server: what depends on it follows. O(replicas).
    pub(crate) fn roles_changed(&mut self) {
        self.repl.refresh(&self.cfg, self.clock.now_ms);
        self.rearm();
    }

    /// A registry has listed a client, or no longer does: what is asked of it at every command
    /// follows. O(1).
    pub(crate) fn listed(&mut self, id: ClientId) {
        let subscriptions = self.pubsub.bytes(id);
        let bytes = subscriptions.unwrap_or(0) + self.watch.bytes(id);
        self.clients.list(id, subscriptions.is_some(), bytes);
        self.rearm();
    }
}
