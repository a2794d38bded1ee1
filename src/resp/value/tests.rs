//! Replies of every type, whole and in pieces; what is no reply, or too much of one.

use super::*;

/// Texts and what they are.
fn samples() -> Vec<(&'static [u8], Value)> {
    let bulk = |text: &[u8]| Value::Bulk(text.to_vec());
    vec![
        (b"+OK\r\n", Value::Simple(b"OK".to_vec())),
        (b"+\r\n", Value::Simple(Vec::new())),
        (b"-ERR no\r\n", Value::Error(b"ERR no".to_vec())),
        (b"!6\r\nERR \r\n\r\n", Value::Error(b"ERR \r\n".to_vec())),
        (b":-9223372036854775808\r\n", Value::Int(i64::MIN)),
        (b"$5\r\na\r\nbc\r\n", bulk(b"a\r\nbc")),
        (b"$0\r\n\r\n", bulk(b"")),
        (b"$-1\r\n", Value::Null),
        (b"*-1\r\n", Value::Null),
        (b"_\r\n", Value::Null),
        (b"#t\r\n", Value::Bool(true)),
        (b"#f\r\n", Value::Bool(false)),
        (b",1.5e3\r\n", Value::Double(1500.0)),
        (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (b"(-123456789012345678901\r\n", Value::BigNumber(b"-123456789012345678901".to_vec())),
        (b"=6\r\ntxt:hi\r\n", Value::Verbatim(*b"txt", b"hi".to_vec())),
        (b"*0\r\n", Value::Array(Vec::new())),
        (b"*2\r\n:1\r\n$1\r\nx\r\n", Value::Array(vec![Value::Int(1), bulk(b"x")])),
        (b"~1\r\n:1\r\n", Value::Set(vec![Value::Int(1)])),
        (b">2\r\n+a\r\n*0\r\n", {
            Value::Push(vec![Value::Simple(b"a".to_vec()), Value::Array(Vec::new())])
        }),
        (b"%1\r\n+k\r\n%0\r\n", {
            Value::Map(vec![(Value::Simple(b"k".to_vec()), Value::Map(Vec::new()))])
        }),
        (b"|1\r\n+ttl\r\n:3\r\n*1\r\n|0\r\n_\r\n", {
            let inner = Value::Attributed(Vec::new(), Box::new(Value::Null));
            let about = vec![(Value::Simple(b"ttl".to_vec()), Value::Int(3))];
            Value::Attributed(about, Box::new(Value::Array(vec![inner])))
        }),
    ]
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn every_type_is_read_wherever_it_is_cut() {
    for (text, value) in samples() {
        let mut scanner = Scanner::new(Limits::DEFAULT);
        for cut in 0..text.len() {
            assert_eq!(parse(&text[..cut]), Ok(None), "{cut} of {}", text.escape_ascii());
            assert_eq!(scanner.parse(&text[..cut]), Ok(None));
        }
        let more = [text, b"+next\r\n"].concat();
        let whole = Ok(Some((value, text.len())));
        assert_eq!(parse(&more), whole, "{}", text.escape_ascii());
        assert_eq!(scanner.parse(&more), whole);
        assert!(matches!(scanner.parse(&more[text.len()..]), Ok(Some((Value::Simple(_), 7)))));
    }
    assert!(matches!(parse(b",nan\r\n"), Ok(Some((Value::Double(d), 6))) if d.is_nan()));
}

#[test]
fn replies_one_after_the_other_in_pieces_of_any_size() {
    let mut random = Random(7);
    for _ in 0..300 {
        let all = samples();
        let chosen: Vec<_> = (0..20).map(|_| &all[random.below(all.len())]).collect();
        let stream: Vec<u8> = chosen.iter().flat_map(|s| s.0.to_vec()).collect();
        let (mut scanner, mut got) = (Scanner::new(Limits::DEFAULT), Vec::new());
        let (mut from, mut to) = (0, 0);
        while to < stream.len() {
            to = (to + 1 + random.below(12)).min(stream.len());
            while let Some((value, used)) = scanner.parse(&stream[from..to]).expect("replies") {
                got.push(value);
                from += used;
            }
        }
        assert_eq!(from, stream.len());
        assert!(got.iter().eq(chosen.iter().map(|s| &s.1)));
    }
}

#[test]
fn what_is_no_reply_is_refused() {
    for text in [
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "\0",
        "+OK\n",
        ":\r\n",
        ":1x\r\n",
        ":9223372036854775808\r\n",
        "$-2\r\n",
        "$+1\r\na\r\n",
        "$1\r\nab\r\n",
        "$?\r\n",
        "*-2\r\n",
        "~-1\r\n",
        "!-1\r\n",
        "#x\r\n",
        "_x\r\n",
        ",\r\n",
        ",x\r\n",
        "(\r\n",
        "(-\r\n",
        "(1x\r\n",
        "=3\r\ntxt\r\n",
        "=4\r\ntxtx\r\n",
        "*1\r\nx",
    ] {
        assert_eq!(parse(text.as_bytes()), Err(ProtoError::Malformed), "{text:?}");
    }
    // A number has no end.
    assert_eq!(parse(&[b":".as_slice(), &[b'1'; 100]].concat()), Err(ProtoError::Malformed));
}

#[test]
fn too_much_is_refused_before_it_comes() {
    for text in [
        "$9223372036854775807\r\n",
        "$18446744073709551615\r\n",
        "!536876000000\r\n",
        "*18446744073709551615\r\n",
        "%9223372036854775808\r\n",
        "|18446744073709551615\r\n",
        "*1\r\n*1000000000000\r\n",
    ] {
        assert_eq!(parse(text.as_bytes()), Err(ProtoError::TooLarge), "{text:?}");
    }
    assert_eq!(parse(&b"*1\r\n".repeat(100_000)), Err(ProtoError::TooDeep));
    assert_eq!(parse(&b"|0\r\n".repeat(100_000)), Err(ProtoError::TooDeep));
    let small = |text: &[u8]| Scanner::new(Limits { bytes: 20, depth: 2 }).parse(text);
    assert_eq!(small(&[b'+'; 21]), Err(ProtoError::TooLarge));
    assert_eq!(small(b"$15\r\n"), Err(ProtoError::TooLarge));
    assert_eq!(small(b"*2\r\n$5\r\nhello\r\n$3\r\n"), Err(ProtoError::TooLarge));
    assert!(matches!(small(b"$10\r\n0123456789\r\n"), Ok(Some((Value::Bulk(_), 17)))));
}

#[test]
fn no_bytes_break_it() {
    let marks = b"+-:,#(_$!=*~>%|0123456789t\r\n\r\n\r\n";
    let mut random = Random(3);
    for _ in 0..200_000 {
        let len = random.below(24);
        let text: Vec<u8> = (0..len).map(|_| marks[random.below(marks.len())]).collect();
        let whole = parse(&text);
        let mut scanner = Scanner::new(Limits::DEFAULT);
        let piecewise = (0..=len).find_map(|to| match scanner.parse(&text[..to]) {
            Ok(None) => None,
            found => Some(found),
        });
        match (whole, piecewise) {
            // Doubles that are no number are not equal to themselves.
            (Ok(Some((_, n))), Some(Ok(Some((_, m))))) => assert_eq!(n, m),
            (Ok(None), None) => {}
            (a, b) => assert_eq!(Some(a), b, "{}", text.escape_ascii()),
        }
    }
}
