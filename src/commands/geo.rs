//! Geo commands: sorted sets whose scores are places (`util::geohash`).
//!
//! To add a place is ZADD with a score, and what is done with the set then is done by the sorted
//! set commands. Searching is in `geo/search.rs`.

pub(crate) mod search;

use crate::commands::arg;
use crate::commands::zset::{AddOptions, add_members};
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::geohash::Place;
use crate::util::num;
use crate::value::zset::ZSet;

pub(crate) const COMMANDS: &[DataRow] =
    &[("geoadd", geoadd), ("geodist", geodist), ("geohash", geohash), ("geopos", geopos)];

/// Longitude and latitude.
fn place(lon: &[u8], lat: &[u8]) -> Result<Place, CmdError> {
    let place = Place { lon: arg::float(lon)?, lat: arg::float(lat)? };
    if !place.is_valid() {
        let Place { lon, lat } = place;
        return Err(CmdError::err(format!("invalid longitude,latitude pair {lon:.6},{lat:.6}")));
    }
    Ok(place)
}

/// Meters of a unit.
fn unit(word: &[u8]) -> Result<f64, CmdError> {
    match arg::lower(word).as_slice() {
        b"m" => Ok(1.0),
        b"km" => Ok(1000.0),
        b"ft" => Ok(0.3048),
        b"mi" => Ok(1609.34),
        _ => Err(CmdError::new("ERR unsupported unit provided. please use M, KM, FT, MI")),
    }
}

/// A distance, with four decimals.
fn reply_distance(reply: &mut Reply, distance: f64) {
    let mut text = Vec::with_capacity(24);
    num::write_f64_fixed(&mut text, distance, 4);
    reply.bulk(&text);
}

/// Longitude and latitude, with 17 decimals at most.
fn reply_place(reply: &mut Reply, place: Place) {
    reply.array(2);
    for degrees in [place.lon, place.lat] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let text = if text == "-0" { "0" } else { text };
        match reply.resp3() {
            true => reply.raw(format!(",{text}\r\n").as_bytes()),
            false => reply.bulk_str(text),
        }
    }
}

/// `GEOADD key [NX|XX] [CH] longitude latitude member [longitude latitude member ...]`
///
/// Adds places, or moves them. O(log n) for each. Reply: how many were added (with CH also those
/// moved).
fn geoadd(ctx: &mut Ctx<'_>) -> CmdResult {
    let argv = ctx.argv;
    let (mut options, mut first) = (AddOptions::default(), 2);
    while argv.get(first).is_some_and(|word| is_option(word) && options.take(word)) {
        first += 1;
    }
    let (places, rest) = argv.from(first).as_chunks::<3>();
    if !rest.is_empty() || options.rule.absent && options.rule.present {
        return Err(errors::SYNTAX);
    }
    let members = places
        .iter()
        .map(|&[lon, lat, member]| Ok((place(lon, lat)?.score(), member)))
        .collect::<Result<Vec<_>, CmdError>>()?;
    if members.is_empty() {
        return Err(errors::SYNTAX);
    }
    let texts: Vec<String> = members.iter().map(|(score, _)| score.to_string()).collect();
    let scored: Vec<(f64, &[u8])> = members.iter().map(|&(score, m)| (score as f64, m)).collect();
    add_members(ctx, options, &scored)?;
    // Places travel as scores.
    let mut form: Vec<&[u8]> = vec![b"zadd"];
    form.extend_from_slice(&argv.from(1)[..first - 1]);
    for (text, (_, member)) in texts.iter().zip(&members) {
        form.extend([text.as_bytes(), member]);
    }
    if ctx.fx.dirty > 0 {
        ctx.fx.rewrite(&form);
    }
    Ok(Flow::Done)
}

/// Not all of ZADD's options are GEOADD's.
fn is_option(word: &[u8]) -> bool {
    ["nx", "xx", "ch"].iter().any(|name| arg::is(word, name))
}

/// `GEODIST key member1 member2 [M|KM|FT|MI]`. O(1).
fn geodist(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let meters = match argv.from(4) {
        [] => 1.0,
        [word] => unit(word)?,
        _ => return Err(errors::SYNTAX),
    };
    let zset = db.read_as::<ZSet>(argv.at(1), fx)?;
    let place = |member| zset.and_then(|zset| zset.score(member)).map(Place::of_score);
    match (place(argv.at(2)), place(argv.at(3))) {
        (Some(from), Some(to)) => reply_distance(reply, from.distance(to) / meters),
        _ => reply.null(),
    }
    Ok(Flow::Done)
}

/// `GEOHASH key [member ...]`: places as other systems write them. O(1) for each.
fn geohash(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let zset = db.read_as::<ZSet>(argv.at(1), fx)?;
    reply.array(argv.len() - 2);
    for member in argv.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply.bulk(&Place::of_score(score).text()),
            None => reply.null(),
        }
    }
    Ok(Flow::Done)
}

/// `GEOPOS key [member ...]`: longitudes and latitudes. O(1) for each.
fn geopos(ctx: &mut Ctx<'_>) -> CmdResult {
    let Ctx { db, argv, reply, fx, .. } = ctx;
    let zset = db.read_as::<ZSet>(argv.at(1), fx)?;
    reply.array(argv.len() - 2);
    for member in argv.from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply_place(reply, Place::of_score(score)),
            None => reply.null_array(),
        }
    }
    Ok(Flow::Done)
}
