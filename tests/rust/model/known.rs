//! Where replies of the two servers may differ, each with its reason; all else must be the same.

use super::client::Value;
use super::side::Command;

/// How the replies of a command are compared.
pub enum Like {
    /// Byte for byte.
    Exactly,
    /// In any order: the elements, or the pairs of them.
    Sorted(usize),
    /// By how many elements there are: chance chooses which.
    Shape,
    /// As numbers that are no further apart than this: the clock goes on between the two.
    Near(i64),
    /// Not at all.
    Never,
}

/// What is the same for all versions.
pub fn like(command: &Command) -> Like {
    let name = String::from_utf8_lossy(&command[0]).to_uppercase();
    match name.as_str() {
        // A table has no order.
        "SMEMBERS" | "SDIFF" | "SINTER" | "SUNION" | "HKEYS" | "HVALS" | "KEYS" | "SPOP" => Like::Sorted(1),
        "HGETALL" => Like::Sorted(2),
        // The order of places is that of the search unless the command names one.
        "SSCAN" | "SCAN" | "HSCAN" | "ZSCAN" => Like::Sorted(1),
        "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "RANDOMKEY" => Like::Shape,
        "TTL" | "EXPIRETIME" => Like::Near(2),
        "PTTL" | "PEXPIRETIME" => Like::Near(2000),
        // The servers migrate to different ports, and errors of sockets name them.
        _ => Like::Exactly,
    }
}

/// A difference that is meant: which, and why.
pub struct Known {
    pub reason: &'static str,
    /// Versions of redis-server, below which it is there.
    pub below: (u32, u32),
    pub applies: fn(&Command, &Value, &Value) -> bool,
}

const ALWAYS: (u32, u32) = (u32::MAX, 0);

/// Differences of replies.
pub const REPLIES: &[Known] = &[Known {
    reason: "doc/compat.md: LSET with an index beyond 32 bits is out of range",
    below: ALWAYS,
    applies: |command, _, _| {
        let index = command.get(2).map(|word| String::from_utf8_lossy(word).parse::<i64>());
        is(command, "LSET") && index.is_some_and(|i| i.is_ok_and(|i| i32::try_from(i).is_err()))
    },
}];

fn is(command: &Command, name: &str) -> bool {
    command[0].eq_ignore_ascii_case(name.as_bytes())
}
