//! HELP of every container command: a head, its subcommands with what they do, a foot.
//!
//! Clients count lines and look for the forms of subcommands, so those are Redis's; the words are ours.

use crate::commands::{CmdResult, Flow};
use crate::resp::reply::Reply;
use crate::server::table::ServerRow;
use crate::server::{Call, Server};

pub const COMMANDS: &[ServerRow] = &[
    ("client|help", help),
    ("command|help", help),
    ("config|help", help),
    ("latency|help", help),
    ("memory|help", help),
    ("object|help", help),
    ("pubsub|help", help),
    ("slowlog|help", help),
];

const CLIENT: &[&str] = &[
    "CACHING (YES|NO)",
    "    Say whether the keys of the next command are tracked (OPTIN and OPTOUT).",
    "GETREDIR",
    "    Show the ID of the client that gets our invalidation messages.",
    "GETNAME",
    "    Show the name of this connection.",
    "ID",
    "    Show the ID of this connection.",
    "INFO",
    "    Show what CLIENT LIST says of this connection.",
    "KILL <ip:port>",
    "    Close the connection that comes from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close the connections that all options fit:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      The address it comes from.",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      The address it was made to.",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      What it is used for.",
    "    * USER <username>",
    "      Who is logged in.",
    "    * SKIPME (YES|NO)",
    "      Whether to spare this connection (yes if not given).",
    "LIST [options ...]",
    "    Show a line on each connection, on some if asked so:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Those used for this.",
    "UNPAUSE",
    "    End the pause of clients.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Hold back all commands, or those that write, for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Say which replies this connection wants.",
    "SETNAME <name>",
    "    Give this connection a name.",
    "SETINFO <option> <value>",
    "    Tell about the client's software:",
    "    * LIB-NAME: the name of its library.",
    "    * LIB-VER: the version of its library.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    End the wait of a client that is blocked.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Have the server tell of changes to keys that this connection keeps copies of.",
    "TRACKINGINFO",
    "    Show how keys are tracked for this connection.",
    "NO-EVICT (ON|OFF)",
    "    Spare this connection when clients use too much memory.",
    "NO-TOUCH (ON|OFF)",
    "    Leave the access times of keys as they are.",
];

const COMMAND: &[&str] = &[
    "(no subcommand)",
    "    Describe every command.",
    "COUNT",
    "    Count the commands of this server.",
    "LIST",
    "    Name the commands of this server.",
    "INFO [<command-name> ...]",
    "    Describe commands by their flags and keys.",
    "    Without names, all that",
    "    there are.",
    "DOCS [<command-name> ...]",
    "    Describe commands by their purpose and arguments.",
    "    Without names, all that",
    "    there are.",
    "GETKEYS <full-command>",
    "    Name the keys of a command with its arguments.",
    "GETKEYSANDFLAGS <full-command>",
    "    Name the keys of a command with its arguments, and what it does with each.",
];

const CONFIG: &[&str] = &[
    "GET <pattern>",
    "    Show the parameters whose names match <pattern>.",
    "SET <directive> <value>",
    "    Change a parameter of the running server.",
    "RESETSTAT",
    "    Count from zero again what INFO shows.",
    "REWRITE",
    "    Write changed parameters to the configuration file.",
];

const LATENCY: &[&str] = &[
    "DOCTOR",
    "    Report on the delays there were, in words.",
    "GRAPH <event>",
    "    Draw the delays of one kind of <event>.",
    "HISTORY <event>",
    "    List the delays of one kind of <event> with their times.",
    "LATEST",
    "    Show the latest delay of every kind of event.",
    "RESET [<event> ...]",
    "    Forget the delays of some kinds of <event>.",
    "    (of all kinds if none is named)",
    "HISTOGRAM [COMMAND ...]",
    "    Show how long calls of commands took, cumulated by duration.",
    "    Of all commands if none is named.",
];

const MEMORY: &[&str] = &[
    "DOCTOR",
    "    Report on problems with memory.",
    "MALLOC-STATS",
    "    Show the allocator's own statistics.",
    "PURGE",
    "    Have the allocator give unused pages back.",
    "STATS",
    "    Show what memory is used for.",
    "USAGE <key> [SAMPLES <count>]",
    "    Show how many bytes <key> and its value take. Of nested values <count>",
    "    are looked at (5 if not given, 0 for all).",
];

const OBJECT: &[&str] = &[
    "ENCODING <key>",
    "    Show the form in which the value of <key> is kept",
    "    in memory.",
    "FREQ <key>",
    "    Show how often <key> is used: a number that grows",
    "    with the logarithm of its recent accesses.",
    "IDLETIME <key>",
    "    Show for how many seconds, about, nobody has",
    "    asked for <key>.",
    "REFCOUNT <key>",
    "    Show how many references there are to the value of",
    "    <key>.",
];

const PUBSUB: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Name the channels with subscribers, those that match <pattern> if given.",
    "NUMPAT",
    "    Count the patterns that are subscribed to.",
    "NUMSUB [<channel> ...]",
    "    Count the subscribers of channels, without those",
    "    by pattern.",
    "SHARDCHANNELS [<pattern>]",
    "    Name the shard channels with subscribers, those that match <pattern> if given.",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Count the subscribers of shard channels.",
];

const SLOWLOG: &[&str] = &[
    "GET [<count>]",
    "    Show the latest <count> slow commands (10 if not given, -1 for all).",
    "    Each with:",
    "    id, time, microseconds taken, arguments, address of the client,",
    "    name of the client",
    "LEN",
    "    Count the slow commands kept.",
    "RESET",
    "    Forget them.",
];

/// Writes help text in Redis's form.
pub fn write(reply: &mut Reply, command: &str, lines: &[impl AsRef<str>]) {
    reply.array(1 + lines.len() + 2);
    reply.status(format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.status(line.as_ref()));
    reply.status("HELP");
    reply.status("    Print this help.");
}

/// `<container> HELP`.
fn help(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let lines = match call.row.spec.container() {
        Some("client") => CLIENT,
        Some("command") => COMMAND,
        Some("config") => CONFIG,
        Some("latency") => LATENCY,
        Some("memory") => MEMORY,
        Some("object") => OBJECT,
        Some("pubsub") => PUBSUB,
        Some("slowlog") => SLOWLOG,
        _ => &[],
    };
    // As the client spelt it, which under a rename is the name that works.
    let name = String::from_utf8_lossy(call.argv[0]).to_ascii_uppercase();
    write(call.reply, &name, lines);
    Ok(Flow::Done)
}
