//! All clients: a slab, ids that never name a newcomer by mistake, and who needs attention.
//!
//! `ClientId` is slot and generation; a registry entry or an event that outlived its client finds
//! nobody. Clients are only *marked* for closing; `reap` hands them out between events, so a handler
//! may keep an id across anything.
//!
//! Invariants: `serials` has one entry per client; a client is in `to_write` (or `to_close`) at most
//! once, its `queued_write` (`queued_close`) flag says so.

use std::collections::BTreeMap;

use mio::Token;
use slab::Slab;

use crate::net::conn::Conn;
use crate::net::outbox::Outbox;
use crate::net::query::Query;
use crate::net::session::{Close, Session};

/// Names a client for as long as it lives, and nobody afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// What a command has that no client sent: a saved file replayed, the server itself.
    pub const NOBODY: ClientId = ClientId(u64::MAX);

    fn new(index: usize, generation: u32) -> ClientId {
        ClientId(u64::from(generation) << 32 | index as u64)
    }
    fn index(self) -> usize {
        self.0 as u32 as usize
    }
    pub fn token(self, offset: usize) -> Token {
        Token(self.0 as usize + offset)
    }
    pub fn from_token(token: Token, offset: usize) -> ClientId {
        ClientId((token.0 - offset) as u64)
    }
}

/// One connected client.
#[derive(Debug)]
pub struct Client {
    pub id: ClientId,
    pub conn: Conn,
    pub session: Session,
    pub query: Query,
    pub outbox: Outbox,
    queued_write: bool,
    queued_close: bool,
    /// Registered for writable events, because the socket was full.
    pub wants_writable: bool,
}

/// Outgoing buffers kept for reuse at most, and the largest worth keeping.
const POOL_MAX: usize = 64;
const POOLED_MAX: usize = 64 * 1024;
/// Size of a new reply buffer.
const REPLY_CHUNK: usize = 16 * 1024;

#[derive(Default)]
pub struct Clients {
    /// Boxed, so that the slots of those who have left cost a pointer each.
    slab: Slab<Box<Client>>,
    generation: u32,
    next_serial: u64,
    serials: BTreeMap<u64, ClientId>,
    to_write: Vec<ClientId>,
    to_close: Vec<ClientId>,
    pool: Vec<Vec<u8>>,
    /// Clients that see every command.
    monitors: Vec<ClientId>,
    /// A client was pushed something while its command ran.
    pushed_to_lent: bool,
}

impl Clients {
    pub fn len(&self) -> usize {
        self.slab.len()
    }
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.slab.get(id.index()).map(Box::as_ref).filter(|c| c.id == id)
    }
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.slab.get_mut(id.index()).map(Box::as_mut).filter(|c| c.id == id)
    }
    pub fn session(&self, id: ClientId) -> Option<&Session> {
        self.get(id).map(|c| &c.session)
    }
    pub fn session_mut(&mut self, id: ClientId) -> Option<&mut Session> {
        self.get_mut(id).map(|c| &mut c.session)
    }
    pub fn by_serial(&self, serial: u64) -> Option<ClientId> {
        self.serials.get(&serial).copied()
    }
    /// In order of age.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.serials.values().filter_map(|&id| self.get(id))
    }
    /// A part of the clients, for work that is spread over turns: those in slots `from..from+count`.
    pub fn slots(&mut self, from: usize, count: usize) -> impl Iterator<Item = &mut Client> {
        self.slab.iter_mut().map(|(_, c)| c.as_mut()).skip(from).take(count)
    }

    /// Clients that see every command (MONITOR).
    #[inline]
    pub fn monitors(&self) -> &[ClientId] {
        &self.monitors
    }

    /// Makes a client one of them, or no longer.
    pub fn set_monitor(&mut self, id: ClientId, on: bool) {
        let Some(session) = self.session_mut(id) else { return };
        if std::mem::replace(&mut session.monitor, on) == on {
            return;
        }
        match on {
            true => self.monitors.push(id),
            false => self.monitors.retain(|other| *other != id),
        }
    }

    /// Adds a client; `session` gets its serial number.
    pub fn insert(&mut self, conn: Conn, mut session: Session) -> ClientId {
        self.next_serial += 1;
        session.serial = self.next_serial;
        // 31 bits, so that token offsets can't overflow.
        self.generation = (self.generation + 1) & 0x7fff_ffff;
        let slot = self.slab.vacant_entry();
        let id = ClientId::new(slot.key(), self.generation);
        self.serials.insert(session.serial, id);
        slot.insert(Box::new(Client {
            id,
            conn,
            session,
            query: Query::default(),
            outbox: Outbox::default(),
            queued_write: false,
            queued_close: false,
            wants_writable: false,
        }));
        id
    }

    /// Notes that the client has something to be written at the end of the turn.
    pub fn schedule_write(&mut self, id: ClientId) {
        if let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id)
            && !c.queued_write
        {
            c.queued_write = true;
            self.to_write.push(id);
        }
    }

    /// Appends an out-of-band message; nobody home is not an error.
    pub fn push(&mut self, id: ClientId, bytes: &[u8]) {
        if let Some(c) = self.get_mut(id) {
            c.outbox.push(bytes);
            let lent = c.outbox.is_lent();
            self.pushed_to_lent |= lent;
            self.schedule_write(id);
        }
    }

    pub fn push_shared(&mut self, id: ClientId, message: &bytes::Bytes) {
        if let Some(c) = self.get_mut(id) {
            c.outbox.push_shared(message);
            let lent = c.outbox.is_lent();
            self.pushed_to_lent |= lent;
            self.schedule_write(id);
        }
    }

    /// Whether a message may wait for the end of the command of the client that gets it.
    #[inline]
    pub fn has_waiting_pushes(&self) -> bool {
        self.pushed_to_lent
    }

    /// No client is in the middle of a command: nothing waits for the end of one.
    pub fn no_waiting_pushes(&mut self) {
        self.pushed_to_lent = false;
    }

    /// Messages that came for a client while its command ran: they follow that command's reply, and precede the next.
    pub fn take_pushes(&mut self, id: ClientId) -> Vec<u8> {
        self.get_mut(id).map_or_else(Vec::new, |c| c.outbox.take_pushes())
    }

    pub fn take_to_write(&mut self) -> Vec<ClientId> {
        let list = std::mem::take(&mut self.to_write);
        for id in &list {
            if let Some(c) = self.get_mut(*id) {
                c.queued_write = false;
            }
        }
        list
    }

    /// Gives the list's memory back for the next turn.
    pub fn recycle_to_write(&mut self, mut list: Vec<ClientId>) {
        if self.to_write.is_empty() {
            list.clear();
            self.to_write = list;
        }
    }

    pub fn has_to_write(&self) -> bool {
        !self.to_write.is_empty()
    }

    /// Marks a client for closing.
    pub fn close(&mut self, id: ClientId, how: Close) {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return };
        if c.session.close != Close::Now {
            c.session.close = how;
        }
        if how == Close::Now && !c.queued_close {
            c.queued_close = true;
            self.to_close.push(id);
        }
        if how == Close::AfterReply {
            self.schedule_write(id);
        }
    }

    /// Clients that are marked, before they are removed.
    pub fn marked(&self) -> Vec<ClientId> {
        self.to_close.clone()
    }

    /// Removes the clients that were marked, for the caller to forget elsewhere.
    pub fn reap(&mut self) -> Vec<Client> {
        let ids = std::mem::take(&mut self.to_close);
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    pub fn has_to_reap(&self) -> bool {
        !self.to_close.is_empty()
    }

    fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.set_monitor(id, false);
        self.get(id)?;
        let client = self.slab.remove(id.index());
        self.serials.remove(&client.session.serial);
        Some(*client)
    }

    /// A buffer for replies, from the pool if there is one.
    pub fn spare(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_else(|| Vec::with_capacity(REPLY_CHUNK))
    }

    /// Takes a buffer back that nothing waits in.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL_MAX && (1..=POOLED_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.pool.push(buffer);
        }
    }
}
