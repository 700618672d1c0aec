//! The shapes of the dictionary's files, as the Frictionless specification and our `alianza:` keys give them.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;

use super::{
    Code, CodeList, Dictionary, DictionaryError, Endpoint, Field, ForeignKey, Kind, Level, Privacy, Table, Unit,
};
use crate::language::Text;

/// The most codes that a list holds: positions and the missing value fit two bytes.
const MOST_CODES: usize = 10_000;

#[derive(Deserialize)]
struct Package {
    version: String,
    resources: Vec<Resource>,
    #[serde(rename = "alianza:tables")]
    tables: Vec<String>,
    #[serde(rename = "alianza:answers", default)]
    answers: Vec<String>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    schema: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    fields: Vec<Descriptor>,
    #[serde(default)]
    primary_key: Vec<String>,
    #[serde(default)]
    foreign_keys: Vec<ForeignKey>,
    #[serde(rename = "alianza:title")]
    title: Text,
    #[serde(rename = "alianza:endpoints", default)]
    endpoints: BTreeMap<String, Endpoint>,
    #[serde(rename = "alianza:unit_of_privacy")]
    unit_of_privacy: Unit,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
    #[serde(rename = "type")]
    frictionless_type: String,
    #[serde(default)]
    constraints: Constraints,
    #[serde(rename = "alianza:title")]
    title: Text,
    #[serde(rename = "alianza:description")]
    description: Text,
    #[serde(rename = "alianza:level")]
    level: Level,
    #[serde(rename = "alianza:privacy")]
    privacy: Privacy,
    #[serde(rename = "alianza:filterable")]
    filterable: bool,
    #[serde(rename = "alianza:groupable")]
    groupable: bool,
    #[serde(rename = "alianza:since")]
    since: String,
    #[serde(rename = "alianza:tells_of", default)]
    tells_of: Vec<String>,
    #[serde(rename = "alianza:codes")]
    codes: Option<String>,
    #[serde(rename = "alianza:kind")]
    kind: Option<String>,
    #[serde(rename = "alianza:unit")]
    unit: Option<String>,
    #[serde(rename = "alianza:maps_to", default)]
    maps_to: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct Constraints {
    #[serde(default)]
    required: bool,
    pattern: Option<String>,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

#[derive(Deserialize)]
struct CodeRow {
    code: String,
    es: String,
    pt: String,
    en: String,
}

/// Where the files come from: the content of each by its name.
type Files<'f> = &'f dyn Fn(&str) -> Option<Vec<u8>>;

#[expect(clippy::needless_pass_by_value, reason = "used as the last step of map_err")]
fn error(file: &str, what: impl ToString) -> DictionaryError {
    DictionaryError { file: file.to_owned(), what: what.to_string() }
}

fn json<T: serde::de::DeserializeOwned>(files: Files<'_>, name: &str) -> Result<T, DictionaryError> {
    let bytes = files(name).ok_or_else(|| error(name, "is missing"))?;
    serde_json::from_slice(&bytes).map_err(|e| error(name, e))
}

/// The dictionary that `files` describe.
pub(super) fn dictionary(files: Files<'_>) -> Result<Dictionary, DictionaryError> {
    let package: Package = json(files, "datapackage.json")?;
    let mut lists = BTreeMap::new();
    let mut dictionary = Dictionary {
        version: package.version.clone(),
        answers: package.answers,
        collections: BTreeMap::new(),
        tables: BTreeMap::new(),
        order: Vec::new(),
    };
    if dictionary.answers.last() != Some(&package.version) {
        dictionary.answers.push(package.version);
    }
    for resource in package.resources {
        let table = table(files, &resource.name, &resource.schema, &mut lists)?;
        dictionary.order.push(resource.name.clone());
        dictionary.collections.insert(resource.name, table);
    }
    for file in package.tables {
        let name = file.trim_end_matches(".schema.json").trim_start_matches("tables/").to_owned();
        dictionary.tables.insert(name.clone(), table(files, &name, &file, &mut lists)?.into());
    }
    Ok(dictionary)
}

type Lists = BTreeMap<String, CodeList>;

fn table(files: Files<'_>, name: &str, file: &str, lists: &mut Lists) -> Result<Table, DictionaryError> {
    let schema: Schema = json(files, file)?;
    let fields = schema.fields.into_iter().map(|d| field(files, file, d, lists)).collect::<Result<Vec<_>, _>>()?;
    Ok(Table {
        name: name.to_owned(),
        title: schema.title,
        primary_key: schema.primary_key,
        foreign_keys: schema.foreign_keys,
        endpoints: schema.endpoints,
        unit_of_privacy: schema.unit_of_privacy,
        fields,
    })
}

fn field(files: Files<'_>, file: &str, raw: Descriptor, lists: &mut Lists) -> Result<Field, DictionaryError> {
    let bad = |what: &str| Err(error(file, format!("{}: {what}", raw.name)));
    let bounds = match (raw.constraints.minimum, raw.constraints.maximum) {
        (Some(minimum), Some(maximum)) if minimum <= maximum => Some((minimum, maximum)),
        _ => None,
    };
    let kind = match (&raw.codes, raw.kind.as_deref(), raw.frictionless_type.as_str()) {
        (Some(list), None, "string") => Kind::Code(codes(files, list, lists)?),
        (Some(list), Some("codes"), "string") => Kind::Codes(codes(files, list, lists)?),
        (None, Some("date"), "string") => Kind::Date,
        (None, Some("datetime"), "string") => Kind::DateTime,
        (None, None, "string") => Kind::Text,
        (None, kind @ (None | Some("amount")), "integer") => match bounds {
            Some((minimum, maximum))
                if minimum.fract() == 0.0 && maximum.fract() == 0.0 && maximum < 4_294_967_295.0 =>
            {
                if kind.is_some() {
                    Kind::Amount { maximum: maximum as u32 }
                } else {
                    Kind::Integer { minimum: minimum as i64, maximum: maximum as i64 }
                }
            }
            _ => return bad("a whole number needs a whole minimum and maximum"),
        },
        (None, None, "number") => match bounds {
            Some((minimum, maximum)) => Kind::Decimal { minimum, maximum },
            None => return bad("a number needs a minimum and a maximum"),
        },
        _ => return bad("no such combination of type and kind"),
    };
    let pattern = raw.constraints.pattern.as_deref().map(Regex::new).transpose().map_err(|e| error(file, e))?;
    Ok(Field {
        name: raw.name,
        kind,
        required: raw.constraints.required,
        pattern,
        privacy: raw.privacy,
        filterable: raw.filterable,
        groupable: raw.groupable,
        title: raw.title,
        description: raw.description,
        level: raw.level,
        unit: raw.unit,
        since: raw.since,
        maps_to: raw.maps_to,
        tells_of: raw.tells_of,
    })
}

fn codes(files: Files<'_>, list: &str, lists: &mut Lists) -> Result<CodeList, DictionaryError> {
    if let Some(known) = lists.get(list) {
        return Ok(known.clone());
    }
    let name = format!("codes/{list}.csv");
    let bytes = files(&name).ok_or_else(|| error(&name, "is missing"))?;
    let codes = csv::Reader::from_reader(bytes.as_slice())
        .deserialize::<CodeRow>()
        .map(|row| row.map(|r| Code { code: r.code, label: Text { es: r.es, pt: r.pt, en: r.en } }))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| error(&name, e))?;
    if codes.is_empty() || codes.len() > MOST_CODES {
        return Err(error(&name, format!("a code list holds 1 to {MOST_CODES} codes")));
    }
    let codes = CodeList::new(list.to_owned(), codes);
    lists.insert(list.to_owned(), codes.clone());
    Ok(codes)
}
