//! The arguments of a command, as its row describes them in a small language. It is parsed when
//! somebody asks.
//!
//! ```text
//! list      argument argument ...
//! argument  [TOKEN:] name content { suffix }      ("" as a token: the empty word)
//! content   nothing: a string   /i integer   /d double   /k key   /p pattern   /t unix time
//!           /x the token alone, without a value
//!           <list|list>  one of     (list)  all of
//! suffix    #n  the key spec it belongs to      @7.0.0  since       !7.0.0  deprecated since
//!           ~text  how it is shown, where not by its name
//!           *  may be repeated    **  together with its token    ?  optional
//! ```
//! `SET` begins `key/k#0 value condition<NX:nx/x|XX:xx/x>@2.6.12?`.

/// One argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arg<'a> {
    pub name: &'a str,
    /// The word before the value, or the word itself when there is no value.
    pub token: Option<&'a str>,
    pub kind: Kind<'a>,
    pub key_spec: Option<u8>,
    pub since: Option<&'a str>,
    pub deprecated: Option<&'a str>,
    pub display: Option<&'a str>,
    pub optional: bool,
    pub multiple: bool,
    /// The token is repeated with each value.
    pub multiple_token: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    Token,
    OneOf(Vec<Arg<'a>>),
    Block(Vec<Arg<'a>>),
}

impl Kind<'_> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::Token => "pure-token",
            Kind::OneOf(_) => "oneof",
            Kind::Block(_) => "block",
        }
    }
}

/// Parses the arguments of a row. Rows are part of the program: parsing ends at a mistake, and a
/// test finds it.
pub(crate) fn parse(text: &str) -> Vec<Arg<'_>> {
    list(&mut Cursor { rest: text }, ' ')
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, word: char) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let len = self.rest.find(|c| !of(c)).unwrap_or(self.rest.len());
        self.take(len)
    }
}

/// Arguments with `separator` between them.
fn list<'a>(text: &mut Cursor<'a>, separator: char) -> Vec<Arg<'a>> {
    let mut out = Vec::new();
    while !text.rest.is_empty() {
        let Some(arg) = argument(text) else { break };
        out.push(arg);
        if !text.eat(separator) {
            break;
        }
    }
    out
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn argument<'a>(text: &mut Cursor<'a>) -> Option<Arg<'a>> {
    // A token is a word, or one of a few signs.
    let sign = ["\"\"", "*", "=", "~", "$"].iter().find(|s| text.rest.starts_with(*s));
    let token = sign.map_or_else(|| text.rest.find(|c| !is_name(c)), |s| Some(s.len()));
    let token = token.filter(|&len| text.rest[len..].starts_with(':')).map(|len| {
        let token = text.take(len);
        text.eat(':');
        token.trim_matches('"')
    });
    let name = text.take_while(is_name);
    if name.is_empty() {
        return None;
    }
    let kind = content(text)?;
    let mut arg = Arg {
        name,
        token,
        kind,
        key_spec: None,
        since: None,
        deprecated: None,
        display: None,
        optional: false,
        multiple: false,
        multiple_token: false,
    };
    let version = |c: char| c.is_ascii_digit() || c == '.';
    loop {
        if text.eat('#') {
            arg.key_spec = text.take_while(|c| c.is_ascii_digit()).parse().ok();
        } else if text.eat('@') {
            arg.since = Some(text.take_while(version));
        } else if text.eat('!') {
            arg.deprecated = Some(text.take_while(version));
        } else if text.eat('~') {
            arg.display = Some(text.take_while(|c| is_name(c) || c == ':'));
        } else if text.eat('*') {
            (arg.multiple, arg.multiple_token) = (true, arg.multiple);
        } else if text.eat('?') {
            arg.optional = true;
        } else {
            return Some(arg);
        }
    }
}

fn content<'a>(text: &mut Cursor<'a>) -> Option<Kind<'a>> {
    if text.eat('<') {
        let options = list(text, '|');
        return text.eat('>').then_some(Kind::OneOf(options));
    }
    if text.eat('(') {
        let parts = list(text, ' ');
        return text.eat(')').then_some(Kind::Block(parts));
    }
    if !text.eat('/') {
        return Some(Kind::String);
    }
    let letter = text.rest.chars().next()?;
    text.eat(letter);
    match letter {
        'i' => Some(Kind::Integer),
        'd' => Some(Kind::Double),
        'k' => Some(Kind::Key),
        'p' => Some(Kind::Pattern),
        't' => Some(Kind::UnixTime),
        'x' => Some(Kind::Token),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::spec;

    #[test]
    fn values_tokens_and_suffixes() {
        let args = parse(
            "key/k#0 GET:get/x@6.2.0? BY:by-pattern/p#1~pattern**? old!2.8.12~ip:port *:auto-id/x n/i*",
        );
        assert_eq!(args.len(), 6);
        assert_eq!((args[0].name, args[0].kind.name(), args[0].key_spec), ("key", "key", Some(0)));
        assert_eq!(
            (args[1].token, args[1].since, args[1].optional),
            (Some("GET"), Some("6.2.0"), true)
        );
        assert!(args[2].multiple && args[2].multiple_token && args[2].display == Some("pattern"));
        assert_eq!((args[3].deprecated, args[3].display), (Some("2.8.12"), Some("ip:port")));
        assert_eq!((args[4].token, args[4].kind.name()), (Some("*"), "pure-token"));
        assert!(args[5].multiple && !args[5].multiple_token && args[5].kind == Kind::Integer);
    }

    #[test]
    fn choices_and_blocks_nest() {
        let args = parse("unit<M:m/x|KM:km/x>? LIMIT:limit(offset/i count/i)? a<b(c d)|e>*");
        let Kind::OneOf(units) = &args[0].kind else { panic!("{args:?}") };
        assert!(args[0].optional && units.len() == 2 && units[1].token == Some("KM"));
        let Kind::Block(limit) = &args[1].kind else { panic!("{args:?}") };
        assert_eq!((args[1].token, limit.len(), limit[1].name), (Some("LIMIT"), 2, "count"));
        let Kind::OneOf(choice) = &args[2].kind else { panic!("{args:?}") };
        assert!(
            args[2].multiple && matches!(choice[0].kind, Kind::Block(_)) && choice[1].name == "e"
        );
    }

    /// Writes arguments as rows note them.
    fn show(args: &[Arg<'_>], separator: &str) -> String {
        args.iter().map(show_one).collect::<Vec<_>>().join(separator)
    }

    fn show_one(a: &Arg<'_>) -> String {
        let content = match &a.kind {
            Kind::String => String::new(),
            Kind::Integer => "/i".into(),
            Kind::Double => "/d".into(),
            Kind::Key => "/k".into(),
            Kind::Pattern => "/p".into(),
            Kind::UnixTime => "/t".into(),
            Kind::Token => "/x".into(),
            Kind::OneOf(inner) => format!("<{}>", show(inner, "|")),
            Kind::Block(inner) => format!("({})", show(inner, " ")),
        };
        let with =
            |sign: &str, text: Option<&str>| text.map_or(String::new(), |t| format!("{sign}{t}"));
        [
            a.token
                .map_or(String::new(), |t| format!("{}:", if t.is_empty() { "\"\"" } else { t })),
            a.name.to_string(),
            content,
            a.key_spec.map_or(String::new(), |n| format!("#{n}")),
            with("@", a.since),
            with("!", a.deprecated),
            with("~", a.display),
            "*".repeat(usize::from(a.multiple) + usize::from(a.multiple_token)),
            if a.optional { "?".into() } else { String::new() },
        ]
        .concat()
    }

    #[test]
    fn every_row_is_read_whole() {
        for spec in spec::all() {
            assert_eq!(show(&parse(spec.arguments), " "), spec.arguments, "{}", spec.name);
        }
    }

    #[test]
    fn every_key_belongs_to_a_spec() {
        fn check(spec: &spec::Spec, args: &[Arg<'_>]) {
            for a in args {
                assert!(
                    a.key_spec.is_none_or(|n| usize::from(n) < spec.keys.len()),
                    "{}",
                    spec.name
                );
                if let Kind::OneOf(inner) | Kind::Block(inner) = &a.kind {
                    check(spec, inner);
                }
            }
        }
        spec::all().iter().for_each(|s| check(s, &parse(s.arguments)));
    }
}
