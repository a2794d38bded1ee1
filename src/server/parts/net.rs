//! What the loop waits for: poller, listeners, timers, and clients that go on without an event.
//!
//! `Source` is what an event comes from. It is a number only in this file.

use std::io;

use mio::{Interest, Poll, Token};

use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::net::listener::{Kind, Listener};
use crate::net::timers::{TimerId, Timers};
use crate::resp::parser::Batch;
use crate::server::parts::metrics::MAX_SCRAPERS;
use crate::sys::clock::Stopwatch;
use crate::util::lines::Lines;

/// Bytes read from one client in one turn.
pub(crate) const READ_SIZE: usize = 64 * 1024;
/// How long the commands of one client may run before other clients have their turn, in
/// microseconds. A command that has begun is not interrupted.
const SLICE_US: u64 = 250;

/// What an event comes from.
///
/// ```text
/// token 0            2             4           6         16 ..       112 ..     128 ..
///       the signals  the child's   the helper  the link  listeners,  scrapers,  clients, each
///       pipe         pipe          thread                by place    by place   with its
///                                                                               generation
/// ```
/// With the highest bit, which no generation has: connections of a Sentinel, by place. With the
/// next as well: those in their handshake, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Signals,
    Child,
    /// A helper thread for files has done something.
    Helper,
    /// The connection to the primary, before a client stands for it.
    Link,
    Listener(usize),
    /// A connection that asks for metrics. An event for one that has left may reach the next one in
    /// its place, which then finds nothing to read.
    Scraper(usize),
    Client(ClientId),
    /// A connection of a Sentinel; as with scrapers, an event may reach the next one in its place.
    Sentinel(usize),
    /// A connection whose handshake of TLS is not done; the same holds for it.
    Opening(usize),
}

const SIGNALS: usize = 0;
const CHILD: usize = 2;
const HELPER: usize = 4;
const LINK: usize = 6;
const FIRST_LISTENER: usize = 16;
const FIRST_SCRAPER: usize = 112;
const SENTINEL: usize = 1 << (usize::BITS - 1);
const OPENING: usize = SENTINEL | SENTINEL >> 1;
const FIRST_CLIENT: usize = FIRST_SCRAPER + MAX_SCRAPERS;
/// Listeners at most.
const MAX_LISTENERS: usize = FIRST_SCRAPER - FIRST_LISTENER;

impl Source {
    pub(crate) fn token(self) -> Token {
        match self {
            Source::Signals => Token(SIGNALS),
            Source::Child => Token(CHILD),
            Source::Helper => Token(HELPER),
            Source::Link => Token(LINK),
            Source::Listener(i) => {
                debug_assert!(i < MAX_LISTENERS);
                Token(FIRST_LISTENER + i)
            }
            Source::Scraper(i) => {
                debug_assert!(i < MAX_SCRAPERS);
                Token(FIRST_SCRAPER + i)
            }
            Source::Client(id) => id.token(FIRST_CLIENT),
            Source::Sentinel(place) => Token(SENTINEL + place),
            Source::Opening(place) => Token(OPENING + place),
        }
    }

    /// None: nobody was given this token.
    #[inline]
    pub(crate) fn of(token: Token) -> Option<Source> {
        match token.0 {
            n @ OPENING.. => Some(Source::Opening(n - OPENING)),
            n @ SENTINEL.. => Some(Source::Sentinel(n - SENTINEL)),
            FIRST_CLIENT.. => Some(Source::Client(ClientId::from_token(token, FIRST_CLIENT))),
            n @ FIRST_SCRAPER.. => Some(Source::Scraper(n - FIRST_SCRAPER)),
            n @ FIRST_LISTENER.. => Some(Source::Listener(n - FIRST_LISTENER)),
            SIGNALS => Some(Source::Signals),
            CHILD => Some(Source::Child),
            HELPER => Some(Source::Helper),
            LINK => Some(Source::Link),
            _ => None,
        }
    }
}

/// What a timer of the reactor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    Cron,
    /// A parked client's time is up.
    Unblock(ClientId),
    /// Keys are past their time.
    Expire,
    /// A pause may be over.
    Unpause,
    /// Memory may be above its limit, and no command may come that makes room.
    Evict,
}

/// The reactor's own state.
pub(crate) struct Net {
    pub poll: Poll,
    pub listeners: Vec<Listener>,
    pub signals: Option<mio::net::UnixStream>,
    pub timers: Timers<Timer>,
    /// Clients that go on in the next turn without an event.
    pub again: Vec<ClientId>,
    /// Clients whose wait has ended in this turn, in the order in which they were woken.
    pub woken: Vec<ClientId>,
    /// Listeners with more connections to accept.
    pub accept_again: Vec<usize>,
    /// The running turn holds events that it has not come to yet: a turn within it can't see them.
    pub holds_events: bool,
    /// Listeners that could not accept: no descriptors are left. The cron has them try again.
    pub accept_later: Vec<usize>,
    /// The link to the primary has more to read.
    pub link_again: bool,
    /// A signal has asked to read files again.
    pub reload_due: bool,
    pub read_buf: Vec<u8>,
    pub batch: Batch<'static>,
    /// When the running client's share of the turn began, and how long it is, in ticks.
    pub slice_from: u64,
    pub slice_ticks: u64,
    /// When it was last logged that clients take too much and none can be evicted.
    pub said_over_ms: i64,
    /// When it was last logged that somebody speaks HTTP.
    pub said_attack_ms: i64,
    /// Wall time minus this is the wheel's time; the wheel never goes back.
    pub wheel_now: u64,
}

impl Net {
    pub(crate) fn new(now_ms: i64, watch: Stopwatch) -> io::Result<Net> {
        let poll = Poll::new()?;
        Ok(Net {
            poll,
            listeners: Vec::new(),
            signals: None,
            timers: Timers::new(now_ms as u64),
            again: Vec::new(),
            woken: Vec::new(),
            accept_again: Vec::new(),
            holds_events: false,
            accept_later: Vec::new(),
            link_again: false,
            reload_due: false,
            read_buf: vec![0; READ_SIZE],
            batch: Batch::default(),
            slice_from: 0,
            slice_ticks: watch.ticks_in(SLICE_US),
            said_over_ms: 0,
            said_attack_ms: i64::MIN / 2,
            wheel_now: now_ms as u64,
        })
    }

    pub(crate) fn watch_signals(
        &mut self,
        socket: std::os::unix::net::UnixStream,
    ) -> io::Result<()> {
        let mut socket = mio::net::UnixStream::from_std(socket);
        self.poll.registry().register(&mut socket, Source::Signals.token(), Interest::READABLE)?;
        self.signals = Some(socket);
        Ok(())
    }

    pub(crate) fn signals_mut(&mut self) -> Option<&mut mio::net::UnixStream> {
        self.signals.as_mut()
    }

    /// Watches the pipe on which a child reports.
    pub(crate) fn watch_child(&self, fd: std::os::fd::RawFd) -> io::Result<()> {
        let mut source = mio::unix::SourceFd(&fd);
        self.poll.registry().register(&mut source, Source::Child.token(), Interest::READABLE)
    }

    pub(crate) fn unwatch_child(&self, fd: std::os::fd::RawFd) {
        // The caller closes the descriptor right after this, which ends the registration as well.
        let _ = self.poll.registry().deregister(&mut mio::unix::SourceFd(&fd));
    }

    /// The link's connection is watched no more, or as something else.
    pub(crate) fn forget_link(&self, conn: &mut Conn) {
        // An error is ignored: it may not have been watched yet.
        let _ = conn.deregister(self.poll.registry());
    }

    /// What wakes the loop from another thread.
    pub(crate) fn waker(&self) -> io::Result<mio::Waker> {
        mio::Waker::new(self.poll.registry(), Source::Helper.token())
    }

    pub(crate) fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// INFO server: a line for each kind of socket, under a number that does not depend on the
    /// others.
    pub(crate) fn info_listeners(&self, port: u16, tls_port: u16, o: &mut Lines) {
        let (mut tcp, mut unix, mut tls) = (None, None, None);
        for l in &self.listeners {
            match l.kind {
                Kind::TCP => {
                    let line = tcp.get_or_insert_with(|| "name=tcp".to_string());
                    line.extend([",bind=", &l.word]);
                }
                Kind::TLS => {
                    let line = tls.get_or_insert_with(|| "name=tls".to_string());
                    line.extend([",bind=", &l.word]);
                }
                Kind::UNIX => unix = Some(format!("name=unix,bind={}", l.word)),
                Kind::Admin | Kind::Metrics => {}
            }
        }
        if let Some(line) = tcp {
            o.add("listener0", format_args!("{line},port={port}"));
        }
        if let Some(line) = unix {
            o.add("listener1", line);
        }
        if let Some(line) = tls {
            o.add("listener2", format_args!("{line},port={tls_port}"));
        }
    }

    /// INFO server: where administrators are let in, if anywhere.
    pub(crate) fn info_admin(&self, o: &mut Lines) {
        let admin = self.listeners.iter().filter(|l| l.kind == Kind::Admin);
        let addrs: Vec<String> =
            admin.filter_map(|l| l.addr()).map(|addr| addr.to_string()).collect();
        if !addrs.is_empty() {
            o.add("redust_admin_listeners", addrs.join(","));
        }
    }

    /// INFO server: where metrics are served.
    pub(crate) fn info_metrics(&self, o: &mut Lines) {
        let mut line = String::new();
        for addr in
            self.listeners.iter().filter(|l| l.kind == Kind::Metrics).filter_map(|l| l.addr())
        {
            line += &format!(",addr={addr}");
        }
        let state = if line.is_empty() { "disabled" } else { "enabled" };
        o.add("metrics_exporter", format_args!("{state}{line}"));
    }

    /// Replaces the listeners of one kind by others.
    pub(crate) fn set_listeners(&mut self, kind: Kind, new: Vec<Listener>) -> io::Result<()> {
        let old = std::mem::take(&mut self.listeners);
        let (mut gone, kept): (Vec<_>, Vec<_>) = old.into_iter().partition(|l| l.kind == kind);
        gone.iter_mut().for_each(|l| l.deregister(self.poll.registry()));
        drop(gone);
        self.listeners = kept;
        self.listeners.extend(new);
        if self.listeners.len() > MAX_LISTENERS {
            return Err(io::Error::other("too many addresses to listen on"));
        }
        for (i, l) in self.listeners.iter_mut().enumerate() {
            l.deregister(self.poll.registry());
            l.register(self.poll.registry(), Source::Listener(i).token())?;
        }
        Ok(())
    }

    /// Stops listening.
    pub(crate) fn close_listeners(&mut self) {
        self.listeners.iter_mut().for_each(|l| l.deregister(self.poll.registry()));
        self.listeners.clear();
        self.accept_again.clear();
        self.accept_later.clear();
    }

    /// Tries again to accept where it has failed.
    pub(crate) fn retry_accepts(&mut self) {
        self.accept_again.append(&mut self.accept_later);
    }

    /// Sets a timer for a wall-clock time.
    pub(crate) fn set_timer(&mut self, at_ms: i64, what: Timer) -> TimerId {
        self.timers.set(at_ms.max(0) as u64, what)
    }
    pub(crate) fn cancel_timer(&mut self, id: TimerId) {
        self.timers.cancel(id);
    }

    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// In the next turn a client goes on with what it has already sent.
    pub(crate) fn resume(&mut self, id: ClientId) {
        self.again.push(id);
    }

    /// The same, but before this turn ends. A client that is told of the end of its wait, or of
    /// what it did when it was served, must find that its later commands have run as well.
    pub(crate) fn wake(&mut self, id: ClientId) {
        self.woken.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_sources_are_one_to_one() {
        let client = |n: usize| Source::Client(ClientId::from_token(Token(n), 0));
        let clients = [0, 1, 1 << 31, 7 << 32 | 5, (u32::MAX as usize) << 31];
        let listeners = (0..MAX_LISTENERS).map(Source::Listener);
        let scrapers = (0..MAX_SCRAPERS).map(Source::Scraper);
        let all = [Source::Signals, Source::Child, Source::Helper, Source::Link].into_iter();
        let all = all.chain(listeners).chain(scrapers);
        let mut tokens = std::collections::HashSet::new();
        for source in all.chain(clients.map(client)) {
            assert_eq!(Source::of(source.token()), Some(source));
            assert!(tokens.insert(source.token()), "{source:?}");
        }
        for n in (0..FIRST_CLIENT).filter(|n| !tokens.contains(&Token(*n))) {
            assert_eq!(Source::of(Token(n)), None, "{n}");
        }
    }
}
