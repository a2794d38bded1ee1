//! Hellos, INFO, directives and votes that reach a Sentinel: whatever they say, it goes on, and what it
//! would write into its file is something that it reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::sentinel::fuzz(data));
