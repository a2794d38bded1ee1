//! What the program does instead of serving: `--test-memory` and `--check-system`.
//!
//! Both print what they find and return the exit code. Neither reads a configuration.

use crate::config::check::system;
use crate::sys::machine::Machine;
use std::path::Path;

/// Writes and reads back patterns over so much memory.
pub(super) fn test_memory(megabytes: u64) -> i32 {
    let words = megabytes as usize * (1 << 20) / 8;
    let mut block: Vec<u64> = Vec::new();
    if block.try_reserve_exact(words).is_err() {
        eprintln!("Unable to allocate {megabytes} megabytes");
        return 1;
    }
    block.resize(words, 0);
    for (pass, pattern) in
        [0x5555_5555_5555_5555, !0x5555_5555_5555_5555u64, 0, !0].iter().enumerate()
    {
        for (i, word) in block.iter_mut().enumerate() {
            *word = pattern ^ i as u64;
        }
        let wrong = block.iter().enumerate().position(|(i, w)| *w != pattern ^ i as u64);
        if let Some(at) = wrong {
            eprintln!("*** MEMORY ERROR DETECTED at word {at} ***");
            return 1;
        }
        println!("Pass {} of 4 OK", pass + 1);
    }
    println!("\nYour memory passed this test.");
    0
}

/// Settings of the system that make a data server slow or unsafe.
pub(super) fn check_system() -> i32 {
    let machine = Machine::read(Path::new("/"));
    let checks = [
        ("overcommit", system::overcommit(&machine)),
        ("THP", system::huge_pages(&machine)),
        ("somaxconn", system::somaxconn(&machine)),
    ];
    for (name, advice) in checks {
        println!("[{name}]...{}", if advice.is_none() { "OK" } else { "WARNING" });
        if let Some(system::Advice { text, fix }) = advice {
            println!("{text}: {fix}\n");
        }
    }
    i32::from(checks.iter().any(|(_, advice)| advice.is_some()))
}
