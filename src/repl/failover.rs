//! FAILOVER: when a primary hands its role over to one of its replicas.
//!
//! ```text
//! Waits     writes are held back, until a replica has all that there is
//! Asks      we follow that replica, which is asked to lead
//! ```
//! The machine is told the time and how far the replicas are, and says what to do.

/// A failover in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failover {
    /// Host and port of the replica that is to lead; None: the first that has all.
    pub target: Option<(String, u16)>,
    /// When to give up; None: never.
    pub until_ms: Option<i64>,
    /// At that time the target takes over even if it does not have all.
    pub force: bool,
    /// The target has been asked.
    pub asks: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait,
    /// This replica has all: it is to lead.
    HandOver(String, u16),
    /// Time is up, but it is to lead in any case.
    Force(String, u16),
    GiveUp,
}

impl Failover {
    /// What to do at `now_ms`, when the stream ends at `end`. `replicas`: where each listens and
    /// how far it is. O(replicas).
    pub(crate) fn step(&self, now_ms: i64, end: u64, replicas: &[(String, u16, u64)]) -> Step {
        if self.asks {
            return Step::Wait;
        }
        if self.until_ms.is_some_and(|until| until <= now_ms) {
            return match &self.target {
                Some((host, port)) if self.force => Step::Force(host.clone(), *port),
                _ => Step::GiveUp,
            };
        }
        let fits = |host: &str, port: u16| match &self.target {
            Some((wanted, at)) => host.eq_ignore_ascii_case(wanted) && port == *at,
            None => true,
        };
        let found = replicas.iter().find(|(host, port, has)| fits(host, *port) && *has == end);
        match found {
            Some((host, port, _)) => Step::HandOver(host.clone(), *port),
            None => Step::Wait,
        }
    }

    /// The word for its state in INFO.
    pub(crate) fn word(&self) -> &'static str {
        if self.asks { "failover-in-progress" } else { "waiting-for-sync" }
    }

    /// The target as the log names it.
    pub(crate) fn named(&self) -> String {
        match &self.target {
            Some((host, port)) => format!("{host}:{port}"),
            None => "any replica".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas() -> Vec<(String, u16, u64)> {
        vec![("a".into(), 1, 90), ("b".into(), 2, 100), ("b".into(), 3, 80)]
    }

    #[test]
    fn the_first_replica_that_has_all_leads() {
        let any = Failover { target: None, until_ms: Some(50), force: false, asks: false };
        assert_eq!(any.step(10, 100, &replicas()), Step::HandOver("b".into(), 2));
        assert_eq!(any.step(10, 101, &replicas()), Step::Wait);
        assert_eq!(any.step(50, 100, &replicas()), Step::GiveUp);
        let asks = Failover { asks: true, ..any };
        assert_eq!(asks.step(60, 100, &replicas()), Step::Wait);
    }

    #[test]
    fn a_target_may_be_forced() {
        let target = Some(("B".into(), 3));
        let named = Failover { target, until_ms: Some(50), force: false, asks: false };
        assert_eq!(named.step(10, 100, &replicas()), Step::Wait);
        assert_eq!(named.step(10, 80, &replicas()), Step::HandOver("b".into(), 3));
        assert_eq!(named.step(51, 100, &replicas()), Step::GiveUp);
        let forced = Failover { force: true, ..named };
        assert_eq!(forced.step(51, 100, &replicas()), Step::Force("B".into(), 3));
    }
}
