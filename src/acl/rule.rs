//! Why a rule is not obeyed, and how rules are put together from words.

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Syntax,
    /// There is no such command or category.
    Unknown,
    AfterAllKeys,
    AfterAllChannels,
    /// The password that is to go is not there.
    NoPassword,
    BadHash,
    FirstArgOfSub,
    DatabaseRange,
    /// A user is to have a role that is not there.
    NoRole,
    /// A role can't have a rule that is about users.
    OfUsers,
}

impl Fault {
    /// Redis's words for it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Fault::Syntax => "Syntax error",
            Fault::Unknown => "Unknown command or category name in ACL",
            Fault::AfterAllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Fault::AfterAllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Fault::NoPassword => {
                "The password you are trying to remove from the user does not exist"
            }
            Fault::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Fault::DatabaseRange => "The provided database ID is out of range",
            Fault::NoRole => "The role does not exist",
            Fault::OfUsers => "The rule is about users, roles can't have it",
            Fault::FirstArgOfSub => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Puts the words of a selector in parentheses together, which may stand in several arguments. The
/// error: in which one a parenthesis opens that never closes.
pub(crate) fn merge(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, usize> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<usize> = None;
    for (i, word) in words.iter().enumerate() {
        let closes = word.last() == Some(&b')');
        if open.is_some() {
            if let Some(rule) = rules.last_mut() {
                rule.push(b' ');
                rule.extend_from_slice(word);
            }
            open = open.filter(|_| !closes);
            continue;
        }
        rules.push(word.to_vec());
        if word.first() == Some(&b'(') && !closes {
            open = Some(i);
        }
    }
    match open {
        Some(i) => Err(i),
        None => Ok(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_may_stand_in_several_words() {
        let merged = |text: &str| {
            let words: Vec<&[u8]> = text.split(',').map(str::as_bytes).collect();
            let text = |rule: Vec<u8>| String::from_utf8(rule).expect("text");
            merge(&words).map(|rules| rules.into_iter().map(text).collect::<Vec<_>>())
        };
        assert_eq!(
            merged("on,(+get,~a),~b"),
            Ok(vec!["on".into(), "(+get ~a)".into(), "~b".into()])
        );
        assert_eq!(merged("(+get ~a)"), Ok(vec!["(+get ~a)".into()]));
        assert_eq!(merged("on,(+get,~a"), Err(1));
        assert_eq!(merged("(,)"), Ok(vec!["( )".into()]));
    }
}
