//! Privacy budgets: what of them is spent, charged before an answer leaves and in the same transaction.

use chrono::{DateTime, Utc};
use node_domain::node_id::NodeId;
use node_protocol::{project::ProjectId, study::StudyId};
use sqlx::{Row, Sqlite, Transaction};

use crate::{
    Store, StoreError,
    audit::{self, Event},
};

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetScope {
    /// The node's: all projects together.
    Node,
    /// One project's at this node.
    Project(ProjectId),
}

impl BudgetScope {
    fn text(&self) -> String {
        match self {
            Self::Node => "node".to_owned(),
            Self::Project(project) => format!("project:{project}"),
        }
    }
}

/// The price of one answer, and all that may be spent; rho of zero-concentrated differential privacy.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetCharge {
    /// The project.
    pub project: ProjectId,
    /// The price; finite and above 0.
    pub rho: f64,
    /// All that the project may spend here.
    pub project_granted: f64,
    /// All that the node may spend.
    pub node_granted: f64,
}

impl Store {
    /// What of a budget is spent, rho; never less than the exact sum of the charges.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn budget_spent(&self, scope: &BudgetScope) -> Result<f64, StoreError> {
        spent_in(&mut self.pool.begin().await?, scope).await
    }
}

async fn spent_in(transaction: &mut Transaction<'_, Sqlite>, scope: &BudgetScope) -> Result<f64, StoreError> {
    let row = sqlx::query("SELECT spent FROM budget WHERE scope = $1")
        .bind(scope.text())
        .fetch_optional(&mut **transaction)
        .await?;
    row.map_or(Ok(0.0), |row| row.try_get("spent").map_err(Into::into))
}

/// Charges an answer to its project and to the node, once for one study. Returns the budget that does not suffice, if one does
/// not; the transaction must then be given up.
pub(crate) async fn charge_in(
    transaction: &mut Transaction<'_, Sqlite>,
    (peer, study): (&NodeId, &StudyId),
    charge: &BudgetCharge,
    now: DateTime<Utc>,
) -> Result<Option<BudgetScope>, StoreError> {
    if !(charge.rho.is_finite() && charge.rho > 0.0) {
        return Err(StoreError::Price);
    }
    let new = sqlx::query(
        "INSERT INTO budget_charge (peer, study, project, rho, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(peer.as_str())
    .bind(study.as_str())
    .bind(charge.project.as_str())
    .bind(charge.rho)
    .bind(now.timestamp_millis())
    .execute(&mut **transaction)
    .await?;
    if new.rows_affected() == 0 {
        return Ok(None);
    }
    let mut totals = [0.0; 2];
    let scopes = [
        (BudgetScope::Project(charge.project.clone()), charge.project_granted),
        (BudgetScope::Node, charge.node_granted),
    ];
    for (total, (scope, granted)) in totals.iter_mut().zip(scopes) {
        *total = add_up(spent_in(transaction, &scope).await?, charge.rho);
        // a grant that is no number grants nothing
        if granted.is_nan() || *total > granted {
            return Ok(Some(scope));
        }
        sqlx::query(
            "INSERT INTO budget (scope, spent) VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET spent = excluded.spent",
        )
        .bind(scope.text())
        .bind(*total)
        .execute(&mut **transaction)
        .await?;
    }
    let [spent, node_spent] = totals;
    let event = Event::BudgetCharged { project: charge.project.clone(), rho: charge.rho, spent, node_spent };
    audit::append_in(transaction, now, event).await?;
    Ok(None)
}

/// `a + b`, rounded up where it is not exact (the rounding error is that of Knuth 1997, section 4.2.2, theorem B).
fn add_up(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let from_b = sum - a;
    let lost = (a - (sum - from_b)) + (b - from_b);
    if lost > 0.0 { sum.next_up() } else { sum }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        answers::{Precedent, Recorded},
        audit::entries::EntryFilter,
        support::{handover, now, signed, store, token},
    };

    fn charge(rho: f64, project_granted: f64, node_granted: f64) -> Option<BudgetCharge> {
        Some(BudgetCharge { project: project(), rho, project_granted, node_granted })
    }

    fn project() -> ProjectId {
        "ar-2026-001".parse().unwrap()
    }

    async fn both(store: &Store) -> (f64, f64) {
        let own = store.budget_spent(&BudgetScope::Project(project())).await.unwrap();
        (own, store.budget_spent(&BudgetScope::Node).await.unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_charged_to_its_project_and_the_node_and_audited() {
        let (_folder, store) = store().await;
        let mut paid = handover(1);
        paid.charge = charge(0.25, 0.5, 1.0);
        let given = store.give(&paid, now(), signed).await.unwrap();
        assert!(matches!(given, Recorded::Given(_)), "{given:?}");
        assert_eq!(both(&store).await, (0.25, 0.25));
        let entries = store.recent_entries(9).await.unwrap();
        let charged = Event::BudgetCharged { project: project(), rho: 0.25, spent: 0.25, node_spent: 0.25 };
        assert_eq!(entries[1].event, charged);
        assert_eq!(entries[0].event.what(), "answer_given", "charged before it is given");
        let of_project = EntryFilter { project: Some(project().to_string()), ..EntryFilter::default() };
        assert_eq!(store.entries(&of_project).await.unwrap().len(), 1);

        // the same study again is not paid for again
        let mut again = paid.clone();
        again.token = token(2);
        let again = store.give(&again, now(), signed).await.unwrap();
        assert!(matches!(again, Recorded::Preceded(Precedent::Answered(_))));
        assert_eq!(both(&store).await, (0.25, 0.25));
    }

    #[tokio::test]
    async fn either_budget_refuses_and_then_nothing_is_recorded() {
        let (_folder, store) = store().await;
        for (granted, node_granted, short) in [
            (0.2, 1.0, BudgetScope::Project(project())),
            (1.0, 0.2, BudgetScope::Node),
            (f64::NAN, 1.0, BudgetScope::Project(project())),
        ] {
            let mut paid = handover(1);
            paid.charge = charge(0.25, granted, node_granted);
            assert_eq!(store.give(&paid, now(), signed).await.unwrap(), Recorded::BudgetSpent(short.clone()));
            assert_eq!(store.hold(&paid, "dp", now(), signed).await.unwrap(), Recorded::BudgetSpent(short));
            let precedent = store.precedent(&paid.token, &paid.study, &paid.query_hash).await.unwrap();
            assert_eq!(precedent, Precedent::None, "the token is not used either");
        }
        assert_eq!(both(&store).await, (0.0, 0.0));
        assert_eq!(store.head().await.unwrap().sequence, 0);
    }

    #[tokio::test]
    async fn a_price_that_is_none_is_an_error() {
        let (_folder, store) = store().await;
        for rho in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut paid = handover(1);
            paid.charge = charge(rho, 1.0, 1.0);
            assert!(matches!(store.give(&paid, now(), signed).await, Err(StoreError::Price)));
        }
        assert_eq!(both(&store).await, (0.0, 0.0));
    }

    #[tokio::test]
    async fn many_at_once_never_spend_more_than_is_granted() {
        let (_folder, store) = store().await;
        let tasks: Vec<_> = (1..=24)
            .map(|study| {
                let store = store.clone();
                let mut paid = handover(study);
                paid.charge = charge(0.125, 1.0, 2.0);
                tokio::spawn(async move { store.give(&paid, now(), signed).await.unwrap() })
            })
            .collect();
        let mut given = 0;
        for task in tasks {
            given += u32::from(matches!(task.await.unwrap(), Recorded::Given(_)));
        }
        assert_eq!(given, 8);
        assert_eq!(both(&store).await, (1.0, 1.0));
    }

    #[test]
    fn sums_are_exact_or_rounded_up() {
        assert_eq!(add_up(0.5, 0.25).to_bits(), 0.75_f64.to_bits());
        assert!(add_up(1.0, f64::EPSILON / 4.0) > 1.0, "a small charge is never lost");
        let tenths = (0..10).fold(0.0, |sum, _| add_up(sum, 0.1));
        assert!(tenths > 1.0, "0.1 in binary is a little more than a tenth");
    }

    proptest! {
        #[test]
        fn what_is_spent_is_never_less_than_the_exact_sum(charges in proptest::collection::vec(1_u64..1 << 53, 1..200)) {
            // charges of up to 53 bits at different scales; their exact sum is known in units of 2^-60
            let scaled = |at: usize, units: u64| (units >> 20) << (at % 20);
            let exact: u128 = charges.iter().enumerate().map(|(at, units)| u128::from(scaled(at, *units))).sum();
            let unit = 2.0_f64.powi(-60);
            let spent = charges.iter().enumerate().fold(0.0, |sum, (at, units)| {
                #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
                let charge = scaled(at, *units) as f64 * unit;
                add_up(sum, charge)
            });
            // `spent` is a whole number of units, since every charge is
            prop_assert_eq!((spent / unit).fract().to_bits(), 0.0_f64.to_bits());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number, not negative")]
            let units = (spent / unit) as u128;
            prop_assert!(units >= exact);
            prop_assert!(units - exact <= exact / (1 << 40) + 200, "and hardly more");
        }
    }
}
