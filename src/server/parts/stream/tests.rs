//! Tests of the stream: what each reader gets, and what the offsets mean.

use super::*;

fn add(stream: &mut Stream, db: u32, words: &str, targets: Targets) {
    let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    stream.add(db, args.into_iter(), targets);
}

fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('$')).collect();
    kept.join(" ").replace("*1 ", "/ ").replace("*2 ", "/ ").replace("*3 ", "/ ")
}

#[test]
fn units_are_transactions_in_their_database() {
    let mut stream = Stream::default();
    add(&mut stream, 0, "SET a 1", ALL);
    stream.close();
    assert_eq!(stream.end, stream.start, "nobody reads");
    let reader = stream.join(ALL);
    add(&mut stream, 0, "SET a 1", ALL);
    stream.close();
    add(&mut stream, 0, "DEL a", ALL);
    add(&mut stream, 2, "DEL b", ALL);
    stream.close();
    stream.close();
    assert_eq!(
        words(&stream.take(reader)),
        "/ SELECT 0 / SET a 1 / MULTI / DEL a / SELECT 2 / DEL b / EXEC"
    );
    add(&mut stream, 2, "DEL c", ALL);
    stream.close();
    assert_eq!(words(&stream.take(reader)), "/ DEL c");
}

#[test]
fn readers_step_over_what_is_not_for_them() {
    let mut stream = Stream::default();
    let (aof, replica) = (stream.join(AOF), stream.join(REPLICAS));
    add(&mut stream, 5, "PUBLISH c m", REPLICAS);
    stream.close();
    add(&mut stream, 5, "SET a 1", ALL);
    add(&mut stream, 5, "PUBLISH c n", REPLICAS);
    stream.close();
    assert_eq!(words(&stream.take(aof)), "/ SELECT 5 / MULTI / SET a 1 / EXEC");
    assert_eq!(
        words(&stream.take(replica)),
        "/ SELECT 5 / PUBLISH c m / MULTI / SET a 1 / PUBLISH c n / EXEC"
    );
    stream.add_for_link(&[b"PING"]);
    assert_eq!(words(&stream.take(replica)), "/ PING");
    assert_eq!(words(&stream.take(aof)), "");
    stream.leave(replica);
    let before = stream.end;
    add(&mut stream, 5, "PUBLISH c m", REPLICAS);
    stream.close();
    assert_eq!(stream.end, before, "nobody is left to read it");
}

#[test]
fn the_file_is_told_the_time_and_nobody_else() {
    let mut stream = Stream::default();
    let (aof, replica) = (stream.join(AOF), stream.join(REPLICAS));
    stream.stamp(7);
    add(&mut stream, 0, "SET a 1", ALL);
    stream.close();
    add(&mut stream, 0, "SET b 1", ALL);
    stream.close();
    stream.stamp(8);
    stream.stamp(9);
    add(&mut stream, 0, "SET c 1", ALL);
    stream.close();
    let file = words(&stream.take(aof));
    assert_eq!(file, "#TS:7 / SELECT 0 / SET a 1 / SET b 1 #TS:9 / SET c 1");
    let link = words(&stream.take(replica));
    assert_eq!(link, "/ SELECT 0 / SET a 1 / SET b 1 / SET c 1");
}

/// Against a list of what replicas get: their offsets count those bytes alone, both ways.
#[test]
fn replication_offsets_count_what_replicas_get() {
    let mut next = crate::util::rand::generator(11);
    let mut stream = Stream::default();
    let file = stream.join(AOF);
    stream.set_repl_end(1000);
    add(&mut stream, 0, "SET before 1", ALL);
    stream.close();
    assert_eq!(stream.repl_end(), 1000, "no replica reads");
    let kept = stream.join(REPLICAS);
    let start = stream.end;
    // For each position from `start` on: whether replicas get the byte there.
    let mut model: Vec<bool> = Vec::new();
    for round in 0..3000 {
        if round == 1500 {
            stream.set_audience(AOF);
        }
        let before = stream.end;
        let mut seen = vec![false; 0];
        match next() % 4 {
            0 if round >= 1500 => stream.append_raw(b"*1\r\n$4\r\nPING\r\n"),
            1 => stream.stamp(round),
            _ => {
                let targets = [ALL, ALL, AOF, REPLICAS][next() as usize % 4];
                for _ in 0..1 + next() % 3 {
                    add(&mut stream, (next() % 2) as u32, "SET k v", targets);
                }
                stream.close();
            }
        }
        let mut at = before;
        while at < stream.end {
            let from = at;
            let piece = stream.read_at(REPLICAS, &mut at).len() as u64;
            seen.extend((from..at).map(|_| false));
            seen.extend((0..piece).map(|_| true));
            at += piece;
        }
        model.extend(seen);
        let all: u64 = model.iter().filter(|for_replicas| **for_replicas).count() as u64;
        assert_eq!(stream.repl_end(), 1000 + all);
    }
    let mut offset = 1000;
    for (i, for_replicas) in model.iter().enumerate() {
        let at = start + i as u64;
        assert_eq!(stream.repl_at(at), offset);
        if *for_replicas {
            assert_eq!(stream.position_of(offset), at);
        }
        offset += u64::from(*for_replicas);
    }
    stream.keep_back(kept, 500);
    let from = stream.position(kept);
    assert!(stream.repl_end() - stream.repl_at(from) <= 500);
    let end = stream.repl_end();
    stream.leave(kept);
    stream.advance_to(file, stream.end);
    assert_eq!(stream.repl_end(), end);
}

/// Against one string of bytes: readers that come, go and read as they like get the same bytes.
#[test]
fn readers_agree_with_a_plain_string() {
    let mut next = crate::util::rand::generator(3);
    let mut stream = Stream::default();
    let mut model: Vec<u8> = Vec::new();
    let mut readers: Vec<(ReaderId, usize)> = Vec::new();
    let witness = stream.join(ALL);
    for _ in 0..20_000 {
        match next() % 6 {
            0 if readers.len() < 8 => readers.push((stream.join(ALL), model.len())),
            1 if !readers.is_empty() => {
                let (id, _) = readers.swap_remove(next() as usize % readers.len());
                stream.leave(id);
            }
            2..4 if !readers.is_empty() => {
                let at = next() as usize % readers.len();
                let (id, seen) = &mut readers[at];
                let piece = stream.next(*id).to_vec();
                let n = if piece.is_empty() { 0 } else { 1 + next() as usize % piece.len() };
                assert_eq!(piece[..n], model[*seen..*seen + n]);
                stream.advance(*id, n);
                *seen += n;
            }
            _ => {
                let value = vec![b'v'; (next() % 3000) as usize];
                for _ in 0..1 + next() % 3 {
                    let db = (next() % 3) as u32;
                    stream.add(db, [&b"SET"[..], b"k", &value].into_iter(), ALL);
                }
                stream.close();
                model.extend(stream.take(witness));
            }
        }
        let slowest = readers.iter().map(|r| r.1).min().unwrap_or(model.len());
        let kept = stream.blocks.len() * BLOCK;
        assert!(kept <= model.len() - slowest + 2 * BLOCK);
    }
    assert!(model.len() > 1_000_000);
}

/// Slow readers find the same bytes in files, and step over what is not for them.
#[test]
fn what_is_spilled_is_read_in_order() {
    let mut next = crate::util::rand::generator(5);
    let mut stream = Stream::default();
    stream.set_repl_end(77);
    let witness = stream.join(REPLICAS);
    let mut slow: Vec<(ReaderId, Vec<u8>)> =
        (0..3).map(|_| (stream.join(REPLICAS), Vec::new())).collect();
    let late = stream.join(REPLICAS);
    let mut model: Vec<u8> = Vec::new();
    for round in 0..4000 {
        let value = vec![b'a' + (round % 26) as u8; (next() % 2000) as usize];
        let targets = [ALL, REPLICAS, AOF][next() as usize % 3];
        stream.add(0, [&b"SET"[..], b"k", &value].into_iter(), targets);
        stream.close();
        model.extend(stream.take(witness));
        if next().is_multiple_of(3) {
            let keep = next() % 200_000;
            let at = stream.end().saturating_sub(keep);
            stream.spill(at, 300_000).expect("files can be written");
            assert!(stream.memory() <= keep + 1_000_000);
        }
        for (id, got) in &mut slow {
            if next().is_multiple_of(2) {
                let piece = stream.next_of(*id).expect("files can be read");
                let n = piece.len().min(next() as usize % 1500);
                got.extend_from_slice(&piece[..n]);
                stream.advance(*id, n);
            }
        }
    }
    assert!(model.len() > 2_000_000 && stream.spilled() > 500_000, "{}", stream.spilled());
    // A position within a file has the offset that it had.
    let from = stream.position(late);
    assert_eq!(stream.repl_at(from), 77);
    assert_eq!(stream.position_of(77), from);
    let again = stream.join_at(REPLICAS, from);
    slow.push((again, Vec::new()));
    slow.push((late, Vec::new()));
    for (id, got) in &mut slow {
        loop {
            let piece = stream.next_of(*id).expect("files can be read").to_vec();
            if piece.is_empty() {
                break;
            }
            got.extend_from_slice(&piece);
            stream.advance(*id, piece.len());
        }
        assert!(*got == model);
        stream.leave(*id);
    }
    assert_eq!(stream.spilled(), 0);
}
