//! What the machine works with besides the groups: the time, the links, and the list of what is to
//! be done outside.

use std::net::IpAddr;
use std::rc::Rc;

use super::script::Scripts;
use super::state::{
    Address, Commands, Expected, Group, Instance, Kind, Links, Listening, Ms, Own, Request, Role,
    Who,
};

/// Which of a link's two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Channel {
    Commands,
    /// It is subscribed to the hellos.
    Hellos,
}

/// How important an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Logged, but not published.
    Debug,
    Verbose,
    Notice,
    /// The group's notification script is called as well.
    Warning,
}

/// What is to be done outside, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin to connect. If it fails, now or later, [`super::Sentinel::on_lost`] is called.
    Connect {
        link: u64,
        channel: Channel,
        ip: Vec<u8>,
        port: u16,
    },
    Close {
        link: u64,
        channel: Channel,
    },
    /// Send a command; what is sent before the connection is up waits for it.
    Send {
        link: u64,
        channel: Channel,
        words: Vec<Vec<u8>>,
    },
    /// Log it and publish it under its name.
    Event {
        level: Level,
        name: &'static str,
        text: Vec<u8>,
    },
    Log {
        level: Level,
        text: String,
    },
    /// Log that there will be no failover until then.
    Wait {
        until_ms: Ms,
    },
    /// Write the configuration before anything of this list is sent.
    Save,
    /// End the process at once, as an operator asked for.
    Crash,
    /// Start a script.
    Spawn {
        job: u64,
        words: Vec<Vec<u8>>,
    },
    /// Kill a script that takes too long.
    Kill {
        job: u64,
    },
}

/// Finds the address of a name; None: it has none, or nobody knows.
pub(crate) type Resolve<'a> = &'a mut dyn FnMut(&[u8]) -> Option<IpAddr>;

/// Why there is no such instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddError {
    Duplicate,
    NoAddress,
    Port,
}

impl AddError {
    /// Redis's words for it.
    pub(crate) fn text(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (AddError::Duplicate, Kind::Primary) => "Duplicate master name.",
            (AddError::Duplicate, Kind::Replica) => "Duplicate hostname and port for replica.",
            (AddError::Duplicate, Kind::Peer) => "Duplicate runid for sentinel.",
            (AddError::NoAddress, _) => "Can't resolve instance hostname.",
            (AddError::Port, _) => "Invalid port number.",
        }
    }
}

pub(crate) struct Turn<'a> {
    pub now: Ms,
    pub own: &'a mut Own,
    pub links: &'a mut Links,
    pub scripts: &'a mut Scripts,
    pub actions: &'a mut Vec<Action>,
    pub random: &'a mut dyn FnMut() -> u64,
    pub resolve: Resolve<'a>,
}

/// Whose instance it is: what events show of its group.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    pub group: &'a Group,
    pub address: &'a Address,
}

impl Turn<'_> {
    pub(crate) fn save(&mut self) {
        self.actions.push(Action::Save);
    }

    pub(crate) fn log(&mut self, level: Level, text: String) {
        self.actions.push(Action::Log { level, text });
    }

    /// An event about an instance; `more` follows the words that say which.
    pub(crate) fn event(
        &mut self,
        level: Level,
        name: &'static str,
        base: &Instance,
        home: Home<'_>,
        more: &str,
    ) {
        let mut text = words(&[
            base.kind().word().as_bytes(),
            base.name(),
            self.own.shown(&base.address),
            base.address.port.to_string().as_bytes(),
        ]);
        if base.kind() != Kind::Primary {
            let port = home.address.port.to_string();
            let at = self.own.shown(home.address);
            text.extend(words(&[b" @", &home.group.name, at, port.as_bytes()]));
        }
        text.extend(more.bytes());
        self.event_text(level, name, home.group, text);
    }

    /// An event of a group with a text of its own.
    pub(crate) fn event_text(
        &mut self,
        level: Level,
        name: &'static str,
        group: &Group,
        text: Vec<u8>,
    ) {
        if level == Level::Warning
            && let Some(script) = &group.notification_script
        {
            self.scripts.add(vec![script.clone(), name.into(), text.clone()]);
        }
        self.actions.push(Action::Event { level, name, text });
    }

    /// An event that is of no group.
    pub(crate) fn event_alone(&mut self, level: Level, name: &'static str, text: String) {
        self.actions.push(Action::Event { level, name, text: text.into_bytes() });
    }

    /// Where `host` and `port` are. With `accept_unknown` a name without an address is taken, when
    /// names are allowed at all.
    pub(crate) fn address(
        &mut self,
        host: &[u8],
        port: i64,
        accept_unknown: bool,
    ) -> Result<Address, AddError> {
        let port = u16::try_from(port).map_err(|_| AddError::Port)?;
        let ip = match self.ip_of(host) {
            Some(ip) => ip.to_string().into_bytes(),
            None => {
                let text = format!("Failed to resolve hostname '{}'", show(host));
                self.log(Level::Warning, text);
                if !(self.own.resolve_hostnames && accept_unknown) {
                    return Err(AddError::NoAddress);
                }
                Vec::new()
            }
        };
        Ok(Address { host: host.to_vec(), ip, port })
    }

    pub(crate) fn ip_of(&mut self, host: &[u8]) -> Option<IpAddr> {
        let written = std::str::from_utf8(host).ok()?.parse().ok();
        match self.own.resolve_hostnames {
            true => written.or_else(|| (self.resolve)(host)),
            false => written,
        }
    }

    /// Whether `host` is where `address` is.
    pub(crate) fn is_host(&mut self, address: &Address, host: &[u8]) -> bool {
        match self.ip_of(host) {
            Some(ip) => address.ip == ip.to_string().as_bytes(),
            None if self.own.resolve_hostnames => address.host.eq_ignore_ascii_case(host),
            None => address.ip.eq_ignore_ascii_case(host),
        }
    }

    /// An instance that nothing is known of yet.
    pub(crate) fn instance(
        &mut self,
        kind: Kind,
        group: &[u8],
        key: Vec<u8>,
        address: Address,
        down_after_ms: Ms,
    ) -> Instance {
        let number = self.links.number();
        Instance {
            who: Rc::new(Who { number, group: group.to_vec(), kind, key }),
            run_id: None,
            address,
            link: self.links.add(self.now),
            s_down: false,
            s_down_ms: 0,
            down_after_ms,
            published_ms: self.now,
            info_ms: 0,
            info: None,
            role: match kind {
                Kind::Primary => Some(Role::Primary),
                Kind::Replica => Some(Role::Replica),
                Kind::Peer => None,
            },
            role_ms: self.now,
            kill_sent: false,
        }
    }

    /// The instance is known no more.
    pub(crate) fn forget(&mut self, base: &Instance) {
        if let Some(link) = self.links.get_mut(base.link)
            && link.shared_by > 1
            && let Some(commands) = &mut link.commands
        {
            for expected in &mut commands.expected {
                if expected.who.as_ref() == Some(&base.who) {
                    expected.who = None;
                }
            }
        }
        let open = self
            .links
            .get(base.link)
            .map(|link| [link.commands.is_some(), link.listening.is_some()]);
        if self.links.release(base.link) {
            let [commands, hellos] = open.unwrap_or_default();
            for (is_open, channel) in [(commands, Channel::Commands), (hellos, Channel::Hellos)] {
                if is_open {
                    self.actions.push(Action::Close { link: base.link, channel });
                }
            }
        }
    }

    /// Closes a connection of a link, if it is open.
    pub(crate) fn close(&mut self, number: u64, channel: Channel) {
        let Some(link) = self.links.get_mut(number) else { return };
        let was_open = match channel {
            Channel::Commands => link.commands.take().is_some(),
            Channel::Hellos => link.listening.take().is_some(),
        };
        if was_open {
            self.actions.push(Action::Close { link: number, channel });
        }
    }

    pub(crate) fn close_both(&mut self, number: u64) {
        self.close(number, Channel::Commands);
        self.close(number, Channel::Hellos);
    }

    /// Begins to connect; commands can be sent at once.
    pub(crate) fn connect(&mut self, base: &Instance, channel: Channel) {
        let Some(link) = self.links.get_mut(base.link) else { return };
        match channel {
            Channel::Commands => {
                link.commands = Some(Commands { since_ms: self.now, ..Commands::default() });
            }
            Channel::Hellos => {
                link.listening = Some(Listening { since_ms: self.now, ..Listening::default() });
            }
        }
        let Address { ip, port, .. } = base.address.clone();
        self.actions.push(Action::Connect { link: base.link, channel, ip, port });
    }

    /// Sends a command, if there is a connection: whether there is.
    pub(crate) fn send(&mut self, base: &Instance, what: Request, words: Vec<Vec<u8>>) -> bool {
        let link = self.links.get_mut(base.link);
        let Some(commands) = link.and_then(|link| link.commands.as_mut()) else { return false };
        commands.expected.push_back(Expected { who: Some(base.who.clone()), what });
        self.actions.push(Action::Send { link: base.link, channel: Channel::Commands, words });
        true
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> Ms {
        ((self.random)() % n) as Ms
    }
}

/// Words with blanks between them.
pub(crate) fn words(parts: &[&[u8]]) -> Vec<u8> {
    parts.join(&b' ')
}

/// Bytes as text for people.
pub(crate) fn show(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
