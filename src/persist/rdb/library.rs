//! Function libraries as a snapshot carries them: source text whose first line says what it is.
//!
//! ```text
//!   #!lua name=mylib
//!   redis.register_function(...)
//! ```
//!
//! Scripts don't run here yet, so the text is kept and written again as it came. Its first line is
//! checked all the same, since a library without a name could be neither listed nor replaced.

use crate::util::split::split_args;

/// A library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Letters, digits and underscores.
    pub name: Vec<u8>,
    /// The whole text.
    pub code: Vec<u8>,
}

impl Library {
    /// The library that `code` is, or what is wrong with its first line.
    pub fn new(code: Vec<u8>) -> Result<Library, &'static str> {
        let name = name(&code)?;
        Ok(Library { name, code })
    }
}

fn name(code: &[u8]) -> Result<Vec<u8>, &'static str> {
    const INVALID: &str = "Invalid library metadata";
    let rest = code.strip_prefix(b"#!").ok_or("Missing library metadata")?;
    let line = rest.split(|b| *b == b'\n').next().filter(|line| line.len() < rest.len());
    let words = split_args(line.ok_or(INVALID)?).map_err(|_| INVALID)?;
    let (engine, arguments) = words.split_first().ok_or(INVALID)?;
    let mut name = None;
    for argument in arguments {
        match argument.split_at_checked(5) {
            Some((key, value)) if key.eq_ignore_ascii_case(b"name=") && name.is_none() => {
                name = Some(value);
            }
            _ => return Err("Invalid metadata value of a library"),
        }
    }
    let name = name.ok_or("Library name was not given")?;
    if name.is_empty() || !name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        return Err("Invalid name of a library");
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err("Unknown engine of a library");
    }
    Ok(name.to_vec())
}

/// Adds `library` to `all`. If there is one of that name, it is replaced if `replace`; otherwise it
/// is an error.
pub(crate) fn add(
    all: &mut Vec<Library>,
    library: Library,
    replace: bool,
) -> Result<(), &'static str> {
    match all.iter_mut().find(|known| known.name == library.name) {
        Some(known) if replace => *known = library,
        Some(_) => return Err("Library already exists"),
        None => all.push(library),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_a_library() {
        let name = |code: &[u8]| Library::new(code.to_vec()).map(|library| library.name);
        assert_eq!(name(b"#!lua name=my_lib1\nredis.x()"), Ok(b"my_lib1".to_vec()));
        assert_eq!(name(b"#!LUA  NAME='a'\n"), Ok(b"a".to_vec()));
        for (code, wrong) in [
            (b"".as_slice(), "Missing library metadata"),
            (b"redis.register_function()", "Missing library metadata"),
            (b"#!lua name=a", "Invalid library metadata"),
            (b"#!lua name='a\n", "Invalid library metadata"),
            (b"#!\n", "Invalid library metadata"),
            (b"#!lua\n", "Library name was not given"),
            (b"#!lua name=a name=b\n", "Invalid metadata value of a library"),
            (b"#!lua desc=a\n", "Invalid metadata value of a library"),
            (b"#!lua name=\n", "Invalid name of a library"),
            (b"#!lua name=a-b\n", "Invalid name of a library"),
            (b"#!js name=a\n", "Unknown engine of a library"),
        ] {
            assert_eq!(name(code), Err(wrong), "{}", code.escape_ascii());
        }
    }

    #[test]
    fn a_name_is_there_once() {
        let library = |code: &[u8]| Library::new(code.to_vec()).expect("sound");
        let (old, new) = (library(b"#!lua name=a\n1"), library(b"#!lua name=a\n2"));
        let mut all = Vec::new();
        assert_eq!(add(&mut all, old.clone(), false), Ok(()));
        assert_eq!(add(&mut all, library(b"#!lua name=b\n"), false), Ok(()));
        assert!(add(&mut all, new.clone(), false).is_err());
        assert_eq!(all[0], old);
        assert_eq!(add(&mut all, new.clone(), true), Ok(()));
        assert_eq!((all.len(), &all[0]), (2, &new));
    }
}
