//! The first-level region of a place: registries also write regions of the second level, such as Spanish provinces (ISO 3166-2).

use std::collections::HashMap;

use serde::Deserialize;

use super::table::{TableError, rows};

const PARENTS: &str = include_str!("../../../../schemas/classification/region_parents.csv");

/// Regions of the second level with those that they belong to.
#[derive(Debug)]
pub struct Regions(HashMap<String, String>);

#[derive(Debug, Deserialize)]
struct Line {
    code: String,
    parent: String,
}

impl Regions {
    /// The table that comes with the program.
    ///
    /// # Errors
    /// [`TableError`] where it was changed so that it cannot be read.
    pub fn built_in() -> Result<Self, TableError> {
        Ok(Self(rows::<Line>(PARENTS)?.into_iter().map(|(_, line)| (line.code, line.parent)).collect()))
    }

    /// The region of the first level that a code belongs to: itself, unless it is a known region of the second level.
    #[must_use]
    pub fn first_level<'c>(&'c self, code: &'c str) -> &'c str {
        self.0.get(code).map_or(code, String::as_str)
    }

    /// Whether a code is a known region of the second level.
    #[must_use]
    pub fn is_second_level(&self, code: &str) -> bool {
        self.0.contains_key(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provinces_belong_to_their_region_and_regions_to_themselves() {
        let regions = Regions::built_in().unwrap();
        assert_eq!(regions.first_level("ES-M"), "ES-MD");
        assert_eq!(regions.first_level("DO-01"), "DO-40");
        assert_eq!(regions.first_level("MX-SLP"), "MX-SLP");
        assert!(regions.is_second_level("DO-01") && !regions.is_second_level("DO-40"));
    }
}
