//! Any bytes as FHIR.
#![no_main]

use std::{io::Write, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use node_domain::dictionary::Dictionary;
use node_ingest::{
    check::check,
    defect::Defect,
    fhir,
    mapping::plan::Plan,
    reader::{Listener, Progress},
    row::RowBuffer,
};

static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| Dictionary::built_in().expect("ships"));

struct Checked;

impl Listener for Checked {
    fn plan(&mut self, _: &Plan<'_>) -> std::io::Result<()> {
        Ok(())
    }
    fn row(&mut self, plan: &Plan<'_>, target: usize, _: u64, row: &RowBuffer) -> std::io::Result<()> {
        let table = plan.targets[target].table;
        assert_eq!(row.len(), table.fields.len());
        for (field, value) in table.fields.iter().zip(row.iter()) {
            let _ = check(field, value);
        }
        Ok(())
    }
    fn defect(&mut self, defect: Defect) {
        assert!(!defect.fix.is_empty());
    }
    fn progress(&mut self, _: Progress) {}
}

fuzz_target!(|data: &[u8]| {
    let mut path = tempfile::NamedTempFile::new_in("/dev/shm").expect("memory");
    path.write_all(data).expect("memory");
    fhir::read(path.path(), &DICTIONARY, &mut Checked).expect("reads");
});
