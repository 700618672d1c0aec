//! QA: codes that do not exist.

use super::{
    PlantError,
    bed::{Bed, Person},
    recast::{self, recast},
};
use crate::{cancers::BANDS, draw::between, planting::basis::Room, tumour::is_paired};

/// Invalid neighbours of sites inside a range that ICCC-3 classifies as a whole.
const NO_SITE: &[(&str, &str)] = &[("C40", "C406"), ("C49", "C497"), ("C74", "C745")];

/// Stages of another schema, which say nothing of metastases.
const NOT_OF_SCHEMA: &[(&str, &str)] = &[
    ("acute_lymphoblastic_leukemia", "IIIB"),
    ("hodgkin_lymphoma", "CNS2"),
    ("nhl_burkitt_lymphoma", "IIA"),
    ("nhl_mature_b_cell_lymphomas", "IIA"),
    ("nhl_t_cell_and_nk_cell_lymphomas", "IIA"),
];

/// Sets one cell of tumours that the condition holds for.
fn tumours(
    bed: &mut Bed<'_>,
    count: usize,
    fits: impl Fn(&Bed<'_>, usize) -> bool,
    change: impl Fn(&mut Bed<'_>, &Person, usize),
) -> Result<(), PlantError> {
    let candidates = bed.rows(|person| &person.tumours, |bed, _, tumour| fits(bed, tumour));
    for (person, tumour) in bed.take(candidates, count)? {
        change(bed, &person, tumour);
        bed.record("tumour", tumour);
    }
    Ok(())
}

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QA01" => tumours(
            bed,
            count,
            |bed, tumour| {
                let site = bed.get("tumour", tumour, "topography");
                matches!(bed.get("tumour", tumour, "morphology"), "9500" | "9180" | "8910" | "8920" | "9040" | "9540")
                    && no_site(site).is_some()
            },
            |bed, _, tumour| {
                if let Some(site) = no_site(bed.get("tumour", tumour, "topography")) {
                    bed.set("tumour", tumour, "topography", site);
                }
            },
        ),
        // in situ and without an ICCC-3 code, so that no rule on the classification speaks up as well
        "QA02" => recast::plant(bed, count, recast("C739", 7999, "", (6, 19)).of_behaviour("2")).map(drop),
        "QA03" => {
            let candidates = recast::plain(bed);
            for (_, tumour) in bed.take(candidates, count)? {
                for (column, value) in [("behaviour", "6"), ("grade", "9"), ("iccc_code", "")] {
                    bed.set("tumour", tumour, column, value);
                }
                bed.clear("tumour", tumour, recast::STAGE);
                bed.record("tumour", tumour);
            }
            Ok(())
        }
        "QA04" => tumours(
            bed,
            count,
            |bed, tumour| bed.get("tumour", tumour, "behaviour") == "3",
            |bed, _, tumour| {
                bed.set("tumour", tumour, "grade", "0");
            },
        ),
        "QA05" => basis_three(bed, count),
        "QA06" => persons(bed, count, |_, _| true, |bed, person| bed.set("patient", person.patient, "sex", "5")),
        "QA07" => grown_up(bed, count),
        "QA08" => persons(
            bed,
            count,
            |_, _| true,
            |bed, person| {
                let region = format!("{}-ZZZ", bed.registry.country);
                bed.set("patient", person.patient, "residence_region", region);
            },
        ),
        "QA09" => {
            let candidates =
                bed.rows(|person| &person.doses, |bed, _, dose| bed.get("administration", dose, "atc").len() == 7);
            for (_, dose) in bed.take(candidates, count)? {
                let short = bed.get("administration", dose, "atc")[..5].to_owned();
                bed.set("administration", dose, "atc", short);
                bed.record("administration", dose);
            }
            Ok(())
        }
        "QA10" => tumours(
            bed,
            count,
            |bed, tumour| is_paired(bed.get("tumour", tumour, "topography")),
            |bed, _, tumour| {
                bed.set("tumour", tumour, "laterality", "0");
            },
        ),
        "QA11" => {
            for tumour in recast::plant(bed, count, recast("C739", 8260, "XI(b)", (6, 19)))? {
                bed.set("tumour", tumour, "laterality", "2");
            }
            Ok(())
        }
        "QA12" => {
            let candidates = bed.persons(Bed::is_alive);
            for person in bed.take(candidates, count)? {
                if let Some(row) = person.contacts.last() {
                    bed.set("follow_up", *row, "vital_status", "2");
                    bed.record("follow_up", *row);
                }
            }
            Ok(())
        }
        "QA13" => tumours(
            bed,
            count,
            |bed, tumour| not_of_schema(bed.get("tumour", tumour, "stage_schema")).is_some(),
            |bed, _, tumour| {
                if let Some(stage) = not_of_schema(bed.get("tumour", tumour, "stage_schema")) {
                    bed.set("tumour", tumour, "stage_value", stage);
                }
            },
        ),
        _ => tumours(
            bed,
            count,
            |bed, tumour| !bed.get("tumour", tumour, "stage_value").is_empty(),
            |bed, _, tumour| {
                bed.set("tumour", tumour, "stage_guideline_version", "");
            },
        ),
    }
}

fn no_site(site: &str) -> Option<&'static str> {
    NO_SITE.iter().find(|(family, _)| site.starts_with(family)).map(|(_, code)| *code)
}

fn not_of_schema(schema: &str) -> Option<&'static str> {
    NOT_OF_SCHEMA.iter().find(|(of, _)| *of == schema).map(|(_, stage)| *stage)
}

fn persons(
    bed: &mut Bed<'_>,
    count: usize,
    fits: impl Fn(&Bed<'_>, &Person) -> bool,
    change: impl Fn(&mut Bed<'_>, &Person),
) -> Result<(), PlantError> {
    let candidates = bed.persons(fits);
    for person in bed.take(candidates, count)? {
        change(bed, &person);
        bed.record("patient", person.patient);
    }
    Ok(())
}

/// QA05: code 3, which older registries used, on tumours that need no microscopy.
fn basis_three(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.tumours,
        |bed, _, tumour| {
            matches!(
                bed.get("tumour", tumour, "morphology"),
                "9500" | "8960" | "9510" | "9380" | "8800" | "8720" | "9350" | "8170"
            ) && bed.get("tumour", tumour, "basis") != "0"
        },
    );
    let candidates = Room::of(bed).prefer(bed, candidates);
    for (_, tumour) in bed.take(candidates, count)? {
        bed.set("tumour", tumour, "basis", "3");
        bed.record("tumour", tumour);
    }
    Ok(())
}

/// QA07: adolescents of cancers that occur at any age become adults.
fn grown_up(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            bed.only_tumour(person).is_some()
                && (BANDS[3].0..=BANDS[4].1).contains(&bed.age(tumour))
                && !matches!(bed.get("tumour", tumour, "morphology"), "8910" | "9470" | "9687" | "9421")
        },
    );
    for (person, tumour) in bed.take(candidates, count)? {
        let years = between(&mut bed.rng, 20, 24);
        recast::set_age(bed, &person, tumour, years);
        bed.record("tumour", tumour);
    }
    Ok(())
}
