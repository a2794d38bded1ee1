//! Whose stream of writes it is: replication IDs, and who may go on in the stream.
//!
//! An ID names one history of writes, and an offset a byte in it. A replica that becomes a primary
//! begins a new history. Up to where it began, the old one is the same, so it is kept as the second
//! ID: replicas of the same former primary go on without a full synchronization.
//!
//! Source: the PSYNC protocol as redis-server 4.0 and later speak it (psync2).

/// The length of an ID in hexadecimal digits.
pub(crate) const ID_LEN: usize = 40;

/// The history that a server's writes belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub id: String,
    /// The history before it, and the first offset (counted from 1) that is not in it.
    pub before: Option<(String, u64)>,
}

/// What is kept of the stream: the offset of its first byte (from 1) and how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub first: u64,
    pub bytes: u64,
}

/// Why a replica can't go on from where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It asks for everything.
    Asked,
    /// It has another history.
    OtherHistory,
    /// It has gone on in the former history beyond where ours has left it, at this offset.
    TooFar(u64),
    /// What it asks for is not kept.
    NotKept,
}

impl History {
    pub(crate) fn new(id: String) -> History {
        History { id, before: None }
    }

    /// A new history begins behind `end`, the last offset of the present one.
    pub(crate) fn shift(&mut self, id: String, end: u64) {
        let old = std::mem::replace(&mut self.id, id);
        self.before = Some((old, end + 1));
    }

    /// Whether who has the bytes of `id` before `from` (an offset that counts from 1) may go on
    /// there. O(1).
    pub(crate) fn judge(&self, id: &str, from: i64, kept: Option<Kept>) -> Result<u64, Refusal> {
        if !id.eq_ignore_ascii_case(&self.id) {
            if id.starts_with('?') {
                return Err(Refusal::Asked);
            }
            match &self.before {
                Some((before, _)) if !id.eq_ignore_ascii_case(before) => {
                    return Err(Refusal::OtherHistory);
                }
                Some((_, limit)) if from > *limit as i64 => return Err(Refusal::TooFar(*limit)),
                Some(_) => {}
                None => return Err(Refusal::OtherHistory),
            }
        }
        let kept = kept.ok_or(Refusal::NotKept)?;
        let from = u64::try_from(from).map_err(|_| Refusal::NotKept)?;
        if from < kept.first || from > kept.first + kept.bytes {
            return Err(Refusal::NotKept);
        }
        Ok(from)
    }

    /// The second ID and its limit as INFO shows them.
    pub(crate) fn second(&self) -> (String, i64) {
        match &self.before {
            Some((id, limit)) => (id.clone(), *limit as i64),
            None => ("0".repeat(ID_LEN), -1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

    #[test]
    fn who_has_the_same_history_goes_on() {
        let history = History::new(A.into());
        let kept = Some(Kept { first: 100, bytes: 50 });
        assert_eq!(history.judge(A, 100, kept), Ok(100));
        assert_eq!(history.judge(&A.to_uppercase(), 150, kept), Ok(150), "it has all");
        assert_eq!(history.judge(A, 99, kept), Err(Refusal::NotKept));
        assert_eq!(history.judge(A, 151, kept), Err(Refusal::NotKept));
        assert_eq!(history.judge(A, -1, kept), Err(Refusal::NotKept));
        assert_eq!(history.judge(A, i64::MAX, kept), Err(Refusal::NotKept));
        assert_eq!(history.judge(A, 100, None), Err(Refusal::NotKept));
        assert_eq!(history.judge("?", -1, kept), Err(Refusal::Asked));
        assert_eq!(history.judge(B, 100, kept), Err(Refusal::OtherHistory));
        assert_eq!(history.second(), ("0".repeat(40), -1));
    }

    #[test]
    fn a_former_history_is_good_up_to_where_it_was_left() {
        let mut history = History::new(A.into());
        history.shift(B.into(), 120);
        let kept = Some(Kept { first: 100, bytes: 50 });
        assert_eq!(history.second(), (A.into(), 121));
        assert_eq!(history.judge(A, 121, kept), Ok(121), "it had all of it");
        assert_eq!(history.judge(A, 122, kept), Err(Refusal::TooFar(121)));
        assert_eq!(history.judge(B, 150, kept), Ok(150));
        assert_eq!(history.judge(C, 100, kept), Err(Refusal::OtherHistory));
        history.shift(C.into(), 149);
        assert_eq!(history.judge(A, 110, kept), Err(Refusal::OtherHistory), "too long ago");
        assert_eq!(history.judge(B, 150, kept), Ok(150));
    }
}
