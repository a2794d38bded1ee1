//! The name of a client: slot and generation. An id that outlives its client leads to nobody.

use mio::Token;

/// Names a client for as long as it lives, and nobody afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientId(u64);

impl ClientId {
    /// What a command has that no client sent: a saved file replayed, the server itself.
    pub(crate) const NOBODY: ClientId = ClientId(u64::MAX);

    pub(super) fn new(index: usize, generation: u32) -> ClientId {
        ClientId(u64::from(generation) << 32 | index as u64)
    }
    pub(super) fn index(self) -> usize {
        self.0 as u32 as usize
    }
    pub(crate) fn token(self, offset: usize) -> Token {
        Token(self.0 as usize + offset)
    }
    pub(crate) fn from_token(token: Token, offset: usize) -> ClientId {
        ClientId((token.0 - offset) as u64)
    }
}
