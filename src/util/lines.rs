//! The text of INFO: `field:value` lines that each part of the server adds its own to.

use std::fmt::{Display, Write};

use crate::util::num::human_bytes;

/// Collects lines.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    pub fn with_capacity(bytes: usize) -> Lines {
        Lines(String::with_capacity(bytes))
    }

    /// Begins a section; an empty line parts it from the one before.
    pub fn section(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.write(format_args!("# {title}\r\n"));
    }

    pub fn add(&mut self, field: &str, value: impl Display) {
        self.write(format_args!("{field}:{value}\r\n"));
    }

    /// The same value under several names.
    pub fn each(&mut self, fields: &[&str], value: impl Display + Copy) {
        fields.iter().for_each(|field| self.add(field, value));
    }

    pub fn flag(&mut self, field: &str, on: bool) {
        self.add(field, u8::from(on));
    }

    /// Whether something went well the last time.
    pub fn status(&mut self, field: &str, failed: bool) {
        self.add(field, if failed { "err" } else { "ok" });
    }

    /// A size, and the same in a form for people.
    pub fn size(&mut self, field: &str, bytes: u64) {
        self.add(field, bytes);
        self.add(&format!("{field}_human"), human_bytes(bytes));
    }

    /// How many times `b` is in `a`; 0 if `b` is nothing.
    pub fn ratio(&mut self, field: &str, a: u64, b: u64) {
        self.add(field, format_args!("{:.2}", if b == 0 { 0.0 } else { a as f64 / b as f64 }));
    }

    /// The same in percent.
    pub fn percent(&mut self, field: &str, a: u64, b: u64) {
        let percent = if b == 0 { 0.0 } else { a as f64 * 100.0 / b as f64 };
        self.add(field, format_args!("{percent:.2}%"));
    }

    pub fn into_text(self) -> String {
        self.0
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.0.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_parted_and_values_have_their_forms() {
        let mut o = Lines::default();
        o.section("A");
        o.size("m", 2048);
        o.section("B");
        o.flag("on", true);
        o.status("last", true);
        o.ratio("r", 1, 0);
        o.percent("p", 1, 3);
        o.each(&["x", "y"], 7);
        let want = "# A\r\nm:2048\r\nm_human:2.00K\r\n\r\n# B\r\non:1\r\nlast:err\r\nr:0.00\r\n\
                    p:33.33%\r\nx:7\r\ny:7\r\n";
        assert_eq!(o.into_text(), want);
    }
}
