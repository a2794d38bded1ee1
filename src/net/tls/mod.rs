//! TLS: connections (`stream`), and what they are made with (`context`), from the directives.
//!
//! ```text
//! context   the directives become two configurations of rustls, for both sides
//!   suites    names of OpenSSL's cipher lists
//!   pem       certificates and keys from files
//!   verify    who is believed
//!   sessions  what makes a second handshake short
//! cert      what a certificate says
//! ```
//! The cryptography is aws-lc's. What it does not have is refused by name: TLS below 1.2, key
//! exchange without forward secrecy, ciphers that are broken.

pub(crate) mod cert;
pub(crate) mod context;
pub mod fuzz;
mod pem;
mod sessions;
pub(crate) mod stream;
mod suites;
#[cfg(test)]
mod tests;
mod verify;
