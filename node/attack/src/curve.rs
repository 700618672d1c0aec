//! Life tables as an attacker reads them: how many events until each month.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{Answer, SurvivalAnswer},
    cell::Cell,
};

use crate::{
    grid::{Codes, codes},
    seen::Seen,
};

/// What one group's life table told.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) persons: Seen,
    /// Events from diagnosis up to each month that is shown.
    pub(crate) events: BTreeMap<u16, Seen>,
}

/// The curves of an answer by group; none of another statistic.
pub(crate) fn curves(answer: &Answer, by: &[String]) -> Option<BTreeMap<Codes, Curve>> {
    let Answer::Survival(SurvivalAnswer { release, groups, .. }) = answer else { return None };
    let mut all = BTreeMap::new();
    for group in groups {
        let mut events = BTreeMap::new();
        let mut sum = Seen::exact(0);
        for cut in group.cuts.iter().filter(|cut| !matches!(cut.events, Cell::Refused { .. })) {
            sum = sum.plus(&Seen::events(&cut.events, release));
            events.insert(cut.month, sum);
        }
        let mut sum = Seen::exact(0);
        for (month, n, _, _) in group.boundaries.rows() {
            let cell = if release.is_exact() { Cell::Exact { n } } else { Cell::Perturbed { n } };
            sum = sum.plus(&Seen::events(&cell, release));
            // the same number in both columns is no second view
            events.entry(month).or_insert(sum);
        }
        all.insert(codes(&group.group, by), Curve { persons: Seen::persons(&group.persons, release), events });
    }
    Some(all)
}
