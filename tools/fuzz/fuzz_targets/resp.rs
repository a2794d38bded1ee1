//! Bytes from a client: however they are cut, the parser finds the same commands and does not panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::resp::parser::fuzz(data));
