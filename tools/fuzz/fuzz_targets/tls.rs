//! What a peer sends to the port of TLS, before and after a handshake: it is refused, and ends.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::net::tls::fuzz::fuzz(data));
