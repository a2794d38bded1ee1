//! A session of the debugger: where a script stops, and what its user asks for then.
//!
//! ```text
//! Session      the state of one; it neither knows Lua nor a socket
//! Wire         how it talks with its user
//! Order        what a user asks for and only the interpreter can do
//! input, show  the commands as they come; values and replies as they are shown
//! ```
//! The interpreter tells the session of each line (`reached`). If the script stops there, the
//! interpreter asks for orders (`next`) until one of them lets the script go on. All else that a
//! user may ask for is done here.
//!
//! What is to be shown is collected (`log`) and sent as one array of lines (`send`), one for each
//! command, as `redis-cli --ldb` expects it. The texts are Redis's.

mod input;
pub(crate) mod show;

use std::time::{Duration, Instant};

use input::c_string;

use crate::util::num;

/// The most breakpoints.
const BREAKPOINTS: usize = 64;
/// How long what is shown may be, until the user changes it.
const SHOWN: usize = 256;
/// The smallest limit that a user may set.
const LEAST_SHOWN: i32 = 60;
/// Lines around the current one that `list` shows.
const CONTEXT: i32 = 5;
/// Words of a command that are shown.
const WORDS: usize = 10;
/// The most bytes that may come without a whole command.
const MOST_INPUT: usize = 1 << 20;
/// Bytes that are read at once.
const READ: usize = 1024;

const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Print what you read now.",
    "[s]tep               Execute the current line, then stop.",
    "[n]ext               The same as step.",
    "[c]ontinue           Execute until a breakpoint is met.",
    "[l]ist               Print the lines around the current one.",
    "[l]ist [line]        Print the lines around [line].",
    "                     0 stands for the current line.",
    "[l]ist [line] [ctx]  The same with [ctx] lines before and after",
    "                     [line].",
    "[w]hole              Print all lines, like 'list 1 1000000'.",
    "[p]rint              Print all local variables.",
    "[p]rint <var>        Print one variable: a local one, or one of the",
    "                     globals KEYS and ARGV.",
    "[b]reak              Print all breakpoints.",
    "[b]reak <line>       Set a breakpoint at a line.",
    "[b]reak -<line>      Take the breakpoint off a line.",
    "[b]reak 0            Take all breakpoints off.",
    "[t]race              Print the calls that lead to the current line.",
    "[e]val <code>        Run Lua code, which does not see local variables.",
    "[r]edis <cmd>        Run a command of Redis.",
    "[m]axlen [len]       Print no more than [len] bytes of a reply or a value.",
    "                     With 0 there is no limit.",
    "[a]bort              End the script with an error. In sync mode the",
    "                     changes that it has made stay.",
    "",
    "Functions for scripts that are debugged:",
    "redis.debug()        Prints its arguments here.",
    "redis.breakpoint()   Stops at the next line, as if there was a",
    "                     breakpoint.",
];

/// How a session talks with its user.
pub(crate) trait Wire: Send {
    /// Waits for at most `most` bytes and appends them; false if the user is gone.
    fn read(&mut self, into: &mut Vec<u8>, most: usize) -> bool;
    /// Sends all the bytes. That it fails shows when it reads.
    fn write(&mut self, bytes: &[u8]);
}

/// What only the interpreter can do. It logs what comes of it, and then calls `Session::send`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Trace,
    /// Shows a variable, or all that are local.
    Print(Option<Vec<u8>>),
    Eval(Vec<u8>),
    /// Runs a command as `redis.call` does, which logs it and its reply.
    Call(Vec<Vec<u8>>),
}

/// What is to happen while a script stands still.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Do(Order),
    /// The script goes on.
    Run,
    /// The user is gone. The script goes on, and stops nowhere.
    Gone,
    /// The script ends with this error.
    End(&'static str),
}

/// Why a script stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Step,
    Breakpoint,
    /// The script has called `redis.breakpoint()`.
    Called,
    /// It has run for long.
    Timeout,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Reason::Step => "step over",
            Reason::Breakpoint => "break point",
            Reason::Called => "redis.breakpoint() called",
            Reason::Timeout => "timeout reached, infinite loop?",
        }
    }
}

/// The state of a session.
pub(crate) struct Session {
    wire: Box<dyn Wire>,
    /// Nobody is read from any more.
    gone: bool,
    /// The script, a line each.
    lines: Vec<Vec<u8>>,
    breakpoints: Vec<i32>,
    /// The script stops at the next line, and what it calls meanwhile is shown.
    steps: bool,
    /// `redis.breakpoint()` was called since it stopped.
    called: bool,
    current: i32,
    input: Vec<u8>,
    log: Vec<Vec<u8>>,
    /// The most bytes of what is shown; 0: any number.
    most_shown: usize,
    /// The user knows how to see more.
    hinted: bool,
    /// Since when the script runs without a stop, and for how long it may.
    since: Instant,
    patience: Duration,
}

impl Session {
    /// A session for a script, which stops at its first line. One that runs for longer than
    /// `patience` stops as well.
    pub(crate) fn new(script: &[u8], wire: Box<dyn Wire>, patience: Duration) -> Session {
        let end = script.iter().rposition(|c| !matches!(c, b'\r' | b'\n')).map_or(0, |i| i + 1);
        let text = &script[..end];
        let lines = match text {
            [] => Vec::new(),
            text => text.split(|c| *c == b'\n').map(<[u8]>::to_vec).collect(),
        };
        Session {
            wire,
            gone: false,
            lines,
            breakpoints: Vec::new(),
            steps: true,
            called: false,
            current: 0,
            input: Vec::new(),
            log: Vec::new(),
            most_shown: SHOWN,
            hinted: false,
            since: Instant::now(),
            patience,
        }
    }

    /// The interpreter is about to run a line. `of_script`: the line is one of the script that is
    /// debugged. `counted`: it is no new line, but a while has passed. Some: the script stops here,
    /// and its user was told so.
    pub(crate) fn reached(&mut self, line: i32, of_script: bool, counted: bool) -> Option<Reason> {
        // Compat: `list` and the others take this for the current line even if it is not one of the
        // script.
        self.current = line;
        let at_breakpoint = self.has_breakpoint(line) || self.called;
        if !of_script {
            return None;
        }
        let reason = match (at_breakpoint, self.called) {
            (true, true) => Reason::Called,
            (true, false) => Reason::Breakpoint,
            _ if self.steps => Reason::Step,
            _ if counted && self.since.elapsed() >= self.patience => Reason::Timeout,
            _ => return None,
        };
        self.steps = false;
        self.called = false;
        self.log(format!("* Stopped at {line}, stop reason = {}", reason.text()));
        self.log_line(line);
        self.send();
        Some(reason)
    }

    /// The script goes on now.
    pub(crate) fn resumed(&mut self) {
        self.since = Instant::now();
    }

    /// Whether what the script calls is shown.
    pub(crate) fn shows_calls(&self) -> bool {
        self.steps
    }

    /// Switches that on or off.
    pub(crate) fn show_calls(&mut self, on: bool) {
        self.steps = on;
    }

    /// `redis.breakpoint()` was called.
    pub(crate) fn stop_soon(&mut self) {
        self.called = true;
    }

    /// The line that runs.
    pub(crate) fn current(&self) -> i32 {
        self.current
    }

    /// Adds a line to what is sent next.
    pub(crate) fn log(&mut self, line: impl Into<Vec<u8>>) {
        self.log.push(line.into());
    }

    /// The same, cut to the length that the user wants to see.
    pub(crate) fn log_short(&mut self, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        let cut = self.most_shown > 0 && line.len() > self.most_shown;
        if cut {
            line.truncate(self.most_shown);
            line.extend_from_slice(b" ...");
        }
        self.log(line);
        if cut && !std::mem::replace(&mut self.hinted, true) {
            self.log("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    /// An error that a script got, or is to get.
    pub(crate) fn log_error(&mut self, text: &[u8]) {
        self.log([b"<error> ", c_string(text)].concat());
    }

    /// A command that the script calls.
    pub(crate) fn log_call(&mut self, args: &[&[u8]]) {
        let mut line = b"<redis>".to_vec();
        for arg in args.iter().take(WORDS) {
            line.push(b' ');
            line.extend_from_slice(arg);
        }
        if args.len() > WORDS {
            // Compat: one less than there are.
            line.extend_from_slice(format!(" ... ({} more)", args.len() - WORDS - 1).as_bytes());
        }
        self.log(line);
    }

    /// The reply that it gets.
    pub(crate) fn log_reply(&mut self, reply: &[u8]) {
        let mut line = b"<reply> ".to_vec();
        show::reply(reply, &mut line);
        self.log_short(line);
    }

    /// A line of the script, with marks.
    pub(crate) fn log_line(&mut self, n: i32) {
        let mark = match (n == self.current, self.has_breakpoint(n)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let line = n.checked_sub(1).and_then(|i| self.lines.get(usize::try_from(i).ok()?));
        let line = line.map_or(&b"<out of range source code line>"[..], |line| c_string(line));
        self.log([format!("{mark}{n:<3} ").as_bytes(), line].concat());
    }

    /// Sends what was logged. Line ends within a line become blanks.
    pub(crate) fn send(&mut self) {
        let mut out = format!("*{}\r\n", self.log.len()).into_bytes();
        for line in self.log.drain(..) {
            out.push(b'+');
            out.extend(line.iter().map(|c| if matches!(c, b'\r' | b'\n') { b' ' } else { *c }));
            out.extend_from_slice(b"\r\n");
        }
        self.wire.write(&out);
    }

    /// The script has ended: the user is told so, and no more is heard of the session.
    pub(crate) fn finish(&mut self) {
        self.log("<endsession>");
        self.send();
    }

    /// Waits for what the user wants next, and does what can be done here.
    pub(crate) fn next(&mut self) -> Next {
        loop {
            let args = loop {
                match input::parse(&self.input) {
                    Ok(Some(args)) => break args,
                    Ok(None) => {}
                    Err(_) => return Next::End("protocol error"),
                }
                // A read may have ended because of a signal: the next one would wait.
                self.gone = self.gone || !self.wire.read(&mut self.input, READ);
                if self.gone {
                    self.steps = false;
                    self.breakpoints.clear();
                    return Next::Gone;
                }
                if self.input.len() > MOST_INPUT {
                    self.input = Vec::new();
                    return Next::End("max client buffer reached");
                }
            };
            self.input = Vec::new();
            if let Some(next) = self.obey(args) {
                return next;
            }
            self.send();
        }
    }

    /// Does what the user wants; Some if others have to.
    fn obey(&mut self, mut args: Vec<Vec<u8>>) -> Option<Next> {
        let command = c_string(&args[0]).to_ascii_lowercase();
        match &command[..] {
            b"h" | b"help" => HELP.iter().for_each(|line| self.log(*line)),
            b"s" | b"step" | b"n" | b"next" => {
                self.steps = true;
                return Some(Next::Run);
            }
            b"c" | b"continue" => return Some(Next::Run),
            b"t" | b"trace" => return Some(Next::Do(Order::Trace)),
            b"m" | b"maxlen" => self.limit(&args),
            b"b" | b"break" => self.change_breakpoints(&args),
            b"e" | b"eval" => return Some(Next::Do(Order::Eval(args[1..].join(&b' ')))),
            b"a" | b"abort" => return Some(Next::End("script aborted for user request")),
            b"r" | b"redis" if args.len() > 1 => {
                args.remove(0);
                return Some(Next::Do(Order::Call(args)));
            }
            b"p" | b"print" => {
                let name = if args.len() == 2 { args.pop() } else { None };
                return Some(Next::Do(Order::Print(name.map(|name| c_string(&name).to_vec()))));
            }
            b"l" | b"list" => {
                let number = |i: usize| args.get(i).map(|arg| num::parse_i32_prefix(arg));
                let around = number(1).filter(|n| *n > 0).unwrap_or(self.current);
                self.list(around, number(2).unwrap_or(CONTEXT));
            }
            b"w" | b"whole" => self.list(1, 1_000_000),
            _ => {
                self.log("<error> Unknown Redis Lua debugger command or wrong number of arguments.")
            }
        }
        None
    }

    /// Logs the lines around one; all if that is 0.
    fn list(&mut self, around: i32, context: i32) {
        for n in 1..=self.lines.len() as i32 {
            if around == 0 || i64::from(around.abs_diff(n)) <= i64::from(context) {
                self.log_line(n);
            }
        }
    }

    fn limit(&mut self, args: &[Vec<u8>]) {
        if let [_, most] = args {
            self.hinted = true;
            self.most_shown = match num::parse_i32_prefix(most) {
                0 => 0,
                n => usize::try_from(n.max(LEAST_SHOWN)).unwrap_or(0),
            };
        }
        match self.most_shown {
            0 => self.log("<value> replies are unlimited."),
            n => self.log(format!("<value> replies are truncated at {n} bytes.")),
        }
    }

    fn has_breakpoint(&self, line: i32) -> bool {
        self.breakpoints.contains(&line)
    }

    fn change_breakpoints(&mut self, args: &[Vec<u8>]) {
        if args.len() == 1 {
            if self.breakpoints.is_empty() {
                return self.log("No breakpoints set. Use 'b <line>' to add one.");
            }
            self.log(format!("{} breakpoints set:", self.breakpoints.len()));
            for line in self.breakpoints.clone() {
                self.log_line(line);
            }
        }
        for arg in &args[1..] {
            match num::parse_i64(arg) {
                None => self.log([b"Invalid argument:'", c_string(arg), b"'"].concat()),
                Some(0) => {
                    self.breakpoints.clear();
                    self.log("All breakpoints removed.");
                }
                Some(n) if n < 0 => {
                    let before = self.breakpoints.len();
                    self.breakpoints.retain(|line| i64::from(*line) != n.saturating_neg());
                    let removed = self.breakpoints.len() < before;
                    self.log(match removed {
                        true => "Breakpoint removed.",
                        false => "No breakpoint in the specified line.",
                    });
                }
                Some(_) if self.breakpoints.len() == BREAKPOINTS => {
                    self.log("Too many breakpoints set.");
                }
                Some(n) => {
                    let line = i32::try_from(n).ok().filter(|n| *n as usize <= self.lines.len());
                    match line.filter(|line| !self.has_breakpoint(*line)) {
                        None => self.log("Wrong line number."),
                        Some(line) => {
                            self.breakpoints.push(line);
                            self.list(line, 1);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
