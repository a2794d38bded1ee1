//! What a primary sends that its replica can't do: how long the link rests then.
//!
//! An unknown command means that the two no longer hold the same data, so the replica stops there
//! and asks for all of it. A primary that sends such commands often must not spend its days with
//! snapshots: each one in a row makes the pause before the next snapshot twice as long.

/// The pause after the first refusal, and the longest one.
const FIRST_MS: i64 = 1000;
const LONGEST_MS: i64 = 300_000;

/// Something was refused, and the link ends for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The error that a client would have got.
    pub why: String,
    /// A part of a transaction has been done: what is there is no point of any history.
    pub partly: bool,
}

/// What was refused so far.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// The link is about to end for this.
    pub now: Option<Refused>,
    pub total: u64,
    /// The error of the latest.
    pub last: Option<String>,
    last_ms: i64,
    in_row: u32,
}

impl Refusals {
    /// Something is refused; the first error counts, since what follows may be its consequence.
    pub(crate) fn begin(&mut self, refused: Refused) {
        self.now.get_or_insert(refused);
    }

    /// The link has ended for it: how many milliseconds it rests. Those that lie apart by more than
    /// twice the longest pause are not in a row.
    pub(crate) fn rest(&mut self, why: String, now_ms: i64) -> i64 {
        if now_ms - self.last_ms > 2 * LONGEST_MS {
            self.in_row = 0;
        }
        let pause = (FIRST_MS << self.in_row.min(20)).min(LONGEST_MS);
        self.in_row = self.in_row.saturating_add(1);
        self.total += 1;
        (self.last, self.last_ms) = (Some(why), now_ms);
        pause
    }

    /// Another primary is followed.
    pub(crate) fn start_anew(&mut self) {
        (self.now, self.in_row) = (None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_in_a_row_makes_the_pause_longer() {
        let mut refusals = Refusals::default();
        let mut rest = |now_ms| refusals.rest("ERR".into(), now_ms);
        assert_eq!([rest(1_000_000), rest(1_001_000), rest(1_005_000)], [1000, 2000, 4000]);
        let long: Vec<i64> = (0..100).map(|_| rest(1_010_000)).collect();
        assert_eq!(long.last(), Some(&300_000));
        assert_eq!(rest(1_010_000 + 600_001), 1000, "that was long ago");
        refusals.rest("ERR x".into(), 1_700_000);
        refusals.start_anew();
        assert_eq!(refusals.rest("ERR y".into(), 1_700_000), 1000);
        assert_eq!((refusals.total, refusals.last), (106, Some("ERR y".into())));
    }

    #[test]
    fn the_first_error_counts() {
        let mut refusals = Refusals::default();
        let refused = |why: &str| Refused { why: why.into(), partly: false };
        refusals.begin(refused("ERR unknown command"));
        refusals.begin(refused("EXECABORT"));
        assert_eq!(refusals.now, Some(refused("ERR unknown command")));
    }
}
