//! What the server is made of: parts side by side that never point at each other.
//!
//! This is the lowest floor of `server`. It holds state and the methods of each part on itself;
//! joining parts is the work of the floors above.

pub(super) mod aof;
pub(super) mod audit;
pub(super) mod bio;
pub(super) mod child;
pub(super) mod clock;
pub(super) mod cron;
pub(super) mod eviction;
pub(super) mod exec;
pub(super) mod expiry;
pub(super) mod fuzz;
pub(super) mod hotkeys;
pub(super) mod identity;
pub(super) mod links;
pub(super) mod loading;
pub(super) mod memory;
pub(super) mod metrics;
pub(super) mod net;
pub(super) mod pause;
pub(super) mod rdb;
pub(super) mod repl;
pub(super) mod running;
pub(super) mod script;
pub(super) mod sentinel;
pub(super) mod shutdown;
pub(super) mod stream;
pub(super) mod survey;
pub(super) mod switches;
pub(super) mod syncer;
pub(super) mod table;
pub(super) mod tls;
pub(super) mod writer;

use crate::acl::Acl;
use crate::blocked::Blocked;
use crate::commands::CmdResult;
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::keyspace::effects::Effects;
use crate::keyspace::env::Env;
use crate::keyspace::lazyfree::Lazyfree;
use crate::keyspace::limits::Limits;
use crate::latency::Latency;
use crate::net::clients::{ClientId, Clients};
use crate::pubsub::PubSub;
use crate::resp::argv::Argv;
use crate::resp::reply::Reply;
use crate::server::parts::aof::Aof;
use crate::server::parts::audit::Audit;
use crate::server::parts::bio::Bio;
use crate::server::parts::child::Child;
use crate::server::parts::clock::Clock;
use crate::server::parts::cron::Cron;
use crate::server::parts::eviction::Pool;
use crate::server::parts::exec::Exec;
use crate::server::parts::expiry::Cycle;
use crate::server::parts::hotkeys::Session;
use crate::server::parts::identity::Identity;
use crate::server::parts::links::Links;
use crate::server::parts::loading::Loading;
use crate::server::parts::memory::Memory;
use crate::server::parts::metrics::{Format, Metrics};
use crate::server::parts::net::Net;
use crate::server::parts::pause::Pause;
use crate::server::parts::rdb::RdbJobs;
use crate::server::parts::repl::Repl;
use crate::server::parts::script::Scripting;
use crate::server::parts::sentinel::Watching;
use crate::server::parts::shutdown::Shutdown;
use crate::server::parts::stream::Stream;
use crate::server::parts::survey::Survey;
use crate::server::parts::switches::Switches;
use crate::server::parts::syncer::Syncer;
use crate::server::parts::tls::Tls;
use crate::server::parts::writer::Writer;
use crate::slowlog::{Large, Slowlog};
use crate::stats::Stats;
use crate::sys::watchdog::Watchdog;
use crate::tracking::Tracking;
use crate::watch::Watch;

/// The process. Fields are parts that never point at each other.
pub(crate) struct Server {
    pub cfg: Config,
    pub acl: Acl,
    pub audit: Audit,
    pub clock: Clock,
    pub ks: Keyspace,
    pub limits: Limits,
    pub lazyfree: Lazyfree,
    pub clients: Clients,
    pub exec: Exec,
    pub blocked: Blocked,
    pub watch: Watch,
    pub pubsub: PubSub,
    pub tracking: Tracking,
    pub rdb: RdbJobs,
    pub repl: Repl,
    pub aof: Aof,
    pub child: Option<Child>,
    pub cron: Cron,
    pub bio: Bio,
    pub syncer: Syncer,
    pub writer: Writer,
    pub net: Net,
    pub pause: Pause,
    pub stream: Stream,
    pub tls: Tls,
    pub script: Scripting,
    /// This is a Sentinel, and holds no data.
    pub sentinel: Option<Box<Watching>>,
    pub stats: Stats,
    pub slowlog: Slowlog,
    pub large: Large,
    pub latency: Latency,
    /// The running session of HOTKEYS, or the one that has ended.
    pub hotkeys: Option<Box<Session>>,
    pub survey: Survey,
    pub loading: Option<Loading>,
    pub memory: Memory,
    pub metrics: Metrics,
    pub render: Render,
    pub eviction: Pool,
    pub expiry: Cycle,
    pub shutdown: Shutdown,
    pub identity: Identity,
    pub migrate: Links,
    pub debug: Switches,
    pub watchdog: Watchdog,
    pub table: &'static Table,
}

/// What a server handler gets: the parts of a data command, plus who is asking.
pub(crate) struct Call<'a> {
    pub client: ClientId,
    pub row: &'static Row,
    pub argv: Argv<'a>,
    pub reply: &'a mut Reply,
    pub fx: Effects,
    pub env: Env,
}

/// A command that sees the whole server.
pub(super) type ServerHandler = fn(&mut Server, &mut Call<'_>) -> CmdResult;
/// Its name and what runs it, as the files of `admin` list them.
pub(super) type ServerRow = (&'static str, ServerHandler);
/// What writes all metrics. It is handed in, since it knows all parts.
pub(super) type Render = fn(&mut Server, Format, &mut Vec<u8>);
/// A command of the table. The table itself knows nothing of what its handlers see.
pub(super) type Row = table::Row<ServerHandler>;
pub(super) type Table = table::Table<ServerHandler>;
