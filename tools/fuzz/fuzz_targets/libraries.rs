//! A payload for FUNCTION RESTORE: all of it or nothing, and what is there can be dumped.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::server::fuzz_libraries(data));
