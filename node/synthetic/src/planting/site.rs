//! QD, QE and QF: site, morphology, behaviour, sex and age that do not go together.

use super::{
    PlantError,
    bed::Bed,
    recast::{self, Recast, recast},
};
use crate::draw::between;

const TOGETHER: &[(&str, Recast)] = &[
    ("QD01", recast("C619", 8140, "XI(f)", (5, 19)).of_sex("1")),
    ("QD02", recast("C209", 8140, "XI(f)", (6, 19))),
    ("QD03", recast("C172", 8140, "XI(f)", (6, 19))),
    ("QD04", recast("C189", 8140, "XI(f)", (6, 19))),
    ("QD05", recast("C649", 8960, "VI(a)", (15, 19))),
    ("QD06", recast("C779", 9724, "II(b)", (1, 14))),
    ("QD07", recast("C421", 9823, "I(a)", (1, 19))),
    ("QD08", recast("C589", 9100, "X(b)", (1, 7)).of_sex("2")),
    ("QD09", recast("C619", 8910, "IX(a)", (1, 4)).of_sex("1")),
    ("QD10", recast("C692", 9510, "V", (6, 14))),
    ("QE01", recast("C529", 8910, "IX(a)", (1, 14)).of_sex("1")),
    ("QE02", recast("C639", 8910, "IX(a)", (1, 14)).of_sex("2")),
    ("QE03", recast("C495", 8930, "XII(a)", (1, 19)).of_sex("1")),
    ("QE04", recast("C569", 9061, "X(c)", (6, 19)).of_sex("2")),
    ("QF01", recast("C490", 8720, "999", (1, 19)).of_behaviour("2")),
    ("QF02", recast("C499", 8850, "999", (1, 19)).of_behaviour("0")),
    ("QF03", recast("C716", 9421, "III(b)", (1, 19)).of_behaviour("1")),
    ("QF04", recast("C779", 9861, "I(b)", (1, 19))),
    ("QF05", recast("C480", 8960, "VI(a)", (1, 8))),
    ("QF06", recast("C694", 9510, "V", (1, 5))),
    ("QF07", recast("C710", 9470, "III(c)", (1, 14))),
    ("QF08", recast("C495", 9391, "III(a)", (1, 19))),
    ("QF09", recast("C499", 9530, "III(e)", (1, 19)).of_behaviour("0")),
    ("QF10", recast("C259", 8970, "VII(a)", (1, 5))),
    ("QF11", recast("C496", 9180, "IX(d)", (6, 19))),
    ("QF12", recast("C079", 8330, "XI(b)", (6, 19))),
    ("QF13", recast("C480", 8370, "XI(a)", (6, 19))),
    ("QF14", recast("C719", 9362, "III(e)", (1, 19))),
    ("QF15", recast("C499", 8973, "XII(a)", (1, 19))),
    ("QF16", recast("C421", 9680, "II(b)", (1, 19))),
    ("QF18", recast("C419", 8140, "999", (6, 19))),
    ("QF19", recast("C379", 9811, "II(b)", (1, 19))),
];

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    if bed.rule == "QF17" {
        return stored_code(bed, count);
    }
    let Some(to) = TOGETHER.iter().find(|(rule, _)| *rule == bed.rule).map(|(_, to)| *to) else { return Ok(()) };
    for tumour in recast::plant(bed, count, to)? {
        if bed.rule == "QD10" {
            bed.record_implied("QC03", "tumour", tumour);
        }
    }
    Ok(())
}

/// QF17: the code of another group.
fn stored_code(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates =
        bed.rows(|person| &person.tumours, |bed, _, tumour| !bed.get("tumour", tumour, "iccc_code").is_empty());
    for (_, tumour) in bed.take(candidates, count)? {
        let wrong = ["IX(e)", "XII(b)", "I(e)", "III(f)"];
        let at = between(&mut bed.rng, 0, 3) as usize;
        let wrong = if wrong[at] == bed.get("tumour", tumour, "iccc_code") { "VI(c)" } else { wrong[at] };
        bed.set("tumour", tumour, "iccc_code", wrong);
        bed.record("tumour", tumour);
    }
    Ok(())
}
