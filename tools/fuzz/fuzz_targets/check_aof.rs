//! redust-check-aof on some files: nothing is changed that should not be, what is mended is sound.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::persist::aof::fuzz::tool(data));
