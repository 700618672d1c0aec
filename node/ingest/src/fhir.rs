//! FHIR R4: a Bundle, or resources line by line (NDJSON), plain or gzipped.
//!
//! mCODE is understood where it says what the dictionary asks for; the rest comes by code systems of this project, `urn:alianza:*`,
//! listed in `code`. The types of FHIR are our own and hold only the few elements that are read. A kept crate of the R4 types was
//! considered: it carries some 150 resources and long builds for the eleven that are used here.
//!
//! One tumour's row comes from several resources in any order, so small facts of all are gathered first (`gathered`) and rows
//! made of them at the end (`rows`). A place is the line of an NDJSON file, or the number of the entry in its Bundle.
//!
//! | row | made of |
//! |---|---|
//! | `patient` | Patient: medical record number, else another identifier but a national one, else its id; birth date, gender, address. Legal basis: tag `urn:alianza:legal-basis` of the Patient, else a Consent that permits, else the same tag of the Bundle. Objection: a Consent that denies or was rejected, or a Flag `urn:alianza:objection`; else `no` |
//! | `tumour` | Condition coded in ICD-O-3 (morphology and behaviour by the mCODE extension or the code, topography by the site); asserted date, else onset, else recorded; stage by an Observation; dates of the pathway by Encounters |
//! | `course` | Procedure (surgery, radiotherapy, transplant), CarePlan that addresses a tumour, and one course of chemotherapy for what was given outside a plan |
//! | `administration` | MedicationAdministration of a medicine of the list; its MedicationRequest says when it was planned |
//! | `event` | Observation `urn:alianza:event` |
//! | `follow_up` | death by the Patient or an Observation, vital status, last contact, else the last day on which the patient was seen |
//!
//! Nothing is made up: what the dictionary demands and the file does not say stays empty, and the check of rows reports it (legal
//! basis, intent, planned date of a medicine without an order). Two values have a default that says as much: `basis` 9 and
//! `followup_status` unknown. Names and national identifiers are not read.

mod code;
mod condition;
mod element;
mod encounter;
mod gathered;
mod observation;
mod output;
mod patient;
mod rows;
mod source;
#[cfg(test)]
mod tests;
mod treatment;

use std::{collections::BTreeMap, io, path::Path};

use node_domain::dictionary::Dictionary;
use serde_json::Value;

use self::{
    code::Lists,
    gathered::{Gathered, MOST},
    source::{End, Taker},
};
use crate::{
    defect::{Defect, Rule},
    input::{Encoding, Input, Watch},
    reader::{FileSummary, Listener, Progress},
};

/// What became of a FHIR file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Resources read and the hash of the file.
    pub file: FileSummary,
    /// Resources that were not used, by type; in brackets why, where the type is one that is used.
    pub unused: BTreeMap<String, u64>,
}

/// Resources between two reports of progress.
const PROGRESS_EVERY: u64 = 16 * 1024;

/// Reads `path`.
///
/// # Errors
/// Those of the file system and of the listener; what is wrong with the content is reported, not returned.
pub fn read(path: &Path, dictionary: &Dictionary, listener: &mut dyn Listener) -> io::Result<Summary> {
    let mut input = Input::open(path, Encoding::Utf8)?;
    let size = input.size;
    let mut gathering = Gathering { path, size, listener, lists: Lists::of(dictionary), gathered: Gathered::default() };
    let (stream, watch) = input.stream();
    let (end, records) = source::read(path, stream, &watch, &mut gathering)?;
    gathering.listener.progress(Progress { read: watch.compressed(), size, records });
    let Gathering { gathered, listener, .. } = gathering;
    let unused = match end {
        End::Whole => rows::write(path, gathered, dictionary, listener)?,
        // rows of half a file would miss what they refer to
        End::Broken => gathered.unused,
    };
    let sha256 = input.finish()?;
    Ok(Summary { file: FileSummary { records, sha256, unread: Vec::new() }, unused })
}

struct Gathering<'g> {
    path: &'g Path,
    size: u64,
    listener: &'g mut dyn Listener,
    lists: Lists,
    gathered: Gathered,
}

impl Gathering<'_> {
    fn say(&mut self, line: u64, column: Option<String>, rule: Rule, fix: String) {
        let defect = Defect { file: self.path.into(), line, column, found: None, rule, quality: None, fix };
        self.listener.defect(defect);
    }
}

impl Taker for Gathering<'_> {
    fn resource(&mut self, resource: &Value, url: Option<String>, line: u64) -> bool {
        if self.gathered.is_full() {
            let fix = format!("more than {MOST} resources: split the file by patients");
            self.say(line, None, Rule::Readable, fix);
            return false;
        }
        if let Err(broken) = self.gathered.take(resource, url, line, &self.lists) {
            self.say(line, Some(broken.element), broken.rule, broken.fix);
        }
        true
    }

    fn legal_basis(&mut self, code: &str) {
        self.gathered.legal_basis = Some(code.to_owned());
    }

    fn unreadable(&mut self, line: u64, fix: String) {
        self.say(line, None, Rule::Readable, fix);
    }

    fn progress(&mut self, watch: &Watch, records: u64) {
        if records.is_multiple_of(PROGRESS_EVERY) {
            self.listener.progress(Progress { read: watch.compressed(), size: self.size, records });
        }
    }
}
