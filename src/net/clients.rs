//! All clients: a slab of them, ids that are never used again, and lists of those that need
//! attention.
//!
//! `ClientId` is slot and generation: a registry entry or an event that outlived its client finds
//! nobody. A client is only *marked* for closing. `reap` removes it between events, so a handler
//! may keep an id while it runs.
//!
//! Replies are written at the end of the turn (`to_write`). Messages from other clients
//! (`to_deliver`) have a share of each turn, first come first served. So a channel with ten
//! thousand subscribers holds nobody up, and what is published meanwhile leaves in one write with
//! what waits already.
//!
//! Invariants: `serials` has one entry per client, except for evicted ones; a client is in
//! `to_write` (`to_deliver`, `to_close`) at most once, its `queued_write` (`queued_deliver`,
//! `queued_close`) flag says so.

use std::collections::{BTreeMap, VecDeque};

use slab::Slab;

use crate::net::conn::Conn;
pub(crate) use crate::net::id::ClientId;
use crate::net::outbox::{FIXED, Outbox};
use crate::net::query::Query;
use crate::net::session::{Close, Session};
use crate::net::usage::{Counted, OutputLimit, Recent, ReplyRoom, Tally};
use crate::util::lines::Lines;

/// One connected client.
#[derive(Debug)]
pub(crate) struct Client {
    pub id: ClientId,
    pub conn: Conn,
    pub session: Session,
    pub query: Query,
    pub outbox: Outbox,
    queued_write: bool,
    queued_deliver: bool,
    queued_close: bool,
    /// Registered for writable events, because the socket was full.
    pub wants_writable: bool,
    /// It is neither read nor served until it has read more of what waits for it.
    pub held: bool,
    /// The reply buffer it is charged for.
    pub room: ReplyRoom,
    /// Bytes that registries hold for it: watched keys, subscriptions.
    listed_bytes: usize,
    counted: Counted,
    /// Kept while somebody asks for metrics.
    pub timing: Timing,
}

/// Replies that are owed to a client, for the time that requests take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    /// When that was read which it has sent and which has not run, in ticks. It means something
    /// while its `Query` is behind.
    pub arrived: u64,
    /// When the first command arrived to which a reply is owed, and how many are owed.
    pub from: u64,
    pub replies: u64,
}

impl Client {
    /// Memory it holds, without what other parts hold for it by shares. O(1).
    ///
    /// The pool owns the buffer that a reply passes through, so output counts only when it has to
    /// wait.
    pub(crate) fn memory(&self) -> usize {
        self.memory_with(0)
    }

    /// The same, with `running` bytes of a command and its reply that are not in its buffers now.
    fn memory_with(&self, running: usize) -> usize {
        let waits = self.wants_writable || self.outbox.is_long();
        size_of::<Client>()
            + self.conn.memory()
            + self.session.memory()
            + self.listed_bytes
            + self.query.memory()
            + if waits { self.outbox.memory() } else { 0 }
            + if running > FIXED { running } else { 0 }
    }
}

/// Output memory that a client which has not authenticated may leave unread.
///
/// Compat: Redis added this bound in answer to CVE-2025-21605. As there, the fixed buffer does not
/// count, so a client that reads its errors never reaches the bound.
const STRANGERS_MAX: usize = 1024;

/// The most reply buffers that are kept for reuse, and the largest that is kept.
const POOL_MAX: usize = 64;
const POOLED_MAX: usize = 64 * 1024;
/// Size of a new reply buffer.
const REPLY_CHUNK: usize = 16 * 1024;

#[derive(Default)]
pub(crate) struct Clients {
    /// Each is boxed, so that an empty slot costs one pointer.
    slab: Slab<Box<Client>>,
    generation: u32,
    next_serial: u64,
    serials: BTreeMap<u64, ClientId>,
    /// Those of `serials` that came by the port for administrators.
    admins: usize,
    to_write: Vec<ClientId>,
    to_deliver: VecDeque<ClientId>,
    to_close: Vec<ClientId>,
    pool: Vec<Vec<u8>>,
    /// Clients that see every command.
    monitors: Vec<ClientId>,
    /// Memory by class, and the largest clients.
    pub tally: Tally,
    /// The largest buffers of the last seconds.
    pub recent: Recent,
    /// Output limits: normal, replica, pubsub.
    pub limits: [OutputLimit; 3],
    /// Output above which a client of a class without limits is no longer served
    /// (`client-backpressure-limit`); None: it is served whatever it leaves unread, as by Redis.
    pub hold_from: Option<usize>,
    /// The time of the turn, for soft limits.
    pub now_ms: i64,
    /// Clients that exceeded their output limit, for the server to report.
    over_limit: Vec<ClientId>,
    /// A client was pushed something while its command ran.
    pushed_to_lent: bool,
}

impl Clients {
    /// INFO clients: who is connected. Replicas are counted elsewhere.
    pub(crate) fn info(&self, replicas: usize, max_clients: u32, o: &mut Lines) {
        let (input, output) = self.recent.largest();
        o.add("connected_clients", self.len().saturating_sub(replicas));
        o.add("cluster_connections", 0);
        o.add("maxclients", max_clients);
        o.add("client_recent_max_input_buffer", input);
        o.add("client_recent_max_output_buffer", output);
    }

    pub(crate) fn len(&self) -> usize {
        self.serials.len()
    }
    /// How many of them are administrators beyond `maxclients`.
    pub(crate) fn admins(&self) -> usize {
        self.admins
    }
    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.slab.get(id.index()).map(Box::as_ref).filter(|c| c.id == id)
    }
    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.slab.get_mut(id.index()).map(Box::as_mut).filter(|c| c.id == id)
    }
    pub(crate) fn session(&self, id: ClientId) -> Option<&Session> {
        self.get(id).map(|c| &c.session)
    }
    pub(crate) fn session_mut(&mut self, id: ClientId) -> Option<&mut Session> {
        self.get_mut(id).map(|c| &mut c.session)
    }
    pub(crate) fn by_serial(&self, serial: u64) -> Option<ClientId> {
        self.serials.get(&serial).copied()
    }
    /// In order of age.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.serials.values().filter_map(|&id| self.get(id))
    }
    /// Those that are not older than the one of this number, in order of age.
    pub(crate) fn not_older(&self, serial: u64) -> impl Iterator<Item = &Client> {
        self.serials.range(serial..).filter_map(|(_, &id)| self.get(id))
    }
    /// A part of the clients, for work that is spread over turns: those in slots
    /// `from..from+count`.
    pub(crate) fn slots(&mut self, from: usize, count: usize) -> impl Iterator<Item = &mut Client> {
        self.slab.iter_mut().map(|(_, c)| c.as_mut()).skip(from).take(count)
    }

    /// Clients that see every command (MONITOR).
    #[inline]
    pub(crate) fn monitors(&self) -> &[ClientId] {
        &self.monitors
    }

    /// Makes a client see every command, or ends that.
    pub(crate) fn set_monitor(&mut self, id: ClientId, on: bool) {
        let Some(session) = self.session_mut(id) else { return };
        if std::mem::replace(&mut session.monitor, on) == on {
            return;
        }
        match on {
            true => self.monitors.push(id),
            false => self.monitors.retain(|other| *other != id),
        }
    }

    /// Notes what registries have of a client: whether it is subscribed, and the bytes that they
    /// hold for it.
    pub(crate) fn list(&mut self, id: ClientId, subscribed: bool, bytes: usize) {
        let Some(client) = self.get_mut(id) else { return };
        client.session.subscribed = subscribed;
        client.listed_bytes = bytes;
    }

    /// Adds a client; `session` gets its serial number.
    pub(crate) fn insert(&mut self, conn: Conn, mut session: Session) -> ClientId {
        self.next_serial += 1;
        session.serial = self.next_serial;
        // 31 bits, so that token offsets can't overflow.
        self.generation = (self.generation + 1) & 0x7fff_ffff;
        let now_ms = session.created_ms;
        let slot = self.slab.vacant_entry();
        let id = ClientId::new(slot.key(), self.generation);
        self.serials.insert(session.serial, id);
        self.admins += usize::from(session.admin);
        slot.insert(Box::new(Client {
            id,
            conn,
            session,
            query: Query::default(),
            outbox: Outbox::default(),
            queued_write: false,
            queued_deliver: false,
            queued_close: false,
            wants_writable: false,
            held: false,
            room: ReplyRoom::new(now_ms),
            listed_bytes: 0,
            counted: Counted::default(),
            timing: Timing::default(),
        }));
        self.account(id, 0);
        id
    }

    /// Notes that the client has something to be written at the end of the turn. One whose socket
    /// is full is written to when it has room again.
    pub(crate) fn schedule_write(&mut self, id: ClientId) {
        if let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id)
            && !c.queued_write
            && !c.wants_writable
        {
            c.queued_write = true;
            self.to_write.push(id);
        }
    }

    /// The socket of a client who was owed more than it took has room again.
    pub(crate) fn schedule_writable(&mut self, id: ClientId) {
        if let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id)
            && !c.queued_write
        {
            c.queued_write = true;
            self.to_write.push(id);
        }
    }

    /// Appends an out-of-band message; nobody home is not an error.
    pub(crate) fn push(&mut self, id: ClientId, bytes: &[u8]) {
        self.append(id, |outbox| outbox.push(bytes));
    }

    pub(crate) fn push_shared(&mut self, id: ClientId, message: &bytes::Bytes) {
        self.append(id, |outbox| outbox.push_shared(message));
    }

    #[inline]
    fn append(&mut self, id: ClientId, f: impl FnOnce(&mut Outbox)) {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return };
        if c.session.close == Close::Now {
            return;
        }
        f(&mut c.outbox);
        self.pushed_to_lent |= c.outbox.is_lent();
        let long = c.outbox.is_long();
        if !c.queued_write && !c.wants_writable {
            // What fits no buffer does not wait for a share of the turn.
            if long {
                c.queued_write = true;
                self.to_write.push(id);
            } else if !c.queued_deliver {
                c.queued_deliver = true;
                self.to_deliver.push_back(id);
            }
        }
        if long {
            self.check_output(id, 0);
        }
        if self.tally.files() {
            self.account(id, 0);
        }
    }

    /// Marks a client for closing and frees its buffers at once, since it is closed for their
    /// memory. It counts as gone.
    pub(crate) fn evict(&mut self, id: ClientId) {
        self.close(id, Close::Now);
        if let Some(c) = self.get_mut(id) {
            c.outbox.clear();
            c.query = Query::default();
            c.session.multi = None;
        }
    }

    /// A reply has been put into the outbox: it is written at the end of the turn, unless it is too
    /// much.
    pub(crate) fn after_reply(&mut self, id: ClientId) {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return };
        if c.outbox.is_long() {
            self.check_output(id, 0);
        }
        if self.tally.files() {
            self.account(id, 0);
        }
        self.schedule_write(id);
    }

    /// Notes a client's memory. `running` bytes of its command and reply are not in its buffers
    /// now.
    pub(crate) fn account(&mut self, id: ClientId, running: usize) {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return };
        if c.session.close == Close::Now {
            return;
        }
        let (class, bytes) = (c.session.class(), c.memory_with(running));
        c.counted = self.tally.note(c.counted, id, class, bytes, c.session.no_evict);
    }

    /// Starts or ends filing of clients by size.
    pub(crate) fn set_files(&mut self, on: bool) {
        if on != self.tally.files() {
            self.tally.set_files(on);
            let ids: Vec<ClientId> = self.serials.values().copied().collect();
            ids.into_iter().for_each(|id| self.account(id, 0));
        }
    }

    /// Marks a client for closing when more waits for it than its class allows; `reply` is what its
    /// running command has written so far. Whether it is to be closed.
    pub(crate) fn check_output(&mut self, id: ClientId, reply: usize) -> bool {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return false };
        if c.session.close == Close::Now {
            return true;
        }
        let limit = self.limits[c.session.class().limit()];
        let stranger = !c.session.authenticated && !c.session.was_authenticated;
        if limit.is_none() && !stranger {
            return false;
        }
        let bytes = c.outbox.waiting_with(reply).bytes;
        let hard =
            limit.hard_bytes > 0 && bytes >= limit.hard_bytes || stranger && bytes > STRANGERS_MAX;
        let since = (limit.soft_bytes > 0 && bytes >= limit.soft_bytes)
            .then(|| c.session.soft_limit_since_ms.unwrap_or(self.now_ms));
        c.session.soft_limit_since_ms = since;
        let soft = since.is_some_and(|since| self.now_ms - since > limit.soft_ms);
        if hard || soft {
            self.over_limit.push(id);
            self.close(id, Close::Now);
        }
        hard || soft
    }

    /// The same for one that another limit holds for, which it has exceeded.
    pub(crate) fn end_over_limit(&mut self, id: ClientId) {
        self.over_limit.push(id);
        self.close(id, Close::Now);
    }

    /// Clients that have exceeded their output limit since this was last asked.
    pub(crate) fn take_over_limit(&mut self) -> Vec<ClientId> {
        std::mem::take(&mut self.over_limit)
    }

    pub(crate) fn has_over_limit(&self) -> bool {
        !self.over_limit.is_empty()
    }

    /// How long a client's reply may get before a limit is checked, or other clients have their
    /// turn.
    pub(crate) fn reply_bound(&self, id: ClientId) -> Option<usize> {
        let c = self.get(id)?;
        let hard = self.limits[c.session.class().limit()].hard_bytes;
        let waiting = c.outbox.memory();
        (hard > 0).then(|| hard.saturating_sub(waiting).max(FIXED))
    }

    /// Whether a client has to read before it is served again. It is written to as it reads.
    pub(crate) fn hold(&mut self, id: ClientId) -> bool {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return false };
        let Some(from) = self.hold_from else {
            c.held = false;
            return false;
        };
        if c.outbox.pending() >= from {
            // A class with a limit is closed at its limit.
            c.held = self.limits[c.session.class().limit()].is_none();
        }
        // A client that has left must still be read, since only reading shows its end.
        c.held && !c.session.eof
    }

    /// Whether a held client has read enough to be served again.
    pub(crate) fn release(&mut self, id: ClientId) -> bool {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return false };
        let free = c.held && self.hold_from.is_none_or(|from| c.outbox.pending() < from / 2);
        c.held &= !free;
        free
    }

    /// Whether a message may wait for the end of the command of the client that gets it.
    #[inline]
    pub(crate) fn has_waiting_pushes(&self) -> bool {
        self.pushed_to_lent
    }

    /// No client is in the middle of a command: nothing waits for the end of one.
    pub(crate) fn no_waiting_pushes(&mut self) {
        self.pushed_to_lent = false;
    }

    /// Messages that came for a client while its command ran. They come after that command's reply
    /// and before the next one.
    pub(crate) fn take_pushes(&mut self, id: ClientId) -> Vec<u8> {
        self.get_mut(id).map_or_else(Vec::new, |c| c.outbox.take_pushes())
    }

    pub(crate) fn take_to_write(&mut self) -> Vec<ClientId> {
        let list = std::mem::take(&mut self.to_write);
        for id in &list {
            if let Some(c) = self.get_mut(*id) {
                c.queued_write = false;
            }
        }
        list
    }

    /// Gives the list's memory back for the next turn.
    pub(crate) fn recycle_to_write(&mut self, mut list: Vec<ClientId>) {
        if self.to_write.is_empty() {
            list.clear();
            self.to_write = list;
        }
    }

    pub(crate) fn has_to_write(&self) -> bool {
        !self.to_write.is_empty() || !self.to_deliver.is_empty()
    }

    /// The next client that messages wait for, in the order in which they came.
    pub(crate) fn next_to_deliver(&mut self) -> Option<ClientId> {
        loop {
            let id = self.to_deliver.pop_front()?;
            let Some(c) = self.get_mut(id) else { continue };
            c.queued_deliver = false;
            // A reply may have been written together with them.
            if !c.outbox.is_empty() && !c.wants_writable {
                return Some(id);
            }
        }
    }

    /// Marks a client for closing.
    pub(crate) fn close(&mut self, id: ClientId, how: Close) {
        let Some(c) = self.slab.get_mut(id.index()).filter(|c| c.id == id) else { return };
        if c.session.close != Close::Now {
            c.session.close = how;
        }
        if how == Close::Now && !c.queued_close {
            // What it holds is freed soon, so no other client need be evicted for it.
            self.tally.forget(std::mem::take(&mut c.counted));
            c.queued_close = true;
            let (serial, admin) = (c.session.serial, c.session.admin);
            // It counts as gone, though its slot is freed later.
            self.unlist(serial, admin);
            self.to_close.push(id);
        }
        if how == Close::AfterReply {
            self.schedule_write(id);
        }
    }

    fn unlist(&mut self, serial: u64, admin: bool) {
        if self.serials.remove(&serial).is_some() {
            self.admins -= usize::from(admin);
        }
    }

    /// The first `most` clients that were marked, before they are removed.
    pub(crate) fn marked(&self, most: usize) -> Vec<ClientId> {
        self.to_close.iter().take(most).copied().collect()
    }

    /// Removes those clients, the first that were marked, for the caller to forget elsewhere.
    pub(crate) fn reap(&mut self, marked: Vec<ClientId>) -> Vec<Client> {
        self.to_close.drain(..marked.len());
        marked.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// In a child: closes the sockets of all clients but one, which are the parent's. Their
    /// connections go on, and registries that know them find nobody.
    pub(crate) fn keep_only(&mut self, id: ClientId) {
        self.slab.retain(|_, client| client.id == id);
        self.serials.retain(|_, other| *other == id);
        self.admins = self.iter().filter(|client| client.session.admin).count();
        self.monitors.retain(|other| *other == id);
        self.to_close.clear();
    }

    pub(crate) fn has_to_reap(&self) -> bool {
        !self.to_close.is_empty()
    }

    fn remove(&mut self, id: ClientId) -> Option<Client> {
        self.set_monitor(id, false);
        self.get(id)?;
        let client = self.slab.remove(id.index());
        self.unlist(client.session.serial, client.session.admin);
        Some(*client)
    }

    /// A buffer for replies, from the pool if there is one.
    pub(crate) fn spare(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_else(|| Vec::with_capacity(REPLY_CHUNK))
    }

    /// Takes a buffer back that nothing waits in.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL_MAX && (1..=POOLED_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            self.pool.push(buffer);
        }
    }
}
