//! The identity of a node: the lower-case ISO 3166-1 code of its country, with an optional suffix.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A node's identity, such as `mx` or `br-inca`. Compared whole, never by prefix or suffix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[a-z]{2}(-[a-z0-9]{1,16})?$"))]
pub struct NodeId(String);

/// The text is not a node's identity.
#[derive(Debug, thiserror::Error)]
#[error(
    "a node is named by two lower-case letters (ISO 3166-1), with an optional suffix of up to 16 letters or digits: mx, br-inca"
)]
pub struct NodeIdError;

impl NodeId {
    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let (country, suffix) = match text.split_once('-') {
            Some((country, suffix)) => (country, Some(suffix)),
            None => (text, None),
        };
        let country_fits = country.len() == 2 && country.bytes().all(|b| b.is_ascii_lowercase());
        let suffix_fits = suffix.is_none_or(|s| {
            (1..=16).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        if country_fits && suffix_fits { Ok(Self(text.to_owned())) } else { Err(NodeIdError) }
    }
}

impl TryFrom<String> for NodeId {
    type Error = NodeIdError;

    fn try_from(text: String) -> Result<Self, NodeIdError> {
        text.parse()
    }
}

impl From<NodeId> for String {
    fn from(id: NodeId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_well_formed_names_are_identities() {
        for good in ["mx", "br-inca", "us-1"] {
            assert!(good.parse::<NodeId>().is_ok(), "{good}");
        }
        for bad in ["", "m", "mxx", "MX", "mx-", "mx_1", "mx-a-b", "mx ", "mx-aaaaaaaaaaaaaaaaa", "../mx"] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }
}
