//! Signals that ask for the end, and the one that asks to read the certificates of TLS again.
//!
//! The handler only writes a byte (`sys::signals`). The reactor reads it here between commands, and
//! a long save on the main thread does so now and then. What is asked for is only noted here, and
//! `shutdown` does it when nothing else runs. The one exception is a second SIGINT: it ends the
//! process at once.

use crate::server::parts::rdb::remove_temporary;
use std::io::Read;

use crate::log;
use crate::server::parts::net::Net;
use crate::server::parts::shutdown::Shutdown;
use crate::sys::signals::{SIGHUP, SIGINT, SIGTERM};

/// Notes which signals have come; true if one asks for the end. A second SIGINT ends the process
/// here and now, whatever is going on: a long save calls this now and then.
pub(crate) fn note_signals(net: &mut Net, shutdown: &mut Shutdown, loading: bool) -> bool {
    let mut bytes = [0; 16];
    let mut any = false;
    loop {
        let Some(socket) = net.signals_mut() else { return any };
        let n = match socket.read(&mut bytes) {
            Ok(0) | Err(_) => return any,
            Ok(n) => n,
        };
        for &signal in &bytes[..n] {
            let signal = i32::from(signal);
            if signal == SIGINT && shutdown.asked.is_some() {
                log!(Warning, "You insist... exiting now.");
                remove_temporary(crate::sys::process::pid());
                std::process::exit(1);
            }
            match signal {
                SIGHUP => {
                    net.reload_due = true;
                    continue;
                }
                SIGTERM | SIGINT if loading => {
                    log!(Warning, "Received shutdown signal during loading, scheduling shutdown.");
                }
                SIGTERM => log!(Warning, "Received SIGTERM scheduling shutdown..."),
                SIGINT => log!(Warning, "Received SIGINT scheduling shutdown..."),
                _ => continue,
            }
            shutdown.asked = Some(signal);
            any = true;
        }
    }
}
