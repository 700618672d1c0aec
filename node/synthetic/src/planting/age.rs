//! QC: cancers at ages at which they are unlikely in children.

use super::{
    PlantError,
    bed::Bed,
    recast::{self, Recast, recast},
};

const AT_AGE: &[(&str, Recast)] = &[
    ("QC01", recast("C770", 9663, "II(a)", (1, 2))),
    ("QC02", recast("C749", 9500, "IV(a)", (10, 14))),
    ("QC03", recast("C692", 9511, "V", (6, 14))),
    ("QC04", recast("C649", 8960, "VI(a)", (9, 14))),
    ("QC05", recast("C649", 8312, "VI(b)", (1, 8))),
    ("QC06", recast("C220", 8970, "VII(a)", (6, 14))),
    ("QC07", recast("C220", 8170, "VII(b)", (1, 8))),
    ("QC08", recast("C402", 9180, "VIII(a)", (1, 5))),
    ("QC09", recast("C402", 9220, "VIII(b)", (1, 5))),
    ("QC10", recast("C402", 9260, "VIII(c)", (1, 3))),
    ("QC11", recast("C495", 9071, "X(b)", (8, 14))),
    ("QC12", recast("C569", 8140, "X(d)", (1, 4)).of_sex("2")),
    ("QC13", recast("C739", 8260, "XI(b)", (1, 5))),
    ("QC14", recast("C119", 8072, "XI(c)", (1, 5))),
    ("QC15", recast("C449", 8070, "XI(e)", (1, 4))),
    ("QC16", recast("C060", 8010, "XI(f)", (1, 4))),
    ("QC17", recast("C482", 9050, "XII(a)", (1, 14))),
];

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let to = AT_AGE.iter().find(|(rule, _)| *rule == bed.rule).map(|(_, to)| *to);
    to.map_or(Ok(()), |to| recast::plant(bed, count, to).map(drop))
}
