//! A load of five million rows: rows per second on one core, and the most memory that the process held.
//!
//!     cargo bench -p node-tests --bench ingest [-- ROWS]
//!
//! Not under criterion: one load is half a minute, and what counts beside its speed is the peak of the resident memory
//! (`VmHWM` of Linux). The baseline in the same run reads the same file with the same CSV reader and does nothing else.

#![expect(clippy::unwrap_used, reason = "a step that fails is a benchmark that fails")]
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

use node_domain::dictionary::Dictionary;
use node_ingest::{
    load::{Audience, Content, Outcome, Registrar, Request, Source, load},
    mapping::Format,
    pseudonym::PseudonymKey,
    quality::rule::Rules,
};

fn main() {
    let rows = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(5_000_000_u64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("patient.csv");
    write(&path, rows);
    let size = fs::metadata(&path).unwrap().len();

    let begun = Instant::now();
    let mut csv = csv::Reader::from_path(&path).unwrap();
    let (mut record, mut read) = (csv::ByteRecord::new(), 0_u64);
    while csv.read_byte_record(&mut record).unwrap() {
        read += 1;
    }
    let baseline = begun.elapsed().as_secs_f64();
    assert_eq!(read, rows);

    let dictionary = Dictionary::built_in().unwrap();
    let rules = Rules::built_in(&dictionary).unwrap();
    let key = PseudonymKey::new(&[1; 32]);
    let now = node_tests::beginning();
    let data = folder.path().join("data");
    let registrar = Registrar { data, dictionary: &dictionary, rules: &rules, key: &key, by: "bench".to_owned(), now };
    let sources = [Source { content: Content::Collection("patient".to_owned()), path }];
    let request = Request {
        sources: &sources,
        mapping: None,
        format: Format::default(),
        extracted_on: now.date_naive(),
        dry_run: false,
    };
    let before = resident();
    let begun = Instant::now();
    let mut hear = |defect: node_ingest::defect::Defect| panic!("{defect}");
    let outcome = load(&registrar, &request, Audience { defect: &mut hear, progress: &mut |_, _| {} }).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let Outcome::Accepted(report) = outcome else { panic!("{outcome:?}") };
    assert_eq!(report.rows(), rows);

    let rate = |seconds: f64| rows as f64 / seconds / 1e3;
    println!("file              {rows} rows, {} MB", size / 1_000_000);
    println!("csv alone         {baseline:>8.1} s   {:>8.0} k rows/s", rate(baseline));
    println!(
        "load              {seconds:>8.1} s   {:>8.0} k rows/s   {:.1} times the reading",
        rate(seconds),
        seconds / baseline
    );
    println!("resident memory   {before} MB before, {} MB at most", resident());
}

/// The most memory held so far, MB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn write(path: &Path, rows: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "patient_id,birth_date,sex,residence_country,residence_region,coverage_scheme,travel_time_h,legal_basis,objection").unwrap();
    let regions = ["MX-JAL", "MX-SLP", "MX-CMX", "MX-NLE", "MX-OAX", "unknown"];
    for row in 0..rows {
        let (year, month, day) = (2000 + row % 25, 1 + row % 12, 1 + row % 28);
        let region = regions[usize::try_from(row % 6).unwrap()];
        writeln!(
            file,
            "P-{row:08},{year}-{month:02}-{day:02},{},MX,{region},public,{}.5,public_task,no",
            1 + row % 2,
            row % 40
        )
        .unwrap();
    }
    file.flush().unwrap();
}
