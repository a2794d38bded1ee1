//! JSON as redis-server's scripts write and read it: golden texts, errors, limits, round trips.

use crate::script::testing::{interpreter, run, shown};

fn told(text: &str) -> String {
    format!("ERR user_script:1: {text}")
}

#[test]
fn values_are_encoded() {
    for (value, text) in [
        ("nil", "null"),
        ("cjson.null", "null"),
        ("true", "true"),
        ("false", "false"),
        ("{}", "{}"),
        ("{{}, {1, 2}, a}", "[{},[1,2]]"),
        ("{1, nil, 3}", "[1,null,3]"),
        ("{[3] = 1}", "[null,null,1]"),
        ("{a = 1}", r#"{"a":1}"#),
        ("{[0] = 1}", r#"{"0":1}"#),
        ("{[1.5] = 1}", r#"{"1.5":1}"#),
        ("{[2^40] = 1}", r#"{"1099511627776":1}"#),
        (
            r#"'\0\8\9\10\11\12\13\31\127/\\"é'"#,
            r#""\u0000\b\t\n\u000b\f\r\u001f\u007f\/\\\"\xc3\xa9""#,
        ),
    ] {
        let text = text.replace('\\', "\\\\").replace("\\\\xc3\\\\xa9", "\\xc3\\xa9");
        assert_eq!(shown(format!("local a return cjson.encode({value})")), text, "{value}");
    }
}

#[test]
fn numbers_have_fourteen_digits() {
    for (number, text) in [
        ("0", "0"),
        ("0 * -1", "-0"),
        ("-17", "-17"),
        ("99999999999999", "99999999999999"),
        ("100000000000000", "1e+14"),
        ("123456789012345", "1.2345678901234e+14"),
        ("1e15", "1e+15"),
        ("0.1", "0.1"),
        ("1 / 3", "0.33333333333333"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-1.5e300", "-1.5e+300"),
        ("5e-324", "4.9406564584125e-324"),
    ] {
        assert_eq!(shown(format!("return cjson.encode({number})")), text, "{number}");
    }
    let three = "cjson.encode_number_precision(3) return cjson.encode({999, 1000, 0.12345, -2/3})";
    assert_eq!(shown(three), "[999,1e+03,0.123,-0.667]");
}

#[test]
fn what_has_no_form_is_refused() {
    for (value, text) in [
        ("tostring", "Cannot serialise function: type not supported"),
        ("coroutine.create(function() end)", "Cannot serialise thread: type not supported"),
        ("1/0", "Cannot serialise number: must not be NaN or Inf"),
        ("{0/0}", "Cannot serialise number: must not be NaN or Inf"),
        ("{[1/0] = 1}", "Cannot serialise table: excessively sparse array"),
        ("{[true] = 1}", "Cannot serialise boolean: table key must be a number or string"),
        ("{[100] = 1}", "Cannot serialise table: excessively sparse array"),
        ("1, 2", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("", "bad argument #1 to 'encode' (expected 1 argument)"),
    ] {
        let shown = shown(format!("return cjson.encode({value})"));
        // Compat: the key becomes the smallest integer, and so the table an object.
        match value {
            "{[1/0] = 1}" => {
                assert_eq!(shown, told("Cannot serialise number: must not be NaN or Inf"));
            }
            _ => assert_eq!(shown, told(text), "{value}"),
        }
    }
    let invalid = |how: &str| {
        shown(format!(
            "cjson.encode_invalid_numbers({how}) return cjson.encode({{1/0, -1/0, 0/0}})"
        ))
    };
    assert_eq!(invalid("true"), "[inf,-inf,nan]");
    assert_eq!(invalid("'null'"), "[null,null,null]");
}

#[test]
fn sparse_arrays_become_objects_if_that_is_set() {
    let encode = |set: &str| {
        shown(format!("cjson.encode_sparse_array({set}) return cjson.encode({{[4] = 1}})"))
    };
    assert_eq!(encode("true"), "[null,null,null,1]");
    assert_eq!(encode("true, 2, 3"), r#"{"4":1}"#);
    assert_eq!(encode("nil, 3, 3"), told("Cannot serialise table: excessively sparse array"));
    assert_eq!(encode("nil, 0, 0"), "[null,null,null,1]");
}

#[test]
fn texts_are_decoded() {
    for (text, values) in [
        ("[1, -2.5, 1e3, true, false, null, \\\"x\\\"]", "{1,-2.5,1000,true,false,null,x}"),
        (" [ [ ] , { } ] ", "{{},{}}"),
        (
            "[\\\"\\\\u0041\\\\u00e9\\\\u20ac\\\\ud83d\\\\ude00\\\"]",
            "{A\\xc3\\xa9\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80}",
        ),
        (
            "[\\\"\\\\\\\"\\\\\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t\\\"]",
            "{\"\\\\/\\x08\\x0c\\n\\r\\t}",
        ),
        ("[0x10, -0x1p-1, 01, +5, inf, -Infinity, 1., -.5]", "{16,-0.5,1,5,inf,-inf,1,-0.5}"),
        ("[1]\\0rest", "{1}"),
    ] {
        assert_eq!(shown(format!("return cjson.decode(\"{text}\")")), values, "{text}");
    }
    assert_eq!(shown("return cjson.decode('{\"a\":{\"b\":[7]}}').a.b[1]"), "7");
    assert_eq!(shown("return cjson.decode('{\"a\":1,\"a\":2}').a"), "2");
    assert_eq!(shown("return cjson.decode('null') == cjson.null"), "true");
}

#[test]
fn broken_texts_are_told_with_their_place() {
    for (text, message) in [
        ("", "Expected value but found T_END at character 1"),
        ("?", "Expected value but found invalid token at character 1"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ("[1,]", "Expected value but found T_ARR_END at character 4"),
        ("{1:2}", "Expected object key string but found T_NUMBER at character 2"),
        ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
        ("{\"a\":1 \"b\"}", "Expected comma or object end but found T_STRING at character 8"),
        ("{\"a\":1,}", "Expected object key string but found T_OBJ_END at character 8"),
        ("[] []", "Expected the end but found T_ARR_BEGIN at character 4"),
        ("nul", "Expected value but found invalid token at character 1"),
        ("[tru]", "Expected value but found invalid token at character 2"),
        ("-", "Expected value but found invalid number at character 1"),
        ("\"abc", "Expected value but found unexpected end of string at character 5"),
        ("[\"a\\x\"]", "Expected value but found invalid escape code at character 4"),
        ("[\"\\u12\"]", "Expected value but found invalid unicode escape code at character 3"),
        (
            "\"\\ud800\\u0041\"",
            "Expected value but found invalid unicode escape code at character 2",
        ),
        ("\"\\udc00\"", "Expected value but found invalid unicode escape code at character 2"),
    ] {
        let shown = run(&mut interpreter(), b"return cjson.decode(ARGV[1])", &[text.as_bytes()]);
        assert_eq!(shown, told(message), "{text}");
    }
    let utf16 = told("JSON parser does not support UTF-16 or UTF-32");
    assert_eq!(shown("return cjson.decode('[\\0]\\0')"), utf16);
    let strict = "cjson.decode_invalid_numbers(false) return cjson.decode(ARGV[1])";
    for (text, why) in [("0x1", "number"), ("01", "number"), ("-inf", "number"), ("nan", "token")] {
        let shown = run(&mut interpreter(), strict.as_bytes(), &[text.as_bytes()]);
        assert_eq!(shown, told(&format!("Expected value but found invalid {why} at character 1")));
    }
    let arguments = told("bad argument #1 to 'decode' (expected 1 argument)");
    assert_eq!(shown("return cjson.decode()"), arguments);
    let table = told("bad argument #1 to 'decode' (string expected, got table)");
    assert_eq!(shown("return cjson.decode({})"), table);
}

/// Each level took a piece of the C stack, or of Lua's without asking.
#[test]
fn depth_has_a_limit_in_both_directions() {
    let decode = |depth: usize| {
        shown(format!("return #cjson.decode(string.rep('[', {depth}) .. string.rep(']', {depth}))"))
    };
    assert_eq!(decode(1000), "1");
    let deep = "Found too many nested data structures (1001) at character 1001";
    assert_eq!(decode(1001), told(deep));
    let encode = |depth: usize| {
        shown(format!("local t = {{}} for i = 2, {depth} do t = {{t}} end return #cjson.encode(t)"))
    };
    assert_eq!(encode(1000), "2000");
    assert_eq!(encode(1001), told("Cannot serialise, excessive nesting (1001)"));
    assert_eq!(
        shown("local t = {} t.t = t return cjson.encode(t)"),
        told("Cannot serialise, excessive nesting (1001)")
    );
    // Lua's stack is the limit where the setting is none.
    let open = "cjson.decode_max_depth(2^31 - 1) cjson.encode_max_depth(2^31 - 1) ";
    let far = format!("{open} return cjson.decode(string.rep('[', 100000))");
    assert!(shown(far).starts_with(&told("Found too many nested data structures (7999)")));
    let far = format!("{open} return cjson.decode(string.rep('{{\"a\":', 100000))");
    assert!(shown(far).starts_with(&told("Found too many nested data structures (4000)")));
    let far =
        format!("{open} local t = {{}} for i = 1, 100000 do t = {{t}} end return cjson.encode(t)");
    assert_eq!(shown(far), told("Cannot serialise, excessive nesting (7998)"));
}

#[test]
fn a_table_in_many_places_does_not_outgrow_the_memory() {
    let mut state = interpreter();
    state.set_limit(8 << 20);
    for call in ["cjson.encode(t)", "cmsgpack.pack(t)"] {
        let chunk =
            format!("local t = {{'x'}} for i = 1, 15 do t = {{t,t,t,t,t,t,t,t}} end return {call}");
        let shown = run(&mut state, chunk.as_bytes(), &[]);
        assert_eq!(shown, told("not enough memory"), "{call}");
    }
}

#[test]
fn settings_are_shown_and_kept() {
    let mut state = interpreter();
    let mut shown = |chunk: &str| run(&mut state, chunk.as_bytes(), &[]);
    assert_eq!(shown("return {cjson.encode_sparse_array()}"), "{false,2,10}");
    assert_eq!(shown("return {cjson.encode_max_depth(), cjson.decode_max_depth()}"), "{1000,1000}");
    assert_eq!(shown("return cjson.encode_number_precision()"), "14");
    assert_eq!(shown("return cjson.encode_keep_buffer()"), "true");
    assert_eq!(shown("return cjson.encode_invalid_numbers()"), "false");
    assert_eq!(shown("return cjson.decode_invalid_numbers()"), "true");
    assert_eq!(shown("return cjson.encode_invalid_numbers('null')"), "null");
    assert_eq!(shown("return {cjson.encode_sparse_array('on', 3, '4')}"), "{true,3,4}");
    assert_eq!(shown("return cjson.encode_number_precision(5)"), "5");
    // Another script finds them so, another instance does not.
    assert_eq!(shown("return cjson.encode(1/3)"), "0.33333");
    assert_eq!(shown("return cjson.new().encode(1/3)"), "0.33333333333333");
    let own = "local a, b = cjson.new(), cjson.new() a.encode_number_precision(2)
        return {a.encode(1/3), b.encode(1/3), cjson.encode(1/3)}";
    assert_eq!(shown(own), "{0.33,0.33333333333333,0.33333}");
    for (call, text) in [
        (
            "encode_number_precision(15)",
            "bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)",
        ),
        (
            "encode_max_depth(0)",
            "bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)",
        ),
        (
            "encode_sparse_array(true, 1, -1)",
            "bad argument #1 to 'encode_sparse_array' (expected integer between 0 and 2147483647)",
        ),
        ("encode_keep_buffer('x')", "bad argument #1 to 'encode_keep_buffer' (invalid option 'x')"),
        (
            "encode_keep_buffer({})",
            "bad argument #1 to 'encode_keep_buffer' (string expected, got table)",
        ),
        (
            "decode_max_depth(1, 2)",
            "bad argument #2 to 'decode_max_depth' (found too many arguments)",
        ),
    ] {
        assert_eq!(shown(&format!("return cjson.{call}")), told(text), "{call}");
    }
    assert_eq!(shown("return {cjson._NAME, cjson._VERSION}"), "{cjson,2.1.0}");
    let readonly = "ERR user_script:1: Attempt to modify a readonly table";
    assert_eq!(shown("cjson.encode = 1"), readonly);
}

/// Escapes among runs of plain bytes, in texts around the sizes at which the room grows.
#[test]
fn escapes_are_read_wherever_they_are() {
    const CHUNK: &[u8] = br#"
        local escapes = {['\\n'] = '\n', ['\\/'] = '/', ['\\u00e9'] = '\195\169',
            ['\\ud83d\\ude00'] = '\240\159\152\128', ['\\"'] = '"', ['\\u0000'] = '\0'}
        for _, run in ipairs({0, 1, 15, 16, 17, 31, 32, 252, 253, 255, 256, 257, 1000, 70000}) do
            for escape, meaning in pairs(escapes) do
                local plain = string.rep('x', run)
                for count = 1, 3 do
                    local text = plain .. string.rep(escape .. plain, count)
                    local value = plain .. string.rep(meaning .. plain, count)
                    local list = '["' .. text .. '","' .. plain .. '","' .. text .. 'y"]'
                    local read = cjson.decode(list)
                    if read[1] ~= value or read[2] ~= plain or read[3] ~= value .. 'y' then
                        return escape .. ' after ' .. run
                    end
                    local ok, why = pcall(cjson.decode, '"' .. text)
                    local where = 'unexpected end of string at character ' .. #text + 2
                    if ok or not string.find(why, where, 1, true) then return why end
                end
            end
        end
        return 'read'
    "#;
    assert_eq!(run(&mut interpreter(), CHUNK, &[]), "read");
}

/// An error in the midst of walks within walks leaves nothing to the next one.
#[test]
fn an_error_ends_all_walks() {
    const CHUNK: &[u8] = b"
        local bad, good = {a = {b = {c = {function() end}}}}, {a = {b = {c = {1, 2}}}}
        for i = 1, 3 do
            if pcall(cjson.encode, bad) then return 'encoded' end
            if cjson.encode(good) ~= '{\"a\":{\"b\":{\"c\":[1,2]}}}' then return 'json' end
            if cmsgpack.unpack(cmsgpack.pack(good)).a.b.c[2] ~= 2 then return 'msgpack' end
        end
        return 'right'
    ";
    assert_eq!(run(&mut interpreter(), CHUNK, &[]), "right");
}

/// Random values survive JSON and MessagePack.
#[test]
fn round_trips() {
    const CHUNK: &[u8] = b"
        local function text()
            local t = {}
            for i = 1, math.random(0, 40) do t[i] = string.char(math.random(0, 255)) end
            return table.concat(t)
        end
        local function value(depth)
            local kind = math.random(depth > 4 and 5 or 7)
            if kind == 1 then return math.random() < 0.5 end
            if kind == 2 then return math.random(-1000, 1000) end
            if kind == 3 then return math.random(-2^30, 2^30) * 2^math.random(-20, 10) end
            if kind <= 5 then return text() end
            local t = {}
            for i = 1, math.random(0, 6) do
                t[kind == 6 and i or text() .. 'x'] = value(depth + 1)
            end
            return t
        end
        local function same(a, b)
            if type(a) ~= 'table' then return a == b end
            for k in pairs(a) do if not same(a[k], b[k]) then return false end end
            for k in pairs(b) do if a[k] == nil then return false end end
            return true
        end
        math.randomseed(tonumber(ARGV[1]))
        for i = 1, 200 do
            local v = value(0)
            if not same(v, cmsgpack.unpack(cmsgpack.pack(v))) then return 'msgpack' end
            local near = cjson.decode(cjson.encode(v))
            if not same(near, cjson.decode(cjson.encode(near))) then return 'json' end
        end
        return 'same'
    ";
    for seed in 0..10 {
        let seed = seed.to_string();
        assert_eq!(run(&mut interpreter(), CHUNK, &[seed.as_bytes()]), "same", "seed {seed}");
    }
}
