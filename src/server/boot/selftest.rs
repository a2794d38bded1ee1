//! What the program does instead of serving: `--test-memory` and `--check-system`.
//!
//! Both print what they find and return the exit code. Neither reads a configuration.

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
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut bad = 0;
    let mut check = |name: &str, ok: bool, advice: &str| {
        println!("[{name}]...{}", if ok { "OK" } else { "WARNING" });
        if !ok {
            println!("{advice}\n");
            bad = 1;
        }
    };
    check(
        "overcommit",
        read("/proc/sys/vm/overcommit_memory").trim() != "0",
        "Memory overcommit must be enabled, or a background save may fail when memory is short: \
         sysctl vm.overcommit_memory=1",
    );
    check(
        "THP",
        !read("/sys/kernel/mm/transparent_hugepage/enabled").contains("[always]"),
        "Transparent huge pages make latency and memory use after a fork worse: \
         echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    );
    check(
        "somaxconn",
        read("/proc/sys/net/core/somaxconn").trim().parse::<u32>().unwrap_or(0) >= 511,
        "The listen backlog is cut to less than 511: sysctl net.core.somaxconn=512",
    );
    bad
}
