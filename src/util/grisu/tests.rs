//! Facts from redis-server 7.2.6, the table of powers in exact arithmetic, and round trips.

use super::*;
use crate::util::num;
use std::cmp::Ordering;

/// `bits in hexadecimal <tab> reply of ZSCORE`, from redis-server 7.2.6.
const FACTS: &str = include_str!("facts.tsv");

#[test]
fn texts_are_those_of_redis_7_2() {
    let mut count = 0;
    for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
        let (bits, text) = line.split_once('\t').expect("two columns");
        let value = f64::from_bits(u64::from_str_radix(bits, 16).expect("hexadecimal"));
        let mut ours = Vec::new();
        num::write_f64(&mut ours, value);
        assert_eq!(String::from_utf8_lossy(&ours), text, "{bits}");
        count += 1;
    }
    assert!(count > 300, "only {count} facts");
}

#[test]
fn every_double_reads_back_as_itself() {
    let mut state = 88_172_645_463_325_252_u64;
    for i in 0..300_000_u64 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let value = match i % 3 {
            0 => f64::from_bits(state),
            1 => (state >> 40) as f64 / 1000.0,
            _ => f64::from_bits(state & 0xffff_ffff),
        };
        if value.is_finite() && value != 0.0 {
            let decimal = digits(value);
            let text = String::from_utf8_lossy(decimal.digits());
            let text = format!("{text}e{}", decimal.scale);
            assert_eq!(text.parse(), Ok(value.abs()), "{text}");
            assert!(!text.starts_with('0') && decimal.digits().len() <= 17, "{text}");
        }
    }
}

#[test]
fn a_power_fits_every_exponent() {
    // From the least double to the largest.
    for exponent in -1137..=960 {
        let (power, float) = power_for(exponent);
        let product = exponent + float.exponent + 64;
        assert!((-60..=-32).contains(&product), "{exponent}");
        let smaller = POWERS[((power - FIRST) / STEP - 1) as usize];
        assert!(exponent + smaller.exponent + 64 < -60, "{exponent}: not the least");
    }
}

/// A natural number, the lowest digit of 32 bits first.
#[derive(Clone)]
struct Natural(Vec<u32>);

impl Natural {
    fn times(&self, by: u64) -> Natural {
        let mut carry = 0_u128;
        let mut out: Vec<u32> = Vec::new();
        for i in 0..self.0.len() + 2 {
            carry += u128::from(self.0.get(i).copied().unwrap_or(0)) * u128::from(by);
            out.push(carry as u32);
            carry >>= 32;
        }
        Natural(out)
    }
    fn pow(base: u64, times: u32) -> Natural {
        (0..times).fold(Natural(vec![1]), |n, _| n.times(base))
    }
    fn compare(&self, other: &Natural) -> Ordering {
        let at = |n: &Natural, i| n.0.get(i).copied().unwrap_or(0);
        let differs =
            (0..self.0.len().max(other.0.len())).rev().find(|&i| at(self, i) != at(other, i));
        differs.map_or(Ordering::Equal, |i| at(self, i).cmp(&at(other, i)))
    }
}

#[test]
fn powers_are_rounded_to_the_nearest() {
    for (i, float) in POWERS.iter().enumerate() {
        let power = FIRST + i as i32 * STEP;
        // Twice 10^power lies between (2 bits - 1) and (2 bits + 1) times 2^exponent; negative
        // powers of either base change sides.
        let (mut ten, mut two) = (Natural::pow(10, power.unsigned_abs()), Natural(vec![1]));
        if float.exponent >= 0 {
            two = Natural::pow(2, float.exponent.unsigned_abs());
        } else {
            ten = match power {
                0.. => (0..float.exponent.unsigned_abs()).fold(ten, |n, _| n.times(2)),
                _ => ten,
            };
            if power < 0 {
                two = Natural::pow(2, float.exponent.unsigned_abs());
            }
        }
        let bits = u128::from(float.bits) * 2;
        let scaled = |n: &Natural, by: u128| {
            let high = n.times((by >> 1) as u64).times(2);
            if by & 1 == 0 { high } else { sum(&high, n) }
        };
        let (exact, low, high) = if power >= 0 {
            (ten.times(2), scaled(&two, bits - 1), scaled(&two, bits + 1))
        } else {
            (two.times(2), scaled(&ten, bits - 1), scaled(&ten, bits + 1))
        };
        assert_eq!(low.compare(&exact), Ordering::Less, "10^{power}");
        assert_eq!(high.compare(&exact), Ordering::Greater, "10^{power}");
        assert_eq!(float.bits >> 63, 1, "10^{power}");
    }
}

fn sum(a: &Natural, b: &Natural) -> Natural {
    let mut carry = 0_u64;
    let digit = |n: &Natural, i| u64::from(n.0.get(i).copied().unwrap_or(0));
    let mut out = Vec::new();
    for i in 0..=a.0.len().max(b.0.len()) {
        carry += digit(a, i) + digit(b, i);
        out.push(carry as u32);
        carry >>= 32;
    }
    Natural(out)
}
