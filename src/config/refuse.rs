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
    let line = |place: &Place, why: &str| Refusal {
        place: Some(place.clone()),
        name: None,
        why: why.to_owned(),
        may_warn: false,
    };
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
    let directives = refused.map(directive);
    modules.chain(settings).chain(directives).collect()
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
            ("cluster-enabled yes", "cluster-enabled: "),
            ("import-mode yes", "import-mode: "),
            ("unixsocketgroup staff", "unixsocketgroup: "),
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
        ] {
            assert_eq!(refusal(text), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn it_can_be_made_a_warning_but_not_for_another_kind_of_server() {
        let warn = "unavailable-directives warn\n";
        let warnings =
            refusal(&format!("{warn}import-mode yes\nunixsocketgroup staff")).expect("warnings");
        assert_eq!(warnings.len(), 2);
        assert!(refusal(&format!("{warn}cluster-enabled yes")).is_err());
    }

    /// Each directive without effect was judged once; a new one has to be.
    #[test]
    fn every_directive_that_is_refused_is_known() {
        let refused = table::rows().filter(|row| matches!(row.effect, table::Effect::Refused(_)));
        let names: Vec<&str> = refused.map(|row| row.name).collect();
        let known = ["cluster-enabled", "import-mode", "unixsocketgroup"];
        assert_eq!(names, known);
    }
}
