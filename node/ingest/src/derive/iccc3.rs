//! The International Classification of Childhood Cancer from site, morphology and behaviour.
//!
//! ICCC-3 (Steliarova-Foucher and others, Cancer 2005;103:1457-1467) in the update of IARC of 2017, as the SEER recode tabulates it.

use serde::Deserialize;

use super::table::{self, Behaviours, TableError};

/// The edition, as `iccc_version` names it.
pub const VERSION: &str = "IARC2017";

const TABLE: &str = include_str!("../../../../schemas/classification/iccc3.csv");

/// The classification, indexed for look-up.
#[derive(Debug)]
pub struct Iccc3 {
    leaves: Vec<Leaf>,
    /// Rules by morphology, from 8000 on; between them no tumour has two.
    by_morphology: Vec<Vec<Rule>>,
}

/// Where a tumour belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// One of the 12 groups, `I` to `XII`.
    pub group: String,
    /// One of the 47 subgroups, `I(a)` to `XII(b)`, or `V`, which has none.
    pub subgroup: String,
    /// The division of the extended classification, such as `I(a).1`; none where the subgroup is not divided.
    pub extended: Option<String>,
    /// Code of the subgroup in the SEER recode, three digits.
    pub seer_code: String,
    /// Code of the division in the extended SEER recode, three digits; an undivided subgroup has one too.
    pub seer_ext_code: String,
    /// Name of the subgroup in English.
    pub name_en: String,
    /// In Spanish.
    pub name_es: String,
    /// In Portuguese.
    pub name_pt: String,
}

impl Leaf {
    /// The code of `iccc_extended`: the division, or the subgroup itself where it is not divided.
    #[must_use]
    pub fn extended_code(&self) -> &str {
        self.extended.as_deref().unwrap_or(&self.subgroup)
    }
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    sites: (u16, u16),
    behaviours: Behaviours,
    leaf: usize,
    line: u64,
}

#[derive(Debug, Deserialize)]
struct Row {
    iccc_group: String,
    iccc_subgroup: String,
    iccc_extended: Option<String>,
    seer_code: String,
    seer_ext_code: String,
    name_en: String,
    name_es: String,
    name_pt: String,
    morphology_from: u16,
    morphology_to: u16,
    behaviour: String,
    topography_from: String,
    topography_to: String,
}

impl Iccc3 {
    /// The classification that comes with the program.
    ///
    /// # Errors
    /// [`TableError`] where the table was changed so that it cannot be read or gives a tumour two leaves.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(TABLE)
    }

    /// The leaf of a tumour; `None` where the edition classifies the combination nowhere (code 999 of the SEER recode).
    #[must_use]
    pub fn leaf(&self, topography: &str, morphology: u16, behaviour: &str) -> Option<&Leaf> {
        let site = table::site(topography)?;
        let rules = self.by_morphology.get(table::place(morphology)?)?;
        let rule = rules.iter().find(|rule| rule.holds(site, behaviour))?;
        self.leaves.get(rule.leaf)
    }

    /// Every leaf once, in the order of the table.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    fn parse(text: &str) -> Result<Self, TableError> {
        let width = usize::from(table::LAST_MORPHOLOGY - table::FIRST_MORPHOLOGY) + 1;
        let mut leaves: Vec<Leaf> = Vec::new();
        let mut by_morphology: Vec<Vec<Rule>> = vec![Vec::new(); width];
        for (line, row) in table::rows::<Row>(text)? {
            let from = table::site(&row.topography_from);
            let from = table::cell(line, "topography_from", &row.topography_from, from)?;
            let to = table::site(&row.topography_to).filter(|to| from <= *to);
            let to = table::cell(line, "topography_to", &row.topography_to, to)?;
            let behaviours = table::cell(line, "behaviour", &row.behaviour, Behaviours::parse(&row.behaviour))?;
            let morphologies = table::place(row.morphology_from)
                .zip(table::place(row.morphology_to))
                .filter(|(first, last)| first <= last)
                .and_then(|(first, last)| by_morphology.get_mut(first..=last));
            let written = format!("{}-{}", row.morphology_from, row.morphology_to);
            let morphologies = table::cell(line, "morphology_from", &written, morphologies)?;
            let leaf = Leaf::from(row);
            let known = leaves.iter().position(|known| *known == leaf);
            let rule = Rule { sites: (from, to), behaviours, leaf: known.unwrap_or(leaves.len()), line };
            if known.is_none() {
                leaves.push(leaf);
            }
            for rules in morphologies {
                rules.push(rule);
            }
        }
        for (morphology, rules) in (table::FIRST_MORPHOLOGY..).zip(&by_morphology) {
            refuse_overlap(morphology, rules)?;
        }
        Ok(Self { leaves, by_morphology })
    }
}

impl Rule {
    fn holds(&self, site: u16, behaviour: &str) -> bool {
        (self.sites.0..=self.sites.1).contains(&site) && self.behaviours.contains(behaviour)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.sites.0 <= other.sites.1 && other.sites.0 <= self.sites.1 && self.behaviours.overlaps(other.behaviours)
    }
}

impl From<Row> for Leaf {
    fn from(row: Row) -> Self {
        Self {
            group: row.iccc_group,
            subgroup: row.iccc_subgroup,
            extended: row.iccc_extended,
            seer_code: row.seer_code,
            seer_ext_code: row.seer_ext_code,
            name_en: row.name_en,
            name_es: row.name_es,
            name_pt: row.name_pt,
        }
    }
}

fn refuse_overlap(morphology: u16, rules: &[Rule]) -> Result<(), TableError> {
    for (at, rule) in rules.iter().enumerate() {
        if let Some(earlier) = rules.iter().take(at).find(|earlier| earlier.overlaps(rule)) {
            return Err(TableError::Overlap { first: earlier.line, second: rule.line, morphology });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ops::RangeInclusive};

    use super::*;

    const SITES: RangeInclusive<u16> = 0..=809;

    #[derive(Debug, Deserialize)]
    struct Case {
        topography: String,
        morphology: u16,
        behaviour: String,
        iccc_subgroup: String,
    }

    fn with(changed: &str) -> Result<Iccc3, TableError> {
        let header = TABLE.lines().next().unwrap();
        Iccc3::parse(&format!("{header}\n{changed}\n"))
    }

    #[test]
    fn the_hand_made_cases_go_where_the_classification_puts_them() {
        let iccc3 = Iccc3::built_in().unwrap();
        let cases = include_str!("../../../../tests/fixtures/iccc3/iccc3_cases.csv");
        let mut count = 0;
        for (line, case) in table::rows::<Case>(cases).unwrap() {
            let leaf = iccc3.leaf(&case.topography, case.morphology, &case.behaviour);
            let subgroup = leaf.map_or("999", |leaf| leaf.subgroup.as_str());
            assert_eq!(subgroup, case.iccc_subgroup, "line {line}: {case:?}");
            count += 1;
        }
        assert_eq!(count, 35);
    }

    #[test]
    fn the_table_holds_the_published_number_of_groups_subgroups_and_divisions() {
        let iccc3 = Iccc3::built_in().unwrap();
        let distinct = |of: fn(&Leaf) -> &str| iccc3.leaves().iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(|leaf| &leaf.group), 12);
        assert_eq!(distinct(|leaf| &leaf.subgroup), 48);
        assert_eq!(distinct(|leaf| &leaf.seer_ext_code), 115);
        assert_eq!(distinct(Leaf::extended_code), 115);
        assert_eq!(iccc3.leaves().iter().filter(|leaf| leaf.extended.is_some()).count(), 84);
    }

    /// Every site number from C000 to C809, every morphology and every behaviour, counted from the rows themselves.
    #[test]
    fn no_tumour_has_two_leaves_and_the_look_up_finds_every_one() {
        let iccc3 = Iccc3::built_in().unwrap();
        let width = SITES.count();
        let mut hits = vec![[0_u8; 4]; 1994 * width];
        for (_, row) in table::rows::<Row>(TABLE).unwrap() {
            let (from, to) = (table::site(&row.topography_from).unwrap(), table::site(&row.topography_to).unwrap());
            for morphology in row.morphology_from..=row.morphology_to {
                let start = table::place(morphology).unwrap() * width;
                for cell in &mut hits[start + usize::from(from)..=start + usize::from(to)] {
                    for behaviour in row.behaviour.split(';') {
                        cell[behaviour.parse::<usize>().unwrap()] += 1;
                    }
                }
            }
        }
        for (topography, site) in SITES.map(|site| (format!("C{site:03}"), usize::from(site))) {
            for morphology in 8000..=9993 {
                let expected = hits[table::place(morphology).unwrap() * width + site];
                let found = ["0", "1", "2", "3"].map(|code| iccc3.leaf(&topography, morphology, code).is_some());
                assert_eq!(found.map(u8::from), expected, "{topography} {morphology}");
            }
        }
    }

    #[test]
    fn what_is_no_code_has_no_leaf() {
        let iccc3 = Iccc3::built_in().unwrap();
        for (topography, morphology, behaviour) in
            [("C42", 9836, "3"), ("C810", 9836, "3"), ("C421", 7999, "3"), ("C421", 9994, "3"), ("C421", 9836, "9")]
        {
            assert_eq!(iccc3.leaf(topography, morphology, behaviour), None, "{topography} {morphology} {behaviour}");
        }
    }

    #[test]
    fn a_table_with_two_leaves_for_one_tumour_is_refused() {
        let one = "R1,V,V,,050,035,a,a,a,9510,9514,3,C690,C699";
        let another = "R2,IV,IV(a),,041,033,b,b,b,9500,9510,0;1;3,C695,C749";
        assert!(matches!(
            with(&format!("{one}\n{another}")),
            Err(TableError::Overlap { first: 2, second: 3, morphology: 9510 })
        ));
        assert!(with(&format!("{one}\n{}", another.replace("0;1;3", "0;1"))).is_ok());
    }

    #[test]
    fn a_cell_that_is_not_understood_is_named() {
        let refused = |row: &str| with(row).unwrap_err().to_string();
        assert!(refused("R1,V,V,,050,035,a,a,a,9510,9514,3,C690,C689").starts_with("line 2, column topography_to"));
        assert!(refused("R1,V,V,,050,035,a,a,a,9514,9510,3,C690,C699").starts_with("line 2, column morphology_from"));
        assert!(refused("R1,V,V,,050,035,a,a,a,9510,9514,5,C690,C699").starts_with("line 2, column behaviour"));
        assert!(matches!(with("R1,V,V"), Err(TableError::Csv(_))));
    }
}
