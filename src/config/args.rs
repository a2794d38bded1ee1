//! The command line.
//!
//! ```text
//! redust-server [/path/to/redis.conf] [options] [-]
//! redust-server - [options]
//! redust-server --check-config [file | -] [options] [--format text|json]
//! redust-server -v | --version | -h | --help | --test-memory <megabytes> | --check-system
//! ```
//!
//! Options are directives: `--port 7777` is turned into the line `port "7777"`, and these lines are
//! read after the file and after standard input. What follows an option up to the next one are its
//! arguments; an argument that begins with `--` itself is possible as the first one of an option.
//! An option and its arguments may also come as a single argument, `"--port 7777"`.

use super::check::report::Format;
use crate::util::split::{repr_into, split_args};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run the server.
    Run(Run),
    /// Print the version.
    Version,
    /// Print how to use the program.
    Help,
    /// Test so many megabytes of memory; without a number, explain what is missing.
    TestMemory(Option<u64>),
    /// Look for problems of this system.
    CheckSystem,
    /// Look for problems of the configuration that the rest of the command line gives.
    CheckConfig(Run, Format),
    /// Explain that the command line is wrong.
    Usage(&'static str),
}

/// How to run the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// Run as a Sentinel.
    pub sentinel: bool,
    /// The configuration file, as an absolute path.
    pub config_file: Option<PathBuf>,
    /// Whether configuration is to be read from standard input.
    pub stdin: bool,
    /// The options as lines of configuration.
    pub options: Vec<u8>,
}

/// Understands the command line `argv`, whose first element is the name of the program. Relative
/// paths start at `cwd`.
pub(crate) fn parse<S: AsRef<OsStr>>(argv: &[S], cwd: &Path) -> Action {
    let argv: Vec<&[u8]> = argv.iter().map(|arg| arg.as_ref().as_bytes()).collect();
    match argv.get(1).copied() {
        Some(b"-v" | b"--version") => return Action::Version,
        Some(b"-h" | b"--help") => return Action::Help,
        Some(b"--test-memory") => {
            let megabytes = |arg: &[u8]| std::str::from_utf8(arg).ok()?.parse().ok();
            let number = if argv.len() == 3 { megabytes(argv[2]) } else { None };
            return Action::TestMemory(number);
        }
        Some(b"--check-system") => return Action::CheckSystem,
        Some(b"--check-config") => return check_config(&argv, 1, cwd),
        // Who has a command line that starts the server adds the word to it.
        Some(file)
            if !file.starts_with(b"-")
                && argv.get(2).is_some_and(|arg| *arg == b"--check-config") =>
        {
            return check_config(&argv, 2, cwd);
        }
        _ => {}
    }
    Action::Run(run(&argv, cwd))
}

/// The command line as if `--check-config`, its argument number `at`, were not there; but for the
/// form of the report.
fn check_config(argv: &[&[u8]], at: usize, cwd: &Path) -> Action {
    let mut rest = argv.to_vec();
    rest.remove(at);
    let mut format = Format::Text;
    while let Some(at) = rest.iter().position(|arg| *arg == b"--format") {
        format = match rest.get(at + 1).copied() {
            Some(b"text") => Format::Text,
            Some(b"json") => Format::Json,
            _ => return Action::Usage("--format needs 'text' or 'json'"),
        };
        rest.drain(at..at + 2);
    }
    Action::CheckConfig(run(&rest, cwd), format)
}

fn run(argv: &[&[u8]], cwd: &Path) -> Run {
    let mut run = Run { sentinel: is_sentinel(argv), ..Run::default() };
    let mut rest = argv.get(1..).unwrap_or_default();
    if let [file, after @ ..] = rest
        && !file.starts_with(b"-")
    {
        run.config_file = Some(from(cwd, file));
        rest = after;
    }
    let options = Options::parse(rest, run.config_file.is_none());
    Run { stdin: options.stdin, options: options.text, ..run }
}

/// `file` as seen from `cwd`. Each `../` that it begins with takes the last element away, so that
/// the path reads well.
fn from(cwd: &Path, mut file: &[u8]) -> PathBuf {
    let mut base = cwd;
    if !file.starts_with(b"/") {
        while let Some(rest) = file.strip_prefix(b"../") {
            base = base.parent().unwrap_or(base);
            file = rest;
        }
    }
    base.join(OsStr::from_bytes(file))
}

/// A Sentinel is asked for by an option, or by the name of the program.
fn is_sentinel(argv: &[&[u8]]) -> bool {
    let program = argv.first().copied().unwrap_or_default();
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    [&b"redis-sentinel"[..], b"redust-sentinel", b"valkey-sentinel"]
        .iter()
        .any(|known| name.windows(known.len()).any(|part| part == *known))
        || argv.iter().skip(1).any(|arg| *arg == b"--sentinel")
}

struct Options {
    text: Vec<u8>,
    stdin: bool,
}

impl Options {
    /// Turns options into lines. `first` says whether `args` begins with the very first argument.
    fn parse(args: &[&[u8]], first: bool) -> Options {
        let mut options = Options { text: Vec::new(), stdin: false };
        // Whether the last option has an argument: if not, the next argument is one, dashes or not.
        let mut complete = true;
        for (i, &arg) in args.iter().enumerate() {
            let next = args.get(i + 1);
            if arg == b"-" && ((first && i == 0) || next.is_none()) {
                options.stdin = true;
            } else if complete && arg.starts_with(b"--") {
                complete = options.name(arg, next);
            } else {
                repr_into(&mut options.text, arg);
                options.text.push(b' ');
                complete = true;
            }
        }
        options
    }

    /// Begins a line. Returns whether the option needs no argument any more.
    fn name(&mut self, arg: &[u8], next: Option<&&[u8]>) -> bool {
        if !self.text.is_empty() {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(&arg[2..]);
        self.text.push(b' ');
        if !split_args(arg).is_ok_and(|words| words.len() == 1) {
            return true;
        }
        // These two may stand alone; scripts that join lists of save points rely on it.
        let alone = next.is_none_or(|next| next.starts_with(b"--"));
        if alone && arg.eq_ignore_ascii_case(b"--save") {
            self.text.extend_from_slice(b"\"\"");
            return true;
        }
        alone && arg.eq_ignore_ascii_case(b"--sentinel")
    }
}

#[cfg(test)]
mod tests;
