//! How replicas are named, in INFO, ROLE and the log.

use crate::net::clients::ClientId;
use crate::server::parts::Server;
use crate::server::parts::repl::Replica;

/// The name of a replica in the log: the address and port that it has told, or those of its
/// connection.
pub(crate) fn name(srv: &Server, id: ClientId) -> String {
    let told = srv.repl.replica(id).map(|replica| &replica.told);
    let told = told.or_else(|| srv.repl.told.get(&id));
    let Some(session) = srv.clients.session(id) else { return "a client that left".into() };
    let Some(told) = told else { return session.peer.clone() };
    let host = session.peer.rsplit_once(':').map_or("", |(host, _)| host);
    let host = match told.address.is_empty() {
        true => host.to_owned(),
        false => String::from_utf8_lossy(&told.address).into_owned(),
    };
    match told.port {
        0 => format!("client id #{}", session.serial),
        port => format!("{host}:{port}"),
    }
}

/// Where a replica listens: as it has told, or as its connection shows.
pub(crate) fn address(srv: &Server, replica: &Replica) -> (String, u16) {
    let peer = srv.clients.session(replica.client).map_or("", |session| session.peer.as_str());
    let host = peer.rsplit_once(':').map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = match replica.told.address.is_empty() {
        true => host.to_owned(),
        false => String::from_utf8_lossy(&replica.told.address).into_owned(),
    };
    (host, replica.told.port)
}
