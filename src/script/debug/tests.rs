//! Tests of the session without Lua and sockets.

use std::sync::{Arc, Mutex, MutexGuard};

use super::*;

/// Commands that come one by one, and what was sent.
#[derive(Default)]
struct Tape {
    input: Vec<Vec<u8>>,
    output: Vec<u8>,
}

struct Played(Arc<Mutex<Tape>>);

impl Wire for Played {
    fn read(&mut self, into: &mut Vec<u8>, most: usize) -> bool {
        let mut tape = tape_of(&self.0);
        if tape.input.is_empty() {
            return false;
        }
        let mut part = tape.input.remove(0);
        if part.len() > most {
            tape.input.insert(0, part.split_off(most));
        }
        into.extend_from_slice(&part);
        true
    }
    fn write(&mut self, bytes: &[u8]) {
        tape_of(&self.0).output.extend_from_slice(bytes);
    }
}

fn tape_of(tape: &Arc<Mutex<Tape>>) -> MutexGuard<'_, Tape> {
    tape.lock().expect("one thread")
}

fn command(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split(' ').collect();
    let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>()).into_bytes()
}

/// A session for a script of ten lines that stands at line 4, and its tape.
fn session(commands: &[&str]) -> (Session, Arc<Mutex<Tape>>) {
    let tape = Arc::new(Mutex::new(Tape::default()));
    let script: String = (1..=10).map(|n| format!("line {n}\n")).collect();
    let wire = Box::new(Played(tape.clone()));
    let mut session = Session::new(script.as_bytes(), wire, Duration::from_secs(60));
    assert_eq!(session.reached(4, true, false), Some(Reason::Step));
    let mut output = std::mem::take(&mut tape_of(&tape).output);
    assert_eq!(shown(&mut output), "* Stopped at 4, stop reason = step over|-> 4   line 4");
    tape_of(&tape).input = commands.iter().map(|text| command(text)).collect();
    (session, tape)
}

/// The first array of lines that was sent.
fn shown(output: &mut Vec<u8>) -> String {
    let text = String::from_utf8(std::mem::take(output)).expect("text");
    let (count, mut rest) = text[1..].split_once("\r\n").expect("an array");
    let mut lines = Vec::new();
    for _ in 0..count.parse::<usize>().expect("a number") {
        let (line, next) = rest.split_once("\r\n").expect("a line");
        lines.push(line.strip_prefix('+').expect("a status").to_string());
        rest = next;
    }
    *output = rest.as_bytes().to_vec();
    lines.join("|")
}

/// What a session shows for some commands, the last of which is not one.
fn answers(commands: &[&str]) -> Vec<String> {
    let (mut session, tape) = session(commands);
    assert_eq!(session.next(), Next::Gone);
    let mut output = std::mem::take(&mut tape_of(&tape).output);
    commands.iter().map(|_| shown(&mut output)).collect()
}

#[test]
fn lines_are_listed_with_marks() {
    let all = answers(&["list 2 1", "b 4 6", "l 5 1", "l 0 0", "l 99", "list x 0"]);
    assert_eq!(all[0], "   1   line 1|   2   line 2|   3   line 3");
    assert_eq!(
        all[1],
        "   3   line 3|->#4   line 4|   5   line 5|   5   line 5|  #6   line 6|   7   line 7"
    );
    assert_eq!(all[2], "->#4   line 4|   5   line 5|  #6   line 6");
    assert_eq!(all[3], "->#4   line 4");
    assert_eq!(all[4], "");
    assert_eq!(all[5], "->#4   line 4");
    assert_eq!(answers(&["l"])[0].split('|').count(), 9);
    assert_eq!(answers(&["WHOLE"])[0].split('|').count(), 10);
}

#[test]
fn breakpoints_come_and_go() {
    let all = answers(&["b", "b 3", "b 3 11 x", "b", "b -5 -3", "b 1 2", "b 0", "b"]);
    assert_eq!(all[0], "No breakpoints set. Use 'b <line>' to add one.");
    assert_eq!(all[2], "Wrong line number.|Wrong line number.|Invalid argument:'x'");
    assert_eq!(all[3], "1 breakpoints set:|  #3   line 3");
    assert_eq!(all[4], "No breakpoint in the specified line.|Breakpoint removed.");
    assert_eq!(all[6], "All breakpoints removed.");
    assert_eq!(all[7], all[0]);
}

#[test]
fn a_breakpoint_that_goes_takes_no_other_with_it() {
    let all = answers(&["b 1 2 3", "b -1", "b"]);
    assert_eq!(all[2], "2 breakpoints set:|  #2   line 2|  #3   line 3");
}

#[test]
fn a_script_stops_where_it_is_to_stop() {
    let (mut session, _) = session(&["b 7", "c", "s"]);
    assert_eq!(session.next(), Next::Run);
    assert_eq!(session.reached(5, true, false), None);
    assert_eq!(session.reached(7, false, false), None);
    assert_eq!(session.reached(7, true, false), Some(Reason::Breakpoint));
    session.stop_soon();
    assert!(!session.shows_calls());
    assert_eq!(session.reached(8, true, false), Some(Reason::Called));
    assert_eq!(session.next(), Next::Run);
    assert!(session.shows_calls());
    assert_eq!(session.reached(9, true, false), Some(Reason::Step));
    assert_eq!(session.reached(10, true, true), None);
    session.patience = Duration::ZERO;
    assert_eq!(session.reached(10, true, false), None);
    assert_eq!(session.reached(10, true, true), Some(Reason::Timeout));
    assert_eq!(session.next(), Next::Gone);
    assert_eq!(session.reached(7, true, false), None);
}

#[test]
fn orders_go_to_the_interpreter() {
    let (mut session, _) = session(&["p", "print x", "p x y", "e a + b", "redis get k", "T", "a"]);
    let one = |name: &[u8]| Next::Do(Order::Print(Some(name.to_vec())));
    assert_eq!(session.next(), Next::Do(Order::Print(None)));
    assert_eq!(session.next(), one(b"x"));
    assert_eq!(session.next(), Next::Do(Order::Print(None)));
    assert_eq!(session.next(), Next::Do(Order::Eval(b"a + b".to_vec())));
    assert_eq!(session.next(), Next::Do(Order::Call(vec![b"get".to_vec(), b"k".to_vec()])));
    assert_eq!(session.next(), Next::Do(Order::Trace));
    assert_eq!(session.next(), Next::End("script aborted for user request"));
}

#[test]
fn what_is_shown_is_cut() {
    let (mut session, tape) = session(&[]);
    let long = "x".repeat(300);
    session.log_short(&*long);
    session.log_short(&*long);
    session.log_reply(b":1\r\n");
    session.log_call(&[&b"a"[..]; 13]);
    session.send();
    let mut output = std::mem::take(&mut tape_of(&tape).output);
    let cut = format!("{} ...", "x".repeat(256));
    let hint = "<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.";
    let call = "<redis> a a a a a a a a a a ... (2 more)";
    assert_eq!(shown(&mut output), [&*cut, hint, &*cut, "<reply> 1", call].join("|"));
    let all = answers(&["m", "maxlen 10", "m 0", "m -5", "maxlen 1 2"]);
    assert_eq!(all[0], "<value> replies are truncated at 256 bytes.");
    assert_eq!(all[1], "<value> replies are truncated at 60 bytes.");
    assert_eq!(all[2], "<value> replies are unlimited.");
    assert_eq!(all[3], all[1]);
    assert_eq!(all[4], all[1]);
}

#[test]
fn a_command_may_come_in_parts_but_not_without_end() {
    let (mut first, tape) = session(&[]);
    tape_of(&tape).input = vec![b"*1\r\n$".to_vec(), b"1\r\nc\r\n*1\r\n$1\r\ns\r\n".to_vec()];
    assert_eq!(first.next(), Next::Run);
    // What came behind a command in the same piece is not looked at.
    assert_eq!(first.next(), Next::Gone);
    let (mut second, tape) = session(&[]);
    tape_of(&tape).input = vec![b"x".to_vec()];
    assert_eq!(second.next(), Next::End("protocol error"));
    let (mut third, tape) = session(&[]);
    tape_of(&tape).input = vec![b"*".repeat(MOST_INPUT + READ)];
    assert_eq!(third.next(), Next::End("max client buffer reached"));
}

#[test]
fn words_that_are_no_command_are_answered() {
    let unknown = "<error> Unknown Redis Lua debugger command or wrong number of arguments.";
    assert_eq!(answers(&["hello\0world", "\0hello", "redis"]), [unknown; 3]);
    assert_eq!(answers(&["h\0x"])[0].split('|').count(), HELP.len());
}

#[test]
fn line_ends_are_sent_as_blanks() {
    let (mut session, tape) = session(&[]);
    session.log("a\r\nb");
    session.log_error(b"c\0d");
    session.finish();
    let mut output = std::mem::take(&mut tape_of(&tape).output);
    assert_eq!(shown(&mut output), "a  b|<error> c|<endsession>");
    let wire = Box::new(Played(tape.clone()));
    let mut empty = Session::new(b"\r\n\n", wire, Duration::ZERO);
    assert_eq!(empty.reached(1, true, false), Some(Reason::Step));
    let mut output = std::mem::take(&mut tape_of(&tape).output);
    let line = "-> 1   <out of range source code line>";
    assert_eq!(shown(&mut output), format!("* Stopped at 1, stop reason = step over|{line}"));
}
