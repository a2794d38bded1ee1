//! What versions have changed about commands, for COMMAND DOCS: a line of `history.tsv` a change.
//!
//! Columns, tab-separated: name (`container|sub`), version, change. Lines are in order of name,
//! those of one command in order of version. Versions are those of Redis. Valkey counts its own
//! from 7.2 on; a change that is Valkey's says so.

use std::sync::OnceLock;

/// One change of one command.
#[derive(Debug)]
pub(crate) struct Change {
    pub name: &'static str,
    /// The version that brought it, in three parts.
    pub version: &'static str,
    /// What the command does since, in a few words without a full stop.
    pub what: &'static str,
}

/// The changes of the command called `name` (lower case), oldest first. O(log changes).
pub(crate) fn of(name: &str) -> &'static [Change] {
    let changes = all();
    let first = changes.partition_point(|c| c.name < name);
    let len = changes[first..].partition_point(|c| c.name == name);
    &changes[first..first + len]
}

/// All lines, parsed once from text that is part of the program.
fn all() -> &'static [Change] {
    static CHANGES: OnceLock<Vec<Change>> = OnceLock::new();
    CHANGES.get_or_init(|| {
        let lines = include_str!("history.tsv").lines().filter(|l| !l.starts_with('#'));
        let change = |line: &'static str| {
            let mut column = line.split('\t');
            let mut next = || column.next().expect("the table has three columns");
            Change { name: next(), version: next(), what: next() }
        };
        lines.map(change).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::spec;

    fn numbers(version: &str) -> Vec<u32> {
        version.split('.').map(|n| n.parse().expect("a version is made of numbers")).collect()
    }

    #[test]
    fn changes_are_found_oldest_first() {
        let versions: Vec<_> = of("hset").iter().map(|c| (c.version, c.what)).collect();
        assert_eq!(versions, [("4.0.0", "Takes several fields with their values")]);
        assert!(of("get").is_empty() && of("").is_empty() && of("zz").is_empty());
        assert_eq!(of("set")[0].version, "2.6.12");
        assert_eq!(of("zscan")[0].what, "Takes NOSCORES (Valkey)");
    }

    #[test]
    fn lines_are_sorted_and_belong_to_commands() {
        for change in all() {
            let spec = spec::find(change.name).unwrap_or_else(|| panic!("{}: no row", change.name));
            assert_eq!(numbers(change.version).len(), 3, "{}", change.name);
            // A change may name the development version before the release of its command.
            assert!(numbers(change.version)[0] >= numbers(spec.since)[0], "{}", change.name);
            assert!(change.what.len() > 5 && !change.what.ends_with('.'), "{}", change.name);
        }
        assert!(all().is_sorted_by_key(|c| (c.name, numbers(c.version))));
    }
}
