//! Canonical JSON (RFC 8785): the one byte form of a value that is hashed and signed.

use node_domain::digest::Digest;
use serde::Serialize;

/// The value has no canonical form, for instance because it holds a number that JSON cannot write.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form")]
pub struct CanonicalError(#[source] serde_json::Error);

/// The canonical bytes of `value`.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    serde_json_canonicalizer::to_vec(value).map_err(CanonicalError)
}

/// The hash of the canonical bytes of `value`.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn digest<T: Serialize>(value: &T) -> Result<Digest, CanonicalError> {
    bytes(value).map(|bytes| Digest::of(&bytes))
}
