//! Who is believed: certificates that lead to one of the configured authorities.
//!
//! Both verifiers are rustls's, with three things that a drop-in needs beside them:
//!
//! - The name of a server is not compared with its certificate, as in Redis: servers are known by
//!   addresses that change.
//! - A certificate of the first version of X.509 is believed if an authority itself has signed it.
//!   It has no extensions, so it can't be an authority. `openssl x509 -req` makes such ones.
//! - Netscape's extension for the use of a certificate is honoured, as OpenSSL does.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved,
    RootCertStore, SignatureScheme,
};

use super::cert::{Parsed, Purpose, contents};

/// The authorities, and the algorithms that are good enough.
#[derive(Debug)]
pub(super) struct Authorities {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Authorities {
    pub(super) fn new(roots: Arc<RootCertStore>, provider: &CryptoProvider) -> Authorities {
        Authorities { roots, algorithms: provider.signature_verification_algorithms }
    }

    /// A certificate of the first version; None: it is of a later one, or no certificate.
    fn old(der: &CertificateDer<'_>) -> Option<Parsed> {
        Parsed::of(der).filter(Parsed::is_of_version_1)
    }

    /// Whether its use is the one that it was made for.
    fn check_use(der: &CertificateDer<'_>, purpose: Purpose) -> Result<(), Error> {
        match Parsed::of(der) {
            Some(parsed) if !parsed.allows(purpose) => Err(CertificateError::InvalidPurpose.into()),
            _ => Ok(()),
        }
    }

    /// Checks that an authority itself has signed a certificate of the first version.
    fn check_old(&self, parsed: &Parsed, now: UnixTime) -> Result<(), Error> {
        if !parsed.is_valid_at(now.as_secs()) {
            return Err(CertificateError::Expired.into());
        }
        let bad = || Error::from(CertificateError::BadEncoding);
        let issuer = parsed.issuer().ok_or_else(bad)?;
        let (what, how, signature) = parsed.signed().ok_or_else(bad)?;
        let mut anchors =
            self.roots.roots.iter().filter(|a| a.subject.as_ref() == issuer.as_slice());
        let signed = anchors.any(|anchor| {
            let Some((algorithm, key)) = key_of(anchor.subject_public_key_info.as_ref()) else {
                return false;
            };
            self.algorithms.all.iter().any(|a| {
                a.signature_alg_id().as_ref() == how.as_slice()
                    && a.public_key_alg_id().as_ref() == algorithm
                    && a.verify_signature(key, &what, signature).is_ok()
            })
        });
        match signed {
            true => Ok(()),
            false => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    /// Checks a signature of the handshake with the key of a certificate of the first version.
    fn check_old_signature(
        &self,
        parsed: &Parsed,
        message: &[u8],
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (algorithm, key) = parsed.key().ok_or(CertificateError::BadEncoding)?;
        let mapping = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let (_, candidates) =
            mapping.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let valid = candidates.iter().any(|a| {
            a.public_key_alg_id().as_ref() == algorithm.as_slice()
                && a.verify_signature(key, message, dss.signature()).is_ok()
        });
        match valid {
            true => Ok(HandshakeSignatureValid::assertion()),
            false => Err(CertificateError::BadSignature.into()),
        }
    }

    fn tls12(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Self::old(cert) {
            Some(old) => self.check_old_signature(&old, message, dss),
            None => verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn tls13(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Self::old(cert) {
            // The newer protocol has fewer schemes, which are those that may be left here.
            Some(_) if !is_of_tls13(dss.scheme) => {
                Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
            }
            Some(old) => self.check_old_signature(&old, message, dss),
            None => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }
}

/// The schemes that TLS 1.3 has left (RFC 8446, 4.2.3).
fn is_of_tls13(scheme: SignatureScheme) -> bool {
    !matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA1
            | SignatureScheme::ECDSA_SHA1_Legacy
            | SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
    )
}

/// Algorithm and bits of a key, from what an authority's certificate says of it (without the tag
/// and length around it): a sequence, and a bit string with no unused bits.
fn key_of(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (algorithm, rest) = split(info)?;
    let (bits, _) = split(rest)?;
    let start = |der: &[u8]| contents(der).map(|inner| der.len() - inner.len());
    let key = bits.get(start(bits)? + 1..)?;
    Some((&algorithm[start(algorithm)?..], key))
}

/// The first DER value of several, and what follows it.
fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(*der.get(1)?);
    let (head, length) = match first {
        0..=0x7f => (2, first),
        0x81..=0x84 => {
            let bytes = der.get(2..2 + (first & 0x7f))?;
            (2 + bytes.len(), bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
        }
        _ => return None,
    };
    der.split_at_checked(head + length)
}

/// Believes servers.
#[derive(Debug)]
pub(super) struct Servers(pub(super) Authorities);

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(old) = Authorities::old(end_entity) {
            self.0.check_old(&old, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.0.roots,
            intermediates,
            now,
            self.0.algorithms.all,
        )?;
        Authorities::check_use(end_entity, Purpose::Server)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.algorithms.supported_schemes()
    }
}

/// Believes clients.
#[derive(Debug)]
pub(super) struct Clients {
    authorities: Authorities,
    inner: Arc<dyn ClientCertVerifier>,
    mandatory: bool,
}

impl Clients {
    pub(super) fn new(
        authorities: Authorities,
        mandatory: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Clients, String> {
        let inner =
            WebPkiClientVerifier::builder_with_provider(authorities.roots.clone(), provider)
                .build()
                .map_err(|e| e.to_string())?;
        Ok(Clients { authorities, inner, mandatory })
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(old) = Authorities::old(end_entity) {
            self.authorities.check_old(&old, now)?;
            return Ok(ClientCertVerified::assertion());
        }
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        Authorities::check_use(end_entity, Purpose::Client)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.algorithms.supported_schemes()
    }
}
