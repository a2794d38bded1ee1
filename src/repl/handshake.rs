//! What a replica says to its primary before the data comes.
//!
//! ```text
//! PING -> AUTH, REPLCONF listening-port, ip-address, capa, version -> PSYNC id offset -> data
//! ```
//! A primary that does not know PSYNC is asked with SYNC. Each reply is one line. The machine is
//! told each line and answers with what to do next; it has no socket and no clock.

use crate::log;
use crate::repl::history::ID_LEN;
use crate::repl::peer::OWN_KIND;
use crate::resp::reply::command;

/// What the replica says of itself, and what it asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Introduction {
    pub user: Vec<u8>,
    pub password: Vec<u8>,
    pub port: u16,
    /// The address that it wants to be known by; empty: that of the connection.
    pub address: Vec<u8>,
    pub version: String,
    /// The history and the first offset that it lacks (from 1), if it may go on from there.
    pub resume: Option<(String, u64)>,
    /// It asks the primary to give up its role to it.
    pub takes_over: bool,
}

/// A reply that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Ping,
    Auth,
    Port,
    Address,
    Capabilities,
    Version,
    Psync,
    Done,
}

/// What to do after a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for the next line.
    Wait,
    /// Send this, then wait.
    Send(Vec<u8>),
    /// A snapshot follows, of this history and with the data up to this offset.
    Full { id: String, offset: u64 },
    /// The same from a primary that knows no histories; SYNC is to be sent first.
    Old(Vec<u8>),
    /// The stream goes on from where it was, under this ID if it is another one.
    Continue { id: Option<String> },
    /// The primary can't serve it now: try again later.
    Later,
    /// It can't be done.
    Fail,
}

#[derive(Debug)]
pub(crate) struct Handshake {
    who: Introduction,
    awaits: Awaits,
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

impl Handshake {
    pub(crate) fn new(who: Introduction) -> Handshake {
        Handshake { who, awaits: Awaits::Ping }
    }

    /// What is sent first.
    pub(crate) fn begin(&self) -> Vec<u8> {
        let mut out = Vec::new();
        command(&mut out, &[b"PING"]);
        out
    }

    /// Takes a reply, without its end of line.
    pub(crate) fn line(&mut self, line: &[u8]) -> Next {
        match self.awaits {
            Awaits::Ping => {
                let may_go_on = line.starts_with(b"+")
                    || line.starts_with(b"-NOAUTH")
                    || line.starts_with(b"-NOPERM")
                    || line.starts_with(b"-ERR operation not permitted");
                if !may_go_on {
                    log!(Warning, "Error reply to PING from master: '{}'", shown(line));
                    return Next::Fail;
                }
                log!(Notice, "Master replied to PING, replication can continue...");
                self.introduce()
            }
            Awaits::Auth => {
                if line.starts_with(b"-") {
                    log!(Warning, "Unable to AUTH to MASTER: {}", shown(line));
                    return Next::Fail;
                }
                self.awaits = Awaits::Port;
                Next::Wait
            }
            Awaits::Port => {
                self.not_critical(line, "REPLCONF listening-port");
                let named = !self.who.address.is_empty();
                self.awaits = if named { Awaits::Address } else { Awaits::Capabilities };
                Next::Wait
            }
            Awaits::Address => {
                self.not_critical(line, "REPLCONF ip-address");
                self.awaits = Awaits::Capabilities;
                Next::Wait
            }
            Awaits::Capabilities => {
                self.not_critical(line, "REPLCONF capa");
                self.awaits = Awaits::Version;
                Next::Wait
            }
            Awaits::Version => {
                self.not_critical(line, "REPLCONF version");
                self.ask()
            }
            Awaits::Psync => self.psync_reply(line),
            Awaits::Done => Next::Wait,
        }
    }

    fn not_critical(&self, line: &[u8], what: &str) {
        if line.starts_with(b"-") {
            log!(Notice, "(Non critical) Master does not understand {what}: {}", shown(line));
        }
    }

    fn introduce(&mut self) -> Next {
        let who = &self.who;
        let mut out = Vec::new();
        self.awaits = Awaits::Port;
        if !who.password.is_empty() {
            self.awaits = Awaits::Auth;
            match who.user.is_empty() {
                true => command(&mut out, &[b"AUTH", &who.password]),
                false => command(&mut out, &[b"AUTH", &who.user, &who.password]),
            }
        }
        command(&mut out, &[b"REPLCONF", b"listening-port", who.port.to_string().as_bytes()]);
        if !who.address.is_empty() {
            command(&mut out, &[b"REPLCONF", b"ip-address", &who.address]);
        }
        command(&mut out, &[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2", b"capa", OWN_KIND]);
        command(&mut out, &[b"REPLCONF", b"version", who.version.as_bytes()]);
        Next::Send(out)
    }

    fn ask(&mut self) -> Next {
        let (id, from) = match &self.who.resume {
            Some((id, from)) => {
                log!(Notice, "Trying a partial resynchronization (request {id}:{from}).");
                (id.clone(), from.to_string())
            }
            None => {
                log!(Notice, "Partial resynchronization not possible (no cached master)");
                ("?".into(), "-1".into())
            }
        };
        self.awaits = Awaits::Psync;
        let mut out = Vec::new();
        match self.who.takes_over {
            true => {
                command(&mut out, &[b"PSYNC", id.as_bytes(), from.as_bytes(), b"FAILOVER"]);
            }
            false => command(&mut out, &[b"PSYNC", id.as_bytes(), from.as_bytes()]),
        }
        Next::Send(out)
    }

    fn psync_reply(&mut self, line: &[u8]) -> Next {
        // A sign of life.
        if line.is_empty() {
            return Next::Wait;
        }
        self.awaits = Awaits::Done;
        let text = shown(line);
        let mut words = text.split(' ');
        match words.next() {
            Some("+FULLRESYNC") => {
                let id = words.next().filter(|id| id.len() == ID_LEN && id.is_ascii());
                // Offsets are signed for everybody else.
                let offset = words.next().and_then(|n| n.parse::<i64>().ok());
                let offset = offset.and_then(|n| u64::try_from(n).ok());
                let (Some(id), Some(offset)) = (id, offset) else {
                    log!(Warning, "Master replied with wrong +FULLRESYNC syntax.");
                    return Next::Fail;
                };
                log!(Notice, "Full resync from master: {id}:{offset}");
                Next::Full { id: id.to_owned(), offset }
            }
            Some("+CONTINUE") => {
                log!(Notice, "Successful partial resynchronization with master.");
                let id = words.next().filter(|id| id.len() == ID_LEN && id.is_ascii());
                let known = self.who.resume.as_ref().map(|(id, _)| id.as_str());
                Next::Continue { id: id.filter(|id| Some(*id) != known).map(str::to_owned) }
            }
            _ if line.starts_with(b"-NOMASTERLINK") || line.starts_with(b"-LOADING") => {
                log!(
                    Notice,
                    "Master is currently unable to PSYNC but should be in the future: {text}"
                );
                Next::Later
            }
            _ => {
                // An error is usual where the primary does not know the command.
                if line.starts_with(b"-ERR") {
                    log!(
                        Notice,
                        "Master does not support PSYNC or is in error state (reply: {text})"
                    );
                } else {
                    log!(Warning, "Unexpected reply to PSYNC from master: {text}");
                }
                if self.who.takes_over {
                    return Next::Fail;
                }
                log!(Notice, "Retrying with SYNC...");
                Next::Old(b"SYNC\r\n".to_vec())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn who() -> Introduction {
        Introduction { port: 6380, version: "7.2.6".into(), ..Introduction::default() }
    }

    fn sent(next: Next) -> String {
        let Next::Send(bytes) = next else { panic!("{next:?}") };
        let text = String::from_utf8(bytes).expect("text");
        let words: Vec<&str> = text.lines().filter(|l| !l.starts_with(['$', '*'])).collect();
        words.join(" ")
    }

    fn asked(who: Introduction) -> Handshake {
        let mut machine = Handshake::new(who);
        sent(machine.line(b"+PONG"));
        loop {
            match machine.line(b"+OK") {
                Next::Wait => {}
                Next::Send(_) => return machine,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_full_synchronization() {
        let mut machine = Handshake::new(who());
        assert_eq!(machine.begin(), b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            sent(machine.line(b"+PONG")),
            "REPLCONF listening-port 6380 REPLCONF capa eof capa psync2 capa redust REPLCONF version 7.2.6"
        );
        assert_eq!(machine.line(b"+OK"), Next::Wait);
        assert_eq!(machine.line(b"-ERR unknown"), Next::Wait, "not critical");
        assert_eq!(sent(machine.line(b"+OK")), "PSYNC ? -1");
        assert_eq!(machine.line(b""), Next::Wait);
        let full = machine.line(format!("+FULLRESYNC {ID} 77").as_bytes());
        assert_eq!(full, Next::Full { id: ID.into(), offset: 77 });
    }

    #[test]
    fn a_name_and_a_password() {
        let who = Introduction {
            user: b"u".to_vec(),
            password: b"p".to_vec(),
            address: b"h".to_vec(),
            resume: Some((ID.into(), 5)),
            ..who()
        };
        let mut machine = Handshake::new(who);
        let said = sent(machine.line(b"-NOAUTH Authentication required."));
        assert!(said.starts_with("AUTH u p REPLCONF listening-port 6380 REPLCONF ip-address h"));
        for _ in 0..4 {
            assert_eq!(machine.line(b"+OK"), Next::Wait);
        }
        assert_eq!(sent(machine.line(b"+OK")), format!("PSYNC {ID} 5"));
        assert_eq!(machine.line(format!("+CONTINUE {ID}").as_bytes()), Next::Continue { id: None });
    }

    #[test]
    fn what_a_primary_may_say_to_psync() {
        let other = ID.replace('0', "f");
        let resume = Introduction { resume: Some((ID.into(), 5)), ..who() };
        let reply = |who: &Introduction, line: &str| asked(who.clone()).line(line.as_bytes());
        assert_eq!(reply(&resume, "+CONTINUE"), Next::Continue { id: None });
        let renamed = Next::Continue { id: Some(other.clone()) };
        assert_eq!(reply(&resume, &format!("+CONTINUE {other}")), renamed);
        assert_eq!(reply(&resume, "-NOMASTERLINK Can't SYNC"), Next::Later);
        assert_eq!(reply(&resume, "-LOADING data"), Next::Later);
        assert_eq!(reply(&resume, "+FULLRESYNC abc 1"), Next::Fail);
        assert_eq!(reply(&resume, "+FULLRESYNC"), Next::Fail);
        for offset in ["-1", "18446744073709551615", "9223372036854775808", "x", ""] {
            assert_eq!(
                reply(&resume, &format!("+FULLRESYNC {ID} {offset}")),
                Next::Fail,
                "{offset}"
            );
        }
        assert_eq!(reply(&resume, "-ERR unknown command"), Next::Old(b"SYNC\r\n".to_vec()));
        let takes_over = Introduction { takes_over: true, ..resume };
        assert_eq!(reply(&takes_over, "-ERR no"), Next::Fail);
    }

    #[test]
    fn refusals_end_it() {
        assert_eq!(Handshake::new(who()).line(b"-DENIED protected mode"), Next::Fail);
        let mut machine = Handshake::new(Introduction { password: b"p".to_vec(), ..who() });
        sent(machine.line(b"+PONG"));
        assert_eq!(machine.line(b"-WRONGPASS no"), Next::Fail);
    }
}
