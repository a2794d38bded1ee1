//! Connections to other servers that MIGRATE keeps for a while, by address.

use std::collections::HashMap;

use crate::net::link::Link;
use crate::util::lines::Lines;

/// A connection not used for so long is closed.
const KEEP_MS: i64 = 10_000;
const MAX_LINKS: usize = 64;

#[derive(Default)]
pub(crate) struct Links {
    by_address: HashMap<String, Kept>,
}

pub(crate) struct Kept {
    pub link: Link,
    /// Database selected on the other side.
    pub db: Option<i64>,
    pub used_ms: i64,
}

impl Links {
    pub(crate) fn len(&self) -> usize {
        self.by_address.len()
    }

    /// The connection to an address; it is kept no longer.
    pub(crate) fn take(&mut self, address: &str) -> Option<Kept> {
        self.by_address.remove(address)
    }

    /// Keeps a connection; another has to leave if there are too many.
    pub(crate) fn keep(&mut self, address: &str, kept: Kept) {
        if self.by_address.len() >= MAX_LINKS
            && let Some(any) = self.by_address.keys().next().cloned()
        {
            self.by_address.remove(&any);
        }
        self.by_address.insert(address.to_string(), kept);
    }

    /// INFO stats.
    pub(crate) fn info(&self, o: &mut Lines) {
        o.add("migrate_cached_sockets", self.len());
    }

    /// Closes connections that are not used any more.
    pub(crate) fn tend(&mut self, now_ms: i64) {
        self.by_address.retain(|_, link| now_ms - link.used_ms <= KEEP_MS);
    }
}
