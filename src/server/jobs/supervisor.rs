//! Tells the supervisor how the server is: systemd gets datagrams, upstart a stop signal.

use crate::config::Config;
use crate::config::choice::Supervised;
use crate::log;
use crate::sys::{fork, process, signals};
use crate::util::path::os_error;

/// Who supervises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Supervision {
    /// As INFO names it: `no`, `systemd` or `upstart`.
    pub by: &'static str,
    /// It was reached: such a server does not daemonize.
    pub reached: bool,
}

/// Finds out who supervises this process, and tells it that the server is loading.
pub(crate) fn begin(cfg: &Config) -> Supervision {
    let has = |name| std::env::var_os(name).is_some();
    let mode = match cfg.process.supervised {
        Supervised::Auto if has("UPSTART_JOB") => {
            log!(Verbose, "Upstart supervision detected.");
            Supervised::Upstart
        }
        Supervised::Auto if has("NOTIFY_SOCKET") => {
            log!(Verbose, "Systemd supervision detected.");
            Supervised::Systemd
        }
        mode => mode,
    };
    match mode {
        Supervised::Upstart if has("UPSTART_JOB") => Supervision { by: "upstart", reached: true },
        Supervised::Upstart => {
            log!(Warning, "upstart supervision requested, but UPSTART_JOB not found!");
            Supervision { by: "no", reached: false }
        }
        Supervised::Systemd => {
            let reached = notify("STATUS=Redis is loading...\n");
            if reached {
                log!(
                    Notice,
                    "Supervised by systemd. Please make sure you set appropriate values for \
                     TimeoutStartSec and TimeoutStopSec in your service unit."
                );
            }
            Supervision { by: "systemd", reached }
        }
        _ => Supervision { by: "no", reached: false },
    }
}

/// Sends systemd a message; true if it got it. If not, the log says why.
pub(crate) fn notify(message: &str) -> bool {
    match process::sd_notify(message) {
        Ok(true) => return true,
        Ok(false) => log!(Warning, "systemd supervision error: NOTIFY_SOCKET not found!"),
        Err(e) => log!(Warning, "systemd supervision error: sd_notify: {}", os_error(&e)),
    }
    false
}

/// Tells that the server is ready.
pub(crate) fn ready(by: &str) {
    match by {
        "systemd" => {
            notify("STATUS=Ready to accept connections\nREADY=1\n");
        }
        "upstart" => {
            log!(Notice, "supervised by upstart, will stop to signal readiness.");
            fork::kill(process::pid(), signals::SIGSTOP);
        }
        _ => {}
    }
}
