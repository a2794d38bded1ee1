//! Which values are freed on a helper thread, by why they leave (`lazyfree-lazy-..`).
//!
//! The stream of writes says the same: for replicas a lazy deletion is UNLINK, any other DEL.

use crate::keyspace::effects::Why;

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lazyfree {
    /// `lazyfree-lazy-user-del`
    pub user_del: bool,
    /// `lazyfree-lazy-server-del`
    pub server_del: bool,
    /// `lazyfree-lazy-expire`
    pub expire: bool,
    /// `lazyfree-lazy-eviction`
    pub eviction: bool,
}

impl Lazyfree {
    /// Whether a value that leaves for this reason is freed lazily.
    pub(crate) fn is_lazy(self, why: Why) -> bool {
        match why {
            Why::Unlink => true,
            Why::Del => self.user_del,
            Why::Overwrite => self.server_del,
            Why::Expire => self.expire,
            Why::Evict => self.eviction,
        }
    }

    /// The command that stands for the deletion in the stream.
    pub(crate) fn word(self, why: Why) -> &'static [u8] {
        if self.is_lazy(why) { b"UNLINK" } else { b"DEL" }
    }
}
