//! What the server says of itself: INFO, TIME, LOLWUT.

use crate::commands::{CmdResult, Flow, arg};
use crate::keyspace::env::Origin;
use crate::server::admin::info;
use crate::server::parts::ServerRow;
use crate::server::parts::identity;
use crate::server::parts::{Call, Server};
use crate::sys::clock::wall_us;

pub(crate) const COMMANDS: &[ServerRow] =
    &[("info", info_command), ("time", time), ("lolwut", lolwut)];

/// `INFO [section ...]`. Joins: every part.
fn info_command(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let wanted: Vec<String> =
        call.argv.from(1).iter().map(|s| String::from_utf8_lossy(s).to_ascii_lowercase()).collect();
    let text = info::text(srv, &wanted);
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Done)
}

/// `TIME`: seconds and microseconds.
fn time(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let us = match call.env.origin {
        Origin::Exec | Origin::Script => *srv.exec.time_us.get_or_insert_with(wall_us),
        Origin::Client | Origin::File => wall_us(),
    };
    call.reply.array(2);
    call.reply.bulk_int(us / 1_000_000);
    call.reply.bulk_int(us % 1_000_000);
    Ok(Flow::Done)
}

/// `LOLWUT [VERSION n] [columns] [rows]`: a small picture and the version.
///
/// Draws a field of slashes, a maze that is new each time.
fn lolwut(_: &mut Server, call: &mut Call<'_>) -> CmdResult {
    // Compat: only the pictures of versions 5 and 6 have a size; anything may follow otherwise.
    let mut size = [66i64, 12];
    if let [word, version, args @ ..] = call.argv.from(1)
        && arg::is(word, "version")
        && let version @ (5 | 6) = arg::int(version)?
    {
        let args = args.iter().take(if version == 5 { 3 } else { 2 });
        for (i, text) in args.enumerate() {
            let n = arg::int(text)?.clamp(1, 160);
            size[i.min(1)] = n;
        }
    }
    let mut random = crate::util::rand::generator(call.env.random);
    let mut out = String::new();
    for _ in 0..size[1] {
        for _ in 0..size[0] {
            out.push(if random() >> 40 & 1 == 0 { '\u{2571}' } else { '\u{2572}' });
        }
        out.push('\n');
    }
    out.push_str(&format!(
        "\nA maze without a way out but the one you take. Redis ver. {} (redust {})\n",
        identity::REDIS_VERSION,
        identity::REDUST_VERSION
    ));
    call.reply.verbatim("txt", out.as_bytes());
    Ok(Flow::Done)
}
