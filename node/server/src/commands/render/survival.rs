//! Life tables and curves.

use std::{collections::BTreeSet, fmt::Write as _};

use node_protocol::{
    answer::{Answer, Cut, GroupKey, SurvivalAnswer, SurvivalGroup},
    cell::Cell,
    query::{Query, Statistic},
};

use super::{
    Sheet,
    behind::{noisy_curve, noisy_persons},
};

/// Width and height of the plot in characters.
const PLOT: (usize, usize) = (66, 16);
/// The most cuts that fit a line.
const MOST_CUTS: usize = 6;

impl Sheet {
    pub(super) fn curves(&mut self, query: &Query, answers: &[(&str, &Answer)]) {
        let shown = shown_cuts(query);
        let curves: Vec<(&str, &SurvivalAnswer)> = answers
            .iter()
            .filter_map(|(node, answer)| match answer {
                Answer::Survival(answer) => Some((*node, answer)),
                _ => None,
            })
            .collect();
        // groups that no country may show would only be rows of bands
        let visible = |group: &GroupKey| {
            let mut groups = curves.iter().flat_map(|(_, answer)| &answer.groups);
            groups.any(|one| one.group == *group && one.persons.shown().is_some())
        };
        let mut rows = Vec::new();
        let mut left_out: Vec<&SurvivalGroup> = Vec::new();
        for (node, answer) in &curves {
            let (groups, hidden): (Vec<_>, Vec<_>) =
                answer.groups.iter().partition(|one| self.all || visible(&one.group));
            left_out.extend(hidden);
            if !self.all && groups.iter().all(|group| group.persons.shown().is_none()) {
                let here = if groups.is_empty() { answer.groups.iter().collect() } else { groups };
                rows.push(self.no_group((*node).to_owned(), &here, &shown));
                continue;
            }
            let noisy = !answer.release.is_exact();
            for (at, group) in groups.into_iter().enumerate() {
                let name = if at == 0 { *node } else { "" };
                let persons = self.marks.cell(&group.persons, group.as_of.is_some());
                let cuts = self.cuts(group, &shown, &|_| noisy);
                rows.push([vec![name.to_owned(), self.group(query, &group.group), persons], cuts].concat());
            }
        }
        self.curve_table(query, &shown, &rows, true);
        self.left_out(&left_out, None);
    }

    pub(super) fn pooled_curves(&mut self, query: &Query, groups: &[SurvivalGroup], answers: &[(&str, &Answer)]) {
        let shown = shown_cuts(query);
        let has_number = |group: &&SurvivalGroup| {
            group.persons.shown().is_some() || group.cuts.iter().any(|cut| cut.survival.is_some())
        };
        let (visible, left_out): (Vec<_>, Vec<_>) = groups.iter().partition(has_number);
        let mut rows = Vec::new();
        for group in visible {
            let persons = self.marks.sum(&group.persons, noisy_persons(answers, &group.group));
            let cuts = self.cuts(group, &shown, &|month| noisy_curve(answers, &group.group, month));
            rows.push([vec![self.group(query, &group.group), persons], cuts].concat());
        }
        self.curve_table(query, &shown, &rows, false);
        self.left_out(&left_out, Some(answers));
    }

    /// One row for all groups of a country that shows none.
    fn no_group(&mut self, node: String, groups: &[&SurvivalGroup], shown: &[u16]) -> Vec<String> {
        let persons = self.marks_of(groups, None);
        let mut row = vec![node, "every group".to_owned(), persons];
        row.extend(shown.iter().map(|_| self.marks.not_shown()));
        row
    }

    /// The different marks of the persons of some groups; `behind` are the answers that pooled ones are the sums of.
    fn marks_of(&mut self, groups: &[&SurvivalGroup], behind: Option<&[(&str, &Answer)]>) -> String {
        let mut marks: Vec<String> = Vec::new();
        for group in groups {
            let mark = match behind {
                Some(answers) => self.marks.sum(&group.persons, noisy_persons(answers, &group.group)),
                None => self.marks.cell(&group.persons, false),
            };
            if !marks.contains(&mark) {
                marks.push(mark);
            }
        }
        marks.join(", ")
    }

    /// Says how many groups have no row, and how their numbers are hidden.
    fn left_out(&mut self, groups: &[&SurvivalGroup], behind: Option<&[(&str, &Answer)]>) {
        let keys: BTreeSet<&GroupKey> = groups.iter().map(|group| &group.group).collect();
        if keys.is_empty() {
            return;
        }
        let (s, are) = if keys.len() == 1 { ("", "is") } else { ("s", "are") };
        let marks = self.marks_of(groups, behind);
        self.line(&format!("({} group{s} that no country may show {are} left out: {marks})", keys.len()));
    }

    fn curve_table(&mut self, query: &Query, shown: &[u16], rows: &[Vec<String>], by_node: bool) {
        let (grouping, unit) = (self.words.grouping(query), self.words.unit(&query.table));
        let cuts: Vec<String> = shown.iter().map(|cut| format!("{cut} mo, %")).collect();
        let mut head = vec!["node", grouping.as_str(), unit];
        head.extend(cuts.iter().map(String::as_str));
        let skipped = usize::from(!by_node);
        let right: Vec<usize> = (2 - skipped..head.len() - skipped).collect();
        self.table(&head[skipped..], &right, rows);
        self.line("(percent without the event at the month; 95 % interval)");
    }

    /// The cuts of a group; `noisy` says whether noise is in a month's number.
    fn cuts(&mut self, group: &SurvivalGroup, shown: &[u16], noisy: &dyn Fn(u16) -> bool) -> Vec<String> {
        let earlier = group.as_of.is_some();
        let cut = |month: &u16| match group.cuts.iter().find(|cut| cut.month == *month) {
            Some(cut) => self.percent(cut, noisy(*month), earlier),
            None => self.no_curve(&group.persons),
        };
        shown.iter().map(cut).collect()
    }

    /// In place of a curve that is absent since its persons are not shown.
    fn no_curve(&mut self, persons: &Cell) -> String {
        match persons {
            Cell::Refused { .. } => self.marks.cell(persons, false),
            // nobody is no curve, and nothing is hidden
            Cell::Exact { n: 0 } => String::new(),
            _ => self.marks.not_shown(),
        }
    }

    fn percent(&mut self, cut: &Cut, noisy: bool, earlier: bool) -> String {
        let number = match (cut.survival, cut.lower, cut.upper) {
            (Some(survival), Some(lower), Some(upper)) => {
                format!("{:.1} ({:.1}–{:.1})", survival * 100.0, lower * 100.0, upper * 100.0)
            }
            (Some(survival), ..) => format!("{:.1}", survival * 100.0),
            // a number of events would be read as a percentage
            (None, ..) if cut.events.shown().is_some() => return self.marks.not_shown(),
            (None, ..) => return self.marks.cell(&cut.events, false),
        };
        self.marks.computed(number, noisy, earlier)
    }

    /// Every number of the life tables: what leaves, beside the curve.
    pub(super) fn life_tables(&mut self, query: &Query, answer: &SurvivalAnswer) {
        let noisy = !answer.release.is_exact();
        for group in answer.groups.iter().filter(|group| !group.cuts.is_empty()) {
            let earlier = group.as_of.is_some();
            let name = self.group(query, &group.group);
            let missing = self.marks.cell(&group.missing, earlier);
            self.line(&format!("\nLife table of {name} (without the dates that it needs: {missing})"));
            let mut rows = Vec::new();
            for cut in &group.cuts {
                rows.push(vec![
                    cut.month.to_string(),
                    self.marks.cell(&cut.at_risk, earlier),
                    self.marks.cell(&cut.events, earlier),
                    self.marks.cell(&cut.withdrawn, earlier),
                    self.percent(cut, noisy, earlier),
                ]);
            }
            self.table(&["month", "at risk", "events", "withdrawn", "survival, %"], &[0, 1, 2, 3, 4], &rows);
            if group.boundaries.is_empty() {
                continue;
            }
            self.line("and at every month at which it may be shown, whatever was asked; those with no event and nobody withdrawn");
            self.line("are not listed:");
            let mut rows = Vec::new();
            let happened = |(_, events, withdrawn, _): &(u16, u64, u64, f64)| *events > 0 || *withdrawn > 0;
            for (month, events, withdrawn, survival) in group.boundaries.rows().filter(happened) {
                rows.push(vec![
                    month.to_string(),
                    self.marks.computed(events.to_string(), noisy, earlier),
                    self.marks.computed(withdrawn.to_string(), noisy, earlier),
                    self.marks.computed(format!("{:.1}", survival * 100.0), noisy, earlier),
                ]);
            }
            self.table(&["month", "events", "withdrawn", "survival, %"], &[0, 1, 2, 3], &rows);
        }
    }

    /// The pooled curves as steps; each group is drawn with a character of its own.
    pub(super) fn plot(&mut self, query: &Query, groups: &[SurvivalGroup]) {
        let (width, height) = PLOT;
        let points = |group: &SurvivalGroup| -> Vec<(u16, f64)> {
            group.cuts.iter().filter_map(|cut| Some((cut.month, cut.survival?))).collect()
        };
        let groups: Vec<&SurvivalGroup> = groups.iter().filter(|group| !points(group).is_empty()).collect();
        let all: Vec<(u16, f64)> = groups.iter().copied().flat_map(points).collect();
        let Some(last) = all.iter().map(|(month, _)| *month).max() else { return };
        let least = all.iter().map(|(_, survival)| *survival).fold(1.0, f64::min);
        let floor = (least * 10.0 - 0.5).floor().max(0.0) / 10.0;
        let mut canvas = vec![vec![' '; width]; height + 1];
        let marks = curve_marks(&groups);
        for (group, mark) in groups.iter().zip(&marks) {
            let points = points(group);
            let (end, _) = points[points.len() - 1];
            for (column, place) in (0_u16..).zip(0..width) {
                let month = f64::from(last) * f64::from(column) / (width - 1) as f64;
                if month > f64::from(end) {
                    break;
                }
                let before = points.iter().take_while(|(cut, _)| f64::from(*cut) <= month + 1e-9).last();
                let survival = before.map_or(1.0, |point| point.1);
                let line = ((1.0 - survival) / (1.0 - floor) * height as f64).round();
                // within the canvas, since floor <= survival <= 1
                if let Some(spot) = canvas.get_mut(line as usize).and_then(|row| row.get_mut(place)) {
                    *spot = *mark;
                }
            }
        }
        let key: Vec<String> = groups
            .iter()
            .zip(&marks)
            .map(|(group, mark)| format!("{mark} {}", self.group(query, &group.group)))
            .collect();
        let text = &mut self.text;
        text.push('\n');
        // writing to a String cannot fail
        for (line, row) in canvas.iter().enumerate() {
            let level = 1.0 - (1.0 - floor) * line as f64 / height as f64;
            let label = if line % 4 == 0 { format!("{:>4.0} %", level * 100.0) } else { String::new() };
            let _ = writeln!(text, "{label:>7} │{}", row.iter().collect::<String>().trim_end());
        }
        let _ = writeln!(text, "        └{}", "─".repeat(width));
        let _ = writeln!(text, "         0{:>width$}", format!("{last} months"), width = width - 1);
        if groups.len() > 1 {
            let _ = writeln!(text, "         {}", key.join("   "));
        }
    }
}

/// The cuts that fit a line, the last among them.
fn shown_cuts(query: &Query) -> Vec<u16> {
    let Statistic::Survival { cuts_months, .. } = &query.statistic else { return Vec::new() };
    let step = cuts_months.len().div_ceil(MOST_CUTS).max(1);
    cuts_months.iter().copied().rev().step_by(step).collect::<Vec<_>>().into_iter().rev().collect()
}

fn codes(group: &SurvivalGroup) -> String {
    group.group.values().map(|code| code.as_deref().unwrap_or("(missing)")).collect::<Vec<_>>().join(" / ")
}

/// The last character of each group's codes, or letters where two would have the same.
fn curve_marks(groups: &[&SurvivalGroup]) -> Vec<char> {
    let natural: Vec<char> = groups.iter().map(|group| codes(group).chars().last().unwrap_or('*')).collect();
    let twice = natural.iter().enumerate().any(|(at, mark)| natural[..at].contains(mark));
    if twice { ('a'..='z').cycle().take(groups.len()).collect() } else { natural }
}
