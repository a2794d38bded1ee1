//! The pauses in force, and the clients that wait for their end, in order of arrival.

use crate::net::clients::ClientId;

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Commands that change data, or that replicas are told of.
    Writes,
    All,
}

/// What a pause is for. Each has one of its own, and ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// CLIENT PAUSE.
    Command,
    /// Replicas are to have all before the server ends.
    Shutdown,
    /// One of them is to lead.
    Failover,
}

/// The pauses in force, and who waits for their end.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    /// By purpose: what is held back, and until when.
    by: [Option<(Scope, i64)>; 3],
    /// All of them together.
    scope: Option<Scope>,
    pub waiting: Vec<ClientId>,
}

impl Pause {
    /// What is held back now.
    #[inline]
    pub(crate) fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// The pause of a purpose.
    pub(crate) fn of(&self, purpose: Purpose) -> Option<(Scope, i64)> {
        self.by[purpose as usize]
    }

    /// Sets the pause of a purpose, or ends it.
    pub(crate) fn set(&mut self, purpose: Purpose, pause: Option<(Scope, i64)>) {
        self.by[purpose as usize] = pause;
        self.scope = self.by.iter().flatten().map(|(scope, _)| *scope).max();
    }

    /// Ends those whose time is over; whether there were any.
    pub(crate) fn expire(&mut self, now_ms: i64) -> bool {
        let over = |pause: &Option<(Scope, i64)>| pause.is_some_and(|(_, until)| until <= now_ms);
        let any = self.by.iter().any(over);
        for pause in &mut self.by {
            pause.take_if(|(_, until)| *until <= now_ms);
        }
        self.scope = self.by.iter().flatten().map(|(scope, _)| *scope).max();
        any
    }

    /// Clients that wait.
    pub(crate) fn clients(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn forget(&mut self, id: ClientId) {
        self.waiting.retain(|other| *other != id);
    }
}
