//! HTTP/1.1 and 1.0, as much as a scraper needs: requests without a body, replies whose length is
//! known.
//!
//! This is a state machine without a socket: bytes come in by [`Inbox::feed`], and
//! [`Inbox::next`] says what they are. It is strict, since only programs speak to it, and what is
//! read in two ways opens a door: lines end in CR LF, no line is folded, a field's name touches its
//! colon, HTTP/1.1 names its host once.
//!
//! ```text
//! feed ─> .................... ─> next: None          no whole head yet
//!         [skipped][ head  ][next..]     Some(Ok)     a request; what follows it stays
//!                                        Some(Err)    a refusal; the connection is of no more use
//! ```
//! Invariants:
//! - What `next` says depends on the bytes alone, and not on how they were cut.
//! - `Inbox` never holds more than `MAX_HEAD` bytes: whoever feeds it asks for [`Inbox::room`].
//! - Each byte is looked at once while a head is incomplete (`scanned`), and once when it is whole.

pub(crate) mod accept;

use std::fmt::Write as _;

/// A head must fit into so many bytes, empty lines before it included.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// How a reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    ContentTooLarge,
    HeadTooLarge,
    Unavailable,
    VersionNotSupported,
}

impl Status {
    /// Its number and words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::ContentTooLarge => "413 Content Too Large",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    /// A field that such a reply must have.
    fn field(self) -> &'static str {
        match self {
            Status::Unauthorized => "WWW-Authenticate: Bearer\r\n",
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
}

/// A request that may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub method: Method,
    /// Without a query.
    pub path: &'a [u8],
    /// The connection stays after the reply.
    pub keep_alive: bool,
    /// The lines of the fields; all are well-formed.
    fields: &'a [u8],
}

impl<'a> Request<'a> {
    /// The values of a field, one for each time that it is there. `name` is in lower case.
    pub(crate) fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let of = move |(field, value): (&[u8], &'a [u8])| {
            field.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        };
        lines(self.fields).filter_map(split_field).filter_map(of)
    }

    /// The secret of `Authorization: Bearer secret`, if it is there once.
    pub(crate) fn bearer(&self) -> Option<&'a [u8]> {
        let mut values = self.values("authorization");
        let value = values.next().filter(|_| values.next().is_none())?;
        let (scheme, secret) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| secret.trim_ascii())
    }
}

/// What came in and was not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// So many of them were looked at; no head ends there.
    scanned: usize,
    /// Where the line begins in which `scanned` is.
    line: usize,
    /// A line that is not empty has come.
    begun: bool,
}

impl Inbox {
    /// How many more bytes it takes.
    pub(crate) fn room(&self) -> usize {
        MAX_HEAD.saturating_sub(self.bytes.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what was read, at most as much as there is room for.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.room());
        self.bytes.extend_from_slice(bytes);
    }

    /// The request at the front, if it is whole, or why it is refused. It stays until `done`.
    pub(crate) fn next(&mut self) -> Option<Result<Request<'_>, Status>> {
        match self.find_end() {
            Ok(Some(end)) => Some(parse_head(without_empty_lines(&self.bytes[..end]))),
            Ok(None) if self.room() == 0 => Some(Err(Status::HeadTooLarge)),
            Ok(None) => None,
            Err(status) => Some(Err(status)),
        }
    }

    /// The request at the front was answered; the one behind it may follow.
    pub(crate) fn done(&mut self) {
        if let Ok(Some(end)) = self.find_end() {
            self.bytes.drain(..end);
        }
        (self.scanned, self.line, self.begun) = (0, 0, false);
        if self.bytes.is_empty() {
            // A connection that waits holds no memory.
            self.bytes = Vec::new();
        }
    }

    /// Where the head at the front ends. It stays there for the next caller.
    fn find_end(&mut self) -> Result<Option<usize>, Status> {
        while let Some(&byte) = self.bytes.get(self.scanned) {
            if byte == b'\n' {
                let line = &self.bytes[self.line..self.scanned];
                let Some(line) = line.strip_suffix(b"\r") else { return Err(Status::BadRequest) };
                if line.is_empty() && self.begun {
                    // The line feed is found again, and so is the end.
                    return Ok(Some(self.scanned + 1));
                }
                // Who speaks another protocol, or asks for TLS, is not kept waiting for the rest.
                if !self.begun && !line.is_empty() && !may_begin_request(line) {
                    return Err(Status::BadRequest);
                }
                // Some clients send an empty line behind a request; it is none of the next one.
                self.begun |= !line.is_empty();
                self.line = self.scanned + 1;
            }
            self.scanned += 1;
        }
        Ok(None)
    }
}

/// Whether the line could be the first one of a request. What is wrong in detail is said later.
fn may_begin_request(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    words.next_back().is_some_and(|version| version.starts_with(b"HTTP/"))
}

fn without_empty_lines(mut head: &[u8]) -> &[u8] {
    while let Some(rest) = head.strip_prefix(b"\r\n") {
        head = rest;
    }
    head
}

/// The lines of a head, without their ends.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\r"))
}

fn is_token(text: &[u8]) -> bool {
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !text.is_empty() && text.iter().all(token)
}

/// The name and the value of a field. None: it is no field.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let text = |b: &u8| *b == b'\t' || *b >= b' ' && *b != 0x7f;
    (is_token(name) && value.iter().all(text)).then(|| (name, value.trim_ascii()))
}

fn parse_head(head: &[u8]) -> Result<Request<'_>, Status> {
    let bad = Status::BadRequest;
    let end = head.iter().position(|byte| *byte == b'\n').ok_or(bad)?;
    let (first, fields) = (head[..end].strip_suffix(b"\r").ok_or(bad)?, &head[end + 1..]);
    let mut words = first.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad);
    };
    let newer = match version.strip_prefix(b"HTTP/").ok_or(bad)? {
        b"1.1" => true,
        b"1.0" => false,
        [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Status::VersionNotSupported);
        }
        _ => return Err(bad),
    };
    if !is_token(method) {
        return Err(bad);
    }
    let path = path_of(target).ok_or(bad)?;
    let mut seen = Seen { keep_alive: newer, ..Seen::default() };
    for line in lines(fields).filter(|line| !line.is_empty()) {
        let (name, value) = split_field(line).ok_or(bad)?;
        seen.note(name, value)?;
    }
    if newer && seen.hosts != 1 || seen.hosts > 1 {
        return Err(bad);
    }
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        _ => return Err(Status::MethodNotAllowed),
    };
    if seen.body {
        return Err(Status::ContentTooLarge);
    }
    Ok(Request { method, path, keep_alive: seen.keep_alive, fields })
}

/// The path of `/path?query` or `http://host/path?query`.
fn path_of(target: &[u8]) -> Option<&[u8]> {
    if !target.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return None;
    }
    let target = match target.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http://") => {
            &rest[rest.iter().position(|byte| *byte == b'/')?..]
        }
        _ => target,
    };
    target.starts_with(b"/").then(|| target.split(|byte| *byte == b'?').next().unwrap_or(target))
}

/// What the fields say of the connection and the body.
#[derive(Default)]
struct Seen {
    hosts: usize,
    lengths: usize,
    body: bool,
    keep_alive: bool,
}

impl Seen {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Status> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            self.hosts += 1;
        } else if is("content-length") {
            self.lengths += 1;
            if self.lengths > 1 || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return Err(Status::BadRequest);
            }
            self.body |= value.iter().any(|digit| *digit != b'0');
        } else if is("transfer-encoding") {
            return Err(Status::BadRequest);
        } else if is("connection") {
            for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if word.eq_ignore_ascii_case(b"close") {
                    self.keep_alive = false;
                } else if word.eq_ignore_ascii_case(b"keep-alive") {
                    self.keep_alive = true;
                }
            }
        }
        Ok(())
    }
}

/// Writes the head of a reply whose body has `length` bytes; `fields` are more lines of it.
pub(crate) fn write_head(
    out: &mut Vec<u8>,
    status: Status,
    content_type: &str,
    fields: &str,
    length: usize,
    keep_alive: bool,
    now_secs: i64,
) {
    let mut head = String::with_capacity(256);
    // Writing to a String does not fail.
    let _ = write!(
        head,
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nDate: {}\r\n\
         {}{fields}Connection: {}\r\n\r\n",
        status.text(),
        date(now_secs),
        status.field(),
        if keep_alive { "keep-alive" } else { "close" },
    );
    out.extend_from_slice(head.as_bytes());
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(secs: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    let weekday = DAYS[days.rem_euclid(7) as usize];
    let (year, day) = (1970.., days);
    let length = |year: i64| 365 + i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let (mut day, mut of) = (day, 1970);
    for candidate in year {
        of = candidate;
        if day < length(candidate) {
            break;
        }
        day -= length(candidate);
    }
    let february = length(of) - 337;
    let mut month = 0;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let (day, month) = (day + 1, MONTHS[month]);
    format!("{weekday}, {day:02} {month} {of} {hour:02}:{minute:02}:{second:02} GMT")
}

/// One entry for a fuzzer: cut anywhere, the bytes give the same requests as one after another.
///
/// Panics if they don't.
pub fn fuzz(data: &[u8]) {
    let (cut, data) = data.split_first().unwrap_or((&1, data));
    let whole = outcomes(data, MAX_HEAD);
    for step in [1, usize::from(*cut).max(1), usize::from(*cut) * 31 + 1] {
        assert_eq!(outcomes(data, step), whole, "cut every {step} bytes");
    }
}

/// What the bytes are when so many of them come at a time.
fn outcomes(data: &[u8], step: usize) -> Vec<String> {
    let mut inbox = Inbox::default();
    let (mut rest, mut found) = (data, Vec::new());
    loop {
        match inbox.next() {
            Some(Ok(request)) => {
                let accept: Vec<_> = request.values("accept").collect();
                let plain = accept::wants_openmetrics(accept.iter().copied());
                found.push(format!("{request:?} {plain} {:?}", request.bearer()));
                inbox.done();
            }
            Some(Err(status)) => {
                found.push(format!("{status:?}"));
                return found;
            }
            None if rest.is_empty() => return found,
            None => {
                let (some, more) = rest.split_at(step.min(rest.len()).min(inbox.room()));
                inbox.feed(some);
                rest = more;
                assert!(inbox.bytes.len() <= MAX_HEAD);
            }
        }
    }
}

#[cfg(test)]
mod tests;
