//! Rows of `population`: the person-years of the children whom the registry covers, not of the whole country.

use crate::{
    Plan, Registry,
    cancers::BAND_CODES,
    countries::Country,
    mix::{person_years, years},
};

/// Writes the covered population by year, sex and age band, for the registry's area as a whole.
pub(crate) fn write(registry: &mut Registry, country: &Country, plan: &Plan) {
    for year in years(plan) {
        for (band, code) in BAND_CODES.iter().enumerate() {
            for boy in [true, false] {
                add(registry, country, year, boy, code, person_years(country, plan, year, band, boy));
            }
        }
    }
}

/// Adds a row. The region is the whole area of the registry, written as the country's: regions are not told apart.
pub(crate) fn add(registry: &mut Registry, country: &Country, year: i32, boy: bool, band: &str, person_years: u64) {
    registry.add(
        "population",
        &[
            ("year", year.to_string()),
            ("region", format!("{}-ALL", country.iso2)),
            ("sex", if boy { "1" } else { "2" }.to_owned()),
            ("age_band", band.to_owned()),
            ("person_years", person_years.to_string()),
            ("source", "Synthetic population covered by the registry".to_owned()),
        ],
    );
}
