//! Bytes from a scraper: however they are cut, they are the same requests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::net::http::fuzz(data));
