//! Indicators: named, versioned queries with a definition in three languages, one file each.

use include_dir::{Dir, include_dir};
use node_domain::language::Text;
use node_protocol::query::Query;
use serde::Deserialize;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas/indicators");

/// A named, versioned query with its definition in three languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// Name.
    pub id: String,
    /// Version; grows when the definition changes.
    pub version: u32,
    /// How it is computed.
    pub formula: String,
    /// Where the definition comes from.
    pub source: String,
    /// Unit of its numbers.
    pub unit: String,
    /// Title.
    pub title: Text,
    /// Definition.
    pub definition: Text,
    /// The query.
    pub query: Query,
}

/// An indicator's file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct IndicatorError {
    /// File.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

impl Indicator {
    /// The indicators that ship, by name.
    ///
    /// # Errors
    /// Where a file is malformed; a test keeps that from shipping.
    pub fn all() -> Result<Vec<Self>, IndicatorError> {
        let mut all = FILES
            .files()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"))
            .map(|file| {
                let bad = |what: String| IndicatorError { file: file.path().display().to_string(), what };
                let text = file.contents_utf8().ok_or_else(|| bad("not UTF-8".to_owned()))?;
                toml::from_str(text).map_err(|error| bad(error.to_string()))
            })
            .collect::<Result<Vec<Self>, _>>()?;
        all.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;

    use super::*;

    #[test]
    fn the_indicators_parse_fit_the_dictionary_and_ask_different_things() {
        let indicators = Indicator::all().unwrap();
        assert!(indicators.len() >= 8);
        let dictionary = Dictionary::built_in().unwrap();
        for (at, indicator) in indicators.iter().enumerate() {
            indicator.query.check_shape().unwrap();
            indicator.query.check_against(&dictionary).unwrap();
            assert_eq!(FILES.get_file(format!("{}.toml", indicator.id)).map(|_| ()), Some(()), "{}", indicator.id);
            for other in &indicators[..at] {
                assert!(!indicator.query.asks_the_same(&other.query), "{} and {}", indicator.id, other.id);
            }
        }
    }
}
