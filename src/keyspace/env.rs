//! The facts that one call sees. They stay the same during the call: nothing below the dispatcher
//! reads a clock or a role.

/// On whose behalf a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Client,
    Exec,
    Script,
    /// An append-only file that is loaded.
    File,
}

/// What happens to a key that is past its time when a command meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It is deleted, and the deletion propagated.
    Delete,
    /// It is treated as missing, but stays: a replica waits for its primary, and a paused server
    /// for the end of the pause.
    Hide,
    /// It is an ordinary key: while loading, and for the primary's own commands.
    Ignore,
}

/// Facts for one call. `Copy`, 40 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env {
    /// Wall clock in milliseconds since 1970.
    pub now_ms: i64,
    /// What a touched key's 24-bit access field becomes: LRU seconds, or the LFU clock in minutes.
    pub lru_clock: u32,
    pub db: u32,
    pub origin: Origin,
    pub expiry: Expiry,
    /// The caller can't wait: a blocking command replies as if its time had run out.
    pub deny_blocking: bool,
    /// Reads update the access field; off while a fork child lives (it would copy pages) and for
    /// clients in no-touch mode.
    pub touch: bool,
    /// Access fields hold LFU counters rather than LRU clocks.
    pub lfu: Option<Lfu>,
    /// A random number, new for each call; seeds sampling and the LFU coin.
    pub random: u64,
}

/// Settings of the logarithmic access counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lfu {
    pub log_factor: u32,
    /// Minutes for the counter to lose one; 0 = never.
    pub decay_minutes: u32,
}

/// Counter of a new key, so that it is not evicted before it had a chance.
pub(crate) const LFU_INIT: u32 = 5;

impl Lfu {
    /// The counter of a field `access` (16 bits of minutes, 8 bits of counter) as of `clock`
    /// minutes.
    pub(crate) fn decayed(&self, access: u32, clock: u32) -> u32 {
        let (then, counter) = (access >> 8, access & 0xff);
        let minutes = clock.wrapping_sub(then) & 0xffff;
        match self.decay_minutes {
            0 => counter,
            per => counter.saturating_sub(minutes / per),
        }
    }

    /// The field after one more access. The counter grows with probability 1/(above * factor + 1).
    pub(crate) fn touched(&self, access: u32, clock: u32, random: u64) -> u32 {
        let mut counter = self.decayed(access, clock);
        if counter < 255 {
            let above = u64::from(counter.saturating_sub(LFU_INIT));
            let one_in = above * u64::from(self.log_factor) + 1;
            if random.is_multiple_of(one_in) {
                counter += 1;
            }
        }
        (clock & 0xffff) << 8 | counter
    }
}

impl Env {
    /// The command comes from a file or from the primary: it tells what has been decided before.
    pub(crate) fn is_told(&self) -> bool {
        self.expiry == Expiry::Ignore
    }

    /// The access field of a key that is made or overwritten now.
    pub(crate) fn fresh_access(&self) -> u32 {
        match self.lfu {
            Some(_) => (self.lru_clock & 0xffff) << 8 | LFU_INIT,
            None => self.lru_clock & 0xff_ffff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lfu_decays_by_minutes_and_grows_ever_more_slowly() {
        let lfu = Lfu { log_factor: 10, decay_minutes: 1 };
        assert_eq!(lfu.decayed(100 << 8 | 20, 103), 17);
        assert_eq!(lfu.decayed(0xffff << 8 | 20, 2), 17, "the clock of minutes wraps");
        assert_eq!(lfu.touched(100 << 8 | 3, 100, 7) & 0xff, 4, "below the start value: always");
        assert_eq!(lfu.touched(100 << 8 | 15, 100, 101) & 0xff, 16, "one in 101");
        assert_eq!(lfu.touched(100 << 8 | 15, 100, 1) & 0xff, 15);
        assert_eq!(lfu.touched(100 << 8 | 255, 100, 0) & 0xff, 255);
    }
}
