//! Certificates and keys from PEM files.

use std::io::ErrorKind;
use std::path::Path;

use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::util::path::{os_error, to_path};

/// A chain of certificates, that of the server itself first.
pub(super) fn chain(path: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = certificates(&to_path(path))?;
    match found.is_empty() {
        true => Err("there is no certificate in it".into()),
        false => Ok(found),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(path).map_err(|e| os_error(&e))?;
    CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(explain)
}

fn explain(e: pem::Error) -> String {
    match e {
        pem::Error::NoItemsFound => "there is nothing of the kind in it".into(),
        e => format!("it is no good PEM: {e}"),
    }
}

/// The certificates of all files in a directory, and how many could not be read.
pub(super) fn directory(path: &[u8]) -> Result<(Vec<CertificateDer<'static>>, usize), String> {
    let (mut found, mut bad) = (Vec::new(), 0);
    let entries = std::fs::read_dir(to_path(path)).map_err(|e| os_error(&e))?;
    let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    // The links that name files by a hash of their subject are the same certificates once more.
    files.sort_unstable();
    for file in files.iter().filter(|file| file.is_file()) {
        match certificates(file) {
            Ok(more) => found.extend(more),
            Err(_) => bad += 1,
        }
    }
    found.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    found.dedup();
    Ok((found, bad))
}

/// A private key; `password` is for one that is encrypted.
pub(super) fn key(path: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let text = std::fs::read(to_path(path)).map_err(|e| os_error(&e))?;
    if text.windows(22).any(|line| line == b"Proc-Type: 4,ENCRYPTED") {
        return Err(
            "it is encrypted in the old way; write it anew with `openssl pkcs8 -topk8 -in \
                    <this file> -out <new file>`"
                .into(),
        );
    }
    match encrypted(&text)? {
        None => PrivateKeyDer::from_pem_slice(&text).map_err(explain),
        Some(_) if password.is_empty() => {
            Err("it is encrypted, and there is no password for it".into())
        }
        Some(der) => {
            let sealed = EncryptedPrivateKeyInfo::try_from(der.as_bytes())
                .map_err(|e| format!("its encryption is not understood: {e}"))?;
            let open = sealed
                .decrypt(password)
                .map_err(|_| "it can't be decrypted: the password may be wrong".to_owned())?;
            Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(open.as_bytes().to_vec())))
        }
    }
}

/// The contents of the first encrypted key of a file.
fn encrypted(text: &[u8]) -> Result<Option<SecretDocument>, String> {
    // The reader of keys skips what it does not know, encrypted keys among that.
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let text = String::from_utf8_lossy(text);
    let Some(start) = text.find(BEGIN) else { return Ok(None) };
    let end = text[start..].find(END).ok_or("its encrypted key has no end")?;
    let section = &text[start..start + end + END.len()];
    let (_, key) =
        SecretDocument::from_pem(section).map_err(|e| format!("it is no good PEM: {e}"))?;
    Ok(Some(key))
}

/// Looks whether a file holds parameters for the exchange of keys by finite fields.
pub(super) fn parameters(path: &[u8]) -> Result<(), String> {
    let text = std::fs::read(to_path(path)).map_err(|e| match e.kind() {
        ErrorKind::NotFound => "No such file or directory".to_owned(),
        _ => os_error(&e),
    })?;
    let begin = b"-----BEGIN DH PARAMETERS-----";
    match text.windows(begin.len()).any(|line| line == begin) {
        true => Ok(()),
        false => Err("failed to read DH params.".into()),
    }
}
