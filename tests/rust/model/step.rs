//! One step of a case: a command of one client, before it is known when it is sent, and to whom.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// An argument; those that depend on when and where it is sent are made then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arg {
    Bytes(Vec<u8>),
    /// A time so many milliseconds from now, in seconds and in milliseconds.
    Seconds(i64),
    Milliseconds(i64),
    /// The port of the server to migrate to.
    Port,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub client: usize,
    pub args: Vec<Arg>,
    /// Whether a key may be past its time a moment later.
    pub brief: bool,
}

impl Step {
    /// The name in capitals.
    pub(super) fn name(&self) -> String {
        match &self.args[0] {
            Arg::Bytes(name) => String::from_utf8_lossy(name).to_uppercase(),
            _ => String::new(),
        }
    }

    pub(super) fn render(&self, now_ms: i64, port: u16) -> Vec<Vec<u8>> {
        let render = |arg: &Arg| match arg {
            Arg::Bytes(bytes) => bytes.clone(),
            Arg::Seconds(from_now) => ((now_ms + from_now) / 1000).to_string().into_bytes(),
            Arg::Milliseconds(from_now) => (now_ms + from_now).to_string().into_bytes(),
            Arg::Port => port.to_string().into_bytes(),
        };
        self.args.iter().map(render).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}:", self.client)?;
        for arg in &self.args {
            match arg {
                Arg::Bytes(bytes)
                    if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic) =>
                {
                    write!(f, " {}", brief(&String::from_utf8_lossy(bytes)))?;
                }
                Arg::Bytes(bytes) => {
                    write!(f, " \"{}\"", brief(&bytes.escape_ascii().to_string()))?
                }
                Arg::Seconds(ms) => write!(f, " <now{:+}s>", ms / 1000)?,
                Arg::Milliseconds(ms) => write!(f, " <now{ms:+}ms>")?,
                Arg::Port => write!(f, " <port>")?,
            }
        }
        Ok(())
    }
}

/// Long texts of one letter are told by their length.
pub(super) fn brief(text: &str) -> String {
    let first = text.chars().next().unwrap_or_default();
    match text.len() {
        len if len > 30 && text.chars().all(|c| c == first) => format!("<{first} x {len}>"),
        _ => text.to_owned(),
    }
}

pub(super) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
    now.as_millis() as i64
}
