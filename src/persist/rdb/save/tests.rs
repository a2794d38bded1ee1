//! Golden bytes of what is written, and what the options change.

use super::*;
use crate::persist::rdb::testing::*;
use crate::util::crc64;

#[test]
fn every_byte_of_a_small_file() {
    let mut ks = empty();
    set(&mut ks, 0, b"k", b"v", None);
    set(&mut ks, 3, b"12", b"-5", Some(0x0102_0304));
    let mut opts = save_options();
    opts.version = 11;
    opts.used_memory = 300;
    opts.now_secs = 1_700_000_000;
    opts.aux.push(("repl-id".to_string(), "abc".to_string()));
    opts.libraries.push(library(b"#!lua name=f\n".to_vec()));
    let mut expected = b"REDIS0011\
        \xfa\x09redis-ver\x057.2.6\
        \xfa\x0aredis-bits\xc0\x40\
        \xfa\x05ctime\xc2\x00\xf1\x53\x65\
        \xfa\x08used-mem\xc1\x2c\x01\
        \xfa\x07repl-id\x03abc\
        \xfa\x08aof-base\xc0\x00\
        \xf5\x0d#!lua name=f\n\
        \xfe\x00\xfb\x01\x00\x00\x01k\x01v\
        \xfe\x03\xfb\x01\x01\xfc\x04\x03\x02\x01\0\0\0\0\x00\xc0\x0c\xc0\xfb\
        \xff"
        .to_vec();
    let crc = crc64::update(0, &expected);
    expected.extend_from_slice(&crc.to_le_bytes());
    assert_eq!(saved(&ks, &opts).escape_ascii().to_string(), expected.escape_ascii().to_string());
    opts.checksum = false;
    let plain = saved(&ks, &opts);
    assert_eq!(plain[plain.len() - 9..], [0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
}

/// The value of a lone key, as written.
fn written(value: &[u8], opts: &SaveOptions) -> Vec<u8> {
    let mut ks = empty();
    set(&mut ks, 0, b"k", value, None);
    let file = saved(&ks, opts);
    let at = memchr::memmem::rfind(&file, b"\x00\x01k").expect("the key is there");
    file[at + 3..file.len() - 9].to_vec()
}

#[test]
fn a_string_takes_the_shortest_form() {
    let opts = save_options();
    for (value, expected) in [
        ("", b"\x00".as_slice()),
        ("127", b"\xc0\x7f"),
        ("-128", b"\xc0\x80"),
        ("128", b"\xc1\x80\x00"),
        ("-32768", b"\xc1\x00\x80"),
        ("32768", b"\xc2\x00\x80\x00\x00"),
        ("2147483647", b"\xc2\xff\xff\xff\x7f"),
        ("-2147483648", b"\xc2\x00\x00\x00\x80"),
        ("2147483648", b"\x0a2147483648"),
        ("-9223372036854775808", b"\x14-9223372036854775808"),
        ("007", b"\x03007"),
        ("aaaaaaaaaaaaaaaaaaaa", b"\x14aaaaaaaaaaaaaaaaaaaa"),
    ] {
        assert_eq!(written(value.as_bytes(), &opts), expected, "{value:?}");
    }
    let text = [b'a'; 21];
    assert_eq!(written(&text, &opts)[0], 0xc3);
    let plain = SaveOptions { compression: false, ..opts };
    assert_eq!(written(&text, &plain)[0], 21);
    assert_eq!(written(&[b'a'; 64], &plain)[..2], [0x40, 64]);
    assert_eq!(written(&[b'a'; 16383], &plain)[..2], [0x7f, 0xff]);
    assert_eq!(written(&[b'a'; 16384], &plain)[..5], [0x80, 0, 0, 0x40, 0]);
    assert_eq!(written(&[b'a'; 300_000], &plain)[..5], [0x80, 0, 4, 0x93, 0xe0]);
}

#[test]
fn text_that_spells_an_integer_but_is_not_stored_as_one() {
    let mut ks = empty();
    let key = ks.db(0).key(b"k");
    ks.db_mut(0).set(
        key,
        crate::keyspace::store::SetValue::Text(b"12"),
        crate::keyspace::store::Expire::None,
        0,
    );
    let file = saved(&ks, &save_options());
    assert!(memchr::memmem::find(&file, b"\x00\x01k\xc0\x0c\xff").is_some());
}

#[test]
fn access_data_is_written_when_the_policy_needs_it() {
    let mut ks = empty();
    let key = ks.db(0).key(b"k");
    let v = crate::keyspace::store::SetValue::Bytes(b"v");
    ks.db_mut(0).set(key, v, crate::keyspace::store::Expire::None, 0xff_fffe);
    let mut opts = save_options();
    (opts.access, opts.lru_clock) = (Access::Idle, 98);
    let file = saved(&ks, &opts);
    // The clock of 24 bits has gone round: 100 seconds.
    assert!(memchr::memmem::find(&file, b"\xfb\x01\x00\xf8\x40\x64\x00\x01k\x01v\xff").is_some());
    opts.access = Access::Freq;
    let file = saved(&ks, &opts);
    assert!(memchr::memmem::find(&file, b"\xfb\x01\x00\xf9\xfe\x00\x01k\x01v\xff").is_some());
}

#[test]
fn versions() {
    let ks = empty();
    for (wanted, expected) in [(0, 10), (1, 9), (9, 9), (10, 10), (11, 11), (12, 12)] {
        let file = saved(&ks, &SaveOptions { version: wanted, ..save_options() });
        assert_eq!(file[..9], *format!("REDIS{expected:04}").as_bytes());
    }
}

#[test]
fn progress_is_told_and_delays_are_kept() {
    let mut random = Random::new(5);
    let ks = random.keyspace(5000);
    let mut told = Vec::new();
    let mut file = Vec::new();
    save(&ks, &mut file, &save_options(), &mut |keys| told.push(keys)).expect("saved");
    assert_eq!(told, [1024, 2048, 3072, 4096]);
    let small = random.keyspace(20);
    let slow = SaveOptions { key_delay_us: 2000, ..save_options() };
    let start = std::time::Instant::now();
    saved(&small, &slow);
    assert!(start.elapsed() >= Duration::from_micros(2000 * small.len() as u64));
    assert_eq!((1..=10).map(|key| sleep_after_key(-5, key)).sum::<u64>(), 2);
}

#[test]
fn an_error_of_the_output_is_the_error_of_the_save() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            if self.0 < buf.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= buf.len();
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ks = Random::new(9).keyspace(3000);
    let bytes = saved(&ks, &save_options()).len();
    for room in [0, 10, bytes / 2, bytes - 1] {
        let error = save(&ks, &mut Full(room), &save_options(), &mut |_| {}).expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    assert!(save(&ks, &mut Full(bytes), &save_options(), &mut |_| {}).is_ok());
}

/// Redis 5.0 to 6.2 know neither functions nor any of the later forms.
#[test]
fn version_9_has_nothing_that_is_newer() {
    let ks = Random::new(9).keyspace(400);
    let mut opts = SaveOptions { version: 9, ..save_options() };
    let library = b"#!lua name=lib\nredis.register_function('f', function() end)";
    opts.libraries.push(Library::new(library.to_vec()).expect("a library"));
    let file = saved(&ks, &opts);
    assert!(!file.windows(4).any(|bytes| bytes == b"name"), "a function is left");
    let kinds: Vec<ValueKind> = ks.db(0).iter().map(|entry| kind_of(entry.value(), 9)).collect();
    let newer = |kind: &&ValueKind| **kind > ValueKind::StreamListpacks;
    assert_eq!(kinds.iter().find(newer), None);
    assert_eq!(contents(&loaded(&file).expect("sound").0), contents(&ks));
}
