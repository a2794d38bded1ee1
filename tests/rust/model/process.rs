//! Servers for these tests: each in a folder of its own, behind a Unix socket, gone when its owner
//! is.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::client::{Connection, Gone};

/// Only servers that others migrate to have a port, one of these.
const PORTS: std::ops::Range<u16> = 33_000..34_000;
const START: Duration = Duration::from_secs(10);

static COUNT: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    /// 0 unless it was asked for.
    pub port: u16,
}

/// Our server: that of `REDUST_SERVER`, or the one that cargo has built for this test.
pub(super) fn ours() -> PathBuf {
    std::env::var_os("REDUST_SERVER")
        .map_or_else(|| env!("CARGO_BIN_EXE_redust-server").into(), PathBuf::from)
}

/// The server to compare with: that of `REDUST_PEER`, or the redis-server of the `PATH`.
pub(super) fn peer() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("REDUST_PEER") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("redis-server")).find(|file| file.is_file())
}

impl Server {
    /// Starts a server with settings as words of a command line, and waits until it answers.
    pub(super) fn start(binary: &Path, settings: &str, with_port: bool) -> Server {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redust-model-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a temporary folder");
        let port = if with_port { free_port(number) } else { 0 };
        let log = fs::File::create(folder.join("log")).expect("a file for the log");
        let child = Command::new(binary)
            .args(["--port", &port.to_string(), "--unixsocket", "socket", "--save", ""])
            .args(["--enable-debug-command", "yes", "--databases", "4"])
            .args(settings.split_whitespace())
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
        let mut server = Server { child, folder, port };
        let end = Instant::now() + START;
        while !server.answers() {
            let ended = server.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > end {
                panic!("{} does not start:\n{}", binary.display(), server.log());
            }
            sleep(Duration::from_millis(2));
        }
        server
    }

    fn answers(&self) -> bool {
        self.connect().is_ok_and(|mut c| c.words("PING").is_ok_and(|pong| !pong.is_error()))
    }

    pub(super) fn connect(&self) -> Result<Connection, Gone> {
        Connection::open(&self.folder.join("socket"))
    }

    /// The last lines that it logged: a report, if it crashed.
    pub(super) fn log(&self) -> String {
        let text = fs::read(self.folder.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port(number: usize) -> u16 {
    let first = std::process::id() as usize * 7 + number;
    let len = PORTS.len();
    (0..len)
        .map(|step| PORTS.start + ((first + step) % len) as u16)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a free port")
}
