//! Settings from the environment, for containers: they rank below the file and the options.
//!
//! ```text
//! REDUST_ADDR                host:port, [v6]:port or unix:/path
//! REDUST_RDB_PATH            path of the snapshot file
//! REDUST_RDB_AUTO_SAVE_SECS  save after so many seconds with a change; 0: never
//! REDUST_MAXMEMORY_BYTES     memory limit, with the usual units
//! REDUST_AUTH_PASSWORD       password of the default user
//! REDUST_METRICS_ADDR        host:port or [v6]:port for metrics
//! REDUST_UNAVAILABLE_DIRECTIVES  stop or warn: `unavailable-directives`
//! ```
//!
//! A variable that is set but empty counts as not set. A wrong one is fatal; one that begins with
//! `REDUST_` and is none of these is named in the log.

use super::Config;
use super::SavePoint;
use super::choice::Unavailable;
use super::file::ConfigError;
use crate::util::near::nearest;
use crate::util::num;
use crate::util::path::to_path;

/// The variables that are looked at.
pub(crate) const VARIABLES: [&str; 7] = [
    "REDUST_ADDR",
    "REDUST_RDB_PATH",
    "REDUST_RDB_AUTO_SAVE_SECS",
    "REDUST_MAXMEMORY_BYTES",
    "REDUST_AUTH_PASSWORD",
    "REDUST_METRICS_ADDR",
    "REDUST_UNAVAILABLE_DIRECTIVES",
];

/// What is wrong with a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// Its name.
    pub variable: &'static str,
    /// What its value has to be.
    pub expected: &'static str,
}

/// Applies the environment to `config`. `lookup` returns the value of a variable.
pub(crate) fn apply(
    config: &mut Config,
    lookup: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<(), ConfigError> {
    for variable in VARIABLES {
        let Some(value) = lookup(variable).filter(|value| !value.is_empty()) else { continue };
        set(config, variable, &value).map_err(|Fault { expected, .. }| {
            let value = if is_secret(variable) { &b"(hidden)"[..] } else { &value };
            ConfigError::general(format!(
                "Invalid environment variable {variable}='{}': {expected}",
                String::from_utf8_lossy(value)
            ))
        })?;
    }
    Ok(())
}

/// Whether the value of the variable must not be shown.
pub(crate) fn is_secret(variable: &str) -> bool {
    variable.contains("PASSWORD") || variable.contains("TOKEN")
}

/// Sets what one variable says, or nothing.
pub(crate) fn set(config: &mut Config, variable: &'static str, value: &[u8]) -> Result<(), Fault> {
    let result = match variable {
        "REDUST_ADDR" => addr(config, value),
        "REDUST_RDB_PATH" => rdb_path(config, value),
        "REDUST_RDB_AUTO_SAVE_SECS" => auto_save(config, value),
        "REDUST_MAXMEMORY_BYTES" => max_memory(config, value),
        "REDUST_METRICS_ADDR" => metrics_addr(config, value),
        "REDUST_UNAVAILABLE_DIRECTIVES" => unavailable(config, value),
        _ => {
            config.acl.require_pass = value.to_vec();
            Ok(())
        }
    };
    result.map_err(|expected| Fault { variable, expected })
}

/// Of `set`, the variables of the environment, those that look like ours and are not, with the one
/// that was perhaps meant.
pub(crate) fn unknown<'a>(
    set: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(&'a str, Option<&'static str>)> {
    let mut found: Vec<_> = set
        .filter(|(name, value)| {
            name.starts_with("REDUST_")
                && !VARIABLES.contains(name)
                && !name.starts_with("REDUST_BACKUP_")
                && !is_of_service(name, value)
        })
        .map(|(name, _)| (name, nearest(name.as_bytes(), VARIABLES.into_iter())))
        .collect();
    found.sort_unstable();
    found
}

/// Kubernetes tells every container where the services are, that called `redust` too.
fn is_of_service(name: &str, value: &[u8]) -> bool {
    let has = |part: &str| name.contains(part);
    has("_SERVICE_HOST")
        || has("_SERVICE_PORT")
        || (has("_PORT_") && (has("_TCP") || has("_UDP")))
        || (name.ends_with("_PORT") && value.windows(3).any(|part| part == b"://"))
}

fn addr(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    const EXPECTED: &str = "must be host:port, [address]:port or unix:/path";
    if let Some(path) = value.strip_prefix(b"unix:") {
        if !path.starts_with(b"/") {
            return Err(EXPECTED);
        }
        config.net.unix_socket = path.to_vec();
        config.net.port = 0;
        return Ok(());
    }
    let (host, port) = host_and_port(value).ok_or(EXPECTED)?;
    config.net.port = port;
    if !host.is_empty() {
        config.net.bind = vec![host.to_vec()];
    }
    Ok(())
}

fn metrics_addr(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    let (host, port) = host_and_port(value).ok_or("must be host:port or [address]:port")?;
    config.metrics.port = port;
    if !host.is_empty() {
        config.metrics.bind = vec![host.to_vec()];
    }
    Ok(())
}

/// The parts of `host:port`; the host may be empty, and an IPv6 address stands in brackets.
fn host_and_port(value: &[u8]) -> Option<(&[u8], u16)> {
    let colon = value.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = (&value[..colon], &value[colon + 1..]);
    let host = match host {
        [b'[', host @ .., b']'] => host,
        // An IPv6 address without brackets would lose its last group to the port.
        _ if host.contains(&b':') => return None,
        _ => host,
    };
    let port = num::parse_i64(port).and_then(|port| u16::try_from(port).ok())?;
    let odd = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b']');
    (!host.iter().any(odd)).then_some((host, port))
}

fn rdb_path(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    const EXPECTED: &str = "must be the path of a file in an existing directory";
    let (dir, name) = match value.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&b"/"[..], &value[1..]),
        Some(slash) => (&value[..slash], &value[slash + 1..]),
        None => (&b""[..], value),
    };
    let plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'\\');
    if !plain || !(dir.is_empty() || to_path(dir).is_dir()) {
        return Err(EXPECTED);
    }
    config.snapshot.file_name = name.to_vec();
    if !dir.is_empty() {
        config.process.dir = dir.to_vec();
    }
    Ok(())
}

fn auto_save(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    let seconds = num::parse_i64(value).and_then(|n| u32::try_from(n).ok());
    let seconds = seconds.ok_or("must be a number of seconds, 0 for never")?;
    let point = SavePoint { seconds: u64::from(seconds), changes: 1 };
    config.snapshot.save_points = if seconds == 0 { Vec::new() } else { vec![point] };
    Ok(())
}

fn max_memory(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    config.memory.max_memory =
        num::parse_memory(value).ok_or("must be an amount of memory, such as 100mb")?;
    Ok(())
}

fn unavailable(config: &mut Config, value: &[u8]) -> Result<(), &'static str> {
    config.process.unavailable = match value {
        b"stop" => Unavailable::Stop,
        b"warn" => Unavailable::Warn,
        _ => return Err("must be stop or warn"),
    };
    Ok(())
}

#[cfg(test)]
mod tests;
