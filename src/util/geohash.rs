//! Geohashes: places on the earth as numbers whose order keeps neighbours together.
//!
//! A cell of step `n` is `2n` bits: `n` of the latitude in even places and `n` of the longitude in
//! odd ones, each counted from the lower end of its range. Step 26 makes 52 bits, which a double
//! holds exactly: that is the score of a place. The range of latitudes is that of the web's maps,
//! not the poles.
//!
//! All arithmetic is done in the order in which redis-server does it, since results are compared by
//! their text.

/// The latitudes and longitudes that can be stored.
pub(crate) const LAT_MAX: f64 = 85.05112878;
pub(crate) const LON_MAX: f64 = 180.0;
/// The step of stored places.
pub(crate) const STEP_MAX: u32 = 26;
/// Bits of longitude in a cell, with those of the latitude one lower.
const LON_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LAT_BITS: u64 = 0x5555_5555_5555_5555;

const EARTH_RADIUS_METERS: f64 = 6_372_797.560856;
const MERCATOR_MAX: f64 = 20_037_726.37;

/// A place in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Place {
    pub lon: f64,
    pub lat: f64,
}

/// A rectangle in degrees.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Bounds {
    pub lon: (f64, f64),
    pub lat: (f64, f64),
}

/// A cell of the grid that halves both ranges `step` times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GeoCell {
    bits: u64,
    step: u32,
}

/// Spreads the bits of `x` to the even places.
fn spread(x: u32) -> u64 {
    let mut x = u64::from(x);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, LAT_BITS),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// Collects the bits in the even places.
fn collect(bits: u64) -> u32 {
    let mut x = bits & LAT_BITS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        x = (x | x >> shift) & mask;
    }
    x as u32
}

impl Place {
    /// Whether it can be stored.
    pub(crate) fn is_valid(self) -> bool {
        (-LON_MAX..=LON_MAX).contains(&self.lon) && (-LAT_MAX..=LAT_MAX).contains(&self.lat)
    }

    /// The score that stands for it.
    pub(crate) fn score(self) -> u64 {
        GeoCell::around(self, STEP_MAX, LAT_MAX).bits
    }

    /// The place that a score stands for: the middle of its cell.
    pub(crate) fn of_score(score: f64) -> Place {
        // As C converts it: negative numbers wrap.
        let bits = if score < 0.0 { score as i64 as u64 } else { score as u64 };
        let area = GeoCell { bits, step: STEP_MAX }.bounds();
        Place {
            lon: ((area.lon.0 + area.lon.1) / 2.0).clamp(-LON_MAX, LON_MAX),
            lat: ((area.lat.0 + area.lat.1) / 2.0).clamp(-LAT_MAX, LAT_MAX),
        }
    }

    /// Eleven letters as other systems write a geohash: over all latitudes, and the last, for which
    /// there are no bits, is always the same.
    pub(crate) fn text(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = GeoCell::around(self, STEP_MAX, 90.0).bits;
        std::array::from_fn(|i| match i {
            10 => ALPHABET[0],
            _ => ALPHABET[(bits >> (52 - (i + 1) * 5)) as usize & 0x1f],
        })
    }

    /// Meters to another place along the surface.
    pub(crate) fn distance(self, to: Place) -> f64 {
        let v = ((to.lon.to_radians_as_c() - self.lon.to_radians_as_c()) / 2.0).sin();
        if v == 0.0 {
            return self.lat_distance(to);
        }
        let (from_lat, to_lat) = (self.lat.to_radians_as_c(), to.lat.to_radians_as_c());
        let u = ((to_lat - from_lat) / 2.0).sin();
        let a = u * u + from_lat.cos() * to_lat.cos() * v * v;
        2.0 * EARTH_RADIUS_METERS * a.sqrt().asin()
    }

    /// Meters from one latitude to the other.
    pub(crate) fn lat_distance(self, to: Place) -> f64 {
        EARTH_RADIUS_METERS * (to.lat.to_radians_as_c() - self.lat.to_radians_as_c()).abs()
    }
}

/// Degrees and radians with the roundings of the original.
trait Degrees {
    fn to_radians_as_c(self) -> f64;
    fn to_degrees_as_c(self) -> f64;
}

impl Degrees for f64 {
    fn to_radians_as_c(self) -> f64 {
        self * (std::f64::consts::PI / 180.0)
    }
    fn to_degrees_as_c(self) -> f64 {
        self / (std::f64::consts::PI / 180.0)
    }
}

impl GeoCell {
    /// The cell of a place, the latitudes ranging to `lat_max`.
    fn around(place: Place, step: u32, lat_max: f64) -> GeoCell {
        let cells = (1u64 << step) as f64;
        let lat = (place.lat + lat_max) / (lat_max + lat_max) * cells;
        let lon = (place.lon + LON_MAX) / (LON_MAX + LON_MAX) * cells;
        GeoCell { bits: spread(lat as u32) | spread(lon as u32) << 1, step }
    }

    /// What it covers.
    fn bounds(self) -> Bounds {
        let cells = (1u64 << self.step) as f64;
        let range = |index: u32, max: f64| {
            let at = |index: u32| -max + f64::from(index) / cells * (max + max);
            (at(index), at(index.wrapping_add(1)))
        };
        Bounds {
            lat: range(collect(self.bits), LAT_MAX),
            lon: range(collect(self.bits >> 1), LON_MAX),
        }
    }

    /// The neighbour so many cells to the east and to the north (-1, 0 or 1 each); the grid has no
    /// ends.
    fn neighbour(self, east: i32, north: i32) -> GeoCell {
        // The bits have gaps. Ones in the gaps hand the carry on.
        let mask = u64::MAX >> (64 - self.step * 2);
        let add = |bits: u64, d: i32| {
            let (mine, gaps) = (bits & mask, !bits & mask);
            let value = self.bits & mine;
            match d {
                0 => value,
                1 => (value | gaps).wrapping_add(1) & mine,
                _ => value.wrapping_sub(mine & mine.wrapping_neg()) & mine,
            }
        };
        GeoCell { bits: add(LON_BITS, east) | add(LAT_BITS, north), step: self.step }
    }

    /// Scores of what it covers: from the first, up to but not including the second.
    pub(crate) fn scores(self) -> (f64, f64) {
        let shift = 52 - self.step * 2;
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }
}

/// A step at which a cell and its eight neighbours cover a circle of this radius, or nearly.
fn step_for(mut meters: f64, lat: f64) -> u32 {
    if meters == 0.0 {
        return STEP_MAX;
    }
    let mut step = 1i32;
    while meters < MERCATOR_MAX {
        meters *= 2.0;
        step += 1;
    }
    step -= 2;
    // Cells become narrow towards the poles.
    if lat.abs() > 66.0 {
        step -= 1;
        if lat.abs() > 80.0 {
            step -= 1;
        }
    }
    step.clamp(1, STEP_MAX as i32) as u32
}

/// What surrounds a place by so many meters to each side, and up and down.
pub(crate) fn bounds_around(center: Place, width: f64, height: f64) -> Bounds {
    let lat_delta = (height / EARTH_RADIUS_METERS).to_degrees_as_c();
    // A degree is shortest at the side that is nearer to a pole; see whether that is up or down.
    let edge = if center.lat < 0.0 { center.lat - lat_delta } else { center.lat + lat_delta };
    let lon_delta = (width / EARTH_RADIUS_METERS / edge.to_radians_as_c().cos()).to_degrees_as_c();
    Bounds {
        lon: (center.lon - lon_delta, center.lon + lon_delta),
        lat: (center.lat - lat_delta, center.lat + lat_delta),
    }
}

/// Cells that together cover what is within `meters` of a place and within the bounds: that of the
/// place, and those around it that are needed, in the order in which redis-server looks at them.
/// None twice in a row.
pub(crate) fn cover(center: Place, meters: f64, bounds: Bounds) -> Vec<GeoCell> {
    let mut step = step_for(meters, center.lat);
    let mut cell = GeoCell::around(center, step, LAT_MAX);
    let too_near = cell.neighbour(0, 1).bounds().lat.1 < bounds.lat.1
        || cell.neighbour(0, -1).bounds().lat.0 > bounds.lat.0
        || cell.neighbour(1, 0).bounds().lon.1 < bounds.lon.1
        || cell.neighbour(-1, 0).bounds().lon.0 > bounds.lon.0;
    if step > 1 && too_near {
        step -= 1;
        cell = GeoCell::around(center, step, LAT_MAX);
    }
    let area = cell.bounds();
    let needed = |east: i32, north: i32| {
        step < 2
            || !(north < 0 && area.lat.0 < bounds.lat.0
                || north > 0 && area.lat.1 > bounds.lat.1
                || east < 0 && area.lon.0 < bounds.lon.0
                || east > 0 && area.lon.1 > bounds.lon.1)
    };
    let around = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
    let mut cells = vec![cell];
    for (east, north) in around.into_iter().filter(|&(east, north)| needed(east, north)) {
        let next = cell.neighbour(east, north);
        // Compat: a cell is left out only if it is the same as the one before it; the first cell
        // does not count as one before.
        if cells.len() == 1 || cells.last() != Some(&next) {
            cells.push(next);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Place = Place { lon: 13.361389, lat: 38.115556 };
    const CATANIA: Place = Place { lon: 15.087269, lat: 37.502669 };

    #[test]
    fn known_places_have_known_scores_and_texts() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909);
        assert_eq!(&Place::of_score(3_479_099_956_230_698.0).text(), b"sqc8b49rny0");
        assert_eq!(&Place::of_score(3_479_447_370_796_909.0).text(), b"sqdtr74hyu0");
        let (a, b) =
            (Place::of_score(PALERMO.score() as f64), Place::of_score(CATANIA.score() as f64));
        assert_eq!(format!("{:.4}", a.distance(b)), "166274.1516");
        assert_eq!(a.lon, 13.361_389_338_970_184);
    }

    #[test]
    fn spread_bits_come_back() {
        for x in [0, 1, 0x1234_5678, u32::MAX, 0x8000_0001] {
            assert_eq!(collect(spread(x)), x);
            assert_eq!(collect(spread(x) << 1 >> 1), x);
        }
    }

    #[test]
    fn neighbours_are_next_to_each_other_and_wrap() {
        let cell = GeoCell::around(PALERMO, 8, LAT_MAX);
        let area = cell.bounds();
        assert_eq!(cell.neighbour(1, 0).bounds().lon.0, area.lon.1);
        assert_eq!(cell.neighbour(-1, 0).bounds().lon.1, area.lon.0);
        assert_eq!(cell.neighbour(0, 1).bounds().lat.0, area.lat.1);
        assert_eq!(cell.neighbour(-1, -1).neighbour(1, 1), cell);
        let west = GeoCell::around(Place { lon: -180.0, lat: 0.0 }, 5, LAT_MAX);
        assert_eq!(west.neighbour(-1, 0).bounds().lon.1, 180.0);
    }
}
