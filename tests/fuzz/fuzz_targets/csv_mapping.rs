//! Any mapping on any file: the input is a mapping, a line of `---`, and a file.
#![no_main]

use std::{io::Write, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use node_domain::dictionary::{Dictionary, Table};
use node_ingest::{
    check::check,
    defect::Defect,
    mapping::{Format, Mapping, plan::Plan},
    reader::{Listener, Progress, Reading, read},
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
        let _ = defect.to_string();
    }
    fn progress(&mut self, _: Progress) {}
}

fuzz_target!(|data: &[u8]| {
    let at = data.windows(5).position(|window| window == b"\n---\n");
    let (mapping, file) = match at {
        Some(at) => (&data[..at], &data[at + 5..]),
        None => (&b""[..], data),
    };
    let mut path = tempfile::NamedTempFile::new_in("/dev/shm").expect("memory");
    path.write_all(file).expect("memory");
    let dictionary = &*DICTIONARY;
    let mapped = std::str::from_utf8(mapping).ok().and_then(|text| Mapping::parse(text, dictionary).ok());
    match &mapped {
        Some(mapping) => {
            read(path.path(), Reading::Mapped(mapping), &mapping.format, dictionary, &mut Checked).expect("reads");
        }
        None => {
            let tables: Vec<&Table> = dictionary.collections().collect();
            let table = tables[data.first().copied().map_or(0, usize::from) % tables.len()];
            read(path.path(), Reading::Plain(table), &Format::default(), dictionary, &mut Checked).expect("reads");
        }
    }
});
