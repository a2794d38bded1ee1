//! Rules as operators write them, and what they come to.

use super::keys::Form;
use super::role::Roles;
use super::selector::Denied;
use super::user::User;
use super::{Acl, DEFAULT};
use crate::commands::spec;

fn user(rules: &str) -> User {
    let mut user = User::new(b"u", false);
    let words: Vec<&[u8]> = rules.split_whitespace().map(str::as_bytes).collect();
    for rule in super::rule::merge(&words).expect("balanced") {
        user.obey(&rule, false, &Roles::default()).unwrap_or_else(|e| panic!("{rule:?}: {e:?}"));
    }
    user
}

fn check(user: &User, command: &str) -> Result<(), Denied> {
    let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
    let name = command.split(' ').next().unwrap_or_default();
    let sub = command.split(' ').nth(1).map(|sub| format!("{name}|{sub}"));
    let found = sub.and_then(|sub| spec::find(&sub)).or_else(|| spec::find(name));
    user.check(found.expect("a command"), &argv, 0)
}

#[test]
fn commands_categories_and_subcommands() {
    let u = user("on allkeys allchannels +@read -get +config|get +select|0 +@connection -hello");
    assert_eq!(check(&u, "mget a"), Ok(()));
    assert_eq!(check(&u, "get a"), Err(Denied::Command));
    assert_eq!(check(&u, "set a b"), Err(Denied::Command));
    assert_eq!(check(&u, "config get x"), Ok(()));
    assert_eq!(check(&u, "config set x y"), Err(Denied::Command));
    // AUTH is never denied, so that somebody else can log in.
    assert_eq!(check(&user("-@all"), "auth p"), Ok(()));
    let u = user("on -@all +select|0 +select|1");
    assert_eq!(check(&u, "select 1"), Ok(()));
    assert_eq!(check(&u, "select 2"), Err(Denied::Command));
}

#[test]
fn keys_by_use() {
    let u = user("+@all ~both:* %R~r:* %W~w:?");
    assert_eq!(check(&u, "get r:1"), Ok(()));
    assert_eq!(check(&u, "set r:1 v"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "set w:1 v"), Ok(()));
    assert_eq!(check(&u, "set w:1 v GET"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "mset both:1 v w:12 v"), Err(Denied::Key(3)));
    assert_eq!(check(&u, "copy r:1 w:1"), Ok(()));
    assert_eq!(check(&u, "copy w:1 r:1"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "ping"), Ok(()));
}

#[test]
fn a_star_that_is_read_and_written_is_no_allkeys() {
    let u = user("on ~a %R~* %W~* ~b");
    assert!(!u.own().root().all_keys());
    let text = |form| String::from_utf8_lossy(&super::file::line(&u, form)).into_owned();
    assert!(text(Form::Shown).contains("~a ~* ~b "));
    let text = text(Form::Kept);
    assert!(text.contains("~a %RW~* ~b "), "{text}");
    let rules = text.strip_prefix("user u ").expect("its name comes first").to_owned();
    assert_eq!(user(&rules), u);
}

#[test]
fn channels_and_patterns_of_channels() {
    let u = user("+@all allkeys &news.* &x");
    assert_eq!(check(&u, "subscribe news.a x"), Ok(()));
    assert_eq!(check(&u, "subscribe x y"), Err(Denied::Channel(2)));
    assert_eq!(check(&u, "psubscribe news.*"), Ok(()));
    assert_eq!(check(&u, "psubscribe news.a*"), Err(Denied::Channel(1)));
    assert_eq!(check(&u, "publish y m"), Err(Denied::Channel(1)));
    assert_eq!(check(&u, "unsubscribe y"), Ok(()));
}

#[test]
fn one_selector_has_to_allow_it_all() {
    let u = user("+get ~a (+set ~b) (+get +set ~c:*)");
    assert_eq!(check(&u, "get a"), Ok(()));
    assert_eq!(check(&u, "set b v"), Ok(()));
    assert_eq!(check(&u, "set a v"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "get b"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "del a"), Err(Denied::Command));
    assert!(!u.is_open());
    assert!(user("+@all ~* &*").is_open());
}

#[test]
fn rules_are_kept_in_order_and_without_what_later_ones_cover() {
    let text =
        |rules: &str| String::from_utf8(user(rules).own().root().commands_text()).expect("text");
    assert_eq!(text("+get +set -get +get"), "-@all +set +get");
    assert_eq!(text("+@all -config|set -config"), "+@all -config");
    assert_eq!(text("+@read +GET -@Write"), "-@all +@read +get -@write");
    assert_eq!(text("-@all +select|0 +select"), "-@all +select");
    assert_eq!(text("+get +getrange -get"), "-@all +getrange -get");
}

#[test]
fn what_is_wrong_is_told_in_redis_words() {
    let mut acl = Acl::default();
    let mut fault = |rules: &[&[u8]]| {
        let e = acl.set(b"u", rules).expect_err("an error");
        String::from_utf8(e).expect("text")
    };
    let modifier = |rule: &str, why: &str| format!("Error in ACL SETUSER modifier '{rule}': {why}");
    assert_eq!(
        fault(&[b"on", b"+nothing"]),
        modifier("+nothing", "Unknown command or category name in ACL")
    );
    assert_eq!(fault(&[b"%X~a"]), modifier("%X~a", "Syntax error"));
    assert_eq!(
        fault(&[b"+config|get|x"]),
        modifier("+config|get|x", "Allowing first-arg of a subcommand is not supported")
    );
    assert!(fault(&[b"~*", b"~a"]).contains("Adding a pattern after the * pattern"));
    assert_eq!(
        fault(&[b"on", b"(+get", b"~a"]),
        "Unmatched parenthesis in acl selector starting at '(+get'."
    );
    assert!(acl.find(b"u").is_none(), "nothing of it is kept");
}

#[test]
fn passwords_come_and_go() {
    let mut acl = Acl::default();
    acl.set(b"u", &[b"on", b">one", b">two"]).expect("valid");
    assert!(acl.log_in(b"u", b"one").is_some() && acl.log_in(b"u", b"two").is_some());
    assert!(acl.log_in(b"u", b"three").is_none() && acl.log_in(b"nobody", b"").is_none());
    acl.set(b"u", &[b"<one"]).expect("valid");
    assert!(acl.log_in(b"u", b"one").is_none());
    acl.set(b"u", &[b"nopass"]).expect("valid");
    assert!(acl.log_in(b"u", b"anything").is_some());
    acl.set(b"u", &[b"off"]).expect("valid");
    assert!(acl.log_in(b"u", b"anything").is_none());
    acl.set_default_password(b"p");
    assert!(acl.log_in(b"default", b"p").is_some() && !acl.lets_everybody_in());
    acl.set_default_password(b"");
    assert!(acl.lets_everybody_in());
}

#[test]
fn numbers_are_never_used_again() {
    let mut acl = Acl::default();
    let first = acl.set(b"u", &[]).expect("valid").id;
    assert_eq!(acl.remove(b"u"), Some(first));
    let second = acl.set(b"u", &[]).expect("valid").id;
    assert!(first != second && acl.get(first).is_none());
    let users = super::file::read(b"user u on\nuser v on", "f", false).expect("valid");
    acl.replace(users);
    assert!(acl.get(second).is_none() && acl.get(DEFAULT).is_some());
    assert_eq!(acl.users().map(|u| u.name.clone()).collect::<Vec<_>>().len(), 3);
}

#[test]
fn a_user_that_loses_channels_is_noticed() {
    let mut acl = Acl::default();
    acl.set(b"u", &[b"&a", b"&b"]).expect("valid");
    let mut loses = |rules: &[&[u8]]| acl.set(b"u", rules).expect("valid").loses_channels;
    assert!(!loses(&[b"&c"]));
    assert!(loses(&[b"resetchannels", b"&a"]));
    assert!(!loses(&[b"resetchannels", b"allchannels"]));
    assert!(loses(&[b"resetchannels", b"&a"]));
}

#[test]
fn databases_are_those_that_are_named_and_the_selected_one() {
    let in_db = |user: &User, command: &str, db: u32| {
        let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let spec = spec::find(command.split(' ').next().unwrap_or_default()).expect("a command");
        user.check(spec, &argv, db)
    };
    let u = user("on allkeys allchannels +@all db=2,0,2");
    assert!(!u.is_open());
    assert_eq!(String::from_utf8_lossy(&u.own().root().text(Form::Shown)), "~* &* db=0,2 +@all");
    for (command, db, expected) in [
        ("get a", 0, Ok(())),
        ("get a", 1, Err(Denied::Database(0))),
        ("scan 0", 1, Err(Denied::Database(0))),
        ("dbsize", 2, Ok(())),
        ("ping", 1, Ok(())),
        ("auth x", 1, Ok(())),
        ("flushdb", 1, Err(Denied::Database(0))),
        ("flushall", 0, Err(Denied::Database(0))),
        ("select 2", 1, Ok(())),
        ("select 1", 0, Err(Denied::Database(1))),
        ("select +1", 0, Err(Denied::Database(1))),
        ("select x", 0, Err(Denied::Database(1))),
        ("swapdb 0 2", 1, Ok(())),
        ("swapdb 0 1", 0, Err(Denied::Database(2))),
        ("move a 2", 0, Ok(())),
        ("move a 1", 0, Err(Denied::Database(2))),
        // From a database that is not allowed nothing may come into one that is.
        ("move a 2", 1, Err(Denied::Database(0))),
        ("copy a b", 0, Ok(())),
        ("copy a b DB 2 REPLACE", 0, Ok(())),
        ("copy a b REPLACE db 1", 0, Err(Denied::Database(5))),
        ("copy a b DB 2 DB 1", 0, Err(Denied::Database(6))),
        ("copy db b DB 2", 1, Err(Denied::Database(0))),
    ] {
        assert_eq!(in_db(&u, command, db), expected, "{command} in {db}");
    }
    let u = user("on allkeys +@all db=0 (+get ~b db=1)");
    assert_eq!(in_db(&u, "get b", 1), Ok(()));
    assert_eq!(in_db(&u, "set b 1", 1), Err(Denied::Command));
    assert_eq!(in_db(&u, "get b", 2), Err(Denied::Database(0)));
    assert!(user("on allkeys allchannels +@all db=0 alldbs").is_open());
    let nothing = user("on allkeys +@all resetdbs");
    assert_eq!(in_db(&nothing, "get a", 0), Err(Denied::Database(0)));
    assert_eq!(in_db(&nothing, "ping", 0), Ok(()));
    for (rule, fault) in [
        ("db=", "Syntax error"),
        ("db=1,,2", "Syntax error"),
        ("db=a", "Syntax error"),
        ("db=-1", "The provided database ID is out of range"),
        ("db=2147483648", "The provided database ID is out of range"),
    ] {
        let told = User::new(b"u", false).obey(rule.as_bytes(), false, &Roles::default());
        let told = told.map_err(|f| f.text());
        assert_eq!(told, Err(fault), "{rule}");
    }
}

#[test]
fn what_a_user_may_do_is_its_own_or_a_roles_and_follows_the_role() {
    let mut acl = Acl::default();
    acl.set_role(b"r", &[b"~a:*", b"+get", b"(+set", b"~b)"]).expect("valid");
    acl.set_role(b"s", &[b"+ping"]).expect("valid");
    acl.set(b"u", &[b"on", b"~own", b"+get", b"role=r,s,r"]).expect("valid");
    let user = |acl: &Acl| acl.by_name(b"u").expect("there").clone();
    let u = user(&acl);
    assert_eq!(u.roles().iter().map(|role| &role.name[..]).collect::<Vec<_>>(), [b"r", b"s"]);
    for command in ["get own", "get a:1", "set b v", "ping"] {
        assert_eq!(check(&u, command), Ok(()), "{command}");
    }
    assert_eq!(check(&u, "set own v"), Err(Denied::Key(1)));
    assert_eq!(check(&u, "del own"), Err(Denied::Command));
    // The quick look sees its own rules alone.
    let get = spec::find("get").expect("a command");
    assert!(u.may_by_itself(get, &[b"get", b"own"], 0));
    assert!(!u.may_by_itself(get, &[b"get", b"a:1"], 0));
    acl.set_role(b"r", &[b"resetkeys", b"~c", b"clearselectors"]).expect("valid");
    assert_eq!(check(&user(&acl), "get c"), Ok(()));
    assert_eq!(check(&user(&acl), "get a:1"), Err(Denied::Key(1)));
    acl.set(b"u", &[b"resetroles"]).expect("valid");
    assert_eq!(check(&user(&acl), "get c"), Err(Denied::Key(1)));
}

#[test]
fn roles_change_whole_and_go_when_nobody_has_them() {
    let mut acl = Acl::default();
    acl.set_role(b"r", &[b"+get"]).expect("valid");
    acl.set_role(b"s", &[]).expect("valid");
    let text = |acl: &Acl| {
        acl.roles().iter().map(|role| super::file::role_line(role, Form::Kept)).collect::<Vec<_>>()
    };
    let before = text(&acl);
    assert!(acl.set_role(b"r", &[b"+set", b"on"]).is_err());
    assert!(acl.set_role(b"a,b", &[]).is_err() && acl.set_role(b"", &[]).is_err());
    acl.set(b"u", &[b"role=r"]).expect("valid");
    assert!(acl.set(b"u", &[b"resetroles", b"role=r,gone"]).is_err());
    assert_eq!(acl.holders(b"r").count(), 1);
    assert!(acl.remove_roles(&[b"s", b"r"]).is_err());
    assert_eq!(text(&acl), before);
    assert!(acl.remove(b"u").is_some());
    assert_eq!(acl.remove_roles(&[b"s", b"r", b"r", b"gone"]), Ok(2));
    assert!(acl.roles().is_empty());
}

#[test]
fn users_that_lose_channels_by_a_role_are_noticed() {
    let mut acl = Acl::default();
    acl.set_role(b"r", &[b"&a", b"&b"]).expect("valid");
    let loser = acl.set(b"u", &[b"role=r"]).expect("valid").id;
    acl.set(b"v", &[b"role=r", b"&a"]).expect("valid");
    acl.set(b"w", &[b"role=r", b"allchannels"]).expect("valid");
    assert_eq!(acl.set_role(b"r", &[b"&c"]), Ok(vec![]));
    assert_eq!(acl.set_role(b"r", &[b"resetchannels", b"&b", b"&c"]), Ok(vec![loser]));
    assert!(acl.set(b"u", &[b"resetroles"]).expect("valid").loses_channels);
}

#[test]
fn places_of_users_that_are_gone_are_used_again_under_other_numbers() {
    let mut acl = Acl::default();
    let make = |acl: &mut Acl, name: &str| acl.set(name.as_bytes(), &[]).expect("valid").id;
    let (a, b) = (make(&mut acl, "a"), make(&mut acl, "b"));
    acl.remove(b"a");
    acl.remove(b"b");
    let (c, d) = (make(&mut acl, "c"), make(&mut acl, "d"));
    assert_eq!(acl.places.len(), 3);
    assert!(acl.get(a).is_none() && acl.get(b).is_none());
    assert_eq!((acl.name_of(c), acl.name_of(d)), (&b"c"[..], &b"d"[..]));
    acl.replace(super::file::read(b"user x\nuser y\nuser z\n", "f", false).expect("valid"));
    assert!([c, d].iter().all(|id| acl.get(*id).is_none()));
    assert_eq!(acl.places.len(), 4);
    assert_eq!(acl.len(), 4);
}
