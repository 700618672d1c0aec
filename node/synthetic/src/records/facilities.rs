//! Rows of `facility` and `stock_spell`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rand::{Rng, rngs::StdRng};

use crate::{
    Plan, Registry,
    countries::Country,
    draw::{between, chance, code, days, new_year, number, plus, text, weighted},
};

/// A hospital and when its medicines ran out.
#[derive(Debug, Clone)]
pub(crate) struct Hospital {
    pub(crate) id: String,
    pub(crate) level: &'static str,
    pub(crate) region: &'static str,
    pub(crate) cohort: &'static str,
    pub(crate) out_of_stock: f64,
    pub(crate) country: &'static str,
    pub(crate) name: String,
    /// Spells without a medicine.
    out: BTreeMap<&'static str, Vec<(NaiveDate, NaiveDate)>>,
    spells: Vec<Spell>,
}

#[derive(Debug, Clone)]
struct Spell {
    medicine: &'static Medicine,
    state: &'static str,
    start: NaiveDate,
    end: Option<NaiveDate>,
}

/// A medicine of the tracer basket.
#[derive(Debug)]
struct Medicine {
    inn: &'static str,
    atc: &'static str,
    form: &'static str,
    unit: &'static str,
    /// Whether second-level hospitals hold it too.
    second_level: bool,
}

const fn medicine(
    inn: &'static str,
    atc: &'static str,
    form: &'static str,
    unit: &'static str,
    second_level: bool,
) -> Medicine {
    Medicine { inn, atc, form, unit, second_level }
}

const MEDICINES: &[Medicine] = &[
    medicine("asparaginase", "L01XX02", "injectable", "vial", false),
    medicine("pegaspargase", "L01XX24", "injectable", "vial", false),
    medicine("cyclophosphamide", "L01AA01", "injectable", "vial", true),
    medicine("cytarabine", "L01BC01", "injectable", "vial", true),
    medicine("daunorubicin", "L01DB02", "injectable", "vial", false),
    medicine("doxorubicin", "L01DB01", "injectable", "vial", true),
    medicine("etoposide", "L01CB01", "injectable", "vial", false),
    medicine("mercaptopurine", "L01BB02", "oral_solid", "tablet", true),
    medicine("methotrexate", "L01BA01", "injectable", "vial", true),
    medicine("vincristine", "L01CA02", "injectable", "vial", true),
    medicine("vinblastine", "L01CA01", "injectable", "vial", false),
    medicine("dactinomycin", "L01DA01", "injectable", "vial", false),
    medicine("ifosfamide", "L01AA06", "injectable", "vial", false),
    medicine("carboplatin", "L01XA02", "injectable", "vial", false),
    medicine("cisplatin", "L01XA01", "injectable", "vial", false),
    medicine("dexamethasone", "H02AB02", "oral_solid", "tablet", true),
    medicine("prednisolone", "H02AB06", "oral_solid", "tablet", true),
    medicine("filgrastim", "L03AA02", "injectable", "vial", true),
    medicine("levetiracetam", "N03AX14", "oral_liquid", "ml", true),
    medicine("ondansetron", "A04AA01", "injectable", "vial", true),
    medicine("morphine", "N02AA01", "oral_solid", "tablet", true),
    medicine("amikacin", "J01GB06", "injectable", "vial", true),
    medicine("meropenem", "J01DH02", "injectable", "vial", true),
    medicine("vancomycin", "J01XA01", "injectable", "vial", false),
];

const LEVELS: [&str; 4] = ["oncocrean_or_equivalent", "tertiary", "second_level", "primary"];

/// Days that a medicine is out of stock at a time, on average.
const OUT_DAYS: f64 = 24.0;

impl Hospital {
    /// Whether a medicine was out of stock on a day.
    pub(crate) fn is_out(&self, inn: &str, date: NaiveDate) -> bool {
        self.out.get(inn).is_some_and(|spells| spells.iter().any(|(start, end)| *start <= date && date <= *end))
    }

    fn holds(&self, medicine: &Medicine) -> bool {
        match self.level {
            "primary" => false,
            "second_level" => medicine.second_level,
            _ => true,
        }
    }

    fn capabilities(&self) -> &'static str {
        match self.level {
            "oncocrean_or_equivalent" => {
                "chemo_preparation;PICU;radiotherapy;flow_cytometry;MRD;molecular;transplant;neurosurgery;ophthalmology;palliative"
            }
            "tertiary" => "chemo_preparation;PICU;radiotherapy;flow_cytometry;neurosurgery;palliative",
            "second_level" => "chemo_preparation;palliative",
            _ => "",
        }
    }
}

/// The hospitals of a country, reference centres first.
pub(crate) fn build(country: &Country, plan: &Plan, rng: &mut StdRng) -> Vec<Hospital> {
    let levels: Vec<_> =
        LEVELS.iter().zip(country.hospitals).flat_map(|(level, count)| std::iter::repeat_n(*level, count)).collect();
    of_levels(&levels, country, plan, rng)
}

/// Hospitals of the levels given, in that order.
pub(crate) fn of_levels(levels: &[&'static str], country: &Country, plan: &Plan, rng: &mut StdRng) -> Vec<Hospital> {
    let population_based =
        country.high_income_mix || matches!(country.iso2, "AR" | "CL" | "UY" | "BR" | "CO" | "EC" | "PE");
    levels
        .iter()
        .enumerate()
        .map(|(index, level)| {
            let region = if index == 0 {
                country.regions.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |(region, _)| region)
            } else {
                country.regions[weighted(rng, country.regions.iter().map(|(_, weight)| *weight))].0
            };
            let words = if country.iso2 == "US" { "Synthetic hospital" } else { "Hospital sintético" };
            let mut hospital = Hospital {
                id: format!("SYN-{}-H{:02}", country.iso2, index + 1),
                level,
                region,
                cohort: if population_based { "population_based" } else { "hospital_based" },
                out_of_stock: country.out_of_stock * if *level == "second_level" { 1.4 } else { 1.0 },
                country: country.iso2,
                name: format!("{words} {:02}", index + 1),
                out: BTreeMap::new(),
                spells: Vec::new(),
            };
            hospital.stock(plan, rng);
            hospital
        })
        .collect()
}

/// The hospital that treats a patient: mostly a reference centre, never a primary one.
pub(crate) fn treating(hospitals: &[Hospital], rng: &mut StdRng) -> usize {
    let weights = hospitals.iter().map(|hospital| match hospital.level {
        "oncocrean_or_equivalent" => 5.0,
        "tertiary" => 2.0,
        "second_level" => 0.25,
        _ => 0.0,
    });
    weighted(rng, weights)
}

impl Hospital {
    /// Spells of every medicine, one after the other without a gap, from the first day of the plan on.
    fn stock(&mut self, plan: &Plan, rng: &mut StdRng) {
        let first = new_year(*plan.years.start());
        for medicine in MEDICINES {
            if !self.holds(medicine) {
                continue;
            }
            let mut start = first;
            let mut present = true;
            while start <= plan.extract {
                let mean = if present { OUT_DAYS * (1.0 - self.out_of_stock) / self.out_of_stock } else { OUT_DAYS };
                let length = (1.0 - mean * (1.0 - rng.random::<f64>()).ln()) as i64;
                let state = if present {
                    code(rng, &[("in_stock", 0.94), ("not_reported", 0.06)])
                } else {
                    code(rng, &[("out", 0.8), ("short", 0.14), ("expired_only", 0.06)])
                };
                let length = if state == "not_reported" { length.min(60) } else { length };
                let end = plus(start, length);
                let closed = end < plan.extract;
                if state == "out" {
                    self.out.entry(medicine.inn).or_default().push((start, end));
                }
                self.spells.push(Spell { medicine, state, start, end: closed.then_some(end) });
                start = plus(end, 1);
                present = state == "not_reported" || !present;
            }
        }
    }
}

/// Writes hospitals and their spells of stock.
pub(crate) fn write(registry: &mut Registry, hospitals: &[Hospital], plan: &Plan, rng: &mut StdRng) {
    for hospital in hospitals {
        let formulary: Vec<_> =
            MEDICINES.iter().filter(|medicine| hospital.holds(medicine)).map(|medicine| medicine.inn).collect();
        let opened = plus(new_year(*plan.years.start()), -between(rng, 1500, 15_000));
        let reference = if hospital.level == LEVELS[0] { "yes" } else { "no" };
        registry.add(
            "facility",
            &[
                ("facility_id", hospital.id.clone()),
                ("name", hospital.name.clone()),
                ("level", hospital.level.to_owned()),
                ("country", hospital.country.to_owned()),
                ("region", hospital.region.to_owned()),
                ("reference_centre", reference.to_owned()),
                ("capability", hospital.capabilities().to_owned()),
                ("formulary", formulary.join(";")),
                ("opened_on", opened.to_string()),
            ],
        );
        for spell in &hospital.spells {
            write_spell(registry, hospital, spell, plan, rng);
        }
    }
}

fn write_spell(registry: &mut Registry, hospital: &Hospital, spell: &Spell, plan: &Plan, rng: &mut StdRng) {
    let daily = rng.random_range(0.5..12.0_f64);
    let mut cells = vec![
        ("facility_id", hospital.id.clone()),
        ("inn", spell.medicine.inn.to_owned()),
        ("atc", spell.medicine.atc.to_owned()),
        ("form_group", spell.medicine.form.to_owned()),
        ("state", spell.state.to_owned()),
        ("start_date", spell.start.to_string()),
        ("end_date", text(spell.end)),
    ];
    if spell.state != "not_reported" {
        let covered = match spell.state {
            "in_stock" => rng.random_range(35.0..180.0),
            "short" => rng.random_range(2.0..29.0),
            _ => 0.0,
        };
        cells.extend([
            ("balance", number((daily * covered).floor(), 0)),
            ("balance_unit", spell.medicine.unit.to_owned()),
            ("mean_daily_use", number(daily, 1)),
        ]);
    }
    if matches!(spell.state, "out" | "expired_only") {
        let cause = code(
            rng,
            &[
                ("purchase", 0.4),
                ("distribution", 0.25),
                ("demand", 0.15),
                ("customs", 0.08),
                ("quality", 0.05),
                ("unknown", 0.07),
            ],
        );
        let resolved = spell.end.map(|end| plus(end, 1)).filter(|date| *date <= plan.extract);
        let action = match resolved {
            None => code(rng, &[("none", 0.4), ("unknown", 0.6)]),
            Some(_) => code(rng, &[("redistributed", 0.3), ("bought", 0.5), ("substituted", 0.12), ("unknown", 0.08)]),
        };
        cells.extend([("cause", cause.to_owned()), ("action", action.to_owned()), ("resolved_on", text(resolved))]);
        if chance(rng, 0.8) {
            let length = spell.end.map_or(10, |end| days(spell.start, end));
            let needed = plus(spell.start, between(rng, 0, length.min(10))).min(plan.extract);
            cells.push(("needed_by", needed.to_string()));
            cells.push(("delivered_on", text(resolved.filter(|resolved| *resolved >= needed))));
        }
    }
    registry.add("stock_spell", &cells);
}
