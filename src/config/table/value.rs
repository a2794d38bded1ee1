//! Values from and to text, by the kind of their row.

use super::{Empty, Kind, Lines, MULTI, Reason, Row, Setting, Unit};
use crate::config::Config;
use crate::util::{num, split};

/// The value as CONFIG GET shows it.
pub(super) fn print(kind: &Kind, config: &Config) -> Vec<u8> {
    match kind {
        Kind::Bool { get, .. } => yes_no(get(config)).to_vec(),
        Kind::Int { get, unit, .. } => print_int(get(config), *unit),
        Kind::Text { get, .. } => get(config).clone(),
        Kind::Choice { get, names, .. } => print_choice(get(config), names).to_vec(),
        Kind::Flags { get, names, .. } => print_flags(get(config), names),
        Kind::Special(special) => (special.get)(config),
    }
}

fn yes_no(value: bool) -> &'static [u8] {
    if value { b"yes" } else { b"no" }
}

fn print_int(value: i128, unit: Unit) -> Vec<u8> {
    match unit {
        Unit::Octal => format!("{value:o}"),
        Unit::MemoryOrPercent if value < 0 => format!("{}%", -value),
        _ => value.to_string(),
    }
    .into_bytes()
}

fn print_choice(value: u32, names: &[(&'static str, u32)]) -> &'static [u8] {
    names
        .iter()
        .find(|(_, number)| *number == value)
        .map_or(b"unknown", |(name, _)| name.as_bytes())
}

fn print_flags(value: u32, names: &[(&'static str, u32)]) -> Vec<u8> {
    if names.iter().any(|(_, bits)| *bits == value) {
        return print_choice(value, names).to_vec();
    }
    let set: Vec<&[u8]> = names
        .iter()
        .filter(|(_, bit)| *bit != 0 && value & bit == *bit)
        .map(|(name, _)| name.as_bytes())
        .collect();
    set.join(&b' ')
}

/// The arguments of the directive's lines in a rewritten file, see [`Row::lines`].
pub(super) fn lines(kind: &Kind, config: &Config, defaults: &Config) -> Lines {
    let text = match kind {
        Kind::Special(special) => return (special.lines)(config),
        Kind::Text { get, empty: Empty::Unset, .. } if get(config).is_empty() => return Vec::new(),
        Kind::Text { get, .. } => split::repr(get(config)),
        Kind::Int { get, unit: Unit::Memory | Unit::MemoryOrPercent, .. } if get(config) >= 0 => {
            memory(get(config) as u64)
        }
        _ => print(kind, config),
    };
    vec![(text, print(kind, config) != print(kind, defaults))]
}

/// An amount of memory in the largest unit that divides it.
pub(super) fn memory(bytes: u64) -> Vec<u8> {
    let unit = [(30, "gb"), (20, "mb"), (10, "kb")]
        .into_iter()
        .find(|(shift, _)| bytes != 0 && bytes.trailing_zeros() >= *shift);
    match unit {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => bytes.to_string(),
    }
    .into_bytes()
}

/// Checks the arguments of a directive and stores what they say, or changes nothing.
pub(super) fn parse(
    row: &Row,
    config: &mut Config,
    args: &[&[u8]],
    setting: &mut Setting,
) -> Result<(), Reason> {
    let arg = match args {
        [arg] => arg,
        _ if row.is(MULTI) => &&b""[..],
        _ => return Err("wrong number of arguments".into()),
    };
    match &row.kind {
        Kind::Bool { set, .. } => {
            set(config, parse_bool(arg)?);
        }
        Kind::Int { set, min, max, unit, .. } => set(config, parse_int(arg, *min, *max, *unit)?),
        Kind::Text { get_mut, check, .. } => {
            check(arg)?;
            // Compat: but for passwords, texts are C strings, which end at a zero.
            let whole = matches!(row.name, "requirepass" | "masterauth");
            let end = arg.iter().position(|byte| *byte == 0).filter(|_| !whole);
            *get_mut(config) = arg[..end.unwrap_or(arg.len())].to_vec();
        }
        Kind::Choice { set, names, .. } => set(config, parse_words(&[arg], names)?),
        Kind::Flags { set, names, check, .. } => {
            let value = parse_words(args, names)?;
            check(value)?;
            set(config, value);
        }
        Kind::Special(special) => (special.set)(config, args, setting)?,
    }
    Ok(())
}

fn parse_bool(arg: &[u8]) -> Result<bool, Reason> {
    if arg.eq_ignore_ascii_case(b"yes") {
        return Ok(true);
    }
    if arg.eq_ignore_ascii_case(b"no") {
        return Ok(false);
    }
    Err("argument must be 'yes' or 'no'".into())
}

/// All words must be known; the result is the union of their bits.
fn parse_words(args: &[&[u8]], names: &[(&'static str, u32)]) -> Result<u32, Reason> {
    let known = |arg: &&[u8]| {
        names.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(arg)).map(|(_, v)| *v)
    };
    let values: Option<Vec<u32>> = args.iter().map(known).collect();
    match values {
        Some(values) if !values.is_empty() => Ok(values.iter().fold(0, |all, v| all | v)),
        _ => {
            let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            Err(format!("argument(s) must be one of the following: {}", list.join(", ")).into())
        }
    }
}

fn parse_int(arg: &[u8], min: i128, max: i128, unit: Unit) -> Result<i128, Reason> {
    let memory = || num::parse_memory(arg).map(i128::from);
    let value = match unit {
        Unit::None => num::parse_i64(arg).map(i128::from),
        Unit::Memory => memory(),
        Unit::MemoryOrPercent => memory().or_else(|| parse_percent(arg)),
        Unit::Octal => parse_octal(arg),
    };
    match (value, unit) {
        // Compat: as in Redis, what is too large for memory is taken for a percentage.
        (Some(value), Unit::MemoryOrPercent) if value < min || value > max => {
            Err(format!("percentage argument must be less or equal to {}", -min).into())
        }
        (Some(value), Unit::Octal) if value < min || value > max => {
            Err(format!("argument must be between {min:o} and {max:o} inclusive").into())
        }
        (Some(value), _) if value < min || value > max => {
            Err(format!("argument must be between {min} and {max} inclusive").into())
        }
        (Some(value), _) => Ok(value),
        (None, Unit::None) => Err("argument couldn't be parsed into an integer".into()),
        (None, Unit::Memory) => Err("argument must be a memory value".into()),
        (None, Unit::MemoryOrPercent) => Err("argument must be a memory or percent value".into()),
        (None, Unit::Octal) => Err("argument couldn't be parsed as an octal number".into()),
    }
}

fn parse_percent(arg: &[u8]) -> Option<i128> {
    let percent = num::parse_i64(arg.strip_suffix(b"%")?)?;
    (percent >= 0).then_some(-i128::from(percent))
}

fn parse_octal(arg: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(arg).ok()?.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    i64::from_str_radix(text, 8).ok().map(i128::from)
}
