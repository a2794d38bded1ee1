//! Switches that DEBUG sets.

use crate::net::usage::ReplyRules;

/// Switches that tests set.
#[derive(Debug)]
pub struct Switches {
    pub pause_cron: bool,
    pub verify_checksum: bool,
    /// How the reply buffers that clients are charged for follow their use.
    pub reply_rules: ReplyRules,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches { pause_cron: false, verify_checksum: true, reply_rules: ReplyRules::default() }
    }
}
