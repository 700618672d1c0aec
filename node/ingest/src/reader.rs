//! Reads one CSV file as a stream of rows, as its plan says; what makes the file unreadable is reported, none of it stops the reading.

use std::{io, path::Path};

use node_domain::{
    dictionary::{Dictionary, Table},
    digest::Digest,
};

use crate::{
    defect::{Defect, Rule},
    input::{Input, MAX_ROW},
    mapping::{Format, Mapping, plan::Plan},
    row::RowBuffer,
};

/// How the columns of a file become rows.
#[derive(Debug, Clone, Copy)]
pub enum Reading<'r> {
    /// Rows of one collection, the columns named as in the dictionary.
    Plain(&'r Table),
    /// As a mapping says.
    Mapped(&'r Mapping),
}

/// How far the reading of a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file read.
    pub read: u64,
    /// Bytes of the file, 0 where that is not known.
    pub size: u64,
    /// Records read.
    pub records: u64,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// Records read, good or bad.
    pub records: u64,
    /// Hash of the file's bytes.
    pub sha256: Digest,
    /// Columns that nothing reads.
    pub unread: Vec<String>,
}

/// Who is told of what a file holds.
pub trait Listener {
    /// The plan of the file is known; called once, before its rows.
    ///
    /// # Errors
    /// Ends the reading.
    fn plan(&mut self, plan: &Plan<'_>) -> io::Result<()>;
    /// A row of the plan's target with this number.
    ///
    /// # Errors
    /// Ends the reading.
    fn row(&mut self, plan: &Plan<'_>, target: usize, line: u64, row: &RowBuffer) -> io::Result<()>;
    /// Something that makes the file, or a record of it, unreadable.
    fn defect(&mut self, defect: Defect);
    /// How far it has come; called now and then.
    fn progress(&mut self, progress: Progress);
}

/// Records between two reports of progress.
const PROGRESS_EVERY: u64 = 16 * 1024;

/// Reads `path`.
///
/// # Errors
/// Only those of the file system and of the listener; what is wrong with the content is reported, not returned.
pub fn read(
    path: &Path,
    reading: Reading<'_>,
    format: &Format,
    dictionary: &Dictionary,
    listener: &mut dyn Listener,
) -> io::Result<FileSummary> {
    let mut input = Input::open(path, format.encoding)?;
    let (records, unread) = Records { path, reading, format, dictionary, listener }.read(&mut input)?;
    let sha256 = input.finish()?;
    Ok(FileSummary { records, sha256, unread })
}

struct Records<'r> {
    path: &'r Path,
    reading: Reading<'r>,
    format: &'r Format,
    dictionary: &'r Dictionary,
    listener: &'r mut dyn Listener,
}

impl Records<'_> {
    fn say(&mut self, line: u64, column: Option<&str>, rule: Rule, fix: impl Into<String>) {
        let column = column.map(str::to_owned);
        let defect = Defect { file: self.path.into(), line, column, found: None, rule, quality: None, fix: fix.into() };
        self.listener.defect(defect);
    }

    fn read(&mut self, input: &mut Input) -> io::Result<(u64, Vec<String>)> {
        let size = input.size;
        let (stream, watch) = input.stream();
        let delimiter = u8::try_from(self.format.delimiter).unwrap_or(b',');
        let mut csv =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(stream);
        let mut record = csv::ByteRecord::new();
        match csv.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                self.say(1, None, Rule::Readable, "the file is empty: give at least the header");
                return Ok((0, Vec::new()));
            }
            Err(error) => return self.unreadable(error, 1).map(|()| (0, Vec::new())),
        }
        let Some(header) = self.header(&record) else { return Ok((0, Vec::new())) };
        let dictionary = self.dictionary;
        let plan = match self.reading {
            Reading::Plain(table) => {
                if !self.plain_header_fits(table, &header) {
                    return Ok((0, Vec::new()));
                }
                Plan::plain(table, &header)
            }
            Reading::Mapped(mapping) => match Plan::bind(mapping, &header, dictionary) {
                Ok(plan) => plan,
                Err(missing) => {
                    for (column, place) in missing {
                        let fix = format!("the mapping takes `{place}` from it: add the column, or change the mapping");
                        self.say(1, Some(&column), Rule::ColumnMissing, fix);
                    }
                    return Ok((0, Vec::new()));
                }
            },
        };
        self.listener.plan(&plan)?;
        let mut row = RowBuffer::default();
        let mut records = 0;
        loop {
            watch.row_ended(csv.position().byte());
            let before = csv.position().line();
            match csv.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.unreadable(error, before)?;
                    break;
                }
            }
            records += 1;
            if records % PROGRESS_EVERY == 0 {
                self.listener.progress(Progress { read: watch.compressed(), size, records });
            }
            let line = record.position().map_or(before, csv::Position::line);
            if record.as_slice().len() > MAX_ROW {
                self.say(line, None, Rule::Readable, TOO_LONG);
                continue;
            }
            if record.len() != header.len() {
                let fix = format!(
                    "the header has {} columns, this row {}: look for a missing or extra separator or quotation mark",
                    header.len(),
                    record.len()
                );
                self.say(line, None, Rule::RowLength, fix);
                continue;
            }
            if let Some(column) = record.iter().position(|value| std::str::from_utf8(value).is_err()) {
                let fix = "the value is not UTF-8: save the file as UTF-8, or load it with --encoding latin-1";
                self.say(line, header.get(column).map(String::as_str), Rule::Readable, fix);
                continue;
            }
            let value = |at: usize| std::str::from_utf8(&record[at]).unwrap_or_default().trim();
            for (number, target) in plan.targets.iter().enumerate() {
                if plan.fill(target, &value, &mut row) {
                    self.listener.row(&plan, number, line, &row)?;
                }
            }
        }
        self.listener.progress(Progress { read: watch.compressed(), size, records });
        Ok((records, plan.unread))
    }

    fn unreadable(&mut self, error: csv::Error, line: u64) -> io::Result<()> {
        match error.into_kind() {
            csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                self.say(line, None, Rule::Readable, TOO_LONG);
                Ok(())
            }
            csv::ErrorKind::Io(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Err(error)
            }
            _ => {
                self.say(line, None, Rule::Readable, "the file ends or breaks off here: export it again");
                Ok(())
            }
        }
    }

    /// The names of the columns; `None` where the first line is no header.
    fn header(&mut self, record: &csv::ByteRecord) -> Option<Vec<String>> {
        let names = record.iter().map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()));
        let Ok(names) = names.collect::<Result<Vec<_>, _>>() else {
            let fix = "the header is not UTF-8: save the file as UTF-8, or load it with --encoding latin-1";
            self.say(1, None, Rule::Readable, fix);
            return None;
        };
        let other = [';', '\t', ',', '|']
            .into_iter()
            .find(|d| *d != self.format.delimiter && names.len() == 1 && names[0].contains(*d));
        if let Some(other) = other {
            let shown = if other == '\t' { "a tab".to_owned() } else { format!("`{other}`") };
            let fix = format!("the columns are separated by {shown}: load the file with --delimiter");
            self.say(1, None, Rule::Readable, fix);
            return None;
        }
        let mut usable = true;
        for (at, name) in names.iter().enumerate() {
            if !name.is_empty() && names[..at].contains(name) {
                usable = false;
                // what is no field of ours may be a value of a file without a header: it is told by its number
                let known = self.dictionary.collections().any(|table| table.field(name).is_some());
                let told = if known { name.clone() } else { format!("column {}", at + 1) };
                self.say(1, Some(&told), Rule::ColumnRepeated, "keep one of the two columns");
            }
        }
        usable.then_some(names)
    }

    fn plain_header_fits(&mut self, table: &Table, header: &[String]) -> bool {
        let columns = || table.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        if !header.iter().any(|name| table.field(name).is_some()) {
            // these may be values of patients: they are not repeated
            let fix = format!("the first line names no column of `{}`; they are {}", table.name, columns());
            self.say(1, None, Rule::Readable, fix);
            return false;
        }
        let mut fits = true;
        for name in header.iter().filter(|name| table.field(name).is_none()) {
            fits = false;
            let fix = format!("remove or rename it, or map it; `{}` has the columns {}", table.name, columns());
            self.say(1, Some(name), Rule::ColumnUnknown, fix);
        }
        for field in table.fields.iter().filter(|field| field.required && !header.contains(&field.name)) {
            fits = false;
            self.say(1, Some(&field.name), Rule::ColumnMissing, "add the column; every row must carry it");
        }
        fits
    }
}

const TOO_LONG: &str = "the row is longer than 64 kB: look for an unclosed quotation mark";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::input::Encoding;

    const HEADER: &str = "patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\n";
    const GOOD: &str = "P1,2010-05,1,MX,MX-JAL,public_task,no\n";

    #[derive(Default)]
    struct Kept {
        rows: Vec<Vec<String>>,
        defects: Vec<Defect>,
    }

    impl Listener for Kept {
        fn plan(&mut self, _: &Plan<'_>) -> io::Result<()> {
            Ok(())
        }
        fn row(&mut self, _: &Plan<'_>, _: usize, _: u64, row: &RowBuffer) -> io::Result<()> {
            self.rows.push(row.iter().map(str::to_owned).collect());
            Ok(())
        }
        fn defect(&mut self, defect: Defect) {
            self.defects.push(defect);
        }
        fn progress(&mut self, _: Progress) {}
    }

    fn run_as(bytes: &[u8], format: &Format) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patient.csv");
        std::fs::write(&path, bytes).unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let mut kept = Kept::default();
        let reading = Reading::Plain(dictionary.collection("patient").unwrap());
        let summary = read(&path, reading, format, &dictionary, &mut kept).unwrap();
        if kept.defects.is_empty() {
            assert_eq!(summary.sha256, Digest::of(bytes));
        }
        kept
    }

    fn run(bytes: &[u8]) -> Kept {
        run_as(bytes, &Format::default())
    }

    fn rules(bytes: &[u8]) -> Vec<(u64, Option<String>, Rule)> {
        run(bytes).defects.into_iter().map(|defect| (defect.line, defect.column, defect.rule)).collect()
    }

    #[test]
    fn rows_come_in_the_order_of_the_dictionary() {
        let kept = run(format!("\u{feff}{HEADER}{GOOD}").as_bytes());
        assert_eq!((kept.rows.len(), kept.defects.len()), (1, 0));
        let dictionary = Dictionary::built_in().unwrap();
        let position = |name: &str| dictionary.collection("patient").unwrap().position(name).unwrap();
        assert_eq!(kept.rows[0][position("birth_date")], "2010-05");
        assert_eq!(kept.rows[0][position("objection")], "no");
    }

    #[test]
    fn headers_are_checked_first() {
        assert_eq!(rules(b""), [(1, None, Rule::Readable)]);
        assert!(rules(b"patient_id,patient_id\nP1,P1\n").contains(&(
            1,
            Some("patient_id".into()),
            Rule::ColumnRepeated
        )));
        let rules = rules(b"patient_id,name\nP1,x\n");
        assert!(rules.contains(&(1, Some("name".into()), Rule::ColumnUnknown)));
        assert!(rules.contains(&(1, Some("sex".into()), Rule::ColumnMissing)));
    }

    #[test]
    fn another_separator_is_named_and_taken_when_told() {
        let text = format!("{HEADER}{GOOD}").replace(',', ";");
        assert!(run(text.as_bytes()).defects[0].fix.contains("--delimiter"));
        let format = Format { delimiter: ';', ..Format::default() };
        assert_eq!(run_as(text.as_bytes(), &format).rows.len(), 1);
    }

    #[test]
    fn latin_1_is_named_and_not_guessed_and_taken_when_told() {
        let mut bytes = format!("{HEADER}{GOOD}").into_bytes();
        let at = bytes.len() - 5;
        bytes[at] = 0xf1;
        assert_eq!(rules(&bytes).last().map(|last| last.2), Some(Rule::Readable));
        let kept = run_as(&bytes, &Format { encoding: Encoding::Latin1, ..Format::default() });
        assert!(kept.rows[0].iter().any(|value| value.contains('ñ')));
    }

    #[test]
    fn gzip_is_read_and_a_broken_one_is_reported() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(format!("{HEADER}{GOOD}").as_bytes()).unwrap();
        let bytes = gzip.finish().unwrap();
        assert_eq!(run(&bytes).rows.len(), 1);
        assert!(rules(&bytes[..bytes.len() / 2]).iter().any(|(_, _, rule)| *rule == Rule::Readable));
    }

    #[test]
    fn an_unclosed_quotation_mark_does_not_gather_the_file() {
        let mut bytes = format!("{HEADER}\"P1,2010-05,1").into_bytes();
        bytes.resize(bytes.len() + 8 * 1024 * 1024, b'x');
        assert_eq!(rules(&bytes), [(2, None, Rule::Readable)]);
        let many = GOOD.repeat(200_000);
        assert_eq!(run(format!("{HEADER}{many}").as_bytes()).rows.len(), 200_000, "many short rows are no long one");
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
