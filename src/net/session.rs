//! Who a client is: identity, state of its conversation, what it asked for. No buffers, no socket.

use std::rc::Rc;

use crate::keyspace::waiting::Waiting;
use crate::net::conn::{self, Conn};
use crate::net::listener;
use crate::net::timers::TimerId;
use crate::net::usage::Class;

/// Number of a command in the server's table.
pub(crate) type CommandId = u16;

/// A command kept for later, with its own copy of the arguments.
#[derive(Debug)]
pub(crate) struct Queued {
    pub command: CommandId,
    pub argv: Vec<Vec<u8>>,
}

impl Queued {
    pub(crate) fn bytes(&self) -> usize {
        self.argv.iter().map(|a| a.capacity() + size_of::<Vec<u8>>()).sum()
    }
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Multi {
    pub queue: Vec<Queued>,
    /// Bytes of all arguments, and a pointer's size for each: `multi-mem` in CLIENT LIST.
    pub arg_bytes: usize,
    /// A command was refused while queueing: EXEC must fail.
    pub broken: bool,
    /// Flags that any of the queued commands has, and those that all have.
    pub flags: u32,
    pub common: u32,
    /// The database that was last selected among the queued commands.
    pub db: Option<u32>,
}

impl Default for Multi {
    fn default() -> Multi {
        Multi { queue: Vec::new(), arg_bytes: 0, broken: false, flags: 0, common: !0, db: None }
    }
}

/// Which replies a client wants (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplyMode {
    #[default]
    On,
    Off,
    /// None to this command, but to those after the next.
    SkipNext,
    Skip,
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Close {
    #[default]
    No,
    /// When all that is owed has been written.
    AfterReply,
    /// Before anything else.
    Now,
}

/// How the scripts of a client are debugged (SCRIPT DEBUG).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Debugging {
    #[default]
    No,
    /// In a child, whose changes are lost.
    Apart,
    /// In the server, which does nothing else meanwhile.
    Here,
}

/// A client that waits, with the command that had to.
#[derive(Debug)]
pub(crate) struct Parked {
    pub command: Queued,
    pub waiting: Waiting,
    pub since_ms: i64,
    pub timer: Option<TimerId>,
    /// When it gives up; None: never.
    pub until_ms: Option<i64>,
    /// When to look again, if that is sooner.
    pub again_ms: Option<i64>,
}

/// How a client that caches values is told of changes (CLIENT TRACKING).
#[derive(Debug, Default)]
pub(crate) struct Tracking {
    /// Its number in the table of keys.
    pub number: u32,
    /// The client (by CLIENT ID) that is told instead; 0: itself.
    pub redirect: u64,
    /// That client was gone when it was to be told.
    pub broken: bool,
    /// It hears of every key with one of its prefixes, not of those it read.
    pub broadcast: bool,
    /// Only reads after CLIENT CACHING YES count.
    pub opt_in: bool,
    /// All reads count but those after CLIENT CACHING NO.
    pub opt_out: bool,
    /// It does not hear of its own changes.
    pub no_loop: bool,
    /// CLIENT CACHING was given, for the next command or transaction.
    pub caching: bool,
    /// In order.
    pub prefixes: Vec<Rc<[u8]>>,
    /// Bytes of the prefixes, here and in the table.
    pub prefix_bytes: usize,
}

impl Tracking {
    /// What a prefix takes beside its text, which both lists share: its places there, and its
    /// client's.
    const PREFIX: usize = 144;

    /// Bytes of these prefixes, here and in the table. O(prefixes).
    pub(crate) fn bytes_of(prefixes: &[Rc<[u8]>]) -> usize {
        prefixes.iter().map(|p| p.len() + Tracking::PREFIX).sum()
    }
}

/// The state of one client.
#[derive(Debug)]
pub(crate) struct Session {
    /// CLIENT ID: counts up, never reused.
    pub serial: u64,
    pub db: u32,
    /// Where its latest write ends in the stream of writes.
    pub written: u64,
    pub resp3: bool,
    pub authenticated: bool,
    /// It is authenticated only as long as everybody is.
    pub let_in: bool,
    /// The number of its user; 0: the default one.
    pub user: u32,
    /// Its user may not do everything.
    pub restricted: bool,
    /// It has been authenticated before, though RESET may have taken that back.
    pub was_authenticated: bool,
    pub close: Close,
    pub reply_mode: ReplyMode,
    pub debugging: Debugging,
    /// A child of ours talks with the peer: the connection goes on when we close it.
    pub handed_over: bool,
    pub no_evict: bool,
    pub no_touch: bool,
    /// It came by the port for administrators, so it does not count for `maxclients`.
    pub admin: bool,
    /// It sees every command; `Clients` has the list.
    pub monitor: bool,
    /// It gets the stream of writes.
    pub replica: bool,
    /// It is the primary that this server follows: what it says is done.
    pub primary: bool,
    pub multi: Option<Box<Multi>>,
    /// EXEC runs so many commands of this client.
    pub executing: Option<u32>,
    /// A watched key changed: the next EXEC replies null.
    pub watch_broken: bool,
    /// It is told of changes to what it may have cached.
    pub tracking: Option<Box<Tracking>>,
    pub parked: Option<Box<Parked>>,
    /// Its next command waits for the end of a pause.
    pub postponed: bool,
    /// It has subscriptions; in RESP2 it may then only subscribe, unsubscribe, ping and leave.
    /// `Clients::list` keeps this.
    pub subscribed: bool,
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub peer: String,
    pub local: String,
    pub fd: i32,
    pub unix: bool,
    /// The connection comes from this machine.
    pub loopback: bool,
    pub created_ms: i64,
    pub active_ms: i64,
    /// Since when more output waits than the soft limit allows.
    pub soft_limit_since_ms: Option<i64>,
    /// The peer has closed its side; what it sent before is still read.
    pub eof: bool,
    pub last_command: Option<CommandId>,
}

impl Session {
    /// The state of a connection that was just made; `serial` is set when the client is listed.
    pub(crate) fn new(conn: &Conn, now_ms: i64) -> Session {
        Session {
            serial: 0,
            db: 0,
            written: 0,
            resp3: false,
            authenticated: false,
            let_in: false,
            user: 0,
            restricted: false,
            was_authenticated: false,
            close: Close::No,
            reply_mode: ReplyMode::On,
            debugging: Debugging::No,
            handed_over: false,
            no_evict: false,
            no_touch: false,
            admin: false,
            monitor: false,
            replica: false,
            primary: false,
            multi: None,
            executing: None,
            watch_broken: false,
            tracking: None,
            parked: None,
            postponed: false,
            subscribed: false,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_ver: Vec::new(),
            peer: conn::show(conn.peer()),
            local: conn::show(conn.local()),
            fd: conn.fd(),
            unix: conn.is_unix(),
            loopback: listener::is_local(conn),
            created_ms: now_ms,
            active_ms: now_ms,
            soft_limit_since_ms: None,
            eof: false,
            last_command: None,
        }
    }

    /// Whether it gets the stream of writes, or of commands: it is no ordinary client.
    #[inline]
    pub(crate) fn listens(&self) -> bool {
        self.monitor | self.replica
    }

    pub(crate) fn class(&self) -> Class {
        match () {
            () if self.primary => Class::Primary,
            () if self.replica => Class::Replica,
            () if self.subscribed => Class::PubSub,
            () => Class::Normal,
        }
    }

    /// Memory of its texts and of the commands kept for it.
    pub(crate) fn memory(&self) -> usize {
        let texts = self.name.capacity()
            + self.lib_name.capacity()
            + self.lib_ver.capacity()
            + self.peer.capacity()
            + self.local.capacity();
        let multi = self.multi.as_deref().map_or(0, |m| {
            size_of::<Multi>() + m.queue.capacity() * size_of::<Queued>() + m.arg_bytes
        });
        let parked = self.parked.as_deref().map_or(0, |p| size_of::<Parked>() + p.command.bytes());
        let tracking =
            self.tracking.as_deref().map_or(0, |t| size_of::<Tracking>() + t.prefix_bytes);
        texts + multi + parked + tracking
    }

    /// Letters of CLIENT LIST's `flags`.
    pub(crate) fn flags(&self) -> String {
        let mut out = String::new();
        let mut add = |on: bool, letter: char| {
            if on {
                out.push(letter);
            }
        };
        add(self.replica, 'S');
        add(self.monitor, 'O');
        add(self.primary, 'M');
        add(self.subscribed, 'P');
        add(self.multi.is_some() || self.executing.is_some(), 'x');
        add(self.parked.is_some() || self.postponed, 'b');
        let tracking = self.tracking.as_deref();
        add(tracking.is_some(), 't');
        add(tracking.is_some_and(|t| t.broken), 'R');
        add(tracking.is_some_and(|t| t.broadcast), 'B');
        add(self.watch_broken, 'd');
        add(self.close == Close::AfterReply, 'c');
        add(self.close == Close::Now, 'A');
        add(self.unix, 'U');
        add(self.no_evict, 'e');
        add(self.no_touch, 'T');
        if out.is_empty() { "N".to_string() } else { out }
    }
}
