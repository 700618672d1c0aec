//! Rows of `patient`, `tumour`, `event` and `follow_up`.

use rand::{Rng, rngs::StdRng};

use super::facilities::Hospital;
use crate::{
    Registry,
    cancers::Cancer,
    countries::Country,
    draw::{age, between, chance, code, number, plus, text, weighted},
    mix::Known,
    story::{Event, Story},
    tumour::Findings,
};

const TOXICITIES: &[&str] = &[
    "Mucositis oral",
    "Vomiting",
    "Anaphylaxis",
    "Pancreatitis",
    "Peripheral motor neuropathy",
    "Thromboembolic event",
    "Hepatic toxicity",
    "Seizure",
    "Acute kidney injury",
    "Typhlitis",
];

/// Writes a patient.
pub(crate) fn write(
    registry: &mut Registry,
    story: &Story,
    hospitals: &[Hospital],
    country: &Country,
    rng: &mut StdRng,
) {
    patient(registry, story, country, rng);
    let known = if story.known == Known::Certificate { 1 } else { rng.random_range(1..=4) };
    tumour(registry, story, &hospitals[story.facility], known);
    if let Some(second) = &story.second {
        let cells = [
            ("patient_id", story.id.clone()),
            ("tumour_seq", "2".to_owned()),
            ("diagnosis_date", second.diagnosis.to_string()),
            ("registered_on", plus(second.diagnosis, between(rng, 0, 30)).to_string()),
            ("extract_age_years", age(story.birth, second.diagnosis).to_string()),
            ("facility_id", hospitals[story.facility].id.clone()),
            ("cohort", hospitals[story.facility].cohort.to_owned()),
            ("source_count", "2".to_owned()),
        ];
        registry.add("tumour", &[&cells[..], &found(second.cancer, &second.found)].concat());
    }
    events(registry, story, rng);
    follow_up(registry, story);
}

fn patient(registry: &mut Registry, story: &Story, country: &Country, rng: &mut StdRng) {
    let region = country.regions[weighted(rng, country.regions.iter().map(|(_, weight)| *weight))].0;
    let scheme = if country.high_income_mix {
        code(rng, &[("public", 0.8), ("private", 0.18), ("unknown", 0.02)])
    } else {
        code(
            rng,
            &[
                ("social_security", 0.42),
                ("public", 0.38),
                ("private", 0.08),
                ("military", 0.02),
                ("none", 0.07),
                ("unknown", 0.03),
            ],
        )
    };
    let travel = if chance(rng, 0.75) { number((rng.random::<f64>() * 3.4 - 1.0).exp(), 1) } else { String::new() };
    registry.add(
        "patient",
        &[
            ("patient_id", story.id.clone()),
            ("birth_date", story.birth.to_string()),
            ("sex", if story.boy { "1" } else { "2" }.to_owned()),
            ("residence_country", country.iso2.to_owned()),
            ("residence_region", region.to_owned()),
            ("coverage_scheme", scheme.to_owned()),
            ("travel_time_h", travel),
            ("legal_basis", "public_task".to_owned()),
            ("objection", "no".to_owned()),
        ],
    );
}

fn tumour(registry: &mut Registry, story: &Story, hospital: &Hospital, sources: u8) {
    let treated = !story.courses.is_empty();
    let mut cells = vec![
        ("patient_id", story.id.clone()),
        ("tumour_seq", story.tumour_seq().to_owned()),
        ("diagnosis_date", story.diagnosis.to_string()),
        ("registered_on", story.registered.to_string()),
        ("extract_age_years", story.age().to_string()),
        ("source_count", sources.to_string()),
        ("facility_id", hospital.id.clone()),
        ("cohort", hospital.cohort.to_owned()),
        ("cr_date", text(story.remission)),
        ("protocol", if treated { story.cancer.regimen.protocol() } else { "" }.to_owned()),
    ];
    if let Some(path) = story.path {
        cells.extend([
            ("symptom_onset_date", path.onset.to_string()),
            ("first_contact_date", path.contact.to_string()),
            ("first_suspicion_date", path.suspicion.to_string()),
            ("referral_date", path.referral.to_string()),
            ("specialist_seen_date", path.specialist.to_string()),
        ]);
    }
    cells.extend(found(story.cancer, &story.found));
    registry.add("tumour", &cells);
}

/// What was found at diagnosis, as cells.
fn found(cancer: &Cancer, found: &Findings) -> Vec<(&'static str, String)> {
    let mut cells = vec![
        ("topography", found.topography.to_owned()),
        ("morphology", found.morphology.to_string()),
        ("behaviour", found.behaviour.to_owned()),
        ("grade", found.grade.to_owned()),
        ("who_cns_grade", found.who_grade.to_owned()),
        ("basis", found.basis.to_owned()),
        ("laterality", found.laterality.to_owned()),
        ("iccc_code", cancer.iccc.to_owned()),
        ("iccc_version", "IARC2017".to_owned()),
        ("icd10", cancer.icd10.to_owned()),
        ("markers_tested", found.markers_tested.clone()),
        ("markers_positive", found.markers_positive.clone()),
        ("markers_failed", found.markers_failed.clone()),
        ("immunophenotype", found.immunophenotype.to_owned()),
        ("metastasis_site", found.metastasis.to_owned()),
        ("wbc_at_dx", found.wbc.clone()),
        ("risk_scheme", found.risk_scheme.to_owned()),
        ("risk_value", found.risk.to_owned()),
    ];
    if !found.stage.is_empty() {
        let basis = if found.stage.starts_with("y-") { "after_neoadjuvant" } else { "clinical" };
        cells.extend([
            ("stage_schema", cancer.staging.schema.to_owned()),
            ("stage_value", found.stage.to_owned()),
            ("stage_tier", "2".to_owned()),
            ("stage_guideline_version", "2".to_owned()),
            ("stage_basis", basis.to_owned()),
        ]);
    }
    if let Some([white, blasts]) = &found.csf {
        cells.extend([
            ("csf_wbc_per_ul", white.clone()),
            ("csf_rbc_per_ul", "0".to_owned()),
            ("csf_blasts", blasts.clone()),
            ("cns_clinical_signs", "no".to_owned()),
        ]);
    }
    if let Some([percent, day, method, limit]) = &found.mrd {
        cells.extend([
            ("mrd_percent", percent.clone()),
            ("mrd_day", day.clone()),
            ("mrd_method", method.clone()),
            ("mrd_limit_percent", limit.clone()),
        ]);
    }
    cells
}

fn events(registry: &mut Registry, story: &Story, rng: &mut StdRng) {
    let mut events: Vec<Event> = story.events.clone();
    let chemotherapy: Vec<_> = story.chemotherapy().map(|(course, end)| (course.start, end)).collect();
    if !chemotherapy.is_empty() && chance(rng, 0.22) {
        let (start, end) = chemotherapy[rng.random_range(0..chemotherapy.len())];
        let date = plus(start, between(rng, 0, crate::draw::days(start, end)));
        events.push(Event { kind: "toxicity", date, site: "", abandonment: None });
    }
    // a death comes last on its day
    events.sort_by_key(|event| (event.date, event.kind == "death"));
    for (index, event) in events.iter().enumerate() {
        let mut cells = vec![
            ("patient_id", story.id.clone()),
            ("tumour_seq", story.tumour_seq().to_owned()),
            ("event_number", (index + 1).to_string()),
            ("event_type", event.kind.to_owned()),
            ("event_date", event.date.to_string()),
            ("event_site", event.site.to_owned()),
        ];
        if let Some(abandonment) = event.abandonment {
            cells.extend([
                ("abandonment_kind", abandonment.kind.to_owned()),
                ("abandonment_reason", abandonment.reason.to_owned()),
                ("returned", if abandonment.returned.is_some() { "yes" } else { "no" }.to_owned()),
                ("returned_on", text(abandonment.returned)),
            ]);
        }
        if event.kind == "toxicity" {
            cells.extend([
                ("toxicity_term", TOXICITIES[rng.random_range(0..TOXICITIES.len())].to_owned()),
                ("toxicity_grade", rng.random_range(2..=4).to_string()),
                ("toxicity_icu", if chance(rng, 0.12) { "yes" } else { "no" }.to_owned()),
                (
                    "toxicity_attribution",
                    code(rng, &[("possible", 0.3), ("probable", 0.5), ("definite", 0.2)]).to_owned(),
                ),
            ]);
        }
        registry.add("event", &cells);
    }
}

fn follow_up(registry: &mut Registry, story: &Story) {
    for contact in &story.contacts {
        let mut cells = vec![
            ("patient_id", story.id.clone()),
            ("last_contact_date", contact.date.to_string()),
            ("vital_status", contact.vital.to_owned()),
            ("vital_source", contact.source.to_owned()),
            ("followup_status", contact.status.to_owned()),
        ];
        if let Some(death) = story.death.filter(|_| contact.vital == "0") {
            cells.extend([
                ("death_date", death.date.to_string()),
                ("death_cause_category", death.cause.to_owned()),
                ("trm_cause", death.toxic_cause.to_owned()),
                ("active_disease_at_death", death.active.to_owned()),
                ("palliative_referral_date", text(death.palliative)),
                ("place_of_death", death.place.to_owned()),
                ("opioid_access", death.opioids.to_owned()),
            ]);
        }
        registry.add("follow_up", &cells);
    }
}
