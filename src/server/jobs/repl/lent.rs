//! Signs of life by an encrypted connection while a snapshot is loaded from a file.
//!
//! A plain connection has a second descriptor for that. Of an encrypted one only the connection
//! itself can speak, so the link has it until the load is over.

use crate::server::parts::Server;
use crate::server::parts::repl::{Link, Receive, Voice};

/// A reception whose connection may be lent to the link, so that signs of life can be sent by it.
pub(super) enum Lent {
    No(Receive),
    /// All but the connection: what had come, and where the stream goes on.
    Yes {
        input: Vec<u8>,
        id: String,
        offset: u64,
        old: bool,
    },
}

impl Lent {
    pub(super) fn new(srv: &mut Server, receive: Receive) -> Lent {
        match (receive.conn.as_tls(), &mut srv.repl.following) {
            (Some(_), Some(following)) => {
                let Receive { conn, input, id, offset, old, .. } = receive;
                following.link = Link::Loading(Some(Voice::Conn(Box::new(conn))));
                Lent::Yes { input, id, offset, old }
            }
            _ => Lent::No(receive),
        }
    }

    /// The whole reception again; None: the link was given up meanwhile, and its connection with
    /// it.
    pub(super) fn back(self, srv: &mut Server) -> Option<Receive> {
        let (input, id, offset, old) = match self {
            Lent::No(receive) => return Some(receive),
            Lent::Yes { input, id, offset, old } => (input, id, offset, old),
        };
        let following = srv.repl.following.as_mut()?;
        match &mut following.link {
            Link::Loading(voice @ Some(Voice::Conn(_))) => match voice.take() {
                Some(Voice::Conn(conn)) => {
                    let (finder, file, unsynced) = (None, None, 0);
                    Some(Receive { conn: *conn, input, finder, file, id, offset, old, unsynced })
                }
                _ => None,
            },
            _ => None,
        }
    }
}
