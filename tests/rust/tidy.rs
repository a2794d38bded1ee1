//! The tree's own rules, as tests: layers, the fence around `unsafe`, headers, leftovers, sizes,
//! stray files.
//!
//! Each test reads the sources, never builds them, and lists everything it finds before it fails.
//! Comments and string literals are blanked out first (`code_only`), so prose may speak of what
//! code may not do. What is allowed stands in the tables below: change them deliberately, in the
//! commit that needs it.
//!
//! `cargo test --test redust tidy -- --nocapture` (or `make tidy`) also prints the largest files
//! and the counters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Top-level modules by layer. A module may mention those of lower layers, and itself; never a
/// sibling.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["util", "sys"]),
    (1, &["ds", "resp"]),
    (2, &["value"]),
    (3, &["keyspace"]),
    (
        4,
        &[
            "acl", "blocked", "cluster", "commands", "config", "ext", "latency", "net", "persist",
            "pubsub", "repl", "script", "sentinel", "slowlog", "stats", "tracking", "watch",
        ],
    ),
    (5, &["server"]),
];

/// Arrows that the layers forbid and that we allow: (module, prefix of the path it may mention).
const EXCEPTIONS: &[(&str, &str)] = &[
    ("acl", "commands::spec"),
    ("cluster", "commands::spec"),
    ("ext", "commands"),
    // The registries are keyed by clients, and know no more of them than the id.
    ("blocked", "net::clients::ClientId"),
    ("pubsub", "net::clients::ClientId"),
    ("tracking", "net::clients::ClientId"),
    ("watch", "net::clients::ClientId"),
];

/// The floors of `server`, from the ground up: a file imports from its own floor and those below.
const FLOORS: &[&str] = &["parts", "engine", "jobs", "reactor", "admin", "boot"];
/// Lines from which a file of `server` is named in the report.
const LONG_IN_SERVER: usize = 500;

/// Where `unsafe` may stand: files, or folders with a slash at the end.
const UNSAFE: &[&str] = &[
    "src/sys/",
    "src/sys.rs",
    "src/ds/cell.rs",
    "src/ds/dict.rs",
    "src/ds/dict/",
    "src/ds/field_table.rs",
    "src/ds/ordered.rs",
    "src/ds/ordered/",
    "src/ds/rax.rs",
    "src/ds/rax/",
    "src/ds/sds.rs",
    "src/ds/sds/",
    "src/keyspace/entry.rs",
    "src/keyspace/entry/",
    "src/script/bridge.rs",
    "src/script/bridge/",
];

/// What may lie at the top of the tree.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitattributes",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "clippy.toml",
    "doc",
    "redust.conf",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "sentinel.conf",
    "src",
    "tests",
    "tools",
];

/// Lines from which a file is named in the report, and from which it fails unless it says it is
/// generated.
const LONG: usize = 800;
const TOO_LONG: usize = 1200;
/// Columns that a line of comment may have: `max_width` of rustfmt.toml.
const WIDE: usize = 100;

fn root() -> PathBuf {
    // Cargo sets it at run time too; the compiled-in value serves when the binary is started by
    // hand.
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// One source file: its path relative to the root with `/`, its text, and its text without comments
/// and literals.
struct Source {
    path: String,
    text: String,
    code: String,
}

/// All Rust files below the given folders, sorted by path.
fn sources(folders: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(dir) = todo.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = relative(&root, &path);
                found.push(Source { path, code: code_only(&text), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).expect("below the root");
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Fails with the whole list, so that one run shows everything there is to mend.
fn verdict(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "\n{rule}:\n  {}\n", findings.join("\n  "));
}

// ---- reading Rust just well enough
// ---------------------------------------------------------------------------

/// The text with every comment and every string or character literal blanked; line breaks stay
/// where they are.
fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !joined(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'b' if !joined(bytes, at) && bytes.get(at + 1) == Some(&b'r') => {
                raw_string_end(bytes, at + 1).unwrap_or(at)
            }
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("whole literals were blanked")
}

/// Whether the byte before belongs to the same identifier.
fn joined(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"` or `r#"…"#` whose `r` is at `start`; `None` for a raw identifier or a plain
/// `r`.
fn raw_string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let body = &bytes[open + 1..];
    let length = body.windows(close.len()).position(|window| window == close).unwrap_or(body.len());
    Some((open + 1 + length + close.len()).min(bytes.len()))
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        let close = bytes[start + 3..].iter().position(|&byte| byte == b'\'')?;
        return Some(start + 3 + close + 1);
    }
    let length = std::str::from_utf8(&bytes[start + 1..(start + 5).min(bytes.len())])
        .or_else(|error| std::str::from_utf8(&bytes[start + 1..start + 1 + error.valid_up_to()]))
        .ok()?
        .chars()
        .next()?
        .len_utf8();
    (bytes.get(start + 1 + length) == Some(&b'\'')).then_some(start + length + 2)
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Byte offsets at which `word` stands as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = bytes.get(at + word.len());
        !joined(bytes, at)
            && !after.is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Every path the code reaches from the crate's root: (offset, "ds::dict::Dict"), groups taken
/// apart one level deep at a time; `super::` chains that climb to the root count too.
fn crate_paths(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(&source.code, "crate") {
        if let Some(rest) = source.code[at + 5..].trim_start().strip_prefix("::") {
            expand(rest, &mut |path| found.push((at, path)));
        }
    }
    let depth = module_path(&source.path).len();
    for at in words(&source.code, "super") {
        if source.code[..at].trim_end().ends_with("super::") {
            continue;
        }
        let mut rest = &source.code[at + 5..];
        let mut climbed = 1;
        while let Some(next) = rest.strip_prefix("::super") {
            rest = next;
            climbed += 1;
        }
        // Inside an inline `mod tests` one `super` goes less far; only names of known modules are
        // judged.
        if climbed >= depth
            && let Some(rest) = rest.strip_prefix("::")
        {
            expand(rest, &mut |path| {
                if layer(path.split("::").next().unwrap_or_default()).is_some() {
                    found.push((at, path));
                }
            });
        }
    }
    found
}

/// Reads one path, or a `{group}` of them, from the start of `text`.
fn expand(text: &str, found: &mut dyn FnMut(String)) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 1;
        let mut start = 0;
        for (at, byte) in group.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 || (depth == 1 && byte == b',') {
                if !group[start..at].trim().is_empty() {
                    expand(&group[start..at], found);
                }
                start = at + 1;
            }
            if depth == 0 {
                return;
            }
        }
        return;
    }
    let length = text
        .bytes()
        .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
        .count();
    found(text[..length].trim_end_matches(':').to_string());
}

/// `src/ds/dict/tests.rs` -> `["ds", "dict", "tests"]`; the crate's roots -> `[]`.
fn module_path(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.last().is_some_and(|last| *last == "mod") {
        parts.pop();
    }
    if parts == ["lib"] || parts == ["main"] { Vec::new() } else { parts }
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(layer, _)| *layer)
}

/// Why `from` must not mention `path`, if so.
fn forbidden(from: &str, path: &str) -> Option<&'static str> {
    let to = path.split("::").next().unwrap_or_default();
    if from == to {
        return None;
    }
    // Macros and items of the crate's root belong to no layer.
    let (from_layer, to_layer) = (layer(from)?, layer(to)?);
    let excepted = EXCEPTIONS.iter().any(|(module, prefix)| {
        *module == from
            && path
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    match from_layer.cmp(&to_layer) {
        std::cmp::Ordering::Greater => None,
        _ if excepted => None,
        std::cmp::Ordering::Equal => Some("sideways"),
        std::cmp::Ordering::Less => Some("upwards"),
    }
}

// ---- the rules
// -----------------------------------------------------------------------------------------------

#[test]
fn tidy_layers_only_look_down() {
    let mut findings = Vec::new();
    for source in sources(&["src"]) {
        let Some(&module) = module_path(&source.path).first() else { continue };
        if layer(module).is_none() {
            findings.push(format!(
                "{}: module `{module}` is in no layer of tests/rust/tidy.rs",
                source.path
            ));
        }
        for (at, path) in crate_paths(&source) {
            if let Some(direction) = forbidden(module, &path) {
                let line = line_of(&source.code, at);
                findings.push(format!(
                    "{}:{line}: `{module}` looks {direction} to `{path}`",
                    source.path
                ));
            }
        }
    }
    verdict("a module imports only from the layers below it", &findings);
}

/// The file that a path leads into: the longest part of it that is a module of the tree.
fn file_of<'a>(path: &str, modules: &'a BTreeMap<String, usize>) -> Option<(&'a str, usize)> {
    let parts: Vec<&str> = path.split("::").collect();
    let all = (1..=parts.len()).rev().map(|n| parts[..n].join("/"));
    all.filter_map(|name| modules.get_key_value(&name)).map(|(name, at)| (&name[..], *at)).next()
}

/// The files of the tree (tests left out), and for each which others it mentions.
fn imports() -> (Vec<Source>, Vec<BTreeSet<usize>>) {
    let is_test = |path: &str| {
        path.ends_with("tests.rs") || path.ends_with("testing.rs") || path.contains("/tests/")
    };
    let files: Vec<Source> =
        sources(&["src"]).into_iter().filter(|source| !is_test(&source.path)).collect();
    let name = |source: &Source| module_path(&source.path).join("/");
    let modules: BTreeMap<String, usize> =
        files.iter().enumerate().map(|(at, source)| (name(source), at)).collect();
    let targets = files.iter().enumerate().map(|(from, source)| {
        let code = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let source = Source { path: source.path.clone(), text: String::new(), code: code.into() };
        let paths = crate_paths(&source).into_iter();
        let to = paths.filter_map(|(_, path)| file_of(&path, &modules)).map(|(_, at)| at);
        to.filter(|&at| at != from).collect()
    });
    let targets = targets.collect();
    (files, targets)
}

#[test]
fn tidy_floors_of_server_only_look_down() {
    let (files, targets) = imports();
    let floor = |at: usize| {
        let rest = files[at].path.strip_prefix("src/server/")?;
        FLOORS.iter().position(|floor| rest.strip_prefix(floor).is_some_and(|r| r.starts_with('/')))
    };
    let mut findings = Vec::new();
    let mut arrows = vec![vec![0; FLOORS.len()]; FLOORS.len()];
    for (from, to) in targets.iter().enumerate() {
        let in_server = files[from].path.starts_with("src/server/");
        if in_server && floor(from).is_none() && files[from].path != "src/server/mod.rs" {
            findings
                .push(format!("{}: stands on no floor of tests/rust/tidy.rs", files[from].path));
        }
        for &to in to {
            let (Some(a), Some(b)) = (floor(from), floor(to)) else { continue };
            arrows[a][b] += 1;
            if b > a {
                findings.push(format!("{} looks up to {}", files[from].path, files[to].path));
            }
        }
    }
    for (a, name) in FLOORS.iter().enumerate() {
        let rooms = (0..files.len()).filter(|&at| floor(at) == Some(a)).count();
        let to: Vec<String> = FLOORS
            .iter()
            .zip(&arrows[a])
            .filter(|(_, n)| **n > 0)
            .map(|(floor, n)| format!("{floor} {n}"))
            .collect();
        println!("tidy: server/{name}: {rooms} files, arrows to {}", to.join(", "));
    }
    verdict("a floor of server imports only from itself and those below", &findings);
}

#[test]
fn tidy_no_files_import_each_other_in_a_circle() {
    let (files, targets) = imports();
    // A file that stands at the head of a folder may hold what those in the folder share, and use
    // them: the folder is one module then, and its inside is its own affair.
    let folder = |at: usize| {
        let path = &files[at].path;
        path.strip_suffix("/mod.rs")
            .or_else(|| path.strip_suffix(".rs"))
            .unwrap_or(path)
            .to_string()
    };
    let within = |a: usize, b: usize| {
        let (a, b) = (folder(a), folder(b));
        !a.starts_with("src/server")
            && (a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/")))
    };
    let mut findings = Vec::new();
    for start in 0..files.len() {
        // Every file that `start` reaches, with the file through which.
        let mut via: BTreeMap<usize, usize> = BTreeMap::new();
        let mut todo = vec![start];
        while let Some(at) = todo.pop() {
            for &to in targets[at].iter().filter(|&&to| !within(at, to)) {
                if via.insert(to, at).is_none() {
                    todo.push(to);
                }
            }
        }
        let Some(&last) = via.get(&start) else { continue };
        let mut circle = vec![files[start].path.as_str()];
        let mut at = last;
        while at != start {
            circle.push(&files[at].path);
            at = via[&at];
        }
        circle.push(&files[start].path);
        circle.reverse();
        findings.push(circle.join(" -> "));
    }
    verdict("no files import each other in a circle", &findings);
}

#[test]
fn tidy_unsafe_stays_behind_its_fence() {
    let mut findings = Vec::new();
    let mut blocks = 0;
    for source in sources(&["src", "tools", "tests/rust"]) {
        let fenced = UNSAFE.iter().any(|place| {
            source.path == *place || (place.ends_with('/') && source.path.starts_with(place))
        });
        for at in words(&source.code, "unsafe").chain(words(&source.code, "unsafe_code")) {
            blocks += 1;
            if !fenced {
                findings.push(format!(
                    "{}:{}: unsafe outside the fence",
                    source.path,
                    line_of(&source.code, at)
                ));
            }
        }
    }
    println!("tidy: the word `unsafe` stands in code {blocks} times");
    verdict("unsafe code lives in the files listed in tests/rust/tidy.rs", &findings);
}

#[test]
fn tidy_files_begin_by_explaining_themselves() {
    let findings: Vec<String> = sources(&["src", "tools", "tests/rust"])
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{}: the first line is not a `//!` comment", source.path))
        .collect();
    verdict("every file opens with what it is for", &findings);
}

#[test]
fn tidy_comments_are_no_wider_than_code() {
    let mut findings = Vec::new();
    for source in sources(&["src", "tests/rust"]) {
        // `rustfmt` sees to the code, and leaves comments as they are.
        for (at, line) in source.text.lines().enumerate() {
            let width = line.chars().count();
            if line.trim_start().starts_with("//") && width > WIDE {
                findings.push(format!("{}:{}: {width} columns", source.path, at + 1));
            }
        }
    }
    verdict(&format!("a comment has at most {WIDE} columns, like code"), &findings);
}

#[test]
fn tidy_nothing_is_left_unfinished_or_silenced() {
    const LEFTOVERS: &[&str] =
        &["todo!", "unimplemented!", "dbg!", "#[allow(", "#![allow(", "#[ignore"];
    let mut findings = Vec::new();
    for source in sources(&["src", "tools", "tests/rust"]) {
        for leftover in LEFTOVERS {
            for (at, _) in source.code.match_indices(leftover) {
                // The one silencing there is, and the fence decides where it may stand.
                if source.code[at..].starts_with("#![allow(unsafe_code)]")
                    || joined(source.code.as_bytes(), at)
                {
                    continue;
                }
                findings.push(format!("{}:{}: {leftover}", source.path, line_of(&source.code, at)));
            }
        }
    }
    verdict("no unfinished code; `#[expect(lint, reason = \"..\")]` instead of allow", &findings);
}

#[test]
fn tidy_files_stay_readable() {
    let mut findings = Vec::new();
    let mut report = String::new();
    let mut total = 0;
    let all = sources(&["src"]);
    for source in &all {
        let lines = source.text.lines().count();
        total += lines;
        let generated =
            source.text.lines().next().is_some_and(|first| first.contains("Generated by"));
        if source.path.starts_with("src/server/")
            && !source.path.ends_with("tests.rs")
            && lines > LONG_IN_SERVER
        {
            findings.push(format!("{}: {lines} lines, {LONG_IN_SERVER} in server", source.path));
        } else if lines > TOO_LONG && !generated {
            findings.push(format!("{}: {lines} lines", source.path));
        } else if lines > LONG {
            writeln!(report, "tidy: {lines:5} lines  {}", source.path)
                .expect("writing to a String");
        }
    }
    let count = |word: &str| -> usize {
        all.iter().map(|source| words(&source.code, word).count()).sum::<usize>()
    };
    let scoped: usize = all.iter().map(|source| source.code.matches("pub(").count()).sum();
    let open = count("pub") - scoped;
    println!("tidy: `pub` in full stands in code {open} times, `pub(crate)` {scoped} times");
    let handlers: usize =
        all.iter().map(|source| source.code.matches("Handler::Server(").count()).sum();
    println!(
        "{report}tidy: {} files, {total} lines, {handlers} mentions of Handler::Server",
        all.len()
    );
    verdict(&format!("a file of more than {TOO_LONG} lines has a seam somewhere"), &findings);
}

#[test]
fn tidy_no_stray_files_at_the_top() {
    let root = root();
    let listed = Command::new("git").arg("-C").arg(&root).args(["ls-files", "-z"]).output();
    // Only what is committed counts: a scratch file of the moment disturbs nobody. Without git
    // everything counts.
    let names: Vec<String> = match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split('\0').filter(|name| !name.is_empty()).map(str::to_string).collect()
        }
        _ => fs::read_dir(&root)
            .expect("the tree")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name != "target" && name != ".git")
            .collect(),
    };
    assert!(names.iter().any(|name| name == "Cargo.toml"), "this is not the tree");
    let mut findings: Vec<String> = names
        .iter()
        .map(|name| name.split('/').next().unwrap_or_default().to_string())
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    findings.dedup();
    verdict("the top of the tree holds only what belongs there", &findings);
}

// ---- the reader itself
// ---------------------------------------------------------------------------------------

#[test]
fn comments_and_literals_are_blanked() {
    let text = concat!(
        "let a = \"crate::net // no comment\"; // unsafe\n",
        "let b = r#\"unsafe \" quoted\"#; /* /* nested */ todo!() */ let c = 'x'; let d: &'static str = b\"\\\"dbg!\";\n",
        "let e = '\\''; let f = '\"'; let g = '\\u{1f600}'; let h = br\"raw\"; let r = 1; fn k<'a>(x: &'a str) {}\n",
        "let i = 'é'; let after = crate::util::x;",
    );
    let code = code_only(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.matches('\n').count(), text.matches('\n').count());
    for gone in ["unsafe", "todo!", "dbg!", "crate::net", "quoted", "raw", "1f600"] {
        assert!(!code.contains(gone), "{gone} in {code}");
    }
    for kept in [
        "let c =",
        "let d: &'static str =",
        "let r = 1;",
        "fn k<'a>(x: &'a str) {}",
        "crate::util::x",
    ] {
        assert!(code.contains(kept), "{kept} not in {code}");
    }
}

#[test]
fn paths_are_found_in_every_spelling() {
    let of = |path: &str, text: &str| -> Vec<String> {
        let source = Source { path: path.into(), text: text.into(), code: code_only(text) };
        crate_paths(&source).into_iter().map(|(_, path)| path).collect()
    };
    assert_eq!(of("src/ds/dict.rs", "use crate::util::rand::Rng;"), ["util::rand::Rng"]);
    assert_eq!(
        of("src/ds/dict.rs", "use crate::{net::conn, sys, util::{a, b}};"),
        ["net::conn", "sys", "util"]
    );
    assert_eq!(of("src/ds/dict.rs", "pub(crate) fn f() { crate::server::run() }"), ["server::run"]);
    assert_eq!(of("src/ds/dict.rs", "use super::super::server::Server;"), ["server::Server"]);
    assert!(of("src/ds/dict.rs", "use super::listpack;").is_empty());
    assert_eq!(of("src/ds/dict.rs", "let x = $crate::net::y;"), ["net::y"]);
}

#[test]
fn arrows_are_judged() {
    assert_eq!(forbidden("ds", "util::rand"), None);
    assert_eq!(forbidden("ds", "resp"), Some("sideways"));
    assert_eq!(forbidden("ds", "keyspace::db"), Some("upwards"));
    assert_eq!(forbidden("commands", "config::table"), Some("sideways"));
    assert_eq!(forbidden("acl", "commands::spec::Flags"), None);
    assert_eq!(forbidden("acl", "commands::specials"), Some("sideways"));
    assert_eq!(forbidden("commands", "server"), Some("upwards"));
    assert_eq!(forbidden("server", "net::conn"), None);
    assert_eq!(forbidden("net", "net::conn"), None);
    assert_eq!(forbidden("util", "ds"), Some("upwards"));
}
