//! What the process is: its versions, names, files and limits.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::sys::process;
use crate::util::crc64;
use crate::util::lines::Lines;

/// The version of redis-server whose behaviour this is.
pub(crate) const REDIS_VERSION: &str = "7.2.6";
/// Our own.
pub(crate) const REDUST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What whoever builds the program may say of it in the environment, as the Makefile does: the
/// commit, whether files differ from it, and the version of the C compiler, which the allocator is
/// built with.
const GIT_SHA1: Option<&str> = option_env!("BUILD_GIT_SHA1");
const GIT_DIRTY: Option<&str> = option_env!("BUILD_GIT_DIRTY");
const CC_VERSION: Option<&str> = option_env!("BUILD_CC_VERSION");

/// The value of a variable that is set and not empty.
fn told(variable: Option<&'static str>, else_: &'static str) -> &'static str {
    variable.filter(|value| !value.is_empty()).unwrap_or(else_)
}

/// The commit that the program was built from; zeros where nobody said.
pub(crate) fn commit() -> &'static str {
    told(GIT_SHA1, "00000000")
}

/// Whether files differed from that commit.
pub(crate) fn is_modified() -> bool {
    told(GIT_DIRTY, "0") != "0"
}

/// A number that is another one for another build, as far as the program knows of its build.
fn build_id() -> u64 {
    let facts = [REDIS_VERSION, REDUST_VERSION, told(GIT_SHA1, ""), told(GIT_DIRTY, "")];
    let kind = [told(CC_VERSION, ""), std::env::consts::ARCH, profile()];
    facts.iter().chain(&kind).fold(0, |crc, fact| crc64::update(crc, fact.as_bytes()))
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// What the process is, for INFO and the log.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub run_id: String,
    pub executable: PathBuf,
    /// The name that the program was called by.
    pub program: String,
    /// What follows the name on the command line.
    pub arguments: Vec<OsString>,
    pub config_file: Option<PathBuf>,
    pub started_ms: i64,
    pub title: Option<process::Title>,
    /// `standalone`, or `sentinel`.
    pub mode: &'static str,
    pub supervised: &'static str,
    pub uname: (String, String, String),
    /// Adjustment of the OOM score the process started with.
    pub oom_base: Option<i32>,
    /// We have set the adjustment that is in force.
    pub oom_set: bool,
    pub max_files: u64,
    /// Directives that have no effect, as the log has said.
    pub told: Vec<&'static str>,
}

impl Identity {
    /// INFO server: which program this is.
    pub(crate) fn info_versions(&self, o: &mut Lines) {
        o.add("redis_version", REDIS_VERSION);
        o.add("redust_version", REDUST_VERSION);
        o.add("redis_git_sha1", commit());
        o.flag("redis_git_dirty", is_modified());
        o.add("redis_build_id", format_args!("{:x}", build_id()));
        o.add("redis_mode", self.mode);
        o.add("os", format_args!("{} {} {}", self.uname.0, self.uname.1, self.uname.2));
        o.add("arch_bits", usize::BITS);
    }

    /// INFO server: what compiled it, as far as that was C.
    pub(crate) fn info_compiler(&self, o: &mut Lines) {
        o.add("gcc_version", told(CC_VERSION, "0.0.0"));
    }

    /// INFO server: which process.
    pub(crate) fn info_process(&self, o: &mut Lines) {
        o.add("process_id", process::pid());
        o.add("process_supervised", self.supervised);
        o.add("run_id", &self.run_id);
    }

    /// INFO server: since when.
    pub(crate) fn info_uptime(&self, now_ms: i64, o: &mut Lines) {
        let uptime = (now_ms - self.started_ms).max(0) / 1000;
        o.add("uptime_in_seconds", uptime);
        o.add("uptime_in_days", uptime / 86_400);
    }

    /// INFO server: which files.
    pub(crate) fn info_files(&self, o: &mut Lines) {
        o.add("executable", self.executable.display());
        let file = self.config_file.as_ref().map_or(String::new(), |f| f.display().to_string());
        o.add("config_file", file);
    }
}

/// 40 hexadecimal digits that no other server has.
pub(crate) fn random_id() -> String {
    random_bytes()[..20].iter().map(|b| format!("{b:02x}")).collect()
}

/// 24 random bytes from the system. If it has none, they come from the clock and addresses.
pub(crate) fn random_bytes() -> [u8; 24] {
    let mut bytes = [0; 24];
    let read = std::fs::File::open("/dev/urandom")
        .and_then(|mut f| std::io::Read::read_exact(&mut f, &mut bytes));
    if read.is_err() {
        use std::hash::{BuildHasher, RandomState};
        for chunk in bytes.chunks_mut(8) {
            let word = RandomState::new().hash_one(crate::sys::clock::wall_us());
            chunk.copy_from_slice(&word.to_le_bytes());
        }
    }
    bytes
}
