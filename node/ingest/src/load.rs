//! Loads files as one batch, all or nothing: rows are read, checked, stripped of identifiers and written.
//!
//! What is wrong with the form of a file, or breaks the dictionary in a way that no quality rule names, refuses the batch whole. A
//! row that breaks a quality rule of severity `error` is held back in quarantine and counted.

mod collection;
mod listener;

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use node_domain::{dictionary::Dictionary, digest::Digest};

use self::{collection::Collections, listener::FileListener};

pub(crate) use self::collection::strip;
use crate::{
    batch::{self, BatchKind, BatchRecord, FileRecord, Hold, IngestError, MappingRecord, Unfinished, at},
    defect::Defect,
    erasure, fhir,
    mapping::{Format, Mapping},
    pseudonym::PseudonymKey,
    quality::rule::Rules,
    quarantine::Quarantine,
    reader::{self, Progress, Reading},
    suggest::UnknownCodes,
};

/// A file as named by the operator.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it holds.
    pub content: Content,
    /// File.
    pub path: PathBuf,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Rows of one collection, as CSV with the dictionary's names.
    Collection(String),
    /// CSV that the mapping of the load describes.
    Mapped,
    /// FHIR R4: a Bundle, or resources line by line (NDJSON).
    Fhir,
}

/// Where and under what rules files are loaded.
pub struct Registrar<'l> {
    /// The data folder.
    pub data: PathBuf,
    /// The dictionary.
    pub dictionary: &'l Dictionary,
    /// The quality rules.
    pub rules: &'l Rules,
    /// The node's key for identifiers.
    pub key: &'l PseudonymKey,
    /// Who acts.
    pub by: String,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// What is to be loaded.
pub struct Request<'l> {
    /// The files.
    pub sources: &'l [Source],
    /// The mapping of the files that need one.
    pub mapping: Option<&'l Mapping>,
    /// How the files are written.
    pub format: Format,
    /// The day on which the files were taken from their source.
    pub extracted_on: NaiveDate,
    /// Only look what would happen.
    pub dry_run: bool,
}

/// Who is told of a load as it goes on.
pub struct Audience<'l> {
    /// Every defect, as it is found.
    pub defect: &'l mut dyn FnMut(Defect),
    /// How far the reading of a file has come.
    pub progress: &'l mut dyn FnMut(&std::path::Path, Progress),
}

/// What became of a load.
#[derive(Debug)]
pub enum Outcome {
    /// The rows are in, but for those in quarantine.
    Accepted(Report),
    /// The same files are in already; nothing was changed.
    AlreadyLoaded(Report),
    /// Nothing was taken; every defect was reported.
    Refused {
        /// Number of defects that refuse the batch.
        defects: u64,
        /// Records read.
        records: u64,
        /// What the files were like apart from that.
        report: Report,
    },
    /// A dry run: nothing was taken, and this would have been.
    WouldAccept(Report),
}

/// What a load found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The batch as it is, or would be, remembered.
    pub record: BatchRecord,
    /// Its number; 0 for a dry run or a refused batch.
    pub number: u32,
    /// Columns of each file that nothing reads.
    pub unread: BTreeMap<String, Vec<String>>,
    /// Codes that are in no list, with the nearest known ones.
    pub unknown_codes: UnknownCodes,
    /// FHIR resources that were not used, by type.
    pub unused_resources: BTreeMap<String, u64>,
}

impl Report {
    /// Rows taken.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.parts().map(|part| part.rows).sum()
    }

    /// Rows held back.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.parts().map(|part| part.quarantined).sum()
    }

    /// All parts of all files.
    pub fn parts(&self) -> impl Iterator<Item = &batch::PartRecord> {
        self.record.files.iter().flat_map(|file| &file.parts)
    }
}

/// Loads files as one batch.
///
/// # Errors
/// See [`IngestError`]; nothing was taken then.
pub fn load(registrar: &Registrar<'_>, request: &Request<'_>, audience: Audience<'_>) -> Result<Outcome, IngestError> {
    let hold = Hold::take(&registrar.data)?;
    let earlier = batch::list(&registrar.data)?;
    let unfinished = Unfinished::begin(&registrar.data, &hold)?;
    let erased = erasure::tombstones(&registrar.data)?;
    let quarantine = Quarantine::create(unfinished.folder()).map_err(at(unfinished.folder()))?;
    let Audience { defect, progress } = audience;
    let mut refused = 0;
    let mut tell = |found: Defect| {
        refused += u64::from(found.refuses());
        defect(found);
    };
    let mut collections =
        Collections::new(registrar, request.extracted_on, unfinished.folder(), quarantine, &erased, &mut tell);
    let (mut files, mut records, mut unread) = (Vec::new(), 0, BTreeMap::new());
    let mut unused_resources = BTreeMap::new();
    for (number, source) in in_order(request.sources, registrar.dictionary)?.into_iter().enumerate() {
        let name = source.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let mut listener = FileListener::new(&mut collections, number, source, &mut *progress);
        let summary = match &source.content {
            Content::Fhir => {
                let summary = fhir::read(&source.path, registrar.dictionary, &mut listener);
                listener.failure()?;
                let summary = summary.map_err(at(&source.path))?;
                for (kind, count) in summary.unused {
                    *unused_resources.entry(kind).or_default() += count;
                }
                summary.file
            }
            content => {
                let reading = match (content, request.mapping) {
                    (Content::Collection(name), _) => Reading::Plain(collection_of(name, registrar.dictionary)?),
                    (_, Some(mapping)) => Reading::Mapped(mapping),
                    (_, None) => return Err(IngestError::Shipped("a mapped file without a mapping".to_owned())),
                };
                let summary = reader::read(&source.path, reading, &request.format, registrar.dictionary, &mut listener);
                listener.failure()?;
                summary.map_err(at(&source.path))?
            }
        };
        let parts = listener.finish()?;
        records += summary.records;
        if !summary.unread.is_empty() {
            unread.insert(name.clone(), summary.unread);
        }
        files.push(FileRecord { source: name, sha256: summary.sha256, parts });
    }
    collections.close(&mut files, &batch::in_force(&registrar.data)?)?;
    let unknown_codes = collections.finish()?;
    let record = BatchRecord {
        batch: identity(request, &files),
        kind: BatchKind::Load,
        by: registrar.by.clone(),
        at: registrar.now,
        extracted_on: request.extracted_on,
        dictionary: registrar.dictionary.version.clone(),
        mapping: request.mapping.and_then(|mapping| {
            let sha256 = mapping.sha256?;
            Some(MappingRecord { name: mapping.name.clone(), version: mapping.version, sha256 })
        }),
        files,
    };
    let report = |record, number| Report { record, number, unread, unknown_codes, unused_resources };
    if refused > 0 {
        return Ok(Outcome::Refused { defects: refused, records, report: report(record, 0) });
    }
    let known = earlier.iter().find(|known| known.reverted.is_none() && known.record.batch == record.batch);
    if let Some(known) = known {
        return Ok(Outcome::AlreadyLoaded(report(known.record.clone(), known.number)));
    }
    if request.dry_run {
        return Ok(Outcome::WouldAccept(report(record, 0)));
    }
    let settled = unfinished.settle(record, batch::next_number(&earlier))?;
    Ok(Outcome::Accepted(report(settled.record, settled.number)))
}

fn collection_of<'d>(
    name: &str,
    dictionary: &'d Dictionary,
) -> Result<&'d node_domain::dictionary::Table, IngestError> {
    dictionary.collection(name).ok_or_else(|| {
        let known = dictionary.collections().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
        IngestError::Collection(name.to_owned(), known)
    })
}

/// Same files, same mapping, same batch, whoever loads them and when.
fn identity(request: &Request<'_>, files: &[FileRecord]) -> Digest {
    let mut parts: Vec<String> = files
        .iter()
        .map(|file| {
            let names = file.parts.iter().map(|part| part.collection.as_str()).collect::<Vec<_>>().join("+");
            format!("{names}={}", file.sha256)
        })
        .collect();
    parts.sort();
    if let Some(sha256) = request.mapping.and_then(|mapping| mapping.sha256) {
        parts.push(format!("mapping={sha256}"));
    }
    Digest::of(parts.join("\n").as_bytes())
}

/// The sources, referred-to collections first.
fn in_order<'s>(sources: &'s [Source], dictionary: &Dictionary) -> Result<Vec<&'s Source>, IngestError> {
    let mut ordered = Vec::new();
    for source in sources {
        let rank = match &source.content {
            Content::Collection(name) => {
                collection_of(name, dictionary)?;
                dictionary.collections().position(|table| table.name == *name).unwrap_or(usize::MAX)
            }
            Content::Mapped | Content::Fhir => usize::MAX,
        };
        let metadata = fs::metadata(&source.path).map_err(at(&source.path))?;
        if metadata.is_dir() {
            return Err(at(&source.path)(io::Error::new(io::ErrorKind::IsADirectory, "a folder")));
        }
        ordered.push((rank, source));
    }
    ordered.sort_by_key(|(rank, _)| *rank);
    Ok(ordered.into_iter().map(|(_, source)| source).collect())
}
