//! The two text formats of metrics, Prometheus's 0.0.4 and OpenMetrics 1.0.
//!
//! ```text
//!                 plain                              OpenMetrics
//! counter         # TYPE a_total counter             # TYPE a counter
//!                 a_total 3                          a_total 3
//! info            # TYPE a_info gauge                # TYPE a info
//! no type         # TYPE a untyped                   # TYPE a unknown
//! unit            -                                  # UNIT a_seconds seconds
//! end             -                                  # EOF
//! ```
//! Samples have the same names in both, so that a change of format changes no query. What
//! OpenMetrics does not allow under a name (a counter without `_total`) has no type there.
//!
//! A family's lines stand together: `family` begins one, and its head is written when its first
//! sample comes, so that one without samples leaves nothing. Everything is written into one buffer,
//! and nothing is allocated.

use std::fmt::Display;
use std::io::Write as _;

use crate::server::parts::metrics::Format;
use crate::stats::Histogram;
use crate::stats::buckets::BOUNDS;
use crate::util::num::write_u64;

/// The bounds of `Histogram::below_bounds` in seconds, in the form that Prometheus gives them.
const LE: [&str; BOUNDS] = [
    "1e-06",
    "2e-06",
    "4e-06",
    "8e-06",
    "1.6e-05",
    "3.2e-05",
    "6.4e-05",
    "0.000128",
    "0.000256",
    "0.000512",
    "0.001024",
    "0.002048",
    "0.004096",
    "0.008192",
    "0.016384",
    "0.032768",
    "0.065536",
    "0.131072",
    "0.262144",
    "0.524288",
    "1.048576",
    "2.097152",
    "4.194304",
    "8.388608",
    "16.777216",
];

/// What the values of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    /// Labels that say what something is; the value is always 1.
    Info,
    Untyped,
}

/// A family, as its head shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

/// A duration, written in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Micros(pub u64);

impl Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A duration, written in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nanos(pub u64);

impl Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// Writes families.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, format: Format) -> Writer<'a> {
        out.clear();
        Writer { out, format }
    }

    pub(super) fn is_open(&self) -> bool {
        self.format == Format::OpenMetrics
    }

    /// Begins a family; what it is told is written at once.
    pub(super) fn family(&mut self, family: Family) -> Samples<'_, 'a> {
        Samples { writer: self, family, begun: false }
    }

    /// All families have been written.
    pub(super) fn end(self) {
        if self.format == Format::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn texts(&mut self, texts: &[&str]) {
        texts.iter().for_each(|text| self.text(text));
    }

    /// Between quotes, or in a line of help in OpenMetrics.
    fn escaped(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\\' => self.text("\\\\"),
                b'"' => self.text("\\\""),
                b'\n' => self.text("\\n"),
                byte => self.out.push(byte),
            }
        }
    }

    fn head(&mut self, family: &Family) {
        let Family { name, kind, help } = *family;
        let open = self.format == Format::OpenMetrics;
        let (shown, kind) = match (open, kind) {
            (true, Kind::Counter) => match name.strip_suffix("_total") {
                Some(short) => (short, "counter"),
                None => (name, "unknown"),
            },
            (true, Kind::Info) => (name.strip_suffix("_info").unwrap_or(name), "info"),
            (false, Kind::Info) => (name, "gauge"),
            (true, Kind::Untyped) => (name, "unknown"),
            (false, Kind::Untyped) => (name, "untyped"),
            (_, Kind::Counter) => (name, "counter"),
            (_, Kind::Gauge) => (name, "gauge"),
            (_, Kind::Histogram) => (name, "histogram"),
            (_, Kind::Summary) => (name, "summary"),
        };
        self.texts(&["# HELP ", shown, " "]);
        // Our own words have nothing to escape.
        self.texts(&[help, "\n# TYPE ", shown, " ", kind, "\n"]);
        let unit = ["seconds", "bytes"]
            .into_iter()
            .find(|unit| shown.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
        if let Some(unit) = unit.filter(|_| open) {
            self.texts(&["# UNIT ", shown, " ", unit, "\n"]);
        }
    }
}

/// The samples of one family.
pub(super) struct Samples<'w, 'a> {
    writer: &'w mut Writer<'a>,
    family: Family,
    begun: bool,
}

impl Samples<'_, '_> {
    /// The one value of a family without labels.
    pub(super) fn value(&mut self, value: impl Display) {
        self.sample("", &[], value);
    }

    /// The value for a label.
    pub(super) fn of(&mut self, label: &str, text: &str, value: impl Display) {
        self.sample("", &[(label, text)], value);
    }

    /// The value for some labels; `suffix` follows the name.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.begin();
        let w = &mut *self.writer;
        w.texts(&[self.family.name, suffix]);
        for (i, (label, text)) in labels.iter().enumerate() {
            w.texts(&[if i == 0 { "{" } else { "," }, label, "=\""]);
            w.escaped(text);
            w.text("\"");
        }
        if !labels.is_empty() {
            w.text("}");
        }
        // Writing to a Vec does not fail.
        let _ = writeln!(w.out, " {value}");
    }

    /// A histogram, for a label or for none; `sum` is that of all its values.
    pub(super) fn histogram(&mut self, label: Option<(&str, &str)>, h: &Histogram, sum: Nanos) {
        self.begin();
        let w = &mut *self.writer;
        // There are thousands of these lines, so what they begin with is put together once.
        let start = w.out.len();
        w.texts(&[self.family.name, "_bucket{"]);
        if let Some((label, text)) = label {
            w.texts(&[label, "=\""]);
            w.escaped(text);
            w.text("\",");
        }
        w.text("le=\"");
        let prefix = start..w.out.len();
        for (i, (le, count)) in LE.iter().zip(h.below_bounds()).enumerate() {
            if i > 0 {
                w.out.extend_from_within(prefix.clone());
            }
            w.texts(&[le, "\"} "]);
            write_u64(w.out, count);
            w.text("\n");
        }
        w.out.extend_from_within(prefix);
        w.text("+Inf\"} ");
        write_u64(w.out, h.count());
        w.text("\n");
        let labels = label.as_slice();
        self.sample("_sum", labels, sum);
        self.sample("_count", labels, h.count());
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.writer.head(&self.family);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(name: &'static str, kind: Kind) -> Family {
        Family { name, kind, help: "Help." }
    }

    fn written(format: Format) -> String {
        let mut out = b"what was there before".to_vec();
        let mut w = Writer::new(&mut out, format);
        w.family(family("a_seconds_total", Kind::Counter)).value(Micros(1_500_000));
        w.family(family("b_odd", Kind::Counter)).value(2);
        w.family(family("c_info", Kind::Info)).of("x", "a\"b\\c\nd", 1);
        w.family(family("d_bytes", Kind::Gauge)).sample("", &[("x", "1"), ("y", "2")], 3);
        w.family(family("nothing", Kind::Gauge));
        w.end();
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn both_formats_have_the_same_samples() {
        let plain = "# HELP a_seconds_total Help.\n# TYPE a_seconds_total counter\n\
            a_seconds_total 1.500000\n# HELP b_odd Help.\n# TYPE b_odd counter\nb_odd 2\n\
            # HELP c_info Help.\n# TYPE c_info gauge\nc_info{x=\"a\\\"b\\\\c\\nd\"} 1\n\
            # HELP d_bytes Help.\n# TYPE d_bytes gauge\nd_bytes{x=\"1\",y=\"2\"} 3\n";
        let open = "# HELP a_seconds Help.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
            a_seconds_total 1.500000\n# HELP b_odd Help.\n# TYPE b_odd unknown\nb_odd 2\n\
            # HELP c Help.\n# TYPE c info\nc_info{x=\"a\\\"b\\\\c\\nd\"} 1\n\
            # HELP d_bytes Help.\n# TYPE d_bytes gauge\n# UNIT d_bytes bytes\n\
            d_bytes{x=\"1\",y=\"2\"} 3\n# EOF\n";
        assert_eq!(written(Format::Plain), plain);
        assert_eq!(written(Format::OpenMetrics), open);
    }

    #[test]
    fn histograms_are_cumulative_and_their_bounds_are_seconds() {
        let mut h = Histogram::new();
        [900, 900, 1_500_000, u64::MAX].iter().for_each(|ns| h.record(*ns, 1));
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, Format::Plain);
        let label = Some(("command", "get"));
        w.family(family("h_seconds", Kind::Histogram)).histogram(label, &h, Nanos(1_501_800));
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), BOUNDS + 3);
        assert_eq!(lines[0], "h_seconds_bucket{command=\"get\",le=\"1e-06\"} 2");
        assert_eq!(lines[10], "h_seconds_bucket{command=\"get\",le=\"0.001024\"} 2");
        assert_eq!(lines[11], "h_seconds_bucket{command=\"get\",le=\"0.002048\"} 3");
        assert_eq!(lines[BOUNDS], "h_seconds_bucket{command=\"get\",le=\"+Inf\"} 4");
        assert_eq!(lines[BOUNDS + 1], "h_seconds_sum{command=\"get\"} 0.001501800");
        assert_eq!(lines[BOUNDS + 2], "h_seconds_count{command=\"get\"} 4");
        for (k, le) in LE.iter().enumerate() {
            let bound: f64 = le.parse().expect("a number");
            assert!((bound * 1e6 / (1u64 << k) as f64 - 1.0).abs() < 1e-9, "{le}");
        }
    }
}
