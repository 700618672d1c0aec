//! Ed25519 keys: of a node for answers and tokens, of a committee member for the membership file.

use std::{fmt, str::FromStr};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use node_domain::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// A public key, written as 43 characters of base64url.
#[derive(Clone, Copy, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9_-]{43}$"))]
pub struct PublicKey([u8; 32]);

/// A key that cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a public key.
    #[error("a public key is written as 43 characters of base64url")]
    Public,
    /// Not a private key.
    #[error("not an Ed25519 private key in PEM (PKCS #8)")]
    Private,
}

impl PublicKey {
    /// Whether `signature` over `message` is this key's.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for people to compare: groups of four hexadecimal digits of its hash, 128 bits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(Digest::of(&self.0))
    }
}

/// Half a hash in groups of four digits, to be read aloud.
#[must_use]
pub fn fingerprint(digest: Digest) -> String {
    let hex = digest.hex();
    (0..8).filter_map(|group| hex.get(group * 4..group * 4 + 4)).collect::<Vec<_>>().join(" ")
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Public)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Public)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A private signing key. Neither printed nor serialised; written only by [`SigningKey::to_pem`].
pub struct SigningKey {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl SigningKey {
    /// A fresh key from the system's randomness.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|_| KeyError::Private)?;
        Self::from_pkcs8(pair.serialize_der())
    }

    /// From PEM (PKCS #8).
    ///
    /// # Errors
    /// Where the text is not an Ed25519 key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let pair = rcgen::KeyPair::from_pem(pem).map_err(|_| KeyError::Private)?;
        Self::from_pkcs8(pair.serialize_der())
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(|_| KeyError::Private)?;
        Ok(Self { pair, pkcs8 })
    }

    /// As PEM, for a file that only the operator may read.
    ///
    /// # Errors
    /// Never for a key made by this type.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        rcgen::KeyPair::try_from(self.pkcs8.as_slice()).map(|pair| pair.serialize_pem()).map_err(|_| KeyError::Private)
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// The signature of `message`, 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_files_and_verify_only_their_own() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(key.public(), again.public());
        let signature = again.sign(b"message");
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        assert!(!SigningKey::generate().unwrap().public().verifies(b"message", &signature));
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
    }
}
