//! TLS from the directives: at the start, when they change, and when the files change.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::config::Config;
use crate::config::choice::TlsAuthClients;
use crate::log;
use crate::net::tls::context::{Ask, Context, Identity, Settings};
use crate::server::parts::Server;
use crate::util::path::to_path;

/// Whether a directive asks for TLS.
pub(crate) fn is_wanted(cfg: &Config) -> bool {
    cfg.tls.port != 0 || cfg.tls.replication || cfg.tls.cluster
}

fn settings(cfg: &Config) -> Settings<'_> {
    let t = &cfg.tls;
    let own_for_clients = !t.client_cert_file.is_empty() && !t.client_key_file.is_empty();
    Settings {
        server: Identity {
            cert_file: &t.cert_file,
            key_file: &t.key_file,
            password: &t.key_file_pass,
        },
        client: own_for_clients.then_some(Identity {
            cert_file: &t.client_cert_file,
            key_file: &t.client_key_file,
            password: &t.client_key_file_pass,
        }),
        ca_file: &t.ca_cert_file,
        ca_dir: &t.ca_cert_dir,
        dh_file: &t.dh_params_file,
        ask: match t.auth_clients {
            TlsAuthClients::No => Ask::Never,
            TlsAuthClients::Optional => Ask::May,
            TlsAuthClients::Yes => Ask::Must,
        },
        outgoing: t.replication || t.cluster,
        protocols: &t.protocols,
        ciphers: &t.ciphers,
        suites: &t.ciphersuites,
        prefer_ours: t.prefer_server_ciphers,
        cache: t.session_caching,
        cache_size: t.session_cache_size as usize,
        cache_time: Duration::from_secs(t.session_cache_timeout_secs as u64),
    }
}

/// Makes the context anew. What is wrong is logged, and leaves the old one.
pub(crate) fn configure(srv: &mut Server) -> Result<(), ()> {
    // The files may change while they are read: then they are read again later.
    let stamps = stamps(&srv.cfg);
    match Context::make(&settings(&srv.cfg)) {
        Ok(context) => {
            for remark in &context.remarks {
                log!(Warning, "{remark}");
            }
            srv.tls.context = Some(context);
            srv.tls.stamps = stamps;
            Ok(())
        }
        Err(e) => {
            log!(Warning, "{e}");
            Err(())
        }
    }
}

/// What an operator should know of the directives, or what is wrong with them.
pub(crate) fn try_out(cfg: &Config) -> Result<Vec<String>, String> {
    Context::make(&settings(cfg)).map(|context| context.remarks)
}

/// When the files that the directives name were last changed; None: they are not there.
fn stamps(cfg: &Config) -> Vec<Option<SystemTime>> {
    let t = &cfg.tls;
    let files = [
        &t.cert_file,
        &t.key_file,
        &t.client_cert_file,
        &t.client_key_file,
        &t.ca_cert_file,
        &t.ca_cert_dir,
    ];
    let named = files.iter().filter(|file| !file.is_empty());
    named.map(|file| fs::metadata(to_path(file)).and_then(|m| m.modified()).ok()).collect()
}

/// Reads the files again. New connections are made with what is in them now; if that is no good,
/// with what was there before.
pub(crate) fn reload(srv: &mut Server) {
    if srv.tls.context.is_none() {
        return;
    }
    match configure(srv) {
        Ok(()) => {
            srv.tls.reloads += 1;
            log!(Notice, "TLS materials reloaded successfully");
        }
        Err(()) => {
            srv.tls.failed_reloads += 1;
            log!(Warning, "TLS materials could not be reloaded; those in use stay");
        }
    }
}

/// Reads the files again if a signal has asked for that, or if they have changed: that is looked at
/// now and then. Called by the cron.
pub(crate) fn on_cron(srv: &mut Server) {
    // Compat: to a server without TLS the signal says nothing.
    if std::mem::take(&mut srv.net.reload_due) {
        return reload(srv);
    }
    let every_ms = i64::from(srv.cfg.later.tls_auto_reload_interval_secs) * 1000;
    let now_ms = srv.clock.now_ms;
    if srv.tls.context.is_none() || every_ms == 0 || now_ms - srv.tls.looked_ms < every_ms {
        return;
    }
    srv.tls.looked_ms = now_ms;
    let now = stamps(&srv.cfg);
    if now != srv.tls.stamps {
        // One attempt for each change, so that a broken file is told of once.
        srv.tls.stamps = now;
        reload(srv);
    }
}
