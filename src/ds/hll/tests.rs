//! HyperLogLog: both forms against plain registers, accuracy of the estimate, and hostile bytes.

use super::*;
use crate::ds::wheel::tests::rng;

fn registers(bytes: &[u8]) -> Registers {
    let mut out = [0; REGISTERS];
    merge(&mut out, bytes).expect("sound");
    out
}

#[test]
fn an_empty_one_is_two_bytes_of_zeroes() {
    let bytes = empty();
    assert_eq!(bytes[..HEADER], *b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(bytes[HEADER..], [0x7f, 0xff]);
    assert_eq!((form(&bytes), count(&bytes), cached(&bytes)), (Some(Form::Sparse), Ok(0), Some(0)));
}

#[test]
fn both_forms_agree_with_plain_registers() {
    for sparse_max in [0, 200, 3_000, 20_000] {
        let mut rng = rng(sparse_max as u64);
        let (mut bytes, mut model) = (empty(), [0u8; REGISTERS]);
        for round in 0..20_000 {
            // Neighbours often, so that runs are split and joined.
            let index = (rng() % [REGISTERS as u64, 300][round % 2]) as usize;
            let value = 1 + (rng().trailing_zeros() as u8).min(if round > 15_000 { 50 } else { 6 });
            let changed = raise(&mut bytes, index, value, sparse_max).expect("sound");
            assert_eq!(changed, value > model[index]);
            model[index] = model[index].max(value);
            if form(&bytes) == Some(Form::Sparse) {
                assert!(bytes.len() <= sparse_max);
            }
            if round % 500 == 0 {
                assert_eq!(registers(&bytes), model);
                assert_eq!(count(&bytes), Ok(estimate(&model)));
            }
        }
        let before = form(&bytes);
        assert_eq!(raise(&mut bytes, 7, 50, sparse_max), Ok(true));
        model[7] = 50;
        assert_eq!(form(&bytes), Some(Form::Dense), "too much for a run of {before:?}");
        assert_eq!(registers(&bytes), model);
    }
}

#[test]
fn runs_are_split_and_joined() {
    let mut bytes = empty();
    let mut raise = |index, value| raise(&mut bytes, index, value, 3_000).map(|_| bytes.clone());
    assert_eq!(raise(100, 3).map(|b| describe(&b)), Ok(Ok("Z:100 v:3,1 Z:16283".into())));
    assert_eq!(raise(101, 3).map(|b| describe(&b)), Ok(Ok("Z:100 v:3,2 Z:16282".into())));
    assert_eq!(raise(50, 1).map(|b| describe(&b)), Ok(Ok("z:50 v:1,1 z:49 v:3,2 Z:16282".into())));
    assert_eq!(
        raise(100, 5).map(|b| describe(&b)),
        Ok(Ok("z:50 v:1,1 z:49 v:5,1 v:3,1 Z:16282".into()))
    );
    assert_eq!(raise(101, 5).map(|b| describe(&b)), Ok(Ok("z:50 v:1,1 z:49 v:5,2 Z:16282".into())));
}

#[test]
fn estimates_are_within_the_expected_error() {
    let (mut bytes, mut rng) = (empty(), rng(3));
    let mut seen = 0u64;
    for target in [1u64, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        while seen < target {
            seen += 1;
            let (index, value) = place(format!("element:{}", rng()).as_bytes());
            raise(&mut bytes, index, value, 3_000).expect("sound");
        }
        let estimate = count(&bytes).expect("sound") as f64;
        let error = (estimate - target as f64).abs() / target as f64;
        assert!(error < 0.0081 * 4.0, "{target}: {estimate}");
    }
}

#[test]
fn broken_runs_are_noticed() {
    let mut rng = rng(8);
    for _ in 0..20_000 {
        let mut bytes = empty();
        for _ in 0..20 {
            raise(&mut bytes, (rng() % 16_384) as usize, 3, 3_000).expect("sound");
        }
        let at = HEADER + (rng() as usize % (bytes.len() - HEADER));
        match rng() % 3 {
            0 => bytes.truncate(at),
            _ => bytes[at] = rng() as u8,
        }
        // Any answer but a panic.
        let _ = (count(&bytes), to_dense(&bytes), describe(&bytes));
        let _ = merge(&mut [0; REGISTERS], &bytes);
        let _ = raise(&mut bytes, (rng() % 16_384) as usize, 9, 3_000);
    }
    assert_eq!(form(b"HYLL"), None);
    assert_eq!(form(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
    assert_eq!(form(b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None, "dense has one length");
}
