//! A study as a tidy CSV: one row per number, whose value is empty unless the number is shown.

use std::path::{Path, PathBuf};

use anyhow::Context;
use node_protocol::{
    answer::{Answer, GroupKey, Pooled, SurvivalGroup},
    cell::{Cell, Withheld},
    query::Statistic,
    release::Release,
    study::Study,
};
use node_snapshot::durable;

use super::{
    behind::{noisy_bin, noisy_curve, noisy_missing, noisy_persons},
    marks::state_meanings,
    status_word,
    tables::bin_names,
};
use crate::commands::words::Words;

/// The columns before and after those of the groups.
const BEFORE: [&str; 2] = ["node", "status"];
const AFTER: [&str; 12] =
    ["field", "quantity", "month", "bin", "value", "state", "low", "high", "reason", "as_of", "noise_sd", "problem"];

/// A number and what belongs to it.
#[derive(Debug, Clone, Default)]
struct Row {
    field: String,
    quantity: &'static str,
    month: String,
    bin: String,
    number: Number,
    as_of: String,
    noise_sd: String,
}

/// A number with its state; computed ones are not persons.
#[derive(Debug, Clone, Default)]
enum Number {
    #[default]
    None,
    Cell(Cell),
    Computed {
        value: String,
        noisy: bool,
    },
    Hidden(Option<Withheld>),
    /// A sum of countries in which one shows a band and another a number with noise.
    NoisyBand {
        low: u64,
        high: u64,
    },
}

/// What was written.
pub(crate) struct Written {
    /// Numbers that are shown.
    pub(crate) shown: usize,
    /// Numbers that are not.
    pub(crate) hidden: usize,
    /// Where the states are explained; nothing where all numbers are exact.
    pub(crate) notes: Option<PathBuf>,
}

/// Writes a study as CSV, and beside it what its states mean, as `NAME.notes.txt`.
///
/// # Errors
/// Those of the file system.
pub(crate) fn write(study: &Study, path: &Path) -> anyhow::Result<Written> {
    let table = Table::of(study);
    durable::replace(path, &table.csv()?).with_context(|| path.display().to_string())?;
    let meanings = table.meanings();
    let notes = (!meanings.is_empty()).then(|| path.with_extension("notes.txt"));
    if let Some(notes) = &notes {
        let mut text = String::from("State or reason    What it means\n");
        for (state, meaning) in &meanings {
            text.push_str(&format!("{state:<18} {meaning}\n"));
        }
        text.push_str("A number that is not shown has an empty value; it is not zero.\n");
        durable::replace(notes, text.as_bytes()).with_context(|| notes.display().to_string())?;
    }
    let shown = table.numbers().filter(|number| number.value().is_some()).count();
    Ok(Written { shown, hidden: table.numbers().count() - shown, notes })
}

/// All rows of a study.
struct Table {
    by: Vec<String>,
    /// What the numbers count: persons, or hospitals.
    unit: &'static str,
    /// The months that were asked for, of a curve.
    months: Vec<u16>,
    /// Node, status, group, row, problem.
    rows: Vec<(String, &'static str, Option<GroupKey>, Row, String)>,
}

impl Table {
    fn of(study: &Study) -> Self {
        let mut by = study.query.by.clone();
        by.sort_unstable();
        let months = match &study.query.statistic {
            Statistic::Survival { cuts_months, .. } => cuts_months.clone(),
            _ => Vec::new(),
        };
        let unit = Words::built_in().unit(&study.query.table);
        let mut table = Self { by, unit, months, rows: Vec::new() };
        for node in &study.nodes {
            let (name, status) = (node.node.as_str(), status_word(node.status));
            match &node.answer {
                Some(answer) => table.answer(name, status, answer),
                None => {
                    let problem = node.problem.as_ref().map(super::problem).unwrap_or_default();
                    table.rows.push((name.to_owned(), status, None, Row::default(), problem));
                }
            }
        }
        let answers: Vec<(&str, &Answer)> =
            study.nodes.iter().filter_map(|node| Some((node.node.as_str(), node.answer.as_ref()?))).collect();
        if let Some(pooled) = &study.pooled {
            table.pooled(pooled, &answers);
        }
        table
    }

    fn push(&mut self, node: &str, status: &'static str, group: &GroupKey, row: Row) {
        self.rows.push((node.to_owned(), status, Some(group.clone()), row, String::new()));
    }

    fn answer(&mut self, node: &str, status: &'static str, answer: &Answer) {
        let noise = noise_of(&answer.release());
        let noisy = !answer.release().is_exact();
        let count = |quantity, cell: Cell, as_of: &str| Row {
            quantity,
            as_of: as_of.to_owned(),
            noise_sd: if matches!(cell, Cell::Perturbed { .. }) { noise.clone() } else { String::new() },
            number: Number::Cell(cell),
            ..Row::default()
        };
        let since = |as_of: &Option<node_domain::digest::Digest>| as_of.map(|id| id.to_string()).unwrap_or_default();
        match answer {
            Answer::Count(answer) => {
                for one in &answer.cells {
                    let as_of = since(&one.as_of);
                    self.push(node, status, &one.group, count(self.unit, one.persons, &as_of));
                    if let Some(cases) = one.cases {
                        self.push(node, status, &one.group, count("cases", cases, &as_of));
                    }
                }
            }
            Answer::Histogram(answer) => {
                for group in &answer.groups {
                    let as_of = since(&group.as_of);
                    for (bin, cell) in bin_names(&answer.lower_edges, "").into_iter().zip(&group.bins) {
                        let row = Row { bin, field: answer.field.clone(), ..count(self.unit, *cell, &as_of) };
                        self.push(node, status, &group.group, row);
                    }
                    let row = Row { field: answer.field.clone(), ..count("missing", group.missing, &as_of) };
                    self.push(node, status, &group.group, row);
                }
            }
            Answer::Mean(answer) => {
                for group in &answer.groups {
                    let as_of = since(&group.as_of);
                    for (field, value) in answer.fields.iter().zip(&group.values) {
                        let of = |row: Row| Row { field: field.clone(), ..row };
                        self.push(node, status, &group.group, of(count(self.unit, value.persons, &as_of)));
                        self.push(node, status, &group.group, of(count("rows", value.rows, &as_of)));
                        let sums = [
                            ("sum", value.sum.map(|sum| sum.to_string())),
                            ("sum_of_squares", value.sum_of_squares.map(|sum| sum.to_string())),
                        ];
                        for (quantity, sum) in sums {
                            let number = match sum {
                                Some(value) => Number::Computed { value, noisy },
                                None => Number::Hidden(value.withheld),
                            };
                            let row = Row { quantity, number, as_of: as_of.clone(), ..Row::default() };
                            self.push(node, status, &group.group, of(row));
                        }
                    }
                }
            }
            Answer::Survival(answer) => {
                for group in &answer.groups {
                    let as_of = since(&group.as_of);
                    self.push(node, status, &group.group, count(self.unit, group.persons, &as_of));
                    self.push(node, status, &group.group, count("missing", group.missing, &as_of));
                    self.curve((node, status), group, &|_| noisy, &count);
                    self.boundaries((node, status), group, noisy, &count);
                }
            }
        }
    }

    /// The cuts of a group, as many as were asked for; `noisy` says whether noise is in a month's number.
    fn curve(
        &mut self,
        (node, status): (&str, &'static str),
        group: &SurvivalGroup,
        noisy: &dyn Fn(u16) -> bool,
        count: &dyn Fn(&'static str, Cell, &str) -> Row,
    ) {
        // nobody is no curve, and nothing is hidden
        if group.persons == (Cell::Exact { n: 0 }) && group.cuts.is_empty() {
            return;
        }
        let as_of = group.as_of.map(|id| id.to_string()).unwrap_or_default();
        for month in self.months.clone() {
            let at = |row: Row| Row { month: month.to_string(), ..row };
            let Some(cut) = group.cuts.iter().find(|cut| cut.month == month) else {
                for quantity in ["at_risk", "events", "withdrawn", "survival"] {
                    let number = Number::Hidden(withheld(&group.persons));
                    self.push(node, status, &group.group, at(Row { quantity, number, ..Row::default() }));
                }
                continue;
            };
            for (quantity, cell) in [("at_risk", cut.at_risk), ("events", cut.events), ("withdrawn", cut.withdrawn)] {
                self.push(node, status, &group.group, at(count(quantity, cell, &as_of)));
            }
            let why = withheld(&cut.events).or(withheld(&cut.at_risk));
            let computed = [
                ("survival", cut.survival),
                ("standard_error", cut.standard_error),
                ("survival_lower", cut.lower),
                ("survival_upper", cut.upper),
            ];
            for (quantity, value) in computed {
                let number = match value {
                    Some(value) => Number::Computed { value: value.to_string(), noisy: noisy(month) },
                    None if quantity == "survival" => Number::Hidden(why),
                    None => continue,
                };
                self.push(
                    node,
                    status,
                    &group.group,
                    at(Row { quantity, number, as_of: as_of.clone(), ..Row::default() }),
                );
            }
        }
    }

    /// The life table at every month at which it may be shown.
    fn boundaries(
        &mut self,
        (node, status): (&str, &'static str),
        group: &SurvivalGroup,
        noisy: bool,
        count: &dyn Fn(&'static str, Cell, &str) -> Row,
    ) {
        let as_of = group.as_of.map(|id| id.to_string()).unwrap_or_default();
        for (month, events, withdrawn, survival) in group.boundaries.rows() {
            let at = |row: Row| Row { month: month.to_string(), ..row };
            for (quantity, n) in [("boundary_events", events), ("boundary_withdrawn", withdrawn)] {
                let cell = if noisy { Cell::Perturbed { n } } else { Cell::Exact { n } };
                self.push(node, status, &group.group, at(count(quantity, cell, &as_of)));
            }
            let number = Number::Computed { value: survival.to_string(), noisy };
            let row = Row { quantity: "boundary_survival", number, as_of: as_of.clone(), ..Row::default() };
            self.push(node, status, &group.group, at(row));
        }
    }

    fn pooled(&mut self, pooled: &Pooled, answers: &[(&str, &Answer)]) {
        let (node, status) = ("pooled", "");
        let count = |quantity, cell: Cell, _: &str| Row { quantity, number: Number::Cell(cell), ..Row::default() };
        let sum = |quantity, cell: Cell, noisy| Row { quantity, number: Number::sum(cell, noisy), ..Row::default() };
        match pooled {
            Pooled::Count { cells, .. } => {
                for one in cells {
                    let noisy = noisy_persons(answers, &one.group);
                    self.push(node, status, &one.group, sum(self.unit, one.persons, noisy));
                    let Some(share) = one.share else { continue };
                    let parts = [("share", share.value), ("share_lower", share.lower), ("share_upper", share.upper)];
                    for (quantity, value) in parts {
                        // a share is of exact numbers alone
                        let number = Number::Computed { value: value.to_string(), noisy: false };
                        self.push(node, status, &one.group, Row { quantity, number, ..Row::default() });
                    }
                }
            }
            Pooled::Histogram { field, lower_edges, groups, .. } => {
                for group in groups {
                    let noisy = |bin| noisy_bin(answers, &group.group, bin);
                    for (at, (bin, cell)) in bin_names(lower_edges, "").into_iter().zip(&group.bins).enumerate() {
                        let row = Row { bin, field: field.clone(), ..sum(self.unit, *cell, noisy(at)) };
                        self.push(node, status, &group.group, row);
                    }
                    let missing = sum("missing", group.missing, noisy(group.bins.len()));
                    self.push(node, status, &group.group, Row { field: field.clone(), ..missing });
                }
            }
            Pooled::Mean { means, .. } => {
                for one in means {
                    let noisy = matches!(one.rows, Cell::Perturbed { .. });
                    let of = |row: Row| Row { field: one.field.clone(), ..row };
                    self.push(node, status, &one.group, of(count("rows", one.rows, "")));
                    let parts = [
                        ("sum", one.sum.map(|sum| sum.to_string())),
                        ("mean", one.mean.map(|mean| mean.to_string())),
                        ("standard_deviation", one.standard_deviation.map(|sd| sd.to_string())),
                    ];
                    for (quantity, value) in parts {
                        let number = match value {
                            Some(value) => Number::Computed { value, noisy },
                            None => Number::Hidden(one.withheld),
                        };
                        self.push(node, status, &one.group, of(Row { quantity, number, ..Row::default() }));
                    }
                }
            }
            Pooled::Survival { groups, .. } => {
                for group in groups {
                    let key = &group.group;
                    self.push(node, status, key, sum(self.unit, group.persons, noisy_persons(answers, key)));
                    self.push(node, status, key, sum("missing", group.missing, noisy_missing(answers, key)));
                    self.curve((node, status), group, &|month| noisy_curve(answers, key, month), &count);
                }
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = &Number> {
        self.rows.iter().map(|(.., row, _)| &row.number).filter(|number| !matches!(number, Number::None))
    }

    fn meanings(&self) -> Vec<(&'static str, String)> {
        let mut meanings = state_meanings(self.numbers().flat_map(Number::as_cells));
        if self.rows.iter().any(|(.., row, _)| !row.as_of.is_empty()) {
            let meaning = "the number of an earlier snapshot, named here: fewer than the threshold have changed since";
            meanings.push(("as_of", meaning.to_owned()));
        }
        if self.numbers().any(|number| matches!(number, Number::Hidden(None))) {
            meanings.push(("not_shown", "not shown: a number that it needs is not shown".to_owned()));
        }
        meanings
    }

    fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        // a field of the data may be called as a column is
        let name = |field: &String| {
            let taken = BEFORE.contains(&field.as_str()) || AFTER.contains(&field.as_str());
            if taken { format!("by_{field}") } else { field.clone() }
        };
        let groups: Vec<String> = self.by.iter().map(name).collect();
        csv.write_record(BEFORE.iter().copied().chain(groups.iter().map(String::as_str)).chain(AFTER))?;
        for (node, status, group, row, problem) in &self.rows {
            let code = |field: &String| match group.as_ref().map(|group| group.get(field)) {
                Some(Some(Some(code))) => code.clone(),
                Some(Some(None)) => "(missing)".to_owned(),
                Some(None) | None => String::new(),
            };
            let codes: Vec<String> = self.by.iter().map(code).collect();
            let number = &row.number;
            let (low, high) = number.band();
            let texts = [
                row.field.clone(),
                row.quantity.to_owned(),
                row.month.clone(),
                row.bin.clone(),
                number.value().unwrap_or_default(),
                number.state().to_owned(),
                low,
                high,
                number.reason().to_owned(),
                // only a number that is shown can be of an earlier snapshot
                if number.value().is_some() { row.as_of.clone() } else { String::new() },
                row.noise_sd.clone(),
                problem.clone(),
            ];
            let record = [node.clone(), (*status).to_owned()].into_iter().chain(codes).chain(texts);
            csv.write_record(record)?;
        }
        Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }
}

fn noise_of(release: &Release) -> String {
    match release {
        Release::Perturbed { noise, .. } => noise.standard_deviation.to_string(),
        Release::DifferentiallyPrivate { private } => private.standard_deviation.to_string(),
        Release::Catalogue(_) | Release::ExactAdHoc(_) => String::new(),
    }
}

/// Why a number is refused, where it is.
fn withheld(cell: &Cell) -> Option<Withheld> {
    match cell {
        Cell::Refused { reason } => Some(*reason),
        _ => None,
    }
}

impl Number {
    /// A sum of countries, which may have noise and a band in it at once.
    fn sum(cell: Cell, noisy: bool) -> Self {
        match cell {
            Cell::Banded { low, high } if noisy => Self::NoisyBand { low, high },
            _ => Self::Cell(cell),
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Self::Cell(cell) => cell.shown().map(|n| n.to_string()),
            Self::Computed { value, .. } => Some(value.clone()),
            Self::None | Self::Hidden(_) | Self::NoisyBand { .. } => None,
        }
    }

    /// Cells of the same states, whose meanings explain this one.
    fn as_cells(&self) -> Vec<Cell> {
        match self {
            Self::Cell(cell) => vec![*cell],
            Self::Computed { noisy: true, .. } => vec![Cell::Perturbed { n: 1 }],
            Self::Hidden(Some(reason)) => vec![Cell::Refused { reason: *reason }],
            Self::NoisyBand { low, high } => vec![Cell::Banded { low: *low, high: *high }, Cell::Perturbed { n: 1 }],
            Self::None | Self::Computed { .. } | Self::Hidden(None) => Vec::new(),
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Cell(Cell::Exact { .. }) | Self::Computed { noisy: false, .. } => "exact",
            Self::Cell(Cell::Perturbed { .. }) | Self::Computed { noisy: true, .. } => "perturbed",
            Self::Cell(Cell::Banded { .. }) | Self::NoisyBand { .. } => "banded",
            Self::Cell(Cell::Refused { .. }) | Self::Hidden(_) => "refused",
        }
    }

    fn band(&self) -> (String, String) {
        match self {
            Self::Cell(Cell::Banded { low, high }) | Self::NoisyBand { low, high } => {
                (low.to_string(), high.to_string())
            }
            _ => (String::new(), String::new()),
        }
    }

    fn reason(&self) -> &'static str {
        let reason = match self {
            Self::Cell(Cell::Refused { reason }) | Self::Hidden(Some(reason)) => reason,
            Self::Hidden(None) => return "not_shown",
            Self::NoisyBand { .. } => return "perturbed",
            _ => return "",
        };
        match reason {
            Withheld::Merged => "merged",
            Withheld::OneDay => "one_day",
            Withheld::TailCut => "tail_cut",
            Withheld::Complementary => "complementary",
            Withheld::Unspecified => "unspecified",
            Withheld::Dominance => "dominance",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::render::samples;

    fn csv(study: &Study) -> String {
        String::from_utf8(Table::of(study).csv().unwrap()).unwrap()
    }

    #[test]
    fn counts_have_a_row_per_number_and_nothing_where_a_number_is_hidden() {
        let expected = "\
node,status,sex,field,quantity,month,bin,value,state,low,high,reason,as_of,noise_sd,problem
ar,answered,1,,persons,,,~AR~,perturbed,,,,,3,
ar,answered,2,,persons,,,,banded,0,9,,,,
ar,answered,(missing),,persons,,,,refused,,,complementary,,,
cl,in review,,,,,,,,,,,,,The answer waits for a steward's review: class exact
pooled,,1,,persons,,,~AR~,perturbed,,,,,,
pooled,,2,,persons,,,,banded,0,9,,,,
"
        .replace("~AR~", "123");
        assert_eq!(csv(&samples::counts()), expected);
    }

    #[test]
    fn a_hidden_number_of_any_statistic_has_no_value() {
        for study in [samples::counts(), samples::histogram(), samples::means(), samples::survival()] {
            let text = csv(&study);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let head = reader.headers().unwrap().clone();
            let place = |name: &str| head.iter().position(|column| column == name).unwrap();
            let (value, state, quantity) = (place("value"), place("state"), place("quantity"));
            let mut hidden = 0;
            for row in reader.records() {
                let row = row.unwrap();
                let shown = matches!(&row[state], "exact" | "perturbed");
                assert_eq!(row[value].is_empty(), !shown, "{row:?}");
                hidden += usize::from(!shown && !row[quantity].is_empty());
            }
            assert!(hidden > 0, "the sample has hidden numbers");
        }
    }

    #[test]
    fn a_curve_that_is_hidden_has_a_row_for_each_number_that_was_asked_for() {
        let text = csv(&samples::survival());
        let hidden: Vec<&str> = text.lines().filter(|line| line.starts_with("ar,answered,(missing),")).collect();
        let of = |quantity: &str| hidden.iter().filter(|line| line.contains(&format!(",{quantity},"))).count();
        assert_eq!([of("at_risk"), of("events"), of("withdrawn"), of("survival")], [3; 4], "{text}");
        assert!(
            hidden.iter().filter(|line| line.contains(",refused,")).all(|line| line.contains("not_shown")),
            "{text}"
        );
    }

    #[test]
    fn a_sum_with_a_band_and_noise_in_it_says_both() {
        let number = Number::sum(Cell::Banded { low: 12, high: 16 }, true);
        assert_eq!((number.state(), number.reason()), ("banded", "perturbed"));
        assert_eq!((number.value(), number.band()), (None, ("12".to_owned(), "16".to_owned())));
    }

    #[test]
    fn the_states_that_occur_are_explained_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.csv");
        let written = write(&samples::counts(), &path).unwrap();
        assert_eq!((written.shown, written.hidden), (2, 3));
        let notes = std::fs::read_to_string(written.notes.unwrap()).unwrap();
        let states: Vec<&str> = notes.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(states, ["perturbed", "banded", "complementary", "A"]);
    }
}
