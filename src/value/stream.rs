//! Streams as values. A stream lies behind a pointer however small it is, and stays when its last
//! entry goes: groups and the last ID are worth keeping.

use crate::ds::listpack::Scratch;
use crate::ds::stream;
use crate::util::digest;
use crate::util::size_class::size_class;
use crate::value::{Collection, Encoding, Object, View, variant};

/// A stream.
pub(crate) type Stream = Box<stream::Stream>;

impl Collection for Stream {
    variant!(Stream);
    type Ref<'a> = &'a stream::Stream;

    fn view(&self) -> &stream::Stream {
        self
    }
}

impl View for &stream::Stream {
    fn encoding(self) -> Encoding {
        Encoding::Stream
    }

    fn len(self) -> usize {
        self.log.len() as usize
    }

    /// Compat: a stream without entries is kept.
    fn is_empty(self) -> bool {
        false
    }

    /// Delivery limits stay behind: by them claims write to other streams, and who copies may have
    /// no right to these.
    fn duplicate(self, _room: usize) -> Object {
        let mut copy = self.clone();
        copy.groups.values_mut().for_each(|group| group.limit = None);
        Object::Stream(Box::new(copy))
    }

    fn free_effort(self) -> usize {
        stream::Stream::free_effort(self)
    }

    fn mem_bytes(self, samples: usize) -> usize {
        size_class(size_of::<stream::Stream>()) + stream::Stream::mem_bytes(self, samples)
    }

    fn digest(self, sum: &mut [u8; 20]) {
        let mut text = Vec::with_capacity(stream::id::ID_CHARS);
        for entry in self.log.range(stream::id::Id::MIN, stream::id::Id::MAX) {
            text.clear();
            entry.id.write_with(b'.', &mut text);
            digest::mix(sum, &text);
            for (name, value) in entry.pairs() {
                digest::mix(sum, name.bytes(&mut Scratch::default()));
                digest::mix(sum, value.bytes(&mut Scratch::default()));
            }
        }
        for (ticket, words) in self.delayed.iter().flat_map(|delayed| delayed.iter()) {
            digest::mix(sum, &stream::delayed::text(ticket));
            words.options().iter().chain(words.pairs()).for_each(|word| digest::mix(sum, word));
        }
    }
}

/// The same entries, groups and counters.
///
/// What waits is compared too; a place for it that is empty is none.
impl PartialEq for stream::Stream {
    fn eq(&self, other: &stream::Stream) -> bool {
        let facts = |s: &stream::Stream| {
            let log = &s.log;
            (log.len(), log.first_id, log.last_id, log.max_deleted, log.added)
        };
        let sum = |s: &stream::Stream| {
            let mut sum = [0; 20];
            s.digest(&mut sum);
            sum
        };
        let delayed = |s: &stream::Stream| s.delayed.as_ref().filter(|d| d.len() > 0).cloned();
        facts(self) == facts(other)
            && delayed(self) == delayed(other)
            && self.groups == other.groups
            && self.producers == other.producers
            && sum(self) == sum(other)
    }
}

impl Eq for stream::Stream {}
