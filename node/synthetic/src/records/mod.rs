//! The registry of a country: stories told, then written down collection by collection.

pub(crate) mod collaboration;
pub(crate) mod complications;
pub(crate) mod facilities;
pub(crate) mod pathway;
pub(crate) mod person;
pub(crate) mod population;
pub(crate) mod therapy;

use rand::rngs::StdRng;

use crate::{
    Plan, Registry,
    cancers::BANDS,
    countries::Country,
    draw::{between, birth, days, new_year, plus, stream},
    fate::Odds,
    mix::{self, Drawn, LAST_DAYS, years},
    natural,
    story::{Story, Who, World, tell},
};

/// The registry of a country.
pub(crate) fn registry(plan: &Plan, country: &Country) -> Registry {
    let mut rng = stream(plan.seed, country.iso2);
    let mut registry = Registry::empty(country);
    let cases = mix::cases(country, plan, &mut rng);
    let hospitals = facilities::build(country, plan, &mut rng);
    let stories = stories(cases, country, plan, &hospitals, &mut rng);
    facilities::write(&mut registry, &hospitals, plan, &mut rng);
    write(&mut registry, &stories, &hospitals, country, plan, &mut rng);
    collaboration::write(&mut registry, &stories, &hospitals, country, plan, &mut rng);
    population::write(&mut registry, country, plan);
    natural::record(&mut registry);
    registry
}

/// Everything that hangs on a patient.
pub(crate) fn write(
    registry: &mut Registry,
    stories: &[Story],
    hospitals: &[facilities::Hospital],
    country: &Country,
    plan: &Plan,
    rng: &mut StdRng,
) {
    for story in stories {
        person::write(registry, story, hospitals, country, rng);
        therapy::write(registry, story, hospitals, rng);
        pathway::write(registry, story, hospitals, rng);
    }
    complications::write(registry, stories, hospitals, country, plan, rng);
}

/// What the stories of a registry share.
pub(crate) fn world<'w>(country: &'w Country, plan: &Plan) -> World<'w> {
    let last_year = years(plan).last().unwrap_or_else(|| *plan.years.end());
    World {
        country,
        odds: Odds::of(country),
        extract: plan.extract,
        last_diagnosis: plus(new_year(last_year + 1), -1).min(plus(plan.extract, -LAST_DAYS)),
    }
}

fn stories(
    cases: Vec<Drawn>,
    country: &Country,
    plan: &Plan,
    hospitals: &[facilities::Hospital],
    rng: &mut StdRng,
) -> Vec<Story> {
    let world = world(country, plan);
    let mut dated: Vec<_> = cases
        .into_iter()
        .map(|case| {
            let first = new_year(case.year);
            let last = plus(new_year(case.year + 1), -1).min(plus(plan.extract, -LAST_DAYS));
            (plus(first, between(rng, 0, days(first, last))), case)
        })
        .collect();
    dated.sort_by_key(|(date, _)| *date);
    dated
        .into_iter()
        .enumerate()
        .map(|(index, (diagnosis, case))| {
            let (low, high) = case.cancer.ages_in(case.band);
            debug_assert!(low <= high, "{} at {:?}", case.cancer.name, BANDS[case.band]);
            let years = between(rng, low, high);
            let who = Who {
                id: format!("SYN-{}-{:06}", country.iso2, index + 1),
                boy: case.boy,
                birth: birth(rng, diagnosis, years),
                diagnosis,
                cancer: case.cancer,
                known: case.known,
                facility: facilities::treating(hospitals, rng),
            };
            tell(who, &world, rng)
        })
        .collect()
}
