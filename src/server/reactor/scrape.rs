//! Serving scrapers: who connects, what they ask for, what they are told.
//!
//! A turn serves them last, when its commands have run and its replies have left. Each scraper is
//! read at most once a turn, and written to at most once; one of them is told all metrics, or the
//! page. So what a command waits for is one rendering at most, however many ask.
//!
//! ```text
//! /          the page, which asks for /page.json
//! /page.json what the page shows; with `metrics-token` only to whom shows it
//! /metrics   all metrics, as `Accept` wants them; with `metrics-token` only to whom shows it
//! /healthz   200: the loop turns
//! /readyz    200, or 503 with the reason why commands are refused
//! ```

use std::io::ErrorKind;

use mio::Interest;

use crate::config::choice::EvictionPolicy;
use crate::log;
use crate::net::conn::Conn;
use crate::net::http::accept::wants_openmetrics;
use crate::net::http::{self, Method, Request, Status};
use crate::server::engine::evict;
use crate::server::parts::Server;
use crate::server::parts::metrics::{Format, MAX_SCRAPERS, Phase, Scraper};
use crate::server::parts::net::Source;
use crate::server::reactor::page;
use crate::util::bytes::same_secret;
use crate::util::path::os_error;

/// Bytes that are written to a scraper in one turn.
const WRITE_SIZE: usize = 256 * 1024;
/// Bytes that are read from one which was refused, in one turn.
const WASTE_SIZE: usize = 16 * 1024;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Lets a scraper in.
pub(super) fn welcome(srv: &mut Server, conn: Conn) {
    conn.tune(srv.cfg.net.tcp_keepalive_secs as i32);
    let Server { metrics, net, clock, .. } = srv;
    let Some(place) = metrics.insert(conn, clock.now_ms) else { return };
    let Some(scraper) = metrics.scraper(place) else { return };
    let interest = Interest::READABLE | Interest::WRITABLE;
    let token = Source::Scraper(place).token();
    if scraper.conn.register(net.registry(), token, interest).is_err() {
        metrics.close(place);
    }
}

/// A scraper's socket has something to read, or room.
pub(super) fn on_event(srv: &mut Server, place: usize, event: &mio::event::Event) {
    let Some(scraper) = srv.metrics.scraper(place) else { return };
    scraper.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
    srv.metrics.pending |= 1 << place;
}

/// Serves those that can go on.
#[cold]
pub(super) fn serve(srv: &mut Server) {
    let pending = std::mem::take(&mut srv.metrics.pending);
    let first = srv.metrics.first;
    let mut turn = Turn::default();
    for place in (first..first + MAX_SCRAPERS).map(|n| n % MAX_SCRAPERS) {
        if pending & 1 << place == 0 {
            continue;
        }
        match step(srv, place, &mut turn) {
            Next::Wait => {}
            Next::Again => srv.metrics.pending |= 1 << place,
            Next::Close => srv.metrics.close(place),
        }
        if turn.rendered == Some(place) {
            srv.metrics.first = place + 1;
        }
    }
}

/// What a turn has done for scrapers.
#[derive(Default)]
struct Turn {
    /// Who was told all metrics.
    rendered: Option<usize>,
}

/// How it goes on with a scraper.
enum Next {
    /// With an event.
    Wait,
    /// In the next turn.
    Again,
    Close,
}

fn step(srv: &mut Server, place: usize, turn: &mut Turn) -> Next {
    let now_ms = srv.clock.now_ms;
    let Some(scraper) = srv.metrics.scraper(place) else { return Next::Wait };
    match scraper.phase {
        Phase::Leaving => return throw_away(srv, place),
        Phase::Answered => return write(srv, place),
        Phase::Idle | Phase::Asking => {}
    }
    if scraper.inbox.next().is_none() {
        match read(scraper) {
            Ok(()) => {}
            Err(next) => return next,
        }
        if scraper.inbox.next().is_none() {
            if !scraper.inbox.is_empty() {
                scraper.enter(Phase::Asking, now_ms);
            }
            return match (scraper.ended, scraper.readable) {
                (true, _) => Next::Close,
                (false, true) => Next::Again,
                (false, false) => Next::Wait,
            };
        }
    }
    // A request is whole, or was refused.
    match answer(srv, place, turn) {
        true => write(srv, place),
        false => Next::Again,
    }
}

/// Reads once.
fn read(scraper: &mut Scraper) -> Result<(), Next> {
    if !scraper.readable {
        return Ok(());
    }
    let mut buf = [0; http::MAX_HEAD];
    let room = scraper.inbox.room();
    match scraper.conn.read(&mut buf[..room]) {
        Ok(0) => (scraper.ended, scraper.readable) = (true, false),
        Ok(n) => scraper.inbox.feed(&buf[..n]),
        Err(e) if e.kind() == ErrorKind::WouldBlock => scraper.readable = false,
        Err(e) if e.kind() == ErrorKind::Interrupted => {}
        Err(_) => return Err(Next::Close),
    }
    Ok(())
}

/// What a request is to be told.
enum Answer {
    Short(Status, String),
    Rendered(Format),
    Page,
}

/// Puts the reply to the request at the front into the scraper's buffer. False: it is another one's
/// turn.
fn answer(srv: &mut Server, place: usize, turn: &mut Turn) -> bool {
    let Some(scraper) = srv.metrics.scraper(place) else { return false };
    // The request lies in the scraper's own buffer, which stays with it.
    let mut inbox = std::mem::take(&mut scraper.inbox);
    let (answer, head_only, keep) = match inbox.next() {
        None => return false,
        Some(Err(status)) => (Answer::Short(status, format!("{}\n", status.text())), false, false),
        Some(Ok(request)) => {
            (look_up(srv, &request), request.method == Method::Head, request.keep_alive)
        }
    };
    let is_long = !matches!(answer, Answer::Short(..));
    if is_long && turn.rendered.is_some() {
        if let Some(scraper) = srv.metrics.scraper(place) {
            scraper.inbox = inbox;
        }
        return false;
    }
    inbox.done();
    let mut out = Vec::new();
    let now_secs = srv.clock.now_ms / 1000;
    match answer {
        Answer::Short(status, text) => {
            http::write_head(&mut out, status, TEXT, page::GUARDS, text.len(), keep, now_secs);
            if !head_only {
                out.extend_from_slice(text.as_bytes());
            }
        }
        Answer::Page => {
            turn.rendered = Some(place);
            let (text, guards) = (page::TEXT, page::guards());
            http::write_head(&mut out, Status::Ok, HTML, &guards, text.len(), keep, now_secs);
            if !head_only {
                out.extend_from_slice(text.as_bytes());
            }
        }
        Answer::Rendered(format) => {
            turn.rendered = Some(place);
            let mut body = render(srv, format);
            let (content, guards) = match format {
                Format::Plain => (PLAIN, ""),
                Format::OpenMetrics => (OPENMETRICS, ""),
                Format::Page => (JSON, page::GUARDS),
            };
            http::write_head(&mut out, Status::Ok, content, guards, body.len(), keep, now_secs);
            if !head_only {
                // The head is short, and its length is not known before that of the body.
                body.splice(..0, out.drain(..));
                out = body;
            } else {
                srv.metrics.give_back(body);
            }
        }
    }
    let now_ms = srv.clock.now_ms;
    let Some(scraper) = srv.metrics.scraper(place) else { return false };
    scraper.inbox = inbox;
    scraper.last = !keep;
    (scraper.out, scraper.sent) = (out, 0);
    scraper.enter(Phase::Answered, now_ms);
    true
}

fn look_up(srv: &Server, request: &Request<'_>) -> Answer {
    let short = |status: Status, text: &str| Answer::Short(status, format!("{text}\n"));
    match request.path {
        path @ (b"/metrics" | b"/page.json") => {
            let token = &srv.cfg.metrics.token;
            let shown = request.bearer().unwrap_or_default();
            if !token.is_empty() && !same_secret(token, shown) {
                return short(Status::Unauthorized, "The token is missing or wrong.");
            }
            match wants_openmetrics(request.values("accept")) {
                _ if path == b"/page.json" => Answer::Rendered(Format::Page),
                true => Answer::Rendered(Format::OpenMetrics),
                false => Answer::Rendered(Format::Plain),
            }
        }
        b"/healthz" => short(Status::Ok, "ok"),
        b"/readyz" => match not_ready(srv) {
            None => short(Status::Ok, "ok"),
            Some(reason) => Answer::Short(Status::Unavailable, reason + "\n"),
        },
        b"/" => Answer::Page,
        _ => short(Status::NotFound, "There is /, /page.json, /metrics, /healthz and /readyz."),
    }
}

/// Why the server refuses commands that it should run; None: it doesn't.
fn not_ready(srv: &Server) -> Option<String> {
    if srv.loading.is_some() {
        return Some("loading: the data set is being loaded".to_owned());
    }
    if srv.rdb.write_refused() {
        return Some("misconf: the last background save failed, writes are refused".to_owned());
    }
    if srv.aof.error() != 0 {
        let error = os_error(&std::io::Error::from_raw_os_error(srv.aof.error()));
        return Some(format!("misconf: the append-only file can't be written: {error}"));
    }
    let limit = srv.cfg.memory.max_memory;
    let full = limit > 0 && evict::counted(srv) > limit;
    if full && srv.cfg.memory.policy == EvictionPolicy::Noeviction {
        return Some("oom: used memory is above maxmemory, and nothing is evicted".to_owned());
    }
    None
}

/// All metrics, or what the page shows. Metrics are counted, and how long they took.
fn render(srv: &mut Server, format: Format) -> Vec<u8> {
    let mut body = std::mem::take(&mut srv.metrics.spare);
    let started = srv.clock.watch.ticks();
    let render = srv.render;
    render(srv, format, &mut body);
    let ns = srv.clock.watch.ns(srv.clock.watch.ticks().wrapping_sub(started));
    if format == Format::Page {
        log!(Debug, "Page: {} bytes in {} us", body.len(), ns / 1000);
        return body;
    }
    let scrapes = &mut srv.metrics.scrapes;
    scrapes.count += 1;
    scrapes.latest_ns = ns;
    scrapes.ns += ns;
    log!(Debug, "Metrics: {} bytes in {} us", body.len(), ns / 1000);
    body
}

/// Writes once.
fn write(srv: &mut Server, place: usize) -> Next {
    let now_ms = srv.clock.now_ms;
    let Some(scraper) = srv.metrics.scraper(place) else { return Next::Wait };
    let rest = &scraper.out[scraper.sent..];
    let some = &rest[..rest.len().min(WRITE_SIZE)];
    match scraper.conn.write(some) {
        Ok(n) => scraper.sent += n,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Next::Wait,
        Err(e) if e.kind() == ErrorKind::Interrupted => {}
        Err(_) => return Next::Close,
    }
    if scraper.sent < scraper.out.len() {
        return Next::Again;
    }
    let out = std::mem::take(&mut scraper.out);
    let next = if scraper.last {
        // If something that it sent were unread, closing would take the reply back.
        scraper.conn.end_writing();
        scraper.enter(Phase::Leaving, now_ms);
        Next::Again
    } else {
        scraper.enter(Phase::Idle, now_ms);
        let more = !scraper.inbox.is_empty() || scraper.readable || scraper.ended;
        if more { Next::Again } else { Next::Wait }
    };
    srv.metrics.give_back(out);
    next
}

/// Reads what a scraper sends that was told to leave, until it has left or its time is up.
fn throw_away(srv: &mut Server, place: usize) -> Next {
    let Some(scraper) = srv.metrics.scraper(place) else { return Next::Wait };
    if scraper.ended {
        return Next::Close;
    }
    if !scraper.readable {
        return Next::Wait;
    }
    match scraper.conn.read(&mut [0; WASTE_SIZE]) {
        Ok(0) => Next::Close,
        Ok(_) => Next::Again,
        Err(e) if e.kind() == ErrorKind::Interrupted => Next::Again,
        Err(e) if e.kind() == ErrorKind::WouldBlock => {
            scraper.readable = false;
            Next::Wait
        }
        Err(_) => Next::Close,
    }
}
