//! What scripts find under `redis` (and `server`), and what of the libraries is ours.

use super::bridge::{Kind, Member, Raise, Stack, State};
use super::convert;
use crate::sys::log::{self, Level};
use crate::util::num;

/// Levels of the log, as scripts number them.
const LEVELS: [Level; 4] = [Level::Debug, Level::Verbose, Level::Notice, Level::Warning];
/// Bits of `set_repl`.
pub(crate) const REPL_AOF: u8 = 1;
pub(crate) const REPL_REPLICA: u8 = 2;
pub(crate) const REPL_ALL: u8 = REPL_AOF | REPL_REPLICA;

/// The names of the API: Redis's, and the one that Valkey gave it beside that.
pub(crate) const NAMES: [&str; 2] = ["redis", "server"];

const COMMON: &[(&str, Member)] = &[
    ("log", Member::call(write_log)),
    ("LOG_DEBUG", Member::Number(0.0)),
    ("LOG_VERBOSE", Member::Number(1.0)),
    ("LOG_NOTICE", Member::Number(2.0)),
    ("LOG_WARNING", Member::Number(3.0)),
];

const RUNNING: &[(&str, Member)] = &[
    ("call", Member::call(call)),
    ("pcall", Member::call(pcall)),
    ("setresp", Member::call(set_resp)),
    ("sha1hex", Member::call(sha1hex)),
    ("error_reply", Member::call(error_reply)),
    ("status_reply", Member::call(status_reply)),
    ("set_repl", Member::call(set_repl)),
    ("REPL_NONE", Member::Number(0.0)),
    ("REPL_AOF", Member::Number(REPL_AOF as f64)),
    ("REPL_SLAVE", Member::Number(REPL_REPLICA as f64)),
    ("REPL_REPLICA", Member::Number(REPL_REPLICA as f64)),
    ("REPL_ALL", Member::Number(REPL_ALL as f64)),
    ("acl_check_cmd", Member::call(acl_check_cmd)),
];

/// What only scripts have, not functions.
const SCRIPTS: &[(&str, Member)] = &[
    ("breakpoint", Member::call(breakpoint)),
    ("debug", Member::call(debug)),
    ("replicate_commands", Member::call(replicate_commands)),
];

/// What a library sees while it is loaded.
const LOADING: &[(&str, Member)] =
    &[("register_function", Member::call(super::function::register))];

/// The version of Redis that scripts are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub text: &'static str,
    /// Major, minor and patch, a byte each.
    pub number: u32,
}

impl Version {
    fn members(self) -> [(&'static str, Member); 2] {
        [
            ("REDIS_VERSION", Member::Text(self.text)),
            ("REDIS_VERSION_NUM", Member::Number(f64::from(self.number))),
        ]
    }
}

fn common(limit: usize, version: Version) -> State {
    let mut state = State::new(limit);
    state.add("redis", COMMON);
    state.add("redis", &version.members());
    state.add("redis", RUNNING);
    state.add("math", &[("random", Member::call(random)), ("randomseed", Member::call(seed))]);
    state.add_module("cjson", super::cjson::MEMBERS, super::cjson::DEFAULTS);
    state.add("struct", super::structs::MEMBERS);
    state.add("cmsgpack", super::cmsgpack::MEMBERS);
    state.add("bit", super::bit::MEMBERS);
    state.add("os", &[("clock", Member::call(clock))]);
    state.add("string", &[("dump", Member::call(dump))]);
    state
}

/// An interpreter for EVAL. `limit` is in bytes; 0: none.
pub(crate) fn for_scripts(limit: usize, version: Version) -> State {
    let mut state = common(limit, version);
    state.add("redis", SCRIPTS);
    state.alias("server", "redis");
    state.protect();
    state
}

/// An interpreter for libraries of functions.
pub(crate) fn for_functions(limit: usize, version: Version) -> State {
    let mut state = common(limit, version);
    state.alias("server", "redis");
    let members: Vec<(&str, Member)> =
        LOADING.iter().chain(COMMON).copied().chain(version.members()).collect();
    state.protect_for_libraries(&NAMES, &members);
    state
}

/// An error that is raised as a table with `err`.
fn raise(stack: &mut Stack<'_>, text: &[u8]) -> Raise {
    match stack.reserve(3) {
        Ok(()) => {
            convert::push_error_value(stack, text);
            Raise::Value
        }
        Err(e) => e,
    }
}

/// The same as a result.
fn told(stack: &mut Stack<'_>, text: &[u8]) -> Result<usize, Raise> {
    stack.reserve(3)?;
    convert::push_error_value(stack, text);
    Ok(1)
}

/// `redis.call(command, ...)`: an error of the command is raised.
fn call(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    run_command(stack, true)
}

/// `redis.pcall(command, ...)`: an error of the command is the result.
fn pcall(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    run_command(stack, false)
}

/// Arguments that need no allocation: so many of them, and so many numbers among them.
const FEW: usize = 24;
const FEW_NUMBERS: usize = 8;
/// The longest text of a number.
const DIGITS: usize = 32;

/// Calls `f` with the arguments as texts; None if one is neither a string nor a number.
fn with_arguments<R>(
    stack: &mut Stack<'_>,
    f: impl FnOnce(&mut Stack<'_>, &[&[u8]]) -> R,
) -> Option<R> {
    let n = stack.len();
    let (mut few, mut many) = ([&b""[..]; FEW], Vec::new());
    let (mut digits, mut more_digits) = ([[0u8; DIGITS]; FEW_NUMBERS], Vec::new());
    let numbers = (1..=n).filter(|&i| stack.kind(i) == Kind::Number).count();
    let digits: &mut [[u8; DIGITS]] = if numbers <= FEW_NUMBERS {
        &mut digits
    } else {
        more_digits.resize(numbers, [0u8; DIGITS]);
        &mut more_digits
    };
    let args: &mut [&[u8]] = if n <= FEW {
        &mut few[..n]
    } else {
        many.resize(n, &b""[..]);
        &mut many
    };
    let mut digits = digits.iter_mut();
    for (i, arg) in args.iter_mut().enumerate() {
        *arg = match stack.argument(i + 1) {
            Some(text) => text,
            None if stack.kind(i + 1) == Kind::Number => {
                let room = digits.next()?;
                let len = number_text(stack.number(i + 1), room);
                &room[..len]
            }
            None => return None,
        };
    }
    Some(f(stack, args))
}

/// A number as an argument of a command: an integer without a point or an exponent where it is one.
fn number_text(n: f64, out: &mut [u8; DIGITS]) -> usize {
    // Compat: half of the range of integers.
    if n.fract() == 0.0 && n.abs() <= (i64::MAX / 2) as f64 {
        let mut digits = [0; num::MAX_I64_CHARS];
        let len = num::format_i64(&mut digits, n as i64);
        out[..len].copy_from_slice(&digits[..len]);
        return len;
    }
    let mut text = Vec::with_capacity(DIGITS);
    // Compat: what 0/0 gives has a sign on x86-64, and it is shown.
    if n.is_nan() && n.is_sign_negative() {
        text.push(b'-');
    }
    num::write_f64_grisu(&mut text, n);
    let len = text.len().min(DIGITS);
    out[..len].copy_from_slice(&text[..len]);
    len
}

fn run_command(stack: &mut Stack<'_>, raises: bool) -> Result<usize, Raise> {
    let fails = |stack: &mut Stack<'_>, text: &[u8]| match raises {
        true => Err(raise(stack, text)),
        false => told(stack, text),
    };
    if stack.len() == 0 {
        return fails(stack, b"Please specify at least one argument for this redis lib call");
    }
    let done = with_arguments(stack, |stack, args| {
        if let Some(session) = stack.session()
            && session.shows_calls()
        {
            session.log_call(args);
        }
        let host = stack.host()?;
        let mut reply = host.take_reply();
        let result = host.call(args, &mut reply);
        Some((reply, result))
    });
    let (reply, result) = match done {
        None => {
            return fails(stack, b"Lua redis lib command arguments must be strings or integers");
        }
        Some(None) => {
            return fails(stack, b"redis.call() can only be called inside a script invocation");
        }
        Some(Some(done)) => done,
    };
    let failed = match &result {
        Err(text) => {
            stack.reserve(3)?;
            // It is shown in the debugger without the code that most errors have.
            convert::push_error_value(stack, text.strip_prefix(b"-ERR ").unwrap_or(text));
            convert::mark_counted(stack);
            true
        }
        Ok(()) => {
            convert::push_reply(stack, reply.buf())?;
            if let Some(session) = stack.session()
                && session.shows_calls()
            {
                session.log_reply(reply.buf());
            }
            reply.buf().first() == Some(&b'-')
        }
    };
    if let Some(host) = stack.host() {
        host.give_reply(reply);
    }
    if failed && raises { Err(Raise::Value) } else { Ok(1) }
}

/// `redis.sha1hex(text)`.
fn sha1hex(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 {
        return Err(raise(stack, b"wrong number of arguments"));
    }
    // Compat: anything but a string or a number counts as empty.
    let text = stack.check_string(1).unwrap_or_default();
    let digest = sha1_smol::Sha1::from(text).digest().to_string();
    stack.push_bytes(digest.as_bytes());
    Ok(1)
}

/// `redis.error_reply(text)`: the table that is replied as an error.
fn error_reply(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    match (stack.len(), stack.argument(1)) {
        (1, Some(text)) => {
            let text = if text.starts_with(b"-") { text.to_vec() } else { [b"-", text].concat() };
            told(stack, &text)
        }
        _ => told(stack, b"wrong number or type of arguments"),
    }
}

/// `redis.status_reply(text)`: the table that is replied as a status.
fn status_reply(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 || stack.kind(1) != Kind::String {
        return told(stack, b"wrong number or type of arguments");
    }
    stack.push_table(0, 1);
    stack.push_value(1);
    stack.set_field(2, "ok");
    Ok(1)
}

/// `redis.setresp(version)`.
fn set_resp(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 {
        return Err(raise(stack, b"redis.setresp() requires one argument."));
    }
    let version = int_of(stack.number(1));
    if version != 2 && version != 3 {
        return Err(raise(stack, b"RESP version must be 2 or 3."));
    }
    if let Some(host) = stack.host() {
        host.set_resp3(version == 3);
    }
    Ok(0)
}

/// `redis.set_repl(flags)`.
fn set_repl(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() != 1 {
        return Err(raise(stack, b"redis.set_repl() requires one argument."));
    }
    let flags = int_of(stack.number(1));
    if flags & !i32::from(REPL_ALL) != 0 {
        let text = b"Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(raise(stack, text));
    }
    if let Some(host) = stack.host() {
        host.set_repl(flags as u8);
    }
    Ok(0)
}

/// `redis.acl_check_cmd(command, ...)`.
fn acl_check_cmd(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() == 0 {
        let text = b"Please specify at least one argument for this redis lib call";
        return Err(raise(stack, text));
    }
    let may = with_arguments(stack, |stack, args| stack.host().map(|host| host.may_call(args)));
    match may {
        None => Err(raise(stack, b"Lua redis lib command arguments must be strings or integers")),
        Some(Some(Some(may))) => {
            stack.push_boolean(may);
            Ok(1)
        }
        _ => Err(raise(stack, b"Invalid command passed to redis.acl_check_cmd()")),
    }
}

/// `redis.log(level, text, ...)`.
fn write_log(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.len() < 2 {
        return Err(raise(stack, b"redis.log() requires two arguments or more."));
    }
    if !stack.is_number(1) {
        return Err(raise(stack, b"First argument must be a number (log level)."));
    }
    let level = int_of(stack.number(1));
    let Some(&level) = usize::try_from(level).ok().and_then(|level| LEVELS.get(level)) else {
        return Err(raise(stack, b"Invalid debug level."));
    };
    if log::enabled(level) {
        let mut text = Vec::new();
        for i in 2..=stack.len() {
            if let Ok(part) = stack.check_string(i) {
                if i > 2 {
                    text.push(b' ');
                }
                text.extend_from_slice(part);
            }
        }
        log::write(level, &String::from_utf8_lossy(&text));
    }
    Ok(0)
}

/// `redis.breakpoint()`: stops at the next line if the script is debugged; whether it is.
fn breakpoint(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let session = stack.session();
    let debugged = session.is_some();
    if let Some(session) = session {
        session.stop_soon();
    }
    stack.push_boolean(debugged);
    Ok(1)
}

/// `redis.debug(...)`: shows its arguments to whoever debugs the script.
fn debug(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let Some(line) = stack.session().map(|session| session.current()) else { return Ok(0) };
    let mut text = format!("<debug> line {line}: ").into_bytes();
    for i in 1..=stack.len() {
        if i > 1 {
            text.extend_from_slice(b", ");
        }
        super::debug::show::value(stack, i, &mut text);
    }
    if let Some(session) = stack.session() {
        session.log(text);
    }
    Ok(0)
}

/// `redis.replicate_commands()`: it is always so.
fn replicate_commands(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.push_boolean(true);
    Ok(1)
}

/// `os.clock()`: seconds of processor time.
fn clock(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    stack.push_number(crate::sys::clock::process_seconds());
    Ok(1)
}

/// `string.dump(f)`: what begins bytecode, and no more of it. Nothing here would take it back, and
/// what is inside of a function is nobody's business.
fn dump(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    if stack.kind(1) != Kind::Function {
        return Err(Raise::Type(1, c"function"));
    }
    stack.push_bytes(b"\x1bLua");
    Ok(1)
}

/// `math.random([m [, n]])`, with the same numbers on every machine.
fn random(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    const MOST: f64 = i32::MAX as f64;
    let r = f64::from(stack.draw() % i32::MAX as u32) / MOST;
    let value = match stack.len() {
        0 => r,
        1 => {
            let to = int(stack, 1)?;
            if to < 1 {
                return Err(Raise::Argument(1, b"interval is empty".to_vec()));
            }
            (r * f64::from(to)).floor() + 1.0
        }
        2 => {
            let (from, to) = (int(stack, 1)?, int(stack, 2)?);
            if from > to {
                return Err(Raise::Argument(2, b"interval is empty".to_vec()));
            }
            (r * f64::from(to.wrapping_sub(from).wrapping_add(1))).floor() + f64::from(from)
        }
        _ => return Err(Raise::error("wrong number of arguments")),
    };
    stack.push_number(value);
    Ok(1)
}

/// `math.randomseed(x)`.
fn seed(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let seed = int(stack, 1)?;
    stack.seed(seed as u32);
    Ok(0)
}

/// What a conversion to an `int` of C gives on x86-64.
fn int_of(n: f64) -> i32 {
    // What is cut off may be behind the bounds.
    match n {
        n if n > -2147483649.0 && n < 2147483648.0 => n as i32,
        _ => i32::MIN,
    }
}

/// An argument as an `int` of C.
fn int(stack: &Stack<'_>, i: usize) -> Result<i32, Raise> {
    stack.check_integer(i).map(|n| n as i32)
}
