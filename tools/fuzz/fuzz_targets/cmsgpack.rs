//! Bytes for `cmsgpack.unpack`: what it reads it writes, and reads again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::script::fuzz::msgpack(data));
