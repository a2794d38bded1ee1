//! Reading arguments: numbers with Redis's error texts, option words, expiry options.

use crate::keyspace::env::Env;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::util::longdouble::LongDouble;
use crate::util::num;

pub(crate) fn int(arg: &[u8]) -> Result<i64, CmdError> {
    num::parse_i64(arg).ok_or(errors::NOT_INT)
}

/// An integer of 32 bits.
pub(crate) fn int32(arg: &[u8]) -> Result<i64, CmdError> {
    let n = int(arg)?;
    i32::try_from(n).map_err(|_| errors::NOT_INT32)?;
    Ok(n)
}

/// An integer that is not negative, or the error `text` (without `ERR`) if it is.
pub(crate) fn int_from_0(arg: &[u8], text: &'static str) -> Result<i64, CmdError> {
    let n = int(arg)?;
    if n < 0 { Err(CmdError::err(text)) } else { Ok(n) }
}

/// An integer within bounds, or the error `text` (without `ERR`).
pub(crate) fn int_in(arg: &[u8], min: i64, max: i64, text: &'static str) -> Result<i64, CmdError> {
    match num::parse_i64(arg) {
        Some(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(CmdError::err(text)),
    }
}

/// A double, which is not NaN.
pub(crate) fn float(arg: &[u8]) -> Result<f64, CmdError> {
    num::parse_f64(arg).ok_or(errors::NOT_FLOAT)
}

const TIMEOUT_NEGATIVE: CmdError = CmdError::new("ERR timeout is negative");
const TIMEOUT_OUT_OF_RANGE: CmdError = CmdError::new("ERR timeout is out of range");

/// A time-out in seconds, with decimals: the wall clock in milliseconds at which it ends, None for
/// 0, which never does.
pub(crate) fn timeout(arg: &[u8], env: &Env) -> Result<Option<i64>, CmdError> {
    let seconds = LongDouble::parse(arg);
    let seconds = seconds.ok_or(CmdError::new("ERR timeout is not a float or out of range"))?;
    match seconds.thousandfold_ceil() {
        0 => Ok(None),
        ..0 => Err(TIMEOUT_NEGATIVE),
        ms => {
            let ms = i64::try_from(ms).map_err(|_| TIMEOUT_OUT_OF_RANGE)?;
            ms.checked_add(env.now_ms).ok_or(TIMEOUT_OUT_OF_RANGE).map(Some)
        }
    }
}

/// The same in whole milliseconds.
pub(crate) fn timeout_ms(arg: &[u8], env: &Env) -> Result<Option<i64>, CmdError> {
    let ms =
        int(arg).map_err(|_| CmdError::new("ERR timeout is not an integer or out of range"))?;
    match ms {
        0 => Ok(None),
        ..0 => Err(TIMEOUT_NEGATIVE),
        ms => ms.checked_add(env.now_ms).ok_or(TIMEOUT_OUT_OF_RANGE).map(Some),
    }
}

/// Option words are matched without regard to case. Compat: what stands behind a NUL is not seen.
pub(crate) fn is(arg: &[u8], word: &str) -> bool {
    let seen = match arg.get(word.len()) {
        None | Some(0) => &arg[..arg.len().min(word.len())],
        Some(_) => return false,
    };
    seen.eq_ignore_ascii_case(word.as_bytes())
}

/// An option word in lower case, to match it against several. Compat: as [`is`] sees it.
pub(crate) fn lower(arg: &[u8]) -> Vec<u8> {
    errors::shown(arg).to_ascii_lowercase()
}

/// Walks the options of a command.
pub(crate) struct Options<'a> {
    argv: Argv<'a>,
    next: usize,
}

impl<'a> Options<'a> {
    pub(crate) fn new(argv: Argv<'a>, from: usize) -> Options<'a> {
        Options { argv, next: from }
    }
    /// The value of an option, or a syntax error if the arguments end.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], CmdError> {
        self.next().ok_or(errors::SYNTAX)
    }
    pub(crate) fn remaining(&self) -> usize {
        self.argv.len() - self.next
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let arg = (self.next < self.argv.len()).then(|| self.argv.at(self.next));
        self.next += usize::from(arg.is_some());
        arg
    }
}

/// How an expiry was given. This decides the form in which it is propagated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// EX, PX: from now.
    Relative,
    /// EXAT, PXAT: a date.
    Absolute,
}

/// EX, PX, EXAT or PXAT with its argument. The number is not read yet: Redis reports a bad number
/// later than a bad combination of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpireArg<'a> {
    pub text: &'a [u8],
    pub seconds: bool,
    pub when: When,
}

impl<'a> ExpireArg<'a> {
    /// The option `word` if it is one of the four.
    pub(crate) fn from_word(word: &[u8]) -> Option<(bool, When)> {
        [
            ("ex", true, When::Relative),
            ("px", false, When::Relative),
            ("exat", true, When::Absolute),
            ("pxat", false, When::Absolute),
        ]
        .into_iter()
        .find_map(|(name, seconds, when)| is(word, name).then_some((seconds, when)))
    }

    /// Whether it is PXAT.
    pub(crate) fn is_date_in_ms(&self) -> bool {
        !self.seconds && self.when == When::Absolute
    }

    /// The date in milliseconds since 1970. `command` is named in the error.
    pub(crate) fn at_ms(&self, env: &Env, command: &str) -> Result<i64, CmdError> {
        let n = int(self.text)?;
        let invalid = || errors::invalid_expire(command);
        if n <= 0 {
            return Err(invalid());
        }
        let ms = if self.seconds { n.checked_mul(1000).ok_or_else(invalid)? } else { n };
        match self.when {
            When::Absolute => Ok(ms),
            When::Relative => ms.checked_add(env.now_ms).ok_or_else(invalid),
        }
    }
}

/// The command's name as error texts show it: lower case.
pub(crate) fn name(argv: Argv<'_>) -> String {
    String::from_utf8_lossy(argv[0]).to_ascii_lowercase()
}
