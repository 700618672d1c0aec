//! The treatment registry of the founding documents (S-SEED): one registry with exactly their counts.
//!
//! Children as a country has them, trimmed to the number wanted; adults of 20 and over beside them; nobody of 18 or 19.

use chrono::NaiveDate;
use rand::{Rng, rngs::StdRng};

use crate::{
    Plan, Registry,
    cancers::{BAND_CODES, Cancer, adults},
    countries::{Country, countries},
    draw::{at, between, birth, chance, code, days, new_year, plus, shuffle, stream},
    mix::{self, Drawn, Known, LAST_DAYS, person_years, ways, years},
    natural,
    records::{
        self,
        collaboration::{Agreement, TELEMEDICINE, agree, discuss, recommendations, session, training},
        facilities::{self, Hospital},
        population, world,
    },
    story::{Story, Who, World, tell},
};

/// Patients of all ages.
const PATIENTS: usize = 20_473;

/// Patients under 18 at diagnosis: 35 percent.
const CHILDREN: usize = 7_166;

/// Patients registered in the last 14 days.
const NEW: usize = 302;

/// High-speciality hospitals and second-level hospitals.
const HOSPITALS: [usize; 2] = [15, 61];

/// Telemedicine sessions held, complex cases discussed in them, trainings and lectures.
const SESSIONS: usize = 192;
const COMPLEX: usize = 170;
const TRAININGS: usize = 10;

/// The session of the parents' group whose agreements are known.
const SESSION_NO: i64 = 166;

/// Makes the registry.
pub(crate) fn registry(plan: &Plan) -> Registry {
    let mexico = &countries()[0];
    debug_assert_eq!(mexico.iso2, "MX");
    let mut rng = stream(plan.seed, "founding");
    let (mexico, plan) = sized(mexico, plan);
    let levels: Vec<_> = [("tertiary", HOSPITALS[0]), ("second_level", HOSPITALS[1])]
        .iter()
        .flat_map(|(level, count)| std::iter::repeat_n(*level, *count))
        .collect();
    let hospitals = facilities::of_levels(&levels, &mexico, &plan, &mut rng);
    let stories = stories(&mexico, &plan, &hospitals, &mut rng);

    let mut registry = Registry::empty(&mexico);
    facilities::write(&mut registry, &hospitals, &plan, &mut rng);
    records::write(&mut registry, &stories, &hospitals, &mexico, &plan, &mut rng);
    telemedicine(&mut registry, &stories, &hospitals, &mexico, &plan, &mut rng);
    parents(&mut registry, &mexico, &plan, &mut rng);
    recommendations(&mut registry, &mexico, &plan, &mut rng);
    for year in years(&plan) {
        for (band, code) in BAND_CODES.iter().enumerate() {
            for boy in [true, false] {
                population::add(&mut registry, &mexico, year, boy, code, person_years(&mexico, &plan, year, band, boy));
            }
        }
    }
    natural::record(&mut registry);
    registry
}

/// Mexico and the plan, with the scale at which the expected number of children is the number wanted.
fn sized(mexico: &Country, plan: &Plan) -> (Country, Plan) {
    let mut mexico = *mexico;
    // of the last band only the years 15 to 17 are children here
    mexico.children_thousands[4] *= 0.6;
    let plan = Plan { scale: 1.0, years: *plan.years.start()..=chrono::Datelike::year(&plan.extract), ..plan.clone() };
    let expected = mix::cases(&mexico, &plan, &mut stream(plan.seed, "founding size")).len();
    let scale = CHILDREN as f64 / expected.max(1) as f64;
    (mexico, Plan { scale, ..plan })
}

fn stories(mexico: &Country, plan: &Plan, hospitals: &[Hospital], rng: &mut StdRng) -> Vec<Story> {
    // no second cancers: every patient has one tumour
    let world = World { last_diagnosis: NaiveDate::MIN, ..world(mexico, plan) };
    let mut people: Vec<(NaiveDate, Drawn, i64)> = children(mexico, plan, rng)
        .into_iter()
        .map(|case| {
            let (low, high) = case.cancer.ages_in(case.band);
            (day(case.year, plan, rng), case, between(rng, low, high.min(17)))
        })
        .collect();
    people.extend(grown_up(plan, rng));
    people.sort_by_key(|(date, ..)| *date);
    let mut stories: Vec<Story> = people
        .into_iter()
        .enumerate()
        .map(|(index, (diagnosis, case, age))| {
            let who = Who {
                id: format!("SYN-MX-F{:06}", index + 1),
                boy: case.boy,
                birth: birth(rng, diagnosis, age),
                diagnosis,
                cancer: case.cancer,
                known: case.known,
                facility: facilities::treating(hospitals, rng),
            };
            tell(who, &world, rng)
        })
        .collect();
    register(&mut stories, plan, rng);
    stories
}

/// Exactly so many cases under 18.
fn children(mexico: &Country, plan: &Plan, rng: &mut StdRng) -> Vec<Drawn> {
    let mut cases = mix::cases(mexico, plan, rng);
    while cases.len() > CHILDREN {
        // one too many: a case known under the microscope, so that the shares of the year hold
        let index = rng.random_range(0..cases.len());
        if cases[index].known == Known::Microscope {
            cases.remove(index);
        }
    }
    while cases.len() < CHILDREN {
        let case = cases[rng.random_range(0..cases.len())];
        if case.known == Known::Microscope {
            cases.push(case);
        }
    }
    cases
}

fn grown_up(plan: &Plan, rng: &mut StdRng) -> Vec<(NaiveDate, Drawn, i64)> {
    let cancers = adults();
    let spans: Vec<f64> = years(plan).map(|year| mix::part(plan, year)).collect();
    let all: f64 = spans.iter().sum();
    let mut left = PATIENTS - CHILDREN;
    let mut people = Vec::new();
    for (index, year) in years(plan).enumerate() {
        let share = (PATIENTS - CHILDREN) as f64 * spans[index] / all;
        let count = if index + 1 == spans.len() { left } else { (share.round() as usize).min(left) };
        left -= count;
        let mut known: Vec<Known> = ways(count, 0.0)
            .into_iter()
            .map(|known| if known == Known::Clinically { Known::Certificate } else { known })
            .collect();
        // certificates stay below a twentieth
        for known in known.iter_mut().skip(count / 50) {
            *known = Known::Microscope;
        }
        shuffle(rng, &mut known);
        people.extend(known.into_iter().enumerate().map(|(index, known)| {
            let boy = index % 20 < 11;
            let cancer = grown_up_cancer(&cancers, boy, known, rng);
            let (low, high) = if cancer.ages.1 < 20 { (20, 75) } else { cancer.ages };
            let age = between(rng, low, high);
            (day(year, plan, rng), Drawn { year, band: 4, boy, cancer, known }, age)
        }));
    }
    people
}

fn grown_up_cancer(cancers: &[&'static Cancer], boy: bool, known: Known, rng: &mut StdRng) -> &'static Cancer {
    let certificates = crate::cancers::certificates();
    let list = if known == Known::Certificate { &certificates } else { cancers };
    list[at(rng.random(), list.iter().map(|cancer| cancer.weight(4, boy, false)))]
}

fn day(year: i32, plan: &Plan, rng: &mut StdRng) -> NaiveDate {
    let first = new_year(year);
    let last = plus(new_year(year + 1), -1).min(plus(plan.extract, -LAST_DAYS));
    plus(first, between(rng, 0, days(first, last)))
}

/// The latest patients are the new ones; all others were registered before the last 14 days.
fn register(stories: &mut [Story], plan: &Plan, rng: &mut StdRng) {
    let old = stories.len().saturating_sub(NEW);
    for (index, story) in stories.iter_mut().enumerate() {
        let before = plus(plan.extract, -14);
        story.registered = if index < old {
            story.registered.min(before).max(story.diagnosis)
        } else {
            plus(plan.extract, -between(rng, 0, 13)).max(story.diagnosis)
        };
    }
}

fn telemedicine(
    registry: &mut Registry,
    stories: &[Story],
    hospitals: &[Hospital],
    mexico: &Country,
    plan: &Plan,
    rng: &mut StdRng,
) {
    let first = new_year(*plan.years.end() - 3);
    let span = days(first, plan.extract) - 1;
    for index in 0..SESSIONS {
        let date = plus(first, (span as f64 * index as f64 / SESSIONS as f64) as i64);
        session(registry, mexico, hospitals, date, code(rng, TELEMEDICINE), "held", rng);
        if index * COMPLEX / SESSIONS != (index + 1) * COMPLEX / SESSIONS {
            discuss(registry, stories, date, "complex", true, rng);
        }
        if chance(rng, 0.25) {
            discuss(registry, stories, date, "routine", true, rng);
        }
        if index % 24 == 23 {
            session(registry, mexico, hospitals, date, code(rng, TELEMEDICINE), "cancelled", rng);
        }
    }
    for kind in ["training", "lecture"] {
        for _ in 0..TRAININGS {
            training(registry, mexico, plus(first, between(rng, 0, span)), kind, rng);
        }
    }
}

/// Agreements of sessions 160 to 166 of the parents' group, weekly, the last four weeks before the extract.
fn parents(registry: &mut Registry, mexico: &Country, plan: &Plan, rng: &mut StdRng) {
    let date = |session_no: i64| plus(plan.extract, -28 - 7 * (SESSION_NO - session_no));
    let topics =
        ["timely_diagnosis", "complications", "family_support", "abandonment", "palliative_care", "telemedicine"];
    for session_no in SESSION_NO - 6..SESSION_NO {
        let begun = date(session_no);
        let topic = topics[usize::try_from(session_no).unwrap_or(0) % topics.len()];
        add(registry, mexico, session_no, begun, [topic, "", ""], (21, Some(between(rng, 5, 28))));
    }
    let begun = date(SESSION_NO);
    let items = [
        (["access_to_medicines", "levetiracetam", "MX-SLP"], (14, Some(19))),
        (["access_to_medicines", "mercaptopurine", "MX-VER"], (21, None)),
        (["timely_diagnosis", "", ""], (28, None)),
        (["complications", "", ""], (14, Some(12))),
        (["family_support", "", ""], (21, Some(20))),
    ];
    for (what, when) in items {
        add(registry, mexico, SESSION_NO, begun, what, when);
    }
}

/// Adds an agreement of the parents' group: topic, medicine and region; days until it is due and until it is closed.
fn add(
    registry: &mut Registry,
    mexico: &Country,
    session_no: i64,
    date: NaiveDate,
    [topic, inn, region]: [&str; 3],
    (due, closed): (i64, Option<i64>),
) {
    debug_assert_eq!(mexico.iso2, "MX");
    let owner =
        if inn.is_empty() { "Coordinación de oncología pediátrica" } else { "Unidad de abasto de medicamentos" };
    agree(
        registry,
        &Agreement {
            group: "parents",
            session_no,
            date,
            topic,
            inn,
            region,
            facility: "",
            owner,
            due: plus(date, due),
            closed: closed.map(|after| plus(date, after)),
        },
    );
}
