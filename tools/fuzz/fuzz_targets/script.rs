//! A script for EVAL: it ends, and the next one finds the interpreter as it should be.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::script::fuzz::text(data));
