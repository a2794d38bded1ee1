//! Searching for places: inside a circle, a box or a polygon.
//!
//! Up to nine cells of the grid cover the shape, and each cell is a range of scores. The places in
//! them are decoded and measured. Replies have the order and texts of redis-server, as far as
//! distances differ.

use super::{place, reply_distance, reply_place, unit};
use crate::commands::arg::{self, Options};
use crate::commands::zset::reply_member;
use crate::commands::zset::store::store;
use crate::commands::{CmdResult, Ctx, DataRow, Flow};
use crate::ds::listpack::{Item, Scratch};
use crate::ds::ordered::AtScore;
use crate::ds::ordered::table::Unsorted;
use crate::keyspace::effects::Effects;
use crate::resp::argv::Argv;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::util::geohash::{self, Bounds, Place};
use crate::util::num::write_f64_17g;
use crate::value::Collection;
use crate::value::zset::{ZSet, ZSetLimits, ZSetRef};

pub(crate) const COMMANDS: &[DataRow] = &[
    ("georadius", georadius),
    ("georadius_ro", georadius_ro),
    ("georadiusbymember", georadiusbymember),
    ("georadiusbymember_ro", georadiusbymember_ro),
    ("geosearch", geosearch),
    ("geosearchstore", geosearchstore),
];

/// Elements of a cell that are visited at a time.
const PART: usize = 128;

/// What is searched; lengths in meters.
enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
    Polygon(Vec<Place>),
}

/// An area around a center.
struct Area {
    center: Place,
    shape: Shape,
}

impl Area {
    /// The distance of a place from the center, if the place is inside.
    fn distance(&self, place: Place) -> Option<f64> {
        let Area { center, shape } = self;
        match shape {
            Shape::Circle { radius } => Some(center.distance(place)).filter(|d| d <= radius),
            Shape::Box { width, height } => {
                let beside = Place { lat: place.lat, ..*center };
                let inside = place.lat_distance(*center) <= height / 2.0
                    && place.distance(beside) <= width / 2.0;
                inside.then(|| center.distance(place))
            }
            Shape::Polygon(corners) => is_inside(corners, place).then(|| center.distance(place)),
        }
    }

    /// The cells in which all places inside lie.
    fn cells(&self) -> Vec<geohash::GeoCell> {
        let center = self.center;
        match &self.shape {
            Shape::Circle { radius } => {
                geohash::cover(center, *radius, geohash::bounds_around(center, *radius, *radius))
            }
            Shape::Box { width, height } => {
                let (w, h) = (width / 2.0, height / 2.0);
                geohash::cover(center, (w * w + h * h).sqrt(), geohash::bounds_around(center, w, h))
            }
            Shape::Polygon(corners) => {
                let bounds = bounds_of(corners);
                let middle = Place {
                    lon: (bounds.lon.0 + bounds.lon.1) / 2.0,
                    lat: (bounds.lat.0 + bounds.lat.1) / 2.0,
                };
                // The corner that is nearer to the equator is the farther one.
                let reach = [bounds.lat.0, bounds.lat.1]
                    .map(|lat| middle.distance(Place { lon: bounds.lon.0, lat }));
                geohash::cover(middle, reach[0].max(reach[1]), bounds)
            }
        }
    }
}

fn bounds_of(corners: &[Place]) -> Bounds {
    let range = |of: fn(&Place) -> f64| {
        corners
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    Bounds { lon: range(|p| p.lon), lat: range(|p| p.lat) }
}

/// Whether a line from the place eastwards crosses an odd number of edges.
fn is_inside(corners: &[Place], at: Place) -> bool {
    let mut inside = false;
    let mut from = corners[corners.len() - 1];
    for &to in corners {
        if (from.lat > at.lat) != (to.lat > at.lat) {
            let crossing = (from.lon - to.lon) * (at.lat - to.lat) / (from.lat - to.lat) + to.lon;
            inside ^= at.lon < crossing;
        }
        from = to;
    }
    inside
}

/// A place that was found.
struct Found<'a> {
    member: Item<'a>,
    score: f64,
    place: Place,
    distance: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// The commands that search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// GEORADIUS and GEORADIUSBYMEMBER, and whether they may store.
    Radius {
        store: bool,
    },
    Search,
    SearchStore,
}

/// What is asked for.
#[derive(Default)]
struct Request<'a> {
    center: Option<Center<'a>>,
    shape: Option<Shape>,
    /// Meters of the unit in which distances are replied.
    unit: f64,
    with_distance: bool,
    with_hash: bool,
    with_place: bool,
    order: Option<Order>,
    /// 0: no limit.
    count: usize,
    any: bool,
    store: Option<&'a [u8]>,
    store_distance: bool,
}

#[derive(Clone, Copy)]
enum Center<'a> {
    Place(Place),
    Member(&'a [u8]),
}

impl Center<'_> {
    /// The place; None only if there is no set.
    fn place(self, zset: Option<ZSetRef<'_>>) -> Result<Option<Place>, CmdError> {
        match (self, zset) {
            (Center::Place(place), _) => Ok(Some(place)),
            (Center::Member(_), None) => Ok(None),
            (Center::Member(member), Some(zset)) => match zset.score(member) {
                Some(score) => Ok(Some(Place::of_score(score))),
                None => Err(CmdError::new("ERR could not decode requested zset member")),
            },
        }
    }
}

/// A radius and its unit.
fn radius(radius: &[u8], word: &[u8]) -> Result<(Shape, f64), CmdError> {
    let radius = arg::float(radius).map_err(|_| CmdError::new("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(CmdError::new("ERR radius cannot be negative"));
    }
    let unit = unit(word)?;
    Ok((Shape::Circle { radius: radius * unit }, unit))
}

impl<'a> Request<'a> {
    /// Parses the options from argument `at` on. Members are looked up when they are met, so that
    /// the same error comes first as in redis-server.
    fn options(
        &mut self,
        argv: Argv<'a>,
        at: usize,
        kind: Kind,
        zset: Option<ZSetRef<'_>>,
    ) -> Result<(), CmdError> {
        let mut options = Options::new(argv, at);
        let searches = matches!(kind, Kind::Search | Kind::SearchStore);
        while let Some(word) = options.next() {
            let left = options.remaining();
            if arg::is(word, "withdist") {
                self.with_distance = true;
            } else if arg::is(word, "withhash") {
                self.with_hash = true;
            } else if arg::is(word, "withcoord") {
                self.with_place = true;
            } else if arg::is(word, "any") {
                self.any = true;
            } else if arg::is(word, "asc") {
                self.order = Some(Order::Nearest);
            } else if arg::is(word, "desc") {
                self.order = Some(Order::Farthest);
            } else if arg::is(word, "count") && left >= 1 {
                let count = arg::int(options.value()?)?;
                self.count = usize::try_from(count).unwrap_or(0);
                if self.count == 0 {
                    return Err(CmdError::new("ERR COUNT must be > 0"));
                }
            } else if kind == (Kind::Radius { store: true }) && left >= 1 && arg::is(word, "store")
            {
                (self.store, self.store_distance) = (Some(options.value()?), false);
            } else if kind == (Kind::Radius { store: true })
                && left >= 1
                && arg::is(word, "storedist")
            {
                (self.store, self.store_distance) = (Some(options.value()?), true);
            } else if kind == Kind::SearchStore && arg::is(word, "storedist") {
                self.store_distance = true;
            } else if !searches || !self.area_option(word, &mut options, zset)? {
                return Err(errors::SYNTAX);
            }
        }
        Ok(())
    }

    /// An option of GEOSEARCH that says where to search. False if `word` is no such option, or one
    /// too many.
    fn area_option(
        &mut self,
        word: &[u8],
        options: &mut Options<'a>,
        zset: Option<ZSetRef<'_>>,
    ) -> Result<bool, CmdError> {
        let left = options.remaining();
        let polygon = matches!(self.shape, Some(Shape::Polygon(_)));
        if arg::is(word, "frommember")
            && left >= 1
            && !matches!(self.center, Some(Center::Place(_)))
            && !polygon
        {
            let center = Center::Member(options.value()?);
            center.place(zset)?;
            self.center = Some(center);
        } else if arg::is(word, "fromlonlat")
            && left >= 2
            && !matches!(self.center, Some(Center::Member(_)))
            && !polygon
        {
            self.center = Some(Center::Place(place(options.value()?, options.value()?)?));
        } else if arg::is(word, "byradius")
            && left >= 2
            && matches!(self.shape, None | Some(Shape::Circle { .. }))
        {
            let (shape, unit) = radius(options.value()?, options.value()?)?;
            (self.shape, self.unit) = (Some(shape), unit);
        } else if arg::is(word, "bybox")
            && left >= 3
            && matches!(self.shape, None | Some(Shape::Box { .. }))
        {
            let number = |text, error| arg::float(text).map_err(|_| CmdError::new(error));
            let width = number(options.value()?, "ERR need numeric width")?;
            let height = number(options.value()?, "ERR need numeric height")?;
            if width < 0.0 || height < 0.0 {
                return Err(CmdError::new("ERR height or width cannot be negative"));
            }
            self.unit = unit(options.value()?)?;
            let (width, height) = (width * self.unit, height * self.unit);
            self.shape = Some(Shape::Box { width, height });
        } else if arg::is(word, "bypolygon") && left >= 2 && self.shape.is_none() {
            if self.center.is_some() {
                return Ok(false);
            }
            self.polygon(options)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The corners of a polygon. Distances are measured from their middle, in meters. The middle
    /// lies where the sum of the corners, seen from the center of the earth, points to.
    fn polygon(&mut self, options: &mut Options<'a>) -> Result<(), CmdError> {
        let n = arg::int_in(
            options.value()?,
            i64::from(i32::MIN),
            i64::from(i32::MAX),
            "invalid number of vertices",
        )?;
        let n = usize::try_from(n).ok().filter(|&n| n >= 3 && n <= options.remaining() / 2);
        let few = CmdError::new("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
        let corners = (0..n.ok_or(few)?)
            .map(|_| place(options.value()?, options.value()?))
            .collect::<Result<Vec<_>, _>>()?;
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (lon, lat) = (corner.lon.to_radians(), corner.lat.to_radians());
            x += lat.cos() * lon.cos();
            y += lat.cos() * lon.sin();
            z += lat.sin();
        }
        let lat = z.atan2(x.hypot(y)).to_degrees();
        self.center = Some(Center::Place(Place { lon: y.atan2(x).to_degrees(), lat }));
        (self.shape, self.unit) = (Some(Shape::Polygon(corners)), 1.0);
        Ok(())
    }

    /// Refuses options that don't go together.
    fn check(&self, argv: Argv<'_>, kind: Kind) -> Result<(), CmdError> {
        let searches = matches!(kind, Kind::Search | Kind::SearchStore);
        let name = String::from_utf8_lossy(argv[0]);
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            let who = match kind {
                Kind::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(CmdError::err(format!(
                "{who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        if searches && self.center.is_none() {
            return Err(CmdError::err(format!(
                "exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if searches && self.shape.is_none() {
            return Err(CmdError::err(format!(
                "exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if self.any && self.count == 0 {
            return Err(CmdError::new("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The places inside, as many and in the order that is asked for.
    fn find<'z>(&self, zset: ZSetRef<'z>, area: &Area) -> Vec<Found<'z>> {
        let mut found = Vec::new();
        let enough = if self.any { self.count } else { usize::MAX };
        for cell in area.cells() {
            let (low, high) = cell.scores();
            let from = zset.count_before(&AtScore { score: low, behind: false });
            let to = zset.count_before(&AtScore { score: high, behind: false });
            for part in (from..to.max(from)).step_by(PART) {
                zset.ascend(part, PART.min(to - part), |member, score| {
                    let place = Place::of_score(score);
                    if found.len() < enough
                        && let Some(distance) = area.distance(place)
                    {
                        found.push(Found { member, score, place, distance });
                    }
                });
                if found.len() >= enough {
                    break;
                }
            }
        }
        // COUNT wants the nearest places, unless ANY is given.
        let nearest = (self.count > 0 && !self.any).then_some(Order::Nearest);
        match self.order.or(nearest) {
            Some(Order::Nearest) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(Order::Farthest) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
            None => {}
        }
        if self.count > 0 {
            found.truncate(self.count);
        }
        found
    }

    fn reply(&self, reply: &mut Reply, found: &[Found<'_>]) {
        let facts = [self.with_distance, self.with_hash, self.with_place];
        let facts = facts.iter().filter(|fact| **fact).count();
        reply.array(found.len());
        for place in found {
            if facts > 0 {
                reply.array(1 + facts);
            }
            reply_member(reply, place.member);
            if self.with_distance {
                reply_distance(reply, place.distance / self.unit);
            }
            if self.with_hash {
                reply.int(place.score as i64);
            }
            if self.with_place {
                reply_place(reply, place.place);
            }
        }
    }

    /// What was found, as a set to be stored.
    fn result(&self, found: &[Found<'_>], limits: &ZSetLimits) -> ZSet {
        let (mut result, mut scratch) = (Unsorted::new(limits.seed, 0), Scratch::default());
        for place in found {
            let distance = place.distance / self.unit;
            let score = if self.store_distance { distance } else { place.score };
            result.add(place.member.bytes(&mut scratch), score, |_| score);
        }
        ZSet::from_unsorted(result, limits)
    }
}

/// `GEORADIUS key longitude latitude radius unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count
/// [ANY]] [ASC|DESC] [STORE key|STOREDIST key]`. O(places in the cells + log n).
fn georadius(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::Radius { store: true }, Around::LonLat)
}

/// `GEORADIUS_RO`: GEORADIUS that can't store.
fn georadius_ro(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::Radius { store: false }, Around::LonLat)
}

/// `GEORADIUSBYMEMBER key member radius unit ...`: GEORADIUS around a member.
fn georadiusbymember(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::Radius { store: true }, Around::Member)
}

/// `GEORADIUSBYMEMBER_RO`: GEORADIUSBYMEMBER that can't store.
fn georadiusbymember_ro(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::Radius { store: false }, Around::Member)
}

/// `GEOSEARCH key FROMMEMBER member|FROMLONLAT longitude latitude BYRADIUS radius unit|BYBOX width
/// height unit [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`; as in Valkey 9
/// also `GEOSEARCH key BYPOLYGON vertices longitude latitude ...`. O(places in the cells + log n).
fn geosearch(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::Search, Around::Options)
}

/// `GEOSEARCHSTORE destination source ... [STOREDIST]`: GEOSEARCH that stores what it finds.
fn geosearchstore(ctx: &mut Ctx<'_>) -> CmdResult {
    search(ctx, Kind::SearchStore, Around::Options)
}

/// How a command is told the center.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    LonLat,
    Member,
    Options,
}

fn search(ctx: &mut Ctx<'_>, kind: Kind, around: Around) -> CmdResult {
    let Ctx { db, argv, reply, fx, limits, .. } = ctx;
    let (argv, limits) = (*argv, limits.zset());
    let mut request = Request { unit: 1.0, ..Request::default() };
    let source = if kind == Kind::SearchStore { 2 } else { 1 };
    let zset = db.read_as::<ZSet>(argv.at(source), fx)?;
    let first_option = match around {
        Around::LonLat => {
            request.center = Some(Center::Place(place(argv.at(2), argv.at(3))?));
            let (shape, unit) = radius(argv.at(4), argv.at(5))?;
            (request.shape, request.unit) = (Some(shape), unit);
            6
        }
        Around::Member => {
            request.center = Some(Center::Member(argv.at(2)));
            // Compat: if there is no such key, even the radius is not looked at.
            if zset.is_some() {
                Center::Member(argv.at(2)).place(zset)?;
                let (shape, unit) = radius(argv.at(3), argv.at(4))?;
                (request.shape, request.unit) = (Some(shape), unit);
            }
            5
        }
        Around::Options => source + 1,
    };
    if kind == Kind::SearchStore {
        request.store = Some(argv.at(1));
    }
    request.options(argv, first_option, kind, zset)?;
    request.check(argv, kind)?;
    let center = request.center.map(|center| center.place(zset)).transpose()?.flatten();
    let polygon = matches!(request.shape, Some(Shape::Polygon(_)));
    let area = center.zip(request.shape.take()).map(|(center, shape)| Area { center, shape });
    let found = match (zset, area) {
        (Some(zset), Some(area)) => request.find(zset, &area),
        _ => Vec::new(),
    };
    let Some(destination) = request.store else {
        request.reply(reply, &found);
        return Ok(Flow::Done);
    };
    let result = request.result(&found, &limits);
    let event = match kind {
        Kind::Radius { .. } => "georadiusstore",
        Kind::Search | Kind::SearchStore => "geosearchstore",
    };
    if polygon && fx.is_streamed() {
        stream_result(fx, destination, &result);
    }
    let stored = store(db, destination, result, event, fx);
    fx.dirty += (stored as u64).saturating_sub(1);
    reply.len_int(stored);
    Ok(Flow::Done)
}

/// What was stored goes into the stream instead of the search: an older server that reads the file
/// would pass over a polygon, which it does not know.
fn stream_result(fx: &mut Effects, key: &[u8], result: &ZSet) {
    fx.also(&[b"DEL", key]);
    let mut words = vec![b"ZADD".to_vec(), key.to_vec()];
    result.view().each(|member, score| {
        let mut text = Vec::new();
        write_f64_17g(&mut text, score);
        words.push(text);
        words.push(member.to_vec());
    });
    if words.len() > 2 {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        fx.also(&words);
    }
    fx.dont_propagate();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polygons_know_their_inside() {
        let corner = |(lon, lat)| Place { lon, lat };
        let angle = [(0.0, 0.0), (4.0, 0.0), (4.0, 1.0), (1.0, 1.0), (1.0, 4.0), (0.0, 4.0)];
        let angle = angle.map(corner);
        for (at, inside) in [
            ((0.5, 0.5), true),
            ((3.0, 0.5), true),
            ((0.5, 3.0), true),
            ((2.0, 2.0), false),
            ((-1.0, 0.5), false),
            ((5.0, 0.5), false),
        ] {
            assert_eq!(is_inside(&angle, corner(at)), inside, "{at:?}");
        }
        assert_eq!(bounds_of(&angle), Bounds { lon: (0.0, 4.0), lat: (0.0, 4.0) });
    }
}
