//! Commands of an append-only file: the same however they arrive, and whole up to where it is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::persist::aof::fuzz::commands(data));
