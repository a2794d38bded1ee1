//! Directives with a form of their own: lists, pairs, flags written as letters, the directory.

use super::value::memory;
use super::{Lines, Reason, Setting, Special, defaults};
use crate::config::{Config, EVENT_CLASSES, EVENTS_ALL, OutputLimit, PrimaryAddr, SavePoint};
use crate::util::path::{join_path, os_error};
use crate::util::split::needs_repr;
use crate::util::{num, split};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One line, to be written when the value is not the default.
fn line(text: Vec<u8>, is_default: bool) -> Lines {
    vec![(text, !is_default)]
}

/// No arguments, or one empty one, both mean an empty list.
fn list<'a>(args: &'a [&'a [u8]]) -> &'a [&'a [u8]] {
    if let [b""] = args { &[] } else { args }
}

/// An empty list in a file.
const NONE: &[u8] = b"\"\"";

// ---- save <seconds> <changes> [<seconds> <changes> ...]

pub(super) static SAVE: Special = Special { set: set_save, get: get_save, lines: save_lines };

fn set_save(config: &mut Config, args: &[&[u8]], setting: &mut Setting) -> Result<(), Reason> {
    const INVALID: Reason = Reason::Borrowed("Invalid save parameters");
    let args = list(args);
    let mut points = Vec::new();
    for pair in args.chunks(2) {
        let [seconds, changes] = pair else { return Err(INVALID) };
        let number = |arg: &[u8]| num::parse_i64_lenient(arg).and_then(|n| u64::try_from(n).ok());
        let seconds = number(seconds).filter(|n| *n >= 1).ok_or(INVALID)?;
        let changes = number(changes).and_then(|n| u32::try_from(n).ok()).ok_or(INVALID)?;
        points.push(SavePoint { seconds, changes });
    }
    // Lines of a file add up, but the first one replaces the defaults. An empty one starts again.
    if !setting.from_file || !setting.save_seen || args.is_empty() {
        config.snapshot.save_points.clear();
    }
    setting.save_seen = true;
    config.snapshot.save_points.extend(points);
    Ok(())
}

fn save_point(point: &SavePoint) -> Vec<u8> {
    format!("{} {}", point.seconds, point.changes).into_bytes()
}

fn get_save(config: &Config) -> Vec<u8> {
    let points: Vec<_> = config.snapshot.save_points.iter().map(save_point).collect();
    points.join(&b' ')
}

/// Always written, a line each: without any, the defaults would come back.
fn save_lines(config: &Config) -> Lines {
    match config.snapshot.save_points.as_slice() {
        [] => vec![(NONE.to_vec(), true)],
        points => points.iter().map(|point| (save_point(point), true)).collect(),
    }
}

// ---- client-output-buffer-limit <class> <hard> <soft> <seconds> [...]

pub(super) static OUTPUT_LIMITS: Special =
    Special { set: set_output_limits, get: get_output_limits, lines: output_limit_lines };

fn set_output_limits(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    const COUNT: &str = "Wrong number of arguments in buffer limit configuration.";
    const CLASS: &str = "Invalid client class specified in buffer limit configuration.";
    const VALUE: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    if !args.len().is_multiple_of(4) {
        return Err(COUNT.into());
    }
    let mut limits = config.clients.output_buffer_limits;
    for part in args.chunks_exact(4) {
        let class = match part[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => return Err(CLASS.into()),
        };
        let seconds = num::parse_i64_lenient(part[3]).and_then(|n| u64::try_from(n).ok());
        let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
            (num::parse_memory(part[1]), num::parse_memory(part[2]), seconds)
        else {
            return Err(VALUE.into());
        };
        limits[class] = OutputLimit { hard_bytes, soft_bytes, soft_seconds };
    }
    config.clients.output_buffer_limits = limits;
    Ok(())
}

fn get_output_limits(config: &Config) -> Vec<u8> {
    let limits = &config.clients.output_buffer_limits;
    let text = |(class, limit): (&str, &OutputLimit)| {
        format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
    };
    let parts: Vec<_> = ["normal", "slave", "pubsub"].into_iter().zip(limits).map(text).collect();
    parts.join(" ").into_bytes()
}

fn output_limit_lines(config: &Config) -> Lines {
    let limits = config.clients.output_buffer_limits.iter();
    let text = |((class, limit), default): ((&[u8], &OutputLimit), &OutputLimit)| {
        let seconds = limit.soft_seconds.to_string().into_bytes();
        let words = [class.to_vec(), memory(limit.hard_bytes), memory(limit.soft_bytes), seconds];
        (words.join(&b' '), limit != default)
    };
    let classes: [&[u8]; 3] = [b"normal", b"replica", b"pubsub"];
    classes.into_iter().zip(limits).zip(&OutputLimit::DEFAULTS).map(text).collect()
}

// ---- oom-score-adj-values <primary> <replica> <child>

pub(super) static OOM_VALUES: Special =
    Special { set: set_oom_values, get: get_oom_values, lines: oom_values_lines };

fn set_oom_values(
    config: &mut Config,
    args: &[&[u8]],
    setting: &mut Setting,
) -> Result<(), Reason> {
    const RANGE: &str = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    let [_, _, _] = args else { return Err("wrong number of arguments".into()) };
    let mut values = [0; 3];
    for (value, arg) in values.iter_mut().zip(args) {
        *value =
            num::parse_i64_lenient(arg).filter(|n| (-2000..=2000).contains(n)).ok_or(RANGE)? as i32;
    }
    if !values.is_sorted() {
        setting.warnings.push(
            "oom-score-adj-values should not decrease from primary to replica to child: \
             a process without privileges can only raise its score",
        );
    }
    config.process.oom_score_adj_values = values;
    Ok(())
}

fn get_oom_values(config: &Config) -> Vec<u8> {
    config.process.oom_score_adj_values.map(|v| v.to_string()).join(" ").into_bytes()
}

fn oom_values_lines(config: &Config) -> Lines {
    let is_default = config.process.oom_score_adj_values == defaults().process.oom_score_adj_values;
    line(get_oom_values(config), is_default)
}

// ---- notify-keyspace-events <letters>

pub(super) static NOTIFY_EVENTS: Special =
    Special { set: set_notify_events, get: get_notify_events, lines: notify_events_lines };

fn set_notify_events(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    let [letters] = args else { return Err("wrong number of arguments".into()) };
    let class = |letter: &u8| match letter {
        b'A' => Some(EVENTS_ALL),
        _ => EVENT_CLASSES.iter().find(|(l, _)| l == letter).map(|(_, bit)| *bit),
    };
    let classes: Option<Vec<u32>> = letters.iter().map(class).collect();
    let classes = classes.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    config.keyspace.notify_events = classes.iter().fold(0, |all, bit| all | bit);
    Ok(())
}

fn get_notify_events(config: &Config) -> Vec<u8> {
    let flags = config.keyspace.notify_events;
    let (mut out, rest) = match flags & EVENTS_ALL {
        EVENTS_ALL => (vec![b'A'], flags & !EVENTS_ALL & !event_bit(b'n')),
        _ => (Vec::new(), flags),
    };
    out.extend(EVENT_CLASSES.iter().filter(|(_, bit)| rest & bit != 0).map(|(letter, _)| letter));
    out
}

fn event_bit(letter: u8) -> u32 {
    EVENT_CLASSES.iter().filter(|(l, _)| *l == letter).map(|(_, bit)| *bit).sum()
}

fn notify_events_lines(config: &Config) -> Lines {
    line(split::repr(&get_notify_events(config)), config.keyspace.notify_events == 0)
}

// ---- bind <address> [<address> ...]

pub(super) static BIND: Special = Special { set: set_bind, get: get_bind, lines: bind_lines };

/// Addresses that `bind` takes at most.
const MAX_ADDRESSES: usize = 16;

fn set_bind(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    config.net.bind = read_addresses(args)?;
    Ok(())
}

fn get_bind(config: &Config) -> Vec<u8> {
    config.net.bind.join(&b' ')
}

fn bind_lines(config: &Config) -> Lines {
    address_lines(&config.net.bind, &defaults().net.bind)
}

fn read_addresses(args: &[&[u8]]) -> Result<Vec<Vec<u8>>, Reason> {
    if args.len() > MAX_ADDRESSES {
        return Err("Too many bind addresses specified.".into());
    }
    let args = list(args);
    // No such address can be listened on, nor could it be written to a file and read back.
    if args.iter().any(|arg| arg.is_empty() || needs_repr(arg) || arg.contains(&b'\'')) {
        return Err("Failed to bind to specified addresses.".into());
    }
    Ok(args.iter().map(|arg| arg.to_vec()).collect())
}

fn address_lines(bind: &[Vec<u8>], default: &[Vec<u8>]) -> Lines {
    match bind {
        bind if bind == default => Vec::new(),
        [] => vec![(NONE.to_vec(), true)],
        _ => vec![(bind.join(&b' '), true)],
    }
}

// ---- admin-bind <address> [<address> ...]

pub(super) static ADMIN_BIND: Special =
    Special { set: set_admin_bind, get: get_admin_bind, lines: admin_bind_lines };

fn set_admin_bind(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    config.net.admin_bind = read_addresses(args)?;
    Ok(())
}

fn get_admin_bind(config: &Config) -> Vec<u8> {
    config.net.admin_bind.join(&b' ')
}

fn admin_bind_lines(config: &Config) -> Lines {
    address_lines(&config.net.admin_bind, &defaults().net.admin_bind)
}

// ---- metrics-bind <address> [<address> ...]

pub(super) static METRICS_BIND: Special =
    Special { set: set_metrics_bind, get: get_metrics_bind, lines: metrics_bind_lines };

fn set_metrics_bind(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    config.metrics.bind = read_addresses(args)?;
    Ok(())
}

fn get_metrics_bind(config: &Config) -> Vec<u8> {
    config.metrics.bind.join(&b' ')
}

fn metrics_bind_lines(config: &Config) -> Lines {
    address_lines(&config.metrics.bind, &defaults().metrics.bind)
}

// ---- key-survey-prefixes <prefix> [<prefix> ...]

pub(super) static SURVEY_PREFIXES: Special =
    Special { set: set_survey_prefixes, get: get_survey_prefixes, lines: survey_prefix_lines };

/// Prefixes that are compared with each key, and their length.
const MAX_PREFIXES: usize = 64;
const MAX_PREFIX: usize = 256;

fn set_survey_prefixes(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    let args = list(args);
    if args.len() > MAX_PREFIXES {
        return Err("at most 64 prefixes can be told apart".into());
    }
    if args.iter().any(|arg| arg.is_empty() || arg.len() > MAX_PREFIX) {
        return Err("a prefix has 1 to 256 bytes".into());
    }
    // CONFIG GET and CONFIG SET have them in one text, with blanks between them.
    if args.iter().any(|arg| arg.iter().any(|byte| split::is_space(*byte))) {
        return Err("a prefix must not have blanks in it".into());
    }
    config.memory.survey_prefixes = args.iter().map(|arg| arg.to_vec()).collect();
    Ok(())
}

fn get_survey_prefixes(config: &Config) -> Vec<u8> {
    config.memory.survey_prefixes.join(&b' ')
}

fn survey_prefix_lines(config: &Config) -> Lines {
    let quoted = |prefix: &Vec<u8>| match needs_repr(prefix) || prefix.contains(&b'\'') {
        true => split::repr(prefix),
        false => prefix.clone(),
    };
    match config.memory.survey_prefixes.as_slice() {
        [] => Vec::new(),
        prefixes => vec![(prefixes.iter().map(quoted).collect::<Vec<_>>().join(&b' '), true)],
    }
}

// ---- replicaof <host> <port> | no one

pub(super) static REPLICAOF: Special =
    Special { set: set_replicaof, get: get_replicaof, lines: replicaof_lines };

fn set_replicaof(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    let [host, port] = args else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        config.repl.primary = None;
        return Ok(());
    }
    let port = num::parse_i64_lenient(port).and_then(|n| u16::try_from(n).ok());
    let port = port.ok_or("Invalid master port")?;
    config.repl.primary = Some(PrimaryAddr { host: host.to_vec(), port });
    Ok(())
}

fn get_replicaof(config: &Config) -> Vec<u8> {
    let text = |primary: &PrimaryAddr| {
        [&primary.host, &b" "[..], primary.port.to_string().as_bytes()].concat()
    };
    config.repl.primary.as_ref().map_or(Vec::new(), text)
}

/// A primary has no such line, nor has a cluster node, whose roles are in nodes.conf.
fn replicaof_lines(config: &Config) -> Lines {
    match &config.repl.primary {
        Some(PrimaryAddr { host, port }) if !config.cluster.enabled => {
            let quote = host.is_empty() || needs_repr(host) || host.contains(&b'\'');
            let host = if quote { split::repr(host) } else { host.clone() };
            vec![([&host, &b" "[..], port.to_string().as_bytes()].concat(), true)]
        }
        _ => Vec::new(),
    }
}

// ---- latency-tracking-info-percentiles <percentile> [<percentile> ...]

pub(super) static PERCENTILES: Special =
    Special { set: set_percentiles, get: get_percentiles, lines: percentiles_lines };

fn set_percentiles(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    const INVALID: &str = "Invalid latency-tracking-info-percentiles parameters";
    const RANGE: &str =
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    let mut percentiles = Vec::new();
    for arg in list(args) {
        let percentile = num::parse_f64(arg).ok_or(INVALID)?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(RANGE.into());
        }
        percentiles.push(percentile);
    }
    config.stats.percentiles = percentiles;
    Ok(())
}

fn get_percentiles(config: &Config) -> Vec<u8> {
    let text = |percentile: &f64| {
        let text = format!("{percentile:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let parts: Vec<_> = config.stats.percentiles.iter().map(text).collect();
    parts.join(" ").into_bytes()
}

fn percentiles_lines(config: &Config) -> Lines {
    match config.stats.percentiles.as_slice() {
        [] => vec![(NONE.to_vec(), true)],
        _ => vec![(get_percentiles(config), true)],
    }
}

// ---- dir <path>

pub(super) static DIR: Special = Special { set: set_dir, get: get_dir, lines: dir_lines };

/// Redis changes to the directory at once, so that a later relative path starts from there. Here
/// the paths are joined instead, and whoever starts the server changes the directory.
fn set_dir(config: &mut Config, args: &[&[u8]], _: &mut Setting) -> Result<(), Reason> {
    let [dir] = args else { return Err("wrong number of arguments".into()) };
    if dir.is_empty() {
        return Err("No such file or directory".into());
    }
    let path = join_path(&config.process.dir, dir);
    let metadata = match std::fs::metadata(Path::new(OsStr::from_bytes(&path))) {
        Ok(metadata) => metadata,
        Err(error) => return Err(os_error(&error).into()),
    };
    if !metadata.is_dir() {
        return Err("Not a directory".into());
    }
    config.process.dir = path;
    Ok(())
}

fn get_dir(config: &Config) -> Vec<u8> {
    config.process.dir.clone()
}

fn dir_lines(config: &Config) -> Lines {
    match config.process.dir.as_slice() {
        [] => Vec::new(),
        dir => vec![(split::repr(dir), true)],
    }
}
