//! Requests of real scrapers, requests that must be refused, and cuts at every place.

use super::*;

/// Method, path, and whether the connection stays.
type Found = Result<(Method, Vec<u8>, bool), Status>;

fn all(data: &[u8]) -> Vec<Found> {
    let mut inbox = Inbox::default();
    let (mut rest, mut found) = (data, Vec::new());
    loop {
        match inbox.next() {
            Some(Ok(r)) => {
                found.push(Ok((r.method, r.path.to_vec(), r.keep_alive)));
                inbox.done();
            }
            Some(Err(status)) => {
                found.push(Err(status));
                return found;
            }
            None if rest.is_empty() => return found,
            None => {
                let (some, more) = rest.split_at(rest.len().min(inbox.room()));
                inbox.feed(some);
                rest = more;
            }
        }
    }
}

/// The outcome of one request.
fn one(data: &str) -> Result<(Method, String, bool), Status> {
    let found = all(data.as_bytes());
    assert_eq!(found.len(), 1, "{data:?}");
    let found = found.into_iter().next().expect("one");
    found.map(|(method, path, keep)| (method, String::from_utf8_lossy(&path).into_owned(), keep))
}

const PROMETHEUS: &str = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9121\r\nUser-Agent: \
    Prometheus/2.42.0\r\nAccept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n\
    Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n";

#[test]
fn requests_of_scrapers_are_understood() {
    let get = |path: &str, keep| Ok((Method::Get, path.to_string(), keep));
    assert_eq!(one(PROMETHEUS), get("/metrics", true));
    assert_eq!(one("GET / HTTP/1.0\r\n\r\n"), get("/", false));
    assert_eq!(one("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), get("/", true));
    assert_eq!(one("GET / HTTP/1.1\r\nhost:\r\nConnection: x, close\r\n\r\n"), get("/", false));
    assert_eq!(one("GET /metrics?a=b?c HTTP/1.1\r\nHost: a\r\n\r\n"), get("/metrics", true));
    assert_eq!(one("GET http://a:1/x?y HTTP/1.1\r\nHost: a:1\r\n\r\n"), get("/x", true));
    assert_eq!(one("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), get("/", true));
    assert_eq!(one("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), get("/", true));
    let head = one("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head, Ok((Method::Head, "/healthz".to_string(), true)));
    let mut inbox = Inbox::default();
    inbox.feed(
        b"GET / HTTP/1.0\r\nAuthorization: bearer  s3 cret \r\nAccept: a\r\nACCEPT: b\r\n\r\n",
    );
    let request = inbox.next().expect("whole").expect("good");
    assert_eq!(request.bearer(), Some(&b"s3 cret"[..]));
    assert_eq!(request.values("accept").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(request.values("host").count(), 0);
}

#[test]
fn pipelined_requests_come_one_after_the_other() {
    let two = [PROMETHEUS, "\r\n", "HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /c"].concat();
    let found = all(two.as_bytes());
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], Ok((Method::Head, b"/b".to_vec(), true)));
}

#[test]
fn what_is_wrong_is_refused() {
    let bad = Status::BadRequest;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", bad),
        ("GET / HTTP/1.1\nHost: a\n\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", bad),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", bad),
        ("GET /\r\n\r\n", bad),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("GET metrics HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", bad),
        ("GET / HTTP/1\r\n\r\n", bad),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", bad),
        ("*1\r\n$4\r\nPING\r\n\r\n", bad),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Status::VersionNotSupported),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Status::VersionNotSupported),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", Status::MethodNotAllowed),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", Status::ContentTooLarge),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", bad),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad),
    ] {
        assert_eq!(one(request), Err(status), "{request:?}");
    }
}

#[test]
fn a_head_has_a_limit() {
    let head = |filler: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(filler)).into_bytes()
    };
    let rest = head(0).len();
    assert!(all(&head(MAX_HEAD - rest))[0].is_ok());
    assert_eq!(all(&head(MAX_HEAD - rest + 1)), [Err(Status::HeadTooLarge)]);
    assert_eq!(all(&head(1 << 20)), [Err(Status::HeadTooLarge)]);
    assert_eq!(all(&b"\r\n".repeat(MAX_HEAD)), [Err(Status::HeadTooLarge)]);
    assert_eq!(all(&vec![b'x'; MAX_HEAD]), [Err(Status::HeadTooLarge)]);
    assert!(all(&vec![b'x'; MAX_HEAD - 1]).is_empty());
}

#[test]
fn cuts_change_nothing() {
    let odd =
        "HEAD http://h/a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\nPOST / HTTP/1.1\r\n\r\n";
    let text = [PROMETHEUS, odd].concat();
    for cut in 0..=255u8 {
        fuzz(&[&[cut][..], text.as_bytes()].concat());
        fuzz(&[&[cut][..], &text.as_bytes()[..text.len() - usize::from(cut)]].concat());
    }
}

#[test]
fn heads_of_replies() {
    let mut out = Vec::new();
    write_head(
        &mut out,
        Status::MethodNotAllowed,
        "text/plain",
        "X-A: b\r\n",
        3,
        false,
        784_111_777,
    );
    let want = "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\
        Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nAllow: GET, HEAD\r\nX-A: b\r\nConnection: close\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), want);
    assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_eq!(date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
}

#[test]
fn other_protocols_are_refused_with_their_first_line() {
    for first in ["PING\r\n", "*1\r\n", "GET /\r\n", "\r\nGET / FTP/1\r\n", "\x16\x03\x01\r\n"] {
        let mut inbox = Inbox::default();
        inbox.feed(first.as_bytes());
        assert_eq!(inbox.next(), Some(Err(Status::BadRequest)), "{first:?}");
    }
    let mut inbox = Inbox::default();
    inbox.feed(b"GET / HTTP/2.0\r\n");
    assert_eq!(inbox.next(), None, "what it is told depends on the rest");
}
