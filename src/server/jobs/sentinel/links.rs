//! A Sentinel's connections to servers and to other Sentinels.

use std::io::{self, ErrorKind};

use mio::Interest;

use crate::log;
use crate::net::conn::Conn;
use crate::resp::reply;
use crate::resp::value::Value;
use crate::sentinel::turn::Channel;
use crate::server::jobs::repl::link::open;
use crate::server::jobs::sentinel::work;
use crate::server::parts::Server;
use crate::server::parts::net::Source;
use crate::util::path::os_error;

const READ_SIZE: usize = 16 * 1024;
/// What is read of one connection in one turn.
const SHARE: usize = 256 * 1024;

/// Begins to connect. A failure is told to the machine, now or when it shows.
pub(super) fn connect(srv: &mut Server, link: u64, channel: Channel, ip: &[u8], port: u16) {
    let host = String::from_utf8_lossy(ip).into_owned();
    let net = &srv.cfg.net;
    let Some(watching) = &mut srv.sentinel else { return };
    let token = Source::Sentinel(watching.next_place()).token();
    let tls = srv.tls.context.as_ref().filter(|_| srv.cfg.tls.replication);
    let made = open(&host, port, &net.bind_source_addr, net.socket_mark_id, tls);
    let made = made.and_then(|mut conn| {
        let interest = Interest::WRITABLE | Interest::READABLE;
        conn.register(srv.net.poll.registry(), token, interest)?;
        Ok(conn)
    });
    match made {
        Ok(conn) => {
            if channel == Channel::Commands
                && let Some(local) = conn.local()
            {
                watching.machine.on_local(link, local.ip().to_string().into_bytes());
            }
            watching.add(link, channel, conn);
        }
        Err(e) => {
            log!(Debug, "{} {host}:{port} #{}", reconnection(channel), os_error(&e));
            watching.machine.on_lost(link, channel);
        }
    }
}

/// The event, of which only the log at level debug tells, that a connection could not be made.
fn reconnection(channel: Channel) -> &'static str {
    match channel {
        Channel::Commands => "-cmd-link-reconnection",
        Channel::Hellos => "-pubsub-link-reconnection",
    }
}

pub(super) fn close(srv: &mut Server, link: u64, channel: Channel) {
    let Some(watching) = &mut srv.sentinel else { return };
    if let Some(place) = watching.place_of(link, channel)
        && let Some(mut gone) = watching.remove(place)
    {
        srv.net.forget_link(&mut gone.conn);
    }
}

/// Sends a command, or keeps it until the connection takes it.
pub(super) fn send(srv: &mut Server, link: u64, channel: Channel, words: &[Vec<u8>]) {
    let Some(watching) = &mut srv.sentinel else { return };
    let Some(place) = watching.place_of(link, channel) else { return };
    let Some(connection) = watching.get_mut(place) else { return };
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    reply::command(&mut connection.output, &words);
    if connection.up && flush(&mut connection.conn, &mut connection.output).is_err() {
        // The event that follows tells of it.
        connection.output.clear();
    }
}

fn flush(conn: &mut Conn, output: &mut Vec<u8>) -> io::Result<()> {
    while !output.is_empty() {
        match conn.write(output) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                output.drain(..n);
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The connection in this place has something to say.
pub(crate) fn on_event(srv: &mut Server, place: usize) {
    let Some(watching) = &mut srv.sentinel else { return };
    let Some(connection) = watching.get_mut(place) else { return };
    let (link, channel) = (connection.link, connection.channel);
    if !connection.up {
        if let Some(e) = connection.conn.error() {
            return lost(srv, place, &os_error(&e));
        }
        if connection.conn.peer().is_none() {
            // Not connected yet.
            return;
        }
        connection.up = true;
        connection.conn.tune(0);
    }
    let mut values = Vec::new();
    let ended =
        read(&mut connection.conn, &mut connection.input, &mut connection.scanner, &mut values);
    let ended = ended.and_then(|more| {
        flush(&mut connection.conn, &mut connection.output)?;
        if more {
            // Asking again has the rest told of as if it were new.
            let token = Source::Sentinel(place).token();
            let interest = Interest::WRITABLE | Interest::READABLE;
            connection.conn.reregister(srv.net.poll.registry(), token, interest)?;
        }
        Ok(())
    });
    for value in values {
        // What an earlier one says may have ended the link.
        let here = srv.sentinel.as_ref().and_then(|w| w.place_of(link, channel));
        if here != Some(place) {
            return;
        }
        work(srv, |machine, now, resolve| machine.on_value(link, channel, value, now, resolve));
    }
    let here = srv.sentinel.as_ref().and_then(|w| w.place_of(link, channel));
    if let Err(e) = ended
        && here == Some(place)
    {
        lost(srv, place, &os_error(&e));
    }
}

/// Reads what there is, up to a share; whether there may be more. The values that are whole are
/// added to `values`, also when the connection has ended behind them.
fn read(
    conn: &mut Conn,
    input: &mut Vec<u8>,
    scanner: &mut crate::resp::value::Scanner,
    values: &mut Vec<Value>,
) -> io::Result<bool> {
    let mut taken = 0;
    while taken < SHARE {
        match conn.read_into(input, READ_SIZE) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => taken += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        }
        let mut used = 0;
        while let Some((value, len)) = scanner
            .parse(&input[used..])
            .map_err(|e| io::Error::new(ErrorKind::InvalidData, e.to_string()))?
        {
            values.push(value);
            used += len;
        }
        input.drain(..used);
    }
    Ok(true)
}

fn lost(srv: &mut Server, place: usize, why: &str) {
    let Some(watching) = &mut srv.sentinel else { return };
    let Some(mut gone) = watching.remove(place) else { return };
    srv.net.forget_link(&mut gone.conn);
    log!(Debug, "{} #{why}", reconnection(gone.channel));
    watching.machine.on_lost(gone.link, gone.channel);
}
