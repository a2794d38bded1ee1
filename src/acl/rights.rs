//! Several selectors: what a user may do by itself, or by a role. One that allows a command is
//! enough.

use super::keys::Form;
use super::rule::Fault;
use super::selector::Selector;
use crate::util::split::split_args;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// What the rules outside of parentheses have made, and the selectors in parentheses.
    root: Selector,
    selectors: Vec<Selector>,
}

impl Rights {
    /// Rights to nothing but, perhaps, all channels.
    pub(crate) fn new(all_channels: bool) -> Rights {
        Rights { root: Selector::new(all_channels), selectors: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn root(&self) -> &Selector {
        &self.root
    }

    /// The selectors in parentheses.
    pub(crate) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// All selectors, in the order in which they are asked.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Obeys a rule.
    pub(crate) fn obey(&mut self, rule: &[u8]) -> Result<(), Fault> {
        if rule.eq_ignore_ascii_case(b"clearselectors") {
            self.selectors.clear();
            return Ok(());
        }
        let [b'(', rules @ .., b')'] = rule else { return self.root.obey(rule) };
        let mut selector = Selector::new(false);
        for rule in split_args(rules).map_err(|_| Fault::Syntax)? {
            if !is_plain(&rule) {
                return Err(Fault::Syntax);
            }
            selector.obey(&rule)?;
        }
        self.selectors.push(selector);
        Ok(())
    }

    /// The rules that give the same rights again, as a file has them.
    pub(crate) fn text(&self, form: Form) -> Vec<u8> {
        let mut text = self.root.text(form);
        for selector in &self.selectors {
            text.extend([b" (", &selector.text(form)[..], b")"].concat());
        }
        text
    }
}

/// Whether a rule in parentheses is read back as it is written. One that ends with a parenthesis
/// ends them, and quotes are taken off.
///
/// Compat: Redis takes others as well, and then can't read the file of users that it has written.
fn is_plain(rule: &[u8]) -> bool {
    let alone = split_args(rule).is_ok_and(|words| words.len() == 1 && words[0] == rule);
    alone && !rule.ends_with(b")")
}
