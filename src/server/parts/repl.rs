//! The state of replication: the history of our writes, the replicas, and the primary if there is
//! one.
//!
//! ```text
//! History    the ID of the stream of writes; offsets are those of `parts/stream.rs`
//! backlog    a reader of the stream that stays behind its end, for those who come back
//! Replica    a client that has asked for the stream; it reads where its own reader stands
//! Following  the primary we follow, and the state of the link to it
//! ```
//! Invariants:
//!
//! - R1  a client with `Session::replica` has one entry in `replicas`, and no other client has;
//! - R2  a replica that will get the stream has a reader, from the moment that its snapshot is of;
//! - R3  `Following::client` is set exactly while the link is `Connected`;
//! - R4  a primary whose replicas or backlog are gone keeps its offset, until it begins a new
//!   history.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;

use crate::config::Config;
use crate::net::clients::ClientId;
use crate::net::conn::Conn;
use crate::repl::failover::Failover;
use crate::repl::handshake::Handshake;
use crate::repl::history::{History, Kept};
use crate::repl::peer::Told;
use crate::repl::refusal::Refusals;
use crate::repl::transfer::Finder;
use crate::server::parts::stream::{REPLICAS, ReaderId, Stream};

/// The state of replication.
#[derive(Debug)]
pub(crate) struct Repl {
    pub history: History,
    pub backlog: Option<ReaderId>,
    pub replicas: Vec<Replica>,
    /// What clients have told of themselves that are not replicas yet.
    pub told: HashMap<ClientId, Told>,
    /// The primary that we follow.
    pub following: Option<Box<Following>>,
    /// The role is being handed over.
    pub failover: Option<Failover>,
    /// Since when there are no replicas.
    pub alone_since_ms: i64,
    pub full_syncs: u64,
    pub partial_syncs: u64,
    pub refused_syncs: u64,
    /// Replicas that have acknowledged something lately, as far as that is asked for.
    pub good: usize,
    /// `min-replicas-to-write` asks for more of these; kept by `refresh`.
    pub few: bool,
    /// Where the stream ended when replicas were last given of it.
    pub fed_to: u64,
    /// A waiting client wants to hear from the replicas how far they are.
    pub ask_acks: bool,
    /// The primary has asked how far we are.
    pub ack_due: bool,
    /// A replica has come for whom a snapshot may begin at once.
    pub start_due: bool,
    /// What the snapshot that was last loaded says of the history it belongs to.
    pub loaded: Loaded,
    /// The database that its stream had selected, of a replica that was restarted.
    pub restored_db: Option<u32>,
    /// The second of the last run of the cron.
    pub cron_secs: i64,
    /// Bytes of the transaction that the primary has begun to send.
    pub held_raw: Vec<u8>,
    /// How far before the end of what has come the latest transaction has begun that was found in
    /// it; 0: none was.
    pub opened: usize,
    /// Keys with a time that clients of a writable replica have written. Nobody else would delete
    /// them.
    pub own_timed: BTreeSet<(u32, Vec<u8>)>,
    /// When it was last said that we go on though the disk fails.
    pub said_disk_ms: i64,
    /// The files for slow replicas could not be written: they are not tried again for these
    /// replicas.
    pub spill_failed: bool,
    /// What the primary has sent that could not be done here.
    pub refusals: Refusals,
}

/// What a snapshot says of the history that it belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    pub id: Option<String>,
    pub offset: Option<u64>,
    /// The database that the stream has selected there.
    pub db: Option<u32>,
    /// The keys of it that were past their time and were left out.
    pub expired: Vec<(u32, Vec<u8>)>,
}

/// A replica of this server.
#[derive(Debug)]
pub(crate) struct Replica {
    pub client: ClientId,
    pub state: State,
    pub told: Told,
    /// It asked with SYNC: it can't do what came later.
    pub old: bool,
    pub reader: Option<ReaderId>,
    /// What it says it has: of the stream, and on its disk.
    pub acked: u64,
    pub acked_on_disk: u64,
    /// When it last said so.
    pub acked_ms: i64,
    pub asked_ms: i64,
    /// Since when it takes nothing of the snapshot that a child sends it.
    pub stuck_since_ms: Option<i64>,
    /// It had not switched replies off: one that it asks for would stand in the stream.
    pub wants_replies: bool,
    /// A child's snapshot passes through here, to be encrypted.
    pub relay: Option<Relay>,
    /// It got a snapshot, and has not come as far as the backlog since: what it has to get yet may
    /// be in files.
    pub catches_up: bool,
}

/// What a child writes for a replica whose connection only the server itself can write to.
#[derive(Debug)]
pub(crate) struct Relay {
    pub from: mio::net::UnixStream,
    /// Read from there, of which `sent` bytes have been written.
    pub piece: Vec<u8>,
    pub sent: usize,
}

impl Drop for Relay {
    fn drop(&mut self) {
        // The child has this end as well, so closing it would not tell the child that nobody reads.
        // An error is ignored: the child may have ended.
        let _ = self.from.shutdown(std::net::Shutdown::Both);
    }
}

/// How far a replica is.
#[derive(Debug)]
pub(crate) enum State {
    /// It waits for a snapshot to begin.
    WaitsForStart,
    /// It waits for the end of the one that is being taken; of which it was told this offset.
    WaitsForEnd,
    /// It is being sent the file; so much of it is left.
    Sending {
        file: File,
        left: u64,
        piece: Vec<u8>,
        sent: usize,
    },
    /// It gets the stream, but only from its first acknowledgement on.
    WaitsForAck,
    Online,
}

impl Replica {
    /// The word for its state in INFO.
    pub(crate) fn word(&self) -> &'static str {
        match self.state {
            State::WaitsForStart | State::WaitsForEnd => "wait_bgsave",
            State::Sending { .. } => "send_bulk",
            State::WaitsForAck | State::Online => "online",
        }
    }

    pub(crate) fn is_online(&self) -> bool {
        matches!(self.state, State::WaitsForAck | State::Online)
    }
}

/// The primary that we follow.
#[derive(Debug)]
pub(crate) struct Following {
    pub host: Vec<u8>,
    pub port: u16,
    pub link: Link,
    /// The client that stands for the primary, while it is connected.
    pub client: Option<ClientId>,
    /// The database that its stream has selected.
    pub db: u32,
    /// We have a part of its history, and may go on from there.
    pub resumes: bool,
    /// When it was last heard of.
    pub heard_ms: i64,
    /// Since when the link is down; None: it never was up.
    pub down_since_ms: Option<i64>,
    /// It has to be asked to give us its role.
    pub takes_over: bool,
    /// A link that could not be made is tried again after this.
    pub retry_ms: i64,
}

/// The link to the primary.
#[derive(Debug)]
pub(crate) enum Link {
    /// It is to be made.
    Down,
    Connecting(Conn),
    Talking(Box<Talk>),
    Receiving(Box<Receive>),
    /// The snapshot is being loaded; signs of life go to this.
    Loading(Option<Voice>),
    Connected,
}

/// The lines before the data.
#[derive(Debug)]
pub(crate) struct Talk {
    pub conn: Conn,
    pub handshake: Handshake,
    pub input: Vec<u8>,
}

/// A snapshot that comes in.
#[derive(Debug)]
pub(crate) struct Receive {
    pub conn: Conn,
    pub input: Vec<u8>,
    /// None: its length is not known yet.
    pub finder: Option<Finder>,
    pub file: Option<(File, String)>,
    pub id: String,
    pub offset: u64,
    /// The primary knows no histories.
    pub old: bool,
    pub unsynced: u64,
}

/// How the primary hears that we are alive while its snapshot is loaded.
#[derive(Debug)]
pub(crate) enum Voice {
    /// The same socket, under another number.
    Socket(File),
    /// The connection itself, which nobody else needs meanwhile.
    Conn(Box<Conn>),
}

impl Voice {
    /// Says it. A link that is gone is noticed when the snapshot is loaded.
    pub(crate) fn speak(&mut self) {
        let _ = match self {
            Voice::Socket(socket) => std::io::Write::write(socket, b"\n"),
            Voice::Conn(conn) => conn.write(b"\n"),
        };
    }
}

impl Link {
    /// The word for it in ROLE.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Link::Down => "connect",
            Link::Connecting(_) => "connecting",
            Link::Talking(_) => "handshake",
            Link::Receiving(_) | Link::Loading(_) => "sync",
            Link::Connected => "connected",
        }
    }

    pub(crate) fn conn(&mut self) -> Option<&mut Conn> {
        match self {
            Link::Connecting(conn) => Some(conn),
            Link::Talking(talk) => Some(&mut talk.conn),
            Link::Receiving(receive) => Some(&mut receive.conn),
            Link::Down | Link::Loading(_) | Link::Connected => None,
        }
    }
}

impl Repl {
    pub(crate) fn new(id: String, now_ms: i64) -> Repl {
        Repl {
            history: History::new(id),
            backlog: None,
            replicas: Vec::new(),
            told: HashMap::new(),
            following: None,
            failover: None,
            alone_since_ms: now_ms,
            full_syncs: 0,
            partial_syncs: 0,
            refused_syncs: 0,
            good: 0,
            few: false,
            fed_to: 0,
            ask_acks: false,
            ack_due: false,
            start_due: false,
            loaded: Loaded::default(),
            restored_db: None,
            cron_secs: 0,
            held_raw: Vec::new(),
            opened: 0,
            own_timed: BTreeSet::new(),
            said_disk_ms: 0,
            spill_failed: false,
            refusals: Refusals::default(),
        }
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self) {
        (self.full_syncs, self.partial_syncs, self.refused_syncs) = (0, 0, 0);
        self.refusals.total = 0;
    }

    /// Counts the replicas that are in time, as far as settings ask for some.
    pub(crate) fn refresh(&mut self, cfg: &Config, now_ms: i64) {
        let (want, lag) = (cfg.repl.min_replicas_to_write, cfg.repl.min_replicas_max_lag_secs);
        let in_time = |replica: &&Replica| {
            matches!(replica.state, State::Online)
                && (now_ms - replica.acked_ms) / 1000 <= i64::from(lag)
        };
        self.good = self.replicas.iter().filter(in_time).count();
        // Compat: a lag of 0 takes the condition away; a replica does not have it.
        self.few = want > 0 && lag > 0 && !self.is_replica() && self.good < want as usize;
    }

    #[inline]
    pub(crate) fn is_replica(&self) -> bool {
        self.following.is_some()
    }

    /// In a child: closes the socket of a link that is being made, which is the parent's.
    pub(crate) fn abandon_link(&mut self) {
        if let Some(following) = &mut self.following
            && following.link.conn().is_some()
        {
            following.link = Link::Down;
        }
    }

    /// Whether the link to the primary is up; a primary has none to miss.
    pub(crate) fn is_linked(&self) -> bool {
        self.following.as_ref().is_none_or(|f| matches!(f.link, Link::Connected))
    }

    /// Whether a snapshot of the primary is being loaded.
    pub(crate) fn is_loading(&self) -> bool {
        self.following.as_ref().is_some_and(|f| matches!(f.link, Link::Loading(_)))
    }

    pub(crate) fn replica(&self, id: ClientId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.client == id)
    }

    pub(crate) fn replica_mut(&mut self, id: ClientId) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.client == id)
    }

    /// What is kept for those who come back.
    pub(crate) fn kept(&self, stream: &Stream) -> Option<Kept> {
        self.backlog?;
        let from = stream.repl_at(stream.replicas_from());
        Some(Kept { first: from + 1, bytes: stream.repl_end() - from })
    }

    /// Memory of the part of the stream that is kept for replicas.
    pub(crate) fn memory(&self, stream: &Stream) -> u64 {
        if self.backlog.is_none() { 0 } else { stream.memory_from(stream.replicas_from()) }
    }

    /// The part of it that is the backlog; the rest is for replicas that are further behind.
    pub(crate) fn backlog_memory(&self, stream: &Stream) -> u64 {
        self.backlog.map_or(0, |reader| stream.memory_from(stream.position(reader)))
    }

    /// Keeps a backlog from now on.
    pub(crate) fn keep_backlog(&mut self, stream: &mut Stream) {
        if self.backlog.is_none() {
            self.backlog = Some(stream.join(REPLICAS));
        }
    }

    /// Keeps none.
    pub(crate) fn free_backlog(&mut self, stream: &mut Stream) {
        if let Some(reader) = self.backlog.take() {
            stream.leave(reader);
        }
    }

    /// How many replicas have at least so much of the stream, or on their disks.
    pub(crate) fn have(&self, offset: u64, on_disk: bool) -> i64 {
        let has = |replica: &&Replica| {
            let acked = if on_disk { replica.acked_on_disk } else { replica.acked };
            matches!(replica.state, State::Online) && acked >= offset
        };
        self.replicas.iter().filter(has).count() as i64
    }
}
