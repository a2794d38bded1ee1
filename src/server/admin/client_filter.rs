//! Which clients CLIENT LIST shows and CLIENT KILL ends: the filters of Valkey 9.
//!
//! A filter is a word and a value, `DB 3`; with `NOT-` before the word it takes those that the
//! filter without it leaves. A client is taken if all filters take it. Of two filters with the same
//! word the last one counts, but IDs are gathered. Clients see which error wins, so the words are
//! looked at one by one, and a word without a value is a syntax error when it is reached.

use crate::commands::arg;
use crate::net::clients::{Client, ClientId};
use crate::net::usage::Class;
use crate::resp::errors::{self, CmdError};
use crate::server::parts::Server;

/// The words that may stand behind `NOT-`, and those that may not.
const BOTH_WAYS: &[&str] = &[
    "id", "type", "addr", "laddr", "user", "flags", "capa", "name", "lib-name", "lib-ver", "db",
    "ip",
];
const ONE_WAY: &[&str] = &["skipme", "maxage", "idle"];

/// Whether a filter begins with `word`.
pub(super) fn is_word(word: &[u8]) -> bool {
    let word = arg::lower(word);
    let is = |known: &&str| known.as_bytes() == word.as_slice();
    let not = |known: &&str| word.strip_prefix(b"not-") == Some(known.as_bytes());
    BOTH_WAYS.iter().any(|known| is(known) || not(known)) || ONE_WAY.iter().any(is)
}

/// What a client is asked for.
#[derive(Debug, PartialEq)]
enum Test<'a> {
    Ids(Vec<u64>),
    Type(Class),
    Addr(&'a [u8]),
    Laddr(&'a [u8]),
    User(u32),
    /// Seconds it has been connected, and seconds since it has said something.
    MaxAge(i64),
    Idle(i64),
    /// Letters that `flags` of CLIENT LIST has, all of them.
    Flags(&'a [u8]),
    Name(&'a [u8]),
    LibName(&'a [u8]),
    LibVer(&'a [u8]),
    Db(u32),
    /// Letters of what it has said it can do. No client can say so here.
    Capa(&'a [u8]),
    Ip(&'a [u8]),
}

/// What a client must be, and what it must not be.
#[derive(Debug, Default)]
pub(super) struct Filter<'a> {
    tests: Vec<(bool, Test<'a>)>,
    pub skip_me: bool,
}

impl<'a> Filter<'a> {
    /// Clients that come from `addr`.
    pub(super) fn of_addr(addr: &'a [u8]) -> Filter<'a> {
        Filter { tests: vec![(true, Test::Addr(addr))], skip_me: false }
    }

    /// Reads words and values. `skip_me` holds unless they say something else.
    pub(super) fn parse(
        srv: &Server,
        args: &'a [&'a [u8]],
        skip_me: bool,
    ) -> Result<Filter<'a>, CmdError> {
        let mut filter = Filter { tests: Vec::new(), skip_me };
        let mut rest = args;
        while let [word, after @ ..] = rest {
            let lower = arg::lower(word);
            let (wanted, name) = match lower.strip_prefix(b"not-") {
                Some(name) => (false, name),
                None => (true, lower.as_slice()),
            };
            let [value, after @ ..] = after else { return Err(errors::SYNTAX) };
            rest = after;
            let test = match name {
                b"skipme" if wanted => {
                    filter.skip_me = yes_no(value)?;
                    continue;
                }
                b"maxage" if wanted => Test::MaxAge(seconds(value, "maxage")?),
                b"idle" if wanted => Test::Idle(seconds(value, "idle")?),
                b"id" => {
                    let mut ids = filter.ids(wanted);
                    ids.push(id(value, wanted)?);
                    while let [text, after @ ..] = rest
                        && crate::util::num::parse_i64(text).is_some()
                    {
                        ids.push(id(text, wanted)?);
                        rest = after;
                    }
                    Test::Ids(ids)
                }
                b"type" => Test::Type(class(value)?),
                b"addr" => Test::Addr(value),
                b"laddr" => Test::Laddr(value),
                b"user" => Test::User(srv.acl.find(value).ok_or_else(|| {
                    CmdError::err([b"No such user '", errors::shown(value), b"'"].concat())
                })?),
                b"flags" => Test::Flags(letters(value, b"OSMPxbtRBdcuAUreTIN", "flags", wanted)?),
                b"capa" => Test::Capa(letters(value, b"r", "capa", wanted)?),
                b"name" => Test::Name(value),
                b"lib-name" => Test::LibName(value),
                b"lib-ver" => Test::LibVer(value),
                b"db" => Test::Db(database(srv, value, wanted)?),
                b"ip" => Test::Ip(value),
                _ => return Err(errors::SYNTAX),
            };
            let kind = std::mem::discriminant(&test);
            filter
                .tests
                .retain(|(other, known)| (*other, std::mem::discriminant(known)) != (wanted, kind));
            filter.tests.push((wanted, test));
        }
        Ok(filter)
    }

    /// The IDs that have been named so far.
    fn ids(&mut self, wanted: bool) -> Vec<u64> {
        let of = |(other, test): &mut (bool, Test<'_>)| match test {
            Test::Ids(ids) if *other == wanted => Some(std::mem::take(ids)),
            _ => None,
        };
        self.tests.iter_mut().find_map(of).unwrap_or_default()
    }

    /// Whether it takes a client; `me` is the client that asks.
    pub(super) fn takes(&self, client: &Client, me: ClientId, now_ms: i64) -> bool {
        let is = |(wanted, test): &(bool, Test<'_>)| test.holds(client, now_ms) == *wanted;
        self.tests.iter().all(is) && !(self.skip_me && client.id == me)
    }
}

impl Test<'_> {
    fn holds(&self, client: &Client, now_ms: i64) -> bool {
        let s = &client.session;
        match self {
            Test::Ids(ids) => ids.contains(&s.serial),
            Test::Type(class) => *class == s.class(),
            Test::Addr(addr) => *addr == s.peer.as_bytes(),
            Test::Laddr(addr) => *addr == s.local.as_bytes(),
            Test::User(user) => *user == s.user,
            Test::MaxAge(seconds) => (now_ms - s.created_ms) / 1000 >= *seconds,
            Test::Idle(seconds) => (now_ms - s.active_ms) / 1000 >= *seconds,
            Test::Flags(letters) => {
                let flags = s.flags();
                letters.iter().all(|letter| flags.as_bytes().contains(letter))
            }
            Test::Name(name) => !s.name.is_empty() && *name == s.name,
            Test::LibName(name) => !s.lib_name.is_empty() && *name == s.lib_name,
            Test::LibVer(version) => !s.lib_ver.is_empty() && *version == s.lib_ver,
            Test::Db(db) => *db == s.db,
            Test::Capa(letters) => letters.is_empty(),
            Test::Ip(ip) => ip_of(s.peer.as_bytes()) == Some(ip),
        }
    }
}

/// The address of a peer without its port and the brackets of IPv6; None: it has come through a
/// unix socket.
fn ip_of(peer: &[u8]) -> Option<&[u8]> {
    let colon = peer.iter().rposition(|&c| c == b':')?;
    let (ip, port) = (&peer[..colon], &peer[colon + 1..]);
    if port.starts_with(b"0") {
        return None;
    }
    Some(ip.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]")).unwrap_or(ip))
}

/// A class of clients by its name.
pub(super) fn class(word: &[u8]) -> Result<Class, CmdError> {
    match arg::lower(word).as_slice() {
        b"normal" => Ok(Class::Normal),
        b"slave" | b"replica" => Ok(Class::Replica),
        b"pubsub" => Ok(Class::PubSub),
        b"master" | b"primary" => Ok(Class::Primary),
        _ => Err(CmdError::err([b"Unknown client type '", errors::shown(word), b"'"].concat())),
    }
}

fn id(text: &[u8], wanted: bool) -> Result<u64, CmdError> {
    if !wanted && crate::util::num::parse_i64(text).is_none() {
        return Err(errors::SYNTAX);
    }
    let id = arg::int_in(text, 1, i64::MAX, "client-id should be greater than 0")?;
    Ok(id as u64)
}

fn seconds(text: &[u8], word: &str) -> Result<i64, CmdError> {
    match crate::util::num::parse_i64(text) {
        None => Err(CmdError::err(format!("{word} is not an integer or out of range"))),
        Some(n) if n <= 0 => Err(CmdError::err(format!("{word} should be greater than 0"))),
        Some(n) => Ok(n),
    }
}

fn yes_no(word: &[u8]) -> Result<bool, CmdError> {
    match arg::lower(word).as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(errors::SYNTAX),
    }
}

fn letters<'a>(
    value: &'a [u8],
    known: &[u8],
    word: &str,
    wanted: bool,
) -> Result<&'a [u8], CmdError> {
    if value.iter().all(|letter| known.contains(letter)) {
        return Ok(value);
    }
    let which = match wanted {
        true => "provided".to_owned(),
        false => format!("NOT-{}", word.to_ascii_uppercase()),
    };
    let text = format!("Unknown {word} found in the {which} filter: ");
    Err(CmdError::err([text.as_bytes(), errors::shown(value)].concat()))
}

fn database(srv: &Server, text: &[u8], wanted: bool) -> Result<u32, CmdError> {
    let (word, last) = (if wanted { "DB" } else { "NOT-DB" }, srv.ks.databases() - 1);
    let number = crate::util::num::parse_i64(text)
        .and_then(|n| i32::try_from(n).ok())
        .ok_or_else(|| CmdError::err(format!("{word} is not an integer or out of range")))?;
    u32::try_from(number)
        .ok()
        .filter(|&db| db as usize <= last)
        .ok_or_else(|| CmdError::err(format!("{word} number should be between 0 and {last}")))
}

#[cfg(test)]
mod tests {
    use super::ip_of;

    #[test]
    fn the_ip_of_a_peer() {
        let cases: [(&[u8], Option<&[u8]>); 4] = [
            (b"127.0.0.1:4711", Some(b"127.0.0.1")),
            (b"[::1]:4711", Some(b"::1")),
            (b"/tmp/socket:0", None),
            (b"nothing", None),
        ];
        for (peer, ip) in cases {
            assert_eq!(ip_of(peer), ip);
        }
    }
}
