//! Running the program anew in place of this one: DEBUG RESTART and CRASH-AND-RECOVER.
//!
//! A command only asks for it. The loop ends as for SHUTDOWN. Then [`run`] executes the program
//! with its first command line in the same process, so its supervisor sees no end. All files and
//! sockets are opened so that they close at that moment. Connections are closed before, so that
//! clients need not wait for it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::Duration;

use crate::config::rewrite::rewrite_file;
use crate::log;
use crate::server::jobs::shutdown::{self, How};
use crate::server::parts::Server;
use crate::util::path::os_error;

/// Ends the loop, and the program runs again after `delay_ms` milliseconds. A graceful restart
/// keeps configuration and data, as SHUTDOWN does; the other kind loses what is not on disk. On an
/// error the server goes on, and the log says why.
pub(crate) fn ask(srv: &mut Server, graceful: bool, delay_ms: u64) -> Result<(), ()> {
    let executable = &srv.identity.executable;
    let mode = std::fs::metadata(executable).map_or(0, |file| file.permissions().mode());
    if mode & 0o111 == 0 {
        log!(
            Warning,
            "Can't restart: this process has no permissions to execute {}",
            executable.display()
        );
        return Err(());
    }
    if graceful {
        if let Some(path) = &srv.identity.config_file {
            rewrite_file(path, &srv.cfg, false).map_err(|why| {
                log!(Warning, "Can't restart: configuration rewrite process failed: {why}");
            })?;
        }
        // Half a dataset must not take the place of the whole one on disk.
        let how = How { now: true, nosave: srv.loading.is_some(), ..How::default() };
        shutdown::shut_down(srv, how).map_err(|()| {
            log!(Warning, "Can't restart: error preparing for shutdown");
        })?;
    }
    srv.shutdown.restart = Some(Duration::from_millis(delay_ms));
    srv.shutdown.done = true;
    Ok(())
}

/// Executes the program again in this process. Returns only if the system refuses.
pub(crate) fn run(srv: Server, delay: Duration) {
    let Server { clients, metrics, net, identity, .. } = srv;
    drop(clients);
    drop(metrics);
    drop(net);
    std::thread::sleep(delay);
    let error = std::process::Command::new(&identity.executable).args(&identity.arguments).exec();
    log!(Warning, "Can't restart: {}", os_error(&error));
}

/// The arguments after the program's name, to be given again. The file is named by its full path,
/// since the process has moved to the directory of its data.
pub(crate) fn arguments(args: &[OsString], config_file: Option<&Path>) -> Vec<OsString> {
    let mut again: Vec<OsString> = args.get(1..).unwrap_or_default().to_vec();
    if let (Some(first), Some(file)) = (again.first_mut(), config_file) {
        *first = file.into();
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_in_full() {
        let args = ["redust-server", "a.conf", "--port", "7"].map(OsString::from);
        let again = arguments(&args, Some(Path::new("/etc/a.conf")));
        assert_eq!(again, ["/etc/a.conf", "--port", "7"]);
        assert_eq!(arguments(&args[2..], None), ["7"]);
        assert!(arguments(&args[..1], None).is_empty() && arguments(&[], None).is_empty());
    }
}
