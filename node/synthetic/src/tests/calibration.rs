//! The registries lie near the published figures, within the tolerances stated.

use std::collections::HashMap;

use super::{date, kaplan_meier, overall, plan, rows};
use crate::{Registry, countries, country, reference};

const WORLD: [f64; 3] = [12.0, 10.0, 9.0];

fn age(text: &str) -> usize {
    text.parse().unwrap()
}

fn group(iccc: &str) -> &str {
    iccc.split('(').next().unwrap()
}

/// Incidence at ages 0-14 per million, standardised to the world population.
fn incidence(registry: &Registry, of: impl Fn(&str) -> bool) -> f64 {
    let mut person_years = [0.0; 3];
    for row in rows(registry, "population") {
        let at = match row.at("age_band") {
            "0" | "1-4" => 0,
            "5-9" => 1,
            "10-14" => 2,
            _ => continue,
        };
        person_years[at] += row.at("person_years").parse::<f64>().unwrap();
    }
    let mut cases = [0.0; 3];
    for row in rows(registry, "tumour") {
        let age = age(row.at("extract_age_years"));
        if age <= 14 && of(row.at("iccc_code")) {
            cases[age / 5] += 1.0;
        }
    }
    (0..3).map(|at| WORLD[at] * 1e6 * cases[at] / person_years[at]).sum::<f64>() / WORLD.iter().sum::<f64>()
}

/// Share among cases at ages 0-14, percent.
fn share(registry: &Registry, of: impl Fn(&str) -> bool) -> f64 {
    let tumours = rows(registry, "tumour");
    let young: Vec<_> = tumours.iter().filter(|row| age(row.at("extract_age_years")) <= 14).collect();
    100.0 * young.iter().filter(|row| of(row.at("iccc_code"))).count() as f64 / young.len() as f64
}

/// Three standard errors of a share of so many, percent.
fn three_errors(percent: f64, of: usize) -> f64 {
    300.0 * (percent / 100.0 * (1.0 - percent / 100.0) / of as f64).sqrt()
}

fn all() -> Vec<Registry> {
    countries().iter().map(|c| country(&plan(), c.iso2).unwrap()).collect()
}

#[test]
fn the_federation_has_its_size_and_its_figures() {
    let registries = all();
    let sizes: HashMap<&str, usize> =
        registries.iter().map(|r| (r.country, r.collections["tumour"].rows.len())).collect();
    let total: usize = sizes.values().sum();
    assert!((20_000..=25_000).contains(&total), "{total} tumours in all");
    for small in ["PY", "PA", "HN"] {
        assert!((30..=120).contains(&sizes[small]), "{small}: {}", sizes[small]);
    }
    assert!(sizes["MX"] > 3000 && sizes["BR"] > 3000);
    for (registry, country) in registries.iter().zip(countries()) {
        let size = sizes[registry.country];
        // tolerance: 4 percent, which is twice the yearly factor, and one case of rounding
        let rate = incidence(registry, |_| true);
        let target = country.incidence_per_million;
        let slack = target * (0.04 + 3.0 / size as f64);
        assert!((rate - target).abs() < slack, "{}: {rate:.1} per million, not {target}", registry.country);
        // tolerance: three standard errors and two points for censoring
        let survival =
            100.0 * kaplan_meier(overall(registry, false, |row| age(row.at("extract_age_years")) <= 14), 1826);
        let slack = 2.0 + three_errors(country.survival_percent, size * 3 / 5);
        let target = country.survival_percent;
        assert!((survival - target).abs() < slack, "{}: survival {survival:.1}, not {target}", registry.country);
    }
    abandonment(&registries);
    deterioration(&registries);
    sexes(&registries);
    let mexico = &registries[0];
    assert_eq!(mexico.country, "MX");
    let guatemala = registries.iter().find(|r| r.country == "GT").unwrap();
    let leukaemia = overall(guatemala, true, |row| {
        row.at("iccc_code") == "I(a)" && (1..=17).contains(&age(row.at("extract_age_years")))
    });
    let (cases, survival) = (leukaemia.len(), 100.0 * kaplan_meier(leukaemia, 1826));
    let target = reference::value("GT", "survival_abandonment_5y_percent", "ALL").unwrap();
    assert!(
        (survival - target).abs() < 1.0 + three_errors(target, cases * 3 / 5),
        "GT: {survival:.1} of {cases}, not {target}"
    );
}

/// Abandonment in Latin America within half to twice what each country is set to, where a hundred children or more say so.
fn abandonment(registries: &[Registry]) {
    for (registry, country) in registries.iter().zip(countries()) {
        let cases = registry.collections["tumour"].rows.len() as f64;
        let left = rows(registry, "event").iter().filter(|row| row.at("event_type") == "abandonment").count() as f64;
        let percent = 100.0 * left / cases;
        let (low, high) = (country.abandonment_percent * 0.4, country.abandonment_percent * 1.6 + 0.5);
        assert!(cases < 500.0 || (low..=high).contains(&percent), "{}: {percent:.1} percent abandon", registry.country);
        let world = reference::value("WORLD", "abandonment_percent", "all").unwrap();
        assert!(percent < 1.6 * world, "{}: {percent:.1}", registry.country);
    }
}

/// Events and their deaths over all countries, within one percent: the census is made to fit.
fn deterioration(registries: &[Registry]) {
    let (mut events, mut deaths, mut days) = (0.0, 0.0, 0.0);
    for registry in registries {
        for row in rows(registry, "deterioration").iter().filter(|row| row.at("record_kind") == "event") {
            events += 1.0;
            deaths += f64::from(u8::from(row.at("outcome") == "death"));
        }
        days += rows(registry, "ward_month")
            .iter()
            .map(|row| row.at("inpatient_days").parse::<f64>().unwrap())
            .sum::<f64>();
    }
    let mortality = reference::value("LATAM", "cde_mortality_percent", "all").unwrap();
    let rate = reference::value("LATAM", "cde_per_1000_inpatient_days", "all").unwrap();
    assert!((100.0 * deaths / events - mortality).abs() < 1.0, "{deaths} of {events}");
    // a little fewer events than days would have: small registries may have none
    assert!((1000.0 * events / days / rate - 1.0).abs() < 0.02, "{}", 1000.0 * events / days);
}

/// About 1.2 boys for a girl.
fn sexes(registries: &[Registry]) {
    let (mut boys, mut girls) = (0.0, 0.0);
    for row in registries.iter().flat_map(|registry| rows(registry, "patient")) {
        if row.at("sex") == "1" { boys += 1.0 } else { girls += 1.0 }
    }
    assert!((1.15..1.27).contains(&(boys / girls)), "{}", boys / girls);
}

#[test]
fn the_mix_of_cancers_is_that_of_latin_america_and_of_spain() {
    let brazil = country(&plan(), "BR").unwrap();
    let total = reference::value("LAC", "incidence_per_million_0_14", "all").unwrap();
    // tolerance: three standard errors of about 3,000 cases and one point
    for (name, code) in [("leukaemia", "I"), ("lymphoma", "II"), ("cns", "III")] {
        let target = 100.0 * reference::value("LAC", "incidence_per_million_0_14", name).unwrap() / total;
        let share = share(&brazil, |iccc| group(iccc) == code);
        assert!(
            (share - target).abs() < 1.0 + three_errors(target, 3000),
            "{name}: {share:.1} percent, not {target:.1}"
        );
    }
    let spain = country(&plan(), "ES").unwrap();
    for (name, code) in [("leukaemia", "I"), ("lymphoma", "II"), ("cns", "III"), ("neuroblastoma", "IV")] {
        let target = reference::value("ES", "share_percent", name).unwrap();
        let share = share(&spain, |iccc| group(iccc) == code);
        assert!((share - target).abs() < 1.0 + three_errors(target, 1500), "{name}: {share:.1} percent, not {target}");
    }
}

#[test]
fn the_set_figures_of_countries_are_the_references() {
    for country in countries() {
        let own = reference::value(country.iso2, "incidence_per_million_0_14", "all");
        let target = own.or(reference::value("LAC", "incidence_per_million_0_14", "all")).unwrap();
        assert!((country.incidence_per_million - target).abs() < 1e-9, "{}", country.iso2);
        if let Some(survival) = reference::value(country.iso2, "survival_5y_percent", "all") {
            assert!((country.survival_percent - survival).abs() < 1e-9, "{}", country.iso2);
        }
        assert!((50.0..=85.0).contains(&country.survival_percent));
    }
}

#[test]
fn all_twelve_groups_occur_and_medicine_shortages_miss_doses() {
    let mexico = country(&plan(), "MX").unwrap();
    let groups: std::collections::BTreeSet<_> =
        rows(&mexico, "tumour").iter().map(|row| group(row.at("iccc_code")).to_owned()).collect();
    assert_eq!(groups.len(), 12, "{groups:?}");
    let missed: Vec<_> = rows(&mexico, "administration")
        .into_iter()
        .filter(|row| row.at("not_given_reason") == "medicine_unavailable")
        .collect();
    assert!(missed.len() > 300);
    let out: Vec<_> = rows(&mexico, "stock_spell").into_iter().filter(|row| row.at("state") == "out").collect();
    let facility: HashMap<(&str, &str, &str), &str> = rows(&mexico, "course")
        .iter()
        .map(|row| ((row.at("patient_id"), row.at("tumour_seq"), row.at("course_no")), row.at("facility_id")))
        .collect();
    for dose in missed {
        let at = facility[&(dose.at("patient_id"), dose.at("tumour_seq"), dose.at("course_no"))];
        let day = date(dose.at("planned_at")).unwrap();
        assert!(out.iter().any(|spell| {
            spell.at("facility_id") == at
                && spell.at("inn") == dose.at("inn")
                && date(spell.at("start_date")).unwrap() <= day
                && date(spell.at("end_date")).is_none_or(|end| day <= end)
        }));
    }
}
