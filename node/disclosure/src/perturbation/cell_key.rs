//! The secret noise key of a node, and the uniform number that a set of persons draws from it.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Length of a block of SHA-256 in bytes.
const BLOCK_BYTES: usize = 64;

/// What a draw is for; each purpose has its own stream, independent of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Any count of persons: of a group, of the events or of the withdrawn of an interval. One purpose for all of them,
    /// so that a set of persons has one draw however it is reached.
    Persons,
    /// A sum of a quantity over the persons of a cell.
    Sum,
}

impl Purpose {
    /// Fixed for ever: another label is another noise for every cell.
    fn label(self) -> &'static [u8] {
        match self {
            Self::Persons => b"alianza cell key 1 persons",
            Self::Sum => b"alianza cell key 1 sum",
        }
    }
}

/// The 256-bit secret behind all noise of a node.
///
/// # Privacy
/// Whoever holds it and the record keys can take the noise off every answer, so it has no `Debug`, no `Display` and no
/// way out. It must outlive a restart and a new snapshot: a new key is new noise for the same sets, and two noises
/// average.
#[derive(Clone)]
pub struct NoiseKey([u8; 32]);

impl NoiseKey {
    /// Takes 32 bytes from a cryptographic source.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// A number uniform over all of `u64`: the first eight bytes, big endian, of HMAC-SHA-256 over the label of the
    /// purpose and `key_sum` (eight bytes, big endian).
    ///
    /// `key_sum` is the sum modulo 2^64 of the secret 32-bit record keys of the distinct persons in the cell, so it
    /// depends on the set and not on the query. In Fraser & Wooton (2005) the sum itself picks the noise; hashing it
    /// here removes the additive structure, by which the key of a union would tell of the keys of its parts.
    #[must_use]
    pub fn uniform(&self, purpose: Purpose, key_sum: u64) -> u64 {
        // HMAC fills a short key up with zeros (RFC 2104, section 2); a whole block cannot have a wrong length
        let mut block = [0; BLOCK_BYTES];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
        mac.update(purpose.label());
        mac.update(&key_sum.to_be_bytes());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_hmac_of_the_unpadded_key() {
        let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        for (purpose, label) in
            [(Purpose::Persons, &b"alianza cell key 1 persons"[..]), (Purpose::Sum, b"alianza cell key 1 sum")]
        {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(label);
            mac.update(&[0, 0, 0, 0, 0, 0, 1, 2]);
            let digest = mac.finalize().into_bytes();
            let expected = u64::from_be_bytes(digest[..8].try_into().unwrap());
            assert_eq!(NoiseKey::new(secret).uniform(purpose, 258), expected);
        }
    }

    #[test]
    fn the_draws_of_a_known_key_never_change() {
        // python3: hmac.new(bytes(range(32)), label + (258).to_bytes(8, "big"), "sha256").digest()[:8]
        let key = NoiseKey::new(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        assert_eq!(key.uniform(Purpose::Persons, 258), 0x4f64_2df2_6b34_3b9c);
        assert_eq!(key.uniform(Purpose::Sum, 258), 0x7f5c_2675_fb20_8b7d);
    }

    #[test]
    fn purposes_sums_and_keys_draw_independently() {
        let (one, other) = (NoiseKey::new([1; 32]), NoiseKey::new([2; 32]));
        assert_ne!(one.uniform(Purpose::Persons, 7), one.uniform(Purpose::Sum, 7));
        assert_ne!(one.uniform(Purpose::Persons, 7), one.uniform(Purpose::Persons, 8));
        assert_ne!(one.uniform(Purpose::Persons, 7), other.uniform(Purpose::Persons, 7));
    }

    #[test]
    fn the_draw_of_a_union_does_not_follow_from_its_parts() {
        let key = NoiseKey::new([3; 32]);
        let [a, b, both] = [11, 31, 42].map(|sum| key.uniform(Purpose::Persons, sum));
        assert_ne!(a.wrapping_add(b), both);
        assert_ne!(a ^ b, both);
    }
}
