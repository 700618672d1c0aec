//! Queries, terms and disclosure rules in plain English, by the titles of the dictionary and the labels of its codes.

use std::collections::BTreeSet;

use node_domain::{
    dictionary::{Dictionary, Field, Kind, Table, Unit},
    language::Language,
};
use node_protocol::{
    answer::GroupKey,
    project::{Lane, PrivacyTerms, Terms},
    query::{Condition, Query, Statistic, Value},
    release::{Mechanism, NoiseStatement, Release, Safeguards},
};

/// The most values of a condition that are named; beyond, only how many more there are.
const MOST_VALUES: usize = 12;
/// Words of titles that stay capitalised inside a sentence.
const NAMES: [&str; 2] = ["Toronto", "Kaplan"];

/// What things are called.
#[derive(Debug)]
pub(crate) struct Words {
    /// Without one, everything is called as on the wire.
    dictionary: Option<Dictionary>,
}

impl Words {
    /// By the dictionary that ships.
    pub(crate) fn built_in() -> Self {
        Self { dictionary: Dictionary::built_in().ok() }
    }

    fn table(&self, name: &str) -> Option<&Table> {
        self.dictionary.as_ref()?.table(name).map(AsRef::as_ref)
    }

    /// A query as one phrase: whom, by what, which numbers.
    pub(crate) fn query(&self, query: &Query) -> String {
        let table = self.table(&query.table);
        let mut text = self.subject(&query.table);
        for (at, condition) in query.conditions.iter().enumerate() {
            let place = if at == 0 { " " } else { ", " };
            text = format!("{text}{place}{}", condition_words(table, condition, true));
        }
        if !query.by.is_empty() {
            let fields: Vec<String> = query.by.iter().map(|name| title(table, name)).collect();
            let place = if query.conditions.is_empty() { " " } else { ", " };
            text = format!("{text}{place}by {}", joined(&fields, "and"));
        }
        format!("{text}; {}", statistic_words(table, &query.statistic))
    }

    /// What the rows of a table stand for.
    fn subject(&self, name: &str) -> String {
        let unit = self.unit(name);
        match self.table(name) {
            _ if name == "cases" => unit.to_owned(),
            Some(table) => format!("{unit} in “{}”", table_title(table)),
            None => format!("{unit} in `{name}`"),
        }
    }

    /// What the numbers of a table count.
    pub(crate) fn unit(&self, table: &str) -> &'static str {
        match self.table(table).map_or(Unit::Person, |table| table.unit_of_privacy) {
            Unit::Person => "persons",
            Unit::Facility => "hospitals",
            Unit::None => "records",
        }
    }

    /// A group by the labels of its codes, in the order of the field names.
    pub(crate) fn group(&self, table: &str, group: &GroupKey) -> String {
        if group.is_empty() {
            return "all".to_owned();
        }
        let table = self.table(table);
        let label = |(name, code): (&String, &Option<String>)| match code {
            Some(code) => code_label(table.and_then(|table| table.field(name)), code),
            None => "(missing)".to_owned(),
        };
        group.iter().map(label).collect::<Vec<_>>().join(" / ")
    }

    /// The heading over groups: the titles of the fields, in the order of the field names.
    pub(crate) fn grouping(&self, query: &Query) -> String {
        let mut names: Vec<&String> = query.by.iter().collect();
        names.sort_unstable();
        if names.is_empty() {
            return "group".to_owned();
        }
        names.into_iter().map(|name| title(self.table(&query.table), name)).collect::<Vec<_>>().join(" / ")
    }

    /// The title of a field or endpoint as it stands inside a sentence.
    pub(crate) fn field(&self, table: &str, name: &str) -> String {
        title(self.table(table), name)
    }

    /// The unit of a field, for bins: `d`, `a`, `min`; empty where it has none or is a year.
    pub(crate) fn field_unit(&self, table: &str, name: &str) -> &str {
        let unit = self.table(table).and_then(|table| table.field(name)).and_then(|field| field.unit.as_deref());
        unit.filter(|_| name != "diagnosis_year").unwrap_or_default()
    }

    /// A field, or one value of it, in any table that has the field: `index cancer Retinoblastoma`.
    pub(crate) fn about(&self, field: &str, value: Option<&str>) -> String {
        let table = self.dictionary.as_ref().and_then(|all| all.tables().find(|table| table.field(field).is_some()));
        let title = title(table, field);
        match value {
            Some(value) => format!("{title} {}", code_label(table.and_then(|table| table.field(field)), value)),
            None => title,
        }
    }

    /// The title of a measured field with its unit: `patient interval (d)`.
    pub(crate) fn measure(&self, table: &str, name: &str) -> String {
        match self.field_unit(table, name) {
            "" | "a" => self.field(table, name),
            unit => format!("{} ({unit})", self.field(table, name)),
        }
    }

    /// What terms allow, as lines of a heading and what stands under it.
    pub(crate) fn terms(&self, terms: &Terms, own_threshold: Option<u32>) -> Vec<(&'static str, Vec<String>)> {
        let tables = terms.tables.iter().map(|name| match self.table(name) {
            Some(table) => format!("{name:<18} {}", table_title(table)),
            None => name.clone(),
        });
        let statistics = terms.statistics.iter().map(|name| format!("{name:<18} {}", statistic_purpose(name)));
        let fields = terms.fields.iter().map(|name| {
            let mut titles = terms.tables.iter().filter_map(|table| self.known_title(table, name));
            let mut reach = terms.tables.iter().filter_map(|table| self.reach(table, name));
            let reach = reach.next().map(|reach| format!(" ({reach})")).unwrap_or_default();
            format!("{name:<26} {}{reach}", titles.next().unwrap_or_default())
        });
        let mut fields: Vec<String> = fields.collect();
        if fields.is_empty() {
            fields.push("none: totals alone".to_owned());
        }
        vec![
            ("tables", tables.collect()),
            ("statistics", statistics.collect()),
            ("filters and groups by", fields),
            ("numbers leave", lane_words(terms.lane, terms.privacy.as_ref())),
            ("small groups", self.small_groups(terms, own_threshold)),
            ("until", vec![format!("{}, that day included", terms.expires)]),
        ]
    }

    /// How much of a field's values a grant of the field opens: terms name fields, never single codes.
    fn reach(&self, table: &str, name: &str) -> Option<String> {
        match &self.table(table)?.field(name)?.kind {
            Kind::Code(list) => Some(format!("all {} codes", list.codes.len())),
            Kind::Integer { .. } => Some("any value".to_owned()),
            _ => None,
        }
    }

    /// The thresholds of what the tables count: persons, hospitals, or both.
    fn small_groups(&self, terms: &Terms, own_threshold: Option<u32>) -> Vec<String> {
        let units: BTreeSet<&str> = terms.tables.iter().map(|table| self.unit(table)).collect();
        let mut lines = Vec::new();
        if units.contains("persons") {
            lines.push(threshold_words(terms, own_threshold));
        }
        if units.contains("hospitals") && terms.lane != Lane::DifferentiallyPrivate {
            lines.push(
                "in tables about hospitals: of fewer hospitals than each node's own threshold of those".to_owned(),
            );
        }
        if lines.is_empty() {
            lines.push("are shown: the rows are about nobody".to_owned());
        }
        lines
    }

    fn known_title(&self, table: &str, name: &str) -> Option<String> {
        let table = self.table(table)?;
        let endpoint = || table.endpoints.contains_key(name).then(|| format!("endpoint: {}", endpoint_words(name)));
        table.field(name).map(|field| field.title.of(Language::En).to_owned()).or_else(endpoint)
    }
}

/// What a grant takes away from what was proposed; nothing where they are the same.
pub(crate) fn narrowing(proposed: &Terms, granted: &Terms) -> Vec<String> {
    let mut lines = Vec::new();
    let sets = [
        ("table", &proposed.tables, &granted.tables),
        ("statistic", &proposed.statistics, &granted.statistics),
        ("field", &proposed.fields, &granted.fields),
    ];
    for (what, before, after) in sets {
        let gone: Vec<String> = before.difference(after).cloned().collect();
        if !gone.is_empty() {
            let plural = if gone.len() > 1 { "s" } else { "" };
            lines.push(format!("without the {what}{plural} {}", joined(&gone, "and")));
        }
    }
    if granted.lane != proposed.lane || granted.privacy != proposed.privacy {
        let words = lane_words(granted.lane, granted.privacy.as_ref());
        // the second line tells the budget, and otherwise explains the first
        let told = if granted.privacy.is_some() { 2 } else { 1 };
        lines.extend(words.into_iter().take(told));
    }
    if granted.persons != proposed.persons {
        lines.extend(granted.persons.map(|persons| format!("groups of fewer than {persons} persons are never shown")));
    }
    if granted.expires != proposed.expires {
        lines.push(format!("only until {}", granted.expires));
    }
    lines
}

fn threshold_words(terms: &Terms, own: Option<u32>) -> String {
    if terms.lane == Lane::DifferentiallyPrivate {
        return "have no threshold: their numbers leave with the noise, like all others".to_owned();
    }
    match (terms.persons, own) {
        (Some(persons), Some(own)) if persons > own => {
            format!("of fewer than {persons} persons are never shown (this node's threshold is {own})")
        }
        (_, Some(own)) => format!("of fewer than {own} persons are never shown (this node's threshold)"),
        (Some(persons), None) => format!("of fewer than {persons} persons are never shown, or a node's own threshold"),
        (None, None) => "each node's own threshold".to_owned(),
    }
}

/// A privacy budget for people, without the digits that computing leaves at its end.
pub(crate) fn rho(rho: f64) -> String {
    if rho > 0.0 && rho < 1e-4 {
        return format!("{rho:.2e}");
    }
    let text = format!("{rho:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How numbers leave in a lane.
pub(crate) fn lane_words(lane: Lane, privacy: Option<&PrivacyTerms>) -> Vec<String> {
    match (lane, privacy) {
        (Lane::Exact, _) => vec![
            "exact: the true numbers".to_owned(),
            "each answer is checked against all exact numbers released before, and refused if it would tell a hidden one"
                .to_owned(),
        ],
        (Lane::Perturbed, _) => vec![
            "with noise that is always the same for the same persons".to_owned(),
            "asking again gives the same number; the true one is never told".to_owned(),
        ],
        (Lane::DifferentiallyPrivate, Some(privacy)) => vec![
            format!("with fresh {} noise from a privacy budget", mechanism(privacy.mechanism)),
            format!("budget rho = {}, {} per answer: {:.0} of them", rho(privacy.rho), rho(privacy.rho_per_answer), answers(privacy)),
        ],
        (Lane::DifferentiallyPrivate, None) => vec!["with fresh noise from a privacy budget".to_owned()],
    }
}

fn answers(privacy: &PrivacyTerms) -> f64 {
    // 0.3 / 0.1 must not be two
    (privacy.rho / privacy.rho_per_answer + 1e-9).floor()
}

fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Laplace => "Laplace",
        Mechanism::Gaussian => "Gaussian",
    }
}

/// The rule that an answer went through.
pub(crate) fn release(release: &Release, unit: &str) -> String {
    match release {
        Release::Catalogue(guards) => {
            format!("exact numbers of a fixed indicator, which everybody may look up; {}", hidden(*guards, unit))
        }
        Release::ExactAdHoc(guards) => {
            format!("exact numbers, checked against all that was released exactly before; {}", hidden(*guards, unit))
        }
        Release::Perturbed { safeguards, noise } => {
            format!("numbers with noise, {}; {}", noise_words(noise), hidden(*safeguards, unit))
        }
        Release::DifferentiallyPrivate { private } => format!(
            "numbers with fresh {} noise, standard deviation {:.1}, 95 % within {:.0} of the true number; price rho = {}",
            mechanism(private.mechanism),
            private.standard_deviation,
            private.error_95,
            rho(private.rho)
        ),
    }
}

/// How much noise numbers have.
pub(crate) fn noise_words(noise: &NoiseStatement) -> String {
    format!("standard deviation {:.1}, at most {} from the true number", noise.standard_deviation, noise.bound)
}

fn hidden(guards: Safeguards, unit: &str) -> String {
    match guards.persons {
        0 => "nothing is hidden: the rows are about nobody".to_owned(),
        persons => format!("fewer than {persons} {unit} are never shown, zero included"),
    }
}

/// A rule by its name on the wire, in a few words.
pub(crate) fn rule(name: &str) -> &str {
    match name {
        "catalogue" => "fixed indicator",
        "exact" | "exact_ad_hoc" => "exact",
        "perturbed" => "with noise",
        "differentially_private" => "private budget",
        other => other,
    }
}

fn statistic_purpose(name: &str) -> &'static str {
    match name {
        "count" => "how many are in each group",
        "histogram" => "how many are in each fixed bin of a number",
        "mean" => "means and sums of numbers",
        "survival" => "survival curves at whole months",
        _ => "",
    }
}

fn statistic_words(table: Option<&Table>, statistic: &Statistic) -> String {
    match statistic {
        Statistic::Count => "counts".to_owned(),
        Statistic::Histogram { field } => format!("counts by bins of {}", title(table, field)),
        Statistic::Mean { fields } => {
            let fields: Vec<String> = fields.iter().map(|field| title(table, field)).collect();
            format!("means of {}", joined(&fields, "and"))
        }
        Statistic::Survival { endpoint, cuts_months } => {
            let cuts: Vec<String> = cuts_months.iter().map(u16::to_string).collect();
            format!("{} at {} months", endpoint_words(endpoint), joined(&cuts, "and"))
        }
    }
}

/// `event_free_abandonment`: "event-free survival, abandonment as an event".
pub(crate) fn endpoint_words(endpoint: &str) -> String {
    match endpoint.strip_suffix("_abandonment") {
        Some(plain) => format!("{} survival with abandonment as an event", plain.replace('_', "-")),
        None => format!("{} survival", endpoint.replace('_', "-")),
    }
}

/// A condition as it follows the persons; `holds` is false inside a negation.
fn condition_words(table: Option<&Table>, condition: &Condition, holds: bool) -> String {
    let inner = |conditions: &[Condition], word: &str| {
        let parts: Vec<String> = conditions.iter().map(|one| condition_words(table, one, true)).collect();
        let whole = if parts.len() > 1 { format!("({})", parts.join(&format!(" {word} "))) } else { parts.concat() };
        if holds { whole } else { format!("not {whole}") }
    };
    match condition {
        Condition::In { field, values } => {
            let known = table.and_then(|table| table.field(field));
            let shown = values.iter().take(MOST_VALUES).map(|value| match value {
                Value::Integer(number) => number.to_string(),
                Value::Text(code) => code_label(known, code),
            });
            let mut shown: Vec<String> = shown.collect();
            let word = if values.len() > MOST_VALUES {
                shown.push(format!("{} more", values.len() - MOST_VALUES));
                "and"
            } else {
                "or"
            };
            let list = joined(&shown, word);
            let plain = matches!(shown.as_slice(), [one] if matches!(one.as_str(), "Yes" | "No" | "Unknown"));
            match (field.as_str(), plain, holds) {
                ("diagnosis_year", _, true) => format!("diagnosed in {list}"),
                ("diagnosis_year", _, false) => format!("not diagnosed in {list}"),
                (_, true, true) => format!("{}: {}", title(table, field), list.to_lowercase()),
                (_, true, false) => format!("{}: not {}", title(table, field), list.to_lowercase()),
                (_, false, true) => format!("with {} {list}", title(table, field)),
                (_, false, false) => format!("with {} other than {list}", title(table, field)),
            }
        }
        Condition::Between { field, low, high } => {
            let range = if low == high { low.to_string() } else { format!("{low} to {high}") };
            match (field.as_str(), holds) {
                ("diagnosis_year", true) => format!("diagnosed {range}"),
                ("diagnosis_year", false) => format!("not diagnosed {range}"),
                (_, true) => format!("with {} {range}", title(table, field)),
                (_, false) => format!("with {} outside {range}", title(table, field)),
            }
        }
        Condition::IsMissing { field, missing } => {
            format!("with {} {}", title(table, field), if *missing == holds { "missing" } else { "recorded" })
        }
        Condition::All(conditions) => inner(conditions, "and"),
        Condition::Any(conditions) => inner(conditions, "or"),
        Condition::Not(condition) => condition_words(table, condition, !holds),
    }
}

fn table_title(table: &Table) -> &str {
    table.title.of(Language::En).trim_end_matches(" (analysis table)")
}

/// The title of a field as it stands inside a sentence; an endpoint's words; else the name itself.
fn title(table: Option<&Table>, name: &str) -> String {
    let Some(table) = table else { return name.to_owned() };
    match table.field(name) {
        Some(field) => inside(field.title.of(Language::En)),
        None if table.endpoints.contains_key(name) => endpoint_words(name),
        None => name.to_owned(),
    }
}

fn inside(title: &str) -> String {
    let first = title.split([' ', '-']).next().unwrap_or_default();
    let acronym = first.chars().skip(1).any(char::is_uppercase);
    if acronym || NAMES.contains(&first) {
        return title.to_owned();
    }
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |letter| letter.to_lowercase().chain(letters).collect())
}

fn code_label(field: Option<&Field>, code: &str) -> String {
    let (Some(Kind::Code(list)) | Some(Kind::Codes(list))) = field.map(|field| &field.kind) else {
        return code.to_owned();
    };
    let known = list.position(code).and_then(|at| list.codes.get(at));
    known.map_or_else(|| code.to_owned(), |known| known.label.of(Language::En).to_owned())
}

/// `a, b and c`
pub(crate) fn joined(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// A length of time in its two largest units: `40 s`, `5 min 20 s`, `6 d 3 h`.
pub(crate) fn lapse(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let from = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = parts.iter().skip(from).take(2).filter(|(count, _)| *count > 0);
    let text = shown.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0 s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(json: &str) -> String {
        Words::built_in().query(&Query::parse(json.as_bytes()).unwrap())
    }

    #[test]
    fn a_query_is_one_phrase() {
        assert_eq!(
            words(
                r#"{"dictionary":"1.1","table":"cases","by":["sex","stage"],"where":[{"field":"index_cancer","in":["WILMS"]},
                    {"field":"diagnosis_year","between":[2015,2020]}],"statistic":{"kind":"count"}}"#
            ),
            "persons with index cancer Wilms tumour, diagnosed 2015 to 2020, by sex and stage I to IV; counts"
        );
        assert_eq!(
            words(
                r#"{"dictionary":"1.1","table":"cases","statistic":{"kind":"survival","endpoint":"event_free","cuts_months":[12,60]}}"#
            ),
            "persons; event-free survival at 12 and 60 months"
        );
        assert_eq!(
            words(
                r#"{"dictionary":"1.1","table":"cases","where":[{"field":"alliance_extract","in":["yes"]},
                    {"not":{"field":"sex","in":["1","9"]}},{"any":[{"field":"stage","is_missing":true},{"field":"age_years","between":[0,4]}]}],
                    "statistic":{"kind":"histogram","field":"diagnosis_interval_days"}}"#
            ),
            "persons in the alliance's extract: yes, with sex other than Male or Unknown, (with stage I to IV missing or with age \
             in years 0 to 4); counts by bins of diagnosis interval"
        );
        assert_eq!(
            words(
                r#"{"dictionary":"1.1","table":"stock","by":["medicine"],"statistic":{"kind":"mean","fields":["days_out"]}}"#
            ),
            "hospitals in “Medicine stock” by medicine; means of days out of stock"
        );
    }

    #[test]
    fn a_value_is_called_by_its_label() {
        let words = Words::built_in();
        assert_eq!(words.about("index_cancer", Some("RETINOBLASTOMA")), "index cancer Retinoblastoma");
        assert_eq!(words.about("shoe_size", Some("41")), "shoe_size 41");
    }

    #[test]
    fn small_groups_are_of_what_the_tables_count() {
        let told = |tables: &[&str]| {
            let terms = Terms {
                tables: tables.iter().map(|table| (*table).to_owned()).collect(),
                statistics: BTreeSet::new(),
                fields: BTreeSet::new(),
                lane: Lane::Exact,
                privacy: None,
                persons: None,
                expires: "2027-12-31".parse().unwrap(),
            };
            Words::built_in().small_groups(&terms, Some(5)).join("; ")
        };
        assert!(told(&["cases"]).contains("5 persons") && !told(&["cases"]).contains("hospitals"));
        assert!(told(&["stock"]).contains("hospitals") && !told(&["stock"]).contains("persons"));
        assert!(told(&["cases", "stock"]).contains("persons") && told(&["cases", "stock"]).contains("hospitals"));
    }

    #[test]
    fn what_is_not_in_the_dictionary_keeps_its_name() {
        let query = r#"{"dictionary":"1.1","table":"moons","by":["phase"],"where":[{"field":"tide","in":["HIGH"]}],"statistic":{"kind":"count"}}"#;
        assert_eq!(words(query), "persons in `moons` with tide HIGH, by phase; counts");
    }

    #[test]
    fn a_grant_is_told_by_what_it_takes_away() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let proposed = Terms {
            tables: names(&["cases"]),
            statistics: names(&["count", "survival"]),
            fields: names(&["sex", "stage", "overall"]),
            lane: Lane::Exact,
            privacy: None,
            persons: None,
            expires: "2027-12-31".parse().unwrap(),
        };
        assert!(narrowing(&proposed, &proposed).is_empty());
        let granted = Terms {
            statistics: names(&["count"]),
            fields: names(&["stage"]),
            lane: Lane::Perturbed,
            persons: Some(11),
            expires: "2026-12-31".parse().unwrap(),
            ..proposed.clone()
        };
        assert_eq!(
            narrowing(&proposed, &granted),
            [
                "without the statistic survival",
                "without the fields overall and sex",
                "with noise that is always the same for the same persons",
                "groups of fewer than 11 persons are never shown",
                "only until 2026-12-31",
            ]
        );
        let lines = Words::built_in().terms(&granted, Some(5));
        assert_eq!(lines[2].1, ["stage                      Stage I to IV (all 8 codes)"]);
        assert_eq!(lines[4].1, ["of fewer than 11 persons are never shown (this node's threshold is 5)"]);
    }

    #[test]
    fn budgets_have_four_digits_at_most() {
        assert_eq!([0.030_000_000_000_000_002, 2.0, 0.0, 0.5].map(rho), ["0.03", "2", "0", "0.5"]);
        assert_eq!(rho(0.000_012), "1.20e-5");
    }

    #[test]
    fn lapses_have_two_units() {
        assert_eq!(lapse(0), "0 s");
        assert_eq!(lapse(40), "40 s");
        assert_eq!(lapse(320), "5 min 20 s");
        assert_eq!(lapse(86_400 * 6 + 3 * 3_600 + 5), "6 d 3 h");
        assert_eq!(lapse(7_200), "2 h");
    }
}
