//! The only layer that knows all parts: it joins them, runs commands, and owns the loop.
//!
//! `Server` is parts side by side, no scalars; a part never points at another, they meet here by id.
//! A function that joins parts is named after the joint: `gate`, `settle`, `reap`.

mod account;
pub mod admin;
mod ahead;
pub mod bio;
pub mod boot;
mod child;
mod crash;
mod cron;
mod dispatch;
mod evict;
mod expire;
mod footprint;
mod gate;
pub mod info;
mod invalidate;
mod load;
mod pause;
mod reap;
mod restart;
mod save;
mod settle;
mod shutdown;
mod table;
mod turn;
mod writing;

use crate::blocked::Blocked;
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::keyspace::effects::{Effects, Op};
use crate::keyspace::env::Env;
use crate::keyspace::limits::Limits;
use crate::latency::Latency;
use crate::net::clients::{ClientId, Clients};
use crate::pubsub::PubSub;
use crate::resp::argv::Argv;
use crate::resp::reply::Reply;
use crate::slowlog::Slowlog;
use crate::stats::Stats;
use crate::sys::mem::ThreadCounters;
use crate::tracking::Tracking;
use crate::watch::Watch;

/// The process. Fields are parts that never point at each other.
pub struct Server {
    pub cfg: Config,
    pub clock: Clock,
    pub ks: Keyspace,
    pub limits: Limits,
    pub lazyfree: crate::keyspace::lazyfree::Lazyfree,
    pub clients: Clients,
    pub exec: Exec,
    pub blocked: Blocked,
    pub watch: Watch,
    pub pubsub: PubSub,
    pub tracking: Tracking,
    pub rdb: save::RdbJobs,
    pub child: Option<child::Child>,
    pub cron: cron::Cron,
    pub bio: bio::Bio,
    pub net: turn::Net,
    pub pause: pause::Pause,
    pub stats: Stats,
    pub slowlog: Slowlog,
    pub latency: Latency,
    pub loading: Option<load::Loading>,
    pub memory: Memory,
    pub eviction: evict::Pool,
    pub expiry: expire::Cycle,
    pub shutdown: shutdown::Shutdown,
    pub identity: boot::Identity,
    pub migrate: admin::migrate::Links,
    pub debug: admin::debug::Switches,
    pub watchdog: crate::sys::watchdog::Watchdog,
    pub table: &'static table::Table,
}

/// Time as the server sees it: read once a turn, and again after anything slow.
#[derive(Debug)]
pub struct Clock {
    pub now_ms: i64,
    pub watch: crate::sys::clock::Stopwatch,
    /// Reading of the stopwatch at the end of the latest command: the start of the next.
    pub ticks: u64,
    /// Milliseconds of wall time at start, the origin of the timer wheel.
    pub started_ms: i64,
}

impl Clock {
    pub fn new() -> Clock {
        let watch = crate::sys::clock::Stopwatch::calibrate();
        let now_ms = crate::sys::clock::wall_ms();
        Clock { now_ms, watch, ticks: watch.ticks(), started_ms: now_ms }
    }
    pub fn refresh(&mut self) {
        self.now_ms = crate::sys::clock::wall_ms();
        self.ticks = self.watch.ticks();
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// State of the command that is running, and of the unit it belongs to.
#[derive(Debug, Default)]
pub struct Exec {
    /// Depth of `call`: 1 for a client's command, 2 inside EXEC.
    pub nesting: u32,
    /// Who listens for consequences; kept up to date by those who start or stop listening.
    pub armed: u8,
    /// The client whose command is being looked at or runs; nobody's between commands.
    pub current: Option<ClientId>,
    /// Writes of the running unit, to be propagated together at its end.
    pub ops: Vec<Op>,
    /// The stream of writes, for tests: nothing consumes it yet.
    pub stream: Option<Vec<Op>>,
    /// Bytes of the buffer that the running command came in; shown as its client's `qbuf`.
    pub query_bytes: usize,
    /// The running command asked not to be logged as slow (its arguments are secret or huge).
    pub skip_slowlog: bool,
    pub random: u64,
    /// Commands that share their time.
    pub brief: account::Brief,
    /// A parked client's command runs again: watchers have seen it already.
    pub again: bool,
}

impl Exec {
    /// A random number: for sampling and coins, and nothing that secrets may depend on.
    pub fn draw(&mut self) -> u64 {
        // xorshift64: they need no more.
        let r = &mut self.random;
        *r ^= *r << 13;
        *r ^= *r >> 7;
        *r ^= *r << 17;
        *r
    }
}

/// What the memory checks need on every write.
#[derive(Default)]
pub struct Memory {
    /// Counters of the reactor and of the helper thread: nobody else allocates for long.
    pub counters: Vec<ThreadCounters>,
    /// Allocated bytes of the process minus the sum of the counters, at start.
    pub base: u64,
    pub at_start: u64,
    pub peak: u64,
    /// What INFO shows as used: read before the reply takes memory itself.
    pub shown: u64,
    /// The allocator's figures and the resident set when INFO last asked for them.
    pub stats: crate::sys::mem::AllocStats,
    pub rss: u64,
}

impl Memory {
    /// Starts counting from what is allocated now.
    pub fn start(counters: Vec<ThreadCounters>) -> Memory {
        let mut memory = Memory { counters, ..Memory::default() };
        memory.refresh();
        memory.base = memory.stats.allocated.wrapping_sub(memory.used());
        memory.at_start = memory.used();
        memory.peak = memory.at_start;
        memory
    }

    /// Bytes allocated now: four loads, exact.
    #[inline]
    pub fn used(&self) -> u64 {
        self.counters.iter().fold(self.base, |sum, c| sum.wrapping_add(c.net()))
    }

    /// Asks the allocator for its figures. Not for the reactor's regular work: it can take
    /// milliseconds while the allocator gives pages back.
    pub fn refresh(&mut self) {
        self.shown = self.used();
        self.stats = crate::sys::mem::alloc_stats();
        self.rss = crate::sys::mem::rss();
        self.peak = self.peak.max(self.shown);
    }
}

/// What a server handler gets: the parts of a data command, plus who is asking.
pub struct Call<'a> {
    pub client: ClientId,
    pub row: &'static table::Row,
    pub argv: Argv<'a>,
    pub reply: &'a mut Reply,
    pub fx: Effects,
    pub env: Env,
}

#[cfg(test)]
mod tests;
