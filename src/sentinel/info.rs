//! What INFO says: its text taken apart, and what follows from it.

use super::monitor::send_follow;
use super::state::{Address, Kind, Ms, Primary, Reconf, Role, Stage, Who};
use super::turn::{Action, Home, Level, Turn};
use crate::util::num;

/// The longest a run ID is.
const RUN_ID: usize = 40;

/// What an INFO text says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub run_id: Option<Vec<u8>>,
    pub role: Option<Role>,
    /// Where the replicas of a primary listen.
    pub replicas: Vec<(Vec<u8>, i64)>,
    pub link_down_ms: Ms,
    pub primary_host: Option<Vec<u8>>,
    pub primary_port: Option<i64>,
    pub link_up: Option<bool>,
    pub priority: Option<i64>,
    pub offset: Option<u64>,
    pub announced: Option<bool>,
}

impl Report {
    /// Any text will do; lines that mean nothing are skipped. O(text).
    pub(crate) fn read(text: &[u8]) -> Report {
        let mut report = Report::default();
        for line in text.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            report.take(&line[..colon], &line[colon + 1..]);
        }
        report
    }

    fn take(&mut self, field: &[u8], value: &[u8]) {
        let number = || i64::from(num::parse_i32_prefix(value));
        match field {
            b"run_id" if value.len() >= RUN_ID => self.run_id = Some(value[..RUN_ID].to_vec()),
            b"role" if value.starts_with(b"master") => self.role = Some(Role::Primary),
            b"role" if value.starts_with(b"slave") => self.role = Some(Role::Replica),
            b"master_link_down_since_seconds" => self.link_down_ms = number() * 1000,
            [b's', b'l', b'a', b'v', b'e', b'0'..=b'9', ..] => self.replicas.extend(place(value)),
            // A primary that was a replica once may still tell of that time.
            _ if self.role != Some(Role::Replica) => {}
            b"master_host" => self.primary_host = Some(value.to_vec()),
            b"master_port" => self.primary_port = Some(number()),
            b"master_link_status" => self.link_up = Some(value.eq_ignore_ascii_case(b"up")),
            b"slave_priority" => self.priority = Some(number()),
            b"slave_repl_offset" => self.offset = num::parse_u64(value),
            b"replica_announced" => self.announced = Some(number() != 0),
            _ => {}
        }
    }
}

/// `ip=1.2.3.4,port=6379,...`, or `1.2.3.4,6379,...` of very old servers.
fn place(value: &[u8]) -> Option<(Vec<u8>, i64)> {
    let fields: Vec<&[u8]> = value.split(|b| *b == b',').collect();
    let named = |name: &[u8]| fields.iter().find_map(|field| field.strip_prefix(name));
    let (host, port) = match named(b"ip=") {
        Some(host) => (host, named(b"port=")?),
        None if fields.len() > 2 => (fields[0], fields[1]),
        None => return None,
    };
    Some((host.to_vec(), i64::from(num::parse_i32_prefix(port))))
}

impl Primary {
    /// The INFO of the primary or of a replica has come.
    pub(crate) fn on_info(&mut self, t: &mut Turn<'_>, who: &Who, text: &[u8]) {
        let report = Report::read(text);
        match who.kind {
            Kind::Primary => self.on_primary_info(t, report, text),
            Kind::Replica => self.on_replica_info(t, &who.key, report, text),
            Kind::Peer => {}
        }
    }

    fn on_primary_info(&mut self, t: &mut Turn<'_>, report: Report, text: &[u8]) {
        self.base.info = Some(text.to_vec());
        self.base.info_ms = t.now;
        if let Some(run_id) = report.run_id {
            let old = self.base.run_id.replace(run_id);
            if old.is_some() && old != self.base.run_id {
                self.event(t, Level::Notice, "+reboot", "");
                if self.group.reboot_down_after_ms != 0 {
                    self.rebooted_ms = Some(t.now);
                }
            }
        }
        for (host, port) in report.replicas {
            if self.has_replica(t, &host, port) {
                continue;
            }
            if let Ok(key) = self.add_replica(t, &host, port) {
                let base = &self.replicas[&key].base;
                t.event(Level::Notice, "+slave", base, self.home(), "");
                t.save();
            }
        }
        // One that has become a replica counts as down after a while, and is replaced then.
        if report.role != self.base.role {
            (self.base.role, self.base.role_ms) = (report.role, t.now);
            let (name, more) = role_change(Role::Primary, report.role);
            self.event(t, Level::Verbose, name, &more);
        }
    }

    fn on_replica_info(&mut self, t: &mut Turn<'_>, key: &[u8], report: Report, text: &[u8]) {
        let home = Home { group: &self.group, address: &self.base.address };
        let Some(replica) = self.replicas.get_mut(key) else { return };
        replica.base.info = Some(text.to_vec());
        replica.base.info_ms = t.now;
        replica.link_down_ms = report.link_down_ms;
        if let Some(run_id) = report.run_id {
            let old = replica.base.run_id.replace(run_id);
            if old.is_some() && old != replica.base.run_id {
                t.event(Level::Notice, "+reboot", &replica.base, home, "");
            }
        }
        if let Some(host) = report.primary_host {
            let same = |old: &Vec<u8>| old.eq_ignore_ascii_case(&host);
            if !replica.primary_host.as_ref().is_some_and(same) {
                replica.primary_host = Some(host);
                replica.conf_changed_ms = t.now;
            }
        }
        if let Some(port) = report.primary_port.map(|port| u16::try_from(port).unwrap_or(0))
            && port != replica.primary_port
        {
            replica.primary_port = port;
            replica.conf_changed_ms = t.now;
        }
        replica.link_up = report.link_up.unwrap_or(replica.link_up);
        replica.priority = report.priority.unwrap_or(replica.priority);
        replica.offset = report.offset.unwrap_or(replica.offset);
        replica.announced = report.announced.unwrap_or(replica.announced);
        if report.role != replica.base.role {
            (replica.base.role, replica.base.role_ms) = (report.role, t.now);
            if report.role == Some(Role::Replica) {
                replica.conf_changed_ms = t.now;
            }
            let (name, more) = role_change(Role::Replica, report.role);
            t.event(Level::Verbose, name, &replica.base, home, &more);
        }
        if t.own.tilt_ms.is_some() {
            return;
        }
        match report.role {
            Some(Role::Primary) => self.replica_leads(t, key),
            Some(Role::Replica) => {
                self.mend_replica(t, key);
                self.follow_reconf(t, key);
            }
            None => {}
        }
    }

    /// A replica says that it is a primary.
    fn replica_leads(&mut self, t: &mut Turn<'_>, key: &[u8]) {
        let Some(replica) = self.replicas.get(key) else { return };
        if replica.promoted && self.failover.stage == Stage::WaitPromotion {
            let address = replica.base.address.clone();
            // The others take the new address over from the one with the latest epoch.
            self.group.config_epoch = self.failover.epoch;
            self.failover.stage = Stage::ReconfReplicas;
            self.failover.changed_ms = t.now;
            t.save();
            let base = &self.replicas[key].base;
            t.event(Level::Warning, "+promoted-slave", base, self.home(), "");
            if t.own.simulated.crash_after_promotion {
                t.actions.push(Action::Crash);
            }
            self.event(t, Level::Warning, "+failover-state-reconf-slaves", "");
            self.call_reconfig(t, "leader", &self.base.address, &address);
            return self.publish_soon(t);
        }
        // It has been made one by somebody else. There is time for a new configuration to come
        // before it is turned back.
        let wait = t.own.periods.publish * 4;
        if !replica.promoted
            && self.looks_sane(t)
            && replica.base.up_for(wait, t.now)
            && t.now - replica.base.role_ms > wait
            && self.send_to_primary(t, key)
        {
            let base = &self.replicas[key].base;
            t.event(Level::Notice, "+convert-to-slave", base, self.home(), "");
        }
    }

    /// Makes a replica follow the group's primary.
    fn send_to_primary(&self, t: &mut Turn<'_>, key: &[u8]) -> bool {
        let Address { port, .. } = self.base.address;
        let shown = t.own.shown(&self.base.address).to_vec();
        let Some(replica) = self.replicas.get(key) else { return false };
        send_follow(t, &replica.base, &self.group, Some((&shown, port)))
    }

    /// A replica that has long followed somebody else is turned back.
    fn mend_replica(&mut self, t: &mut Turn<'_>, key: &[u8]) {
        let Some(replica) = self.replicas.get(key) else { return };
        let host = replica.primary_host.clone().unwrap_or_default();
        let port = self.base.address.port;
        if replica.primary_port == port && t.is_host(&self.base.address, &host) {
            return;
        }
        let wait = self.group.failover_timeout_ms;
        if self.looks_sane(t)
            && replica.base.up_for(wait, t.now)
            && t.now - replica.conf_changed_ms > wait
            && self.send_to_primary(t, key)
        {
            let base = &self.replicas[key].base;
            t.event(Level::Notice, "+fix-slave-config", base, self.home(), "");
        }
    }

    /// A replica that was told to follow the new primary has come further.
    fn follow_reconf(&mut self, t: &mut Turn<'_>, key: &[u8]) {
        let to = self.promoted().map(|replica| replica.base.address.clone());
        let home = Home { group: &self.group, address: &self.base.address };
        let Some(replica) = self.replicas.get_mut(key) else { return };
        if replica.reconf == Reconf::Sent
            && let (Some(to), Some(host)) = (to, &replica.primary_host)
            && replica.primary_port == to.port
            && t.is_host(&to, host)
        {
            replica.reconf = Reconf::InProgress;
            t.event(Level::Notice, "+slave-reconf-inprog", &replica.base, home, "");
        }
        if replica.reconf == Reconf::InProgress && replica.link_up {
            replica.reconf = Reconf::Done;
            t.event(Level::Notice, "+slave-reconf-done", &replica.base, home, "");
        }
    }
}

fn role_change(ours: Role, reported: Option<Role>) -> (&'static str, String) {
    let name = if reported == Some(ours) { "+role-change" } else { "-role-change" };
    let word = if reported == Some(Role::Primary) { "master" } else { "slave" };
    (name, format!(" new reported role is {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_replica_lines_are_read() {
        let text = b"# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
            slave0:ip=10.0.0.1,port=6380,state=online,offset=1,lag=0\r\n\
            slave1:10.0.0.2,6381,online\r\nslave2:10.0.0.3\r\nslave3:ip=1.1.1.1\r\n\
            slave_x:ip=1.1.1.1,port=1\r\nmaster_host:nobody\r\n";
        let report = Report::read(text);
        let places = [(b"10.0.0.1".to_vec(), 6380), (b"10.0.0.2".to_vec(), 6381)];
        assert_eq!(report.replicas, places);
        assert_eq!((report.role, report.primary_host), (Some(Role::Primary), None));
    }

    #[test]
    fn a_replica_tells_of_its_link() {
        let id = "0123456789012345678901234567890123456789";
        let text = format!(
            "run_id:{id}\r\nrole:slave\r\nmaster_host:h\r\nmaster_port:7\r\n\
             master_link_status:up\r\nmaster_link_down_since_seconds:3\r\n\
             slave_repl_offset:18446744073709551615\r\nslave_priority:0\r\nreplica_announced:0\r\n"
        );
        let report = Report::read(text.as_bytes());
        assert_eq!(report.run_id.as_deref(), Some(id.as_bytes()));
        assert_eq!(report.role, Some(Role::Replica));
        assert_eq!(report.primary_host.as_deref(), Some(&b"h"[..]));
        assert_eq!((report.primary_port, report.link_up), (Some(7), Some(true)));
        assert_eq!((report.link_down_ms, report.priority), (3000, Some(0)));
        assert_eq!((report.offset, report.announced), (Some(u64::MAX), Some(false)));
    }
}
