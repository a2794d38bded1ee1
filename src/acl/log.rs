//! The log of denials and failed logins, the newest first. Alike ones within a minute are one entry
//! with a count.

use std::collections::VecDeque;

/// Entries that are looked at for one that is alike.
const LOOK_AT: usize = 10;
/// Alike ones further apart than this are two entries, in milliseconds.
const TOGETHER_MS: i64 = 60_000;

/// Why something was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Command,
    Key,
    Channel,
    Database,
    /// A login failed.
    Auth,
}

impl Reason {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Database => "database",
            Reason::Auth => "auth",
        }
    }
}

/// Where a command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    TopLevel,
    Multi,
    Script,
}

impl Context {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Script => "lua",
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub reason: Reason,
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    pub user: Vec<u8>,
    /// The client, as CLIENT LIST shows it.
    pub client: String,
    pub now_ms: i64,
}

#[derive(Debug)]
pub(crate) struct Entry {
    /// The last of them.
    pub event: Event,
    pub count: u64,
    pub id: u64,
    pub created_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl Log {
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes an event; at most `max` entries stay.
    pub(crate) fn note(&mut self, event: Event, max: usize) {
        let alike = |entry: &Entry| {
            let known = &entry.event;
            known.reason == event.reason
                && known.context == event.context
                && (known.now_ms - event.now_ms).abs() <= TOGETHER_MS
                && known.object == event.object
                && known.user == event.user
        };
        let found = self.entries.iter().take(LOOK_AT).position(alike);
        match found.and_then(|at| self.entries.remove(at)) {
            Some(mut entry) => {
                entry.event = event;
                entry.count += 1;
                self.entries.push_front(entry);
            }
            None => {
                let created_ms = event.now_ms;
                let entry = Entry { event, count: 1, id: self.next_id, created_ms };
                self.next_id += 1;
                self.entries.push_front(entry);
            }
        }
        self.entries.truncate(max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(object: &str, now_ms: i64) -> Event {
        Event {
            reason: Reason::Key,
            context: Context::TopLevel,
            object: object.into(),
            user: b"u".to_vec(),
            client: String::new(),
            now_ms,
        }
    }

    #[test]
    fn alike_ones_within_a_minute_are_one() {
        let mut log = Log::default();
        log.note(event("a", 0), 10);
        log.note(event("b", 1), 10);
        log.note(event("a", 60_000), 10);
        log.note(event("b", 60_002), 10);
        let seen: Vec<_> =
            log.entries().map(|e| (e.event.object.clone(), e.count, e.id, e.created_ms)).collect();
        let (a, b) = (b"a".to_vec(), b"b".to_vec());
        assert_eq!(seen, [(b.clone(), 1, 2, 60_002), (a, 2, 0, 0), (b, 1, 1, 1)]);
        log.note(event("c", 60_003), 2);
        assert_eq!(log.entries().len(), 2);
        log.note(event("c", 60_004), 0);
        assert_eq!(log.entries().len(), 0);
    }
}
