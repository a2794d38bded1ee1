//! What a configuration must not ask for: things we lack and somebody would rely on.
//!
//! A directive without effect is harmless as long as nobody is worse off than with its default. One
//! that protects access or data is not: a server that starts all the same stands open, or loses
//! what it was told to keep, and nobody notices before it matters. So such a directive stops the
//! start, with the reason. `unavailable-directives warn` (or `REDUST_UNAVAILABLE_DIRECTIVES=warn`)
//! makes it a warning, for tests and for those who know what they do; what would make another
//! server of this one is refused in any case.

use super::choice::Unavailable;
use super::file::{ConfigError, Loaded, Place};
use super::table;
use crate::util::path::{join_path, os_error, to_path};
use crate::util::sha256;
use crate::util::split::split_args;
use std::fs;

const USERS: &str = "users other than the default one, with all rights and the password that 'requirepass' says, \
                     are not available yet";

/// Something that a configuration asks for and can't have.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The line that asks for it.
    pub place: Option<Place>,
    /// The directive, if the reason does not say enough without it.
    pub name: Option<&'static str>,
    /// Why it can't be had.
    pub why: String,
    /// Whether `unavailable-directives warn` makes a warning of it.
    pub may_warn: bool,
}

/// Checks what was read; what the log should say about it.
pub(crate) fn check(loaded: &Loaded) -> Result<Vec<String>, ConfigError> {
    let mut warnings = Vec::new();
    for Refusal { place, name, why, may_warn } in refusals(loaded) {
        let name = name.map_or(String::new(), |name| format!("{name}: "));
        if may_warn && loaded.config.process.unavailable == Unavailable::Warn {
            warnings
                .push(format!("WARNING: {name}{why}. The server starts as if it were not set."));
            continue;
        }
        let hint = "\n('unavailable-directives warn' starts the server as if it were not set)";
        let hint = if may_warn { hint } else { "" };
        return Err(ConfigError::at(place.as_ref(), format!("{name}{why}{hint}")));
    }
    Ok(warnings)
}

/// All that the configuration asks for and can't have.
pub(crate) fn refusals(loaded: &Loaded) -> Vec<Refusal> {
    let config = &loaded.config;
    let password = &config.acl.require_pass;
    let line = |place: &Place, why: &str| Refusal {
        place: Some(place.clone()),
        name: None,
        why: why.to_owned(),
        may_warn: false,
    };
    let users = loaded.users.iter().filter(|user| !is_default(&user.value, password));
    let users = users.map(|user| line(&user.place, USERS));
    let modules = loaded.modules.iter().map(|m| line(&m.place, "modules can't be loaded"));
    let settings = loaded.module_settings.iter();
    let settings = settings
        .map(|setting| line(&setting.place, "a setting of a module, but modules can't be loaded"));
    let directive = |(name, why): (&'static str, String)| Refusal {
        place: loaded.place_of(name).cloned(),
        name: Some(name),
        why,
        may_warn: name != "cluster-enabled",
    };
    let refused = table::refused(config).map(|(row, why)| (row.name, why.to_owned()));
    let acl_file = acl_file(config).err().map(|why| ("aclfile", why));
    let directives = refused.chain(acl_file).map(directive);
    users.chain(modules).chain(settings).chain(directives).collect()
}

/// An ACL file may be there if all that it says is that everybody may do everything. Redis obeys
/// it, and not `requirepass`.
fn acl_file(config: &super::Config) -> Result<(), String> {
    if config.acl.file.is_empty() {
        return Ok(());
    }
    let path = join_path(&config.process.dir, &config.acl.file);
    let text = fs::read(to_path(&path)).map_err(|error| {
        let path = String::from_utf8_lossy(&path);
        format!("error loading ACLs, opening file '{path}': {}", os_error(&error))
    })?;
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()) {
        let words = split_args(line).unwrap_or_default();
        let open = words.split_first().is_some_and(|(user, rest)| {
            user.eq_ignore_ascii_case(b"user") && is_default(rest, b"")
        });
        if !open {
            return Err(USERS.to_owned());
        }
    }
    Ok(())
}

/// Whether name and rules are those of the default user of a server without users, whose password
/// is `password`: CONFIG REWRITE and ACL SAVE of Redis write it down.
fn is_default(words: &[Vec<u8>], password: &[u8]) -> bool {
    let Some((name, rules)) = words.split_first() else { return false };
    // Each of these, in one of its spellings, and nothing else.
    let needed: [&[&str]; 4] =
        [&["on"], &["~*", "allkeys", "%RW~*"], &["&*", "allchannels"], &["+@all", "allcommands"]];
    let harmless = ["sanitize-payload", "skip-sanitize-payload"];
    let is = |rule: &[u8], any: &[&str]| {
        any.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(rule))
    };
    let is_password = |rule: &[u8]| match rule {
        [b'>', text @ ..] => !password.is_empty() && text == password,
        [b'#', sum @ ..] => {
            !password.is_empty() && sum.eq_ignore_ascii_case(sha256::hex(password).as_bytes())
        }
        rule => password.is_empty() && is(rule, &["nopass"]),
    };
    let fits = |rule: &Vec<u8>| {
        is_password(rule) || is(rule, &harmless) || needed.iter().any(|any| is(rule, any))
    };
    name == b"default"
        && rules.iter().all(fits)
        && rules.iter().any(|rule| is_password(rule))
        && needed.iter().all(|any| rules.iter().any(|rule| is(rule, any)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::{Input, load};

    fn refusal(text: &str) -> Result<Vec<String>, String> {
        let loaded = load(Input { options: text.as_bytes(), ..Input::default() });
        check(&loaded.expect("a valid configuration")).map_err(|error| error.reason)
    }

    #[test]
    fn what_protects_access_or_data_stops_the_start() {
        for (text, name) in [
            ("tls-port 6380", "tls-port: "),
            ("cluster-enabled yes", "cluster-enabled: "),
            ("import-mode yes", "import-mode: "),
            ("unixsocketgroup staff", "unixsocketgroup: "),
            ("aclfile /nonexistent/u.acl", "aclfile: "),
            ("user default on >secret ~* &* +@all", "users "),
            ("user guest on nopass ~* &* +@all", "users "),
            ("user default on nopass ~a* &* +@all", "users "),
            ("user default on nopass ~* &* +@all -flushall", "users "),
            ("user default off nopass ~* &* +@all", "users "),
            ("requirepass a\nuser default on nopass ~* &* +@all", "users "),
            ("requirepass a\nuser default on >b ~* &* +@all", "users "),
            ("user default on > ~* &* +@all", "users "),
            ("loadmodule /a.so", "modules "),
            ("a.b 1", "a setting of a module"),
        ] {
            let reason = refusal(text).expect_err(text);
            assert!(reason.starts_with(name), "{text}: {reason}");
        }
    }

    #[test]
    fn what_harms_nobody_does_not() {
        for text in [
            "",
            "appendonly no\nappendfsync always",
            "appendonly yes\nappendfsync always",
            "min-replicas-to-write 1",
            "masterauth secret\nmasteruser u",
            "io-threads 4\nactivedefrag yes\ntls-cert-file a",
            "user default on nopass sanitize-payload ~* &* +@all",
            "user default on nopass allkeys allchannels allcommands",
            "requirepass abc\nuser default on >abc ~* &* +@all",
            "user default on sanitize-payload \
             #ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ~* &* +@all\nrequirepass abc",
        ] {
            assert_eq!(refusal(text), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn it_can_be_made_a_warning_but_not_for_another_kind_of_server() {
        let warn = "unavailable-directives warn\n";
        let warnings = refusal(&format!("{warn}import-mode yes\ntls-port 1")).expect("warnings");
        assert_eq!(warnings.len(), 2);
        assert!(refusal(&format!("{warn}cluster-enabled yes")).is_err());
        assert!(refusal(&format!("{warn}user a on")).is_err());
    }

    /// Each directive without effect was judged once; a new one has to be.
    #[test]
    fn every_directive_that_is_refused_is_known() {
        let refused = table::rows().filter(|row| matches!(row.effect, table::Effect::Refused(_)));
        let names: Vec<&str> = refused.map(|row| row.name).collect();
        let known = ["tls-port", "cluster-enabled", "import-mode", "unixsocketgroup"];
        assert_eq!(names, known);
    }
}
