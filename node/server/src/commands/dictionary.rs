//! `dictionary`: the variables, for people.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, bail};
use node_domain::{
    dictionary::{Dictionary, Field, Kind, Level, Privacy, Table},
    language::Language,
    nearest::unknown,
};

use crate::{
    cli::{Ended, registry::DictionaryCommand},
    terminal::say,
};

/// `dictionary`
pub(crate) fn run(command: DictionaryCommand) -> anyhow::Result<Ended> {
    let dictionary = Dictionary::built_in()?;
    match command {
        DictionaryCommand::Show { what: None, lang } => overview(&dictionary, lang),
        DictionaryCommand::Show { what: Some(what), lang } => match what.split_once('.') {
            None => table(find(&dictionary, &what)?, lang),
            Some((name, field_name)) => {
                let table = find(&dictionary, name)?;
                let known = || table.fields.iter().map(|field| field.name.as_str());
                let found = table.field(field_name);
                field(found.with_context(|| unknown(&format!("field of `{name}`"), field_name, known()))?, lang);
            }
        },
        DictionaryCommand::Export { out } => export(&out)?,
        DictionaryCommand::Diff { other } => return diff(&dictionary, &other),
    }
    Ok(Ended::Well)
}

fn find<'d>(dictionary: &'d Dictionary, name: &str) -> anyhow::Result<&'d Table> {
    let known = || {
        let all = dictionary.collections().chain(dictionary.tables());
        all.map(|table| table.name.as_str())
    };
    let found = dictionary.collection(name).or_else(|| dictionary.table(name).map(AsRef::as_ref));
    found.with_context(|| unknown("collection or table", name, known()))
}

fn overview(dictionary: &Dictionary, language: Language) {
    say(format!("Dictionary {}; answers queries of {}", dictionary.version, dictionary.answers.join(", ")));
    for (title, tables) in [
        ("\nCollections, as loaded", dictionary.collections().collect::<Vec<_>>()),
        ("\nAnalysis tables, as queried", dictionary.tables().collect()),
    ] {
        say(title);
        for table in tables {
            say(format!("  {:<18} {:>3} fields  {}", table.name, table.fields.len(), table.title.of(language)));
        }
    }
    say("\nMore: alianza dictionary show tumour, alianza dictionary show tumour.basis");
}

fn table(table: &Table, language: Language) {
    say(format!("{}: {}", table.name, table.title.of(language)));
    if !table.primary_key.is_empty() {
        say(format!("key: {}", table.primary_key.join(", ")));
    }
    for key in &table.foreign_keys {
        say(format!("{} refers to {}", key.fields.join(", "), key.reference.resource));
    }
    for field in &table.fields {
        let mark = match field.level {
            Level::Mandatory => "M",
            Level::Conditional => "C",
            Level::Optional => "O",
            Level::Derived => "D",
        };
        say(format!("  {mark} {:<28} {:<28} {}", field.name, kind(field), field.title.of(language)));
    }
    say("M mandatory, C conditional, O optional, D derived");
}

fn kind(field: &Field) -> String {
    match &field.kind {
        Kind::Code(list) => format!("code of {}", list.name),
        Kind::Codes(list) => format!("codes of {}", list.name),
        Kind::Integer { minimum, maximum } => format!("whole number {minimum}..{maximum}"),
        Kind::Decimal { minimum, maximum } => format!("number {minimum}..{maximum}"),
        Kind::Amount { .. } => "amount".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::DateTime => "date and time".to_owned(),
        Kind::Text => "text".to_owned(),
    }
}

fn field(field: &Field, language: Language) {
    let unit = field.unit.as_deref().map(|unit| format!(", unit {unit}")).unwrap_or_default();
    say(format!("{}: {}", field.name, field.title.of(language)));
    say(field.description.of(language));
    say(format!("{}{unit}; since {}", kind(field), field.since));
    say(match field.privacy {
        Privacy::Identifier => "an identifier: replaced at the door, never queryable",
        Privacy::Quasi => "could help to recognise somebody: queryable only coarsened",
        Privacy::Open => "open",
    });
    if let (Kind::Text, Some(pattern)) = (&field.kind, &field.pattern) {
        say(format!("form: {}", pattern.as_str()));
    }
    for (standard, name) in &field.maps_to {
        say(format!("{standard}: {name}"));
    }
    if !field.tells_of.is_empty() {
        say(format!("tells of: {}", field.tells_of.join(", ")));
    }
    if let Kind::Code(list) | Kind::Codes(list) = &field.kind {
        for code in &list.codes {
            say(format!("  {:<30} {}", code.code, code.label.of(language)));
        }
    }
}

fn export(out: &Path) -> anyhow::Result<()> {
    if out.exists() && fs::read_dir(out)?.next().is_some() {
        bail!("{}: is not empty; nothing was written", out.display());
    }
    let mut count = 0;
    for (name, bytes) in Dictionary::built_in_files() {
        let path = out.join(&name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        count += 1;
    }
    say(format!("{count} files written to {}; datapackage.json names the others.", out.display()));
    Ok(())
}

fn diff(ours: &Dictionary, other: &Path) -> anyhow::Result<Ended> {
    let theirs = Dictionary::parse(&|name| fs::read(other.join(name)).ok())
        .with_context(|| format!("{}: no dictionary as `alianza dictionary export` writes it", other.display()))?;
    let lines = differences(&theirs, ours);
    if lines.is_empty() {
        say(format!("The dictionaries {} and {} are the same.", theirs.version, ours.version));
        return Ok(Ended::Well);
    }
    say(format!("From {} to {}:", theirs.version, ours.version));
    lines.iter().for_each(say);
    Ok(Ended::Found)
}

fn differences(from: &Dictionary, to: &Dictionary) -> Vec<String> {
    let tables = |dictionary: &Dictionary| -> BTreeMap<String, BTreeMap<String, String>> {
        let all = dictionary.collections().chain(dictionary.tables());
        all.map(|table| (table.name.clone(), table.fields.iter().map(|f| (f.name.clone(), describe(f))).collect()))
            .collect()
    };
    let (from, to) = (tables(from), tables(to));
    let empty = BTreeMap::new();
    let mut lines = Vec::new();
    for name in from.keys().chain(to.keys()).collect::<std::collections::BTreeSet<_>>() {
        match (from.contains_key(name), to.contains_key(name)) {
            (false, true) => lines.push(format!("+ {name}")),
            (true, false) => lines.push(format!("- {name}")),
            _ => {}
        }
        let (before, after) = (from.get(name).unwrap_or(&empty), to.get(name).unwrap_or(&empty));
        for field in before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>() {
            match (before.get(field), after.get(field)) {
                (None, Some(new)) if from.contains_key(name) => lines.push(format!("+ {name}.{field}: {new}")),
                (Some(_), None) if to.contains_key(name) => lines.push(format!("- {name}.{field}")),
                (Some(old), Some(new)) if old != new => lines.push(format!("~ {name}.{field}: {old} -> {new}")),
                _ => {}
            }
        }
    }
    lines
}

/// What a change of which would change the meaning of data.
fn describe(field: &Field) -> String {
    let codes = match &field.kind {
        Kind::Code(list) | Kind::Codes(list) => {
            format!(" ({})", list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>().join(" "))
        }
        _ => String::new(),
    };
    let required = if field.required { ", mandatory" } else { "" };
    let form = field.pattern.as_ref().filter(|_| matches!(field.kind, Kind::Text)).map_or("", |p| p.as_str());
    format!("{}{codes}{required}{}{form}", kind(field), if form.is_empty() { "" } else { ", form " })
}
