//! From a case that fails to a smaller one: steps are left out as long as it still fails.

use std::time::{Duration, Instant};

use super::step::Step;

const PATIENCE: Duration = Duration::from_secs(20);

/// The smallest case found, and what is wrong with it. `run` gives what is wrong with a case.
pub(super) fn shrink(
    steps: Vec<Step>,
    fault: String,
    mut run: impl FnMut(&[Step]) -> Option<String>,
) -> (Vec<Step>, String) {
    let end = Instant::now() + PATIENCE;
    let (mut steps, mut fault) = (steps, fault);
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let (mut at, mut smaller) = (0, false);
        while at < steps.len() {
            if Instant::now() > end {
                return (steps, fault);
            }
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            match run(&fewer) {
                Some(still) => (steps, fault, smaller) = (fewer, still, true),
                None => at += size,
            }
        }
        if size > 1 || !smaller {
            size /= 2;
        }
    }
    (steps, fault)
}
