//! The passes of the survey of keys: a little in each run of the cron.

use crate::server::engine::survey;
use crate::server::parts::Server;
use crate::server::parts::survey::Rule;

/// Microseconds that one run may take.
const STEP_US: u64 = 1000;
/// Buckets between two looks at the clock.
const BUCKETS: usize = 16;

/// Goes on with the pass that is under way, or begins the next one if it is time.
pub(crate) fn step(srv: &mut Server) {
    let Server { survey, ks, cfg, clock, loading, .. } = srv;
    if !survey.on {
        return;
    }
    if loading.is_some() {
        return survey.restart();
    }
    let started = clock.watch.ticks();
    let rule = Rule::of(&cfg.memory);
    let seed = ks.seed();
    let Some(pass) = survey.pass(clock.now_ms) else { return };
    while pass.db < ks.databases() {
        let store = ks.db(pass.db);
        for _ in 0..BUCKETS {
            let cursor = store.scan(pass.cursor, |entry| {
                pass.found(entry.key(), survey::size(entry), rule, seed);
            });
            pass.cursor = cursor;
            if cursor == 0 {
                pass.db += 1;
                break;
            }
        }
        if clock.watch.us(clock.watch.ticks().wrapping_sub(started)) >= STEP_US {
            return;
        }
    }
    survey.end_pass(clock.now_ms);
}
