//! Reading redis.conf: lines, includes, and the directives that only a file can have.
//!
//! ```text
//! defaults < environment < configuration file (with its includes) < standard input < options
//! ```
//!
//! All sources have the same form, one directive a line. They are read in this order into the same
//! [`Config`], so that the last one counts. This layer can't check everything (users, renamed
//! commands, modules, Sentinel's directives). It hands these on with their line, and whoever finds
//! a fault makes the same [`ConfigError`] of it.
//!
//! A start ends at the first error ([`load`]). `--check-config` collects them all ([`survey`]).

use super::Config;
use super::elsewhere;
use super::include;
use super::table::FILE_ONLY;
use super::table::{self, MULTI, Named, Setting};
use crate::util::near::nearest;
use crate::util::path::{join_path, os_error, to_path};
use crate::util::split::split_args;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The version that error messages show, since tools look for it.
pub const COMPAT_VERSION: &str = "7.2.6";

/// How deep includes may nest. Files that include each other end here.
const MAX_DEPTH: usize = 32;

/// How many errors [`survey`] collects: a file that is no configuration at all has one each line.
pub(crate) const MAX_ERRORS: usize = 1000;

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or a name in brackets for a source that is none.
    pub source: Arc<str>,
    /// Number of the line in it, from 1.
    pub line: usize,
    /// The line, trimmed.
    pub text: Vec<u8>,
}

/// Something that a line of the configuration said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Where.
    pub place: Place,
    /// What.
    pub value: T,
}

impl<T> Placed<T> {
    /// The fatal error that finding fault with this line amounts to.
    pub fn error(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::at(Some(&self.place), reason)
    }
}

/// A directive that was set, and the value it had after that.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    /// The directive, by the name that was used.
    pub named: Named,
    /// Its value, as CONFIG GET shows it.
    pub value: Vec<u8>,
}

/// Why the server can't start with this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The line at fault, unless it is no single line.
    pub place: Option<Place>,
    /// What is wrong with it.
    pub reason: String,
    /// The known directive that comes closest to an unknown one.
    pub suggestion: Option<&'static str>,
    /// What other versions know of an unknown one.
    pub elsewhere: Option<String>,
}

impl ConfigError {
    /// An error of the configuration as a whole.
    pub fn general(reason: impl Into<String>) -> ConfigError {
        ConfigError::at(None, reason)
    }

    /// An error of the line at `place`, or of the configuration as a whole.
    pub(crate) fn at(place: Option<&Place>, reason: impl Into<String>) -> ConfigError {
        ConfigError {
            place: place.cloned(),
            reason: reason.into(),
            suggestion: None,
            elsewhere: None,
        }
    }
}

impl std::error::Error for ConfigError {}

/// The whole message for standard error, of several lines.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n*** FATAL CONFIG FILE ERROR (Redis {COMPAT_VERSION}) ***")?;
        if let Some(Place { source, line, text }) = &self.place {
            writeln!(f, "Reading the configuration file, at line {line} of {source}")?;
            writeln!(f, ">>> '{}'", String::from_utf8_lossy(text))?;
        }
        writeln!(f, "{}", self.reason)?;
        if let Some(name) = self.suggestion {
            writeln!(f, "Did you mean '{name}'?")?;
        }
        if let Some(text) = &self.elsewhere {
            writeln!(f, "The directive is {text}")?;
        }
        Ok(())
    }
}

/// What to read.
#[derive(Debug, Default)]
pub struct Input<'a> {
    /// The configuration before the first line: the defaults, or what the environment made of them.
    pub base: Config,
    /// The configuration file.
    pub config_file: Option<&'a Path>,
    /// Configuration read from standard input.
    pub stdin: Option<&'a [u8]>,
    /// Configuration made of command-line options, a line each.
    pub options: &'a [u8],
    /// Whether `sentinel` directives are allowed.
    pub sentinel: bool,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All directives with a row in the table.
    pub config: Config,
    /// `rename-command`: the old name and the new one, which is empty to remove the command.
    pub renames: Vec<Placed<(Vec<u8>, Vec<u8>)>>,
    /// `user`: the name and the rules.
    pub users: Vec<Placed<Vec<Vec<u8>>>>,
    /// `role`: the name and the rules.
    pub roles: Vec<Placed<Vec<Vec<u8>>>>,
    /// `loadmodule`: the path and the arguments.
    pub modules: Vec<Placed<Vec<Vec<u8>>>>,
    /// Settings of modules, which have a dot in their name.
    pub module_settings: Vec<Placed<(Vec<u8>, Vec<u8>)>>,
    /// `sentinel`: its arguments.
    pub sentinel: Vec<Placed<Vec<Vec<u8>>>>,
    /// What the log should say about values that were accepted although they are doubtful.
    pub warnings: Vec<String>,
    /// All lines of directives with a row, in the order in which they were read.
    pub(crate) assigned: Vec<Placed<Assigned>>,
    /// All lines of directives of earlier versions, which have no effect.
    pub(crate) forgotten: Vec<Placed<Vec<u8>>>,
}

impl Loaded {
    /// The line that gave the directive with this name its value.
    pub(crate) fn place_of(&self, name: &str) -> Option<&Place> {
        let is = |line: &&Placed<Assigned>| line.value.named.row.name == name;
        self.assigned.iter().rfind(is).map(|line| &line.place)
    }
}

/// Reads all sources of `input` and checks the result as a whole.
pub fn load(input: Input<'_>) -> Result<Loaded, ConfigError> {
    let mut loader = Loader::new(input.base.clone(), input.sentinel, Includes::Read);
    loader.read_all(&input)?;
    loader.finish()?;
    check_log_file(&loader.loaded.config)?;
    Ok(loader.loaded)
}

/// Reads all sources of `input` as [`load`] does, but goes on after an error: what could be read,
/// and all errors. Creates no file.
pub(crate) fn survey(input: &Input<'_>) -> (Loaded, Vec<ConfigError>) {
    let mut loader = Loader::new(input.base.clone(), input.sentinel, Includes::Read);
    loader.errors = Some(Vec::new());
    // What can't be gone on after, or the last one that is collected.
    let last = loader.read_all(input).err();
    let whole = loader.finish().err();
    let errors = loader.errors.unwrap_or_default();
    (loader.loaded, errors.into_iter().chain(last).chain(whole).collect())
}

/// Feeds arbitrary bytes to the parser. Whatever is accepted must survive being written and read
/// again. Includes are not followed.
pub fn fuzz(data: &[u8]) {
    let load = |text: &[u8]| {
        let mut loader = Loader::new(Config::default(), true, Includes::Skip);
        loader.read_text("<fuzz>".into(), text)?;
        loader.finish()?;
        Ok::<Loaded, ConfigError>(loader.loaded)
    };
    match load(data) {
        Err(error) => assert!(error.to_string().contains(&error.reason)),
        Ok(first) => {
            let text = super::rewrite::rewrite(b"", &first.config, &[], true);
            let second = load(&text).expect("a rewritten configuration is valid");
            for row in table::rows().filter(|row| !row.lines(&first.config).is_empty()) {
                assert_eq!(row.value(&first.config), row.value(&second.config), "{}", row.name);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Includes {
    Read,
    Skip,
}

struct Loader {
    loaded: Loaded,
    setting: Setting,
    sentinel: bool,
    includes: Includes,
    depth: usize,
    /// The errors so far, if reading goes on after one.
    errors: Option<Vec<ConfigError>>,
}

impl Loader {
    fn new(config: Config, sentinel: bool, includes: Includes) -> Loader {
        Loader {
            loaded: Loaded { config, ..Loaded::default() },
            setting: Setting { from_file: true, ..Setting::default() },
            sentinel,
            includes,
            depth: 0,
            errors: None,
        }
    }

    fn read_all(&mut self, input: &Input<'_>) -> Result<(), ConfigError> {
        if let Some(path) = input.config_file
            && let Err(error) = self.read_files(path.as_os_str().as_bytes())
        {
            self.fault(error.into())?;
        }
        if let Some(text) = input.stdin {
            self.read_text("<standard input>".into(), text)?;
        }
        self.read_text("<command line>".into(), input.options)
    }

    /// Ends the reading, or collects the error.
    fn fault(&mut self, error: ConfigError) -> Result<(), ConfigError> {
        match &mut self.errors {
            Some(errors) if errors.len() + 1 < MAX_ERRORS => {
                errors.push(error);
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Reads the file, or all files that a pattern names: none is fine then.
    fn read_files(&mut self, path: &[u8]) -> Result<(), ReadError> {
        let path = join_path(&self.loaded.config.process.dir, path);
        for path in include::expand(&path) {
            let text = fs::read(&path).map_err(|error| cannot_open(&path, &error))?;
            self.read_text(path.to_string_lossy().into(), &text)?;
        }
        Ok(())
    }

    fn read_text(&mut self, source: Arc<str>, text: &[u8]) -> Result<(), ConfigError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = trim(line);
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let place = Place { source: source.clone(), line: index + 1, text: line.to_vec() };
            if let Err(error) = self.read_line(place) {
                self.fault(error)?;
            }
        }
        Ok(())
    }

    fn read_line(&mut self, place: Place) -> Result<(), ConfigError> {
        let fail = |reason: String| Err(ConfigError::at(Some(&place), reason));
        let Ok(mut args) = split_args(&place.text) else {
            return fail("Unbalanced quotes in configuration line".into());
        };
        if args.is_empty() {
            return Ok(());
        }
        let name = args.remove(0).to_ascii_lowercase();
        if let Some(directive) = table::find(&name) {
            return match self.set(directive, &args) {
                Ok(()) => {
                    let value = directive.row.value(&self.loaded.config);
                    let value = Assigned { named: directive, value };
                    self.loaded.assigned.push(Placed { place, value });
                    Ok(())
                }
                Err(reason) => fail(reason),
            };
        }
        match self.file_only(&name, args, &place) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let error = "Bad directive or wrong number of arguments";
                let elsewhere = elsewhere::find(&name).map(|known| known.text);
                let suggestion = match elsewhere {
                    Some(_) => None,
                    None => nearest(&name, names()).filter(|near| near.as_bytes() != name),
                };
                let error = ConfigError::at(Some(&place), error);
                Err(ConfigError { suggestion, elsewhere, ..error })
            }
            Err(ReadError::Here(reason)) => fail(reason),
            Err(ReadError::Deeper(error)) => Err(error),
        }
    }

    fn set(&mut self, directive: Named, args: &[Vec<u8>]) -> Result<(), String> {
        let row = directive.row;
        // The one argument of a list may be the whole list, as in --save "900 1 300 10".
        let split = match args {
            [list] if row.is(MULTI) && !list.is_empty() => Some(
                split_args(list)
                    .map_err(|_| "Unbalanced quotes in configuration line".to_owned())?,
            ),
            _ => None,
        };
        let args: Vec<&[u8]> =
            split.as_deref().unwrap_or(args).iter().map(|arg| arg.as_slice()).collect();
        row.set(&mut self.loaded.config, &args, &mut self.setting)
            .map(drop)
            .map_err(|reason| reason.into_owned())
    }

    /// Takes a directive without a row. Returns whether there is such a one.
    fn file_only(
        &mut self,
        name: &[u8],
        mut args: Vec<Vec<u8>>,
        place: &Place,
    ) -> Result<bool, ReadError> {
        let place = place.clone();
        let Loaded { renames, users, roles, modules, module_settings, sentinel, .. } =
            &mut self.loaded;
        match name {
            b"include" if args.len() == 1 => self.include(&args[0])?,
            b"rename-command" if args.len() == 2 => {
                let to = args.remove(1);
                renames.push(Placed { place, value: (args.remove(0), to) });
            }
            b"user" if !args.is_empty() => users.push(Placed { place, value: args }),
            // Sentinels have no roles.
            b"role" if !args.is_empty() && !self.sentinel => {
                roles.push(Placed { place, value: args });
            }
            b"loadmodule" if !args.is_empty() => modules.push(Placed { place, value: args }),
            // Alone it is the option --sentinel, which the command line has already seen to.
            b"sentinel" if args.is_empty() => {}
            b"sentinel" if !self.sentinel => {
                return Err("sentinel directive while not in sentinel mode".to_owned().into());
            }
            b"sentinel" => sentinel.push(Placed { place, value: args }),
            _ if elsewhere::forgotten(name).is_some() => {
                self.loaded.forgotten.push(Placed { place, value: name.to_vec() });
                return Ok(args.len() == 1);
            }
            _ if name.contains(&b'.') && args.is_empty() => {
                return Err("Module config specified without value".to_owned().into());
            }
            _ if name.contains(&b'.') => {
                module_settings.push(Placed { place, value: (name.to_vec(), args.join(&b' ')) });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn include(&mut self, path: &[u8]) -> Result<(), ReadError> {
        if self.includes == Includes::Skip {
            return Ok(());
        }
        if self.depth == MAX_DEPTH {
            // Two includes in each file of a circle would be read 2^32 times by who goes on.
            self.includes = Includes::Skip;
            return Err("Too many nested includes: do these files include each other?"
                .to_owned()
                .into());
        }
        self.depth += 1;
        let result = self.read_files(path);
        self.depth -= 1;
        result
    }

    /// Checks what no single line can tell.
    fn finish(&mut self) -> Result<(), ConfigError> {
        self.loaded.warnings = self.setting.warnings.iter().map(|&w| w.to_owned()).collect();
        let place = self.loaded.place_of("replicaof").cloned();
        let Config { cluster, repl, keyspace, .. } = &mut self.loaded.config;
        if cluster.enabled && repl.primary.is_some() {
            let reason = "replicaof directive not allowed in cluster mode";
            return Err(ConfigError::at(place.as_ref(), reason));
        }
        if cluster.enabled && keyspace.databases > 1 {
            self.loaded.warnings.push(format!(
                "WARNING: Changing databases number from {} to 1 since we are in cluster mode",
                keyspace.databases
            ));
            keyspace.databases = 1;
        }
        Ok(())
    }
}

/// An error that belongs to the line being read, or one that already has its line.
enum ReadError {
    Here(String),
    Deeper(ConfigError),
}

impl From<String> for ReadError {
    fn from(reason: String) -> ReadError {
        ReadError::Here(reason)
    }
}

impl From<ConfigError> for ReadError {
    fn from(error: ConfigError) -> ReadError {
        ReadError::Deeper(error)
    }
}

/// What a failure to read the main file is: there is no line to show for it.
impl From<ReadError> for ConfigError {
    fn from(error: ReadError) -> ConfigError {
        match error {
            ReadError::Here(reason) => ConfigError::general(reason),
            ReadError::Deeper(error) => error,
        }
    }
}

fn cannot_open(path: &Path, error: &io::Error) -> String {
    format!("Fatal error, can't open config file '{}': {}", path.display(), os_error(error))
}

/// The log file must be writable before the server leaves the terminal.
fn check_log_file(config: &Config) -> Result<(), ConfigError> {
    if config.log.file.is_empty() {
        return Ok(());
    }
    let path = to_path(&join_path(&config.process.dir, &config.log.file));
    match fs::OpenOptions::new().append(true).create(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(ConfigError::general(format!("Can't open the log file: {}", os_error(&error))))
        }
    }
}

fn trim(line: &[u8]) -> &[u8] {
    const BLANKS: [u8; 4] = *b" \t\r\n";
    let start = line.iter().take_while(|byte| BLANKS.contains(byte)).count();
    let line = &line[start..];
    let end = line.iter().rev().take_while(|byte| BLANKS.contains(byte)).count();
    &line[..line.len() - end]
}

/// Every name that a line may begin with.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    table::rows().flat_map(|row| row.names()).chain(FILE_ONLY)
}

#[cfg(test)]
mod tests;
