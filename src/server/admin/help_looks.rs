//! HELP of the commands that look into the server: its logs, its memory, its latency. See `help`.

pub(super) const COMMANDLOG: &[&str] = &[
    "GET <count> <type>",
    "    Show the latest <count> commands of a log (-1 for all).",
    "    Each with:",
    "    id, time,",
    "        for slow the microseconds taken,",
    "        for large-request the bytes of the request,",
    "        for large-reply the bytes of the reply,",
    "    arguments, address of the client,",
    "    name of the client",
    "LEN <type>",
    "    Count the commands kept in a log.",
    "RESET <type>",
    "    Forget them.",
];

pub(super) const SLOWLOG: &[&str] = &[
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

pub(super) const LATENCY: &[&str] = &[
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
    "    Of all if none is named; @requests: from the arrival of requests to their replies.",
];

/// BIGKEYS and PREFIXES, which are not in Redis, are left out: clients count these lines.
pub(super) const MEMORY: &[&str] = &[
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

pub(super) const HOTKEYS: &[&str] = &[
    "START <METRICS count [CPU] [NET]> [COUNT k] [DURATION duration] [SAMPLE ratio]",
    "    Begin to measure what keys cost:",
    "    * METRICS count [CPU] [NET]",
    "        How many metrics there are, and which:",
    "        - CPU: the time of commands",
    "        - NET: the bytes of requests and replies",
    "    * COUNT k",
    "        How many keys are told. Default: 10",
    "    * DURATION duration",
    "        Seconds after which it ends. Default: it does not end by itself",
    "    * SAMPLE ratio",
    "        One command of so many is looked at. Default: 1",
    "STOP",
    "    End it. GET still tells what was measured.",
    "GET",
    "    Show the keys that cost most.",
    "RESET",
    "    Forget what was measured.",
];
