//! Addresses from which wrong passwords came lately, and how long they have to wait.
//!
//! After some failures every login from an address has to wait before it is looked at, each time
//! twice as long as before, up to a limit. The right password waits as well: if it did not, who
//! guesses would hang up on whoever does not answer at once, and lose no time. The wait is bounded,
//! and failures are forgotten, so nobody is locked out by what others do at the same address.
//!
//! What is remembered is bounded too: who has many addresses drives out those of others, the oldest
//! first. Hosts with IPv6 have a whole network of addresses (a /64), which counts as one.
//!
//! Invariant: `order` has each address of `known` once, in the order in which they first failed.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Failures that cost nothing: a mistyped password, or a client with an old one.
const FREE: u32 = 5;
/// The first wait; each further failure doubles it.
const FIRST_MS: i64 = 100;
/// An address without a failure for so long is forgotten.
const FORGET_MS: i64 = 5 * 60_000;
/// Addresses that are remembered.
const MOST: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Suspect {
    failures: u32,
    last_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Suspects {
    known: HashMap<u64, Suspect>,
    order: VecDeque<u64>,
    /// Logins that had to wait.
    pub delayed: u64,
}

/// What counts as one address: one of IPv4, or a network of IPv6.
fn place(addr: IpAddr) -> u64 {
    match addr.to_canonical() {
        // No network of IPv6 that is in use begins with zeros.
        IpAddr::V4(addr) => u64::from(u32::from(addr)),
        IpAddr::V6(addr) => (u128::from(addr) >> 64) as u64,
    }
}

impl Suspects {
    /// A login from an address has failed.
    pub(crate) fn note(&mut self, addr: IpAddr, now_ms: i64) {
        let place = place(addr);
        if let Some(suspect) = self.known.get_mut(&place) {
            let old = now_ms - suspect.last_ms > FORGET_MS;
            suspect.failures = if old { 1 } else { suspect.failures.saturating_add(1) };
            suspect.last_ms = now_ms;
            return;
        }
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(place);
        self.known.insert(place, Suspect { failures: 1, last_ms: now_ms });
    }

    /// How long a login from an address has to wait; `most` is the limit.
    pub(crate) fn delay_ms(&self, addr: IpAddr, now_ms: i64, most: i64) -> i64 {
        let Some(suspect) = self.known.get(&place(addr)) else { return 0 };
        if suspect.failures < FREE || now_ms - suspect.last_ms > FORGET_MS {
            return 0;
        }
        let doublings = (suspect.failures - FREE).min(20);
        (FIRST_MS << doublings).min(most)
    }

    /// Forgets everybody, as when the limit is taken away.
    pub(crate) fn clear(&mut self) {
        self.known = HashMap::new();
        self.order = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn waits_grow_to_a_limit_and_end() {
        let mut all = Suspects::default();
        let a = addr("10.0.0.1");
        let mut waits = Vec::new();
        for i in 0..12 {
            waits.push(all.delay_ms(a, i, 5000));
            all.note(a, i);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(all.delay_ms(addr("10.0.0.2"), 12, 5000), 0, "another address");
        assert_eq!(all.delay_ms(a, 11 + FORGET_MS, 5000), 5000);
        assert_eq!(all.delay_ms(a, 12 + FORGET_MS, 5000), 0, "forgotten");
        all.note(a, 12 + FORGET_MS);
        assert_eq!(all.delay_ms(a, 12 + FORGET_MS, 5000), 0, "it begins anew");
        for i in 0..1000 {
            all.note(a, i);
        }
        assert_eq!(all.delay_ms(a, 1000, 5000), 5000, "however many there were");
    }

    #[test]
    fn a_network_of_ipv6_and_a_mapped_address_count_as_one() {
        let mut all = Suspects::default();
        for i in 0..FREE {
            all.note(addr(&format!("2001:db8::{i}")), 0);
        }
        assert_eq!(all.delay_ms(addr("2001:db8::ffff"), 0, 5000), 100);
        assert_eq!(all.delay_ms(addr("2001:db8:0:1::1"), 0, 5000), 0);
        for _ in 0..FREE {
            all.note(addr("::ffff:10.0.0.1"), 0);
        }
        assert_eq!(all.delay_ms(addr("10.0.0.1"), 0, 5000), 100);
    }

    #[test]
    fn memory_is_bounded() {
        let mut all = Suspects::default();
        for i in 0..3 * MOST as u32 {
            for _ in 0..FREE {
                all.note(IpAddr::V4(i.into()), 0);
            }
        }
        assert_eq!((all.known.len(), all.order.len()), (MOST, MOST));
        let last = IpAddr::V4((3 * MOST as u32 - 1).into());
        assert_eq!(all.delay_ms(last, 0, 5000), 100);
    }
}
