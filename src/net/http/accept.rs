//! Which of the two formats of metrics a client would rather have, by its `Accept` fields.
//!
//! Prometheus asks like this, and OpenMetrics wins by its weight:
//!
//! ```text
//! application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2
//! ```
//! Whoever asks for nothing, for anything, or for both alike gets plain text: it is a browser or a
//! person, and every tool reads it.

/// Weights in thousandths, as they are written with three digits at most.
type Weight = u16;

/// How well a range fits a type: the more it says, the later it is overruled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    #[default]
    Nothing,
    Anything,
    Type,
    Exactly,
}

#[derive(Clone, Copy, Debug, Default)]
struct Best {
    fit: Fit,
    weight: Weight,
}

impl Best {
    /// Of ranges that fit equally well, the one with the greater weight counts.
    fn note(&mut self, fit: Fit, weight: Weight) {
        if fit != Fit::Nothing && (fit, weight) > (self.fit, self.weight) {
            *self = Best { fit, weight };
        }
    }
}

/// Whether OpenMetrics is wanted more than plain text.
pub(crate) fn wants_openmetrics<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
    let (mut open, mut plain) = (Best::default(), Best::default());
    for range in values.flat_map(|value| value.split(|byte| *byte == b',')) {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let (mut weight, mut known_version) = (1000, true);
        let is_open = name.eq_ignore_ascii_case(b"application/openmetrics-text");
        for (key, value) in parts.filter_map(parameter) {
            if key.eq_ignore_ascii_case(b"q") {
                weight = parse_weight(value);
            } else if key.eq_ignore_ascii_case(b"version") {
                let known: &[&[u8]] = if is_open { &[b"1.0.0", b"0.0.1"] } else { &[b"0.0.4"] };
                known_version = known.contains(&value);
            }
        }
        if !known_version {
            continue;
        }
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let anything = if is("*/*") { Fit::Anything } else { Fit::Nothing };
        let fit = |exact: bool, of_type: &str| match (exact, is(of_type)) {
            (true, _) => Fit::Exactly,
            (_, true) => Fit::Type,
            _ => anything,
        };
        open.note(fit(is_open, "application/*"), weight);
        plain.note(fit(is("text/plain"), "text/*"), weight);
    }
    // Not by `*/*`, which means no preference.
    open.fit > Fit::Anything && open.weight > plain.weight
}

fn parameter(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = part.iter().position(|byte| *byte == b'=')?;
    let value = part[equals + 1..].trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
    Some((part[..equals].trim_ascii(), value))
}

/// `0`, `1`, or up to three digits behind a point. What is none of these weighs nothing.
fn parse_weight(text: &[u8]) -> Weight {
    let (whole, rest) = match text {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', rest @ ..] if rest.len() <= 3 => (whole, rest),
        _ => return 0,
    };
    if !rest.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let digit = |i: usize| rest.get(i).map_or(0, |digit| Weight::from(digit - b'0'));
    let weight = Weight::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    if weight > 1000 { 0 } else { weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_with_the_greater_weight() {
        let open = |accept: &str| wants_openmetrics([accept.as_bytes()].into_iter());
        // What Prometheus 2.42, 2.50 and 3 send.
        assert!(open(
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ));
        assert!(open(
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
             version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ));
        assert!(open(
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
             escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        ));
        assert!(open("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8"));
        assert!(open("Application/OpenMetrics-Text"));
        assert!(open("text/plain;q=0.5 , application/openmetrics-text ;q=0.501"));
        for plain in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain",
            "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.3",
            "text/plain, application/openmetrics-text",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.",
            "application/openmetrics-text;q=1.1, */*;q=0.1",
            "application/openmetrics-text;q=9",
            "application/openmetrics-text;version=2.0.0, */*;q=0.1",
            "application/openmetrics-text;q=0.5,text/*;q=0.6",
            "application/json",
        ] {
            assert!(!open(plain), "{plain}");
        }
        let lines: [&[u8]; 2] = [b"text/plain;q=0.5", b"application/openmetrics-text;q=0.9"];
        assert!(wants_openmetrics(lines.into_iter()));
        assert!(!wants_openmetrics(std::iter::empty()));
    }
}
