//! SORT and SORT_RO: the elements of a list, set or sorted set in order, or what they lead to.
//!
//! Steps: parse; copy the elements; look up what they are ordered by (`BY`); sort, only as far as
//! `LIMIT` asks; reply or store the elements, or the values that `GET` patterns lead to.
//!
//! A pattern is a key with `*` in place of the element, and may go on with `->field` into a hash.
//! Text is compared by bytes. If `BY` has no `*`, the elements stay in their own order.

use crate::commands::arg::{self, Options};
use crate::commands::string::value_bytes;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::Scratch;
use crate::ds::pack::End;
use crate::keyspace::db::DbMut;
use crate::keyspace::effects::{EV_GENERIC, EV_LIST, Effects, Why};
use crate::keyspace::env::{Env, Origin};
use crate::keyspace::limits::Limits;
use crate::keyspace::store::{Expire, SetValue};
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::num;
use crate::value::list::List;
use crate::value::zset::ZSet;
use crate::value::{Collection, Encoding, ObjectRef, Value, ValueRef, View};
use std::cmp::Ordering;

pub(crate) const COMMANDS: &[DataRow] = &[("sort", sort), ("sort_ro", sort_ro)];

const NOT_A_NUMBER: CmdError =
    CmdError::new("ERR One or more scores can't be converted into double");

/// What the arguments ask for.
#[derive(Default)]
struct Request<'a> {
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
    offset: i64,
    count: Option<i64>,
    descending: bool,
    alpha: bool,
}

impl<'a> Request<'a> {
    fn parse(argv: Argv<'a>, read_only: bool) -> Result<Request<'a>, CmdError> {
        let mut request = Request::default();
        let mut options = Options::new(argv, 2);
        while let Some(word) = options.next() {
            let left = options.remaining();
            if arg::is(word, "asc") {
                request.descending = false;
            } else if arg::is(word, "desc") {
                request.descending = true;
            } else if arg::is(word, "alpha") {
                request.alpha = true;
            } else if arg::is(word, "limit") && left >= 2 {
                request.offset = arg::int(options.value()?)?;
                request.count = Some(arg::int(options.value()?)?);
            } else if arg::is(word, "by") && left >= 1 {
                request.by = Some(options.value()?);
            } else if arg::is(word, "get") && left >= 1 {
                request.get.push(options.value()?);
            } else if arg::is(word, "store") && left >= 1 && !read_only {
                request.store = Some(options.value()?);
            } else {
                return Err(errors::SYNTAX);
            }
        }
        Ok(request)
    }

    /// The part of `len` elements that is wanted.
    fn window(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(len);
        let count = self.count.and_then(|n| usize::try_from(n).ok()).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC|DESC] [ALPHA] [STORE
/// destination]`. O(n + m log m) with n elements, m of them wanted.
fn sort(ctx: &mut Ctx<'_>) -> CmdResult {
    run(ctx, false)
}

/// `SORT_RO key ...`: SORT without STORE.
fn sort_ro(ctx: &mut Ctx<'_>) -> CmdResult {
    run(ctx, true)
}

fn run(ctx: &mut Ctx<'_>, read_only: bool) -> CmdResult {
    let mut request = Request::parse(ctx.argv, read_only)?;
    let Ctx { db, argv, fx, env, limits, .. } = ctx;
    let (mut is_set, mut packed_zset) = (false, false);
    let mut keep_order = request.by.is_some_and(|by| !by.contains(&b'*'));
    let mut elements = match db.read(argv.at(1), fx).map(|entry| entry.value()) {
        None => Vec::new(),
        Some(ValueRef::Object(object)) => {
            is_set = matches!(object, ObjectRef::Set(_));
            packed_zset =
                matches!(object, ObjectRef::ZSet(_)) && object.encoding() == Encoding::Listpack;
            elements(object, keep_order && request.descending).ok_or(errors::WRONG_TYPE)?
        }
        Some(_) => return Err(errors::WRONG_TYPE),
    };
    if packed_zset {
        spread(db, argv.at(1), limits, fx);
    }
    if is_set && (request.store.is_some() || env.origin == Origin::Script) {
        // A set has no order of its own, but what is stored must be the same on every server.
        if keep_order {
            (keep_order, request.alpha, request.by) = (false, true, None);
        } else if request.alpha && request.by.is_some() {
            // Elements that lead to the same text keep the order in which they come.
            elements.sort_unstable();
        }
    }
    let window = request.window(elements.len());
    let sorted = match keep_order {
        true => elements,
        false => order(db, fx, env, &request, elements, window.end)?,
    };
    let chosen = &sorted[window];
    match request.store {
        Some(target) => store(ctx, &request, chosen, target),
        None => reply(ctx, &request, chosen),
    }
}

/// Compat: after SORT a sorted set is no listpack any more.
#[cold]
fn spread(db: &mut DbMut<'_>, key: &[u8], limits: &Limits, fx: &mut Effects) {
    if let Ok(Some(mut zset)) = db.find_open::<ZSet>(key, fx) {
        zset.spread(&limits.zset(), 0);
    }
}

/// The elements in their own order; those of a list or sorted set backwards if it is to be
/// `descending`. None for other types.
fn elements(object: ObjectRef<'_>, descending: bool) -> Option<Vec<Vec<u8>>> {
    let mut out = Vec::with_capacity(object.len());
    match object {
        ObjectRef::List(list) => {
            let (index, from) = match descending {
                true => (list.len().saturating_sub(1), End::Back),
                false => (0, End::Front),
            };
            list.walk(index, from, &mut |item| {
                out.push(item.to_vec());
                true
            });
        }
        ObjectRef::Set(set) => out.extend(set.iter().map(|item| item.to_vec())),
        ObjectRef::ZSet(zset) if descending => {
            zset.descend(zset.len().saturating_sub(1), zset.len(), |item, _| {
                out.push(item.to_vec())
            });
        }
        ObjectRef::ZSet(zset) => zset.each(|item, _| out.push(item.to_vec())),
        ObjectRef::Hash(_) | ObjectRef::Stream(_) => return None,
    }
    Some(out)
}

/// What an element is ordered by.
enum Weight {
    Number(f64),
    Text(Option<Vec<u8>>),
    /// The element itself, as text.
    Own,
}

fn compare(a: &(Weight, Vec<u8>), b: &(Weight, Vec<u8>)) -> Ordering {
    match (&a.0, &b.0) {
        // Elements with equal numbers are compared as text, so that the order is the same on every
        // server.
        (Weight::Number(x), Weight::Number(y)) => {
            x.partial_cmp(y).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(&b.1))
        }
        (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
        _ => a.1.cmp(&b.1),
    }
}

/// The elements in the order asked for, of which the first `wanted` matter.
fn order(
    db: &mut DbMut<'_>,
    fx: &mut Effects,
    env: &Env,
    request: &Request<'_>,
    elements: Vec<Vec<u8>>,
    wanted: usize,
) -> Result<Vec<Vec<u8>>, CmdError> {
    // Compat: all keys are looked up, which shows in events, before a value that is no number ends
    // the command.
    let mut all_numbers = true;
    let mut number = |text: &[u8]| {
        let parsed = num::parse_f64_c(text, false);
        all_numbers &= parsed.is_some();
        Weight::Number(parsed.unwrap_or_default())
    };
    let mut rows = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = match request.by {
            None if request.alpha => Weight::Own,
            None => number(&element),
            Some(by) => match (request.alpha, follow(db, fx, env, by, &element)) {
                (true, found) => Weight::Text(found),
                (false, Some(text)) => number(&text),
                (false, None) => Weight::Number(0.0),
            },
        };
        rows.push((weight, element));
    }
    if !all_numbers {
        return Err(NOT_A_NUMBER);
    }
    let by = |a: &(Weight, Vec<u8>), b: &(Weight, Vec<u8>)| match request.descending {
        true => compare(b, a),
        false => compare(a, b),
    };
    if wanted < rows.len() / 4 {
        // Only the first part has to be in order.
        if wanted > 0 {
            rows.select_nth_unstable_by(wanted - 1, by);
        }
        rows.truncate(wanted);
    }
    rows.sort_by(by);
    Ok(rows.into_iter().map(|(_, element)| element).collect())
}

/// The value that a pattern leads to from an element; None if there is no such string or field.
fn follow(
    db: &mut DbMut<'_>,
    fx: &mut Effects,
    env: &Env,
    pattern: &[u8],
    element: &[u8],
) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.to_vec());
    }
    let star = memchr::memchr(b'*', pattern)?;
    let behind = &pattern[star + 1..];
    // An arrow at the end is part of the key.
    let arrow = memchr::memmem::find(behind, b"->").filter(|at| at + 2 < behind.len());
    let (tail, field) = match arrow {
        Some(at) => (&behind[..at], Some(&behind[at + 2..])),
        None => (behind, None),
    };
    let key = [&pattern[..star], element, tail].concat();
    let entry = db.read(&key, fx)?;
    match (entry.value(), field) {
        (ValueRef::Object(ObjectRef::Hash(hash)), Some(field)) => {
            let (value, expire) = hash.find(field)?;
            expire.is_none_or(|at| at >= env.now_ms).then(|| value.to_vec())
        }
        (ValueRef::Object(_), _) | (_, Some(_)) => None,
        _ => Some(value_bytes(entry, &mut Scratch::default()).to_vec()),
    }
}

fn reply(ctx: &mut Ctx<'_>, request: &Request<'_>, chosen: &[Vec<u8>]) -> CmdResult {
    let Ctx { db, reply, fx, env, .. } = ctx;
    reply.array(chosen.len() * request.get.len().max(1));
    for element in chosen {
        if request.get.is_empty() {
            reply.bulk(element);
        }
        for pattern in &request.get {
            match follow(db, fx, env, pattern, element) {
                Some(value) => reply.bulk(&value),
                None => reply.null(),
            }
        }
    }
    Ok(Flow::Done)
}

/// Stores the outcome as a list. What is missing becomes an empty element.
fn store(ctx: &mut Ctx<'_>, request: &Request<'_>, chosen: &[Vec<u8>], target: &[u8]) -> CmdResult {
    let Ctx { db, reply, fx, env, limits, .. } = ctx;
    let mut out = Vec::with_capacity(chosen.len() * request.get.len().max(1));
    for element in chosen {
        if request.get.is_empty() {
            out.push(element.clone());
        }
        for pattern in &request.get {
            out.push(follow(db, fx, env, pattern, element).unwrap_or_default());
        }
    }
    if out.is_empty() {
        if db.delete(target, Why::Overwrite, fx) {
            fx.modified(target);
            fx.event(EV_GENERIC, "del", target);
        }
    } else {
        let list = List::sorted(out.iter().map(Vec::as_slice), limits.list());
        let value = Value::Object(Box::new(list.into_object()));
        db.set(target, SetValue::Owned(value), Expire::None, fx);
        fx.modified(target);
        fx.dirty += out.len() as u64 - 1;
        fx.event(EV_LIST, "sortstore", target);
    }
    reply.len_int(out.len());
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_clamped() {
        let of = |offset, count, len| Request { offset, count, ..Request::default() }.window(len);
        assert_eq!(of(0, None, 5), 0..5);
        assert_eq!(of(-10, Some(100), 5), 0..5);
        assert_eq!(of(2, Some(2), 5), 2..4);
        assert_eq!(of(2, Some(-1), 5), 2..5);
        assert_eq!(of(9, Some(10), 5), 5..5);
        assert_eq!(of(2, Some(i64::MAX), 5), 2..5);
        assert_eq!(of(2, Some(0), 5), 2..2);
    }
}
