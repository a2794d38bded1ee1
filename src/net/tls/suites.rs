//! OpenSSL's names of protocols and ciphers, for what rustls has.
//!
//! A list of ciphers is read as OpenSSL reads it: words that add, `-` takes away, `!` takes away
//! for good, `+` moves to the end, `A+B` is what both have in common. A word that names a group
//! takes what there is of it here. A cipher that is named by itself and is not there is an error:
//! who wrote it expects that it is used.

use rustls::SupportedCipherSuite;
use rustls::SupportedProtocolVersion;
use rustls::crypto::aws_lc_rs::cipher_suite as suite;
use rustls::version::{TLS12, TLS13};

struct Known {
    name: &'static str,
    suite: SupportedCipherSuite,
    /// The groups of OpenSSL that it is in, beside those of all.
    groups: &'static [&'static str],
    bits: u16,
}

/// TLS 1.2, in the order of preference.
static OLD: [Known; 6] = [
    Known {
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        groups: &["ECDSA", "aECDSA", "AES", "AES256", "AESGCM"],
        bits: 256,
    },
    Known {
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        suite: suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        groups: &["aRSA", "AES", "AES256", "AESGCM"],
        bits: 256,
    },
    Known {
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        suite: suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        groups: &["ECDSA", "aECDSA", "CHACHA20"],
        bits: 256,
    },
    Known {
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        suite: suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        groups: &["aRSA", "CHACHA20"],
        bits: 256,
    },
    Known {
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        suite: suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        groups: &["ECDSA", "aECDSA", "AES", "AES128", "AESGCM"],
        bits: 128,
    },
    Known {
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        suite: suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        groups: &["aRSA", "AES", "AES128", "AESGCM"],
        bits: 128,
    },
];

/// TLS 1.3.
static NEW: [(&str, SupportedCipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
];

/// Groups that hold all there is.
const WHOLE: &[&str] =
    &["ALL", "DEFAULT", "HIGH", "ECDHE", "kECDHE", "EECDH", "kEECDH", "TLSv1.2", "AEAD", "FIPS"];

/// Groups of OpenSSL of which nothing is here.
const NOTHING: &[&str] = &[
    "COMPLEMENTOFDEFAULT",
    "COMPLEMENTOFALL",
    "eNULL",
    "aNULL",
    "NULL",
    "MEDIUM",
    "LOW",
    "EXPORT",
    "EXP",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DHE",
    "EDH",
    "DH",
    "ADH",
    "AECDH",
    "kDH",
    "kDHr",
    "kDHd",
    "aDSS",
    "DSS",
    "PSK",
    "kPSK",
    "kECDHEPSK",
    "kDHEPSK",
    "kRSAPSK",
    "aPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "AESCCM",
    "AESCCM8",
    "ARIA",
    "ARIA128",
    "ARIA256",
    "ARIAGCM",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "SEED",
    "IDEA",
    "3DES",
    "DES",
    "RC2",
    "RC4",
    "GOST",
    "MD5",
    "SHA1",
    "SHA",
    "SHA256",
    "SHA384",
    "SSLv3",
    "TLSv1",
    "TLSv1.0",
];

impl Known {
    fn is_in(&self, word: &str) -> bool {
        self.name == word || WHOLE.contains(&word) || self.groups.contains(&word)
    }
}

fn is_group(word: &str) -> bool {
    WHOLE.contains(&word)
        || NOTHING.contains(&word)
        || OLD.iter().any(|known| known.groups.contains(&word))
}

/// The ciphers of TLS 1.2 in a list of OpenSSL's form. Empty: all.
pub(super) fn ciphers(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    if list.trim().is_empty() {
        return Ok(OLD.iter().map(|known| known.suite).collect());
    }
    let (mut chosen, mut killed) = (Vec::<usize>::new(), Vec::<usize>::new());
    for rule in list.split([':', ',', ' ', ';']).filter(|rule| !rule.is_empty()) {
        if let Some(command) = rule.strip_prefix('@') {
            obey(command, &mut chosen)?;
            continue;
        }
        let (sign, words) = match rule.as_bytes()[0] {
            sign @ (b'-' | b'!' | b'+') => (sign, &rule[1..]),
            _ => (0, rule),
        };
        let words: Vec<&str> = words.split('+').collect();
        let found: Vec<usize> =
            (0..OLD.len()).filter(|&i| words.iter().all(|word| OLD[i].is_in(word))).collect();
        match sign {
            b'-' => chosen.retain(|i| !found.contains(i)),
            b'!' => {
                chosen.retain(|i| !found.contains(i));
                killed.extend(found);
            }
            b'+' => {
                let (last, first) = chosen.iter().partition(|i| found.contains(i));
                let (first, last): (Vec<usize>, Vec<usize>) = (first, last);
                chosen = [first, last].concat();
            }
            _ => {
                if let Some(word) = words.iter().find(|word| !is_group(word))
                    && found.is_empty()
                {
                    return Err(format!(
                        "there is no cipher '{word}' here; those of TLS 1.2 are {}",
                        names(OLD.iter().map(|known| known.name))
                    ));
                }
                let new: Vec<usize> = found
                    .into_iter()
                    .filter(|i| !chosen.contains(i) && !killed.contains(i))
                    .collect();
                chosen.extend(new);
            }
        }
    }
    if chosen.is_empty() {
        return Err(format!(
            "no cipher is left; those of TLS 1.2 are {}",
            names(OLD.iter().map(|known| known.name))
        ));
    }
    Ok(chosen.into_iter().map(|i| OLD[i].suite).collect())
}

/// A word of a list that begins with `@`.
fn obey(command: &str, chosen: &mut [usize]) -> Result<(), String> {
    match command {
        "STRENGTH" => chosen.sort_by_key(|&i| std::cmp::Reverse(OLD[i].bits)),
        // All ciphers here are good for the third level.
        "SECLEVEL=0" | "SECLEVEL=1" | "SECLEVEL=2" | "SECLEVEL=3" => {}
        _ => return Err(format!("'@{command}' can't be done here; leave it out")),
    }
    Ok(())
}

/// The ciphers of TLS 1.3 in a list of names. Empty: all.
pub(super) fn suites(list: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    if list.trim().is_empty() {
        return Ok(NEW.iter().map(|(_, suite)| *suite).collect());
    }
    let mut chosen: Vec<SupportedCipherSuite> = Vec::new();
    for word in list.split(':').map(str::trim).filter(|word| !word.is_empty()) {
        let found = NEW.iter().find(|(name, _)| *name == word);
        let (_, suite) = found.ok_or_else(|| {
            let all = names(NEW.iter().map(|(name, _)| *name));
            format!("there is no cipher '{word}' here; those of TLS 1.3 are {all}")
        })?;
        if !chosen.contains(suite) {
            chosen.push(*suite);
        }
    }
    Ok(chosen)
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(":")
}

/// The versions of the protocol in a list of names. Empty: all.
pub(super) fn versions(list: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let mut chosen: Vec<&'static SupportedProtocolVersion> = Vec::new();
    for word in list.split_whitespace() {
        let version = match word.to_ascii_lowercase().as_str() {
            "tlsv1.2" => &TLS12,
            "tlsv1.3" => &TLS13,
            "tlsv1" | "tlsv1.1" => {
                return Err(format!(
                    "{word} is not safe any more, and is not here; write TLSv1.2 or TLSv1.3"
                ));
            }
            _ => {
                return Err("Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and \
                            'TLSv1.3'."
                    .into());
            }
        };
        if !chosen.contains(&version) {
            chosen.push(version);
        }
    }
    if chosen.is_empty() {
        chosen = vec![&TLS13, &TLS12];
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(list: &str) -> Vec<&'static str> {
        let found = ciphers(list).expect(list);
        let name = |suite| OLD.iter().find(|known| known.suite == suite).map(|known| known.name);
        found.into_iter().filter_map(name).collect()
    }

    #[test]
    fn lists_are_read_as_openssl_reads_them() {
        assert_eq!(chosen("").len(), 6);
        assert_eq!(chosen("DEFAULT:-AES128-SHA256").len(), 6);
        assert_eq!(chosen("HIGH:!aNULL:!MD5:!kRSA:!PSK").len(), 6);
        assert_eq!(chosen("ECDHE+AESGCM:!AES128:!ECDSA"), ["ECDHE-RSA-AES256-GCM-SHA384"]);
        let turned = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384";
        assert_eq!(chosen(turned).join(":"), turned);
        assert_eq!(chosen(&format!("{turned}:@STRENGTH"))[0], "ECDHE-RSA-AES256-GCM-SHA384");
        assert_eq!(chosen("aRSA:+CHACHA20").last(), Some(&"ECDHE-RSA-CHACHA20-POLY1305"));
        assert_eq!(chosen("ALL:-CHACHA20:CHACHA20")[4], "ECDHE-ECDSA-CHACHA20-POLY1305");
        assert_eq!(chosen("!CHACHA20:ALL").len(), 4);
        assert_eq!(chosen("EECDH:@SECLEVEL=2").len(), 6);
        for bad in ["AES128-SHA256", "kRSA", "nonsense", "ALL:DHE-RSA-AES256-GCM-SHA384", "!ALL"] {
            let why = ciphers(bad).expect_err(bad);
            assert!(why.contains("ECDHE-RSA-AES256-GCM-SHA384"), "{why}");
        }
        assert!(ciphers("ALL:@SECLEVEL=5").is_err());
    }

    #[test]
    fn versions_and_suites() {
        assert_eq!(versions("").expect("all").len(), 2);
        assert_eq!(versions("TLSv1.2 tlsv1.2").expect("one"), [&TLS12]);
        assert_eq!(versions("TLSv1.3").expect("one"), [&TLS13]);
        assert!(versions("TLSv1.1 TLSv1.2").expect_err("old").contains("TLSv1.1"));
        assert!(versions("SSLv3").expect_err("unknown").starts_with("Invalid tls-protocols"));
        assert_eq!(suites("").expect("all").len(), 3);
        assert_eq!(suites("TLS_AES_128_GCM_SHA256").expect("one").len(), 1);
        assert!(suites("TLS_AES_128_CCM_SHA256").expect_err("none").contains("TLS_AES_256_GCM"));
    }
}
