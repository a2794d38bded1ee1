//! TLS: what connections are made with, and those whose handshake is not done.
//!
//! A connection is a client when its handshake is done. Until then it has a place here, of which
//! other parts know only the number. `queue` holds those that have something to say; each is in it
//! once.

use std::collections::VecDeque;
use std::time::SystemTime;

use slab::Slab;

use crate::net::conn::Conn;
use crate::net::tls::cert::Facts;
use crate::net::tls::context::Context;
use crate::util::lines::Lines;

/// A connection in its handshake.
pub(crate) struct Opening {
    pub conn: Conn,
    pub since_ms: i64,
    queued: bool,
}

#[derive(Default)]
pub(crate) struct Tls {
    /// None: no directive asks for TLS.
    pub context: Option<Context>,
    openings: Slab<Opening>,
    queue: VecDeque<usize>,
    /// When the files were last changed that the context was made from.
    pub stamps: Vec<Option<SystemTime>>,
    /// When that was last looked at.
    pub looked_ms: i64,
    /// How often files that had changed were taken, and could not be.
    pub reloads: u64,
    pub failed_reloads: u64,
    /// Handshakes that were done, went wrong, or took too long.
    pub done: u64,
    pub failed: u64,
    pub late: u64,
}

impl Tls {
    /// The place that the next connection gets.
    pub(crate) fn next_place(&self) -> usize {
        self.openings.vacant_key()
    }

    pub(crate) fn add(&mut self, conn: Conn, now_ms: i64) -> usize {
        let place = self.openings.insert(Opening { conn, since_ms: now_ms, queued: false });
        // The peer may have spoken before anybody listened.
        self.tell(place);
        place
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Opening> {
        self.openings.get_mut(place)
    }

    pub(crate) fn remove(&mut self, place: usize) -> Option<Opening> {
        self.openings.try_remove(place)
    }

    /// Connections in their handshake.
    pub(crate) fn len(&self) -> usize {
        self.openings.len()
    }

    /// A connection has something to say.
    pub(crate) fn tell(&mut self, place: usize) {
        if let Some(opening) = self.openings.get_mut(place)
            && !std::mem::replace(&mut opening.queued, true)
        {
            self.queue.push_back(place);
        }
    }

    /// The same for all of them.
    pub(crate) fn tell_all(&mut self) {
        let places: Vec<usize> = self.openings.iter().map(|(place, _)| place).collect();
        places.into_iter().for_each(|place| self.tell(place));
    }

    /// The next one that has something to say.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let place = self.queue.pop_front()?;
        if let Some(opening) = self.openings.get_mut(place) {
            opening.queued = false;
        }
        Some(place)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Those that have begun before a time. O(connections in their handshake).
    pub(crate) fn older_than(&self, ms: i64) -> Vec<usize> {
        self.openings.iter().filter(|(_, o)| o.since_ms < ms).map(|(place, _)| place).collect()
    }

    /// In a child: the connections go on without it.
    pub(crate) fn forget(&mut self) {
        self.openings.clear();
        self.queue.clear();
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self) {
        (self.done, self.failed, self.late) = (0, 0, 0);
        (self.reloads, self.failed_reloads) = (0, 0);
    }

    /// The certificates in use: of the server, of its outgoing connections, and of the authority
    /// whose time ends first.
    pub(crate) fn certificates(&self) -> Vec<(&'static str, &Facts)> {
        let Some(context) = &self.context else { return Vec::new() };
        let own =
            [("server", &context.server_facts), ("client", &context.client_facts)].into_iter();
        own.chain(context.authority_facts.as_ref().map(|facts| ("ca", facts))).collect()
    }

    /// INFO tls.
    pub(crate) fn info(&self, now_ms: i64, o: &mut Lines) {
        for (of, facts) in self.certificates() {
            let left = facts.ends_secs as i64 - now_ms / 1000;
            o.add(&format!("tls_{of}_cert_serial"), &facts.serial);
            o.add(&format!("tls_{of}_cert_expires_in_seconds"), left.max(0));
            o.add(&format!("tls_{of}_cert_expires_in_days"), left.max(0) / 86_400);
        }
        o.add("tls_handshakes_in_progress", self.len());
        o.add("tls_handshakes_done", self.done);
        o.add("tls_handshakes_failed", self.failed);
        o.add("tls_handshakes_timed_out", self.late);
        o.add("tls_reloads", self.reloads);
        o.add("tls_failed_reloads", self.failed_reloads);
    }
}
