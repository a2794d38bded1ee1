//! A format and bytes for `struct`: nothing is read that is not there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::script::fuzz::structs(data));
