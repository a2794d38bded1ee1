//! Connections to other servers that MIGRATE keeps for a while, by address.

use std::collections::HashMap;
use std::io::BufReader;
use std::net::TcpStream;

use crate::util::lines::Lines;

/// A connection not used for so long is closed.
const KEEP_MS: i64 = 10_000;
pub const MAX_LINKS: usize = 64;

#[derive(Default)]
pub struct Links {
    pub by_address: HashMap<String, Link>,
}

pub struct Link {
    pub stream: BufReader<TcpStream>,
    /// Database selected on the other side.
    pub db: Option<i64>,
    pub used_ms: i64,
}

impl Links {
    pub fn len(&self) -> usize {
        self.by_address.len()
    }

    /// INFO stats.
    pub fn info(&self, o: &mut Lines) {
        o.add("migrate_cached_sockets", self.len());
    }

    /// Closes connections that are not used any more.
    pub fn tend(&mut self, now_ms: i64) {
        self.by_address.retain(|_, link| now_ms - link.used_ms <= KEEP_MS);
    }
}
