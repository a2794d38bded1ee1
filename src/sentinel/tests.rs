//! Sentinels and servers in one thread, with a clock and a network of their own.
//!
//! A step is 100 ms. What is sent in a step is answered in the next one. A process that has ended
//! refuses connections; one that is cut off lets them open and never answers.

use std::collections::{BTreeMap, BTreeSet};

use super::Sentinel;
use super::state::{Ms, Stage};
use super::turn::{Action, Channel};
use crate::resp::value::Value;
use crate::util::rand::generator;

const GROUP: &[u8] = b"m";
const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// A server, as far as Sentinels can tell.
struct Server {
    up: bool,
    run_id: u32,
    /// Which server it follows.
    follows: Option<usize>,
    priority: i64,
    offset: u64,
    queued: Option<Vec<Vec<Vec<u8>>>>,
}

struct Connection {
    /// The place of the other side: a server, or a Sentinel.
    to: Place,
    subscribed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Server(usize),
    Sentinel(usize),
}

type ConnId = (usize, u64, Channel);

impl PartialOrd for Channel {
    fn partial_cmp(&self, other: &Channel) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Channel {
    fn cmp(&self, other: &Channel) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

struct World {
    now: Ms,
    sentinels: Vec<Option<Sentinel>>,
    servers: Vec<Server>,
    connections: BTreeMap<ConnId, Connection>,
    /// Pairs of places between which nothing gets through.
    cut: BTreeSet<(Place, Place)>,
    arriving: Vec<(ConnId, Value)>,
    lost: Vec<ConnId>,
    /// When, which Sentinel, event, text.
    events: Vec<(Ms, usize, &'static str, String)>,
    run_ids: u32,
}

fn ip(place: Place) -> String {
    match place {
        Place::Server(i) => format!("10.0.0.{i}"),
        Place::Sentinel(i) => format!("10.0.1.{i}"),
    }
}

fn place(ip: &[u8], port: u16) -> Option<Place> {
    let text = std::str::from_utf8(ip).ok()?;
    let i = text.rsplit('.').next()?.parse().ok()?;
    match port {
        SERVER_PORT => Some(Place::Server(i)),
        SENTINEL_PORT => Some(Place::Sentinel(i)),
        _ => None,
    }
}

fn status(text: &str) -> Value {
    Value::Simple(text.into())
}

impl World {
    /// Server 0 is the primary of all others.
    fn new(sentinels: usize, servers: usize, quorum: u32) -> World {
        let mut world = World {
            now: 1_000_000,
            sentinels: Vec::new(),
            servers: Vec::new(),
            connections: BTreeMap::new(),
            cut: BTreeSet::new(),
            arriving: Vec::new(),
            lost: Vec::new(),
            events: Vec::new(),
            run_ids: 0,
        };
        for i in 0..servers {
            world.run_ids += 1;
            let follows = (i > 0).then_some(0);
            let run_id = world.run_ids;
            let priority = 100;
            let server = Server { up: true, run_id, follows, priority, offset: 0, queued: None };
            world.servers.push(server);
        }
        for i in 0..sentinels {
            let mut s = Sentinel::new(world.now, Box::new(generator(i as u64)));
            s.own.id = format!("{i:040}").into_bytes();
            s.own.listening_port = SENTINEL_PORT;
            let primary = ip(Place::Server(0));
            let port = i64::from(SERVER_PORT);
            s.monitor(GROUP, primary.as_bytes(), port, quorum, world.now, &mut |_| None)
                .expect("a new group");
            let group = s.primaries.get_mut(GROUP).expect("just made");
            group.set_down_after(2000);
            group.group.failover_timeout_ms = 10_000;
            world.sentinels.push(Some(s));
        }
        world
    }

    fn reaches(&self, a: Place, b: Place) -> bool {
        !self.cut.contains(&(a.min(b), a.max(b)))
    }

    fn cut(&mut self, a: Place, b: Place) {
        self.cut.insert((a.min(b), a.max(b)));
    }

    fn is_up(&self, place: Place) -> bool {
        match place {
            Place::Server(i) => self.servers.get(i).is_some_and(|server| server.up),
            Place::Sentinel(i) => self.sentinels.get(i).is_some_and(Option::is_some),
        }
    }

    /// Ends a process; its connections break.
    fn kill(&mut self, which: Place) {
        match which {
            Place::Server(i) => self.servers[i].up = false,
            Place::Sentinel(i) => self.sentinels[i] = None,
        }
        let broken: Vec<ConnId> = self
            .connections
            .iter()
            .filter(|(id, conn)| conn.to == which || Place::Sentinel(id.0) == which)
            .map(|(id, _)| *id)
            .collect();
        for id in broken {
            self.connections.remove(&id);
            self.lost.push(id);
        }
    }

    fn restart_server(&mut self, i: usize) {
        self.run_ids += 1;
        (self.servers[i].up, self.servers[i].run_id) = (true, self.run_ids);
    }

    fn run(&mut self, ms: Ms) {
        for _ in 0..ms / 100 {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += 100;
        for server in &mut self.servers {
            server.offset += 10;
        }
        for (s, link, channel) in std::mem::take(&mut self.lost) {
            if let Some(sentinel) = &mut self.sentinels[s] {
                sentinel.on_lost(link, channel);
            }
        }
        for ((s, link, channel), value) in std::mem::take(&mut self.arriving) {
            if self.connections.contains_key(&(s, link, channel))
                && let Some(sentinel) = &mut self.sentinels[s]
            {
                sentinel.on_value(link, channel, value, self.now, &mut |_| None);
            }
            self.perform(s);
        }
        for s in 0..self.sentinels.len() {
            if let Some(sentinel) = &mut self.sentinels[s] {
                sentinel.tick(self.now, &mut |_| None);
            }
            self.perform(s);
        }
    }

    fn perform(&mut self, s: usize) {
        let Some(sentinel) = &mut self.sentinels[s] else { return };
        for action in sentinel.take_actions() {
            match action {
                Action::Connect { link, channel, ip: to, port } => {
                    let id = (s, link, channel);
                    let to = place(&to, port).expect("a known place");
                    if self.reaches(Place::Sentinel(s), to) && !self.is_up(to) {
                        self.lost.push(id);
                        continue;
                    }
                    self.connections.insert(id, Connection { to, subscribed: false });
                    let sentinel = self.sentinels[s].as_mut().expect("it acts");
                    sentinel.on_local(link, ip(Place::Sentinel(s)).into_bytes());
                }
                Action::Close { link, channel } => {
                    self.connections.remove(&(s, link, channel));
                }
                Action::Send { link, channel, words } => self.receive((s, link, channel), words),
                Action::Event { name, text, .. } => {
                    let text = String::from_utf8(text).expect("text");
                    self.events.push((self.now, s, name, text));
                }
                Action::Crash => return self.kill(Place::Sentinel(s)),
                Action::Log { .. } | Action::Wait { .. } | Action::Save => {}
                Action::Spawn { .. } | Action::Kill { .. } => {}
            }
        }
    }

    /// The other side of a connection gets a command.
    fn receive(&mut self, id: ConnId, words: Vec<Vec<u8>>) {
        let Some(conn) = self.connections.get_mut(&id) else { return };
        let to = conn.to;
        if words[0] == b"SUBSCRIBE" {
            conn.subscribed = true;
        }
        if !self.reaches(Place::Sentinel(id.0), to) || !self.is_up(to) {
            return;
        }
        let value = match to {
            Place::Server(i) => self.serve(i, words),
            Place::Sentinel(i) => self.ask(i, &words),
        };
        self.arriving.push((id, value));
    }

    fn ask(&mut self, i: usize, words: &[Vec<u8>]) -> Value {
        let Some(sentinel) = &mut self.sentinels[i] else { return Value::Null };
        let value = match words[0].as_slice() {
            b"PING" => status("PONG"),
            b"PUBLISH" => {
                sentinel.on_hello(&words[2], self.now, &mut |_| None);
                Value::Int(1)
            }
            b"SENTINEL" => {
                let number = |i: usize| {
                    std::str::from_utf8(&words[i]).expect("text").parse().expect("a number")
                };
                let candidate = (words[5] != b"*").then_some(&words[5][..]);
                let (down, leader, epoch) = sentinel.answer(
                    (&words[2], number(3)),
                    number(4) as u64,
                    candidate,
                    self.now,
                    &mut |_| None,
                );
                Value::Array(vec![
                    Value::Int(i64::from(down)),
                    Value::Bulk(leader.unwrap_or_else(|| b"*".to_vec())),
                    Value::Int(epoch as i64),
                ])
            }
            _ => status("OK"),
        };
        self.perform(i);
        value
    }

    fn serve(&mut self, i: usize, words: Vec<Vec<u8>>) -> Value {
        if let Some(queue) = &mut self.servers[i].queued
            && words[0] != b"EXEC"
        {
            queue.push(words);
            return status("QUEUED");
        }
        match words[0].as_slice() {
            b"PING" => status("PONG"),
            b"MULTI" => {
                self.servers[i].queued = Some(Vec::new());
                status("OK")
            }
            b"EXEC" => {
                for words in self.servers[i].queued.take().unwrap_or_default() {
                    self.serve(i, words);
                }
                Value::Array(Vec::new())
            }
            b"SLAVEOF" => {
                self.servers[i].follows = match words[1].as_slice() {
                    b"NO" => None,
                    ip => match place(ip, SERVER_PORT) {
                        Some(Place::Server(to)) => Some(to),
                        _ => panic!("not a server: {words:?}"),
                    },
                };
                status("OK")
            }
            b"PUBLISH" => {
                let message = vec![
                    Value::Bulk(b"message".to_vec()),
                    Value::Bulk(words[1].clone()),
                    Value::Bulk(words[2].clone()),
                ];
                let here = Place::Server(i);
                let heard: Vec<ConnId> = self
                    .connections
                    .iter()
                    .filter(|(id, conn)| {
                        let from = Place::Sentinel(id.0);
                        conn.subscribed && conn.to == here && self.reaches(from, here)
                    })
                    .map(|(id, _)| *id)
                    .collect();
                for id in heard {
                    self.arriving.push((id, Value::Array(message.clone())));
                }
                Value::Int(1)
            }
            b"INFO" => Value::Bulk(self.info(i).into_bytes()),
            _ => status("OK"),
        }
    }

    fn info(&self, i: usize) -> String {
        let server = &self.servers[i];
        let mut text = format!("run_id:{:040}\r\n", server.run_id);
        match server.follows {
            None => {
                text += "role:master\r\n";
                let follow = |other: &&(usize, &Server)| other.1.up && other.1.follows == Some(i);
                for (n, (at, _)) in
                    self.servers.iter().enumerate().filter(|o| follow(&o)).enumerate()
                {
                    let ip = ip(Place::Server(at));
                    text += &format!("slave{n}:ip={ip},port={SERVER_PORT},state=online\r\n");
                }
            }
            Some(to) => {
                let well = self.servers[to].up && self.servers[to].follows.is_none();
                let (ip, link) = (ip(Place::Server(to)), if well { "up" } else { "down" });
                text += &format!(
                    "role:slave\r\nmaster_host:{ip}\r\nmaster_port:{SERVER_PORT}\r\n\
                     master_link_status:{link}\r\nslave_priority:{}\r\nslave_repl_offset:{}\r\n",
                    server.priority, server.offset
                );
                if !well {
                    text += "master_link_down_since_seconds:1\r\n";
                }
            }
        }
        text
    }

    fn sentinel(&mut self, i: usize) -> &mut Sentinel {
        self.sentinels[i].as_mut().expect("it runs")
    }

    /// Which server each running Sentinel takes for the primary.
    fn primaries(&self) -> BTreeSet<usize> {
        let address = |s: &Sentinel| s.primaries[GROUP].current_address().clone();
        let at = |s: &Sentinel| match place(&address(s).ip, address(s).port) {
            Some(Place::Server(i)) => i,
            _ => panic!("not a server"),
        };
        self.sentinels.iter().flatten().map(at).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.events.iter().filter(|event| event.2 == name).count()
    }

    /// In no epoch are there two leaders, nor two addresses for the same epoch of a configuration.
    fn check_safety(&self) {
        let mut addresses: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for sentinel in self.sentinels.iter().flatten() {
            let primary = &sentinel.primaries[GROUP];
            let epoch = primary.group.config_epoch;
            addresses.entry(epoch).or_default().insert(primary.current_address().ip.clone());
        }
        for (epoch, found) in addresses {
            assert!(found.len() == 1, "epoch {epoch}: {found:?}\n{:#?}", self.events);
        }
    }
}

#[test]
fn sentinels_and_replicas_find_each_other() {
    let mut world = World::new(5, 3, 3);
    world.run(15_000);
    for i in 0..5 {
        let primary = &world.sentinel(i).primaries[GROUP];
        assert_eq!((primary.peers.len(), primary.replicas.len()), (4, 2));
        assert!(!primary.base.s_down);
    }
    assert_eq!(world.count("+sentinel"), 20);
    assert_eq!(world.count("+slave"), 10);
}

#[test]
fn a_dead_primary_is_replaced_and_turned_back_when_it_returns() {
    let mut world = World::new(5, 4, 3);
    world.run(15_000);
    world.kill(Place::Server(0));
    world.run(20_000);
    let now = world.primaries();
    assert_eq!(now.len(), 1, "{:#?}", world.events);
    let new = *now.iter().next().expect("one");
    assert!(new != 0);
    assert_eq!(world.count("+promoted-slave"), 1);
    assert_eq!(world.count("+switch-master"), 5);
    for (i, server) in world.servers.iter().enumerate().filter(|(_, server)| server.up) {
        assert_eq!(server.follows, (i != new).then_some(new), "server {i}");
    }
    world.restart_server(0);
    world.run(40_000);
    assert_eq!(world.servers[0].follows, Some(new));
    assert!(world.count("+convert-to-slave") > 0);
    world.check_safety();
}

#[test]
fn a_primary_that_is_cut_off_is_replaced() {
    let mut world = World::new(3, 3, 2);
    world.run(15_000);
    for i in 0..3 {
        world.cut(Place::Server(0), Place::Sentinel(i));
    }
    world.run(20_000);
    assert!(!world.primaries().contains(&0), "{:#?}", world.events);
    world.cut.clear();
    world.run(40_000);
    assert_eq!(world.servers[0].follows, world.primaries().first().copied());
}

#[test]
fn a_minority_replaces_nobody() {
    let mut world = World::new(5, 3, 2);
    world.run(15_000);
    for a in 0..2 {
        for b in 2..5 {
            world.cut(Place::Sentinel(a), Place::Sentinel(b));
        }
        world.cut(Place::Sentinel(a), Place::Server(0));
    }
    world.run(60_000);
    assert!(world.count("+odown") > 0);
    assert_eq!(world.count("+elected-leader"), 0);
    assert_eq!(world.primaries(), BTreeSet::from([0]));
    world.cut.clear();
    world.run(30_000);
    assert_eq!(world.primaries(), BTreeSet::from([0]));
}

#[test]
fn another_one_goes_on_when_the_leader_dies() {
    for after_promotion in [false, true] {
        let mut world = World::new(5, 3, 3);
        world.run(15_000);
        for i in 0..5 {
            let simulated = &mut world.sentinel(i).own.simulated;
            match after_promotion {
                true => simulated.crash_after_promotion = true,
                false => simulated.crash_after_election = true,
            }
        }
        world.kill(Place::Server(0));
        while world.sentinels.iter().flatten().count() == 5 {
            world.step();
            assert!(world.now < 1_100_000, "nobody is elected");
        }
        for sentinel in world.sentinels.iter_mut().flatten() {
            sentinel.own.simulated = Default::default();
        }
        world.run(60_000);
        let now = world.primaries();
        assert_eq!(now.len(), 1);
        assert!(!now.contains(&0), "{:#?}", world.events);
    }
}

#[test]
fn the_priority_decides_and_zero_is_never_promoted() {
    let mut world = World::new(3, 4, 2);
    world.servers[1].priority = 0;
    world.servers[3].priority = 10;
    world.run(30_000);
    world.kill(Place::Server(0));
    world.run(20_000);
    assert_eq!(world.primaries(), BTreeSet::from([3]));
    let mut world = World::new(3, 2, 2);
    world.servers[1].priority = 0;
    world.run(30_000);
    world.kill(Place::Server(0));
    world.run(20_000);
    assert_eq!(world.primaries(), BTreeSet::from([0]));
    assert!(world.count("-failover-abort-no-good-slave") > 0);
}

#[test]
fn an_operator_can_force_a_failover() {
    let mut world = World::new(3, 3, 2);
    world.run(15_000);
    let now = world.now;
    assert!(world.sentinel(1).force_failover(GROUP, now, &mut |_| None));
    world.perform(1);
    world.run(15_000);
    assert!(!world.primaries().contains(&0));
    assert_eq!(world.primaries().len(), 1);
    assert_eq!(world.servers[0].follows, world.primaries().first().copied());
}

#[test]
fn a_late_round_means_tilt_and_nothing_is_done() {
    let mut world = World::new(3, 3, 2);
    world.run(15_000);
    world.kill(Place::Server(0));
    world.now += 5000;
    world.run(20_000);
    assert_eq!(world.count("+tilt"), 3);
    assert_eq!((world.count("+sdown"), world.count("+try-failover")), (0, 0));
    world.run(40_000);
    assert_eq!(world.count("-tilt"), 3);
    assert!(!world.primaries().contains(&0));
}

/// The old primary was tried a moment before. That must not count against the new one, which would
/// be down before anybody has spoken to it if little silence is enough for that.
#[test]
fn a_new_primary_is_connected_at_once() {
    let mut world = World::new(3, 3, 2);
    for i in 0..3 {
        let primary = world.sentinel(i).primaries.get_mut(GROUP).expect("the group");
        primary.set_down_after(700);
    }
    world.run(15_000);
    world.kill(Place::Server(0));
    world.run(15_000);
    assert_eq!(world.count("+promoted-slave"), 1);
    let down = |event: &&(Ms, usize, &str, String)| {
        event.2 == "+sdown" && event.3.starts_with("master") && !event.3.contains("10.0.0.0")
    };
    assert_eq!(world.events.iter().find(down), None);
}

/// While one Sentinel carries a failover out, others may have gone back to the old primary in a
/// later epoch.
#[test]
fn a_later_configuration_ends_a_failover_that_leads_elsewhere() {
    let mut world = World::new(3, 3, 2);
    world.run(15_000);
    let now = world.now;
    let s = world.sentinel(0);
    let primary = s.primaries.get_mut(GROUP).expect("the group");
    let key = primary.replicas.keys().next().expect("a replica").clone();
    primary.failover.stage = Stage::ReconfReplicas;
    primary.failover.promoted = Some(key.clone());
    primary.replicas.get_mut(&key).expect("it").promoted = true;
    primary.group.config_epoch = 1;
    assert!(primary.current_address() != &primary.base.address);
    let other = primary.peers.values().next().expect("a peer").base.name().to_vec();
    let place = primary.peers[&other].base.address.clone();
    let hello = [&place.ip, &b"26379"[..], &other, b"2", GROUP, b"10.0.0.0", b"6379", b"2"];
    s.on_hello(&hello.join(&b','), now, &mut |_| None);
    let primary = &s.primaries[GROUP];
    assert_eq!((primary.failover.stage, primary.group.config_epoch), (Stage::None, 2));
    assert_eq!(primary.current_address().ip, b"10.0.0.0");
    assert_eq!(primary.replicas.len(), 2);
}

#[test]
fn groups_share_the_link_to_a_sentinel() {
    let mut world = World::new(2, 2, 1);
    for i in 0..2 {
        let now = world.now;
        let s = world.sentinel(i);
        s.monitor(b"n", b"10.0.0.1", 6379, 1, now, &mut |_| None).expect("new");
    }
    world.run(15_000);
    let s = world.sentinel(0);
    let link = |name: &[u8]| s.primaries[name].peers.values().next().expect("one").base.link;
    assert_eq!(link(GROUP), link(b"n"));
    // Two primaries, one replica, one shared Sentinel.
    assert_eq!(s.links.len(), 4);
    assert_eq!(s.links.get(link(GROUP)).expect("open").shared_by, 2);
    let shared = link(GROUP);
    let now = world.now;
    let s = world.sentinel(0);
    assert!(s.remove(b"n", now, &mut |_| None));
    assert_eq!(s.links.get(shared).expect("still needed").shared_by, 1);
    assert!(s.remove(GROUP, now, &mut |_| None));
    assert_eq!(s.links.len(), 0);
}

/// Processes die and come back, and the network falls apart and heals, for an hour.
#[test]
fn no_epoch_has_two_primaries_and_all_agree_in_the_end() {
    let mut random = generator(20_261_128);
    let mut below = move |n: u64| (random() % n) as usize;
    for _ in 0..4 {
        let mut world = World::new(5, 4, 2);
        world.run(15_000);
        for _ in 0..60 {
            match below(5) {
                0 => world.kill(Place::Server(below(4))),
                1 => world.restart_server(below(4)),
                2 => {
                    let to = match below(2) {
                        0 => Place::Server(below(4)),
                        _ => Place::Sentinel(below(5)),
                    };
                    let from = Place::Sentinel(below(5));
                    world.cut(from, to);
                }
                3 => world.cut.clear(),
                _ => {}
            }
            for _ in 0..below(200) {
                world.step();
                world.check_safety();
            }
        }
        world.cut.clear();
        for i in 0..4 {
            if !world.servers[i].up {
                world.restart_server(i);
            }
        }
        world.run(200_000);
        let now = world.primaries();
        assert_eq!(now.len(), 1, "{:#?}", world.events.last_chunk::<40>());
        let primary = *now.first().expect("one");
        for (i, server) in world.servers.iter().enumerate() {
            assert_eq!(server.follows, (i != primary).then_some(primary), "server {i}");
        }
    }
}
