//! Any file in place of one of the dictionary's, and any text as quality rules: refused or read, never a panic.
#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use node_domain::dictionary::Dictionary;
use node_ingest::quality::rule::Rules;

static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| Dictionary::built_in().expect("ships"));

/// The smallest files that make a dictionary.
static FILES: LazyLock<BTreeMap<&str, Vec<u8>>> = LazyLock::new(|| {
    let package = br#"{"version":"9","resources":[{"name":"sex","schema":"s"}],"alianza:tables":["tables/t.schema.json"]}"#;
    let all: BTreeMap<String, &[u8]> = Dictionary::built_in_files().collect();
    BTreeMap::from([
        ("datapackage.json", package.to_vec()),
        ("s", all["training.schema.json"].to_vec()),
        ("tables/t.schema.json", all["tables/trainings.schema.json"].to_vec()),
    ])
});

fuzz_target!(|data: &[u8]| {
    let Some((which, content)) = data.split_first() else { return };
    let replaced = ["datapackage.json", "s", "tables/t.schema.json", "codes/training_kind.csv"][usize::from(*which) % 4];
    let built_in: BTreeMap<String, &[u8]> = Dictionary::built_in_files().collect();
    let file = |name: &str| {
        if name == replaced {
            return Some(content.to_vec());
        }
        FILES.get(name).cloned().or_else(|| built_in.get(name).map(|bytes| bytes.to_vec()))
    };
    if let Ok(dictionary) = Dictionary::parse(&file) {
        assert!(dictionary.answers(&dictionary.version));
    }
    if let Ok(text) = std::str::from_utf8(content) {
        let _ = Rules::parse(text, &DICTIONARY);
    }
});
