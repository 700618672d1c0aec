//! Keeps what a project and a node may still spend on noisy releases, in rho of zCDP.
//!
//! Pure: the caller stores both accounts, in one transaction and before anything is released.

use thiserror::Error;

/// What was granted and what is spent, in rho. Never less spent than the exact sum of all charges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    granted: f64,
    spent: f64,
}

impl Account {
    /// An account of which nothing is spent.
    ///
    /// # Errors
    /// Where `granted` is NaN, infinite, zero or negative.
    pub fn new(granted: f64) -> Result<Self, AccountError> {
        Self::restore(granted, 0.0)
    }

    /// An account as it was stored. More may be spent than granted, where the grant was lowered since; nothing remains then.
    ///
    /// # Errors
    /// Where `granted` is NaN, infinite, zero or negative, or `spent` is NaN, infinite or negative.
    pub fn restore(granted: f64, spent: f64) -> Result<Self, AccountError> {
        if !is_positive(granted) {
            return Err(AccountError::Granted);
        }
        if !(spent.is_finite() && spent >= 0.0) {
            return Err(AccountError::Spent);
        }
        Ok(Self { granted, spent })
    }

    /// rho granted; finite and above 0.
    #[must_use]
    pub fn granted(&self) -> f64 {
        self.granted
    }

    /// rho spent so far; finite, 0 or more.
    #[must_use]
    pub fn spent(&self) -> f64 {
        self.spent
    }

    /// rho that can still be charged, rounded down; 0 or more. A charge of exactly this much is accepted, where it is above 0.
    #[must_use]
    pub fn remaining(&self) -> f64 {
        let (rest, lost) = exact_sum(self.granted, -self.spent);
        if lost < 0.0 { rest.next_down() } else { rest }.max(0.0)
    }

    /// The account after a release of `rho`. Adds up exactly or rounds up, so many small charges never come out as less than
    /// they are (composition: Bun & Steinke 2016, lemma 1.7).
    ///
    /// Decimal fractions are not exact in binary: ten charges of 0.1 are a little more than 1, and the tenth is refused on a
    /// grant of 1.
    ///
    /// # Errors
    /// Where `rho` is NaN, infinite, zero or negative, or more than remains. The account is unchanged then.
    pub fn charge(&self, rho: f64) -> Result<Self, ChargeError> {
        if !is_positive(rho) {
            return Err(ChargeError::Rho);
        }
        let (sum, lost) = exact_sum(self.spent, rho);
        let spent = if lost > 0.0 { sum.next_up() } else { sum };
        if spent > self.granted {
            return Err(ChargeError::Exhausted { remaining: self.remaining() });
        }
        Ok(Self { spent, ..*self })
    }
}

/// Why a number is no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The grant is NaN, infinite, zero or negative.
    #[error("the granted rho must be a finite number above 0")]
    Granted,
    /// What is spent is NaN, infinite or negative.
    #[error("the spent rho must be a finite number, 0 or more")]
    Spent,
}

/// Why a charge is refused. Says nothing of the data.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum ChargeError {
    /// rho is NaN, infinite, zero or negative.
    #[error("rho must be a finite number above 0")]
    Rho,
    /// More was asked for than remains.
    #[error("the privacy budget does not allow this release: {remaining} rho remains")]
    Exhausted {
        /// rho that can still be charged; 0 or more.
        remaining: f64,
    },
}

/// Charges a project and the node together: both or neither. Returns the two accounts after it, in that order.
///
/// # Errors
/// The first account that refuses, the project's before the node's.
pub fn charge_both(project: &Account, node: &Account, rho: f64) -> Result<(Account, Account), BothError> {
    let project = project.charge(rho).map_err(BothError::Project)?;
    let node = node.charge(rho).map_err(BothError::Node)?;
    Ok((project, node))
}

/// Which of the two accounts refused.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum BothError {
    /// The project's own account.
    #[error("refused by the account of the project")]
    Project(#[source] ChargeError),
    /// The account of the node over all projects. What remains there is the steward's to know: it tells what other projects
    /// spent.
    #[error("refused by the account of the node")]
    Node(#[source] ChargeError),
}

/// The epsilon of approximate differential privacy that `rho` amounts to at `delta`: `rho + 2 sqrt(rho ln(1 / delta))`
/// (Bun & Steinke 2016, prop. 1.3). For showing to people, never for charging: epsilons of this kind do not add up.
///
/// # Errors
/// Where `rho` is NaN, infinite or negative, or `delta` is not above 0 and below 1. A `rho` of 0 gives 0.
pub fn epsilon(rho: f64, delta: f64) -> Result<f64, EpsilonError> {
    if !(rho.is_finite() && rho >= 0.0) {
        return Err(EpsilonError::Rho);
    }
    if !(delta > 0.0 && delta < 1.0) {
        return Err(EpsilonError::Delta);
    }
    // two roots, as the product may pass the greatest number
    Ok(rho + 2.0 * rho.sqrt() * (-delta.ln()).sqrt())
}

/// Why there is no epsilon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EpsilonError {
    /// rho is NaN, infinite or negative.
    #[error("rho must be a finite number, 0 or more")]
    Rho,
    /// delta is not between 0 and 1.
    #[error("delta must be above 0 and below 1")]
    Delta,
}

fn is_positive(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

/// A sum as rounded, and exactly what rounding took away (Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B).
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_kept = sum - a;
    let a_kept = sum - b_kept;
    (sum, (a - a_kept) + (b - b_kept))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tests charge whole multiples of 2^-60, whose sums a `u128` holds exactly.
    const UNIT: f64 = 1.0 / (1_u64 << 60) as f64;

    /// Multiples of the unit with at most 53 bits, from one unit to a half, so every one of them is an exact `f64`.
    fn units() -> impl Strategy<Value = u64> {
        (1..(1_u64 << 53), 0..60_u32, 0..7_u32).prop_map(|(m, down, up)| (m >> down.min(52)).max(1) << up)
    }

    fn rho_of(units: u64) -> f64 {
        units as f64 * UNIT
    }

    fn rhos() -> impl Strategy<Value = f64> {
        (-12.0..3.0_f64).prop_map(|power| 10_f64.powf(power))
    }

    proptest! {
        #[test]
        fn many_charges_are_never_less_than_their_exact_sum(charges in proptest::collection::vec(units(), 1..300)) {
            let mut account = Account::new(1e6).unwrap();
            let mut exact = 0_u128;
            for charge in charges {
                account = account.charge(rho_of(charge)).unwrap();
                exact += u128::from(charge);
            }
            let spent = (account.spent() / UNIT) as u128;
            prop_assert!(spent >= exact);
            // and not much more: one rounding a charge
            prop_assert!(spent - exact <= 300 * (exact >> 52) + 1);
        }

        #[test]
        fn nothing_is_spent_beyond_the_grant(granted in rhos(), charges in proptest::collection::vec(rhos(), 1..100)) {
            let mut account = Account::new(granted).unwrap();
            for charge in charges {
                let before = account;
                match account.charge(charge) {
                    Ok(after) => {
                        prop_assert!(after.spent() > before.spent() && after.spent() >= charge);
                        prop_assert!(after.remaining() <= before.remaining());
                        account = after;
                    }
                    Err(ChargeError::Exhausted { remaining }) => {
                        prop_assert!(charge > remaining);
                        prop_assert_eq!(remaining, before.remaining());
                    }
                    Err(ChargeError::Rho) => prop_assert!(false, "{charge} is a number"),
                }
                prop_assert!(account.spent() <= account.granted());
            }
        }

        #[test]
        fn what_remains_can_be_charged_and_no_more(granted in rhos(), share in 0.0..1.0_f64) {
            let account = Account::restore(granted, granted * share).unwrap();
            let remaining = account.remaining();
            prop_assume!(remaining > 0.0);
            prop_assert!(account.charge(remaining).is_ok());
            let exhausted = Err(ChargeError::Exhausted { remaining });
            prop_assert_eq!(account.charge(remaining.next_up()), exhausted);
        }

        #[test]
        fn a_smaller_charge_is_never_refused_where_a_larger_is_not(granted in rhos(), a in rhos(), b in rhos()) {
            let account = Account::new(granted).unwrap();
            if account.charge(a.max(b)).is_ok() {
                prop_assert!(account.charge(a.min(b)).is_ok());
            }
        }

        #[test]
        fn both_are_charged_or_neither(project in rhos(), node in rhos(), rho in rhos()) {
            let (project, node) = (Account::new(project).unwrap(), Account::new(node).unwrap());
            let expected = match (project.charge(rho), node.charge(rho)) {
                (Ok(project), Ok(node)) => Ok((project, node)),
                (Err(refusal), _) => Err(BothError::Project(refusal)),
                (_, Err(refusal)) => Err(BothError::Node(refusal)),
            };
            prop_assert_eq!(charge_both(&project, &node, rho), expected);
        }

        #[test]
        fn epsilon_grows_with_rho_and_shrinks_with_delta(
            a in rhos(), b in rhos(), c in -30.0..-0.01_f64, d in -30.0..-0.01_f64,
        ) {
            let (low, high) = (10_f64.powf(c.min(d)), 10_f64.powf(c.max(d)));
            prop_assert!(epsilon(a.min(b), low).unwrap() <= epsilon(a.max(b), low).unwrap());
            prop_assert!(epsilon(a, high).unwrap() <= epsilon(a, low).unwrap());
            prop_assert!(epsilon(a, high).unwrap() >= a);
        }
    }

    #[test]
    fn numbers_that_are_no_charge_are_refused() {
        let account = Account::new(1.0).unwrap();
        for rho in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 0.0, -0.0] {
            assert_eq!(account.charge(rho), Err(ChargeError::Rho));
            assert_eq!(charge_both(&account, &account, rho), Err(BothError::Project(ChargeError::Rho)));
            assert_eq!(Account::new(rho), Err(AccountError::Granted));
        }
        for spent in [f64::NAN, f64::INFINITY, -0.1] {
            assert_eq!(Account::restore(1.0, spent), Err(AccountError::Spent));
        }
    }

    #[test]
    fn a_grant_can_be_spent_to_the_last() {
        let spent = Account::new(1.0).unwrap().charge(0.75).unwrap().charge(0.25).unwrap();
        assert_eq!((spent.spent(), spent.remaining()), (1.0, 0.0));
        assert_eq!(spent.charge(f64::MIN_POSITIVE), Err(ChargeError::Exhausted { remaining: 0.0 }));
    }

    #[test]
    fn ten_tenths_are_more_than_one() {
        let mut account = Account::new(1.0).unwrap();
        for _ in 0..9 {
            account = account.charge(0.1).unwrap();
        }
        assert!(matches!(account.charge(0.1), Err(ChargeError::Exhausted { .. })));
    }

    #[test]
    fn charges_too_small_to_see_still_count() {
        let mut account = Account::restore(2.0, 1.0).unwrap();
        for _ in 0..4 {
            account = account.charge(1e-300).unwrap();
        }
        assert_eq!(account.spent(), 1.0 + 4.0 * f64::EPSILON);
    }

    #[test]
    fn a_lowered_grant_leaves_nothing() {
        let account = Account::restore(1.0, 3.0).unwrap();
        assert_eq!(account.remaining(), 0.0);
        assert_eq!(account.charge(0.1), Err(ChargeError::Exhausted { remaining: 0.0 }));
    }

    #[test]
    fn charges_beyond_all_numbers_are_exhausted() {
        let account = Account::restore(f64::MAX, f64::MAX).unwrap();
        assert_eq!(account.charge(f64::MAX), Err(ChargeError::Exhausted { remaining: 0.0 }));
    }

    #[test]
    fn epsilon_follows_the_formula() {
        // 0.5 + 2 sqrt(0.5 ln 10^6) = 5.7565...
        assert!((epsilon(0.5, 1e-6).unwrap() - 5.756_521_769_756_932).abs() < 1e-12);
        assert_eq!(epsilon(0.0, 1e-6), Ok(0.0));
        for rho in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(epsilon(rho, 1e-6), Err(EpsilonError::Rho));
        }
        for delta in [f64::NAN, 0.0, 1.0, -0.1, 2.0] {
            assert_eq!(epsilon(0.5, delta), Err(EpsilonError::Delta));
        }
    }
}
