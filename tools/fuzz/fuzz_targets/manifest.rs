//! A manifest of append-only files: what is accepted is written and read as the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::persist::aof::fuzz::manifest(data));
