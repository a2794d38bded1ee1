//! A snapshot or a payload, whatever the bytes: reading ends, without a panic, in little memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::persist::fuzz::fuzz(data));
