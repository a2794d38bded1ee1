//! What a certificate says: its serial number, its names, its time, its key.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::asn1::{BitString, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// Netscape's word for what a certificate is for. OpenSSL still goes by it.
const NETSCAPE_USE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");

/// What is told of a certificate in INFO and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Hexadecimal, without leading zeros.
    pub serial: String,
    /// When it ends, in seconds since 1970.
    pub ends_secs: u64,
}

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Server,
    Client,
}

/// A certificate that could be read.
#[derive(Debug)]
pub(crate) struct Parsed(Certificate);

impl Parsed {
    /// None: it is none.
    pub(crate) fn of(der: &CertificateDer<'_>) -> Option<Parsed> {
        Certificate::from_der(der).ok().map(Parsed)
    }

    pub(crate) fn facts(&self) -> Facts {
        let tbs = &self.0.tbs_certificate;
        let hex: String = tbs.serial_number.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        let hex = hex.trim_start_matches('0');
        Facts {
            serial: if hex.is_empty() { "0".into() } else { hex.into() },
            ends_secs: tbs.validity.not_after.to_unix_duration().as_secs(),
        }
    }

    /// The (last) common name of its subject.
    pub(crate) fn common_name(&self) -> Option<Vec<u8>> {
        let mut parts = self.0.tbs_certificate.subject.0.iter().rev().flat_map(|rdn| rdn.0.iter());
        let value = &parts.find(|part| part.oid == COMMON_NAME)?.value;
        let text = value
            .decode_as::<Utf8StringRef<'_>>()
            .map(|s| s.as_str().to_owned())
            .or_else(|_| value.decode_as::<PrintableStringRef<'_>>().map(|s| s.to_string()))
            .or_else(|_| value.decode_as::<Ia5StringRef<'_>>().map(|s| s.to_string()));
        text.ok().map(String::into_bytes)
    }

    /// The URIs among its alternative names.
    pub(crate) fn uris(&self) -> Vec<Vec<u8>> {
        let Some(value) = self.extension(ALT_NAME) else { return Vec::new() };
        let Ok(names) = SubjectAltName::from_der(value) else { return Vec::new() };
        let uri = |name: GeneralName| match name {
            GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_bytes().to_vec()),
            _ => None,
        };
        names.0.into_iter().filter_map(uri).collect()
    }

    fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let all = self.0.tbs_certificate.extensions.as_ref()?;
        all.iter().find(|e| e.extn_id == id).map(|e| e.extn_value.as_bytes())
    }

    /// Whether Netscape's extension, if it is there, allows a use.
    pub(crate) fn allows(&self, purpose: Purpose) -> bool {
        let Some(value) = self.extension(NETSCAPE_USE) else { return true };
        let Ok(bits) = BitString::from_der(value) else { return false };
        let bit = match purpose {
            Purpose::Client => 0x80,
            Purpose::Server => 0x40,
        };
        bits.raw_bytes().first().is_some_and(|byte| byte & bit != 0)
    }

    /// Whether it is of the first version, which has no extensions.
    pub(crate) fn is_of_version_1(&self) -> bool {
        self.0.tbs_certificate.version == x509_cert::Version::V1
    }

    /// Whether a time, in seconds since 1970, is within its own.
    pub(crate) fn is_valid_at(&self, secs: u64) -> bool {
        let validity = &self.0.tbs_certificate.validity;
        let from = validity.not_before.to_unix_duration().as_secs();
        (from..=validity.not_after.to_unix_duration().as_secs()).contains(&secs)
    }

    /// Its issuer's name, without the tag and length around it.
    pub(crate) fn issuer(&self) -> Option<Vec<u8>> {
        contents(&self.0.tbs_certificate.issuer.to_der().ok()?)
    }

    /// The algorithm and the bits of its key.
    pub(crate) fn key(&self) -> Option<(Vec<u8>, &[u8])> {
        let key = &self.0.tbs_certificate.subject_public_key_info;
        Some((contents(&key.algorithm.to_der().ok()?)?, key.subject_public_key.raw_bytes()))
    }

    /// All that is said of its key, as other structures hold it.
    pub(crate) fn key_der(&self) -> Option<Vec<u8>> {
        self.0.tbs_certificate.subject_public_key_info.to_der().ok()
    }

    /// What is signed, by which algorithm, and the signature.
    pub(crate) fn signed(&self) -> Option<(Vec<u8>, Vec<u8>, &[u8])> {
        let what = self.0.tbs_certificate.to_der().ok()?;
        let how = contents(&self.0.signature_algorithm.to_der().ok()?)?;
        Some((what, how, self.0.signature.raw_bytes()))
    }
}

/// What is within a DER value, behind its tag and length.
pub(crate) fn contents(der: &[u8]) -> Option<Vec<u8>> {
    let first = usize::from(*der.get(1)?);
    let skip = if first < 0x80 { 2 } else { 2 + (first & 0x7f) };
    der.get(skip..).map(<[u8]>::to_vec)
}
