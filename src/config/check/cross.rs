//! Values that are allowed and seldom meant.

use super::View;
use crate::util::num;
use crate::util::split::split_args;

/// A server that does its chores more often than this is busy with them.
const HIGH_HZ: u32 = 100;

pub(super) fn check(view: &mut View<'_>) {
    let config = view.config();
    let hz = config.process.hz;
    let line = view.loaded.place_of("hz").map(|place| split_args(&place.text).unwrap_or_default());
    let asked = line.and_then(|words| num::parse_i64(words.get(1)?));
    if asked.is_some_and(|asked| asked != i64::from(hz)) {
        let text = format!("'hz' is from 1 to 500; {hz} is taken");
        view.note("hz", "hz", text, "hz 10");
    } else if hz > HIGH_HZ {
        let text = "so many rounds a second cost time and bring little";
        view.note("hz", "hz", text, "hz 10");
    }
    if view.is_given("latency-tracking-info-percentiles") && !config.stats.latency_tracking {
        let text = "percentiles are not measured while 'latency-tracking' is off";
        view.note("percentiles", "latency-tracking-info-percentiles", text, "latency-tracking yes");
    }
    let percentiles = &config.stats.percentiles;
    if (1..percentiles.len()).any(|i| percentiles[..i].contains(&percentiles[i])) {
        let text = "a percentile is there twice";
        view.note("percentiles", "latency-tracking-info-percentiles", text, "");
    }
    if config.process.daemonize && view.value("supervised") == "systemd" {
        let text = "has no effect under systemd, which watches this process";
        view.note("daemon-of-systemd", "daemonize", text, "daemonize no");
    }
    if config.process.daemonize && config.log.file.is_empty() && !config.log.syslog_enabled {
        let text = "a daemon without 'logfile' has no log";
        view.note("daemon-without-log", "daemonize", text, "set 'logfile', or syslog-enabled yes");
    }
}
