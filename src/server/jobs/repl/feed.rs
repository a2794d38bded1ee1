//! What a replica gets when its outbox is empty: the file of its snapshot, then the stream.
//!
//! The stream stays where it is: a replica has a position in it, and memory is taken by the one
//! that is furthest behind. How far that may be is the business of the output limits.

use std::io::{self, ErrorKind, Read};

use crate::log;
use crate::net::clients::ClientId;
use crate::net::outbox::{FIXED, Flush};
use crate::server::jobs::repl::primary::trim_backlog;
use crate::server::parts::Server;
use crate::server::parts::repl::State;

/// The most bytes that a replica gets in one turn.
const TURN: usize = 1 << 20;
/// The file is read in pieces of so many bytes.
const PIECE: u64 = 256 * 1024;

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
                let piece = stream.next(reader);
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
    let Server { repl, clients, stream, .. } = srv;
    for replica in &repl.replicas {
        let Some(reader) = replica.reader else { continue };
        let behind = (end - stream.position(reader)) as usize;
        if behind > FIXED {
            clients.check_output(replica.client, behind);
        }
        if matches!(replica.state, State::Online) {
            clients.schedule_write(replica.client);
        }
    }
}
