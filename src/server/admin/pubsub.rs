//! Publish and subscribe: channels, patterns, shard channels.

use crate::commands::{CmdResult, Flow};
use crate::keyspace::env::Origin;
use crate::net::session::ReplyMode;
use crate::pubsub::Kind;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("subscribe", subscribe),
    ("unsubscribe", unsubscribe),
    ("psubscribe", psubscribe),
    ("punsubscribe", punsubscribe),
    ("ssubscribe", ssubscribe),
    ("sunsubscribe", sunsubscribe),
    ("publish", publish),
    ("spublish", spublish),
    ("pubsub|channels", channels),
    ("pubsub|numsub", numsub),
    ("pubsub|numpat", numpat),
    ("pubsub|shardchannels", shard_channels),
    ("pubsub|shardnumsub", shard_numsub),
];

/// `SUBSCRIBE channel [channel ...]`. O(channels). Joins: pubsub, clients.
fn subscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    add(srv, call, Kind::Channel)
}

/// `PSUBSCRIBE pattern [pattern ...]`. O(patterns). Joins: pubsub, clients.
fn psubscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    add(srv, call, Kind::Pattern)
}

/// `SSUBSCRIBE shardchannel [shardchannel ...]`. O(channels). Joins: pubsub, clients.
fn ssubscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    add(srv, call, Kind::Shard)
}

fn add(srv: &mut Server, call: &mut Call<'_>, kind: Kind) -> CmdResult {
    // Shard channels came later; the others have always been allowed in transactions.
    let in_exec = call.env.origin == Origin::Exec && kind != Kind::Shard;
    if call.env.deny_blocking && !in_exec {
        return Err(CmdError::err(format!(
            "{} isn't allowed for a DENY BLOCKING client",
            call.row.name().to_ascii_uppercase()
        )));
    }
    for name in call.argv.from(1) {
        if srv.pubsub.subscribe(call.client, kind, name) {
            srv.listed(call.client);
        }
        announce(srv, call, kind, call.row.name(), Some(name));
    }
    Ok(Flow::Done)
}

/// Tells the client of a change and how many subscriptions it has now.
fn announce(srv: &mut Server, call: &mut Call<'_>, kind: Kind, word: &str, name: Option<&[u8]>) {
    let Some(s) = srv.clients.session(call.client) else { return };
    let total = srv.pubsub.counts(call.client).told(kind);
    let write = |reply: &mut Reply| {
        reply.push(3);
        reply.bulk_str(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.len_int(total);
    };
    // A replica has no reply, and its stream no message: it is let go like after any reply.
    if s.reply_mode == ReplyMode::On || s.replica {
        return write(call.reply);
    }
    // This is a message rather than a reply: a client that wants no replies gets it all the same.
    let mut message = Reply::new(Vec::new(), s.resp3);
    write(&mut message);
    srv.clients.push(call.client, &message.into_buf());
}

/// `UNSUBSCRIBE [channel ...]`: all without arguments. Joins: pubsub, clients.
fn unsubscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    remove(srv, call, Kind::Channel, "unsubscribe")
}

/// `PUNSUBSCRIBE [pattern ...]`. Joins: pubsub, clients.
fn punsubscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    remove(srv, call, Kind::Pattern, "punsubscribe")
}

/// `SUNSUBSCRIBE [shardchannel ...]`. Joins: pubsub, clients.
fn sunsubscribe(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    remove(srv, call, Kind::Shard, "sunsubscribe")
}

fn remove(srv: &mut Server, call: &mut Call<'_>, kind: Kind, word: &str) -> CmdResult {
    let names = match call.argv.len() {
        1 => srv.pubsub.of(call.client, kind),
        _ => call.argv.from(1).iter().map(|n| n.to_vec()).collect(),
    };
    if names.is_empty() {
        announce(srv, call, kind, word, None);
    }
    for name in names {
        if srv.pubsub.unsubscribe(call.client, kind, &name) {
            srv.listed(call.client);
        }
        announce(srv, call, kind, word, Some(&name));
    }
    Ok(Flow::Done)
}

/// `PUBLISH channel message`. O(subscribers + patterns). Joins: pubsub, clients.
fn publish(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let count = srv.publish(call.argv.at(1), call.argv.at(2));
    call.fx.for_replicas();
    call.reply.len_int(count);
    Ok(Flow::Done)
}

/// `SPUBLISH shardchannel message`. O(subscribers). Joins: pubsub, clients.
fn spublish(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let count = srv.publish_shard(call.argv.at(1), call.argv.at(2));
    call.fx.for_replicas();
    call.reply.len_int(count);
    Ok(Flow::Done)
}

/// `PUBSUB CHANNELS [pattern]`. O(channels). Joins: pubsub.
fn channels(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    active(srv, call, Kind::Channel)
}

/// `PUBSUB SHARDCHANNELS [pattern]`. O(shard channels). Joins: pubsub.
fn shard_channels(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    active(srv, call, Kind::Shard)
}

fn active(srv: &mut Server, call: &mut Call<'_>, kind: Kind) -> CmdResult {
    if call.argv.len() > 3 {
        return Err(errors::unknown_subcommand("pubsub", call.argv[1]));
    }
    let names = srv.pubsub.active(kind, call.argv.get(2).copied());
    call.reply.array(names.len());
    names.iter().for_each(|n| call.reply.bulk(n));
    Ok(Flow::Done)
}

/// `PUBSUB NUMSUB [channel ...]`. O(channels named). Joins: pubsub.
fn numsub(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let numbers = |name: &[u8]| srv.pubsub.subscribers(name).len();
    write_numbers(call, numbers)
}

/// `PUBSUB SHARDNUMSUB [shardchannel ...]`. O(channels named). Joins: pubsub.
fn shard_numsub(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    let numbers = |name: &[u8]| srv.pubsub.shard_subscribers(name).len();
    write_numbers(call, numbers)
}

/// Each name of the call with its number of subscribers.
fn write_numbers(call: &mut Call<'_>, number: impl Fn(&[u8]) -> usize) -> CmdResult {
    let names = call.argv.from(2);
    call.reply.array(2 * names.len());
    for name in names {
        call.reply.bulk(name);
        call.reply.len_int(number(name));
    }
    Ok(Flow::Done)
}

/// `PUBSUB NUMPAT`. O(1). Joins: pubsub.
fn numpat(srv: &mut Server, call: &mut Call<'_>) -> CmdResult {
    call.reply.len_int(srv.pubsub.patterns());
    Ok(Flow::Done)
}
