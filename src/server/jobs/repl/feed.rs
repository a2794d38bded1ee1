//! What a replica gets when its outbox is empty: the file of its snapshot, then the stream.
//!
//! The stream stays where it is: a replica has a position in it, and memory is taken by the one
//! that is furthest behind. How far that may be is the business of the output limits.

use std::io::{self, ErrorKind, Read};

use crate::log;
use crate::net::clients::ClientId;
use crate::net::outbox::{FIXED, Flush};
use crate::net::usage::Class;
use crate::server::jobs::repl::primary::trim_backlog;
use crate::server::parts::Server;
use crate::server::parts::repl::State;
use crate::util::path::os_error;

/// The most bytes that a replica gets in one turn.
const TURN: usize = 1 << 20;
/// The file is read in pieces of so many bytes.
const PIECE: u64 = 256 * 1024;
/// And what a child writes in pieces of so many.
const RELAY_PIECE: usize = 64 * 1024;

/// Writes to a replica as much as it takes, and as it may have in one turn.
pub(crate) fn feed(srv: &mut Server, id: ClientId) -> io::Result<(usize, Flush)> {
    let now_ms = srv.clock.now_ms;
    let Server { clients, repl, stream, stats, .. } = srv;
    let (Some(client), Some(replica)) = (clients.get_mut(id), repl.replica_mut(id)) else {
        return Ok((0, Flush::Empty));
    };
    let mut done = 0;
    while done < TURN {
        let written = match &mut replica.state {
            _ if replica.relay.is_some() => {
                let Some(relay) = &mut replica.relay else { break };
                if relay.sent == relay.piece.len() {
                    relay.piece.resize(RELAY_PIECE, 0);
                    let read = relay.from.read(&mut relay.piece);
                    relay.piece.truncate(*read.as_ref().unwrap_or(&0));
                    relay.sent = 0;
                    match read {
                        // The child is done; how, it tells itself.
                        Ok(0) => {
                            replica.relay = None;
                            continue;
                        }
                        Ok(_) => {}
                        Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                        Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                        Err(e) => return Err(e),
                    }
                }
                client.conn.write(&relay.piece[relay.sent..]).inspect(|n| relay.sent += n)
            }
            State::Sending { file, left, piece, sent } => {
                if *sent == piece.len() && *left > 0 {
                    piece.resize((*left).min(PIECE) as usize, 0);
                    let n = file.read(piece)?;
                    if n == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    piece.truncate(n);
                    (*left, *sent) = (*left - n as u64, 0);
                }
                if *sent == piece.len() {
                    log!(Notice, "Synchronization with replica {} succeeded", client.session.peer);
                    replica.state = State::Online;
                    replica.acked_ms = now_ms;
                    continue;
                }
                client.conn.write(&piece[*sent..]).inspect(|n| *sent += n)
            }
            State::Online => {
                let Some(reader) = replica.reader else { break };
                let piece = stream.next_of(reader)?;
                if piece.is_empty() {
                    break;
                }
                client.conn.write(piece).inspect(|n| stream.advance(reader, *n))
            }
            State::WaitsForStart | State::WaitsForEnd | State::WaitsForAck => break,
        };
        match written {
            Ok(n) => {
                done += n;
                stats.n.repl_out += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok((done, Flush::Full)),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok((done, if done < TURN { Flush::Empty } else { Flush::Paused }))
}

/// Has the replicas written to at the end of the turn, if there is something for them, and lets
/// those go that are too far behind. O(replicas).
pub(crate) fn end_of_turn(srv: &mut Server) {
    let end = srv.stream.end();
    if srv.repl.fed_to == end {
        return;
    }
    srv.repl.fed_to = end;
    trim_backlog(srv);
    let bounds = Bounds::new(srv);
    spill(srv, &bounds);
    let Server { repl, clients, stream, .. } = srv;
    for replica in &mut repl.replicas {
        let Some(reader) = replica.reader else { continue };
        let behind = end - stream.position(reader);
        if replica.catches_up && replica.is_online() && behind <= bounds.backlog {
            replica.catches_up = false;
        }
        if replica.catches_up && bounds.spilled > 0 {
            if behind > bounds.spilled {
                clients.end_over_limit(replica.client);
            }
        } else if behind > FIXED as u64 {
            clients.check_output(replica.client, behind as usize);
        }
        if matches!(replica.state, State::Online) {
            clients.schedule_write(replica.client);
        }
    }
}

/// How far replicas may be behind that get a snapshot.
struct Bounds {
    /// As far as all may.
    backlog: u64,
    /// So far while it is kept in files; 0: it is not.
    spilled: u64,
    /// So much of it stays in memory.
    memory: u64,
}

impl Bounds {
    /// Who sets a small limit for what waits for replicas does not mean a file of gigabytes.
    fn new(srv: &Server) -> Bounds {
        const TIMES: u64 = 16;
        const MEMORY: u64 = 16 << 20;
        let hard = srv.clients.limits[Class::Replica.limit()].hard_bytes as u64;
        let spilled = match srv.repl.spill_failed {
            true => 0,
            false => srv.cfg.repl.spill_limit.min(hard.saturating_mul(TIMES)),
        };
        Bounds { backlog: srv.cfg.repl.backlog_size, spilled, memory: MEMORY.min(hard / 2) }
    }
}

/// Moves to files what only replicas wait for that got a snapshot and have not caught up.
fn spill(srv: &mut Server, bounds: &Bounds) {
    /// Bytes in one turn, and how many have to be there.
    const AT_MOST: usize = 4 << 20;
    const AT_LEAST: u64 = 1 << 20;
    let waits = srv.repl.replicas.iter().any(|replica| replica.catches_up);
    srv.repl.spill_failed &= waits;
    let Some(backlog) = srv.repl.backlog.filter(|_| waits && bounds.spilled > 0) else { return };
    let Server { repl, stream, .. } = srv;
    let before = stream.position(backlog).saturating_sub(bounds.memory);
    if before < stream.blocks_from() + AT_LEAST {
        return;
    }
    let begins = stream.spilled() == 0;
    if let Err(e) = stream.spill(before, AT_MOST) {
        repl.spill_failed = true;
        return log!(
            Warning,
            "Can't keep in files what waits for replicas in full synchronization: {}",
            os_error(&e)
        );
    }
    if begins && stream.spilled() > 0 {
        log!(
            Notice,
            "What waits for replicas in full synchronization is kept in files from here on, up to {} \
             bytes (repl-spill-limit)",
            bounds.spilled
        );
    }
}
