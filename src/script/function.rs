//! Libraries of functions: what they hold, and how one is loaded.
//!
//! A library is text. Running it registers its functions, which stay in the interpreter. Names of
//! functions are unique over all libraries, in whatever case they are written.
//!
//! Invariant: `by_name` has each function of each library by its name in lower case, and nothing
//! else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::time::{Duration, Instant};

use super::bridge::{Host, Kept, Kind, Raise, Registration, Stack, State, With};
use super::convert;
use super::flags::{self, Flags};
use crate::resp::reply::Reply;

/// A library that takes longer to load is refused.
const LOAD_TIME: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Function {
    pub description: Option<Vec<u8>>,
    pub flags: Flags,
    pub callback: Kept,
}

#[derive(Debug)]
pub(crate) struct Library {
    pub name: Vec<u8>,
    /// The whole text.
    pub code: Vec<u8>,
    pub functions: BTreeMap<Vec<u8>, Function>,
}

/// All libraries.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    by_library: BTreeMap<Vec<u8>, Library>,
    by_name: HashMap<Vec<u8>, (Kept, Flags)>,
}

impl Libraries {
    /// The function of a name in any case: what to call, and its flags.
    pub(crate) fn function(&self, name: &[u8]) -> Option<(Kept, Flags)> {
        match self.by_name.get(name) {
            Some(found) => Some(*found),
            None => self.by_name.get(&name.to_ascii_lowercase()).copied(),
        }
    }

    pub(crate) fn functions(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_library.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Library> + Clone {
        self.by_library.values()
    }

    /// All of them, taken apart.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Library> {
        self.by_library.into_values()
    }

    /// The name of the library that `code` is; an error if it has none, or if the name is taken.
    pub(crate) fn check_name(&self, code: &[u8], replace: bool) -> Result<Vec<u8>, Vec<u8>> {
        let (name, _) = flags::of_library(code)?;
        match self.by_library.contains_key(&name) && !replace {
            true => Err(Self::taken(&name)),
            false => Ok(name),
        }
    }

    fn taken(name: &[u8]) -> Vec<u8> {
        [b"Library '", name, b"' already exists"].concat()
    }

    /// Bytes that names and texts take; what Lua made of them is not counted.
    pub(crate) fn bytes(&self) -> usize {
        let of_function = |(name, f): (&Vec<u8>, &Function)| {
            2 * name.len()
                + f.description.as_ref().map_or(0, Vec::len)
                + size_of::<(Vec<u8>, Function)>()
                + size_of::<(Vec<u8>, (Kept, Flags))>()
        };
        let of_library = |library: &Library| {
            size_of::<(Vec<u8>, Library)>()
                + 2 * library.name.len()
                + library.code.len()
                + library.functions.iter().map(of_function).sum::<usize>()
        };
        self.iter().map(of_library).sum()
    }

    /// Adds a library. If it can't be, nothing has changed, and the library comes back with why.
    pub(crate) fn add(
        &mut self,
        library: Library,
        replace: bool,
    ) -> Result<Option<Library>, (Library, Vec<u8>)> {
        self.add_all(vec![library], replace, Self::taken)
            .map(|mut replaced| replaced.pop())
            .map_err(|(mut libraries, why)| match libraries.pop() {
                Some(library) => (library, why),
                None => unreachable!("those that came go back"),
            })
    }

    /// Adds libraries, all or none. Those that they replace come out.
    pub(crate) fn add_all(
        &mut self,
        new: Vec<Library>,
        replace: bool,
        exists: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<Library>, (Vec<Library>, Vec<u8>)> {
        if !replace && let Some(known) = new.iter().find(|l| self.by_library.contains_key(&l.name))
        {
            let why = exists(&known.name);
            return Err((new, why));
        }
        let old: Vec<Library> =
            new.iter().filter_map(|library| self.remove(&library.name)).collect();
        let taken = new.iter().flat_map(|library| library.functions.keys());
        if let Some(name) =
            taken.clone().find(|name| self.by_name.contains_key(&name.to_ascii_lowercase()))
        {
            let why = [b"Function ", &name[..], b" already exists"].concat();
            for library in old {
                self.link(library);
            }
            return Err((new, why));
        }
        for library in new {
            self.link(library);
        }
        Ok(old)
    }

    fn link(&mut self, library: Library) {
        for (name, function) in &library.functions {
            self.by_name.insert(name.to_ascii_lowercase(), (function.callback, function.flags));
        }
        self.by_library.insert(library.name.clone(), library);
    }

    /// Takes a library out. Its functions are to be released in their interpreter.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.by_library.remove(name)?;
        for name in library.functions.keys() {
            self.by_name.remove(&name.to_ascii_lowercase());
        }
        Some(library)
    }
}

/// Releases the functions of a library that is not used any more.
pub(crate) fn release(state: &mut State, library: Library) {
    for function in library.functions.into_values() {
        state.release(function.callback);
    }
}

/// Compiles and runs the text of a library. `hurry`: it has half a second. The error is a message
/// without a code.
pub(crate) fn load(state: &mut State, code: &[u8], hurry: bool) -> Result<Library, Vec<u8>> {
    let (name, skip) = flags::of_library(code)?;
    let shown = crate::resp::errors::shown;
    let chunk = state
        .compile(&code[skip..], c"@user_function")
        .map_err(|message| [b"Error compiling function: ", shown(&message)].concat())?;
    let mut loader =
        Loader { functions: BTreeMap::new(), until: hurry.then(|| Instant::now() + LOAD_TIME) };
    let result = state.run(&chunk, With::Loading, true, &mut loader, |_, _| {});
    state.release(chunk);
    let library = Library { name, code: code.to_vec(), functions: loader.functions };
    let why = match result {
        Ok(()) if !library.functions.is_empty() => return Ok(library),
        Ok(()) => b"No functions registered".to_vec(),
        Err(failure) => {
            let mut message = failure.message.unwrap_or_else(|| b"(null)".to_vec());
            if failure.bare {
                message.splice(0..0, *b"ERR ");
            }
            [b"Error registering functions: ", shown(&message)].concat()
        }
    };
    release(state, library);
    Err(why)
}

/// Takes the functions of the library that is being loaded.
struct Loader {
    functions: BTreeMap<Vec<u8>, Function>,
    until: Option<Instant>,
}

impl Host for Loader {
    fn call(&mut self, _: &[&[u8]], _: &mut Reply) -> Result<(), Vec<u8>> {
        Err(b"redis.call() can only be called inside a script invocation".to_vec())
    }

    fn set_resp3(&mut self, _: bool) {}

    fn set_repl(&mut self, _: u8) {}

    fn may_call(&mut self, _: &[&[u8]]) -> Option<bool> {
        None
    }

    fn take_reply(&mut self) -> Reply {
        Reply::default()
    }

    fn give_reply(&mut self, _: Reply) {}

    fn interrupt(&mut self) -> Option<&'static CStr> {
        let late = self.until.is_some_and(|until| Instant::now() > until);
        late.then_some(c"ERR FUNCTION LOAD timeout")
    }

    fn register(&mut self, new: Registration) -> Result<(), (Vec<u8>, Kept)> {
        if !flags::is_name(&new.name) {
            return Err((flags::BAD_NAME.to_vec(), new.callback));
        }
        match self.functions.entry(new.name) {
            Entry::Occupied(_) => {
                Err((b"Function already exists in the library".to_vec(), new.callback))
            }
            Entry::Vacant(place) => {
                let Registration { description, callback, flags, .. } = new;
                place.insert(Function { description, flags, callback });
                Ok(())
            }
        }
    }
}

/// `redis.register_function(name, callback)`, or a table of named arguments.
pub(super) fn register(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let result = match stack.len() {
        1 => named(stack),
        2 => positional(stack),
        _ => Err(&b"wrong number of arguments to redis.register_function"[..]),
    };
    let why = match result {
        Err(why) => why.to_vec(),
        Ok(function) => match stack.host() {
            None => b"redis.register_function can only be called on FUNCTION LOAD command".to_vec(),
            Some(host) => match host.register(function) {
                Ok(()) => return Ok(0),
                Err((why, callback)) => {
                    stack.release(callback);
                    why
                }
            },
        },
    };
    stack.reserve(3)?;
    convert::push_error_value(stack, &why);
    Err(Raise::Value)
}

type Read = Result<Registration, &'static [u8]>;

fn positional(stack: &mut Stack<'_>) -> Read {
    let name = stack
        .check_string(1)
        .map_err(|_| &b"first argument to redis.register_function must be a string"[..])?;
    if stack.kind(2) != Kind::Function {
        return Err(b"second argument to redis.register_function must be a function");
    }
    Ok(Registration { name: name.to_vec(), description: None, callback: stack.keep(2), flags: 0 })
}

fn named(stack: &mut Stack<'_>) -> Read {
    if stack.kind(1) != Kind::Table {
        return Err(
            b"calling redis.register_function with a single argument is only applicable to \
                     Lua table (representing named arguments).",
        );
    }
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, 0);
    let mut wrong: &'static [u8] = b"";
    let walked = stack.each(1, |stack| {
        match argument(stack, &mut name, &mut description, &mut callback, &mut flags) {
            Ok(()) => Ok(()),
            Err(why) => {
                wrong = why;
                Err(Raise::Value)
            }
        }
    });
    let result = match (walked, name, &callback) {
        (Err(_), ..) => Err(wrong),
        (_, None, _) => Err(&b"redis.register_function must get a function name argument"[..]),
        (_, _, None) => Err(&b"redis.register_function must get a callback argument"[..]),
        (Ok(()), Some(name), Some(_)) => Ok(name),
    };
    match (result, callback) {
        (Ok(name), Some(callback)) => Ok(Registration { name, description, callback, flags }),
        (result, callback) => {
            if let Some(callback) = callback {
                stack.release(callback);
            }
            Err(result.err().unwrap_or_default())
        }
    }
}

/// Reads one named argument: its key and value are on top.
fn argument(
    stack: &mut Stack<'_>,
    name: &mut Option<Vec<u8>>,
    description: &mut Option<Vec<u8>>,
    callback: &mut Option<Kept>,
    flags: &mut Flags,
) -> Result<(), &'static [u8]> {
    let (key, value) = (stack.len() - 1, stack.len());
    let text = |stack: &mut Stack<'_>| {
        stack.push_value(value);
        let text = stack.shown(value + 1).map(<[u8]>::to_vec);
        stack.pop(1);
        text
    };
    let Some(word) = stack.bytes(key).map(<[u8]>::to_ascii_lowercase) else {
        return match stack.kind(key) {
            // A number is a name as well, but of no argument.
            Kind::Number => Err(b"unknown argument given to redis.register_function"),
            _ => Err(b"named argument key given to redis.register_function is not a string"),
        };
    };
    match &word[..] {
        b"function_name" => {
            *name = Some(text(stack).ok_or(
                &b"function_name argument given to redis.register_function must be a string"[..],
            )?);
        }
        b"description" => {
            *description = Some(text(stack).ok_or(
                &b"description argument given to redis.register_function must be a string"[..],
            )?);
        }
        b"callback" => {
            if stack.kind(value) != Kind::Function {
                return Err(
                    b"callback argument given to redis.register_function must be a function",
                );
            }
            if let Some(old) = callback.replace(stack.keep(value)) {
                stack.release(old);
            }
        }
        b"flags" => {
            if stack.kind(value) != Kind::Table {
                return Err(
                    b"flags argument to redis.register_function must be a table representing \
                             function flags",
                );
            }
            *flags = read_flags(stack, value).ok_or(&b"unknown flag given"[..])?;
        }
        _ => return Err(b"unknown argument given to redis.register_function"),
    }
    Ok(())
}

/// The flags that an array names; None if one is unknown.
fn read_flags(stack: &mut Stack<'_>, table: usize) -> Option<Flags> {
    stack.reserve(2).ok()?;
    let mut flags = 0;
    for n in 1.. {
        stack.get_at(table, n);
        let flag = match stack.top_kind() {
            Kind::Nil => {
                stack.pop(1);
                break;
            }
            _ => stack.bytes(stack.len()).and_then(flags::named_in_any_case),
        };
        stack.pop(1);
        flags |= flag?;
    }
    Some(flags)
}
