//! The fixed bins of histograms: they depend on the field alone, so that no two answers have bins that differ by one value.

use node_domain::dictionary::{Field, Kind};

/// Lower edges of the bins of day counts; each bin ends where the next begins, the last one is open.
const DAYS: [u16; 18] = [0, 1, 3, 7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 545, 730, 1095, 1825];
/// Up to this greatest value, bins are of [`NARROW`] units each.
const SMALL: i64 = 200;
/// Width of the bins of ages and other small numbers.
const NARROW: i64 = 5;

/// The lower edges of the bins of a whole-number field, increasing; none for other fields.
#[must_use]
pub fn lower_edges(field: &Field) -> Vec<u16> {
    let Kind::Integer { minimum, maximum } = field.kind else { return Vec::new() };
    if maximum > SMALL && minimum == 0 {
        return DAYS.to_vec();
    }
    let width = if maximum - minimum <= SMALL { NARROW } else { NARROW * 2 };
    let mut edges = Vec::new();
    let mut edge = minimum;
    while edge <= maximum {
        edges.extend(u16::try_from(edge));
        edge += width;
    }
    edges
}
