//! Counts, histograms and means as tables.

use std::collections::BTreeSet;

use node_protocol::{
    answer::{Answer, CountCell, HistogramGroup, MeanValue, PooledCount, PooledMean},
    cell::{Cell, Withheld},
    query::Query,
};

use super::{
    FEW_GROUPS, Sheet,
    behind::{noisy_bin, noisy_persons},
    number_of_countries,
};

impl Sheet {
    pub(super) fn counts(&mut self, query: &Query, answers: &[(&str, &Answer)]) {
        let mut rows = Vec::new();
        let (mut left_out, mut with_cases) = (Vec::new(), false);
        for (node, answer) in answers {
            let Answer::Count(answer) = answer else { continue };
            let every = self.all || answer.cells.len() <= FEW_GROUPS;
            let (shown, hidden): (Vec<_>, Vec<_>) =
                answer.cells.iter().partition(|one| every || one.persons.shown().is_some());
            if !hidden.is_empty() {
                left_out.push(format!("{node} {}", self.by_mark(&hidden)));
            }
            for (at, one) in shown.into_iter().enumerate() {
                let name = if at == 0 { (*node).to_owned() } else { String::new() };
                let mut row =
                    vec![name, self.group(query, &one.group), self.marks.cell(&one.persons, one.as_of.is_some())];
                if let Some(cases) = &one.cases {
                    with_cases = true;
                    row.push(self.marks.cell(cases, one.as_of.is_some()));
                }
                rows.push(row);
            }
        }
        let (grouping, unit) = (self.words.grouping(query), self.words.unit(&query.table));
        let head = ["node", grouping.as_str(), unit, "cases"];
        self.table(if with_cases { &head } else { &head[..3] }, &[2, 3], &rows);
        if !left_out.is_empty() {
            self.line(&format!("(groups whose number is not shown are left out: {})", left_out.join("; ")));
        }
    }

    /// How many of some groups have which mark: `7 with 0–9, 2 with (c)`.
    fn by_mark(&mut self, groups: &[&CountCell]) -> String {
        let mut marks: Vec<(String, usize)> = Vec::new();
        for one in groups {
            let mark = self.marks.cell(&one.persons, false);
            match marks.iter_mut().find(|(known, _)| *known == mark) {
                Some((_, count)) => *count += 1,
                None => marks.push((mark, 1)),
            }
        }
        marks.iter().map(|(mark, count)| format!("{count} with {mark}")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn pooled_counts(
        &mut self,
        query: &Query,
        countries: u32,
        cells: &[PooledCount],
        answers: &[(&str, &Answer)],
    ) {
        self.line(&format!("\nPooled, {}", number_of_countries(countries)));
        let mut rows = Vec::new();
        for one in cells {
            let share =
                one.share.map(|s| format!("{:.1} % ({:.1}–{:.1})", s.value * 1e2, s.lower * 1e2, s.upper * 1e2));
            rows.push(vec![
                self.group(query, &one.group),
                self.marks.sum(&one.persons, noisy_persons(answers, &one.group)),
                share.unwrap_or_default(),
            ]);
        }
        let (grouping, unit) = (self.words.grouping(query), self.words.unit(&query.table));
        let shared = rows.iter().any(|row| row.last().is_some_and(|share| !share.is_empty()));
        let head = [grouping.as_str(), unit, "share (95 % interval)"];
        self.table(if shared { &head } else { &head[..2] }, &[1, 2], &rows);
    }

    pub(super) fn histograms(&mut self, query: &Query, answers: &[(&str, &Answer)]) {
        let mut rows = Vec::new();
        for (node, answer) in answers {
            let Answer::Histogram(answer) = answer else { continue };
            let names = bin_names(&answer.lower_edges, self.words.field_unit(&query.table, &answer.field));
            let mut name = (*node).to_owned();
            for group in &answer.groups {
                for row in self.bins(query, group, &names, None) {
                    rows.push([vec![std::mem::take(&mut name)], row].concat());
                }
            }
        }
        self.histogram_table(query, &rows, true);
    }

    pub(super) fn pooled_histogram(
        &mut self,
        query: &Query,
        (field, edges): (&str, &[u16]),
        groups: &[HistogramGroup],
        answers: &[(&str, &Answer)],
    ) {
        let names = bin_names(edges, self.words.field_unit(&query.table, field));
        let mut rows = Vec::new();
        for group in groups {
            rows.extend(self.bins(query, group, &names, Some(answers)));
        }
        self.histogram_table(query, &rows, false);
    }

    fn histogram_table(&mut self, query: &Query, rows: &[Vec<String>], by_node: bool) {
        let (grouping, unit) = (self.words.grouping(query), self.words.unit(&query.table));
        let head = ["node", grouping.as_str(), "bin", unit];
        let skipped = usize::from(!by_node);
        self.table(&head[skipped..], &[3 - skipped], rows);
    }

    /// Group, bin and number of each bin; a group of which nothing is shown is one row. `behind` are the answers that a pooled group
    /// is the sum of.
    fn bins(
        &mut self,
        query: &Query,
        group: &HistogramGroup,
        names: &[String],
        behind: Option<&[(&str, &Answer)]>,
    ) -> Vec<Vec<String>> {
        let mut name = self.group(query, &group.group);
        let earlier = group.as_of.is_some();
        let cells: Vec<&Cell> = group.bins.iter().chain([&group.missing]).collect();
        let marks = cells.iter().enumerate().map(|(bin, cell)| match behind {
            Some(answers) => self.marks.sum(cell, noisy_bin(answers, &group.group, bin)),
            None => self.marks.cell(cell, earlier),
        });
        let marks: Vec<String> = marks.collect();
        if !self.all && cells.iter().all(|cell| cell.shown().is_none()) {
            let different: BTreeSet<&str> = marks.iter().map(String::as_str).collect();
            let different = different.into_iter().collect::<Vec<_>>().join(", ");
            return vec![vec![name, "every bin".to_owned(), different]];
        }
        let missing = "missing".to_owned();
        let names = names.iter().chain([&missing]);
        names.zip(marks).map(|(bin, mark)| vec![std::mem::take(&mut name), bin.clone(), mark]).collect()
    }

    pub(super) fn means(&mut self, query: &Query, answers: &[(&str, &Answer)]) {
        let mut rows = Vec::new();
        for (node, answer) in answers {
            let Answer::Mean(answer) = answer else { continue };
            let mut name = (*node).to_owned();
            for group in &answer.groups {
                let mut label = self.group(query, &group.group);
                for (field, value) in answer.fields.iter().zip(&group.values) {
                    let numbers = self.mean(value, group.as_of.is_some());
                    let field = self.words.measure(&query.table, field);
                    rows.push([vec![std::mem::take(&mut name), std::mem::take(&mut label), field], numbers].concat());
                }
            }
        }
        let (grouping, unit) = (self.words.grouping(query), self.words.unit(&query.table));
        let head = ["node", grouping.as_str(), "of", unit, "rows", "mean", "sd", "sum"];
        self.table(&head, &[3, 4, 5, 6, 7], &rows);
    }

    /// Persons, rows, mean, standard deviation and sum; those that are not there say so.
    fn mean(&mut self, value: &MeanValue, earlier: bool) -> Vec<String> {
        let noisy = !matches!((&value.persons, &value.rows), (Cell::Exact { .. }, Cell::Exact { .. }));
        let (persons, rows) = (self.marks.cell(&value.persons, earlier), self.marks.cell(&value.rows, earlier));
        let Some(sum) = value.sum else {
            let reason = value.withheld.map(|reason: Withheld| self.marks.cell(&Cell::Refused { reason }, earlier));
            let absent = reason.unwrap_or_else(|| self.marks.not_shown());
            return vec![persons, rows, absent.clone(), absent.clone(), absent];
        };
        let count = value.rows.shown().filter(|rows| *rows > 0);
        let mean = count.map(|count| sum as f64 / count as f64);
        let deviation = count.zip(value.sum_of_squares).and_then(|(count, squares)| deviation(count, sum, squares));
        let mut text = |number: Option<String>| match number {
            Some(number) => self.marks.computed(number, noisy, earlier),
            None => self.marks.not_shown(),
        };
        vec![
            persons,
            rows,
            text(mean.map(|mean| format!("{mean:.1}"))),
            text(deviation.map(|deviation| format!("{deviation:.1}"))),
            text(Some(sum.to_string())),
        ]
    }

    pub(super) fn pooled_means(&mut self, query: &Query, countries: u32, means: &[PooledMean]) {
        self.line(&format!("\nPooled, {}", number_of_countries(countries)));
        let mut rows = Vec::new();
        for one in means {
            let row = [
                self.group(query, &one.group),
                self.words.measure(&query.table, &one.field),
                one.countries.to_string(),
                self.marks.sum(&one.rows, false),
                self.pooled_number(one, one.mean.map(|mean| format!("{mean:.1}"))),
                self.pooled_number(one, one.standard_deviation.map(|sd| format!("{sd:.1}"))),
                self.pooled_number(one, one.sum.map(|sum| sum.to_string())),
            ];
            rows.push(row.to_vec());
        }
        let grouping = self.words.grouping(query);
        let head = [grouping.as_str(), "of", "countries", "rows", "mean", "sd", "sum"];
        self.table(&head, &[2, 3, 4, 5, 6], &rows);
    }

    fn pooled_number(&mut self, one: &PooledMean, number: Option<String>) -> String {
        match (number, one.withheld) {
            (Some(number), _) => self.marks.computed(number, matches!(one.rows, Cell::Perturbed { .. }), false),
            (None, Some(reason)) => self.marks.cell(&Cell::Refused { reason }, false),
            (None, None) => self.marks.not_shown(),
        }
    }
}

/// The standard deviation between rows from their number, sum and sum of squares; none for fewer than two.
fn deviation(count: u64, sum: u64, squares: f64) -> Option<f64> {
    if count < 2 {
        return None;
    }
    let (count, sum) = (count as f64, sum as f64);
    Some(((squares - sum * sum / count).max(0.0) / (count - 1.0)).sqrt())
}

/// `0 d`, `1–2 d`, ..., `1825+ d`
pub(super) fn bin_names(edges: &[u16], unit: &str) -> Vec<String> {
    let unit = match unit {
        "" => String::new(),
        "a" => " years".to_owned(),
        unit => format!(" {unit}"),
    };
    let ends = edges.iter().skip(1).map(|next| Some(next - 1)).chain([None]);
    let name = |(low, high): (&u16, Option<u16>)| match high {
        Some(high) if high == *low => format!("{low}{unit}"),
        Some(high) => format!("{low}–{high}{unit}"),
        None => format!("{low}+{unit}"),
    };
    edges.iter().zip(ends).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_named_by_their_range_and_unit() {
        assert_eq!(bin_names(&[0, 1, 3, 1825], "d"), ["0 d", "1–2 d", "3–1824 d", "1825+ d"]);
        assert_eq!(bin_names(&[0, 5], "a"), ["0–4 years", "5+ years"]);
    }

    #[test]
    fn deviations_need_two_rows() {
        assert_eq!(deviation(1, 5, 25.0), None);
        assert_eq!(deviation(2, 4, 10.0), Some(2.0_f64.sqrt()));
    }
}
