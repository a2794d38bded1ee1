//! The file of users: whatever is in it, it is refused in words, or what would be written is read back as the
//! same users.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::acl::fuzz::file(data));
