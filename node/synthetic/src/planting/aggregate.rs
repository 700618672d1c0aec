//! QL: measures of the whole registry outside their bounds. Each can be planted once.

use super::{
    PlantError,
    bed::{Bed, Person},
    recast::{self, recast},
};

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let place = usize::from(!bed.registry.planted.contains_key(bed.rule));
    if count > place {
        return Err(bed.too_few(count, place));
    }
    let done = match bed.rule {
        "QL01" => population(bed),
        "QL02" => boys(bed),
        "QL03" => deaths(bed),
        _ => leukaemia(bed),
    };
    if !done {
        return Err(bed.too_few(count, 0));
    }
    bed.registry.record(bed.rule, "aggregate", vec!["period".to_owned()]);
    Ok(())
}

/// Least person-years at ages 0-14, cases of both sexes, and cases for a measure to be judged.
const LEAST_PERSON_YEARS: u64 = 500_000;
const LEAST_OF_BOTH_SEXES: usize = 200;
const LEAST_CASES: usize = 50;

/// QL01: twice the population, so that the rate is half of what it is.
fn population(bed: &mut Bed<'_>) -> bool {
    let rows = bed.registry.rows("population").len();
    let of = |bed: &Bed<'_>, row: usize| -> u64 { bed.get("population", row, "person_years").parse().unwrap_or(0) };
    let young: u64 =
        (0..rows).filter(|row| bed.get("population", *row, "age_band") != "15-19").map(|row| of(bed, row)).sum();
    if young * 2 < LEAST_PERSON_YEARS {
        return false;
    }
    for row in 0..rows {
        let doubled = of(bed, row) * 2;
        bed.set("population", row, "person_years", doubled);
    }
    true
}

/// QL02: girls written as boys until there are nearly twice as many boys.
fn boys(bed: &mut Bed<'_>) -> bool {
    let all = bed.registry.rows("patient").len();
    let girls = bed.people.iter().filter(|person| bed.get("patient", person.patient, "sex") == "2").count();
    let surplus = girls.saturating_sub(all * 36 / 100);
    let candidates = bed.persons(|bed, person| {
        bed.get("patient", person.patient, "sex") == "2"
            && person.tumours.iter().all(|tumour| {
                let site = bed.get("tumour", *tumour, "topography");
                !site.starts_with("C5")
            })
    });
    if all < LEAST_OF_BOTH_SEXES || candidates.len() < surplus {
        return false;
    }
    for person in candidates.into_iter().take(surplus) {
        bed.set("patient", person.patient, "sex", "1");
    }
    true
}

/// QL03: nearly all deaths forgotten; those children are lost to follow-up instead.
fn deaths(bed: &mut Bed<'_>) -> bool {
    let cases = bed.registry.rows("tumour").len();
    let dead = bed.people.iter().filter(|person| bed.is_dead(person)).count();
    let forgotten = bed.persons(|bed, person| {
        bed.is_dead(person)
            && !person.courses.is_empty()
            && person.tumours.iter().all(|tumour| bed.get("tumour", *tumour, "basis") != "0")
    });
    if cases < LEAST_CASES || (dead - forgotten.len()) * 22 > cases {
        return false;
    }
    for person in &forgotten {
        forget_death(bed, person);
    }
    let ids: Vec<&str> = forgotten.iter().map(|person| person.id.as_str()).collect();
    if let Some(events) = bed.registry.collections.get_mut("event")
        && let Some(kind) = events.column("event_type")
    {
        let ids: std::collections::HashSet<&str> = ids.into_iter().collect();
        events.rows.retain(|row| row[kind] != "death" || !ids.contains(row[0].as_str()));
    }
    true
}

fn forget_death(bed: &mut Bed<'_>, person: &Person) {
    if let Some(row) = person.contacts.last() {
        bed.set("follow_up", *row, "vital_status", "1");
        bed.set("follow_up", *row, "followup_status", "lost_after_therapy");
        let death = [
            "death_date",
            "death_cause_category",
            "trm_cause",
            "active_disease_at_death",
            "palliative_referral_date",
            "place_of_death",
            "opioid_access",
        ];
        bed.clear("follow_up", *row, &death);
    }
    for course in &person.courses {
        if bed.get("course", *course, "end_reason") == "death" {
            bed.set("course", *course, "end_reason", "lost");
        }
    }
}

/// QL04: most leukaemias coded as soft-tissue sarcoma, which occurs at the same ages.
fn leukaemia(bed: &mut Bed<'_>) -> bool {
    let young: Vec<usize> =
        (0..bed.registry.rows("tumour").len()).filter(|row| (0..=14).contains(&bed.age(*row))).collect();
    let leukaemias = young.iter().filter(|row| bed.get("tumour", **row, "iccc_code").starts_with("I(")).count();
    let surplus = leukaemias.saturating_sub(young.len() * 15 / 100);
    let candidates: Vec<_> = recast::plain(bed)
        .into_iter()
        .filter(|(_, tumour)| bed.age(*tumour) <= 14 && bed.get("tumour", *tumour, "iccc_code").starts_with("I("))
        .collect();
    if young.len() < LEAST_CASES || candidates.len() < surplus {
        return false;
    }
    for (_, tumour) in candidates.into_iter().take(surplus) {
        recast::codes(bed, tumour, recast("C499", 8800, "IX(e)", (0, 14)));
    }
    true
}
