//! QH: grade and stage.

use super::{
    PlantError,
    bed::{Bed, Person},
    recast::{self, recast},
};

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QH01" => {
            for tumour in recast::plant(bed, count, recast("C712", 9505, "III(e)", (1, 19)).of_behaviour("1"))? {
                bed.set("tumour", tumour, "grade", "2");
            }
            Ok(())
        }
        "QH02" => {
            let candidates = bed.rows(
                |person| &person.tumours,
                |bed, _, tumour| {
                    let code: u16 = bed.get("tumour", tumour, "morphology").parse().unwrap_or(9999);
                    code < 9590 && bed.get("tumour", tumour, "behaviour") == "3"
                },
            );
            for (_, tumour) in bed.take(candidates, count)? {
                bed.set("tumour", tumour, "grade", "6");
                bed.record("tumour", tumour);
            }
            Ok(())
        }
        "QH03" => {
            for tumour in recast::plant(bed, count, recast("C749", 9500, "IV(a)", (2, 8)))? {
                write(bed, tumour, "neuroblastoma", "MS", "clinical", "marrow;liver");
            }
            Ok(())
        }
        "QH04" => {
            let candidates: Vec<_> =
                recast::plain(bed).into_iter().filter(|(person, _)| surgery_first(bed, person)).collect();
            for (person, tumour) in bed.take(candidates, count)? {
                recast::apply(bed, &person, tumour, recast("C649", 8960, "VI(a)", (1, 8)));
                write(bed, tumour, "renal_tumors_nephroblastoma", "y-II", "after_neoadjuvant", "none");
                bed.record("tumour", tumour);
            }
            Ok(())
        }
        _ => {
            let candidates = bed.rows(
                |person| &person.tumours,
                |bed, _, tumour| {
                    !bed.get("tumour", tumour, "metastasis_site").is_empty()
                    && !matches!(bed.get("tumour", tumour, "stage_value"), "" | "MS" | "LX")
                    // their regional stages say nothing sure of metastases
                    && !matches!(bed.get("tumour", tumour, "stage_schema"), "retinoblastoma" | "ovarian" | "testicular")
                },
            );
            for (_, tumour) in bed.take(candidates, count)? {
                let none = bed.get("tumour", tumour, "metastasis_site") == "none";
                bed.set("tumour", tumour, "metastasis_site", if none { "lung" } else { "none" });
                bed.record("tumour", tumour);
            }
            Ok(())
        }
    }
}

fn write(bed: &mut Bed<'_>, tumour: usize, schema: &str, value: &str, basis: &str, metastasis: &str) {
    let cells = [
        ("stage_schema", schema),
        ("stage_value", value),
        ("stage_tier", "2"),
        ("stage_guideline_version", "2"),
        ("stage_basis", basis),
        ("metastasis_site", metastasis),
    ];
    for (column, value) in cells {
        bed.set("tumour", tumour, column, value);
    }
}

/// Whether surgery comes first and chemotherapy later or never.
fn surgery_first(bed: &Bed<'_>, person: &Person) -> bool {
    let first = |modality: &str| {
        let of = person.courses.iter().filter(|course| bed.get("course", **course, "modality") == modality);
        of.filter_map(|course| bed.date("course", *course, "start_date")).min()
    };
    match (first("surgery"), first("chemotherapy")) {
        (Some(surgery), Some(chemotherapy)) => surgery < chemotherapy,
        (surgery, _) => surgery.is_some(),
    }
}
