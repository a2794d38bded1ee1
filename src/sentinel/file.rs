//! Sentinel's directives: how they are read, and how they are written with the state in them.
//!
//! The file is the memory of a Sentinel: its ID, the epochs, its votes, and all instances that it
//! has found stand in it, so that it goes on after a restart. Settings of the Sentinel itself are
//! read first and the groups next, wherever their lines stand.

use super::Sentinel;
use super::state::{Kind, Ms, Primary};
use super::turn::{Resolve, Turn};
use crate::sys::process;
use crate::util::num;
use crate::util::split::{needs_repr, repr};

const FIRST: &[&[u8]] = &[
    b"announce-ip",
    b"announce-port",
    b"deny-scripts-reconfig",
    b"sentinel-user",
    b"sentinel-pass",
    b"current-epoch",
    b"myid",
    b"resolve-hostnames",
    b"announce-hostnames",
];

const ID_LEN: usize = 40;

type Fault = &'static str;

const NO_GROUP: Fault = "No such master with specified name.";
const NOT_POSITIVE: Fault = "negative or zero time parameter.";

/// When a line is read: settings of the Sentinel, then groups, then what belongs to them.
fn rank(line: &[Vec<u8>]) -> u8 {
    match line.first().map(|word| word.to_ascii_lowercase()) {
        Some(word) if FIRST.contains(&&word[..]) => 0,
        Some(word) if word == b"monitor" => 1,
        _ => 2,
    }
}

/// The value of a switch, in any case.
pub(crate) fn yes_no(word: &[u8]) -> Option<bool> {
    match word.to_ascii_lowercase().as_slice() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

fn some(word: &[u8]) -> Option<Vec<u8>> {
    (!word.is_empty()).then(|| word.to_vec())
}

fn number(word: &[u8]) -> i64 {
    num::leading_number(word).0
}

/// A time in milliseconds, which is not 0.
fn time(word: &[u8]) -> Result<Ms, Fault> {
    match number(word) {
        ..=0 => Err(NOT_POSITIVE),
        ms => Ok(ms),
    }
}

impl Sentinel {
    /// Reads the directives `lines`, each without the word `sentinel`. The error: which line, and
    /// what is wrong with it.
    pub(crate) fn load(
        &mut self,
        lines: &[&[Vec<u8>]],
        now: Ms,
        resolve: Resolve<'_>,
    ) -> Result<(), (usize, Fault)> {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|i| rank(lines[*i]));
        for i in order {
            let words: Vec<&[u8]> = lines[i].iter().map(Vec::as_slice).collect();
            self.directive(&words, now, resolve).map_err(|fault| (i, fault))?;
        }
        Ok(())
    }

    fn directive(&mut self, words: &[&[u8]], now: Ms, resolve: Resolve<'_>) -> Result<(), Fault> {
        let Some((name, rest)) = words.split_first() else { return Ok(()) };
        let name = name.to_ascii_lowercase();
        if let [value] = rest
            && self.own_directive(&name, value)?
        {
            return Ok(());
        }
        if let (b"monitor", [group, host, port, quorum]) = (&name[..], rest) {
            let quorum = u32::try_from(number(quorum)).unwrap_or(0);
            if quorum == 0 {
                return Err("Quorum must be 1 or greater.");
            }
            let added = self.monitor(group, host, number(port), quorum, now, resolve);
            return added.map_err(|e| e.text(Kind::Primary));
        }
        let Some((group, rest)) = rest.split_first() else { return Err(UNKNOWN) };
        if !is_known(&name, rest.len()) {
            return Err(UNKNOWN);
        }
        let shared = name == b"known-sentinel" && rest.len() == 3;
        let (primaries, mut t) = self.turn(now, resolve);
        let primary = primaries.get_mut(*group).ok_or(NO_GROUP)?;
        group_directive(&mut t, primary, &name, rest)?;
        if shared {
            self.share_link(group, rest[2]);
        }
        Ok(())
    }

    /// Takes a directive about the Sentinel itself; whether it is one.
    fn own_directive(&mut self, name: &[u8], value: &[u8]) -> Result<bool, Fault> {
        let own = &mut self.own;
        match name {
            b"myid" if value.len() != ID_LEN => {
                return Err("Malformed Sentinel id in myid option.");
            }
            b"myid" => own.id = value.to_vec(),
            b"current-epoch" => own.epoch = own.epoch.max(num::parse_u64(value).unwrap_or(0)),
            b"announce-ip" => own.announce_ip = some(value).or(own.announce_ip.take()),
            b"announce-port" => own.announce_port = u16::try_from(number(value)).unwrap_or(0),
            b"sentinel-user" => own.user = some(value).or(own.user.take()),
            b"sentinel-pass" => own.pass = some(value).or(own.pass.take()),
            b"deny-scripts-reconfig" => {
                own.deny_scripts_reconfig = yes_no(value)
                    .ok_or("Please specify yes or no for the deny-scripts-reconfig options.")?;
            }
            b"resolve-hostnames" => {
                own.resolve_hostnames = yes_no(value)
                    .ok_or("Please specify yes or no for the resolve-hostnames option.")?;
            }
            b"announce-hostnames" => {
                own.announce_hostnames = yes_no(value)
                    .ok_or("Please specify yes or no for the announce-hostnames option.")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

const UNKNOWN: Fault = "Unrecognized sentinel configuration statement.";

/// Whether there is such a directive of a group, with so many words after the group's name.
fn is_known(name: &[u8], rest: usize) -> bool {
    match name {
        b"down-after-milliseconds"
        | b"failover-timeout"
        | b"parallel-syncs"
        | b"notification-script"
        | b"client-reconfig-script"
        | b"auth-pass"
        | b"auth-user"
        | b"config-epoch"
        | b"leader-epoch"
        | b"master-reboot-down-after-period"
        | b"primary-reboot-down-after-period" => rest == 1,
        b"known-slave" | b"known-replica" | b"rename-command" => rest == 2,
        b"known-sentinel" => rest == 2 || rest == 3,
        _ => false,
    }
}

fn group_directive(
    t: &mut Turn<'_>,
    primary: &mut Primary,
    name: &[u8],
    rest: &[&[u8]],
) -> Result<(), Fault> {
    let group = &mut primary.group;
    match (name, rest) {
        (b"down-after-milliseconds", [ms]) => primary.set_down_after(time(ms)?),
        (b"failover-timeout", [ms]) => group.failover_timeout_ms = time(ms)?,
        (b"parallel-syncs", [n]) => group.parallel_syncs = number(n),
        (b"notification-script", [path]) => {
            if !process::is_executable(path) {
                return Err("Notification script seems non existing or non executable.");
            }
            group.notification_script = Some(path.to_vec());
        }
        (b"client-reconfig-script", [path]) => {
            if !process::is_executable(path) {
                return Err("Client reconfiguration script seems non existing or non executable.");
            }
            group.reconfig_script = Some(path.to_vec());
        }
        (b"auth-pass", [pass]) => group.auth_pass = Some(pass.to_vec()),
        (b"auth-user", [user]) => group.auth_user = Some(user.to_vec()),
        (b"config-epoch", [epoch]) => {
            group.config_epoch = num::parse_u64(epoch).unwrap_or(0);
            t.own.epoch = t.own.epoch.max(group.config_epoch);
        }
        (b"leader-epoch", [epoch]) => {
            primary.leader_epoch = num::parse_u64(epoch).unwrap_or(0);
        }
        (b"known-slave" | b"known-replica", [host, port]) => {
            let added = primary.add_replica(t, host, number(port));
            added.map_err(|e| e.text(Kind::Replica))?;
        }
        (b"known-sentinel", [host, port, run_id]) => {
            let added = primary.add_peer(t, run_id, host, number(port));
            added.map_err(|e| e.text(Kind::Peer))?;
        }
        (b"rename-command", [old, new]) => {
            let taken = group.renamed.insert(old.to_ascii_lowercase(), new.to_vec());
            if taken.is_some() {
                return Err("Same command renamed multiple times with rename-command.");
            }
        }
        (b"master-reboot-down-after-period" | b"primary-reboot-down-after-period", [ms]) => {
            match number(ms) {
                ..0 => return Err("negative time parameter."),
                ms => group.reboot_down_after_ms = ms,
            }
        }
        // A Sentinel without a run ID, which very old ones wrote.
        _ => {}
    }
    Ok(())
}

/// Lines of the configuration file that begin alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// How they begin: `sentinel <subject>`, or that with a group's name.
    pub key: Vec<u8>,
    pub lines: Vec<Vec<u8>>,
}

/// All subjects of lines about groups, in the order in which new ones are written.
const SUBJECTS: &[&str] = &[
    "monitor",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "notification-script",
    "client-reconfig-script",
    "auth-pass",
    "auth-user",
    "master-reboot-down-after-period",
    "primary-reboot-down-after-period",
    "config-epoch",
    "leader-epoch",
    "known-slave",
    "known-replica",
    "known-sentinel",
    "rename-command",
];

fn word(bytes: &[u8]) -> Vec<u8> {
    // Compat: Redis writes an apostrophe as it is, and can't read it again.
    match bytes.is_empty() || needs_repr(bytes) || bytes.contains(&b'\'') {
        true => repr(bytes),
        false => bytes.to_vec(),
    }
}

impl Sentinel {
    /// What the configuration file must say. Lines that begin as one of the keys says and are not
    /// among these have to go; the longer key counts.
    pub(crate) fn lines(&self) -> Vec<Lines> {
        let own = &self.own;
        let mut all = Vec::new();
        let yes = |on: bool| if on { b"yes".to_vec() } else { b"no".to_vec() };
        let port = own.announce_port.to_string().into_bytes();
        let epoch = own.epoch.to_string().into_bytes();
        for (subject, value) in [
            ("myid", Some(own.id.clone())),
            ("deny-scripts-reconfig", (!own.deny_scripts_reconfig).then(|| yes(false))),
            ("resolve-hostnames", own.resolve_hostnames.then(|| yes(true))),
            ("announce-hostnames", own.announce_hostnames.then(|| yes(true))),
            ("current-epoch", Some(epoch)),
            ("announce-ip", own.announce_ip.clone()),
            ("announce-port", (own.announce_port != 0).then_some(port)),
            ("sentinel-user", own.user.clone()),
            ("sentinel-pass", own.pass.clone()),
        ] {
            let key = ["sentinel ", subject].concat().into_bytes();
            let line = value.map(|value| [&key[..], b" ", &word(&value)].concat());
            all.push(Lines { key, lines: line.into_iter().collect() });
        }
        for primary in self.primaries.values() {
            self.group_lines(primary, &mut all);
        }
        // What stands there of groups that are gone.
        let rest = |subject: &&str| ["sentinel ", subject].concat().into_bytes();
        all.extend(SUBJECTS.iter().map(|s| Lines { key: rest(s), lines: Vec::new() }));
        all
    }

    fn group_lines(&self, primary: &Primary, all: &mut Vec<Lines>) {
        let (own, group, periods) = (&self.own, &primary.group, &self.own.periods);
        let text = |n: i64| n.to_string().into_bytes();
        let one = |value: Vec<u8>| vec![word(&value)];
        let unless = |n: i64, usual: i64| match n == usual {
            true => Vec::new(),
            false => one(text(n)),
        };
        let maybe = |value: &Option<Vec<u8>>| value.iter().map(|value| word(value)).collect();
        let place = |address: &super::state::Address| {
            [&word(own.shown(address))[..], b" ", &text(i64::from(address.port))].concat()
        };
        let now = primary.current_address();
        let replicas = primary.replicas.values().map(|replica| {
            // With a failover under way the old primary takes the place of the new one.
            let address = &replica.base.address;
            place(if address.is(now) { &primary.base.address } else { address })
        });
        let peers = primary
            .peers
            .values()
            .map(|peer| [&place(&peer.base.address)[..], b" ", &word(peer.base.name())].concat());
        let renamed = group.renamed.iter().map(|(old, new)| [word(old), word(new)].join(&b' '));
        let monitor = [&place(now)[..], b" ", &text(i64::from(group.quorum))].concat();
        let values: [(&str, Vec<Vec<u8>>); 14] = [
            ("monitor", vec![monitor]),
            (
                "down-after-milliseconds",
                unless(primary.base.down_after_ms, periods.default_down_after),
            ),
            (
                "failover-timeout",
                unless(group.failover_timeout_ms, periods.default_failover_timeout),
            ),
            ("parallel-syncs", unless(group.parallel_syncs, 1)),
            ("notification-script", maybe(&group.notification_script)),
            ("client-reconfig-script", maybe(&group.reconfig_script)),
            ("auth-pass", maybe(&group.auth_pass)),
            ("auth-user", maybe(&group.auth_user)),
            ("master-reboot-down-after-period", unless(group.reboot_down_after_ms, 0)),
            ("config-epoch", one(group.config_epoch.to_string().into_bytes())),
            ("leader-epoch", one(primary.leader_epoch.to_string().into_bytes())),
            ("known-replica", replicas.collect()),
            ("known-sentinel", peers.collect()),
            ("rename-command", renamed.collect()),
        ];
        for (subject, values) in values {
            let key = [b"sentinel ", subject.as_bytes(), b" ", &group.name].concat();
            let name = word(&group.name);
            let line = |value: Vec<u8>| {
                [b"sentinel ", subject.as_bytes(), b" ", &name, b" ", &value].concat()
            };
            all.push(Lines { key, lines: values.into_iter().map(line).collect() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::split::split_args;

    fn load(text: &str) -> Result<Sentinel, (usize, Fault)> {
        let mut sentinel = Sentinel::new(0, Box::new(|| 1));
        let lines: Vec<Vec<Vec<u8>>> =
            text.lines().map(|line| split_args(line.as_bytes()).expect("words")).collect();
        let lines: Vec<&[Vec<u8>]> = lines.iter().map(Vec::as_slice).collect();
        sentinel.load(&lines, 0, &mut |_| None)?;
        Ok(sentinel)
    }

    fn written(sentinel: &Sentinel) -> Vec<String> {
        let lines = sentinel.lines().into_iter().flat_map(|lines| lines.lines);
        lines.map(|line| String::from_utf8(line).expect("text")).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let id = "a".repeat(40);
        let text = format!(
            "known-replica m 10.0.0.2 6379\nauth-user m \"it's\"\nfailover-timeout m 3000000000\n\
             auth-pass m \"a b\"\nmonitor m 10.0.0.1 6379 2\n\
             known-sentinel m 10.0.0.3 26379 bbbb\nknown-sentinel m 10.0.0.4 26379\n\
             config-epoch m 7\nleader-epoch m 8\ncurrent-epoch 5\nmyid {id}\n\
             rename-command m CONFIG hidden\ndown-after-milliseconds m 1500\n\
             announce-ip 1.2.3.4\nannounce-port 77\nmonitor other 10.0.0.9 1 1\n\
             deny-scripts-reconfig no\nsentinel-user u\nsentinel-pass p"
        );
        let first = load(&text).expect("valid");
        assert_eq!((first.own.epoch, first.own.announce_port), (7, 77));
        assert_eq!(first.primaries[&b"m"[..]].group.command("config"), b"hidden");
        let lines = written(&first);
        assert!(lines.contains(&"sentinel auth-pass m \"a b\"".to_owned()), "{lines:#?}");
        let again: Vec<&str> =
            lines.iter().map(|line| line.strip_prefix("sentinel ").expect("prefix")).collect();
        let second = load(&again.join("\n")).expect("valid");
        assert_eq!(written(&second), lines);
    }

    #[test]
    fn faults_are_named_in_redis_words() {
        let fault = |text: &str| load(text).err().expect("a fault");
        assert_eq!(fault("monitor m 10.0.0.1 1 0"), (0, "Quorum must be 1 or greater."));
        assert_eq!(fault("monitor m 10.0.0.1 70000 1"), (0, "Invalid port number."));
        assert_eq!(fault("monitor m nowhere 1 1"), (0, "Can't resolve instance hostname."));
        let twice = "monitor m 10.0.0.1 1 1\nmonitor m 10.0.0.2 1 1";
        assert_eq!(fault(twice), (1, "Duplicate master name."));
        assert_eq!(fault("parallel-syncs m 1"), (0, NO_GROUP));
        assert_eq!(fault("down-after-milliseconds m 0\nmonitor m 10.0.0.1 1 1"), (0, NOT_POSITIVE));
        assert_eq!(fault("nothing m"), (0, UNKNOWN));
        assert_eq!(fault("monitor m"), (0, UNKNOWN));
        assert_eq!(fault("myid short"), (0, "Malformed Sentinel id in myid option."));
        assert!(load("").expect("empty").primaries.is_empty());
    }
}
