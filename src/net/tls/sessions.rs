//! Sessions that clients may go on with, so that their next handshake needs no signature.
//!
//! Invariant: a session is in `order` once, at the time when it was put in; those whose time is
//! over, and the oldest when there are too many, leave first.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<Vec<u8>, (Vec<u8>, Instant)>,
    order: VecDeque<(Vec<u8>, Instant)>,
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
            let (value, since) = kept.by_id.get(key)?;
            if since.elapsed() >= self.time {
                kept.by_id.remove(key);
                return None;
            }
            let value = value.clone();
            if take {
                kept.by_id.remove(key);
            }
            Some(value)
        })
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let now = Instant::now();
        self.with(|kept| {
            kept.order.push_back((key.clone(), now));
            kept.by_id.insert(key, (value, now));
            while let Some((oldest, since)) = kept.order.front() {
                let few = kept.by_id.len() <= self.most
                    && kept.order.len() <= self.most.saturating_mul(2);
                if few && now - *since < self.time {
                    break;
                }
                // One that was put in again since has a later place.
                if kept.by_id.get(oldest).is_some_and(|(_, at)| at == since) {
                    kept.by_id.remove(oldest);
                }
                kept.order.pop_front();
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
        assert!(sessions.with(|kept| kept.by_id.len() <= 3 && kept.order.len() <= 5));
        let brief = Sessions::new(0, Duration::from_millis(5));
        brief.put(vec![1], vec![1]);
        std::thread::sleep(Duration::from_millis(10));
        assert_eq!(brief.get(&[1]), None);
        brief.put(vec![2], vec![2]);
        assert_eq!(brief.with(|kept| kept.order.len()), 1);
        assert!(!Sessions::new(1, Duration::ZERO).can_cache());
    }
}
