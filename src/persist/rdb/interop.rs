//! Files and payloads exchanged with an installed redis-server. Without one these tests do nothing.

use super::testing::*;
use crate::persist::dump::{dump, restore};
use crate::persist::rdb::save::SaveOptions;
use crate::value::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A redis-server of its own: no port, a socket in a directory of its own.
struct Reference {
    dir: PathBuf,
    child: Option<Child>,
}

impl Reference {
    /// A directory for the server to start in; None if none is installed.
    fn prepare(name: &str) -> Option<Reference> {
        let version = Command::new("redis-server").arg("--version").output().ok()?;
        Command::new("redis-cli").arg("--version").output().ok()?;
        version.status.success().then(|| {
            let dir = format!("redust-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(dir);
            std::fs::create_dir_all(&dir).expect("a directory");
            Reference { dir, child: None }
        })
    }

    fn file(&self) -> PathBuf {
        self.dir.join("dump.rdb")
    }

    fn start(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "s", "--save", "", "--databases", "16"])
            .args(["--enable-debug-command", "yes"])
            .current_dir(&self.dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("it is installed");
        self.child = Some(child);
        let start = Instant::now();
        while self.cli(&["ping"], b"") != b"PONG\n" {
            assert!(start.elapsed() < Duration::from_secs(20), "it does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The reply to a command whose last argument is `input`, if that is not empty.
    fn cli(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("redis-cli");
        command.args(["-s", "s", "--raw"]);
        if !input.is_empty() {
            command.arg("-x");
        }
        let mut child = command
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        child.stdin.take().expect("a pipe").write_all(input).expect("taken");
        child.wait_with_output().expect("it ends").stdout
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Loads a file with what no clock of today drops.
fn load_file(path: &Path) -> Contents {
    let file = std::fs::read(path).expect("the file");
    let mut ks = empty();
    loaded_with(&file, &load_options(), &mut ks).expect("a sound file");
    contents(&ks)
}

#[test]
fn snapshots_both_ways() {
    for (compression, checksum) in [(true, true), (false, false)] {
        let Some(mut reference) = Reference::prepare("snapshots") else { return };
        let ks = Random::new(0xca11).keyspace(800);
        let opts = SaveOptions { compression, checksum, ..save_options() };
        std::fs::write(reference.file(), saved(&ks, &opts)).expect("written");
        reference.start();
        let size = ks.db(0).len().to_string() + "\n";
        assert_eq!(reference.cli(&["dbsize"], b""), size.as_bytes());
        assert_eq!(reference.cli(&["save"], b""), b"OK\n");
        // It read ours and wrote its own; ours reads that, and nothing has changed.
        assert_eq!(load_file(&reference.file()), contents(&ks));
        let mut checked = Vec::new();
        let file = std::fs::File::open(reference.file()).expect("the file");
        assert!(crate::persist::check::check(file, "its", NOW_MS, &mut checked).expect("memory"));
    }
}

/// A file of the latest version is refused by an older server, but not once it is converted.
#[test]
fn converted_files_are_loaded() {
    let Some(mut reference) = Reference::prepare("converted") else { return };
    let mut ks = Random::new(0xc0).keyspace(300);
    let db = ks.db_mut(0);
    let member = |text: &str| Value::from_bytes(text.into());
    db.put(db.key(b"after"), member("all"), None, 0);
    let newest = saved(&ks, &SaveOptions { version: 12, ..save_options() });
    let old = reference.dir.join("new.rdb");
    std::fs::write(&old, &newest).expect("written");
    let args = ["--convert".into(), "10".into(), old.into(), reference.file().into()];
    assert_eq!(crate::persist::check::run(&args), 0);
    reference.start();
    let size = ks.db(0).len().to_string() + "\n";
    assert_eq!(reference.cli(&["dbsize"], b""), size.as_bytes());
    assert_eq!(reference.cli(&["get", "after"], b""), b"all\n");
    assert_eq!(reference.cli(&["save"], b""), b"OK\n");
    assert_eq!(load_file(&reference.file()), contents(&ks));
}

#[test]
fn payloads_both_ways() {
    let Some(mut reference) = Reference::prepare("payloads") else { return };
    reference.start();
    let mut random = Random::new(0xd0_0d);
    let mut texts: Vec<Vec<u8>> = (0..40).map(|_| random.text()).collect();
    texts.push(b"compressible ".repeat(500));
    texts.push([b"abc".repeat(90), (0..200).collect(), vec![0; 9000]].concat());
    for text in texts.iter().filter(|text| !text.is_empty()) {
        reference.cli(&["set", "theirs"], text);
        let mut payload = reference.cli(&["dump", "theirs"], b"");
        assert_eq!(payload.pop(), Some(b'\n'));
        let value = restore(&payload, true, &Default::default()).expect("its payload");
        assert_eq!(value, Value::from_bytes(text.clone()));

        let mut ks = empty();
        set(&mut ks, 0, b"ours", text, None);
        let ours = dump(ks.db(0).find(ks.db(0).key(b"ours")).expect("it is there"), 0, true);
        reference.cli(&["del", "ours"], b"");
        assert_eq!(reference.cli(&["restore", "ours", "0"], &ours), b"OK\n");
        let mut back = reference.cli(&["get", "ours"], b"");
        back.pop();
        assert_eq!(&back, text);
    }
}
