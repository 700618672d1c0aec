//! Keyed hashes in place of patient identifiers: HMAC-SHA-256 under the node's own key.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The node's secret for identifiers and record keys. Never printed.
#[derive(Clone)]
pub struct PseudonymKey {
    identifiers: Hmac<Sha256>,
    record_keys: Hmac<Sha256>,
    erasures: Hmac<Sha256>,
    noise: [u8; 32],
}

/// A pseudonym: 32 hexadecimal digits, the first half of the keyed hash.
pub type Pseudonym = String;

impl PseudonymKey {
    /// From the node's 32 secret bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let derive = |label: &[u8]| {
            let subkey = keyed(secret).chain_update(label).finalize().into_bytes();
            keyed(&subkey)
        };
        Self {
            identifiers: derive(b"alianza identifiers 1"),
            record_keys: derive(b"alianza record keys 1"),
            erasures: derive(b"alianza erasures 1"),
            noise: keyed(secret).chain_update(b"alianza noise 1").finalize().into_bytes().into(),
        }
    }

    /// The pseudonym of an identifier, the same at every load.
    #[must_use]
    pub fn pseudonym(&self, identifier: &str) -> Pseudonym {
        let hash = self.identifiers.clone().chain_update(identifier.as_bytes()).finalize().into_bytes();
        hex(&hash[..16])
    }

    /// The pseudonym of a name: upper and lower case, accents and spaces make no difference.
    #[must_use]
    pub fn pseudonym_of_name(&self, name: &str) -> Pseudonym {
        self.pseudonym(&normal(name))
    }

    /// What is remembered of an erased person, so that an old file does not bring them back. Tells nothing of the pseudonym.
    #[must_use]
    pub fn tombstone(&self, pseudonym: &str) -> Pseudonym {
        let hash = self.erasures.clone().chain_update(pseudonym.as_bytes()).finalize().into_bytes();
        hex(&hash[..16])
    }

    /// The secret under which sets of persons have their noise; the same for the life of the node.
    #[must_use]
    pub fn noise_secret(&self) -> [u8; 32] {
        self.noise
    }

    /// The record key of a person: secret, uniform over 32 bits, the same in every snapshot.
    #[must_use]
    pub fn record_key(&self, pseudonym: &str) -> u32 {
        let hash = self.record_keys.clone().chain_update(pseudonym.as_bytes()).finalize().into_bytes();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }
}

/// A name in lower case without accents (Latin letters), with single spaces and no points.
fn normal(name: &str) -> String {
    let plain = |letter: char| match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        '-' | '.' | '\'' => ' ',
        other => other,
    };
    let lower: String = name.to_lowercase().chars().map(plain).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // a key of any length is valid for HMAC (RFC 2104), so the constructor never fails
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_depend_on_the_key_and_hide_the_identifier() {
        let (one, other) = (PseudonymKey::new(&[1; 32]), PseudonymKey::new(&[2; 32]));
        assert_eq!(one.pseudonym("P-1"), one.pseudonym("P-1"));
        assert_ne!(one.pseudonym("P-1"), other.pseudonym("P-1"));
        assert_ne!(one.pseudonym("P-1"), one.pseudonym("P-2"));
        assert_eq!(one.pseudonym("P-1").len(), 32);
        assert!(!one.pseudonym("P-1").contains("P-1"));
        assert_ne!(one.tombstone(&one.pseudonym("P-1")), one.pseudonym("P-1"));
    }

    #[test]
    fn names_that_differ_only_in_spelling_marks_are_the_same() {
        let key = PseudonymKey::new(&[1; 32]);
        assert_eq!(key.pseudonym_of_name("JOSÉ  Pérez-Gómez"), key.pseudonym_of_name("Jose Perez Gomez"));
        assert_ne!(key.pseudonym_of_name("Jose Perez"), key.pseudonym_of_name("Jose Peres"));
    }
}
