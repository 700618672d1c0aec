//! Studies and answers for people: a table per country, the pooled table, a curve in the terminal, and what was not shown and why.

mod behind;
pub(crate) mod columns;
mod marks;
mod survival;
mod tables;
pub(crate) mod tidy;

use std::fmt::Write as _;

use node_protocol::{
    answer::{Answer, GroupKey, Pooled},
    problem::{Problem, ProblemKind},
    query::Query,
    study::{NodeState, Status, Study},
};

use self::{columns::columns, marks::Marks};
use super::words::{Words, lapse};

/// Up to so many groups, those that are not shown have a line each too.
const FEW_GROUPS: usize = 12;

/// A text that is being written, and the marks in it.
struct Sheet {
    text: String,
    words: Words,
    marks: Marks,
    /// Whether every number of an answer is listed, as a steward must see it.
    all: bool,
}

/// A study as text.
pub(crate) fn study(study: &Study) -> String {
    let mut sheet = Sheet::new(false);
    let answered = study.nodes.iter().filter(|node| node.status == Status::Answered).count();
    sheet.line(&format!(
        "Study {}  ·  {answered} of {} nodes answered  ·  {:.1} ms",
        study.study,
        study.nodes.len(),
        study.elapsed_ms
    ));
    let question = capital(&sheet.words.query(&study.query));
    sheet.line(&question);
    if let Some(project) = &study.query.project {
        sheet.line(&format!("Project {project}"));
    }
    sheet.line("");
    let answers: Vec<(&str, &Answer)> =
        study.nodes.iter().filter_map(|node| Some((node.node.as_str(), node.answer.as_ref()?))).collect();
    sheet.answers(&study.query, &answers);
    sheet.without_answer(&study.nodes);
    if let Some(pooled) = &study.pooled {
        sheet.pooled(&study.query, pooled, &answers);
    }
    if !study.notes.is_empty() {
        sheet.line("\nWhat was not shown, and why");
    }
    for note in &study.notes {
        sheet.line(&format!("  {:<14} {}", note.code, note.text));
    }
    sheet.footnotes();
    sheet.text
}

/// One answer as text, with every number in it and the footnotes of its marks.
pub(crate) fn answer(query: &Query, node: &str, answer: &Answer) -> String {
    let mut page = Page::default();
    page.answer(query, node, answer) + &page.footnotes()
}

/// Several answers, whose marks have their footnotes together.
pub(crate) struct Page(Sheet);

impl Default for Page {
    fn default() -> Self {
        Self(Sheet::new(true))
    }
}

impl Page {
    /// One answer with every number in it.
    pub(crate) fn answer(&mut self, query: &Query, node: &str, answer: &Answer) -> String {
        self.0.answers(query, &[(node, answer)]);
        if let Answer::Survival(answer) = answer {
            self.0.life_tables(query, answer);
        }
        std::mem::take(&mut self.0.text)
    }

    /// The footnotes of all marks that occurred.
    pub(crate) fn footnotes(mut self) -> String {
        self.0.footnotes();
        self.0.text
    }
}

/// Where the answer of a node stands, in words.
pub(crate) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Answered => "answered",
        Status::Refused => "refused",
        Status::Unreachable => "unreachable",
        Status::Pending => "pending",
        Status::InReview => "in review",
    }
}

/// A refusal in one line: what, why, and when asking again makes sense.
pub(crate) fn problem(problem: &Problem) -> String {
    let mut text = problem.title.clone();
    if let Some(field) = &problem.field {
        let _ = write!(text, " ({field})");
    }
    if !problem.detail.is_empty() {
        let _ = write!(text, ": {}", problem.detail);
    }
    // what waits for a steward is asked for again by the node itself
    let retry = problem.retry_after_s.filter(|_| problem.kind != ProblemKind::ReviewPending);
    if let Some(seconds) = retry {
        let _ = write!(text, "; ask again in {}", lapse(u64::from(seconds)));
    }
    text
}

/// The first letter as a capital.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |letter| letter.to_uppercase().chain(letters).collect())
}

impl Sheet {
    fn new(all: bool) -> Self {
        Self { text: String::new(), words: Words::built_in(), marks: Marks::default(), all }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn table(&mut self, head: &[&str], right: &[usize], rows: &[Vec<String>]) {
        self.text.push_str(&columns(head, right, rows));
    }

    /// The answers of several nodes to one query, in one table.
    fn answers(&mut self, query: &Query, answers: &[(&str, &Answer)]) {
        for (_, answer) in answers {
            self.marks.note(answer);
        }
        // a node answers what was asked: the kind of the first is that of all
        match answers.first().map(|(_, answer)| answer) {
            None => {}
            Some(Answer::Count(_)) => self.counts(query, answers),
            Some(Answer::Histogram(_)) => self.histograms(query, answers),
            Some(Answer::Mean(_)) => self.means(query, answers),
            Some(Answer::Survival(_)) => self.curves(query, answers),
        }
    }

    fn pooled(&mut self, query: &Query, pooled: &Pooled, answers: &[(&str, &Answer)]) {
        match pooled {
            Pooled::Count { countries, cells } => self.pooled_counts(query, *countries, cells, answers),
            Pooled::Histogram { countries, field, lower_edges, groups } => {
                self.line(&format!("\nPooled, {}", number_of_countries(*countries)));
                self.pooled_histogram(query, (field, lower_edges), groups, answers);
            }
            Pooled::Mean { countries, means } => self.pooled_means(query, *countries, means),
            Pooled::Survival { countries, groups, log_rank, .. } => {
                self.line(&format!(
                    "\nPooled, {} with a curve in at least one group (grouped Kaplan-Meier)",
                    number_of_countries(*countries)
                ));
                self.pooled_curves(query, groups, answers);
                if let Some(test) = log_rank {
                    let p = if test.p < 1e-4 { "p < 0.0001".to_owned() } else { format!("p = {:.4}", test.p) };
                    self.line(&format!(
                        "log-rank between groups: chi-squared {:.1}, {} degrees of freedom, {p}",
                        test.chi_squared, test.df
                    ));
                }
                self.plot(query, groups);
            }
        }
    }

    /// The nodes that have not answered, and why.
    fn without_answer(&mut self, nodes: &[NodeState]) {
        let silent: Vec<&NodeState> = nodes.iter().filter(|node| node.answer.is_none()).collect();
        if silent.is_empty() {
            return;
        }
        let gap = if silent.len() == nodes.len() { "" } else { "\n" };
        self.line(&format!("{gap}Without an answer"));
        for node in silent {
            let why = node.problem.as_ref().map(problem).unwrap_or_default();
            self.line(format!("  {:<6} {:<12} {why}", node.node, status_word(node.status)).trim_end());
        }
    }

    fn footnotes(&mut self) {
        let notes = self.marks.footnotes();
        if !notes.is_empty() {
            self.line("\nMarks");
        }
        let width = notes.iter().map(|(sign, _)| sign.chars().count()).max().unwrap_or(0).max(8);
        for (sign, meaning) in notes {
            self.line(&format!("  {sign:<width$} {meaning}"));
        }
    }

    fn group(&self, query: &Query, group: &GroupKey) -> String {
        self.words.group(&query.table, group)
    }
}

fn number_of_countries(countries: u32) -> String {
    if countries == 1 { "1 country".to_owned() } else { format!("{countries} countries") }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
