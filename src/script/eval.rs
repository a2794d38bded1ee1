//! Scripts that EVAL and SCRIPT LOAD have made known, compiled, by their digest.
//!
//! EVAL finds a known script by a hash of its text, which is cheaper than the digest.
//!
//! Invariants:
//!
//! - V1  each script is in `by_digest`, and in `by_text` unless another one with the same hash is;
//! - V2  `passing` names the scripts that only EVAL has brought, at most `PASSING`.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use slab::Slab;

use super::bridge::{Kept, State};
use super::flags::{self, Flags};

/// So many scripts that nobody has asked to keep are kept.
pub(crate) const PASSING: usize = 500;

/// The SHA-1 of a script's text.
pub(crate) type Digest = [u8; 20];

/// A known script.
#[derive(Debug)]
pub(crate) struct Script {
    pub digest: Digest,
    pub text: Vec<u8>,
    pub flags: Flags,
    pub chunk: Kept,
    /// When it was used last, counted in uses.
    used: u64,
    /// EVAL has brought it: it goes when there are too many of its kind.
    passing: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Scripts {
    all: Slab<Script>,
    by_digest: HashMap<Digest, usize>,
    by_text: HashMap<u64, usize>,
    hasher: RandomState,
    passing: Vec<usize>,
    uses: u64,
    bytes: usize,
}

/// A script of `Scripts`, until the next one is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScriptId(usize);

/// The digest of a text.
pub(crate) fn digest(text: &[u8]) -> Digest {
    sha1_smol::Sha1::from(text).digest().bytes()
}

/// The digest that 40 hexadecimal digits in any case name.
pub(crate) fn parse_digest(text: &[u8]) -> Option<Digest> {
    let mut digest = [0; 20];
    if text.len() != 40 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(digest)
}

/// 40 hexadecimal digits.
pub(crate) fn show_digest(digest: &Digest) -> String {
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Scripts {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Bytes that the texts and their places take; what Lua made of them is not counted.
    pub(crate) fn bytes(&self) -> usize {
        let places = size_of::<Script>() + size_of::<(Digest, usize)>() + size_of::<(u64, usize)>();
        self.bytes + self.all.capacity() * places
    }

    pub(crate) fn get(&self, id: ScriptId) -> &Script {
        &self.all[id.0]
    }

    /// The script of this text.
    pub(crate) fn with_text(&self, text: &[u8]) -> Option<ScriptId> {
        let id = *self.by_text.get(&self.hasher.hash_one(text))?;
        (self.all[id].text == text).then_some(ScriptId(id))
    }

    pub(crate) fn with_digest(&self, digest: &Digest) -> Option<ScriptId> {
        self.by_digest.get(digest).copied().map(ScriptId)
    }

    /// A script is used: those that are used stay.
    pub(crate) fn touch(&mut self, id: ScriptId) {
        self.uses += 1;
        self.all[id.0].used = self.uses;
    }

    /// Makes a script known, or finds it. `passing`: nobody has asked to keep it. Says how many
    /// others had to go. The error is a message without a code.
    pub(crate) fn add(
        &mut self,
        state: &mut State,
        text: &[u8],
        passing: bool,
    ) -> Result<(ScriptId, usize), Vec<u8>> {
        let known = self.with_text(text).or_else(|| self.with_digest(&digest(text)));
        if let Some(id) = known {
            if !passing && std::mem::take(&mut self.all[id.0].passing) {
                self.passing.retain(|other| *other != id.0);
            }
            return Ok((id, 0));
        }
        let (flags, skip) = flags::of_script(text)?;
        let chunk = state.compile(&text[skip..], c"@user_script").map_err(|message| {
            [b"Error compiling script (new function): ", crate::resp::errors::shown(&message)]
                .concat()
        })?;
        let mut gone = 0;
        if passing && self.passing.len() >= PASSING {
            gone = 1;
            self.drop_oldest(state);
        }
        self.uses += 1;
        let digest = digest(text);
        let script = Script { digest, text: text.to_vec(), flags, chunk, used: self.uses, passing };
        self.bytes += text.len();
        let id = self.all.insert(script);
        self.by_digest.insert(digest, id);
        self.by_text.insert(self.hasher.hash_one(text), id);
        if passing {
            self.passing.push(id);
        }
        Ok((ScriptId(id), gone))
    }

    /// Forgets the script that was not used for longest of those that nobody has asked to keep.
    /// O(`PASSING`), beside compiling a script.
    fn drop_oldest(&mut self, state: &mut State) {
        let oldest = (0..self.passing.len()).min_by_key(|&i| self.all[self.passing[i]].used);
        let Some(i) = oldest else { return };
        let id = self.passing.swap_remove(i);
        let script = self.all.remove(id);
        self.bytes -= script.text.len();
        self.by_digest.remove(&script.digest);
        let hash = self.hasher.hash_one(&script.text[..]);
        if self.by_text.get(&hash) == Some(&id) {
            self.by_text.remove(&hash);
        }
        state.release(script.chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::testing::{interpreter, run};

    /// The interpreter has its own way of rounding down (tools/lua/build.rs).
    #[test]
    fn a_modulus_is_that_of_lua() {
        let two_52 = 2_f64.powi(52);
        let around = [0.0, 0.1, 0.5, 1.0, 1.5, 7.0, 255.0, 1e9, two_52 - 0.5, two_52, 1e300];
        let mut numbers: Vec<f64> = around.iter().flat_map(|x| [*x, -*x]).collect();
        numbers.extend([f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        let mut state = interpreter();
        for a in &numbers {
            for b in &numbers {
                let chunk = b"return tonumber(ARGV[1]) % tonumber(ARGV[2])";
                let args = [a, b].map(|x| format!("{x:e}"));
                let shown = run(&mut state, chunk, &[args[0].as_bytes(), args[1].as_bytes()]);
                let modulus = a - (a / b).floor() * b;
                let seen: f64 = shown.parse().expect("a number");
                let same = seen.to_bits() == modulus.to_bits();
                assert!(same || seen.is_nan() && modulus.is_nan(), "{a} % {b}: {shown}, {modulus}");
            }
        }
    }

    #[test]
    fn digests_are_read_in_any_case() {
        let known = digest(b"return 1");
        assert_eq!(show_digest(&known), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let text = show_digest(&known).to_ascii_uppercase();
        assert_eq!(parse_digest(text.as_bytes()), Some(known));
        assert_eq!(parse_digest(b"e0e1"), None);
        assert_eq!(parse_digest(&[b'x'; 40]), None);
    }

    #[test]
    fn only_scripts_that_nobody_keeps_go() {
        let mut state = State::new(0);
        let mut scripts = Scripts::default();
        let text = |n: usize| format!("return {n}").into_bytes();
        scripts.add(&mut state, b"return 'kept'", false).expect("it compiles");
        for n in 0..PASSING {
            let (_, gone) = scripts.add(&mut state, &text(n), true).expect("it compiles");
            assert_eq!(gone, 0);
        }
        let first = scripts.with_text(&text(0)).expect("it is known");
        scripts.touch(first);
        assert_eq!(scripts.add(&mut state, b"return 'new'", true).map(|(_, gone)| gone), Ok(1));
        assert_eq!(scripts.len(), PASSING + 1);
        assert!(scripts.with_text(&text(0)).is_some() && scripts.with_text(&text(1)).is_none());
        assert!(scripts.with_digest(&digest(&text(1))).is_none());
        assert!(scripts.with_text(b"return 'kept'").is_some());
        // One that is loaded afterwards stays as well.
        scripts.add(&mut state, &text(2), false).expect("it is known");
        for n in 1000..1000 + PASSING {
            scripts.add(&mut state, &text(n), true).expect("it compiles");
        }
        assert!(scripts.with_text(&text(2)).is_some());
        assert_eq!(scripts.len(), PASSING + 2);
    }
}
