//! HyperLogLog: estimates how many different elements were seen, in a string of at most 12 KiB.
//!
//! The bytes are a contract: clients GET, SET and DUMP them, and other servers read them.
//!
//! ```text
//!   "HYLL" | encoding (0 dense, 1 sparse) | 3 zero bytes | cardinality, 8 bytes LE | registers
//!
//!   dense    16384 registers of 6 bits, lowest bits first
//!   sparse   runs:  00llllll            l+1 registers are 0
//!                   01llllll llllllll   l+1 registers are 0
//!                   1vvvvvll            l+1 registers are v+1
//! ```
//!
//! The highest bit of the cardinality says that it is stale. An element's hash names a register by
//! its low 14 bits; the register keeps the greatest position of the first 1 among the other 50. The
//! estimate is the one of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (2017), which needs no corrections.
//!
//! A client can send any string. A sparse one whose runs don't add up is `Corrupt` wherever that is
//! noticed, and nothing here panics on it.

mod sparse;

pub(crate) const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// Bits of the hash in which the first 1 is looked for.
const PATTERN_BITS: u32 = 64 - INDEX_BITS;
const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u8 = (1 << REGISTER_BITS) - 1;
pub(crate) const HEADER: usize = 16;
const DENSE_BYTES: usize = HEADER + REGISTERS * REGISTER_BITS / 8;
const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// The highest bit of the last byte of the cardinality.
const STALE: u8 = 0x80;
const HASH_SEED: u64 = 0xadc8_3b19;

/// A sparse HyperLogLog whose runs don't cover the registers exactly.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// One value a register.
pub(crate) type Registers = [u8; REGISTERS];

/// How the registers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Dense,
    Sparse,
}

/// The form of a string that is a HyperLogLog, as far as its header and length tell. O(1).
pub(crate) fn form(bytes: &[u8]) -> Option<Form> {
    if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
        return None;
    }
    match bytes[4] {
        DENSE if bytes.len() == DENSE_BYTES => Some(Form::Dense),
        SPARSE => Some(Form::Sparse),
        _ => None,
    }
}

/// An empty one: sparse, one run of zeroes.
pub(crate) fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = SPARSE;
    sparse::push_zeroes(&mut bytes, REGISTERS);
    bytes
}

/// The cardinality as it was stored, unless it is stale.
pub(crate) fn cached(bytes: &[u8]) -> Option<u64> {
    let stored: [u8; 8] = *bytes[8..].first_chunk()?;
    (stored[7] & STALE == 0).then(|| u64::from_le_bytes(stored))
}

/// Marks the stored cardinality as stale: offset and value of the byte to write.
pub(crate) fn stale(bytes: &[u8]) -> (usize, u8) {
    (15, bytes[15] | STALE)
}

/// The register and the value that an element stands for.
pub(crate) fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, HASH_SEED);
    let index = hash as usize & (REGISTERS - 1);
    // The bit above the pattern ends the search.
    let pattern = hash >> INDEX_BITS | 1 << PATTERN_BITS;
    (index, pattern.trailing_zeros() as u8 + 1)
}

/// Where a dense register's bits begin: the byte, and the bit in it.
fn dense_at(index: usize) -> (usize, usize) {
    (HEADER + index * REGISTER_BITS / 8, index * REGISTER_BITS % 8)
}

/// The value of a dense register. O(1).
pub(crate) fn dense_get(bytes: &[u8], index: usize) -> u8 {
    let (at, bit) = dense_at(index);
    let high = bytes.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([bytes[at], high]) >> bit) as u8 & REGISTER_MAX
}

/// What raising a dense register to `value` writes: offset and bytes; None if it is as high
/// already. O(1).
pub(crate) fn dense_raise(
    bytes: &[u8],
    index: usize,
    value: u8,
) -> Option<(usize, [u8; 2], usize)> {
    if dense_get(bytes, index) >= value {
        return None;
    }
    let (at, bit) = dense_at(index);
    let width = 2.min(bytes.len() - at);
    let high = bytes.get(at + 1).copied().unwrap_or(0);
    let old = u16::from_le_bytes([bytes[at], high]);
    let new = old & !(u16::from(REGISTER_MAX) << bit) | u16::from(value) << bit;
    Some((at, new.to_le_bytes(), width))
}

/// Raises a register in a dense or sparse HyperLogLog, which may become dense; whether anything
/// changed.
///
/// Dense: O(1). Sparse: O(bytes); it becomes dense if it would take more than `sparse_max` bytes or
/// can't hold the value.
pub(crate) fn raise(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_max: usize,
) -> Result<bool, Corrupt> {
    if bytes[4] == SPARSE {
        match sparse::raise(bytes, index, value, sparse_max)? {
            sparse::Outcome::Unchanged => return Ok(false),
            sparse::Outcome::Raised => return Ok(true),
            sparse::Outcome::TooLarge => *bytes = to_dense(bytes)?,
        }
    }
    let Some((at, new, width)) = dense_raise(bytes, index, value) else { return Ok(false) };
    bytes[at..at + width].copy_from_slice(&new[..width]);
    Ok(true)
}

/// The dense form of a sparse one. O(registers).
pub(crate) fn to_dense(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = DENSE;
    let mut index = 0;
    for run in sparse::runs(&bytes[HEADER..]) {
        let run = run?;
        if index + run.len > REGISTERS {
            return Err(Corrupt);
        }
        if run.value > 0 {
            for i in index..index + run.len {
                if let Some((at, new, width)) = dense_raise(&dense, i, run.value) {
                    dense[at..at + width].copy_from_slice(&new[..width]);
                }
            }
        }
        index += run.len;
    }
    if index == REGISTERS { Ok(dense) } else { Err(Corrupt) }
}

/// Raises each of `into` to the register of `bytes`. O(registers).
pub(crate) fn merge(into: &mut Registers, bytes: &[u8]) -> Result<(), Corrupt> {
    if bytes[4] == DENSE {
        // Four registers are three bytes.
        let groups = into.as_chunks_mut::<4>().0;
        for (four, three) in groups.iter_mut().zip(bytes[HEADER..].as_chunks::<3>().0) {
            let word = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            for (i, register) in four.iter_mut().enumerate() {
                *register = (*register).max((word >> (6 * i)) as u8 & REGISTER_MAX);
            }
        }
        return Ok(());
    }
    let mut index = 0;
    for run in sparse::runs(&bytes[HEADER..]) {
        let run = run?;
        let part = into.get_mut(index..index + run.len).ok_or(Corrupt)?;
        if run.value > 0 {
            part.iter_mut().for_each(|register| *register = (*register).max(run.value));
        }
        index += run.len;
    }
    if index == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// The runs of a sparse one, as PFDEBUG DECODE shows them.
pub(crate) fn describe(bytes: &[u8]) -> Result<String, Corrupt> {
    let mut parts = Vec::new();
    for run in sparse::runs(&bytes[HEADER..]) {
        let run = run?;
        parts.push(match (run.value, run.long) {
            (0, false) => format!("z:{}", run.len),
            (0, true) => format!("Z:{}", run.len),
            (value, _) => format!("v:{value},{}", run.len),
        });
    }
    Ok(parts.join(" "))
}

/// The estimate for one HyperLogLog. O(registers).
pub(crate) fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    if bytes[4] == DENSE {
        let mut registers = [0; REGISTERS];
        merge(&mut registers, bytes)?;
        return Ok(estimate(&registers));
    }
    let mut histogram = [0u32; 64];
    let mut index = 0;
    for run in sparse::runs(&bytes[HEADER..]) {
        let run = run?;
        histogram[usize::from(run.value)] += run.len as u32;
        index += run.len;
    }
    if index == REGISTERS { Ok(estimate_of(&histogram)) } else { Err(Corrupt) }
}

/// The estimate for these registers. O(registers).
pub(crate) fn estimate(registers: &Registers) -> u64 {
    // Four histograms, so that equal neighbours don't wait for each other.
    let mut parts = [[0u32; 64]; 4];
    for four in registers.as_chunks::<4>().0 {
        for (part, &value) in parts.iter_mut().zip(four) {
            part[usize::from(value & REGISTER_MAX)] += 1;
        }
    }
    estimate_of(&std::array::from_fn(|value| parts.iter().map(|part| part[value]).sum()))
}

/// The estimate for so many registers of each value.
fn estimate_of(histogram: &[u32; 64]) -> u64 {
    const ALPHA: f64 = 0.721_347_520_444_481_7; // 1 / (2 ln 2)
    let m = REGISTERS as f64;
    let top = PATTERN_BITS as usize;
    let mut z = m * tau((m - f64::from(histogram[top + 1])) / m);
    for value in (1..=top).rev() {
        z = 0.5 * (z + f64::from(histogram[value]));
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (ALPHA * m * m / z).round() as u64
}

/// The share of registers that no element has met.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut weight, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * weight;
        weight += weight;
        if z == before {
            return z;
        }
    }
}

/// The share of registers that can't grow.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut x, mut weight, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        weight *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * weight;
        if z == before {
            return z / 3.0;
        }
    }
}

/// MurmurHash64A by A. Appleby (public domain): what all servers hash elements with. O(n).
fn murmur64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let scramble = |word: u64| {
        let word = word.wrapping_mul(M);
        (word ^ word >> 47).wrapping_mul(M)
    };
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for &word in words {
        hash = (hash ^ scramble(u64::from_le_bytes(word))).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

#[cfg(test)]
mod tests;
