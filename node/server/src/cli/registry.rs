//! The command line of the registry: load, batches, quarantine, quality, snapshots, dictionary, classification, synthetic data.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use node_domain::language::Language;
use node_ingest::input::Encoding;

use super::Json;

/// `ingest`
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// COLLECTION=FILE, fhir=FILE, or FILE with --mapping, as often as needed; CSV may be gzipped
    #[arg(required = true)]
    pub sources: Vec<String>,
    /// A mapping that ships (canreg5, redcap, naaccr) or a file of your own
    #[arg(long)]
    pub mapping: Option<String>,
    /// utf-8 or latin-1; default: as the mapping says, else utf-8
    #[arg(long)]
    pub encoding: Option<Encoding>,
    /// Between values: one character, or `tab`; default: as the mapping says, else a comma
    #[arg(long, value_parser = delimiter)]
    pub delimiter: Option<char>,
    /// The day on which the files were taken from their source; default: today
    #[arg(long, value_parser = super::governance::day)]
    pub extracted_on: Option<NaiveDate>,
    /// Only show what would happen, and write a mapping to start from
    #[arg(long)]
    pub dry_run: bool,
    /// Where a dry run writes the mapping; default: beside you, named after the file
    #[arg(long, requires = "dry_run")]
    pub template: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub who: Who,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

fn delimiter(text: &str) -> Result<char, String> {
    let mut letters = text.chars();
    match (text, letters.next(), letters.next()) {
        ("tab", ..) => Ok('\t'),
        (_, Some(one), None) if one.is_ascii() => Ok(one),
        _ => Err("one ASCII character, or `tab`".to_owned()),
    }
}

/// Who acts; stands in the record of the batch or snapshot.
#[derive(Debug, Args)]
pub struct Who {
    /// Who acts, for the record
    #[arg(long = "by", env = "USER", default_value = "operator", hide_env = true)]
    pub by: String,
}

/// `publish`
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Show what would be published, and what its protection would hide, without putting it in force
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub who: Who,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `batch`
#[derive(Debug, Subcommand)]
pub enum BatchCommand {
    /// All batches, also those out of force
    List(Json),
    /// One batch
    Show {
        /// Its number
        number: u32,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Take a batch out of force, as if it had not been loaded; the next publication shows it
    Revert {
        /// Its number
        number: u32,
        /// Why, for the record
        #[arg(long)]
        why: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        who: Who,
    },
    /// Remove rows by their keys: COLLECTION=FILE, where the file has the columns of the primary key
    Remove {
        /// COLLECTION=FILE
        source: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        who: Who,
    },
    /// Keep all rows of patients who object out of everything; the file has the column patient_id
    Object {
        /// File
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        who: Who,
    },
    /// Erase patients from every batch and snapshot, for ever, and prove it; the file has the column patient_id
    Erase {
        /// File
        file: PathBuf,
        /// Needed, since it cannot be taken back and deletes all former snapshots
        #[arg(long)]
        for_ever: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        who: Who,
    },
}

/// `quarantine`
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Rows held back at load or left out at publication, by file and rule
    List(Json),
    /// One line of CSV per row: file, line, rule, column, what is wrong, what to do
    Export {
        /// File to write; standard output without it
        #[arg(long)]
        out: Option<PathBuf>,
        /// Language of the texts: es, pt or en
        #[arg(long, default_value = "en")]
        lang: Language,
    },
}

/// `quality`
#[derive(Debug, Args)]
pub struct QualityArgs {
    /// Language: es, pt or en
    #[arg(long, default_value = "en")]
    pub lang: Language,
    /// List every row that breaks this rule
    #[arg(long)]
    pub rule: Option<String>,
    /// Show also the rules that found nothing
    #[arg(long)]
    pub all: bool,
    /// Write the report as HTML to this file
    #[arg(long)]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `snapshot`
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// All snapshots, the latest first
    List(Json),
    /// One snapshot: tables, rules, what it was derived from
    Show {
        /// Beginning of its identity, or `current`
        #[arg(default_value = "current")]
        snapshot: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// What differs between two snapshots
    Diff {
        /// The earlier one
        from: String,
        /// The later one
        #[arg(default_value = "current")]
        to: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Keep a snapshot for good
    Pin {
        /// Beginning of its identity, or `current`
        snapshot: String,
        /// Why, such as the report that rests on it
        #[arg(long)]
        why: String,
    },
    /// Let a pinned snapshot go
    Unpin {
        /// Beginning of its identity
        snapshot: String,
    },
    /// Delete one snapshot that is neither in force nor pinned
    Delete {
        /// Beginning of its identity
        snapshot: String,
        /// Also where exact answers to queries were given on it: then no further one can be audited, and none is given
        #[arg(long)]
        end_exact_answers: bool,
    },
    /// Delete all but the newest, the pinned, the one in force, and those that exact answers to queries were given on
    Prune {
        /// How many of the newest stay; default: `snapshots.keep` of node.toml
        #[arg(long)]
        keep: Option<usize>,
    },
}

/// `dictionary`
#[derive(Debug, Subcommand)]
pub enum DictionaryCommand {
    /// All collections and tables, one of them, or one field
    Show {
        /// COLLECTION, or COLLECTION.FIELD
        what: Option<String>,
        /// Language: es, pt or en
        #[arg(long, default_value = "en")]
        lang: Language,
    },
    /// Write the Frictionless Data Package (schemas and code lists) to a folder
    Export {
        /// Folder, which must be empty or absent
        out: PathBuf,
    },
    /// What differs between an exported dictionary and this one
    Diff {
        /// Folder of the other dictionary
        other: PathBuf,
    },
}

/// `classify`
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// CSV with the columns topography, morphology, behaviour and perhaps age_years; comes back with six columns more
    #[arg(conflicts_with_all = ["topography", "morphology", "behaviour"])]
    pub file: Option<PathBuf>,
    /// ICD-O-3 topography, such as C649 or C64.9
    #[arg(long, requires = "morphology")]
    pub topography: Option<String>,
    /// ICD-O-3 morphology, four digits
    #[arg(long, requires = "behaviour")]
    pub morphology: Option<u16>,
    /// Behaviour, 0 to 3
    #[arg(long, requires = "topography")]
    pub behaviour: Option<String>,
    /// Completed years at diagnosis; some Toronto schemas depend on it
    #[arg(long)]
    pub age_years: Option<u16>,
    /// WHO grade of a tumour of the central nervous system, 1 to 4
    #[arg(long)]
    pub who_cns_grade: Option<u8>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `generate`
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Folder, which must be empty or absent; each country gets a folder of its own
    #[arg(long)]
    pub out: PathBuf,
    /// Countries by ISO code, separated by commas; default: all sixteen
    #[arg(long, value_delimiter = ',')]
    pub countries: Vec<String>,
    /// The same seed makes the same registry
    #[arg(long, default_value_t = 2026)]
    pub seed: u64,
    /// The day of the extract
    #[arg(long, default_value = "2025-12-31", value_parser = super::governance::day)]
    pub extract: NaiveDate,
    /// Size: 1 is realistic
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// RULE=COUNT: plant so many errors of a quality rule, as often as needed
    #[arg(long = "plant")]
    pub plants: Vec<String>,
    /// The registry whose counts are the figures of the founding documents
    #[arg(long, conflicts_with_all = ["countries", "scale"])]
    pub founding: bool,
}
