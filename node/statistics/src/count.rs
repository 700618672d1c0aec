//! Counts of persons: the share is n per group, the pooled estimate its sum with bounds where countries hide small numbers.

/// What one country says about one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Least number of persons.
    pub low: u64,
    /// Greatest number of persons.
    pub high: u64,
}

/// Sum over countries; `None` if it does not fit. Associative and commutative.
#[must_use]
pub fn merge(left: Bounds, right: Bounds) -> Option<Bounds> {
    Some(Bounds { low: left.low.checked_add(right.low)?, high: left.high.checked_add(right.high)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds() -> impl Strategy<Value = Bounds> {
        (0..1_000_000_u64, 0..10_u64).prop_map(|(low, width)| Bounds { low, high: low + width })
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in bounds(), b in bounds(), c in bounds()) {
            prop_assert_eq!(merge(a, b), merge(b, a));
            prop_assert_eq!(merge(merge(a, b).unwrap(), c), merge(a, merge(b, c).unwrap()));
        }
    }

    #[test]
    fn a_sum_that_does_not_fit_is_no_number() {
        assert_eq!(merge(Bounds { low: 1, high: u64::MAX }, Bounds { low: 0, high: 1 }), None);
    }
}
