//! Reads one CSV file as a stream of checked rows; every defect is reported, none stops the reading.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use node_domain::{
    dictionary::{Field, Kind, Privacy, Table},
    digest::Digest,
};
use sha2::{Digest as _, Sha256};

use crate::{
    check::check,
    defect::{Defect, Rule, class_of},
    pseudonym::PseudonymKey,
};

/// One row in the order of the dictionary's fields; absent columns are empty, identifiers are replaced.
pub type Row = Vec<String>;

/// The longest row that is read, bytes: beyond, the file is not CSV.
const MAX_ROW: usize = 64 * 1024;

/// What became of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileSummary {
    /// Rows read, good or bad.
    pub rows: u64,
    /// Hash of the file's bytes.
    pub sha256: Digest,
}

/// Reads `path` as `table`: good rows go to `accept`, every defect to `report`. Gzip is recognised by its first bytes.
///
/// # Errors
/// Only those of the file system and of `accept`; what is wrong with the content is reported, not returned.
pub fn read(
    path: &Path,
    table: &Table,
    key: &PseudonymKey,
    accept: &mut dyn FnMut(u64, Row) -> io::Result<()>,
    report: &mut dyn FnMut(Defect),
) -> io::Result<FileSummary> {
    let mut hasher = Sha256::new();
    let mut reporter = Reporter { file: path, report };
    let mut input = BufReader::with_capacity(256 * 1024, Tee { inner: File::open(path)?, hasher: &mut hasher });
    let gzip = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let rows = if gzip {
        let mut decoder = BufReader::new(MultiGzDecoder::new(&mut input));
        read_csv(&mut decoder, table, key, accept, &mut reporter)?
    } else {
        read_csv(&mut input, table, key, accept, &mut reporter)?
    };
    io::copy(&mut input, &mut io::sink())?; // what follows a gzip stream belongs to the hash too
    drop(input);
    Ok(FileSummary { rows, sha256: Digest::from_bytes(hasher.finalize().into()) })
}

/// Hashes what is read through it.
struct Tee<'h, R> {
    inner: R,
    hasher: &'h mut Sha256,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.write_all(&buffer[..read])?;
        Ok(read)
    }
}

struct Reporter<'r> {
    file: &'r Path,
    report: &'r mut dyn FnMut(Defect),
}

impl Reporter<'_> {
    fn say(&mut self, line: u64, column: Option<&str>, found: Option<String>, rule: Rule, fix: impl Into<String>) {
        let file = PathBuf::from(self.file);
        (self.report)(Defect { file, line, column: column.map(str::to_owned), found, rule, fix: fix.into() });
    }
}

fn read_csv(
    input: &mut dyn BufRead,
    table: &Table,
    key: &PseudonymKey,
    accept: &mut dyn FnMut(u64, Row) -> io::Result<()>,
    reporter: &mut Reporter<'_>,
) -> io::Result<u64> {
    let marked = input.fill_buf()?.starts_with(b"\xef\xbb\xbf");
    if marked {
        input.consume(3); // a byte order mark, as spreadsheets write it
    }
    let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
    let mut record = csv::ByteRecord::new();
    match csv.read_byte_record(&mut record) {
        Ok(true) => {}
        Ok(false) => {
            reporter.say(1, None, None, Rule::Readable, "the file is empty: give at least the header");
            return Ok(0);
        }
        Err(error) => return unreadable(error, 1, reporter).map(|()| 0),
    }
    let width = record.len();
    let Some(columns) = header(&record, table, reporter) else { return Ok(0) };
    let mut rows = 0;
    loop {
        let before = csv.position().line();
        match csv.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(rows),
            Err(error) => {
                unreadable(error, before, reporter)?;
                return Ok(rows);
            }
        }
        rows += 1;
        let line = record.position().map_or(before, csv::Position::line);
        if record.as_slice().len() > MAX_ROW {
            reporter.say(
                line,
                None,
                None,
                Rule::Readable,
                "the row is longer than 64 kB: look for an unclosed quotation mark",
            );
            continue;
        }
        if record.len() != width {
            let fix =
                format!("the header has {width} columns, this row {}: look for a missing or extra comma", record.len());
            reporter.say(line, None, None, Rule::RowLength, fix);
            continue;
        }
        if let Some(row) = check_row(&record, line, table, &columns, key, reporter) {
            accept(line, row)?;
        }
    }
}

fn unreadable(error: csv::Error, line: u64, reporter: &mut Reporter<'_>) -> io::Result<()> {
    match error.into_kind() {
        csv::ErrorKind::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Err(error)
        }
        _ => {
            reporter.say(line, None, None, Rule::Readable, "the file ends or breaks off here: export it again");
            Ok(())
        }
    }
}

/// For every field of the table the position of its column, if the file has it; `None` where the header itself is unusable.
fn header(record: &csv::ByteRecord, table: &Table, reporter: &mut Reporter<'_>) -> Option<Vec<Option<usize>>> {
    let known = |name: &[u8]| table.fields.iter().any(|field| field.name.as_bytes() == name.trim_ascii());
    if !record.iter().any(known) {
        // these may be values of patients: they are not repeated
        let names = table.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        reporter.say(
            1,
            None,
            None,
            Rule::Readable,
            format!("the first line names no column of `{}`; they are {names}", table.name),
        );
        return None;
    }
    let mut columns = vec![None; table.fields.len()];
    let mut usable = true;
    for (position, name) in record.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(name) else {
            reporter.say(1, None, None, Rule::Readable, "the header is not UTF-8: save the file as UTF-8");
            return None;
        };
        let name = name.trim();
        match table.fields.iter().position(|field| field.name == name) {
            Some(field) if columns[field].is_some() => {
                usable = false;
                reporter.say(1, Some(name), None, Rule::ColumnRepeated, "keep one of the two columns");
            }
            Some(field) => columns[field] = Some(position),
            None => {
                usable = false;
                let known = table.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
                let fix = format!("remove or rename it; `{}` has the columns {known}", table.name);
                reporter.say(1, Some(name), None, Rule::ColumnUnknown, fix);
            }
        }
    }
    for (field, column) in table.fields.iter().zip(&columns) {
        if field.required && column.is_none() {
            usable = false;
            reporter.say(1, Some(&field.name), None, Rule::ColumnMissing, "add the column; every row must carry it");
        }
    }
    usable.then_some(columns)
}

fn check_row(
    record: &csv::ByteRecord,
    line: u64,
    table: &Table,
    columns: &[Option<usize>],
    key: &PseudonymKey,
    reporter: &mut Reporter<'_>,
) -> Option<Row> {
    let mut good = true;
    let mut row = Row::with_capacity(table.fields.len());
    for (field, column) in table.fields.iter().zip(columns) {
        let bytes = column.and_then(|column| record.get(column)).unwrap_or_default();
        let Ok(value) = std::str::from_utf8(bytes) else {
            good = false;
            reporter.say(
                line,
                Some(&field.name),
                None,
                Rule::Readable,
                "the value is not UTF-8: save the file as UTF-8",
            );
            continue;
        };
        let value = value.trim();
        match check(field, value) {
            Ok(()) => row.push(stored(field, value, key)),
            Err((rule, fix)) => {
                good = false;
                reporter.say(line, Some(&field.name), Some(class_of(value)), rule, fix);
            }
        }
    }
    good.then_some(row)
}

fn stored(field: &Field, value: &str, key: &PseudonymKey) -> String {
    match field.kind {
        _ if field.privacy == Privacy::Identifier => key.pseudonym(value),
        // one spelling, so that 01 and 1 are one key
        Kind::Integer { .. } => value.parse::<i64>().map_or_else(|_| String::new(), |number| number.to_string()),
        Kind::Code(_) | Kind::Date | Kind::Text => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\n";
    const GOOD: &str = "P1,2010-05,1,MX,MX-JAL,public_task,no\n";

    fn run(bytes: &[u8]) -> (Vec<Row>, Vec<Defect>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patient.csv");
        std::fs::write(&path, bytes).unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let (mut rows, mut defects) = (vec![], vec![]);
        read(
            &path,
            dictionary.collection("patient").unwrap(),
            &PseudonymKey::new(&[1; 32]),
            &mut |_, row| {
                rows.push(row);
                Ok(())
            },
            &mut |defect| defects.push(defect),
        )
        .unwrap();
        (rows, defects)
    }

    fn rules(bytes: &[u8]) -> Vec<(u64, Option<String>, Rule)> {
        run(bytes).1.into_iter().map(|defect| (defect.line, defect.column, defect.rule)).collect()
    }

    #[test]
    fn good_rows_pass_with_their_identifier_replaced() {
        let (rows, defects) = run(format!("\u{feff}{HEADER}{GOOD}").as_bytes());
        assert_eq!((rows.len(), defects.len()), (1, 0));
        assert_eq!(rows[0][0], PseudonymKey::new(&[1; 32]).pseudonym("P1"));
        assert_eq!(rows[0][1], "2010-05");
    }

    #[test]
    fn every_error_of_every_row_is_listed() {
        let text = format!("{HEADER}P1,2010-13,7,mx,MX-JAL,public_task,\nP2,2010,1\n{GOOD}");
        assert_eq!(
            rules(text.as_bytes()),
            [
                (2, Some("birth_date".into()), Rule::Date),
                (2, Some("sex".into()), Rule::Code),
                (2, Some("residence_country".into()), Rule::Form),
                (2, Some("objection".into()), Rule::Required),
                (3, None, Rule::RowLength),
            ]
        );
    }

    #[test]
    fn headers_are_checked_first() {
        assert_eq!(rules(b""), [(1, None, Rule::Readable)]);
        let rules = rules(b"patient_id,patient_id,name\nP1,P1,x\n");
        assert!(rules.contains(&(1, Some("patient_id".into()), Rule::ColumnRepeated)));
        assert!(rules.contains(&(1, Some("name".into()), Rule::ColumnUnknown)));
        assert!(rules.contains(&(1, Some("sex".into()), Rule::ColumnMissing)));
    }

    #[test]
    fn latin_1_is_named_and_not_guessed() {
        let mut bytes = format!("{HEADER}{GOOD}").into_bytes();
        let at = bytes.len() - 5;
        bytes[at] = 0xe9;
        assert_eq!(rules(&bytes).last().map(|last| last.2), Some(Rule::Readable));
    }

    #[test]
    fn gzip_is_read_and_a_broken_one_is_reported() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(format!("{HEADER}{GOOD}").as_bytes()).unwrap();
        let bytes = gzip.finish().unwrap();
        assert_eq!(run(&bytes).0.len(), 1);
        assert!(rules(&bytes[..bytes.len() / 2]).iter().any(|(_, _, rule)| *rule == Rule::Readable));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_file_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            run(&bytes);
            let mut with_header = HEADER.as_bytes().to_vec();
            with_header.extend(&bytes);
            run(&with_header);
        }
    }
}
