//! Arithmetic modulo the prime 2^31 - 1 and a small documented source of reproducible random numbers.

/// The prime 2^31 - 1. Four products of residues and a partly reduced sum fit in 64 bits.
pub(crate) const PRIME: u64 = (1 << 31) - 1;

/// One folding step: congruent to `value`, at most `PRIME + 2^33`.
#[inline(always)]
pub(crate) fn fold(value: u64) -> u64 {
    (value & PRIME) + (value >> 31)
}

/// The residue of any 64-bit value, in `0..PRIME`.
#[inline]
pub(crate) fn reduce(value: u64) -> u64 {
    let folded = fold(fold(value));
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// The product of two residues.
#[inline]
pub(crate) fn multiply(left: u64, right: u64) -> u64 {
    reduce(left * right)
}

/// The residue of the opposite of a value of at most `PRIME`.
#[inline]
pub(crate) fn negate(value: u64) -> u64 {
    if value == 0 || value == PRIME { 0 } else { PRIME - value }
}

/// The inverse of a residue that is not 0 (0 for 0), by Fermat's little theorem.
pub(crate) fn invert(value: u64) -> u64 {
    let (mut result, mut base, mut exponent) = (1, reduce(value), PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

/// A residue as it is stored: it always fits.
#[inline]
pub(crate) fn narrow(value: u64) -> u32 {
    (reduce(value) & 0xffff_ffff) as u32
}

/// `SplitMix64` (Steele, Lea & Flood 2014). The seed is a constant of the caller: the numbers only need to be unrelated to the
/// tables, not secret, and a fixed seed makes every verdict reproducible.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A residue other than 0, as good as uniform.
    pub(crate) fn residue(&mut self) -> u64 {
        1 + (self.next() >> 20) % (PRIME - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn residues_agree_with_plain_division(value: u64, left in 0..PRIME, right in 0..PRIME) {
            prop_assert_eq!(reduce(value), value % PRIME);
            prop_assert_eq!(multiply(left, right), (u128::from(left) * u128::from(right) % u128::from(PRIME)) as u64);
            prop_assert_eq!(reduce(left + negate(left)), 0);
        }

        #[test]
        fn an_inverse_undoes_its_number(value in 1..PRIME) {
            prop_assert_eq!(multiply(value, invert(value)), 1);
        }
    }
}
