use std::{collections::BTreeMap, fs, io::Write as _, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{check::check, mapping::plan::Plan, row::RowBuffer};

/// What a file makes, as text: rows with the fields that are filled, defects, and values that the check of rows refuses.
#[derive(Default)]
struct Made {
    rows: Vec<String>,
    refused: Vec<String>,
    defects: Vec<String>,
    said: Vec<String>,
}

impl Listener for Made {
    fn plan(&mut self, _: &Plan<'_>) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, plan: &Plan<'_>, target: usize, line: u64, row: &RowBuffer) -> io::Result<()> {
        let target = &plan.targets[target];
        let mut text = format!("{line} {}", target.table.name);
        for (at, field) in target.table.fields.iter().enumerate() {
            let value = row.value(at);
            assert!(value.is_empty() || target.fills(at), "{} is filled and not announced", field.name);
            if !value.is_empty() {
                text += &format!(" {}={value}", field.name);
            }
            if let Err((rule, _)) = check(field, value) {
                self.refused.push(format!("{line} {}.{} {rule}", target.table.name, field.name));
            }
        }
        self.rows.push(text);
        Ok(())
    }

    fn defect(&mut self, defect: Defect) {
        self.said.push(defect.to_string());
        self.defects.push(format!("{} {} {}", defect.line, defect.column.unwrap_or_default(), defect.rule));
    }

    fn progress(&mut self, _: Progress) {}
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures/fhir", name].iter().collect()
}

fn read_path(path: &Path) -> (Made, Summary) {
    let dictionary = Dictionary::built_in().unwrap();
    let mut made = Made::default();
    let summary = read(path, &dictionary, &mut made).unwrap();
    (made, summary)
}

fn read_bytes(name: &str, bytes: &[u8]) -> (Made, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    read_path(&path)
}

fn dump(made: &Made, summary: &Summary) {
    for (what, list) in [("ROWS", &made.rows), ("DEF", &made.defects), ("REF", &made.refused), ("SAID", &made.said)] {
        for one in list {
            eprintln!("{what}\t{one}");
        }
    }
    eprintln!("SUM {summary:?}");
}

fn counted(unused: &[(&str, u64)]) -> BTreeMap<String, u64> {
    unused.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[test]
fn a_bundle_makes_the_rows_of_its_children() {
    let (made, summary) = read_path(&fixture("bundle.json"));
    dump(&made, &summary);
    assert_eq!(made.defects, Vec::<String>::new());
    assert_eq!(made.rows, Vec::<String>::new());
    assert_eq!(made.refused, Vec::<String>::new());
    assert_eq!(summary.unused, counted(&[]));
    assert_eq!(summary.file.records, 42);
}

#[test]
fn lines_of_resources_make_rows_and_bad_ones_are_named() {
    let (made, summary) = read_path(&fixture("registry.ndjson"));
    dump(&made, &summary);
    assert_eq!(made.rows, Vec::<String>::new());
    assert_eq!(made.defects, Vec::<String>::new());
    assert_eq!(made.refused, Vec::<String>::new());
    assert_eq!(summary.unused, counted(&[]));
    assert_eq!(summary.file.records, 17);
}
