//! How the debugger shows values of Lua, and replies of commands.

use crate::script::bridge::{Kind, Stack};
use crate::util::num;
use crate::util::split::repr_into;

/// Tables within tables are shown to this depth.
const DEPTH: usize = 10;
/// Digits of a number.
const DIGITS: usize = 6;

/// Appends value `i` of the stack. O(what is in it).
pub(crate) fn value(stack: &mut Stack<'_>, i: usize, out: &mut Vec<u8>) {
    at_depth(stack, i, 0, out);
}

fn at_depth(stack: &mut Stack<'_>, i: usize, depth: usize, out: &mut Vec<u8>) {
    if depth == DEPTH {
        return out.extend_from_slice(b"<max recursion level reached! Nested table?>");
    }
    let kind = match stack.kind(i) {
        Kind::String => return repr_into(out, stack.bytes(i).unwrap_or_default()),
        Kind::Boolean => {
            let text: &[u8] = if stack.boolean(i) { b"true" } else { b"false" };
            return out.extend_from_slice(text);
        }
        Kind::Number => return number(stack.number(i), out),
        Kind::Nil => return out.extend_from_slice(b"nil"),
        Kind::Table => return table(stack, i, depth + 1, out),
        Kind::Function => "function",
        Kind::Userdata => "userdata",
        Kind::Thread => "thread",
        Kind::Light => "light-userdata",
        Kind::None => return out.extend_from_slice(b"\"<unknown-lua-type>\""),
    };
    out.extend_from_slice(format!("\"{kind}@{:?}\"", stack.pointer(i)).as_bytes());
}

/// As C's `%g` shows it.
fn number(n: f64, out: &mut Vec<u8>) {
    if n.is_nan() && n.is_sign_negative() {
        out.push(b'-');
    }
    num::write_f64_g(out, n, DIGITS);
}

/// An array is shown without its keys: a table whose keys come as 1, 2, 3 and so on.
fn table(stack: &mut Stack<'_>, i: usize, depth: usize, out: &mut Vec<u8>) {
    let (mut array, mut whole) = (Vec::new(), Vec::new());
    let (mut next, mut is_array) = (1.0, true);
    let walked = stack.each(i, |stack| {
        let (key, element) = (stack.len() - 1, stack.len());
        is_array &= stack.kind(key) == Kind::Number && stack.number(key) == next;
        next += 1.0;
        let mut text = Vec::new();
        at_depth(stack, element, depth, &mut text);
        if is_array {
            array.extend_from_slice(&text);
            array.extend_from_slice(b"; ");
        }
        whole.push(b'[');
        at_depth(stack, key, depth, &mut whole);
        whole.extend_from_slice(b"]=");
        whole.extend_from_slice(&text);
        whole.extend_from_slice(b"; ");
        Ok(())
    });
    let inside = if is_array { array } else { whole };
    out.push(b'{');
    out.extend_from_slice(inside.strip_suffix(b"; ").unwrap_or(&inside));
    out.push(b'}');
    if walked.is_err() {
        // Lua has no room for a walk.
        out.extend_from_slice(b"...");
    }
}

/// Appends a reply in the protocol as people read it. O(bytes).
pub(super) fn reply(reply: &[u8], out: &mut Vec<u8>) {
    next(reply, out);
}

/// Shows the first reply of `input`, and returns what follows it.
///
/// Compat: a big number and a verbatim string are not shown, and hide what follows them.
fn next<'r>(input: &'r [u8], out: &mut Vec<u8>) -> &'r [u8] {
    let Some((&kind, text)) = input.split_first() else { return input };
    let end = memchr::memchr(b'\r', text).unwrap_or(text.len());
    let (line, rest) = (&text[..end], text.get(end + 2..).unwrap_or_default());
    let len = num::parse_i64(line).unwrap_or(0);
    match kind {
        b':' => out.extend_from_slice(line),
        b'+' | b'-' => repr_into(out, &input[..=end]),
        b'_' => out.extend_from_slice(b"(null)"),
        b'#' => out.extend_from_slice(if line == b"t" { b"#true" } else { b"#false" }),
        b',' => {
            out.extend_from_slice(b"(double) ");
            out.extend_from_slice(line);
        }
        b'$' | b'*' if len == -1 => out.extend_from_slice(b"NULL"),
        b'$' => {
            let len = (len.max(0) as usize).min(rest.len());
            repr_into(out, &rest[..len]);
            return rest.get(len + 2..).unwrap_or_default();
        }
        b'*' => return elements(rest, len, [b"[", b"]"], out),
        b'~' => return elements(rest, len, [b"~(", b")"], out),
        b'%' => return pairs(rest, len, out),
        _ => return input,
    }
    rest
}

fn elements<'r>(mut rest: &'r [u8], n: i64, brackets: [&[u8]; 2], out: &mut Vec<u8>) -> &'r [u8] {
    out.extend_from_slice(brackets[0]);
    for i in 0..n {
        if i > 0 {
            out.push(b',');
        }
        rest = next(rest, out);
    }
    out.extend_from_slice(brackets[1]);
    rest
}

fn pairs<'r>(mut rest: &'r [u8], n: i64, out: &mut Vec<u8>) -> &'r [u8] {
    out.push(b'{');
    for i in 0..n {
        if i > 0 {
            out.push(b',');
        }
        rest = next(rest, out);
        out.extend_from_slice(b" => ");
        rest = next(rest, out);
    }
    out.push(b'}');
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::bridge::With;
    use crate::script::fuzz::NoHost;
    use crate::script::testing::interpreter;

    fn shown(code: &str) -> String {
        let mut state = interpreter();
        let chunk = state.compile(code.as_bytes(), c"@user_script").expect("it compiles");
        let mut out = Vec::new();
        let with = With::Globals { keys: &[], args: &[b"a"] };
        state
            .run(&chunk, with, false, &mut NoHost, |stack, _| value(stack, 1, &mut out))
            .expect("it runs");
        String::from_utf8(out).expect("text")
    }

    fn read(text: &str) -> String {
        let mut out = Vec::new();
        reply(text.as_bytes(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        assert_eq!(shown("return 'a\\n\"'"), r#""a\n\"""#);
        assert_eq!(shown("return 1/3"), "0.333333");
        assert_eq!(shown("return 1e20"), "1e+20");
        assert_eq!(shown("return nil"), "nil");
        assert_eq!(shown("return {1,'x',{true}}"), r#"{1; "x"; {true}}"#);
        assert_eq!(shown("return {a=1}"), r#"{["a"]=1}"#);
        assert_eq!(shown("return {1, a=2}"), r#"{[1]=1; ["a"]=2}"#);
        assert_eq!(shown("return {}"), "{}");
        assert_eq!(shown("return ARGV"), r#"{"a"}"#);
        assert!(shown("return tostring").starts_with("\"function@0x"));
        assert_eq!(shown("return cjson.null").split('@').next(), Some("\"light-userdata"));
    }

    #[test]
    fn a_table_within_itself_ends() {
        let text = shown("local t = {} ; t[1] = t ; return t");
        let depth = "{".repeat(DEPTH);
        assert_eq!(
            text,
            format!("{depth}<max recursion level reached! Nested table?>{}", "}".repeat(DEPTH))
        );
    }

    #[test]
    fn replies_are_shown_by_kind() {
        assert_eq!(read(":12\r\n"), "12");
        assert_eq!(read("+OK\r\n"), "\"+OK\"");
        assert_eq!(read("-ERR no\r\n"), "\"-ERR no\"");
        assert_eq!(read("$3\r\na\r\n\r\n"), r#""a\r\n""#);
        assert_eq!(read("$-1\r\n"), "NULL");
        assert_eq!(read("*-1\r\n"), "NULL");
        assert_eq!(read("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n"), r#"[1,["x"]]"#);
        assert_eq!(read("%1\r\n+k\r\n_\r\n"), r#"{"+k" => (null)}"#);
        assert_eq!(read("~2\r\n#t\r\n#f\r\n"), "~(#true,#false)");
        assert_eq!(read(",1.5\r\n"), "(double) 1.5");
        assert_eq!(read("*2\r\n(12\r\n:1\r\n"), "[,]");
        assert_eq!(read(""), "");
        assert_eq!(read("$9\r\nab"), "\"ab\"");
    }
}
