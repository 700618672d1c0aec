//! Rows of `session`, `case_discussion`, `training`, `agreement` and `recommendation`.

use chrono::NaiveDate;
use rand::{Rng, rngs::StdRng};

use super::facilities::Hospital;
use crate::{
    Plan, Registry,
    countries::{Country, countries},
    draw::{between, chance, code, days, new_year, plus, stamp, text, time},
    mix::Known,
    story::Story,
};

/// Kinds of session that are telemedicine, with weights.
pub(crate) const TELEMEDICINE: &[(&str, f64)] = &[
    ("diagnosis_and_treatment", 0.36),
    ("second_opinion", 0.24),
    ("remote_assistance", 0.14),
    ("follow_up_teleconsultation", 0.16),
    ("patient_administration", 0.05),
    ("collaborative_research", 0.05),
];

const TOPICS: &[&str] = &[
    "timely_diagnosis",
    "access_to_medicines",
    "complications",
    "abandonment",
    "precision_medicine",
    "new_molecules",
    "early_warning",
    "golden_hour",
    "palliative_care",
    "mrd",
    "telemedicine",
    "second_opinion",
    "family_support",
];

/// Writes what the country does with others.
pub(crate) fn write(
    registry: &mut Registry,
    stories: &[Story],
    hospitals: &[Hospital],
    country: &Country,
    plan: &Plan,
    rng: &mut StdRng,
) {
    let first = new_year(*plan.years.start());
    let weeks = days(first, plan.extract) / 7;
    let yearly = (stories.len() as f64 / 90.0).clamp(4.0, 44.0);
    for week in 0..weeks {
        if !chance(rng, yearly / 52.0) {
            continue;
        }
        let date = plus(first, 7 * week + 3).min(plan.extract);
        let kind =
            if chance(rng, 0.1) { code(rng, &[("training", 0.5), ("lecture", 0.5)]) } else { code(rng, TELEMEDICINE) };
        let status = if chance(rng, 0.06) { "cancelled" } else { "held" };
        session(registry, country, hospitals, date, kind, status, rng);
        if status == "held" && TELEMEDICINE.iter().any(|(telemedicine, _)| *telemedicine == kind) {
            for _ in 0..between(rng, 1, 3) {
                let complexity = code(rng, &[("complex", 0.6), ("routine", 0.4)]);
                discuss(registry, stories, date, complexity, false, rng);
            }
        }
    }
    session(registry, country, hospitals, plan.extract, "diagnosis_and_treatment", "planned", rng);
    for _ in 0..(weeks as f64 / 52.0 * (yearly / 8.0).clamp(1.0, 5.0)) as usize {
        let date = plus(first, between(rng, 0, days(first, plan.extract)));
        let kind = code(rng, &[("training", 0.55), ("lecture", 0.45)]);
        training(registry, country, date, kind, rng);
    }
    agreements(registry, country, hospitals, plan, rng);
    recommendations(registry, country, plan, rng);
}

/// Adds a session.
pub(crate) fn session(
    registry: &mut Registry,
    country: &Country,
    hospitals: &[Hospital],
    date: NaiveDate,
    kind: &str,
    status: &str,
    rng: &mut StdRng,
) {
    let number = registry.rows("session").len() + 1;
    let mut cells = vec![
        ("session_id", format!("SYN-{}-S{number:04}", country.iso2)),
        ("date", date.to_string()),
        ("kind", kind.to_owned()),
        ("status", status.to_owned()),
        ("host_country", country.iso2.to_owned()),
        ("facility_id", hospitals.first().map(|hospital| hospital.id.clone()).unwrap_or_default()),
        ("countries", guests(country, rng)),
    ];
    if status == "held" {
        cells.push(("duration_min", (15 * between(rng, 2, 8)).to_string()));
        cells.push(("attendees", between(rng, 4, 60).to_string()));
    }
    registry.add("session", &cells);
}

/// The host and up to four other members, each once.
fn guests(country: &Country, rng: &mut StdRng) -> String {
    let mut list = vec![country.iso2];
    for _ in 0..between(rng, 0, 4) {
        let guest = countries()[rng.random_range(0..countries().len())].iso2;
        if !list.contains(&guest) {
            list.push(guest);
        }
    }
    list.join(";")
}

/// Adds the discussion of a case in the latest session; `distinct` asks for a case never discussed before.
pub(crate) fn discuss(
    registry: &mut Registry,
    stories: &[Story],
    date: NaiveDate,
    complexity: &str,
    distinct: bool,
    rng: &mut StdRng,
) {
    let Some(session) = registry.rows("session").last().and_then(|row| row.first()).cloned() else { return };
    let rows = registry.rows("case_discussion");
    let earlier = rows.last().filter(|_| !distinct).map(|row| row[0].clone()).filter(|_| chance(rng, 0.08));
    let number = rows.len() + 1;
    let (case, again) = match earlier {
        Some(case) if !rows.iter().rev().take(4).any(|row| row[0] == case && row[1] == session) => (case, true),
        _ => (format!("SYN-{}-K{number:04}", registry.country), false),
    };
    let patient = if again { None } else { patient(stories, date, rng) };
    // a distinct case is also a person of its own
    let known = |id: &str| distinct && rows.iter().any(|row| row[2] == id);
    let patient = patient.filter(|story| !known(&story.id));
    let waited = between(rng, 1, 12).min(patient.map_or(12, |story| days(story.diagnosis, date)));
    let mut cells = vec![
        ("case_id", case),
        ("session_id", session),
        ("patient_id", patient.map(|story| story.id.clone()).unwrap_or_default()),
        ("requested_at", stamp(time(plus(date, -waited), 540))),
        ("discussed_at", stamp(time(date, 660))),
        (
            "question",
            code(
                rng,
                &[
                    ("diagnosis", 0.2),
                    ("staging", 0.08),
                    ("treatment", 0.38),
                    ("complication", 0.12),
                    ("transplant", 0.05),
                    ("referral", 0.05),
                    ("palliative", 0.04),
                    ("second_opinion", 0.08),
                ],
            )
            .to_owned(),
        ),
        ("urgency", code(rng, &[("routine", 0.6), ("priority", 0.28), ("urgent", 0.12)]).to_owned()),
        ("complexity", complexity.to_owned()),
        (
            "recommendation",
            code(
                rng,
                &[
                    ("continue", 0.25),
                    ("change_treatment", 0.32),
                    ("further_tests", 0.24),
                    ("refer", 0.09),
                    ("palliative_care", 0.04),
                    ("other", 0.04),
                    ("none", 0.02),
                ],
            )
            .to_owned(),
        ),
        ("adopted", code(rng, &[("yes", 0.66), ("partly", 0.18), ("no", 0.06), ("unknown", 0.1)]).to_owned()),
        ("changed_management", code(rng, &[("yes", 0.4), ("no", 0.5), ("unknown", 0.1)]).to_owned()),
    ];
    if chance(rng, 0.35) {
        cells.push(("opinion_given_at", stamp(time(date, 720))));
    }
    registry.add("case_discussion", &cells);
}

/// A patient diagnosed in the year before who is alive on the day.
fn patient<'s>(stories: &'s [Story], date: NaiveDate, rng: &mut StdRng) -> Option<&'s Story> {
    let from = stories.partition_point(|story| story.diagnosis < plus(date, -365));
    let to = stories.partition_point(|story| story.diagnosis < date);
    let recent = stories.get(from..to).filter(|recent| !recent.is_empty())?;
    (0..12)
        .map(|_| &recent[rng.random_range(0..recent.len())])
        .find(|story| story.known != Known::Certificate && story.age() < 20 && story.last_contact() > date)
}

/// Adds a training or lecture.
pub(crate) fn training(registry: &mut Registry, country: &Country, date: NaiveDate, kind: &str, rng: &mut StdRng) {
    let number = registry.rows("training").len() + 1;
    registry.add(
        "training",
        &[
            ("training_id", format!("SYN-{}-T{number:03}", country.iso2)),
            ("kind", kind.to_owned()),
            ("date", date.to_string()),
            ("topic", TOPICS[rng.random_range(0..TOPICS.len())].to_owned()),
            ("hours", if kind == "lecture" { "1".to_owned() } else { between(rng, 2, 16).to_string() }),
            ("attendees_physicians", between(rng, 4, 60).to_string()),
            ("attendees_nurses", between(rng, 0, 80).to_string()),
            ("attendees_families", between(rng, 0, 12).to_string()),
            ("attendees_other", between(rng, 0, 20).to_string()),
            ("host_country", country.iso2.to_owned()),
            ("countries", guests(country, rng)),
        ],
    );
}

/// An agreement of a working group.
pub(crate) struct Agreement<'a> {
    pub(crate) group: &'a str,
    pub(crate) session_no: i64,
    pub(crate) date: NaiveDate,
    pub(crate) topic: &'a str,
    pub(crate) inn: &'a str,
    pub(crate) region: &'a str,
    pub(crate) facility: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) due: NaiveDate,
    pub(crate) closed: Option<NaiveDate>,
}

/// Adds an agreement; supply resumes on the day on which one about a medicine is closed.
pub(crate) fn agree(registry: &mut Registry, agreement: &Agreement<'_>) {
    let number = registry.rows("agreement").len() + 1;
    let resumed = agreement.closed.filter(|_| !agreement.inn.is_empty());
    registry.add(
        "agreement",
        &[
            ("agreement_id", format!("SYN-{}-A{number:04}", registry.country)),
            ("group", agreement.group.to_owned()),
            ("session_no", agreement.session_no.to_string()),
            ("session_date", agreement.date.to_string()),
            ("topic", agreement.topic.to_owned()),
            ("inn", agreement.inn.to_owned()),
            ("region", agreement.region.to_owned()),
            ("facility_id", agreement.facility.to_owned()),
            ("owner", agreement.owner.to_owned()),
            ("due_on", agreement.due.to_string()),
            ("closed_on", text(agreement.closed)),
            ("supply_resumed_on", text(resumed)),
        ],
    );
}

const GROUPS: &[(&str, f64)] =
    &[("parents", 0.5), ("alliance", 0.2), ("organising_committee", 0.1), ("telemedicine", 0.2)];

const FOLLOWED: &[&str] =
    &["vincristine", "mercaptopurine", "asparaginase", "methotrexate", "levetiracetam", "filgrastim"];

/// Offices, in the country's language.
fn owners(country: &Country) -> &'static [&'static str] {
    match country.iso2 {
        "BR" => &["Coordenação de oncologia pediátrica", "Assistência farmacêutica", "Serviço social"],
        "US" => &["Office of paediatric oncology", "Pharmacy services", "Family liaison office"],
        _ => &["Coordinación de oncología pediátrica", "Unidad de abasto de medicamentos", "Trabajo social"],
    }
}

fn agreements(registry: &mut Registry, country: &Country, hospitals: &[Hospital], plan: &Plan, rng: &mut StdRng) {
    let first = new_year(*plan.years.start());
    let last = plus(plan.extract, -70);
    let owners = owners(country);
    let mut date = plus(first, between(rng, 0, 60));
    let mut session_no = 1;
    while date < last {
        for _ in 0..between(rng, 1, 2) {
            let topic = TOPICS[rng.random_range(0..TOPICS.len())];
            let inn = if topic == "access_to_medicines" { FOLLOWED[rng.random_range(0..FOLLOWED.len())] } else { "" };
            let due = plus(date, between(rng, 14, 60));
            let closed = plus(date, between(rng, 5, 110));
            agree(
                registry,
                &Agreement {
                    group: code(rng, GROUPS),
                    session_no,
                    date,
                    topic,
                    inn,
                    region: country.regions[rng.random_range(0..country.regions.len())].0,
                    facility: if chance(rng, 0.4) { &hospitals[0].id } else { "" },
                    owner: owners[rng.random_range(0..owners.len())],
                    due,
                    closed: (closed <= plan.extract && chance(rng, 0.88)).then_some(closed),
                },
            );
        }
        session_no += 1;
        date = plus(date, between(rng, 40, 110));
    }
}

/// Recommendations to the health authority; written after the agreements.
pub(crate) fn recommendations(registry: &mut Registry, country: &Country, plan: &Plan, rng: &mut StdRng) {
    let authority = match country.iso2 {
        "BR" => "Ministério da Saúde",
        "US" => "Department of Health",
        "MX" => "Secretaría de Salud",
        "ES" => "Ministerio de Sanidad",
        _ => "Ministerio de Salud",
    };
    let first = new_year(*plan.years.start());
    for number in 1..=between(rng, 3, 9) {
        let issued = plus(first, between(rng, 0, days(first, plan.extract) - 5));
        let answered = plus(issued, between(rng, 20, 240));
        let answer = code(rng, &[("accepted", 0.4), ("partly", 0.3), ("declined", 0.1), ("none", 0.2)]);
        let answered = (answered <= plan.extract && answer != "none").then_some(answered);
        let adopted = answered.map(|date| plus(date, between(rng, 30, 400))).filter(|date| *date <= plan.extract);
        registry.add(
            "recommendation",
            &[
                ("recommendation_id", format!("SYN-{}-C{number:03}", country.iso2)),
                ("topic", TOPICS[rng.random_range(0..TOPICS.len())].to_owned()),
                ("to_authority", authority.to_owned()),
                ("country", country.iso2.to_owned()),
                ("issued_on", issued.to_string()),
                ("answered_on", text(answered)),
                ("answer", if answered.is_some() { answer } else { "none" }.to_owned()),
                ("adopted_on", text(adopted.filter(|_| matches!(answer, "accepted" | "partly")))),
            ],
        );
    }
}
