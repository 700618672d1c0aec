//! `classify`: the derivations of a registry for anybody's tumours.

use std::{io, path::Path};

use anyhow::{Context, bail};
use node_ingest::{
    classification::{Classification, Classified, UNCLASSIFIED},
    derive::{iccc3, index_cancer::Decisions, toronto::Schema},
};
use serde_json::json;

use crate::{
    cli::{Ended, registry::ClassifyArgs},
    commands::quarantine::harmless,
    terminal::{note, say, say_json},
};

const COLUMNS: [&str; 7] =
    ["iccc_group", "iccc_subgroup", "iccc_extended", "seer_code", "seer_ext_code", "index_cancer", "toronto_schema"];

/// `classify`
pub(crate) fn run(arguments: &ClassifyArgs) -> anyhow::Result<Ended> {
    let classification = Classification::built_in(Decisions::default())?;
    if let Some(path) = &arguments.file {
        return file(path, &classification);
    }
    let (Some(topography), Some(morphology), Some(behaviour)) =
        (&arguments.topography, arguments.morphology, &arguments.behaviour)
    else {
        bail!("give --topography, --morphology and --behaviour, or a file");
    };
    let topography = topography.replace('.', "").to_uppercase();
    if !is_topography(&topography) {
        bail!("--topography {topography}: write C and three digits, such as C649");
    }
    if !matches!(behaviour.as_str(), "0" | "1" | "2" | "3") {
        bail!("--behaviour {behaviour}: 0, 1, 2 or 3");
    }
    if !(8000..=9993).contains(&morphology) {
        bail!("--morphology {morphology}: four digits from 8000 to 9993");
    }
    let classified =
        classification.classify(&topography, morphology, behaviour, arguments.who_cns_grade, arguments.age_years);
    let values = values(&classified);
    if arguments.output.json {
        let leaf = classified.leaf;
        say_json(&json!({
            "iccc_version": iccc3::VERSION,
            "iccc_group": values[0], "iccc_subgroup": values[1], "iccc_extended": values[2],
            "seer_code": values[3], "seer_ext_code": values[4],
            "index_cancer": classified.index_cancer,
            "index_cancer_decision_needed": classified.index_cancer.is_some_and(|c| classification.decision_needed(c)),
            "toronto_schema": classified.toronto.map(Schema::code),
            "name": leaf.map(|leaf| json!({ "es": leaf.name_es, "pt": leaf.name_pt, "en": leaf.name_en })),
        }))?;
        return Ok(Ended::Well);
    }
    for (column, value) in COLUMNS.iter().zip(values) {
        say(format!("{column:<16} {}", if value.is_empty() { "—" } else { value }));
    }
    if let Some(leaf) = classified.leaf {
        say(format!("{:<16} {} ({})", "name", leaf.name_en, iccc3::VERSION));
    }
    if classified.index_cancer.is_some_and(|code| classification.decision_needed(code)) {
        note("The alliance has yet to decide on this index cancer: see [classification] in node.toml.");
    }
    Ok(Ended::Well)
}

fn is_topography(code: &str) -> bool {
    code.len() == 4 && code.starts_with('C') && code[1..].bytes().all(|b| b.is_ascii_digit())
}

fn values<'c>(classified: &Classified<'c>) -> [&'c str; 7] {
    let leaf = classified.leaf;
    [
        classified.group(),
        classified.subgroup(),
        classified.extended(),
        leaf.map_or(UNCLASSIFIED, |leaf| leaf.seer_code.as_str()),
        leaf.map_or(UNCLASSIFIED, |leaf| leaf.seer_ext_code.as_str()),
        classified.index_cancer.unwrap_or_default(),
        classified.toronto.map_or("", Schema::code),
    ]
}

/// The file with the columns appended, on standard output. A row that cannot be classified gets 999; why, goes to standard error.
fn file(path: &Path, classification: &Classification) -> anyhow::Result<Ended> {
    let mut input =
        csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(|| path.display().to_string())?;
    let header = input.headers().with_context(|| format!("{}: the header cannot be read", path.display()))?.clone();
    let column = |name: &str| header.iter().position(|one| one.trim_start_matches('\u{feff}').trim() == name);
    let needed = |name: &str| {
        column(name).with_context(|| {
            format!("{}:1: has no column `{name}`; needed are topography, morphology, behaviour", path.display())
        })
    };
    let (topography, morphology, behaviour) = (needed("topography")?, needed("morphology")?, needed("behaviour")?);
    let (age, grade) = (column("age_years"), column("who_cns_grade"));
    let mut output = csv::Writer::from_writer(io::stdout().lock());
    let clean = header.iter().map(|name| name.trim_start_matches('\u{feff}'));
    output.write_record(clean.chain(COLUMNS))?;
    let mut unreadable = 0_u64;
    for (at, record) in input.records().enumerate() {
        let record = record.with_context(|| format!("{}:{}: the row cannot be read", path.display(), at + 2))?;
        if record.len() != header.len() {
            bail!("{}:{}: the header has {} columns, this row {}", path.display(), at + 2, header.len(), record.len());
        }
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let site = cell(topography).replace('.', "").to_uppercase();
        let code = cell(morphology).parse::<u16>().ok().filter(|code| (8000..=9993).contains(code));
        let known = is_topography(&site) && code.is_some() && matches!(cell(behaviour), "0" | "1" | "2" | "3");
        if !known {
            unreadable += 1;
            note(format!("{}:{}: is no topography, morphology and behaviour", path.display(), at + 2));
        }
        let number = |at: Option<usize>| at.and_then(|at| cell(at).parse::<u16>().ok());
        let grade = number(grade).and_then(|grade| u8::try_from(grade).ok());
        let classified = classification.classify(&site, code.unwrap_or(0), cell(behaviour), grade, number(age));
        let cells = record.iter().map(harmless);
        output.write_record(cells.chain(values(&classified).map(str::to_owned)))?;
    }
    output.flush()?;
    Ok(if unreadable > 0 { Ended::Found } else { Ended::Well })
}
