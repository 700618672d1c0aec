//! Rules on what a tumour's codes, stage, age and place say together.

use node_domain::dictionary::{CodeList, Dictionary, Kind};

use crate::{
    case::Case,
    derive::{region::Regions, toronto::Tier},
};

/// The list of regions that ships, if the dictionary has it.
#[must_use]
pub fn regions(dictionary: &Dictionary) -> Option<&CodeList> {
    match &dictionary.table("cases")?.field("region")?.kind {
        Kind::Code(list) => Some(list),
        _ => None,
    }
}

/// Whether a country is no ISO 3166-1 code, or a region is not one of that country. Regions of countries outside the alliance's list
/// are judged by their form alone.
#[must_use]
pub fn breaks_iso(country: &str, region: &str, list: Option<&CodeList>, regions: &Regions) -> bool {
    if !is_country(country) {
        return true;
    }
    if region.is_empty() || region == "unknown" {
        return false;
    }
    let prefix = format!("{country}-");
    let Some(list) = list else { return !region.starts_with(&prefix) };
    let listed = list.codes.iter().any(|code| code.code.starts_with(&prefix));
    !region.starts_with(&prefix)
        || region.ends_with("-ALL")
        || (listed && list.position(region).is_none() && !regions.is_second_level(region))
}

fn is_country(code: &str) -> bool {
    const COUNTRIES: &str = include_str!("../../../../../schemas/classification/iso_3166_1.csv");
    COUNTRIES.lines().skip(1).any(|line| line.split(',').next() == Some(code))
}

/// Whether the stage is no value of the schema that the tumour's codes and age select.
#[must_use]
pub fn stage_is_foreign(case: &Case<'_>) -> bool {
    let Some(value) = case.tumour.some("stage_value") else { return false };
    let Some(schema) = case.facts.classified.toronto else { return true };
    let tier = Tier::of_code(case.tumour.value("stage_tier")).unwrap_or(Tier::Two);
    let other_schema = case.tumour.some("stage_schema").is_some_and(|recorded| recorded != schema.code());
    other_schema || !schema.accepts(value, tier)
}

/// Whether the age that the source wrote is not the derived one.
#[must_use]
pub fn age_differs(case: Option<&Case<'_>>, stored: &str, tolerance: i64, tolerance_partial: i64) -> bool {
    let Some((case, stored)) = case.zip(stored.parse::<i64>().ok()) else { return false };
    let Some((birth, diagnosis)) = case.patient.date("birth_date").zip(case.facts.diagnosis) else { return false };
    let exact = birth.day().is_some() && diagnosis.day().is_some();
    let allowed = if exact { tolerance } else { tolerance_partial };
    match birth.completed_years(&diagnosis) {
        Some((least, most)) => stored < i64::from(least) - allowed || stored > i64::from(most) + allowed,
        None => false, // born after the diagnosis: another rule says so
    }
}

/// Whether the ICCC-3 code that the source wrote is not the derived one.
#[must_use]
pub fn iccc_differs(case: &Case<'_>, stored: &str) -> bool {
    let classified = &case.facts.classified;
    !stored.is_empty()
        && stored != classified.subgroup()
        && stored != classified.group()
        && stored != classified.extended()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_their_country() {
        let dictionary = Dictionary::built_in().unwrap();
        let (list, regions) = (regions(&dictionary), Regions::built_in().unwrap());
        for (country, region) in
            [("MX", "MX-SLP"), ("MX", "unknown"), ("DO", "DO-01"), ("FR", "FR-IDF"), ("BR", "BR-SP")]
        {
            assert!(!breaks_iso(country, region, list, &regions), "{country} {region}");
        }
        for (country, region) in [("XX", "XX-A"), ("MX", "AR-B"), ("MX", "MX-XYZ"), ("MX", "MX-ALL"), ("DO", "DO-99")] {
            assert!(breaks_iso(country, region, list, &regions), "{country} {region}");
        }
    }
}
