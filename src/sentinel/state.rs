//! What a Sentinel knows: the groups that it watches, their instances, and the links to them.
//!
//! ```text
//! Primary   a group under its name: the primary, its replicas, the other Sentinels of the group
//! Instance  what is known of each of them alike
//! Link      the connections to one process. Sentinels that share several groups share one.
//! ```
//! Times are milliseconds of the wall clock, 0 for never. Replicas are found by `address:port`,
//! Sentinels by their run ID.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

/// Milliseconds since 1970.
pub(crate) type Ms = i64;

/// What an instance is to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Primary,
    Replica,
    /// Another Sentinel that watches the group.
    Peer,
}

impl Kind {
    /// The word for it in events.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Primary => "master",
            Kind::Replica => "slave",
            Kind::Peer => "sentinel",
        }
    }
}

/// The role that a server says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica,
}

/// Where an instance listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As it was given: a name or an address.
    pub host: Vec<u8>,
    /// The address; empty while a name can't be resolved.
    pub ip: Vec<u8>,
    /// 0: it is not known where.
    pub port: u16,
}

impl Address {
    /// Whether both are the same place. Names that could not be resolved are compared as names.
    pub(crate) fn is(&self, other: &Address) -> bool {
        self.port == other.port
            && (self.ip == other.ip || self.host.eq_ignore_ascii_case(&other.host))
    }
}

/// Which instance something is about; it stays the same while the instance is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// No other instance ever has it.
    pub number: u64,
    pub group: Vec<u8>,
    pub kind: Kind,
    /// Its place in the group; the group's name for the primary.
    pub key: Vec<u8>,
}

/// What is known of every instance.
#[derive(Debug)]
pub(crate) struct Instance {
    pub who: Rc<Who>,
    pub run_id: Option<Vec<u8>>,
    pub address: Address,
    pub link: u64,
    /// It does not answer, as we see it.
    pub s_down: bool,
    /// When that was last found.
    pub s_down_ms: Ms,
    pub down_after_ms: Ms,
    /// When it last took a hello of ours.
    pub published_ms: Ms,
    /// When INFO last came, and its text.
    pub info_ms: Ms,
    pub info: Option<Vec<u8>>,
    /// None: its INFO names none.
    pub role: Option<Role>,
    pub role_ms: Ms,
    /// It is busy with a script, and we have asked it to end it.
    pub kill_sent: bool,
}

impl Instance {
    pub(crate) fn kind(&self) -> Kind {
        self.who.kind
    }
    /// The name that events and replies show.
    pub(crate) fn name(&self) -> &[u8] {
        &self.who.key
    }
    /// Whether it has been reachable for so long.
    pub(crate) fn up_for(&self, ms: Ms, now: Ms) -> bool {
        self.s_down_ms == 0 || now - self.s_down_ms > ms
    }
}

/// How far a replica is on its way to a new primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reconf {
    #[default]
    None,
    /// It has been told.
    Sent,
    /// It follows the new primary, but its link is not up yet.
    InProgress,
    Done,
}

#[derive(Debug)]
pub(crate) struct Replica {
    pub base: Instance,
    /// How long its link to the primary has been down, in milliseconds.
    pub link_down_ms: Ms,
    pub link_up: bool,
    /// Lower is better; 0: never promote it.
    pub priority: i64,
    /// Whether it wants to be shown.
    pub announced: bool,
    pub primary_host: Option<Vec<u8>>,
    pub primary_port: u16,
    pub offset: u64,
    /// When the primary that it follows last changed.
    pub conf_changed_ms: Ms,
    /// It is to become the primary.
    pub promoted: bool,
    pub reconf: Reconf,
    pub reconf_sent_ms: Ms,
}

/// Another Sentinel.
#[derive(Debug)]
pub(crate) struct Peer {
    pub base: Instance,
    /// When its last hello came.
    pub hello_ms: Ms,
    /// When it last said whether the primary is down.
    pub answered_ms: Ms,
    /// It says that the primary is down.
    pub says_down: bool,
    /// For whom it has voted, and in which epoch.
    pub leader: Option<Vec<u8>>,
    pub leader_epoch: u64,
}

/// Where a failover is. The order is that in which they follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    #[default]
    None,
    /// Until we are elected.
    WaitStart,
    SelectReplica,
    /// The replica is told to become the primary.
    SendPromotion,
    WaitPromotion,
    /// The other replicas are told to follow it.
    ReconfReplicas,
    /// The group's address changes at the end of the round.
    UpdateConfig,
}

impl Stage {
    /// The word for it in replies.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Stage::None => "none",
            Stage::WaitStart => "wait_start",
            Stage::SelectReplica => "select_slave",
            Stage::SendPromotion => "send_slaveof_noone",
            Stage::WaitPromotion => "wait_promotion",
            Stage::ReconfReplicas => "reconf_slaves",
            Stage::UpdateConfig => "update_config",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Failover {
    pub stage: Stage,
    pub epoch: u64,
    pub changed_ms: Ms,
    /// When the last one began, or when we voted for another Sentinel; a little later, so that not
    /// all begin at once.
    pub started_ms: Ms,
    /// For which of these times the log says that the next one has to wait.
    pub delay_logged_ms: Ms,
    /// The key of the replica that is to be the primary.
    pub promoted: Option<Vec<u8>>,
    /// An operator asked for it: no election.
    pub forced: bool,
}

impl Failover {
    pub(crate) fn in_progress(&self) -> bool {
        self.stage != Stage::None
    }
}

/// The settings of a group, and what else is the same for all its instances.
#[derive(Debug)]
pub(crate) struct Group {
    pub name: Vec<u8>,
    pub quorum: u32,
    pub parallel_syncs: i64,
    pub failover_timeout_ms: Ms,
    /// How long a primary that has restarted is given to answer PING; 0: no rule.
    pub reboot_down_after_ms: Ms,
    pub notification_script: Option<Vec<u8>>,
    pub reconfig_script: Option<Vec<u8>>,
    pub auth_user: Option<Vec<u8>>,
    pub auth_pass: Option<Vec<u8>>,
    /// Commands that go by another name there, in lower case.
    pub renamed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The epoch in which the primary became that.
    pub config_epoch: u64,
}

impl Group {
    /// The name by which the instances know a command.
    pub(crate) fn command(&self, name: &str) -> Vec<u8> {
        let renamed = self.renamed.get(name.to_ascii_lowercase().as_bytes());
        renamed.cloned().unwrap_or_else(|| name.into())
    }
}

/// A group.
#[derive(Debug)]
pub(crate) struct Primary {
    pub group: Group,
    pub base: Instance,
    pub replicas: BTreeMap<Vec<u8>, Replica>,
    pub peers: BTreeMap<Vec<u8>, Peer>,
    /// Enough Sentinels say that it is down.
    pub o_down: bool,
    pub o_down_ms: Ms,
    /// When it was found to have restarted, until it answers PING.
    pub rebooted_ms: Option<Ms>,
    pub failover: Failover,
    /// For whom we have voted, and in which epoch.
    pub leader: Option<Vec<u8>>,
    pub leader_epoch: u64,
}

impl Primary {
    /// The address that clients are told: that of the new primary once it has taken over.
    pub(crate) fn current_address(&self) -> &Address {
        match self.promoted() {
            Some(replica) if self.failover.stage >= Stage::ReconfReplicas => &replica.base.address,
            _ => &self.base.address,
        }
    }
    /// The replica that is to be the primary.
    pub(crate) fn promoted(&self) -> Option<&Replica> {
        self.replicas.get(self.failover.promoted.as_ref()?)
    }
    pub(crate) fn set_down_after(&mut self, ms: Ms) {
        self.base.down_after_ms = ms;
        let peers = self.peers.values_mut().map(|peer| &mut peer.base);
        for base in self.replicas.values_mut().map(|replica| &mut replica.base).chain(peers) {
            base.down_after_ms = ms;
        }
    }
}

/// What a reply on a link's connection for commands is for.
#[derive(Debug)]
pub(crate) struct Expected {
    /// None: of no concern any more.
    pub who: Option<Rc<Who>>,
    pub what: Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Ping,
    Info,
    Publish,
    /// Whether the primary is down, and a vote.
    Ask,
    /// What counts is what it does, not what it says.
    Other,
}

/// The connection for commands.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    pub since_ms: Ms,
    /// The replies that are still to come, in order.
    pub expected: VecDeque<Expected>,
    /// Our address on it, once it is known.
    pub local: Option<Vec<u8>>,
}

/// The connection that listens to the channel of hellos.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    pub since_ms: Ms,
    pub active_ms: Ms,
    /// Replies to what is sent before SUBSCRIBE that have not come.
    pub greeting: usize,
}

/// The connections to one process.
#[derive(Debug)]
pub(crate) struct Link {
    /// Instances that share it.
    pub shared_by: usize,
    pub commands: Option<Commands>,
    pub listening: Option<Listening>,
    /// When the last answer to PING came that says it is well.
    pub well_ms: Ms,
    /// When the first PING was sent that has no such answer yet; 0: all have one.
    pub unanswered_ms: Ms,
    pub pinged_ms: Ms,
    /// When it last answered PING in any way.
    pub answered_ms: Ms,
    pub tried_ms: Ms,
}

impl Link {
    pub(crate) fn new(now: Ms) -> Link {
        Link {
            shared_by: 1,
            commands: None,
            listening: None,
            well_ms: now,
            // As if one had been sent: a process that can't be reached at all is down after a
            // while as well.
            unanswered_ms: now,
            pinged_ms: 0,
            answered_ms: now,
            tried_ms: 0,
        }
    }
    /// Whether a connection is missing that an instance of this kind needs.
    pub(crate) fn is_disconnected(&self, kind: Kind) -> bool {
        self.commands.is_none() || kind != Kind::Peer && self.listening.is_none()
    }
    /// Commands whose replies have not come.
    pub(crate) fn pending(&self) -> usize {
        self.commands.as_ref().map_or(0, |commands| commands.expected.len())
    }
}

/// All links, by number. A number is never used again.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_number: HashMap<u64, Link>,
    next: u64,
}

impl Links {
    /// A number for a link or an instance.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
    pub(crate) fn add(&mut self, now: Ms) -> u64 {
        let number = self.number();
        self.by_number.insert(number, Link::new(now));
        number
    }
    pub(crate) fn get(&self, number: u64) -> Option<&Link> {
        self.by_number.get(&number)
    }
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Link> {
        self.by_number.get_mut(&number)
    }
    /// One instance less needs it; true when it was the last one, and the link is no more.
    pub(crate) fn release(&mut self, number: u64) -> bool {
        let Some(link) = self.by_number.get_mut(&number) else { return false };
        link.shared_by -= 1;
        let last = link.shared_by == 0;
        if last {
            self.by_number.remove(&number);
        }
        last
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }
}

/// How often things are done and how long they may take, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Periods {
    pub info: Ms,
    pub ping: Ms,
    pub ask: Ms,
    pub publish: Ms,
    pub default_down_after: Ms,
    pub default_failover_timeout: Ms,
    /// A longer pause between two rounds means that something is wrong with the clock or with us.
    pub tilt_trigger: Ms,
    pub tilt: Ms,
    pub reconf_timeout: Ms,
    pub min_reconnect: Ms,
    pub election_timeout: Ms,
    pub script_max_runtime: Ms,
    pub script_retry_delay: Ms,
}

impl Default for Periods {
    fn default() -> Periods {
        Periods {
            info: 10_000,
            ping: 1000,
            ask: 1000,
            publish: 2000,
            default_down_after: 30_000,
            default_failover_timeout: 180_000,
            tilt_trigger: 2000,
            tilt: 30_000,
            reconf_timeout: 10_000,
            min_reconnect: 15_000,
            election_timeout: 10_000,
            script_max_runtime: 60_000,
            script_retry_delay: 30_000,
        }
    }
}

impl Periods {
    /// All of them by name, in the order in which SENTINEL DEBUG shows them.
    pub(crate) fn named(&mut self) -> [(&'static str, &mut Ms); 13] {
        [
            ("info-period", &mut self.info),
            ("ping-period", &mut self.ping),
            ("ask-period", &mut self.ask),
            ("publish-period", &mut self.publish),
            ("default-down-after", &mut self.default_down_after),
            ("default-failover-timeout", &mut self.default_failover_timeout),
            ("tilt-trigger", &mut self.tilt_trigger),
            ("tilt-period", &mut self.tilt),
            ("slave-reconf-timeout", &mut self.reconf_timeout),
            ("min-link-reconnect-period", &mut self.min_reconnect),
            ("election-timeout", &mut self.election_timeout),
            ("script-max-runtime", &mut self.script_max_runtime),
            ("script-retry-delay", &mut self.script_retry_delay),
        ]
    }
}

/// At which moments it ends itself, to see what the others make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simulated {
    pub crash_after_election: bool,
    pub crash_after_promotion: bool,
}

/// What is about this Sentinel itself.
#[derive(Debug)]
pub(crate) struct Own {
    /// 40 characters; the same over restarts.
    pub id: Vec<u8>,
    pub epoch: u64,
    pub periods: Periods,
    /// Since when it only watches, since time went wrong.
    pub tilt_ms: Option<Ms>,
    /// When the last round was.
    pub round_ms: Ms,
    /// What other Sentinels are told; None: the address of the connection.
    pub announce_ip: Option<Vec<u8>>,
    /// 0: the port on which we listen.
    pub announce_port: u16,
    pub listening_port: u16,
    pub deny_scripts_reconfig: bool,
    /// How we log in to other Sentinels.
    pub user: Option<Vec<u8>>,
    pub pass: Option<Vec<u8>>,
    /// Our own password: that of the others as well, unless `pass` is set.
    pub requirepass: Option<Vec<u8>>,
    pub resolve_hostnames: bool,
    pub announce_hostnames: bool,
    pub simulated: Simulated,
}

impl Own {
    pub(crate) fn new(now: Ms) -> Own {
        Own {
            id: Vec::new(),
            epoch: 0,
            periods: Periods::default(),
            tilt_ms: None,
            round_ms: now,
            announce_ip: None,
            announce_port: 0,
            listening_port: 0,
            deny_scripts_reconfig: true,
            user: None,
            pass: None,
            requirepass: None,
            resolve_hostnames: false,
            announce_hostnames: false,
            simulated: Simulated::default(),
        }
    }
    /// What is shown of an address.
    pub(crate) fn shown<'a>(&self, address: &'a Address) -> &'a [u8] {
        if self.announce_hostnames { &address.host } else { &address.ip }
    }
    /// `address:port`, with brackets around one that has colons.
    pub(crate) fn place(&self, address: &Address) -> Vec<u8> {
        let shown = self.shown(address);
        let port = address.port.to_string();
        match shown.contains(&b':') {
            true => [b"[", shown, b"]:", port.as_bytes()].concat(),
            false => [shown, b":", port.as_bytes()].concat(),
        }
    }
}
