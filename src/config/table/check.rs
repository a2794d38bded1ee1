//! Conditions on single values that a type and a range can't express.
//! The texts are part of the protocol: clients and the upstream test suite match on them.

use crate::config::ShutdownFlags;
use crate::sys::process;

/// No condition.
pub(super) fn any(_: &[u8]) -> Result<(), &'static str> {
    Ok(())
}

fn is_base_name(value: &[u8]) -> bool {
    !value.iter().any(|b| matches!(b, b'/' | b'\\'))
}

/// What no `Authorization: Bearer` can show would shut everybody out.
pub(super) fn bearer(value: &[u8]) -> Result<(), &'static str> {
    if value.trim_ascii() != value || value.iter().any(u8::is_ascii_control) {
        return Err("a token can't begin or end with a blank, or contain control characters");
    }
    Ok(())
}

pub(super) fn db_filename(value: &[u8]) -> Result<(), &'static str> {
    if !is_base_name(value) {
        return Err("dbfilename can't be a path, just a filename");
    }
    Ok(())
}

pub(super) fn aof_filename(value: &[u8]) -> Result<(), &'static str> {
    match value {
        [] => Err("appendfilename can't be empty"),
        _ if !is_base_name(value) => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

pub(super) fn aof_dirname(value: &[u8]) -> Result<(), &'static str> {
    match value {
        [] => Err("appenddirname can't be empty"),
        _ if !is_base_name(value) => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

pub(super) fn hostname(value: &[u8]) -> Result<(), &'static str> {
    if value.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if !value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots");
    }
    Ok(())
}

/// nodes.conf separates its fields by some of these, and reserves the others.
pub(super) fn nodename(value: &[u8]) -> Result<(), &'static str> {
    if value.iter().any(|b| b"\0!#$%&()*+:;<>?@[]^{|}~".contains(b)) {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

/// A name that the system knows. What it says has no effect: the order is by bytes.
pub(super) fn locale(value: &[u8]) -> Result<(), &'static str> {
    if process::has_locale(value) { Ok(()) } else { Err("Invalid locale name") }
}

pub(super) fn shutdown_flags(flags: u32) -> Result<(), &'static str> {
    if flags & ShutdownFlags::SAVE != 0 && flags & ShutdownFlags::NOSAVE != 0 {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously");
    }
    Ok(())
}

/// The variables that `proc-title-template` knows.
pub(super) const TITLE_VARIABLES: [&[u8]; 7] =
    [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket", b"config-file"];

/// A template is text with `{variable}`s in it; `{{` stands for a brace. It must not come out
/// empty whatever the variables are, which a template of variables that may all be empty would.
pub(super) fn title_template(value: &[u8]) -> Result<(), &'static str> {
    const INVALID: &str = "template format is invalid or contains unknown variables";
    let mut rest = value;
    let mut some_text = false;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'{' {
            some_text |= byte != b' ';
            rest = after;
        } else if let Some(after) = after.strip_prefix(b"{") {
            some_text = true;
            rest = after;
        } else {
            let end = after.iter().position(|b| *b == b'}').ok_or(INVALID)?;
            if !TITLE_VARIABLES.contains(&&after[..end]) {
                return Err(INVALID);
            }
            // These are never empty in a running server; the others can be.
            some_text |=
                matches!(&after[..end], b"listen-addr" | b"port" | b"tls-port" | b"config-file");
            rest = &after[end + 1..];
        }
    }
    if some_text { Ok(()) } else { Err(INVALID) }
}
