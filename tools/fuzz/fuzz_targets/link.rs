//! What a primary says to its replica, from the handshake to the stream: cut anywhere, it counts the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::server::fuzz_link(data));
