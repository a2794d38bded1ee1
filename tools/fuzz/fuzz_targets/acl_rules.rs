//! Rules of a user and commands: the user that they make is made again by its description, and each command
//! is allowed exactly if a look through the patterns one by one allows it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redust::acl::fuzz::rules(data));
