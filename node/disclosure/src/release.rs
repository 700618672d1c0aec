//! Opens the seal and releases an answer: the one way from exact numbers to something that may leave.

use node_protocol::{
    answer::{Answer, GroupKey},
    outgoing::Outgoing,
    query::Query,
    release::Way,
};
use node_statistics::frequency::FrequencyTable;
use serde::{Serialize, Serializer};

use crate::{
    between::{self, Earlier},
    confidential::Confidential,
    differential::mechanism::Sampler,
    perturbation::Perturbation,
    perturbed,
    private::{self, PrivateError, PrivatePlan},
};

/// A value that disclosure control let go. Made only by this crate.
///
/// ```compile_fail,E0423
/// let forged = node_disclosure::release::Released(7_u64);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Released<T>(pub(crate) T);

impl<T> Released<T> {
    /// The value, which may be shown to anybody.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Released<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Serialize> Outgoing for Released<T> {}

/// The table was counted under a permit for another way of leaving. A fault of the caller's, never of a query.
#[derive(Debug, thiserror::Error)]
#[error("the answer was permitted to leave in another way")]
pub struct OtherWay;

/// What was counted for a query.
pub struct Counted<'q> {
    /// The query.
    pub query: &'q Query,
    /// The keys of its groups, in the table's order.
    pub groups: Vec<GroupKey>,
    /// Lower edges of the bins of a histogram; empty otherwise.
    pub lower_edges: Vec<u16>,
    /// The exact table.
    pub sealed: Confidential<FrequencyTable>,
}

/// The number of persons that changed in each group since an earlier answer, with that answer; no numbers where the earlier
/// snapshot is gone.
pub struct Since<'e> {
    /// The earlier answer.
    pub earlier: Earlier<'e>,
    /// Changes by group.
    pub changed: Option<Confidential<Vec<u64>>>,
}

/// Releases an answer with the noise of its sets. Groups that have hardly changed since an earlier answer keep its numbers.
///
/// # Errors
/// [`OtherWay`] where the permit was for another way of leaving.
pub fn release_perturbed(
    counted: Counted<'_>,
    perturbation: &Perturbation,
    since: Vec<Since<'_>>,
) -> Result<Released<Answer>, OtherWay> {
    let Counted { query, groups, lower_edges, sealed } = counted;
    let (table, conditions) = sealed.open();
    if conditions.way != Way::Perturbed {
        return Err(OtherWay);
    }
    let mut answer = perturbed::answer(query, &groups, &lower_edges, &table, conditions, perturbation);
    for Since { earlier, changed } in since {
        let changed = changed.map(|changed| changed.open().0);
        answer = between::keep(answer, &groups, &earlier, changed.as_deref(), conditions.safeguards.persons);
    }
    Ok(Released(answer))
}

/// Releases a differentially private answer. Its price must have been charged.
///
/// # Errors
/// [`PrivateError`] where noise cannot be drawn or the permit was for another way of leaving.
pub fn release_private(
    counted: Counted<'_>,
    plan: &PrivatePlan,
    sampler: &mut dyn Sampler,
) -> Result<Released<Answer>, PrivateError> {
    let Counted { query, groups, lower_edges, sealed } = counted;
    let (table, conditions) = sealed.open();
    if !matches!(conditions.way, Way::Private(_)) {
        return Err(PrivateError::Statistic);
    }
    private::answer(query, &groups, &lower_edges, &table, plan, sampler).map(Released)
}
