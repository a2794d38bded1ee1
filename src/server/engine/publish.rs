//! Messages on their way to subscribers. Each is encoded once for each version of the protocol.

use bytes::Bytes;

use crate::net::clients::ClientId;
use crate::resp::reply::Reply;
use crate::server::parts::Server;

/// A message encoded for clients of one protocol version, made when the first of them is met.
struct Encoded<'a> {
    parts: &'a [&'a [u8]],
    made: [Option<Bytes>; 2],
}

impl Encoded<'_> {
    fn new<'a>(parts: &'a [&'a [u8]]) -> Encoded<'a> {
        Encoded { parts, made: [None, None] }
    }

    fn bytes(&mut self, resp3: bool) -> &Bytes {
        let parts = self.parts;
        self.made[usize::from(resp3)].get_or_insert_with(|| {
            let mut r = Reply::new(Vec::new(), resp3);
            r.push(parts.len());
            parts.iter().for_each(|p| r.bulk(p));
            Bytes::from(r.into_buf())
        })
    }
}

impl Server {
    /// Delivers a message to subscribers of the shard channel; to how many.
    pub(crate) fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let Server { pubsub, clients, .. } = self;
        let parts = [&b"smessage"[..], channel, message];
        let mut encoded = Encoded::new(&parts);
        let ids = pubsub.shard_subscribers(channel);
        for &id in ids {
            let Some(session) = clients.session(id) else { continue };
            clients.push_shared(id, encoded.bytes(session.resp3));
        }
        ids.len()
    }

    /// Delivers a message to subscribers of the channel and of matching patterns; to how many.
    pub(crate) fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let Server { pubsub, clients, .. } = self;
        let mut count = 0;
        let mut deliver = |ids: &[ClientId], encoded: &mut Encoded<'_>| {
            for &id in ids {
                let Some(session) = clients.session(id) else { continue };
                clients.push_shared(id, encoded.bytes(session.resp3));
                count += 1;
            }
        };
        let parts = [&b"message"[..], channel, message];
        deliver(pubsub.subscribers(channel), &mut Encoded::new(&parts));
        for (pattern, ids) in pubsub.matching(channel) {
            let parts = [&b"pmessage"[..], pattern, channel, message];
            deliver(ids, &mut Encoded::new(&parts));
        }
        count
    }
}
