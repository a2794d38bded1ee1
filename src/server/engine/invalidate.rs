//! Client-side caching: remembers what clients read, and tells them when it changes.
//!
//! ```text
//! a read command ends   remember     its keys, with the client that sent it
//! a key changes         invalidate   tell who read it and forget it; collect it for `broadcast`
//! a database is emptied invalidate_all
//! a turn ends           broadcast    tell who asked for a prefix of the keys that were collected
//! too many keys         limit        tell who read some key chosen at random as if it had changed
//! ```
//! A message about a key that the running command's own client has read must not stand inside the
//! reply. It waits in `tracking.own` for the end of the unit, and then follows the reply
//! (`settle_own`). Messages to other clients leave at once.
//!
//! A message is encoded once for each form, however many clients get it. In RESP3 it is a push.
//! RESP2 has no pushes: there it is a message on a channel, to the client that another one
//! redirects its messages to.
//!
//! Compat: "all keys" is a null in the protocol of the client that receives it. Redis 7.2 writes it
//! in that of the client that redirects, which the receiver can't parse if it speaks the other one.

use bytes::Bytes;

use crate::commands::spec::{MOVABLE_KEYS, PUBSUB};
use crate::net::clients::ClientId;
use crate::net::session::{Close, Session};
use crate::resp::reply::Reply;
use crate::server::parts::Row;
use crate::server::parts::{Call, Server};

const CHANNEL: &[u8] = b"__redis__:invalidate";

/// How many keys one run forgets to get back under the limit. If the table is still over it, the
/// next run takes twice as many, then three times as many.
const EFFORT: usize = 100;
/// Time for one run, in microseconds, looked at after every `EFFORT` keys.
const MAX_US: u64 = 1000;

/// The table of keys is freed when no client has tracked anything for so long.
const KEPT_MS: i64 = 60_000;

/// What a message is about.
#[derive(Clone, Copy)]
enum About<'a> {
    Keys(&'a [&'a [u8]]),
    Everything,
}

/// A message in the forms in which it was needed so far.
struct Message<'a> {
    about: About<'a>,
    made: [Option<Bytes>; 2],
}

impl<'a> Message<'a> {
    fn new(about: About<'a>) -> Message<'a> {
        Message { about, made: [None, None] }
    }

    fn bytes(&mut self, resp3: bool) -> &Bytes {
        let about = self.about;
        self.made[usize::from(resp3)].get_or_insert_with(|| {
            let mut r = Reply::new(Vec::new(), resp3);
            if resp3 {
                r.push(2);
                r.bulk(b"invalidate");
            } else {
                r.array(3);
                r.bulk(b"message");
                r.bulk(CHANNEL);
            }
            match about {
                About::Everything => r.null(),
                About::Keys(keys) => {
                    r.array(keys.len());
                    keys.iter().for_each(|key| r.bulk(key));
                }
            }
            Bytes::from(r.into_buf())
        })
    }
}

/// A read command has run. Its keys are remembered with the client that sent it, unless that client
/// does not want this. O(keys).
#[cold]
pub(crate) fn remember(srv: &mut Server, call: &Call<'_>) {
    let Server { tracking, clients, exec, .. } = srv;
    let session = exec.unit.client.and_then(|id| clients.session(id));
    let Some(mode) = session.and_then(|s| s.tracking.as_deref()) else { return };
    if mode.broadcast || mode.opt_in && !mode.caching || mode.opt_out && mode.caching {
        return;
    }
    // Shard channels stand where keys would, but are none. A script's keys are remembered by the
    // commands that it runs.
    if call.row.has(PUBSUB) || call.row.spec.group == "scripting" {
        return;
    }
    let number = mode.number;
    let mut read = |i: usize| {
        if let Some(key) = call.argv.get(i) {
            tracking.table.remember(key, number);
        }
    };
    if call.row.has(MOVABLE_KEYS) {
        call.row.spec.keys_of(&call.argv).into_iter().for_each(|(i, _)| read(i));
    } else if let (first @ 1.., last, step) = call.row.spec.legacy {
        // Where the keys stand does not depend on the arguments: nothing is allocated for the
        // common commands.
        let last = if last < 0 { call.argv.len() as i32 + last } else { last };
        (first..=last).step_by(step.max(1) as usize).for_each(|i| read(i as usize));
    }
    tracking.recount();
}

/// CLIENT CACHING holds for the next command or transaction: it is over after any command but
/// CLIENT itself.
#[cold]
pub(crate) fn end_of_caching(session: &mut Session, row: Option<&'static Row>) {
    if session.multi.is_some() || row.is_some_and(|r| r.spec.container() == Some("client")) {
        return;
    }
    if let Some(mode) = &mut session.tracking {
        mode.caching = false;
    }
}

impl Server {
    /// A key changed, by a client's command or because its time was up. O(clients that read it).
    pub(crate) fn invalidate(&mut self, key: &[u8], by: Option<ClientId>) {
        if self.tracking.is_idle() {
            return;
        }
        self.tracking.broadcast.note(key, by);
        self.forget_key(key);
    }

    /// Tells those who read a key that it may have changed, and forgets that they did.
    fn forget_key(&mut self, key: &[u8]) {
        let Some(numbers) = self.tracking.table.take(key) else { return };
        self.tracking.recount();
        let keys = [key];
        let mut message = Message::new(About::Keys(&keys));
        for &number in numbers.as_slice() {
            let Some(id) = self.tracking.client(number) else { continue };
            let mode = self.clients.session(id).and_then(|s| s.tracking.as_deref());
            // It read the key before it turned to broadcasts, or turned tracking off.
            let Some(mode) = mode.filter(|m| !m.broadcast) else { continue };
            match self.exec.unit.client == Some(id) {
                true if mode.no_loop => {}
                true => self.tracking.own.push(Some(key.to_vec())),
                false => self.tell(id, &mut message),
            }
        }
    }

    /// Databases are emptied: nothing that clients have cached is valid any more. O(clients).
    pub(crate) fn invalidate_all(&mut self) {
        self.survey.restart();
        if self.tracking.is_idle() {
            return;
        }
        let mut message = Message::new(About::Everything);
        for id in self.tracking.known() {
            if self.clients.session(id).is_none_or(|s| s.tracking.is_none()) {
                continue;
            }
            match self.exec.unit.client == Some(id) {
                true => self.tracking.own.push(None),
                false => self.tell(id, &mut message),
            }
        }
        let table = self.tracking.take_table();
        self.bio.free_tracked(table);
        self.rearm();
    }

    /// Tells the running command's own client of its own changes. This comes at the end of its
    /// unit, after what else came for it.
    #[cold]
    pub(crate) fn settle_own(&mut self, id: ClientId) {
        for key in std::mem::take(&mut self.tracking.own) {
            match &key {
                Some(key) => self.tell(id, &mut Message::new(About::Keys(&[&key[..]]))),
                None => self.tell(id, &mut Message::new(About::Everything)),
            }
        }
    }

    /// Puts the messages for the running command's client into its reply, so that they come before
    /// what follows.
    #[cold]
    pub(crate) fn deliver_pushes(&mut self, id: ClientId, reply: &mut Reply) {
        reply.raw(&self.clients.take_pushes(id));
    }

    /// Sends a message to a client, or to the one it redirects to.
    fn tell(&mut self, id: ClientId, message: &mut Message<'_>) {
        let Some(session) = self.clients.session(id) else { return };
        let redirect = session.tracking.as_ref().map_or(0, |mode| mode.redirect);
        let to = match redirect {
            0 => Some(id),
            serial => self.connected(serial),
        };
        let Some((to, receiver)) = to.and_then(|to| Some((to, self.clients.session(to)?))) else {
            return self.tell_broken(id, redirect);
        };
        // RESP2 knows messages from elsewhere on channels only, so one that is not subscribed can't
        // be told.
        if receiver.resp3 || redirect != 0 && receiver.subscribed {
            let resp3 = receiver.resp3;
            self.clients.push_shared(to, message.bytes(resp3));
        }
    }

    /// The client that messages should have gone to is gone.
    #[cold]
    fn tell_broken(&mut self, id: ClientId, redirect: u64) {
        let Some(session) = self.clients.session_mut(id) else { return };
        if let Some(mode) = &mut session.tracking {
            mode.broken = true;
        }
        if session.resp3 {
            let mut r = Reply::new(Vec::new(), true);
            r.push(2);
            r.bulk(b"tracking-redir-broken");
            r.int(redirect as i64);
            self.clients.push(id, r.buf());
        }
    }

    /// The client with this CLIENT ID, unless it is about to be closed.
    pub(crate) fn connected(&self, serial: u64) -> Option<ClientId> {
        let id = self.clients.by_serial(serial)?;
        self.clients.session(id).filter(|s| s.close != Close::Now).map(|_| id)
    }

    /// The turn ends. Clients that asked for a prefix are told which keys with it have changed.
    #[cold]
    pub(crate) fn broadcast_changes(&mut self) {
        for changed in self.tracking.broadcast.take_changed() {
            let all: Vec<&[u8]> = changed.keys.iter().map(|(key, _)| &key[..]).collect();
            let mut message = Message::new(About::Keys(&all));
            for &id in &changed.clients {
                let mode = self.clients.session(id).and_then(|s| s.tracking.as_deref());
                if mode.is_none_or(|m| !m.no_loop) {
                    self.tell(id, &mut message);
                    continue;
                }
                let others = changed.keys.iter().filter(|(_, by)| *by != Some(id));
                let others: Vec<&[u8]> = others.map(|(key, _)| &key[..]).collect();
                if !others.is_empty() {
                    self.tell(id, &mut Message::new(About::Keys(&others)));
                }
            }
        }
    }

    /// Brings the table of keys back under its limit, or closer to it. Runs as a unit of the
    /// server.
    #[cold]
    pub(crate) fn limit_tracked_keys(&mut self) {
        // The keys have not changed. But those who read them are told as if they had, since they
        // will not hear of a change any more.
        let start = self.clock.watch.ticks();
        let mut next = crate::util::rand::generator(self.exec.draw());
        let effort = EFFORT.saturating_mul(self.tracking.overrun as usize + 1);
        for done in 1..=effort {
            let Some(key) = self.tracking.table.random(&mut next).map(<[u8]>::to_vec) else {
                break;
            };
            self.forget_key(&key);
            if !self.tracking.is_over() {
                break;
            }
            let spent = || self.clock.watch.us(self.clock.watch.ticks().wrapping_sub(start));
            if done % EFFORT == 0 && spent() > MAX_US {
                break;
            }
        }
        let over = self.tracking.is_over();
        self.tracking.overrun = if over { self.tracking.overrun.saturating_add(1) } else { 0 };
    }

    /// Looks after the table of keys, a few times a second.
    pub(crate) fn tend_tracking(&mut self) {
        if self.tracking.crowded {
            self.limit_tracked_keys();
        }
        // No client is left to be told of a change. The table is still kept for a while: a client
        // that turns tracking off and on again soon hears of what it read before. With Redis it
        // always would, since that keeps these keys until they change.
        if self.tracking.is_unused_since(self.clock.now_ms - KEPT_MS, self.clock.now_ms) {
            let table = self.tracking.take_table();
            self.bio.free_tracked(table);
            self.rearm();
        }
    }
}
