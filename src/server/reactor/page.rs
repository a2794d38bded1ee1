//! The page that a browser gets at `/`: one file without data, and the fields that guard it.
//!
//! The page asks for nothing but its data, from where it came from itself. What it may run is told
//! by the sums of its own script and style, so that nothing that is written into it would run.

use crate::util::sha256;

/// The page as it is sent.
pub(super) const TEXT: &str = include_str!("page.html");

/// What holds for each reply of the endpoint but metrics: it is kept nowhere, shown in no frame,
/// taken for nothing else, and runs nothing.
pub(super) const GUARDS: &str = "Content-Security-Policy: default-src 'none'; \
    frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\n";

/// The same for the page, which runs its script.
pub(super) fn guards() -> String {
    let script = sum(between(TEXT, "<script>", "</script>"));
    let style = sum(between(TEXT, "<style>", "</style>"));
    let allowed = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    GUARDS.replacen("default-src 'none'; frame-ancestors 'none'", &allowed, 1)
}

/// What stands between two marks, of which there is one each.
fn between<'t>(text: &'t str, open: &str, close: &str) -> &'t str {
    let inside = text.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    inside.map_or("", |(inside, _)| inside)
}

/// The sum of a text, as browsers write it.
fn sum(text: &str) -> String {
    let hex = sha256::hex(text.as_bytes());
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect();
    base64(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i > chunk.len() { '=' } else { digit as char });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(text.as_bytes()), want);
        }
        assert_eq!(sum(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn the_page_is_one_small_file_that_asks_nobody_else() {
        assert!(TEXT.len() < 64 * 1024, "{}", TEXT.len());
        for mark in ["<script>", "</script>", "<style>", "</style>"] {
            assert_eq!(TEXT.matches(mark).count(), 1, "{mark}");
        }
        // The name of SVG's elements is the only address.
        let others = TEXT.replace("http://www.w3.org/2000/svg", "");
        for word in ["http:", "https:", "//cdn", "src=", "@import", "url(", "eval(", " style="] {
            assert!(!others.contains(word), "{word}");
        }
        // Text from the server becomes text, and nothing else.
        for way in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "localStorage"] {
            assert!(!TEXT.contains(way), "{way}");
        }
        let guards = guards();
        let script = sum(between(TEXT, "<script>", "</script>"));
        assert!(guards.contains(&format!("script-src 'sha256-{script}';")), "{guards}");
        assert!(!guards.contains("unsafe") && guards.contains("default-src 'none';"), "{guards}");
        assert!(guards.lines().all(|line| line.contains(": ")), "{guards}");
    }
}
