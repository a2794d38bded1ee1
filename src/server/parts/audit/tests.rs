//! Lines in order, floods, pipes and full disks.

use super::*;

fn place(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("redust-audit-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn audit_to(path: &Path) -> Audit {
    let mut audit = Audit { setting: b"x".to_vec(), ..Audit::default() };
    audit.set_target(Some(Target::File(path.to_owned())));
    audit
}

#[test]
fn lines_reach_the_file_in_order_and_a_renamed_file_is_made_anew() {
    let dir = place("order");
    let (path, old) = (dir.join("log"), dir.join("old"));
    let mut audit = audit_to(&path);
    for i in 0..3000 {
        audit.note(format!("line {i}"));
    }
    audit.finish();
    let text = std::fs::read_to_string(&path).expect("a file");
    let expected: String = (0..3000).map(|i| format!("line {i}\n")).collect();
    assert_eq!(text, expected);
    std::fs::rename(&path, &old).expect("it is there");
    audit.note("later".into());
    audit.finish();
    assert_eq!(std::fs::read_to_string(&path).expect("a new file"), "later\n");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, MODE);
    std::fs::remove_dir_all(dir).expect("it is there");
}

#[test]
fn what_is_more_than_a_second_may_have_is_dropped_counted_and_told_of_once() {
    let mut audit = Audit::default();
    let kept = (0..10).filter(|_| audit.has_room(5_000, 4)).count();
    assert_eq!((kept, audit.missing()), (4, 6));
    assert_eq!(audit.take_dropped(5_999), None, "this second is full");
    assert_eq!(audit.take_dropped(6_000), Some(6));
    assert_eq!(audit.take_dropped(6_000), None);
    assert!(audit.has_room(6_000, 4));
    let kept = (0..100_000).filter(|_| audit.has_room(6_000, 0)).count();
    assert_eq!(kept, 100_000, "0 is no limit");
}

#[test]
fn a_target_that_takes_nothing_costs_bounded_memory_and_no_time() {
    // Opening a pipe for writing waits for a reader.
    let dir = place("pipe");
    let path = dir.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    assert!(Target::File(path.clone()).fault().is_some(), "nobody reads it");
    let mut audit = audit_to(&path);
    let mut kept = 0;
    for _ in 0..100 {
        if audit.has_room(0, 0) {
            audit.note("x".repeat(1 << 20));
            kept += 1;
        }
    }
    assert!((4..8).contains(&kept), "{kept}");
    assert_eq!(audit.missing(), 100 - kept);
    // The thread goes on once somebody reads.
    let reader = std::thread::spawn(move || std::fs::read(path).expect("a pipe").len());
    assert!(reader.join().expect("it ends") >= 1 << 20);
    audit.finish();
    std::fs::remove_dir_all(dir).expect("it is there");
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_the_next_begins_a_line() {
    let dir = place("lost");
    let path = dir.join("sub").join("log");
    let mut audit = audit_to(&path);
    audit.note("a".into());
    audit.note("b".into());
    audit.finish();
    assert_eq!(audit.missing(), 2);
    std::fs::create_dir(dir.join("sub")).expect("a directory");
    audit.note("c".into());
    audit.finish();
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "\nc\n");
    assert_eq!(audit.missing(), 2);
    std::fs::remove_dir_all(dir).expect("it is there");
}

#[test]
fn the_system_log_gets_a_message_for_each_line() {
    let dir = place("system");
    let path = dir.join("log");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    send(&path, b"{\"a\":1}\n{\"b\":2}\n").expect("sent");
    let mut buf = [0; 256];
    for end in ["{\"a\":1}", "{\"b\":2}"] {
        let n = socket.recv(&mut buf).expect("a message");
        let text = String::from_utf8_lossy(&buf[..n]).into_owned();
        assert!(text.starts_with("<85>redust-audit[") && text.ends_with(end), "{text}");
    }
    std::fs::remove_dir_all(dir).expect("it is there");
}
