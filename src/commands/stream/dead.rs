//! Dead letters: what a group was given too often moves to another stream (doc/streams.md).
//!
//! The command that claims finds out which entries are dead, and takes them off what is pending.
//! When it has closed its stream, the letters are added to the other one (`deliver`).

use crate::commands::Ctx;
use crate::ds::listpack::Scratch;
use crate::ds::stream::block::Entry;
use crate::ds::stream::group::{Group, Limit, Pending};
use crate::ds::stream::id::{Id, IdText};
use crate::ds::stream::log::{NewId, fits};
use crate::keyspace::effects::EV_STREAM;
use crate::resp::errors::CmdError;
use crate::value::stream::Stream;

/// What a command does about the limit of one group.
#[derive(Default)]
pub(super) struct Dead {
    limit: Option<Limit>,
    letters: Vec<(Id, Vec<Vec<u8>>)>,
}

impl Dead {
    /// The limit of a group, if it has one that can be obeyed: the dead-letter key holds a stream
    /// that takes entries, or nothing. The look leaves no trace.
    pub(super) fn of(ctx: &Ctx<'_>, key: &[u8], group: &[u8]) -> Dead {
        let stream = ctx.db.peek_as::<Stream>(key).unwrap_or_default();
        let group = stream.and_then(|stream| stream.groups.get(group));
        let limit = group.and_then(|group| group.limit.as_deref());
        let usable = limit.filter(|limit| match ctx.db.peek_as::<Stream>(&limit.key) {
            Ok(stream) => stream.is_none_or(|stream| stream.log.last_id < Id::MAX),
            Err(_) => false,
        });
        Dead { limit: usable.cloned(), letters: Vec::new() }
    }

    /// Whether what is pending has been delivered as often as it may be.
    pub(super) fn is(&self, old: &Pending) -> bool {
        self.limit.as_ref().is_some_and(|limit| old.deliveries >= limit.deliveries)
    }

    /// Takes an entry that is dead; false if it is too large to be a letter.
    pub(super) fn take(
        &mut self,
        entry: Entry<'_>,
        from: (&[u8], &[u8]),
        group: &mut Group,
        old: &Pending,
    ) -> bool {
        let mut letter = Vec::with_capacity(2 * entry.len() + 10);
        for (name, value) in entry.pairs() {
            letter.push(name.bytes(&mut Scratch::default()).to_vec());
            letter.push(value.bytes(&mut Scratch::default()).to_vec());
        }
        let deliveries = (old.deliveries as i64).to_string();
        let id = IdText::new(entry.id);
        let facts: [(&str, &[u8]); 5] = [
            ("dlq-stream", from.0),
            ("dlq-group", from.1),
            ("dlq-id", id.as_bytes()),
            ("dlq-deliveries", deliveries.as_bytes()),
            ("dlq-consumer", group.owner(old)),
        ];
        for (name, value) in facts {
            letter.push(name.as_bytes().to_vec());
            letter.push(value.to_vec());
        }
        if !fits(letter.iter().map(Vec::len).sum()) {
            return false;
        }
        let id = entry.id;
        group.remove(id);
        self.letters.push((id, letter));
        true
    }

    /// Adds the letters to their stream.
    pub(super) fn deliver(
        self,
        ctx: &mut Ctx<'_>,
        key: &[u8],
        group: &[u8],
    ) -> Result<(), CmdError> {
        let Ctx { db, fx, env, limits, .. } = ctx;
        let Some(limit) = self.limit.filter(|_| !self.letters.is_empty()) else { return Ok(()) };
        let mut stream = db.touch_or_new(&limit.key, fx, Stream::default)?;
        for (old, letter) in &self.letters {
            let letter: Vec<&[u8]> = letter.iter().map(Vec::as_slice).collect();
            let new = NewId::Auto(env.now_ms as u64);
            if let Ok(id) = stream.log.append(new, &letter, limits.stream) {
                let text = IdText::new(id);
                let start: [&[u8]; 3] = [b"XADD", &limit.key, text.as_bytes()];
                fx.also(&[&start[..], &letter[..]].concat());
            }
            fx.also(&[b"XACK", key, group, IdText::new(*old).as_bytes()]);
            fx.modified(&limit.key);
            fx.event(EV_STREAM, "xadd", &limit.key);
        }
        fx.ready(&limit.key);
        Ok(())
    }
}
