//! HOTKEYS in a pipeline: one command of so many is looked at, and all are accounted for.

use super::Bench;
use crate::server::engine::account;

/// `groups` groups of a pipeline, each of these commands.
fn pipeline(b: &mut Bench, groups: usize, commands: &[&str]) {
    for _ in 0..groups {
        account::begin_group(&mut b.srv, commands.len(), 10);
        for command in commands {
            b.run(1, command);
        }
        account::end_group(&mut b.srv);
    }
}

fn calls(b: &Bench, name: &str) -> u64 {
    let id = b.srv.table.lookup(name.as_bytes()).expect("a command").id;
    b.srv.stats.commands[usize::from(id)].calls
}

#[test]
fn what_comes_behind_the_start_in_the_same_group_is_looked_at() {
    let mut b = Bench::new(1);
    let group = ["set a 1", "hotkeys start metrics 1 net", "set b 1", "get a", "ping", "get b"];
    pipeline(&mut b, 1, &group);
    assert_eq!(b.srv.hotkeys.as_ref().expect("a session").seen, 3);
    pipeline(&mut b, 1, &["get a", "multi", "get a", "get b", "exec", "get a"]);
    assert_eq!(b.srv.hotkeys.as_ref().expect("a session").seen, 7);
}

#[test]
fn one_of_so_many_is_looked_at_whatever_shares_its_time() {
    // PING is never brief, and a group is mixed, so that what shares its time ends anywhere.
    let group = ["get a", "get b", "ping", "get a", "keys *", "get c", "get a", "ping"];
    for sample in [1, 2, 3, 10, 40] {
        let mut b = Bench::new(1);
        b.run(1, &format!("hotkeys start metrics 2 cpu net sample {sample}"));
        let (before, groups) = (b.srv.stats.n.commands, 10 * sample as usize * 40);
        pipeline(&mut b, groups, &group);
        assert_eq!(b.srv.stats.n.commands - before, 8 * groups as u64);
        let counts = ["get", "ping", "keys"].map(|name| calls(&b, name));
        assert_eq!(counts, [5, 2, 1].map(|n| n * groups as u64), "{sample}");
        // Of those that are looked at, GET alone has keys.
        let seen = b.srv.hotkeys.as_ref().expect("a session").seen;
        let wanted = 5 * groups as u64 / sample;
        assert!(seen.abs_diff(wanted) * 10 <= wanted, "{sample}: {seen}, not {wanted}");
    }
}
