//! A stream's payload and commands on what it restores to: it can be dumped and restored to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::server::fuzz_streams(data));
