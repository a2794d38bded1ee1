//! A Sentinel's machine, with the connections and the scripts that it has asked for.

use std::collections::HashMap;
use std::process::Child;

use slab::Slab;

use crate::net::conn::Conn;
use crate::resp::value::{Limits, Scanner};
use crate::sentinel::Sentinel;
use crate::sentinel::turn::Channel;

/// The largest reply that is taken: INFO with everything in it is far smaller.
const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 8 };

/// One of the two connections of a link.
pub(crate) struct Connection {
    pub link: u64,
    pub channel: Channel,
    pub conn: Conn,
    /// It is connected.
    pub up: bool,
    /// What is still to be sent.
    pub output: Vec<u8>,
    /// What has come; it begins with a reply that is not whole.
    pub input: Vec<u8>,
    pub scanner: Scanner,
}

pub(crate) struct Watching {
    pub machine: Sentinel,
    /// Script calls that run, by number.
    pub scripts: Vec<(u64, Child)>,
    connections: Slab<Connection>,
    places: HashMap<(u64, Channel), usize>,
}

impl Watching {
    pub(crate) fn new(machine: Sentinel) -> Watching {
        Watching { machine, scripts: Vec::new(), connections: Slab::new(), places: HashMap::new() }
    }

    /// The place that the next connection gets.
    pub(crate) fn next_place(&self) -> usize {
        self.connections.vacant_key()
    }

    pub(crate) fn add(&mut self, link: u64, channel: Channel, conn: Conn) -> usize {
        let place = self.connections.insert(Connection {
            link,
            channel,
            conn,
            up: false,
            output: Vec::new(),
            input: Vec::new(),
            scanner: Scanner::new(LIMITS),
        });
        self.places.insert((link, channel), place);
        place
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Connection> {
        self.connections.get_mut(place)
    }

    pub(crate) fn place_of(&self, link: u64, channel: Channel) -> Option<usize> {
        self.places.get(&(link, channel)).copied()
    }

    /// The connection is gone; it closes when it is dropped.
    pub(crate) fn remove(&mut self, place: usize) -> Option<Connection> {
        let gone = self.connections.try_remove(place)?;
        self.places.remove(&(gone.link, gone.channel));
        Some(gone)
    }
}
