//! May a sum be shown: not where one or two contributors make up too much of it, nor where it is small itself.

use node_protocol::release::{Dominance, Safeguards};
use node_statistics::frequency::Sum;

/// Whether a sum is so small that fewer units than the threshold may have made it, or that nobody did.
pub(crate) fn too_small(sum: &Sum, safeguards: Safeguards) -> bool {
    sum.sum < u64::from(safeguards.persons)
}

/// Whether one or two contributors make up too much of a sum: the dominance rule with one contributor and the p % rule
/// (Hundepool et al. 2012, section 4.2.2).
pub(crate) fn dominates(sum: &Sum, rules: Dominance) -> bool {
    if sum.sum == 0 {
        return false;
    }
    let rest = sum.sum.saturating_sub(sum.largest).saturating_sub(sum.second);
    let share = u128::from(sum.largest) * 100 > u128::from(sum.sum) * u128::from(rules.largest_percent);
    let p = u128::from(rest) * 100 < u128::from(sum.largest) * u128::from(rules.p_percent);
    share || p
}
