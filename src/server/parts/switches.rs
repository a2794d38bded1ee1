//! Switches that DEBUG sets.

use crate::net::usage::ReplyRules;
use crate::server::parts::stream::ReaderId;

/// Switches that tests set.
#[derive(Debug)]
pub(crate) struct Switches {
    pub pause_cron: bool,
    pub verify_checksum: bool,
    /// Scripts may call commands that they may not call.
    pub scripts_call_all: bool,
    /// How the reply buffers that clients are charged for follow their use.
    pub reply_rules: ReplyRules,
    /// DEBUG STREAM reads the stream of writes.
    pub stream: Option<ReaderId>,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            pause_cron: false,
            verify_checksum: true,
            scripts_call_all: false,
            reply_rules: ReplyRules::default(),
            stream: None,
        }
    }
}
