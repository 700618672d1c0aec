//! How many cases of which age, sex and cancer a registry has in each year.
//!
//! Counts are the expected ones, rounded with a carry, under a yearly factor of a few percent: rates come out right even in a small
//! registry, where independent draws would not. Cancers are spread over the cases of a year by a golden-ratio sequence for the same reason.

use rand::{Rng, rngs::StdRng};

use crate::{
    Plan,
    cancers::{Cancer, certificates, children},
    countries::Country,
    draw::{at, days, new_year, normal, plus, shuffle},
};

/// Rate of an age band by the standardised rate of ages 0-14; with the weights of Segi the first four give 1.
pub(crate) const SHAPE: [f64; 5] = [1.45, 1.3875, 0.76, 0.733, 1.15];

/// Rate of boys and of girls by the rate of both (male:female of cases about 1.2).
const BY_SEX: [f64; 2] = [1.072, 0.928];

/// Share of cases known from a death certificate only: Latin America, Europe and North America.
const CERTIFICATE_ONLY: [f64; 2] = [0.018, 0.008];

/// How a case is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Under the microscope.
    Microscope,
    /// By imaging or a tumour marker.
    Clinically,
    /// From the death certificate only.
    Certificate,
}

/// A case before it has dates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) year: i32,
    pub(crate) band: usize,
    pub(crate) boy: bool,
    pub(crate) cancer: &'static Cancer,
    pub(crate) known: Known,
}

/// Years of the plan that begin before the extract.
pub(crate) fn years(plan: &Plan) -> impl Iterator<Item = i32> + Clone + '_ {
    plan.years.clone().filter(|year| part(plan, *year) > 0.0)
}

/// Share of a year that lies before the extract.
pub(crate) fn part(plan: &Plan, year: i32) -> f64 {
    let last = plus(plan.extract, -LAST_DAYS);
    (days(new_year(year), last) as f64 / days(new_year(year), new_year(year + 1)) as f64).clamp(0.0, 1.0)
}

/// Nobody is diagnosed in the last days before the extract: registration takes that long.
pub(crate) const LAST_DAYS: i64 = 20;

/// Person-years of the covered population, a whole number as the collection `population` holds it.
pub(crate) fn person_years(country: &Country, plan: &Plan, year: i32, band: usize, boy: bool) -> u64 {
    (country.person_years(band, boy) * plan.scale * part(plan, year)).round() as u64
}

/// All cases, in order of year.
pub(crate) fn cases(country: &Country, plan: &Plan, rng: &mut StdRng) -> Vec<Drawn> {
    let cancers = children();
    let mut all = Vec::new();
    let mut carry = rng.random::<f64>();
    for year in years(plan) {
        let of_year = 1.0 + (0.02 * normal(rng)).clamp(-0.04, 0.04);
        let mut slots = Vec::new();
        for (band, shape) in SHAPE.iter().enumerate() {
            for boy in [true, false] {
                let rate = country.incidence_per_million * 1e-6 * shape * BY_SEX[usize::from(!boy)];
                let expected = person_years(country, plan, year, band, boy) as f64 * rate * of_year + carry;
                carry = expected.fract();
                slots.extend(std::iter::repeat_n((band, boy), expected as usize));
            }
        }
        all.extend(name(&slots, year, country, &cancers, rng));
    }
    all
}

/// Gives every case of a year a cancer and a way in which it is known.
fn name(
    slots: &[(usize, bool)],
    year: i32,
    country: &Country,
    cancers: &[&'static Cancer],
    rng: &mut StdRng,
) -> Vec<Drawn> {
    let mut known = ways(slots.len(), CERTIFICATE_ONLY[usize::from(country.high_income_mix)]);
    shuffle(rng, &mut known);
    let clinical: Vec<_> = cancers.iter().copied().filter(|cancer| !cancer.clinical_basis.is_empty()).collect();
    let certificates = certificates();
    let start: f64 = rng.random();
    let drawn = slots.iter().zip(known).enumerate().map(|(index, (&(band, boy), known))| {
        let list = match known {
            Known::Microscope => cancers,
            Known::Clinically => &clinical,
            Known::Certificate => &certificates,
        };
        let point = (start + index as f64 * 0.618_033_988_749_895).fract();
        let weights = list.iter().map(|cancer| cancer.weight(band, boy, country.high_income_mix));
        Drawn { year, band, boy, cancer: list[at(point, weights)], known }
    });
    drawn.collect()
}

/// How the cases of a year are known: at least one without microscopy from ten cases on, and at most a tenth.
pub(crate) fn ways(cases: usize, certificate_only: f64) -> Vec<Known> {
    let certificates = (cases as f64 * certificate_only) as usize;
    let without = ((cases as f64 * 0.055).round() as usize).max(usize::from(cases >= 10)).max(certificates);
    (0..cases)
        .map(|index| match index {
            index if index < certificates => Known::Certificate,
            index if index < without => Known::Clinically,
            _ => Known::Microscope,
        })
        .collect()
}
