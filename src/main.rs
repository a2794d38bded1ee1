//! The one binary; the name it is called by decides what it is.
//!
//! `redust-server`, `redust-sentinel`, `redust-check-rdb`, `redust-check-aof`, or the same as
//! `redis-*`.

use std::ffi::OsString;

/// Everything is allocated by jemalloc; INFO's memory figures come from it.
#[global_allocator]
static ALLOCATOR: redust::sys::alloc::Allocator = redust::sys::alloc::Allocator;

fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map(std::path::Path::new).and_then(|p| p.file_name());
    let name = name.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let code = if name.contains("check-rdb") {
        redust::persist::check::run(&args[1..])
    } else if name.contains("check-aof") {
        redust::persist::aof::check::run(&args)
    } else {
        redust::server::boot::main(args)
    };
    std::process::exit(code);
}
