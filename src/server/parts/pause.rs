//! The pause in force (CLIENT PAUSE), and the clients that wait for its end, in order of arrival.

use crate::net::clients::ClientId;

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Commands that change data, or that replicas are told of.
    Writes,
    All,
}

/// The pause in force, and who waits for its end.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    pub current: Option<(Scope, i64)>,
    pub waiting: Vec<ClientId>,
}

impl Pause {
    /// What is held back now.
    #[inline]
    pub(crate) fn scope(&self) -> Option<Scope> {
        self.current.map(|(scope, _)| scope)
    }

    /// Clients that wait.
    pub(crate) fn clients(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn forget(&mut self, id: ClientId) {
        self.waiting.retain(|other| *other != id);
    }
}
