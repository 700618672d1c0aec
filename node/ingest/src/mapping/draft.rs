//! A mapping to start from: made of a file's header by the likeness of names, or of a mapping by what a file showed it to lack.

use std::{collections::BTreeMap, fmt::Write as _};

use node_domain::{
    dictionary::{Dictionary, Field, Table},
    nearest::nearest,
};

use crate::suggest::UnknownCodes;

/// The field, as `collection.field`, whose name, labels or names elsewhere are most like a column's.
#[must_use]
pub fn nearest_field(column: &str, dictionary: &Dictionary) -> Option<String> {
    let places: Vec<(Vec<&str>, String)> = dictionary
        .collections()
        .flat_map(|table| {
            table.fields.iter().map(move |field| (names(field), format!("{}.{}", table.name, field.name)))
        })
        .collect();
    let known = places.iter().flat_map(|(names, place)| names.iter().map(move |name| (*name, place.as_str())));
    nearest(&column.replace(['_', '-', '.'], " "), known)
}

fn names(field: &Field) -> Vec<&str> {
    let titles = [&field.title.es, &field.title.pt, &field.title.en].map(String::as_str);
    let elsewhere = field.maps_to.values().map(String::as_str);
    std::iter::once(field.name.as_str()).chain(titles).chain(elsewhere).collect()
}

/// A mapping made of a header: columns that are like a field are mapped, the others listed. Mandatory fields without a column are
/// there to be filled in.
#[must_use]
pub fn of_header(header: &[String], dictionary: &Dictionary) -> String {
    let mut text = String::from(
        "# A mapping to start from, made of the file's header. Check every line: columns were chosen by the likeness of names.\n\
         name = \"mine\"\nversion = 1\n\
         description = { es = \"Mi exportación\", pt = \"Minha exportação\", en = \"My export\" }\n\n",
    );
    let mut columns: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut unread = Vec::new();
    let places: Vec<Option<String>> = header.iter().map(|column| nearest_field(column, dictionary)).collect();
    for (column, place) in header.iter().zip(&places) {
        match place.as_deref().and_then(|place| place.split_once('.')) {
            Some((collection, field)) => columns.entry(collection).or_default().push((field, column)),
            None => unread.push(column.as_str()),
        }
    }
    let unread: Vec<String> = unread.into_iter().map(quoted).collect();
    let unread = unread.join(", ");
    let _ =
        writeln!(text, "# Columns that are like no field: name them below, or leave them out.\nignore = [{unread}]\n");
    text.push_str(
        "[format]\n# delimiter = \";\"\n# encoding = \"latin-1\"\n# decimal_comma = true\n# date = \"DD/MM/YYYY\"\n\n",
    );
    for table in dictionary.collections().filter(|table| columns.contains_key(table.name.as_str())) {
        collection(&mut text, table, &columns[table.name.as_str()]);
    }
    text
}

fn collection(text: &mut String, table: &Table, columns: &[(&str, &str)]) {
    let _ = writeln!(text, "[[collection]]\nname = \"{}\"", table.name);
    for field in &table.fields {
        let of_field: Vec<&str> =
            columns.iter().filter(|(name, _)| *name == field.name).map(|(_, column)| *column).collect();
        match of_field.as_slice() {
            [] if field.required => {
                let _ = writeln!(
                    text,
                    "fields.{} = {{ constant = \"\" }} # mandatory: name its column or value",
                    field.name
                );
            }
            [] => {}
            [first, others @ ..] => {
                let _ = write!(text, "fields.{} = {{ column = {} }}", field.name, quoted(first));
                let _ = if others.is_empty() {
                    writeln!(text)
                } else {
                    writeln!(text, " # or {}", others.iter().map(|other| quoted(other)).collect::<Vec<_>>().join(", "))
                };
            }
        }
    }
    text.push('\n');
}

/// A mapping with what a file showed it to lack, as comments at its end.
#[must_use]
pub fn of_mapping(mapping: &str, unread: &[String], unknown: &UnknownCodes, dictionary: &Dictionary) -> String {
    let mut text = mapping.trim_end().to_owned();
    text.push_str("\n\n# What the file showed this mapping to lack:\n");
    for column in unread {
        let _ = match nearest_field(column, dictionary) {
            Some(place) => writeln!(text, "#   column {} has no place; perhaps {place}", quoted(column)),
            None => writeln!(text, "#   column {} has no place; add it to `ignore` if it needs none", quoted(column)),
        };
    }
    for (place, field) in &unknown.0 {
        for (value, code) in &field.values {
            let nearest = code.nearest.as_deref().unwrap_or("?");
            let (value, nearest) = (quoted(value), quoted(nearest));
            let _ = writeln!(
                text,
                "#   {place}.codes: {value} = {nearest} ({} times in {})",
                code.count,
                quoted(&field.column)
            );
        }
    }
    text
}

/// A text as TOML writes it on one line.
fn quoted(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    toml::Value::String(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Mapping;

    #[test]
    fn a_header_becomes_a_mapping_that_parses() {
        let dictionary = Dictionary::built_in().unwrap();
        let header = ["Sexo", "BirthDate", "patient_id", "Morfología", "q\"q\u{7}q"].map(str::to_owned);
        let text = of_header(&header, &dictionary);
        let mapping = Mapping::parse(&text, &dictionary).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(text.contains("fields.sex = { column = \"Sexo\" }"), "{text}");
        assert!(text.contains("fields.birth_date = { column = \"BirthDate\" }"), "{text}");
        assert_eq!(mapping.ignore, ["q\"q q"]);
    }
}
