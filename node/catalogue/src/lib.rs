//! At publish: every indicator computed and released once, so that answering it is a look-up and everybody gets the same numbers.
//!
//! The indicators that ship share no cell with one another. The rule that suppresses linked tables jointly must come before the
//! second indicator does; [`Indicator::all`] holds that by a test.

use include_dir::{Dir, include_dir};
use node_disclosure::release::release_indicator;
use node_domain::{dictionary::Dictionary, language::Text};
use node_engine::columnar::{Measures, TabulateError, tabulate};
use node_policy::{permit::permit_indicator, policy::Policy};
use node_protocol::{envelope::CatalogueEntry, problem::Problem, query::Query};
use node_snapshot::shelf::Snapshot;
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

/// A catalogue that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// An indicator's file.
    #[error("{file}: {what}")]
    File {
        /// File.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// An indicator that does not fit the dictionary.
    #[error("indicator {id}")]
    Query {
        /// Indicator.
        id: String,
        /// What does not fit.
        #[source]
        problem: Problem,
    },
    /// The snapshot.
    #[error(transparent)]
    Tabulate(#[from] TabulateError),
}

impl Indicator {
    /// The indicators that ship, by name.
    ///
    /// # Errors
    /// Where a file is malformed; a test keeps that from shipping.
    pub fn all() -> Result<Vec<Self>, CatalogueError> {
        FILES
            .files()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "toml"))
            .map(|file| {
                let bad = |what: String| CatalogueError::File { file: file.path().display().to_string(), what };
                let text = file.contents_utf8().ok_or_else(|| bad("not UTF-8".to_owned()))?;
                toml::from_str(text).map_err(|error| bad(error.to_string()))
            })
            .collect()
    }
}

/// Computes and releases every indicator on `snapshot` under `policy`.
///
/// # Errors
/// Where an indicator does not fit the dictionary or the snapshot.
pub fn compute(
    snapshot: &Snapshot,
    policy: &Policy,
    dictionary: &Dictionary,
) -> Result<Vec<CatalogueEntry>, CatalogueError> {
    Indicator::all()?
        .into_iter()
        .map(|indicator| {
            let permitted = permit_indicator(indicator.query.clone(), policy, dictionary)
                .map_err(|problem| CatalogueError::Query { id: indicator.id.clone(), problem })?;
            let (groups, sealed) = tabulate(snapshot, &permitted, Measures::default())?;
            let answer = release_indicator(permitted.query(), &groups, sealed).get().clone();
            Ok(CatalogueEntry { indicator: indicator.id, version: indicator.version, answer })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indicators_parse_and_share_no_cell() {
        let indicators = Indicator::all().unwrap();
        assert_eq!(indicators.len(), 1, "a second indicator needs joint suppression first");
        let dictionary = Dictionary::built_in().unwrap();
        for indicator in &indicators {
            indicator.query.check_shape().unwrap();
            indicator.query.check_against(&dictionary).unwrap();
        }
    }
}
