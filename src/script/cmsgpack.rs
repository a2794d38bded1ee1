//! `cmsgpack`: values of Lua as MessagePack, and back.
//!
//! A table is an array if its keys are the integers from 1 on without a gap, else a map. What has
//! no form is nil, and so is a table within `NESTING` others. Numbers are integers where they can
//! be.
//!
//! Lengths in the input are claims: nothing is set aside for them, so what is read takes memory by
//! the bytes that are there. Containers are read without recursion.

use super::bridge::{Kind, MAX_STACK, Member, Open, Raise, Stack, View, integer};

pub(crate) const MEMBERS: &[(&str, Member)] = &[
    ("pack", Member::call(pack)),
    ("unpack", Member::call(unpack)),
    ("unpack_one", Member::call(unpack_one)),
    ("unpack_limit", Member::call(unpack_limit)),
    ("_NAME", Member::Text("cmsgpack")),
    ("_VERSION", Member::Text("lua-cmsgpack 0.4.0")),
    ("_COPYRIGHT", Member::Text("Copyright (C) 2012, Salvatore Sanfilippo")),
    ("_DESCRIPTION", Member::Text("MessagePack C implementation for Lua")),
];

/// Tables within tables that are written.
const NESTING: usize = 16;

/// `cmsgpack.pack(value, ...)`. O(size of the values).
fn pack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    match stack.len() {
        0 => return Err(Raise::Argument(0, b"MessagePack pack needs input.".to_vec())),
        n if 2 * n > MAX_STACK => {
            return Err(Raise::Argument(0, b"Too many arguments for MessagePack pack.".to_vec()));
        }
        _ => {}
    }
    let mut scratch = stack.take_scratch();
    let mut out = Packed { bytes: std::mem::take(&mut scratch.bytes), limit: stack.memory_left() };
    let end = (1..=stack.len()).try_for_each(|i| out.value(stack, i, 0));
    if end.is_ok() {
        stack.push_bytes(&out.bytes);
    }
    scratch.bytes = out.bytes;
    stack.give_scratch(scratch);
    end.map(|()| 1)
}

struct Packed {
    bytes: Vec<u8>,
    limit: usize,
}

impl Packed {
    /// Writes a value.
    fn value(&mut self, stack: &mut Stack<'_>, i: usize, level: usize) -> Result<(), Raise> {
        match stack.view(i) {
            Some(View::String(text)) => self.string(text),
            Some(View::Boolean(value)) => self.bytes.push(if value { 0xc3 } else { 0xc2 }),
            Some(View::Number(n)) => self.number(n),
            Some(View::Table) if level < NESTING => self.table(stack, i, level)?,
            _ => self.bytes.push(0xc0),
        }
        // The same table may be in many places, so that the result knows no proportion.
        if self.bytes.len() > self.limit {
            return Err(Raise::error("not enough memory"));
        }
        Ok(())
    }

    fn table(&mut self, stack: &mut Stack<'_>, i: usize, level: usize) -> Result<(), Raise> {
        stack.reserve(3)?;
        if let Some(len) = array_len(stack, i)? {
            self.head(0x90, 0xdc, len);
            for n in 1..=len {
                stack.get_at(i, n as i32);
                let value = stack.len();
                self.value(stack, value, level + 1)?;
                stack.pop(1);
            }
            return Ok(());
        }
        let mut len = 0;
        stack.walk(i)?;
        while stack.step() {
            len += 1;
        }
        self.head(0x80, 0xde, len);
        stack.walk(i)?;
        while stack.step() {
            let value = stack.len();
            self.value(stack, value - 1, level + 1)?;
            self.value(stack, value, level + 1)?;
        }
        Ok(())
    }

    /// How many elements follow. `small`: the form for less than 16; `large`: the one for 16 bits,
    /// behind which comes the one for 32 bits.
    fn head(&mut self, small: u8, large: u8, len: usize) {
        match len {
            0..=15 => self.bytes.push(small | len as u8),
            16..=0xffff => {
                self.bytes.push(large);
                self.bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                self.bytes.push(large + 1);
                self.bytes.extend_from_slice(&(len as u32).to_be_bytes());
            }
        }
    }

    fn string(&mut self, text: &[u8]) {
        match text.len() {
            len @ 0..=31 => self.bytes.push(0xa0 | len as u8),
            len @ 32..=0xff => self.bytes.extend_from_slice(&[0xd9, len as u8]),
            len => self.head(0, 0xda, len),
        }
        self.bytes.extend_from_slice(text);
    }

    fn number(&mut self, n: f64) {
        let int = integer(n);
        if int as f64 == n {
            return self.integer(int);
        }
        let float = n as f32;
        if f64::from(float) == n {
            self.bytes.push(0xca);
            self.bytes.extend_from_slice(&float.to_be_bytes());
        } else {
            self.bytes.push(0xcb);
            self.bytes.extend_from_slice(&n.to_be_bytes());
        }
    }

    #[inline]
    fn integer(&mut self, n: i64) {
        let (kind, size) = match n {
            -32..=127 => return self.bytes.push(n as u8),
            128..=0xff => (0xcc, 1),
            0x100..=0xffff => (0xcd, 2),
            0x1_0000..=0xffff_ffff => (0xce, 4),
            0x1_0000_0000.. => (0xcf, 8),
            -0x80..=-33 => (0xd0, 1),
            -0x8000..=-0x81 => (0xd1, 2),
            -0x8000_0000..=-0x8001 => (0xd2, 4),
            _ => (0xd3, 8),
        };
        // The bytes that count come first, and all are copied: that takes two instructions, where
        // the exact number would take a call.
        let [a, b, c, d, e, f, g, h] = (n << (64 - 8 * size)).to_be_bytes();
        let end = self.bytes.len() + 1 + size;
        self.bytes.extend_from_slice(&[kind, a, b, c, d, e, f, g, h]);
        self.bytes.truncate(end);
    }
}

/// The number of elements if the keys are the integers from 1 on; None if they are others.
fn array_len(stack: &mut Stack<'_>, table: usize) -> Result<Option<usize>, Raise> {
    let (mut count, mut max) = (0_usize, 0_usize);
    stack.walk(table)?;
    while stack.step() {
        let key = stack.len() - 1;
        let n = if let Some(View::Number(n)) = stack.view(key) { n } else { 0.0 };
        let int = n as i32;
        if n <= 0.0 || f64::from(int) != n {
            stack.leave();
            return Ok(None);
        }
        max = max.max(int as usize);
        count += 1;
    }
    Ok((max == count).then_some(count))
}

/// `cmsgpack.unpack(text)`: all values.
fn unpack(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let extra = stack.len();
    unpack_some(stack, 0, 0, extra)
}

/// `cmsgpack.unpack_one(text [, offset])`: the offset behind the value, and the value.
fn unpack_one(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let offset = optional(stack, 2)?;
    unpack_some(stack, 1, offset, 1)
}

/// `cmsgpack.unpack_limit(text, limit [, offset])`: the offset behind the values, and the values.
fn unpack_limit(stack: &mut Stack<'_>) -> Result<usize, Raise> {
    let limit = stack.check_integer(2)?;
    let offset = optional(stack, 3)?;
    unpack_some(stack, limit, offset, 1)
}

fn optional(stack: &Stack<'_>, i: usize) -> Result<i64, Raise> {
    if stack.is_none_or_nil(i) { Ok(0) } else { stack.check_integer(i) }
}

/// Reads `limit` values from an offset. `below`: so many values were on the stack of Redis's.
fn unpack_some(
    stack: &mut Stack<'_>,
    limit: i64,
    offset: i64,
    below: usize,
) -> Result<usize, Raise> {
    let text = stack.check_string(1)?;
    if offset < 0 || limit < 0 {
        // Compat: the second number is a length.
        let (offset, len) = (offset as i32, text.len() as i32);
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(Raise::error(text));
    }
    let Some(rest) = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)) else {
        let (offset, len) = (offset as i32, text.len() as i32);
        let text = format!("Start offset {offset} greater than input length {len}.");
        return Err(Raise::error(text));
    };
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(i32::MAX) } else { limit };
    let arguments = stack.len();
    let mut scratch = stack.take_scratch();
    let open = std::mem::take(&mut scratch.open);
    let mut input = Input { rest, open, arrays: 0, less: arguments - below };
    let end = input.values(stack, limit);
    scratch.open = std::mem::take(&mut input.open);
    stack.give_scratch(scratch);
    end?;
    if !all {
        input.ask(stack, "in function mp_unpack_full")?;
        let next = text.len() - input.rest.len();
        stack.push_number(if input.rest.is_empty() { -1.0 } else { next as f64 });
        stack.insert(arguments + 1);
    }
    Ok(stack.len() - arguments)
}

struct Input<'a> {
    rest: &'a [u8],
    /// The containers around the next value.
    open: Vec<Open>,
    /// How many of them are arrays.
    arrays: usize,
    /// Arguments that Redis's functions take off their stack first.
    less: usize,
}

impl<'a> Input<'a> {
    /// Asks for room for one value.
    ///
    /// Compat: how deep containers may be is a matter of how much is on the stack, where the index
    /// of an array's element has a place of its own.
    #[inline]
    fn ask(&self, stack: &mut Stack<'_>, why: &str) -> Result<(), Raise> {
        let top = stack.len() - self.less + self.arrays;
        if top < MAX_STACK && stack.reserve(1).is_ok() { Ok(()) } else { Err(overflow(why)) }
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Raise> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            return Err(Raise::error("Missing bytes in input."));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Raise> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.bytes(N)?);
        Ok(bytes)
    }

    fn len16(&mut self) -> Result<usize, Raise> {
        Ok(usize::from(u16::from_be_bytes(self.array()?)))
    }

    fn len32(&mut self) -> Result<usize, Raise> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    /// Pushes values until there are `limit` of them, or the input ends.
    fn values(&mut self, stack: &mut Stack<'_>, limit: i64) -> Result<(), Raise> {
        let mut count = 0;
        while !self.rest.is_empty() && count < limit {
            self.value(stack)?;
            count += 1;
        }
        Ok(())
    }

    /// Pushes the next value with all that is in it.
    fn value(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        loop {
            self.begin(stack)?;
            if self.finish(stack)? {
                return Ok(());
            }
        }
    }

    /// Pushes a plain value, or opens a container.
    fn begin(&mut self, stack: &mut Stack<'_>) -> Result<(), Raise> {
        if self.rest.is_empty() {
            return Err(Raise::error("Missing bytes in input."));
        }
        self.ask(stack, "too many return values at once; use unpack_one or unpack_limit instead.")?;
        let kind = self.array::<1>()?[0];
        match kind {
            0x00..=0x7f => stack.push_number(f64::from(kind)),
            0xe0..=0xff => stack.push_number(f64::from(kind as i8)),
            0xcc => stack.push_number(f64::from(self.array::<1>()?[0])),
            0xcd => stack.push_number(f64::from(u16::from_be_bytes(self.array()?))),
            0xce => stack.push_number(f64::from(u32::from_be_bytes(self.array()?))),
            0xd0 => stack.push_number(f64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => stack.push_number(f64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => stack.push_number(f64::from(i32::from_be_bytes(self.array()?))),
            // Compat: the unsigned one is read as signed.
            0xcf | 0xd3 => stack.push_number(i64::from_be_bytes(self.array()?) as f64),
            0xca => stack.push_number(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => stack.push_number(f64::from_be_bytes(self.array()?)),
            0xc0 => stack.push_nil(),
            0xc2 | 0xc3 => stack.push_boolean(kind == 0xc3),
            0xa0..=0xbf => stack.push_bytes(self.bytes(usize::from(kind & 0x1f))?),
            0xd9 => {
                let len = usize::from(self.array::<1>()?[0]);
                stack.push_bytes(self.bytes(len)?);
            }
            0xda => {
                let len = self.len16()?;
                stack.push_bytes(self.bytes(len)?);
            }
            0xdb => {
                let len = self.len32()?;
                stack.push_bytes(self.bytes(len)?);
            }
            0x90..=0x9f => self.open(stack, false, usize::from(kind & 0xf))?,
            0x80..=0x8f => self.open(stack, true, usize::from(kind & 0xf))?,
            0xdc | 0xde => {
                let len = self.len16()?;
                self.open(stack, kind == 0xde, len)?;
            }
            0xdd | 0xdf => {
                let len = self.len32()?;
                self.open(stack, kind == 0xdf, len)?;
            }
            // Extensions are not known.
            _ => return Err(Raise::error("Bad data format in input.")),
        }
        Ok(())
    }

    fn open(&mut self, stack: &mut Stack<'_>, is_map: bool, len: usize) -> Result<(), Raise> {
        stack.push_table(0, 0);
        if !is_map {
            self.ask(stack, "in function mp_decode_to_lua_array")?;
            self.arrays += 1;
        }
        let left = if is_map { 2 * len as u64 } else { len as u64 };
        self.open.push(Open { table: stack.len(), is_map, done: 0, left });
        Ok(())
    }

    /// Puts values into the containers around them as far as they are complete. True if the
    /// outermost one is, or there is none.
    fn finish(&mut self, stack: &mut Stack<'_>) -> Result<bool, Raise> {
        loop {
            let Some(open) = self.open.last_mut() else { return Ok(true) };
            if stack.len() > open.table {
                put(stack, open)?;
            }
            if open.left > 0 {
                return Ok(false);
            }
            self.arrays -= usize::from(!open.is_map);
            self.open.pop();
        }
    }
}

#[cold]
fn overflow(why: &str) -> Raise {
    Raise::error(format!("stack overflow ({why})"))
}

/// Puts the value on top into its container, unless it is a key.
fn put(stack: &mut Stack<'_>, open: &mut Open) -> Result<(), Raise> {
    open.left -= 1;
    if !open.is_map {
        open.done = open.done.wrapping_add(1);
        stack.set_at(open.table, open.done);
        return Ok(());
    }
    if open.left % 2 == 1 {
        return Ok(());
    }
    stack.try_set(open.table).map_err(|key| {
        // Compat: Lua raises these, without a place.
        let text: &[u8] = match key {
            Kind::Nil => b"table index is nil",
            _ => b"table index is NaN",
        };
        stack.pop(2);
        stack.push_bytes(text);
        Raise::Value
    })
}

#[cfg(test)]
mod tests {
    use crate::script::testing::shown;

    fn told(text: &str) -> String {
        format!("ERR user_script:1: {text}")
    }

    #[test]
    fn golden_bytes() {
        for (values, bytes) in [
            ("nil, true, false, cjson.null, tostring", "\\xc0\\xc3\\xc2\\xc0\\xc0"),
            ("0, 127, -1, -32, 0 * -1", "\\x00\\x7f\\xff\\xe0\\x00"),
            ("128, 256, 65536", "\\xcc\\x80\\xcd\\x01\\x00\\xce\\x00\\x01\\x00\\x00"),
            ("2^32", "\\xcf\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00"),
            ("-33, -129, -32769", "\\xd0\\xdf\\xd1\\xff\\x7f\\xd2\\xff\\xff\\x7f\\xff"),
            ("-2^63", "\\xd3\\x80\\x00\\x00\\x00\\x00\\x00\\x00\\x00"),
            ("2^63", "\\xca_\\x00\\x00\\x00"),
            ("1.5, 1/0", "\\xca?\\xc0\\x00\\x00\\xca\\x7f\\x80\\x00\\x00"),
            ("0.1", "\\xcb?\\xb9\\x99\\x99\\x99\\x99\\x99\\x9a"),
            ("'abc', ''", "\\xa3abc\\xa0"),
            ("{}, {1, {2}}", "\\x90\\x92\\x01\\x91\\x02"),
            ("{a = 1}, {[2] = 1}, {[0] = 1}", "\\x81\\xa1a\\x01\\x81\\x02\\x01\\x81\\x00\\x01"),
        ] {
            assert_eq!(shown(format!("return cmsgpack.pack({values})")), bytes, "{values}");
        }
        let heads = "local function head(text) return string.sub(text, 1, 5) end
            local function list(n) local t = {} for i = 1, n do t[i] = 1 end return t end
            local function head_of(value) return head(cmsgpack.pack(value)) end
            return {head_of(string.rep('x', 31)), head_of(string.rep('x', 32)),
                head_of(string.rep('x', 256)), head_of(string.rep('x', 65536)),
                head_of(list(16)), head_of(list(65536))}";
        assert_eq!(
            shown(heads),
            "{\\xbfxxxx,\\xd9 xxx,\\xda\\x01\\x00xx,\\xdb\\x00\\x01\\x00\\x00,\
             \\xdc\\x00\\x10\\x01\\x01,\\xdd\\x00\\x01\\x00\\x00}"
        );
    }

    #[test]
    fn tables_too_deep_are_nil() {
        let depth = |n: usize| {
            shown(format!("local t = 1 for i = 1, {n} do t = {{t}} end return cmsgpack.pack(t)"))
        };
        assert_eq!(depth(16), "\\x91".repeat(16) + "\\x01");
        assert_eq!(depth(17), "\\x91".repeat(16) + "\\xc0");
        let ring = "local t = {} t[1] = t return cmsgpack.pack(t)";
        assert_eq!(shown(ring), "\\x91".repeat(16) + "\\xc0");
    }

    #[test]
    fn values_are_unpacked() {
        for (bytes, values) in [
            ("\\1\\255\\192\\195\\194", "{1,-1}"),
            ("\\204\\200\\205\\1\\0\\206\\255\\255\\255\\255", "{200,256,4294967295}"),
            ("\\208\\128\\209\\128\\0\\210\\128\\0\\0\\0", "{-128,-32768,-2147483648}"),
            ("\\207\\255\\255\\255\\255\\255\\255\\255\\255", "{-1}"),
            ("\\202\\63\\192\\0\\0\\203\\63\\248\\0\\0\\0\\0\\0\\0", "{1.5,1.5}"),
            ("\\161a\\217\\1b\\218\\0\\1c\\219\\0\\0\\0\\1d", "{a,b,c,d}"),
            ("\\146\\1\\145\\2\\220\\0\\1\\3\\144", "{{1,{2}},{3},{}}"),
            ("\\130\\2\\161b\\1\\161a\\128", "{{a,b},{}}"),
        ] {
            assert_eq!(
                shown(format!("return {{cmsgpack.unpack(\"{bytes}\")}}")),
                values,
                "{bytes}"
            );
        }
    }

    #[test]
    fn parts_are_unpacked() {
        for (call, values) in [
            ("unpack('')", "{}"),
            ("unpack_one('\\1\\2\\3')", "{1,1}"),
            ("unpack_one('\\1\\2\\3', 2)", "{-1,3}"),
            ("unpack_one('')", "{-1}"),
            ("unpack_limit('\\1\\2\\3', 2)", "{2,1,2}"),
            ("unpack_limit('\\1\\2\\3', 2, 1)", "{-1,2,3}"),
            ("unpack_limit('\\1\\2\\3', 0, 1)", "{1}"),
            ("unpack_limit('\\1\\2\\3', 0)", "{1,2,3}"),
        ] {
            assert_eq!(shown(format!("return {{cmsgpack.{call}}}")), values, "{call}");
        }
    }

    #[test]
    fn broken_input_is_told() {
        let missing = told("Missing bytes in input.");
        for bytes in ["\\161", "\\146\\1", "\\129\\1", "\\205\\1", "\\203", "\\218\\0\\9abc"] {
            let shown = shown(format!("return cmsgpack.unpack('{bytes}')"));
            assert_eq!(shown, missing, "{bytes}");
        }
        for bytes in ["\\193", "\\199\\1\\1\\1", "\\212\\1\\1"] {
            let shown = shown(format!("return cmsgpack.unpack('{bytes}')"));
            assert_eq!(shown, told("Bad data format in input."), "{bytes}");
        }
        assert_eq!(shown("return cmsgpack.unpack('\\129\\192\\1')"), "ERR table index is nil");
        for (call, text) in [
            ("pack()", "bad argument #0 to 'pack' (MessagePack pack needs input.)"),
            ("unpack()", "bad argument #1 to 'unpack' (string expected, got no value)"),
            (
                "unpack_limit('')",
                "bad argument #2 to 'unpack_limit' (number expected, got no value)",
            ),
            (
                "unpack_one('abc', -1)",
                "Invalid request to unpack with offset of -1 and limit of 3.",
            ),
            ("unpack_one('abc', 4)", "Start offset 4 greater than input length 3."),
            (
                "unpack(string.rep('\\1', 9000))",
                "stack overflow (too many return values at once; \
                 use unpack_one or unpack_limit instead.)",
            ),
            (
                "pack(unpack({}, 1, 4001))",
                "bad argument #0 to 'pack' (Too many arguments for MessagePack pack.)",
            ),
        ] {
            assert_eq!(shown(format!("return cmsgpack.{call}")), told(text), "{call}");
        }
    }

    /// Lengths were trusted, and each level took a piece of the C stack.
    #[test]
    fn lengths_and_depths_that_lie() {
        let missing = told("Missing bytes in input.");
        for bytes in [
            "\\221\\255\\255\\255\\255",
            "\\223\\255\\255\\255\\255",
            "\\219\\255\\255\\255\\255\\1",
        ] {
            let shown = shown(format!("return cmsgpack.unpack('{bytes}')"));
            assert_eq!(shown, missing, "{bytes}");
        }
        for byte in [0x91, 0x81] {
            let text = shown(format!("return cmsgpack.unpack(string.rep('\\{byte}', 1000000))"));
            assert!(text.starts_with(&told("stack overflow (")), "{text}");
        }
    }
}
