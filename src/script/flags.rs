//! The first line of a script or a library, and the flags of what it holds.
//!
//! ```text
//!   #!lua flags=no-writes,allow-stale        a script
//!   #!lua name=mylib                         a library; its functions have flags of their own
//! ```

use crate::util::split::split_args;

/// What a script or a function promises or asks for; a set of bits.
pub(crate) type Flags = u8;
pub(crate) const NO_WRITES: Flags = 1;
pub(crate) const ALLOW_OOM: Flags = 1 << 1;
pub(crate) const ALLOW_STALE: Flags = 1 << 2;
pub(crate) const NO_CLUSTER: Flags = 1 << 3;
pub(crate) const ALLOW_CROSS_SLOT: Flags = 1 << 4;
/// A script without such a line: its flags are those of the commands that run it.
pub(crate) const COMPAT: Flags = 1 << 7;

/// The names, in the order in which they are listed.
pub(crate) const ALL: &[(&str, Flags)] = &[
    ("no-writes", NO_WRITES),
    ("allow-oom", ALLOW_OOM),
    ("allow-stale", ALLOW_STALE),
    ("no-cluster", NO_CLUSTER),
    ("allow-cross-slot-keys", ALLOW_CROSS_SLOT),
];

/// The flag of a name, written exactly so.
fn named(name: &[u8]) -> Option<Flags> {
    ALL.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| *flag)
}

/// The flag of a name in any case.
pub(crate) fn named_in_any_case(name: &[u8]) -> Option<Flags> {
    named(&name.to_ascii_lowercase())
}

/// The flags of a script, and how many bytes its first line takes (without the line's end, so that
/// the lines that follow keep their numbers). The error is a message without a code.
pub(crate) fn of_script(text: &[u8]) -> Result<(Flags, usize), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Ok((COMPAT, 0));
    }
    let Some(len) = memchr::memchr(b'\n', text) else {
        return Err(b"Invalid script shebang".to_vec());
    };
    let words = split_args(&text[..len]).unwrap_or_default();
    let Some((engine, options)) = words.split_first() else {
        return Err(b"Invalid engine in script shebang".to_vec());
    };
    if engine != b"#!lua" {
        return Err([b"Unexpected engine in script shebang: ", &engine[..]].concat());
    }
    let mut flags = 0;
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err([b"Unknown lua shebang option: ", &option[..]].concat());
        };
        // Compat: nothing behind the sign names no flag.
        for name in names.split(|c| *c == b',').filter(|_| !names.is_empty()) {
            match named(name) {
                Some(flag) => flags |= flag,
                None => return Err([b"Unexpected flag in script shebang: ", name].concat()),
            }
        }
    }
    Ok((flags, len))
}

/// The name of a library, and where its code begins: at the end of the first line.
pub(crate) fn of_library(text: &[u8]) -> Result<(Vec<u8>, usize), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Err(b"Missing library metadata".to_vec());
    }
    let Some(len) = memchr::memchr(b'\n', text) else {
        return Err(b"Invalid library metadata".to_vec());
    };
    let words = split_args(&text[..len]).unwrap_or_default();
    let Some((engine, options)) = words.split_first() else {
        return Err(b"Invalid library metadata".to_vec());
    };
    let mut name = None;
    for option in options {
        match option.split_at_checked(5) {
            Some((key, _)) if !key.eq_ignore_ascii_case(b"name=") => {}
            Some(_) if name.is_some() => {
                let text = b"Invalid metadata value, name argument was given multiple times";
                return Err(text.to_vec());
            }
            Some((_, value)) => {
                name = Some(value.to_vec());
                continue;
            }
            None => {}
        }
        return Err([b"Invalid metadata value given: ", &option[..]].concat());
    }
    let Some(name) = name else { return Err(b"Library name was not given".to_vec()) };
    if !is_name(&name) {
        return Err(BAD_NAME.to_vec());
    }
    let engine = engine.get(2..).unwrap_or_default();
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"Engine '", engine, b"' not found"].concat());
    }
    Ok((name, len))
}

pub(crate) const BAD_NAME: &[u8] = b"Library names can only contain letters, numbers, or \
    underscores(_) and must be at least one character long";

/// Whether a library or a function may have this name.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_script_names_its_flags() {
        assert_eq!(of_script(b"return 1"), Ok((COMPAT, 0)));
        assert_eq!(of_script(b"#!lua\nreturn 1"), Ok((0, 5)));
        let text = b"#!lua flags=no-writes,allow-oom flags=allow-stale\n";
        assert_eq!(of_script(text), Ok((NO_WRITES | ALLOW_OOM | ALLOW_STALE, text.len() - 1)));
        for (text, wrong) in [
            (&b"#!lua"[..], "Invalid script shebang"),
            (b"#!not-lua\n", "Unexpected engine in script shebang: #!not-lua"),
            (b"#!lua name=x\n", "Unknown lua shebang option: name=x"),
            (b"#!lua flags=bad\n", "Unexpected flag in script shebang: bad"),
        ] {
            assert_eq!(of_script(text), Err(wrong.as_bytes().to_vec()));
        }
    }

    #[test]
    fn the_first_line_of_a_library_names_it() {
        assert_eq!(of_library(b"#!lua name=my_lib\nx"), Ok((b"my_lib".to_vec(), 17)));
        for (text, wrong) in [
            (&b"x"[..], "Missing library metadata"),
            (b"#!lua name=x", "Invalid library metadata"),
            (b"#!lua\n", "Library name was not given"),
            (
                b"#!lua name=a name=b\n",
                "Invalid metadata value, name argument was given multiple times",
            ),
            (b"#!lua foo=bar\n", "Invalid metadata value given: foo=bar"),
            (b"#!lua x\n", "Invalid metadata value given: x"),
            (b"#!js name=a\n", "Engine 'js' not found"),
        ] {
            assert_eq!(of_library(text), Err(wrong.as_bytes().to_vec()));
        }
    }
}
