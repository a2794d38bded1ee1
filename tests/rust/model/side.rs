//! A server with its clients, as both runs need it: commands in pipelines, clients that wait, EXEC.

use std::path::Path;
use std::thread::yield_now;

use super::client::{Connection, Gone, Value, encode};
use super::generate::CLIENTS;
use super::process::Server;
use super::step::brief;

pub(super) type Command = Vec<Vec<u8>>;

struct Client {
    connection: Connection,
    id: i64,
    /// The command that it waits in.
    waiting: Option<Command>,
    /// What it has queued since MULTI.
    queued: Option<Vec<Command>>,
}

/// A command, the reply to it, and who sent it.
pub(super) struct Answer {
    pub client: usize,
    pub command: Command,
    pub reply: Value,
    /// For EXEC: the commands whose replies the reply holds.
    pub queued: Vec<Command>,
}

pub(super) struct Side {
    pub server: Server,
    pub admin: Connection,
    clients: Vec<Client>,
}

impl Side {
    pub(super) fn start(binary: &Path, settings: &str) -> Result<Side, Gone> {
        let server = Server::start(binary, settings, false);
        let admin = server.connect()?;
        Ok(Side { server, admin, clients: Vec::new() })
    }

    /// An empty server with new clients; every other one speaks RESP3.
    pub(super) fn reset(&mut self) -> Result<(), Gone> {
        self.clients.clear();
        self.admin.words("SELECT 0")?;
        self.admin.words("FLUSHALL")?;
        for number in 0..CLIENTS {
            let mut connection = self.server.connect()?;
            connection.words(if number % 2 == 1 { "HELLO 3" } else { "PING" })?;
            let id = connection.words("CLIENT ID")?.number().expect("an id");
            self.clients.push(Client { connection, id, waiting: None, queued: None });
        }
        Ok(())
    }

    pub(super) fn is_waiting(&self, client: usize) -> bool {
        self.clients[client].waiting.is_some()
    }

    /// Runs commands of one client that don't wait, in one pipeline.
    pub(super) fn run(&mut self, client: usize, commands: &[Command]) -> Result<Vec<Answer>, Gone> {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.clients[client].connection.send(&bytes)?;
        let mut answers = Vec::new();
        for command in commands {
            let reply = self.clients[client].connection.read()?;
            answers.push(self.answer(client, command.clone(), reply));
        }
        Ok(answers)
    }

    /// Notes what the reply says about the client's transaction.
    fn answer(&mut self, client: usize, command: Command, reply: Value) -> Answer {
        let state = &mut self.clients[client].queued;
        let mut queued = Vec::new();
        if reply.is_line(b'+', b"QUEUED") {
            state.get_or_insert_default().push(command.clone());
        } else {
            match command[0].to_ascii_uppercase().as_slice() {
                b"MULTI" if !reply.is_error() => *state = Some(Vec::new()),
                b"EXEC" | b"DISCARD" => queued = state.take().unwrap_or_default(),
                _ => (),
            }
        }
        Answer { client, command, reply, queued }
    }

    /// Runs a command that may wait; no answer means that the client does. `out`: a wait of a
    /// millisecond is waited out, since nobody can see it in time.
    pub(super) fn run_waiting(
        &mut self,
        client: usize,
        command: &Command,
        out: bool,
    ) -> Result<Option<Answer>, Gone> {
        self.clients[client].connection.send(&encode(command))?;
        if out && command.iter().any(|word| word == b"0.001") {
            let reply = self.clients[client].connection.read()?;
            return Ok(Some(self.answer(client, command.clone(), reply)));
        }
        loop {
            if let Some(reply) = self.clients[client].connection.poll()? {
                return Ok(Some(self.answer(client, command.clone(), reply)));
            }
            if self.is_blocked(client)? {
                self.clients[client].waiting = Some(command.clone());
                return Ok(None);
            }
            yield_now();
        }
    }

    fn is_blocked(&mut self, client: usize) -> Result<bool, Gone> {
        let id = self.clients[client].id;
        let line = self.admin.words(&format!("CLIENT LIST ID {id}"))?.text();
        let flags = line.split(' ').find_map(|word| word.strip_prefix("flags="));
        Ok(flags.is_some_and(|flags| flags.contains('b')))
    }

    /// The answers of clients that no longer wait.
    pub(super) fn woken(&mut self) -> Result<Vec<Answer>, Gone> {
        let mut answers = Vec::new();
        for client in 0..self.clients.len() {
            if !self.is_waiting(client) || self.is_blocked(client)? {
                continue;
            }
            let reply = self.clients[client].connection.read()?;
            let command = self.clients[client].waiting.take().expect("it waits");
            answers.push(self.answer(client, command, reply));
        }
        Ok(answers)
    }

    /// Ends all waits and all transactions.
    pub(super) fn finish(&mut self) -> Result<Vec<Answer>, Gone> {
        for client in 0..self.clients.len() {
            if self.is_waiting(client) {
                let id = self.clients[client].id;
                self.admin.words(&format!("CLIENT UNBLOCK {id}"))?;
            }
        }
        let mut answers = self.woken()?;
        for client in 0..self.clients.len() {
            if self.clients[client].queued.is_some() {
                answers.extend(self.run(client, &[vec![b"EXEC".to_vec()]])?);
            }
        }
        Ok(answers)
    }

    /// Several commands of words without spaces, in one pipeline.
    pub(super) fn ask_all(&mut self, commands: &[Command]) -> Result<Vec<Value>, Gone> {
        let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        self.admin.send(&bytes)?;
        commands.iter().map(|_| self.admin.read()).collect()
    }

    pub(super) fn info(&mut self, field: &str) -> Result<String, Gone> {
        let text = self.admin.words("INFO all")?.text();
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.unwrap_or_else(|| panic!("INFO has no {field}")).to_owned())
    }
}

/// Whether a command may wait; within a transaction none does.
pub(super) fn may_wait(command: &Command) -> bool {
    const WAITING: [&[u8]; 8] = [
        b"BLPOP",
        b"BRPOP",
        b"BLMOVE",
        b"BRPOPLPUSH",
        b"BLMPOP",
        b"BZPOPMIN",
        b"BZPOPMAX",
        b"BZMPOP",
    ];
    let name = command[0].to_ascii_uppercase();
    let blocks = || command.iter().any(|word| word.eq_ignore_ascii_case(b"BLOCK"));
    WAITING.contains(&name.as_slice()) || name.starts_with(b"XREAD") && blocks()
}

pub(super) fn words(line: &str) -> Command {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

pub(super) fn show(command: &Command) -> String {
    let words: Vec<String> = command.iter().map(|w| brief(&w.escape_ascii().to_string())).collect();
    words.join(" ")
}
