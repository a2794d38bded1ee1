//! CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: how a caching client is told of changes.
//!
//! The mode is part of the client's session; `server::invalidate` acts on it.

use crate::commands::{CmdResult, Flow, arg};
use crate::net::clients::ClientId;
use crate::net::session::Tracking;
use crate::resp::errors::{self, CmdError};
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};
use crate::tracking::{Prefix, overlaps};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("client|tracking", tracking),
    ("client|caching", caching),
    ("client|getredir", getredir),
    ("client|trackinginfo", trackinginfo),
];

/// Options of CLIENT TRACKING.
#[derive(Default)]
struct Options<'a> {
    redirect: u64,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

/// `CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX p [PREFIX p ...]] [BCAST] [OPTIN] [OPTOUT]
/// [NOLOOP]`
///
/// From then on the client is told when a key changes that it has read (BCAST: any key with one of
/// the prefixes). O(1); O(prefixes) with BCAST. Joins: clients, tracking.
fn tracking(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let options = parse(srv, call)?;
    let word = call.argv.at(2);
    if arg::is(word, "on") {
        let session = srv.clients.session(call.client);
        check(&options, session.and_then(|s| s.tracking.as_deref()))?;
        start(srv, call.client, options);
    } else if arg::is(word, "off") {
        stop(srv, call.client);
    } else {
        return Err(errors::SYNTAX);
    }
    call.reply.ok();
    Ok(Flow::Done)
}

fn parse<'a>(srv: &Server, call: &Call<'a>) -> Result<Options<'a>, CmdError> {
    let mut o = Options::default();
    let mut words = arg::Options::new(call.argv, 3);
    while let Some(word) = words.next() {
        let more = words.remaining() > 0;
        if arg::is(word, "redirect") && more {
            if o.redirect != 0 {
                return Err(CmdError::new(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            let serial = arg::int(words.value()?)?;
            // The client may leave later. But a redirection to one that is not there now is a
            // mistake.
            let found = u64::try_from(serial).ok().filter(|&s| srv.connected(s).is_some());
            o.redirect = found
                .ok_or(CmdError::new("ERR The client ID you want redirect to does not exist"))?;
        } else if arg::is(word, "bcast") {
            o.broadcast = true;
        } else if arg::is(word, "optin") {
            o.opt_in = true;
        } else if arg::is(word, "optout") {
            o.opt_out = true;
        } else if arg::is(word, "noloop") {
            o.no_loop = true;
        } else if arg::is(word, "prefix") && more {
            o.prefixes.push(words.value()?);
        } else {
            return Err(errors::SYNTAX);
        }
    }
    Ok(o)
}

/// Whether options agree with each other and with what the client has on already.
fn check(o: &Options<'_>, now: Option<&Tracking>) -> Result<(), CmdError> {
    let refuse = |text: &'static str| Err(CmdError::new(text));
    if !o.broadcast && !o.prefixes.is_empty() {
        return refuse("ERR PREFIX option requires BCAST mode to be enabled");
    }
    if now.is_some_and(|t| t.broadcast != o.broadcast) {
        return refuse(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        );
    }
    if o.broadcast && (o.opt_in || o.opt_out) {
        return refuse("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if o.opt_in && o.opt_out {
        return refuse("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    if now.is_some_and(|t| o.opt_in && t.opt_out || o.opt_out && t.opt_in) {
        return refuse(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        );
    }
    let present = now.map_or(&[][..], |t| &t.prefixes);
    check_prefixes(&o.prefixes, present)
}

/// Two prefixes of a client must not overlap: it would be told of a key twice.
///
/// Compat: Redis 7.2 goes on with the command after this error when the first prefix has no part in
/// it, and so replies twice.
fn check_prefixes(new: &[&[u8]], present: &[Prefix]) -> Result<(), CmdError> {
    let overlap = |prefix: &[u8], which: &[u8], other: &[u8]| {
        let text = [
            b"Prefix '",
            prefix,
            b"' overlaps with ",
            which,
            b" prefix '",
            other,
            b"'. Prefixes for a single client must not overlap.",
        ];
        Err(CmdError::err(text.concat()))
    };
    for (i, prefix) in new.iter().enumerate() {
        if let Some(other) = present.iter().find(|p| overlaps(p, prefix)) {
            return overlap(prefix, b"an existing", other);
        }
        if let Some(other) = new[i + 1..].iter().find(|p| overlaps(p, prefix)) {
            return overlap(prefix, b"another provided", other);
        }
    }
    Ok(())
}

/// Turns tracking on, or changes how a client is tracked. New prefixes are added to those it has.
fn start(srv: &mut Server, id: ClientId, o: Options<'_>) {
    let Some(session) = srv.clients.session_mut(id) else { return };
    let before = session.tracking.take();
    let number = before.as_ref().map_or_else(|| srv.tracking.start(id), |t| t.number);
    let caching = before.as_ref().is_some_and(|t| t.caching);
    let mut prefixes = before.map_or_else(Vec::new, |t| t.prefixes);
    let every = [&b""[..]];
    let wanted = match (o.broadcast, o.prefixes.is_empty()) {
        (false, _) => &[][..],
        (true, true) => &every,
        (true, false) => &o.prefixes,
    };
    for prefix in wanted {
        prefixes.extend(srv.tracking.broadcast.join(id, prefix));
    }
    prefixes.sort_unstable();
    let Options { redirect, broadcast, opt_in, opt_out, no_loop, .. } = o;
    session.tracking = Some(Box::new(Tracking {
        number,
        redirect,
        broken: false,
        broadcast,
        opt_in,
        opt_out,
        no_loop,
        caching,
        prefix_bytes: Tracking::bytes_of(&prefixes),
        prefixes,
    }));
    srv.tracking.recount();
    srv.rearm();
}

/// Turns tracking off, if it is on.
pub(crate) fn stop(srv: &mut Server, id: ClientId) {
    let Some(mode) = srv.clients.session_mut(id).and_then(|s| s.tracking.take()) else { return };
    srv.tracking.stop(id, &mode.prefixes);
    srv.rearm();
}

/// `CLIENT CACHING YES|NO`: whether what the next command or transaction reads is tracked. Joins:
/// clients.
fn caching(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let session = srv.clients.session_mut(call.client);
    let Some(mode) = session.and_then(|s| s.tracking.as_deref_mut()) else {
        return Err(CmdError::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    };
    let word = call.argv.at(2);
    if arg::is(word, "yes") {
        if !mode.opt_in {
            return Err(CmdError::new(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
    } else if arg::is(word, "no") {
        if !mode.opt_out {
            return Err(CmdError::new(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
    } else {
        return Err(errors::SYNTAX);
    }
    mode.caching = true;
    call.reply.ok();
    Ok(Flow::Done)
}

/// The client that is told in a client's place: 0 itself, -1 nobody.
fn redirect(mode: Option<&Tracking>) -> i64 {
    mode.map_or(-1, |t| t.redirect as i64)
}

/// `CLIENT GETREDIR`. O(1). Joins: clients.
fn getredir(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let mode = srv.clients.session(call.client).and_then(|s| s.tracking.as_deref());
    call.reply.int(redirect(mode));
    Ok(Flow::Done)
}

/// `CLIENT TRACKINGINFO`. O(prefixes). Joins: clients.
fn trackinginfo(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let mode = srv.clients.session(call.client).and_then(|s| s.tracking.as_deref());
    let mut flags = vec![if mode.is_some() { "on" } else { "off" }];
    if let Some(t) = mode {
        let all = [
            (t.broadcast, "bcast"),
            (t.opt_in, "optin"),
            (t.opt_in && t.caching, "caching-yes"),
            (t.opt_out, "optout"),
            (t.opt_out && t.caching, "caching-no"),
            (t.no_loop, "noloop"),
            (t.broken, "broken_redirect"),
        ];
        flags.extend(all.iter().filter(|(on, _)| *on).map(|(_, word)| word));
    }
    let reply = &mut *call.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|word| reply.bulk_str(word));
    reply.bulk(b"redirect");
    reply.int(redirect(mode));
    reply.bulk(b"prefixes");
    let prefixes = mode.map_or(&[][..], |t| &t.prefixes);
    reply.array(prefixes.len());
    prefixes.iter().for_each(|p| reply.bulk(p));
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(new: &[&[u8]], present: &[&[u8]]) -> String {
        let present: Vec<Prefix> = present.iter().map(|&p| p.into()).collect();
        let error = check_prefixes(new, &present).err();
        error.map_or(String::new(), |e| String::from_utf8_lossy(e.bytes()).into_owned())
    }

    #[test]
    fn prefixes_that_overlap_are_refused_with_both_names() {
        assert_eq!(says(&[b"a", b"b"], &[b"c"]), "");
        let end = "Prefixes for a single client must not overlap.";
        let want = format!("ERR Prefix 'b' overlaps with another provided prefix 'bc'. {end}");
        assert_eq!(says(&[b"a", b"b", b"bc"], &[]), want);
        let want = format!("ERR Prefix 'foo' overlaps with an existing prefix 'fo'. {end}");
        assert_eq!(says(&[b"foo"], &[b"x", b"fo"]), want);
        assert!(says(&[b"x"], &[b""]).contains("an existing prefix ''"));
    }
}
