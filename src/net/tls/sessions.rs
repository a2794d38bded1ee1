//! Sessions that clients may go on with, so that their next handshake needs no signature.
//!
//! Those whose time is over, and the oldest when there are too many, leave first. The two maps are
//! trees, since tables that double now and then would move the figures of memory by kilobytes.
//!
//! Invariant: `by_id` and `order` hold the same sessions, each under the number that it got when it
//! was put in.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

#[derive(Debug)]
struct Session {
    /// A box, since what rustls hands over has room for three times as much.
    value: Box<[u8]>,
    since: Instant,
    number: u64,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: BTreeMap<Vec<u8>, Session>,
    order: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

impl Kept {
    fn remove(&mut self, key: &[u8]) -> Option<Session> {
        let session = self.by_id.remove(key)?;
        self.order.remove(&session.number);
        Some(session)
    }

    /// The key of the oldest, and since when it is there.
    fn oldest(&self) -> Option<(Vec<u8>, Instant)> {
        let (_, key) = self.order.first_key_value()?;
        Some((key.clone(), self.by_id.get(key)?.since))
    }
}

/// A bounded number of sessions, each for a bounded time. rustls wants it to be shared between
/// threads; here one uses it.
#[derive(Debug)]
pub(super) struct Sessions {
    kept: Mutex<Kept>,
    most: usize,
    time: Duration,
}

impl Sessions {
    /// `most` 0: as many as there are, as OpenSSL has it.
    pub(super) fn new(most: usize, time: Duration) -> Sessions {
        let most = if most == 0 { usize::MAX } else { most };
        Sessions { kept: Mutex::default(), most, time }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        f(&mut self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn find(&self, key: &[u8], take: bool) -> Option<Vec<u8>> {
        self.with(|kept| {
            let session = kept.by_id.get(key)?;
            let over = session.since.elapsed() >= self.time;
            let value = (!over).then(|| session.value.to_vec());
            if take || over {
                kept.remove(key);
            }
            value
        })
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let since = Instant::now();
        self.with(|kept| {
            kept.remove(&key);
            let number = kept.next;
            kept.next += 1;
            kept.order.insert(number, key.clone());
            kept.by_id.insert(key, Session { value: value.into(), since, number });
            while let Some((oldest, at)) = kept.oldest() {
                if kept.by_id.len() <= self.most && since - at < self.time {
                    break;
                }
                kept.remove(&oldest);
            }
        });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, false)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, true)
    }

    fn can_cache(&self) -> bool {
        !self.time.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_in_number_and_time() {
        let sessions = Sessions::new(3, Duration::from_secs(60));
        for n in 0..10u8 {
            assert!(sessions.put(vec![n], vec![n, n]));
        }
        assert_eq!(sessions.get(&[6]), None);
        assert_eq!(sessions.get(&[7]), Some(vec![7, 7]));
        assert_eq!((sessions.take(&[8]), sessions.take(&[8])), (Some(vec![8, 8]), None));
        sessions.put(vec![7], vec![1]);
        sessions.put(vec![10], vec![2]);
        assert_eq!(sessions.get(&[7]), Some(vec![1]));
        assert_eq!(sessions.with(|kept| (kept.by_id.len(), kept.order.len())), (3, 3));
        let brief = Sessions::new(0, Duration::from_millis(5));
        brief.put(vec![1], vec![1]);
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(brief.get(&[1]), None);
        brief.put(vec![2], vec![2]);
        assert_eq!(brief.with(|kept| kept.order.len()), 1);
        assert!(!Sessions::new(1, Duration::ZERO).can_cache());
    }
}
