//! A configuration file: what is accepted survives being written and read again; the rest is an error.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::config::file::fuzz(data));
