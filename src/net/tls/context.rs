//! What connections are made with, from the directives: certificates, keys, protocols, ciphers.
//!
//! A context is made whole or not at all. Connections keep that which they were made with, so a
//! new one changes nothing for those that are there.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, StoresServerSessions};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::cert::{Facts, Parsed};
use super::sessions::Sessions;
use super::verify::{Authorities, Clients, Servers};
use super::{pem, suites};

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Never,
    /// They may, and then it has to be good.
    May,
    Must,
}

/// A certificate and its key, by the files that hold them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    pub cert_file: &'a [u8],
    pub key_file: &'a [u8],
    pub password: &'a [u8],
}

/// The directives.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    pub server: Identity<'a>,
    /// For outgoing connections; None: the server's.
    pub client: Option<Identity<'a>>,
    pub ca_file: &'a [u8],
    pub ca_dir: &'a [u8],
    pub dh_file: &'a [u8],
    pub ask: Ask,
    /// Connections to other servers are made with TLS.
    pub outgoing: bool,
    pub protocols: &'a [u8],
    pub ciphers: &'a [u8],
    pub suites: &'a [u8],
    pub prefer_ours: bool,
    pub cache: bool,
    pub cache_size: usize,
    pub cache_time: Duration,
}

impl<'a> Settings<'a> {
    /// A server with these files, and the defaults of the other directives.
    pub(crate) fn usual(server: Identity<'a>, ca_file: &'a [u8]) -> Settings<'a> {
        Settings {
            server,
            client: None,
            ca_file,
            ca_dir: b"",
            dh_file: b"",
            ask: Ask::Must,
            outgoing: false,
            protocols: b"",
            ciphers: b"",
            suites: b"",
            prefer_ours: false,
            cache: true,
            cache_size: 20 * 1024,
            cache_time: Duration::from_secs(300),
        }
    }
}

/// What connections are made with.
#[derive(Debug)]
pub(crate) struct Context {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
    /// Of the server's certificate, of that for outgoing connections, and of the authority whose
    /// time ends first.
    pub server_facts: Facts,
    pub client_facts: Facts,
    pub authority_facts: Option<Facts>,
    /// What the operator should know.
    pub remarks: Vec<String>,
}

impl Context {
    /// Makes one. The error is a line for the log, in Redis's words where it has some.
    pub(crate) fn make(s: &Settings<'_>) -> Result<Context, String> {
        if s.server.cert_file.is_empty() {
            return Err("No tls-cert-file configured!".into());
        }
        if s.server.key_file.is_empty() {
            return Err("No tls-key-file configured!".into());
        }
        let has_authority = !s.ca_file.is_empty() || !s.ca_dir.is_empty();
        if (s.ask != Ask::Never || s.outgoing) && !has_authority {
            return Err("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when \
                        tls-cluster, tls-replication or tls-auth-clients are enabled!"
                .into());
        }
        let versions = suites::versions(&text(s.protocols))?;
        let mut all =
            suites::suites(&text(s.suites)).map_err(|e| configure(s.suites, "ciphersuites", &e))?;
        all.extend(
            suites::ciphers(&text(s.ciphers)).map_err(|e| configure(s.ciphers, "ciphers", &e))?,
        );
        let base = aws_lc_rs::default_provider();
        let provider = Arc::new(CryptoProvider { cipher_suites: all, ..base });
        let mut remarks = Vec::new();
        if !s.dh_file.is_empty() {
            let name = text(s.dh_file);
            pem::parameters(s.dh_file).map_err(|e| format!("Failed to load {name}: {e}"))?;
            remarks.push(
                "tls-dh-params-file is not used: keys are exchanged by elliptic curves alone"
                    .to_owned(),
            );
        }
        let (roots, authority_facts) = authorities(s, &mut remarks)?;
        let roots = Arc::new(roots);
        let (server_key, server_facts) = load(&s.server, &provider)?;
        let (client_key, client_facts) = match &s.client {
            Some(identity) => load(identity, &provider)?,
            None => (server_key.clone(), server_facts.clone()),
        };
        Ok(Context {
            server: Arc::new(server(s, &provider, &versions, &roots, server_key)?),
            client: Arc::new(client(&provider, &versions, &roots, client_key)?),
            server_facts,
            client_facts,
            authority_facts,
            remarks,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn configure(value: &[u8], what: &str, why: &str) -> String {
    format!("Failed to configure {what}: {}: {why}", text(value))
}

/// The authorities that peers are checked against, and what is told of that which ends first.
fn authorities(
    s: &Settings<'_>,
    remarks: &mut Vec<String>,
) -> Result<(RootCertStore, Option<Facts>), String> {
    let failed = |e: String| format!("Failed to configure CA certificate(s) file/directory: {e}");
    let mut found: Vec<CertificateDer<'static>> = Vec::new();
    if !s.ca_file.is_empty() {
        let file = pem::chain(s.ca_file);
        found.extend(file.map_err(|e| failed(format!("{}: {e}", text(s.ca_file))))?);
    }
    if !s.ca_dir.is_empty() {
        let dir = pem::directory(s.ca_dir);
        let (more, bad) = dir.map_err(|e| failed(format!("{}: {e}", text(s.ca_dir))))?;
        found.extend(more);
        if bad > 0 {
            remarks.push(format!("{bad} files in tls-ca-cert-dir hold no good certificates"));
        }
    }
    let mut roots = RootCertStore::empty();
    let mut first: Option<Facts> = None;
    let many = found.len();
    for der in found {
        let facts = Parsed::of(&der).map(|parsed| parsed.facts());
        if let Err(e) = roots.add(der) {
            // One of many that the system has may be of a kind that nobody uses any more.
            if many == 1 {
                return Err(failed(format!("{}: {e}", text(s.ca_file))));
            }
            remarks.push(format!("An authority's certificate is left out: {e}"));
            continue;
        }
        if let Some(facts) = facts
            && first.as_ref().is_none_or(|known| facts.ends_secs < known.ends_secs)
        {
            first = Some(facts);
        }
    }
    Ok((roots, first))
}

/// Loads a certificate with its chain and its key.
fn load(
    identity: &Identity<'_>,
    provider: &CryptoProvider,
) -> Result<(Arc<CertifiedKey>, Facts), String> {
    let cert_file = text(identity.cert_file);
    let no_cert = |e: String| format!("Failed to load certificate: {cert_file}: {e}");
    let chain = pem::chain(identity.cert_file).map_err(no_cert)?;
    let parsed = Parsed::of(&chain[0]).ok_or_else(|| no_cert("it can't be read".into()))?;
    let key_file = text(identity.key_file);
    let no_key = |e: String| format!("Failed to load private key: {key_file}: {e}");
    let der: PrivateKeyDer<'static> =
        pem::key(identity.key_file, identity.password).map_err(no_key)?;
    let key = provider.key_provider.load_private_key(der).map_err(|e| no_key(e.to_string()))?;
    // rustls compares them as well, but does not read certificates of the first version.
    if let (Some(public), Some(named)) = (key.public_key(), parsed.key_der())
        && public.as_ref() != named.as_slice()
    {
        return Err(no_key(format!("it is not the key of {cert_file}")));
    }
    Ok((Arc::new(CertifiedKey::new(chain, key)), parsed.facts()))
}

fn server(
    s: &Settings<'_>,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    roots: &Arc<RootCertStore>,
    key: Arc<CertifiedKey>,
) -> Result<ServerConfig, String> {
    let failed = |e: rustls::Error| format!("Failed to configure TLS: {e}");
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(failed)?;
    let builder = match s.ask {
        Ask::Never => builder.with_no_client_auth(),
        ask => {
            let authorities = Authorities::new(roots.clone(), provider);
            let clients = Clients::new(authorities, ask == Ask::Must, provider.clone())
                .map_err(|e| format!("Failed to configure CA certificate(s): {e}"))?;
            builder.with_client_cert_verifier(Arc::new(clients))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.ignore_client_order = s.prefer_ours;
    let sessions: Arc<dyn StoresServerSessions> = match s.cache {
        true => Arc::new(Sessions::new(s.cache_size, s.cache_time)),
        false => Arc::new(NoServerSessionStorage {}),
    };
    config.session_storage = sessions;
    config.send_tls13_tickets = usize::from(s.cache);
    Ok(config)
}

fn client(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    roots: &Arc<RootCertStore>,
    key: Arc<CertifiedKey>,
) -> Result<ClientConfig, String> {
    let failed = |e: rustls::Error| format!("Failed to configure TLS: {e}");
    let servers: Arc<dyn ServerCertVerifier> =
        Arc::new(Servers(Authorities::new(roots.clone(), provider)));
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(servers)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    // Servers are called by address, and there is no name that one address stands for.
    config.enable_sni = false;
    Ok(config)
}
