//! `ingest`: files in, with a progress bar on a terminal, and what became of them.

use std::{
    collections::BTreeMap,
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};
use indicatif::{ProgressBar, ProgressStyle};
use node_domain::{
    clock::{Clock, SystemClock},
    dictionary::Dictionary,
};
use node_ingest::{
    defect::Defect,
    input::Input,
    load::{Audience, Content, Outcome, Report, Request, Source, load},
    mapping::{Format, Mapping, draft},
    reader::Progress,
};
use node_snapshot::durable;
use serde_json::json;

use crate::{
    cli::{Ended, registry::IngestArgs},
    config::Home,
    operate::Ground,
    terminal::{note, say, say_json},
};

static MAPPINGS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../config/mappings");

/// Problems that a dry run shows.
const FIRST_PROBLEMS: usize = 10;

/// Defects that are listed in JSON.
const MOST_IN_JSON: usize = 10_000;

/// `ingest`
pub(crate) fn run(dir: &Path, arguments: &IngestArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let ground = Ground::of(&home)?;
    let mapping = arguments.mapping.as_deref().map(|name| mapping(name, &ground.dictionary)).transpose()?;
    let sources = sources(arguments, mapping.is_some())?;
    let mut format = mapping.as_ref().map(|(mapping, _)| mapping.format.clone()).unwrap_or_default();
    format.encoding = arguments.encoding.unwrap_or(format.encoding);
    format.delimiter = arguments.delimiter.unwrap_or(format.delimiter);
    if sources.iter().any(|source| matches!(source.content, Content::Mapped)) && mapping.is_none() {
        return from_scratch(arguments, &sources, &format, &ground.dictionary);
    }
    let now = SystemClock.now();
    let request = Request {
        sources: &sources,
        mapping: mapping.as_ref().map(|(mapping, _)| mapping),
        format,
        // today where the institute is, which late in the day is not the day of UTC
        extracted_on: arguments.extracted_on.unwrap_or_else(|| now.with_timezone(&chrono::Local).date_naive()),
        dry_run: arguments.dry_run,
    };
    let begun = Instant::now();
    let mut problems = Problems { as_json: arguments.output.json, dry_run: arguments.dry_run, ..Problems::default() };
    let bar = bar();
    let audience = Audience {
        defect: &mut |defect| bar.suspend(|| problems.hear(defect)),
        progress: &mut |path, progress| advance(&bar, path, progress),
    };
    let outcome = load(&ground.registrar(&arguments.who.by, now), &request, audience)?;
    bar.finish_and_clear();
    if arguments.output.json {
        return problems.as_json(&outcome);
    }
    let ended = tell(&outcome, &problems, begun.elapsed().as_secs_f64());
    if arguments.dry_run {
        let text = mapping.map(|(_, text)| text);
        write_template(arguments, text, report_of(&outcome), &ground.dictionary)?;
    }
    Ok(ended)
}

/// What is heard of defects while a load goes on.
#[derive(Default)]
struct Problems {
    as_json: bool,
    dry_run: bool,
    all: Vec<Defect>,
    by_rule: BTreeMap<String, u64>,
    count: u64,
}

impl Problems {
    fn hear(&mut self, defect: Defect) {
        self.count += 1;
        let rule = defect.quality.clone().unwrap_or_else(|| defect.rule.to_string());
        *self.by_rule.entry(rule).or_default() += 1;
        if self.as_json {
            // the count goes on; so many tell enough
            if self.all.len() < MOST_IN_JSON {
                self.all.push(defect);
            }
        } else if !self.dry_run || self.count <= FIRST_PROBLEMS as u64 {
            say(&defect);
        }
    }

    fn as_json(&self, outcome: &Outcome) -> anyhow::Result<Ended> {
        let (word, ended) = match outcome {
            Outcome::Accepted(_) => ("accepted", Ended::Well),
            Outcome::AlreadyLoaded(_) => ("already_loaded", Ended::Well),
            Outcome::Refused { .. } => ("refused", Ended::Found),
            Outcome::WouldAccept(_) => ("would_accept", Ended::Well),
        };
        let report = report_of(outcome);
        say_json(&json!({
            "outcome": word,
            "number": report.number,
            "batch": report.record,
            "unread_columns": report.unread,
            "unknown_codes": self.dry_run.then_some(&report.unknown_codes),
            "defect_count": self.count,
            "unused_resources": report.unused_resources,
            "defects": self.all,
        }))?;
        Ok(ended)
    }

    fn rules(&self) -> String {
        self.by_rule.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ")
    }
}

fn report_of(outcome: &Outcome) -> &Report {
    match outcome {
        Outcome::Accepted(report)
        | Outcome::AlreadyLoaded(report)
        | Outcome::WouldAccept(report)
        | Outcome::Refused { report, .. } => report,
    }
}

fn tell(outcome: &Outcome, problems: &Problems, seconds: f64) -> Ended {
    let report = report_of(outcome);
    if problems.dry_run && problems.count > FIRST_PROBLEMS as u64 {
        say(format!("… and {} more problems ({}).", problems.count - FIRST_PROBLEMS as u64, problems.rules()));
    }
    match outcome {
        Outcome::AlreadyLoaded(report) => {
            say(format!(
                "These files are loaded already, as batch {0}; nothing was changed. To load them anew: alianza batch revert {0}",
                report.number
            ));
            return Ended::Well;
        }
        Outcome::Refused { defects, records, .. } => {
            say(format!(
                "Refused: {defects} error{} in {records} rows ({}). Nothing was loaded; mend the files and load them again.",
                if *defects == 1 { "" } else { "s" },
                problems.rules()
            ));
            return Ended::Found;
        }
        Outcome::Accepted(_) | Outcome::WouldAccept(_) => counts(report),
    }
    for (file, columns) in &report.unread {
        say(format!("{file}: no place for the columns {}", columns.join(", ")));
    }
    if !report.unused_resources.is_empty() {
        let unused = report.unused_resources.iter().map(|(kind, count)| format!("{kind} {count}"));
        say(format!("Resources that are not used: {}", unused.collect::<Vec<_>>().join(", ")));
    }
    let held = report.quarantined();
    if held > 0 {
        say(format!("{held} rows break error rules and are held back: alianza quarantine export"));
    }
    if let Outcome::WouldAccept(_) = outcome {
        say("A dry run: nothing was loaded.");
    } else {
        say(format!("Loaded as batch {} in {seconds:.1} s. Next: alianza publish", report.number));
    }
    Ended::Well
}

fn counts(report: &Report) {
    let mut by_collection: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for part in report.parts() {
        let counts = by_collection.entry(&part.collection).or_default();
        for (count, more) in counts.iter_mut().zip([part.rows, part.quarantined, part.repeated, part.erased]) {
            *count += more;
        }
    }
    for (collection, [rows, held, repeated, erased]) in by_collection {
        let mut line = format!("{collection:<16} {rows:>9} rows");
        for (count, what) in [(held, "held back"), (repeated, "said before"), (erased, "of erased persons, not taken")]
        {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        say(line);
    }
}

fn sources(arguments: &IngestArgs, mapped: bool) -> anyhow::Result<Vec<Source>> {
    arguments
        .sources
        .iter()
        .map(|text| match text.split_once('=') {
            Some(("fhir", path)) => Ok(Source { content: Content::Fhir, path: path.into() }),
            Some((collection, path)) if !mapped => {
                Ok(Source { content: Content::Collection(collection.to_owned()), path: path.into() })
            }
            _ if mapped || arguments.dry_run => Ok(Source { content: Content::Mapped, path: text.into() }),
            _ => bail!("`{text}`: write COLLECTION=FILE, such as patient=patient.csv, or name a --mapping"),
        })
        .collect()
}

/// A mapping that ships, or a file, with its text.
fn mapping(name: &str, dictionary: &Dictionary) -> anyhow::Result<(Mapping, String)> {
    let shipped = MAPPINGS.get_file(format!("{name}.toml")).and_then(include_dir::File::contents_utf8);
    let text = match shipped {
        Some(text) => text.to_owned(),
        None => fs::read_to_string(name).with_context(|| {
            let known = MAPPINGS.files().filter_map(|file| file.path().file_stem()?.to_str()).collect::<Vec<_>>();
            format!("{name}: is neither a file nor a mapping that ships ({})", known.join(", "))
        })?,
    };
    let mapping = Mapping::parse(&text, dictionary).with_context(|| name.to_owned())?;
    Ok((mapping, text))
}

/// A dry run without a mapping: makes one of the file's header.
fn from_scratch(
    arguments: &IngestArgs,
    sources: &[Source],
    format: &Format,
    dictionary: &Dictionary,
) -> anyhow::Result<Ended> {
    let Some(source) = sources.first() else { bail!("name a file") };
    let header = header(&source.path, format)?;
    let looks_like_data = |name: &String| {
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        digits > 0 && digits * 2 >= name.len()
    };
    if header.iter().any(looks_like_data) || !header.iter().any(|name| draft::nearest_field(name, dictionary).is_some())
    {
        bail!("{}: the first line looks like data, not like names of columns", source.path.display());
    }
    for column in &header {
        match draft::nearest_field(column, dictionary) {
            Some(place) => say(format!("{column:<30} perhaps {place}")),
            None => say(format!("{column:<30} like no field")),
        }
    }
    let path = template_path(arguments, &source.path);
    save_template(&path, &draft::of_header(&header, dictionary))?;
    Ok(Ended::Well)
}

fn header(path: &Path, format: &Format) -> anyhow::Result<Vec<String>> {
    let mut input = Input::open(path, format.encoding).with_context(|| path.display().to_string())?;
    let delimiter = u8::try_from(format.delimiter).unwrap_or(b',');
    let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(input.stream().0);
    let header = csv.headers().with_context(|| format!("{}: the header cannot be read", path.display()))?;
    Ok(header.iter().map(|name| name.trim().to_owned()).collect())
}

fn template_path(arguments: &IngestArgs, source: &Path) -> PathBuf {
    arguments.template.clone().unwrap_or_else(|| {
        let name = source.file_stem().map_or_else(|| "my".into(), |stem| stem.to_string_lossy().into_owned());
        PathBuf::from(format!("{name}.mapping.toml"))
    })
}

fn write_template(
    arguments: &IngestArgs,
    mapping: Option<String>,
    report: &Report,
    dictionary: &Dictionary,
) -> anyhow::Result<()> {
    let Some(mapping) = mapping else { return Ok(()) };
    for (place, field) in &report.unknown_codes.0 {
        if field.not_codes {
            say(format!("{place}: the column {} holds too many different values to be codes", field.column));
        }
        for (value, code) in &field.values {
            let nearest =
                code.nearest.as_deref().map_or_else(|| "no code is like it".to_owned(), |c| format!("perhaps {c}"));
            let times = if code.count == 1 { "once".to_owned() } else { format!("{} times", code.count) };
            say(format!("{place}: `{value}` ({times}) is no code; {nearest}"));
        }
    }
    let unread: Vec<String> = report.unread.values().flatten().cloned().collect();
    for column in &unread {
        let nearest = draft::nearest_field(column, dictionary);
        say(format!(
            "column {column}: {}",
            nearest.map_or_else(|| "like no field".to_owned(), |p| format!("perhaps {p}"))
        ));
    }
    let first = arguments.sources.first().map(PathBuf::from).unwrap_or_default();
    save_template(
        &template_path(arguments, &first),
        &draft::of_mapping(&mapping, &unread, &report.unknown_codes, dictionary),
    )
}

fn save_template(path: &Path, text: &str) -> anyhow::Result<()> {
    if path.exists() {
        note(format!("{}: is there already and stays as it is; name another with --template", path.display()));
        return Ok(());
    }
    durable::replace(path, text.as_bytes()).with_context(|| path.display().to_string())?;
    say(format!("A mapping to start from: {}", path.display()));
    Ok(())
}

/// A bar on a terminal, nothing in a pipe.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {percent:>3} %  {pos} rows  {elapsed}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn advance(bar: &ProgressBar, path: &Path, progress: Progress) {
    if bar.is_hidden() {
        return;
    }
    // the length in rows is not known: it follows from how much of the file is read
    if progress.size > 0 && progress.read > 0 {
        let whole = u128::from(progress.records) * u128::from(progress.size) / u128::from(progress.read);
        bar.set_length(u64::try_from(whole).unwrap_or(u64::MAX).max(progress.records));
    }
    bar.set_message(path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()));
    bar.set_position(progress.records);
}
