//! The endpoint for metrics: its connections, and the two histograms that exist only with it or
//! while `latency-tracking-requests` is set.
//!
//! A scraper is no client: it has no id, no place in CLIENT LIST and none of `maxclients`. It is
//! served when a turn's commands are done (`reactor/scrape.rs`). What it can cost is bounded here:
//!
//! ```text
//! connections   MAX_SCRAPERS; a further one takes the place of the one that is silent longest
//! a request     whole within REQUEST_MS of its first byte, in MAX_HEAD bytes (`net::http`)
//! a reply       taken within REPLY_MS; the next request waits for that
//! silence       IDLE_MS between two requests
//! ```
//! Invariant: `pending` has the bit of each scraper that can go on without an event.

use crate::net::conn::Conn;
use crate::net::http::Inbox;
use crate::stats::Histogram;

/// Connections at most.
pub(crate) const MAX_SCRAPERS: usize = 16;
/// A request has to be whole after so long.
const REQUEST_MS: i64 = 10_000;
/// A reply has to be taken after so long, or after the second time if another scraper wants the
/// place.
const REPLY_MS: i64 = 30_000;
const PATIENCE_MS: i64 = 5_000;
/// A connection may be silent for so long between two requests.
const IDLE_MS: i64 = 60_000;
/// A connection that was refused is read for so long, so that the refusal arrives.
const LINGER_MS: i64 = 1_000;
/// A buffer for replies is kept up to this size.
const KEPT: usize = 1 << 20;

/// What is rendered: metrics in one of their two forms, or what the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus's text format 0.0.4.
    Plain,
    OpenMetrics,
    /// JSON.
    Page,
}

/// The clients that the page shows, and where it goes on to look for others.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// By their numbers.
    pub serials: Vec<u64>,
    pub next: u64,
    /// All clients have been looked at.
    pub whole: bool,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was accepted, or its last request was answered. Nothing has come since.
    Idle,
    /// Part of a request has come.
    Asking,
    /// It is sent a reply.
    Answered,
    /// It was refused and told so. What it still sends is thrown away.
    Leaving,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Scraper {
    pub conn: Conn,
    pub phase: Phase,
    /// Since when.
    pub since_ms: i64,
    pub inbox: Inbox,
    /// A reply, and how much of it has been sent.
    pub out: Vec<u8>,
    pub sent: usize,
    /// It leaves after the reply.
    pub last: bool,
    /// It has sent all that it will.
    pub ended: bool,
    /// There may be something to read: the system has not said no since.
    pub readable: bool,
}

impl Scraper {
    fn new(conn: Conn, now_ms: i64) -> Scraper {
        Scraper {
            conn,
            phase: Phase::Idle,
            since_ms: now_ms,
            inbox: Inbox::default(),
            out: Vec::new(),
            sent: 0,
            last: false,
            ended: false,
            readable: true,
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase, now_ms: i64) {
        if self.phase != phase {
            (self.phase, self.since_ms) = (phase, now_ms);
        }
    }

    /// Whether its time is up.
    fn is_late(&self, now_ms: i64) -> bool {
        let allowed = match self.phase {
            // Whoever connects wants something now.
            Phase::Idle if self.is_new() => REQUEST_MS,
            Phase::Idle => IDLE_MS,
            Phase::Asking => REQUEST_MS,
            Phase::Answered => REPLY_MS,
            Phase::Leaving => LINGER_MS,
        };
        now_ms - self.since_ms > allowed
    }

    /// It has not been answered yet. A reply leaves its mark here.
    fn is_new(&self) -> bool {
        self.sent == 0
    }
}

/// What scrapers have cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scrapes {
    pub count: u64,
    /// Of the latest, and of all, in nanoseconds.
    pub latest_ns: u64,
    pub ns: u64,
    /// Connections that were closed because there were too many.
    pub dropped: u64,
}

/// How long requests and turns have taken.
#[derive(Debug)]
pub(crate) struct Histograms {
    /// From the moment a command was there to the write of its reply.
    pub requests: Histogram,
    pub requests_ns: u64,
    pub turns: Histogram,
    pub turns_ns: u64,
}

/// The endpoint.
#[derive(Default)]
pub(crate) struct Metrics {
    /// They are kept while there is somebody to ask for them. Whether there are any is what the hot
    /// path asks, once for each client's turn.
    pub kept: Option<Box<Histograms>>,
    /// Who asks: scrapers, and LATENCY HISTOGRAM.
    served: bool,
    wanted: bool,
    /// When the latest turn was given its events, in ticks.
    pub turn_ticks: u64,
    pub pending: u16,
    /// Which scraper goes first in the next turn.
    pub first: usize,
    pub scrapes: Scrapes,
    pub watched: Watched,
    /// The buffer of the latest reply, for the next one.
    pub spare: Vec<u8>,
    places: [Option<Box<Scraper>>; MAX_SCRAPERS],
}

impl Metrics {
    /// Begins to serve scrapers, or ends that and lets all of them go.
    pub(crate) fn switch(&mut self, on: bool) {
        self.served = on;
        if !on {
            (0..MAX_SCRAPERS).for_each(|place| self.close(place));
            self.spare = Vec::new();
            self.watched = Watched::default();
        }
        self.follow();
    }

    /// Says whether the histograms are kept also while there are no scrapers.
    pub(crate) fn keep(&mut self, on: bool) {
        self.wanted = on;
        self.follow();
    }

    fn follow(&mut self) {
        if !self.served && !self.wanted {
            self.kept = None;
        } else if self.kept.is_none() {
            let (requests, turns) = (Histogram::new(), Histogram::new());
            self.kept = Some(Box::new(Histograms { requests, requests_ns: 0, turns, turns_ns: 0 }));
        }
    }

    /// In a child: closes the sockets of all scrapers, which are the parent's. Their connections go
    /// on.
    pub(crate) fn abandon(&mut self) {
        self.places = Default::default();
        self.pending = 0;
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self) {
        self.kept = None;
        self.follow();
    }

    /// Notes that so many replies left after `ns` nanoseconds.
    pub(crate) fn note_requests(&mut self, ns: u64, replies: u64) {
        if let Some(kept) = &mut self.kept {
            kept.requests.record(ns, replies);
            kept.requests_ns += ns * replies;
        }
    }

    /// Notes a turn.
    pub(crate) fn note_turn(&mut self, ns: u64) {
        if let Some(kept) = &mut self.kept {
            kept.turns.record(ns, 1);
            kept.turns_ns += ns;
        }
    }

    pub(crate) fn scraper(&mut self, place: usize) -> Option<&mut Scraper> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    /// How many are connected.
    pub(crate) fn scrapers(&self) -> usize {
        self.places.iter().flatten().count()
    }

    /// A place for a connection; None: nobody can leave for it.
    pub(crate) fn insert(&mut self, conn: Conn, now_ms: i64) -> Option<usize> {
        let place = match self.places.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.scrapes.dropped += 1;
                let place = self.silent_longest(now_ms)?;
                self.close(place);
                place
            }
        };
        self.places[place] = Some(Box::new(Scraper::new(conn, now_ms)));
        self.pending |= 1 << place;
        Some(place)
    }

    /// Who has to leave for another: the one that has been silent longest, and rather one that has
    /// not asked for anything yet. Who is sent a reply stays if it takes it.
    fn silent_longest(&self, now_ms: i64) -> Option<usize> {
        let all = self.places.iter().enumerate();
        let all = all.filter_map(|(place, s)| Some((place, s.as_deref()?)));
        let silent =
            all.filter(|(_, s)| s.phase != Phase::Answered || now_ms - s.since_ms > PATIENCE_MS);
        let order = |s: &Scraper| match s.phase {
            Phase::Answered => (2, s.since_ms),
            _ => (u8::from(!s.is_new()), s.since_ms),
        };
        silent.min_by_key(|(_, s)| order(s)).map(|(place, _)| place)
    }

    /// Ends a connection.
    pub(crate) fn close(&mut self, place: usize) {
        self.pending &= !(1 << place);
        if let Some(scraper) = self.places[place].take() {
            // A child may hold the socket too, and then closing ours would not end the connection.
            scraper.conn.shut_down();
        }
    }

    /// Keeps the buffer of a reply for the next one.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > self.spare.capacity() && buffer.capacity() <= KEPT {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// Ends the connections whose time is up.
    pub(crate) fn tend(&mut self, now_ms: i64) {
        for place in 0..MAX_SCRAPERS {
            if self.places[place].as_deref().is_some_and(|s| s.is_late(now_ms)) {
                self.close(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn() -> (Conn, std::os::unix::net::UnixStream) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
        ours.set_nonblocking(true).expect("a flag");
        (Conn::Unix(mio::net::UnixStream::from_std(ours)), theirs)
    }

    #[test]
    fn a_crowd_has_sixteen_places_and_the_silent_leave_first() {
        let mut m = Metrics::default();
        let mut others = Vec::new();
        let mut add = |m: &mut Metrics, at: i64| {
            let (conn, other) = conn();
            others.push(other);
            m.insert(conn, at)
        };
        for i in 0..MAX_SCRAPERS {
            assert_eq!(add(&mut m, i as i64), Some(i));
        }
        m.scraper(0).expect("there").enter(Phase::Answered, 1);
        m.scraper(1).expect("there").sent = 1;
        assert_eq!(add(&mut m, 5_000), Some(2), "one is being answered, one has been");
        assert_eq!(add(&mut m, 5_000), Some(3));
        (2..MAX_SCRAPERS).for_each(|i| m.scraper(i).expect("there").sent = 1);
        assert_eq!(add(&mut m, 5_000), Some(1), "the silent ones, too");
        (0..MAX_SCRAPERS).for_each(|i| m.scraper(i).expect("there").phase = Phase::Answered);
        assert_eq!(add(&mut m, 5_000), None);
        assert_eq!(add(&mut m, 9_000), Some(0), "whoever does not take its reply");
        assert_eq!((m.scrapers(), m.scrapes.dropped), (16, 5));
        assert_eq!(m.pending, u16::MAX);
        m.switch(false);
        assert_eq!((m.scrapers(), m.pending), (0, 0));
    }

    #[test]
    fn each_phase_has_its_time() {
        let mut m = Metrics::default();
        let mut last = |phase: Phase, answered: bool| {
            let (conn, _other) = conn();
            let place = m.insert(conn, 0).expect("a place");
            let s = m.scraper(place).expect("there");
            (s.phase, s.sent) = (phase, usize::from(answered));
            let mut at = 0;
            while m.scraper(place).is_some() {
                at += 1_000;
                m.tend(at);
            }
            at / 1_000 - 1
        };
        assert_eq!(last(Phase::Idle, false), 10, "whoever connects has a request");
        assert_eq!(last(Phase::Idle, true), 60);
        assert_eq!(last(Phase::Asking, true), 10);
        assert_eq!(last(Phase::Answered, false), 30);
        assert_eq!(last(Phase::Leaving, true), 1);
    }
}
