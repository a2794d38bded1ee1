//! The file is the old one or the new one, whichever step the process dies before.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A directory of its own for each test.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("redust-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Dir(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the directory");
        let mut names: Vec<String> = entries
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const NAME: &str = "dump.rdb";
const TEMP: &str = "temp-1.rdb";

#[test]
fn a_new_file_replaces_the_old() {
    let dir = Dir::new("replace");
    for text in ["old", "new"] {
        let n = write_atomically(&dir.0, NAME.as_ref(), TEMP.as_ref(), true, |out| {
            out.write_all(text.as_bytes())?;
            Ok(text.len())
        });
        assert_eq!(n.expect("written"), 3);
        assert_eq!(fs::read_to_string(dir.0.join(NAME)).expect("there"), text);
        assert_eq!(dir.names(), [NAME]);
    }
}

#[test]
fn a_crash_before_any_step_leaves_old_or_new() {
    let dir = Dir::new("crash");
    let (temp, path) = (dir.0.join(TEMP), dir.0.join(NAME));
    let crash_before = |at: Option<Step>| {
        fs::write(&path, "old").expect("written");
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            let write = |out: &mut SyncWriter| out.write_all(b"new");
            let _ = steps(&temp, &dir.0, NAME.as_ref(), true, write, &mut |step| {
                // Nothing is cleaned up on the way out, as if the process were gone.
                assert_ne!(step, at, "crash");
            });
        }));
        assert!(crashed.is_err(), "there is no step {at:?}");
        fs::read_to_string(&path).expect("there is always a file")
    };
    for step in [Step::Open, Step::Write, Step::Sync, Step::Rename] {
        assert_eq!(crash_before(Some(step)), "old", "{step:?}");
    }
    for step in [Some(Step::SyncDirectory), None] {
        assert_eq!(crash_before(step), "new", "{step:?}");
    }
}

#[test]
fn errors_name_the_step_and_clean_up() {
    let dir = Dir::new("errors");
    let write = |text: &'static str| move |out: &mut SyncWriter| out.write_all(text.as_bytes());
    let none =
        write_atomically(&dir.0.join("none"), NAME.as_ref(), TEMP.as_ref(), true, write("x"));
    assert_eq!(none.expect_err("no directory").step, Step::Open);

    write_atomically(&dir.0, NAME.as_ref(), TEMP.as_ref(), true, write("old")).expect("written");
    let full = write_atomically(&dir.0, NAME.as_ref(), TEMP.as_ref(), true, |out| {
        out.write_all(b"half")?;
        Err::<(), _>(io::ErrorKind::StorageFull.into())
    });
    let error = full.expect_err("full");
    assert_eq!((error.step, error.error.kind()), (Step::Write, io::ErrorKind::StorageFull));
    assert_eq!(fs::read_to_string(dir.0.join(NAME)).expect("there"), "old");

    fs::create_dir(dir.0.join("taken")).expect("a directory");
    let taken = write_atomically(&dir.0, "taken".as_ref(), TEMP.as_ref(), true, write("x"));
    assert_eq!(taken.expect_err("a directory is in the way").step, Step::Rename);
    assert_eq!(dir.names(), [NAME, "taken"]);
}

#[test]
fn long_files_are_synced_on_the_way() {
    let dir = Dir::new("sync");
    for incremental in [true, false] {
        write_atomically(&dir.0, NAME.as_ref(), TEMP.as_ref(), incremental, |out| {
            let piece = vec![1; 1 << 20];
            for i in 1..=40u64 {
                out.write_all(&piece)?;
                let since = if incremental { i % 32 } else { i };
                assert_eq!(out.unsynced, since << 20);
            }
            Ok(())
        })
        .expect("written");
    }
}
