//! A study for people: a table per country, the pooled table, a curve in the terminal, and what was not shown and why.

use std::fmt::Write as _;

use node_protocol::{
    answer::{Answer, Cut, GroupKey, Pooled, SurvivalGroup},
    cell::{Cell, Withheld},
    query::Statistic,
    study::{NodeState, Status, Study},
};

/// Width and height of the plot in characters.
const PLOT: (usize, usize) = (66, 16);

/// A number with its state: suppressed is never mistaken for zero.
pub(crate) fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Exact { n } => n.to_string(),
        Cell::Banded { low, high } => format!("{low}–{high}"),
        Cell::Refused { reason: Withheld::Merged } => "merged".to_owned(),
        Cell::Refused { reason: Withheld::OneDay } => "one day".to_owned(),
        Cell::Refused { reason: Withheld::TailCut } => "cut".to_owned(),
    }
}

/// A study as text.
pub(crate) fn study(study: &Study) -> String {
    let mut text = String::new();
    let answered = study.nodes.iter().filter(|node| node.status == Status::Answered).count();
    // writing to a String cannot fail
    let _ = writeln!(
        text,
        "Study {}  ·  {answered} of {} nodes answered  ·  {:.1} ms",
        study.study,
        study.nodes.len(),
        study.elapsed_ms
    );
    let by = if study.query.by.is_empty() { "all".to_owned() } else { study.query.by.join(", ") };
    match &study.query.statistic {
        Statistic::Count => {
            let _ = writeln!(text, "Persons by {by}\n");
            counts(&mut text, study);
        }
        Statistic::Survival { endpoint, cuts_months } => {
            let words = endpoint.replace('_', "-");
            let _ =
                writeln!(text, "{words} survival by {by}, percent alive without the event at month; 95 % interval\n");
            survival(&mut text, study, cuts_months);
        }
    }
    if !study.notes.is_empty() {
        text.push_str("\nWhat was not shown, and why\n");
    }
    for note in &study.notes {
        let _ = writeln!(text, "  {:<14} {}", note.code, note.text);
    }
    text
}

fn group_name(group: &GroupKey) -> String {
    if group.is_empty() {
        return "all".to_owned();
    }
    group.values().map(|value| value.as_deref().unwrap_or("(missing)")).collect::<Vec<_>>().join(" / ")
}

fn status_word(node: &NodeState) -> String {
    let word = match node.status {
        Status::Answered => "answered",
        Status::Refused => "refused",
        Status::Unreachable => "unreachable",
        Status::Pending => "pending",
    };
    match &node.problem {
        Some(problem) => format!("{word}: {}; {}", problem.title, problem.detail),
        None => word.to_owned(),
    }
}

fn counts(text: &mut String, study: &Study) {
    let _ = writeln!(text, "{:<6} {:<20} {:>10}", "node", "group", "persons");
    for node in &study.nodes {
        match &node.answer {
            Some(Answer::Count(answer)) => {
                let shown = answer.cells.iter().filter(|one| answer.cells.len() <= 12 || one.persons.exact().is_some());
                for (at, one) in shown.enumerate() {
                    let name = if at == 0 { node.node.as_str() } else { "" };
                    let _ = writeln!(text, "{name:<6} {:<20} {:>10}", group_name(&one.group), cell(&one.persons));
                }
            }
            _ => {
                let _ = writeln!(text, "{:<6} {}", node.node, status_word(node));
            }
        }
    }
    if let Some(Pooled::Count { countries, cells }) = &study.pooled {
        let _ = writeln!(text, "\nPooled, {countries} countries");
        for one in cells {
            let share =
                one.share.map(|s| format!("  {:5.1} % ({:.1}–{:.1})", s.value * 1e2, s.lower * 1e2, s.upper * 1e2));
            let _ = writeln!(
                text,
                "{:<6} {:<20} {:>10}{}",
                "",
                group_name(&one.group),
                cell(&one.persons),
                share.unwrap_or_default()
            );
        }
    }
}

fn survival(text: &mut String, study: &Study, cuts: &[u16]) {
    // many cuts do not fit a line: show at most six, the last among them
    let step = cuts.len().div_ceil(6).max(1);
    let shown: Vec<u16> = cuts.iter().copied().rev().step_by(step).collect::<Vec<_>>().into_iter().rev().collect();
    let header: String = shown.iter().map(|cut| format!("{:>19}", format!("{cut} mo"))).collect();
    let _ = writeln!(text, "{:<6} {:<14} {:>8}{header}", "node", "group", "persons");
    // groups that no country may show would only be rows of bands
    let mut left_out = 0;
    let visible = |group: &GroupKey| {
        study.nodes.iter().any(|node| match &node.answer {
            Some(Answer::Survival(answer)) => {
                answer.groups.iter().any(|one| one.group == *group && one.persons.exact().is_some())
            }
            _ => false,
        })
    };
    for node in &study.nodes {
        match &node.answer {
            Some(Answer::Survival(answer)) => {
                let groups: Vec<&SurvivalGroup> = answer.groups.iter().filter(|one| visible(&one.group)).collect();
                left_out = answer.groups.len() - groups.len();
                if groups.iter().all(|group| group.persons.exact().is_none()) {
                    let band = groups.first().or(answer.groups.first().as_ref()).map(|group| cell(&group.persons));
                    let _ = writeln!(
                        text,
                        "{:<6} {:<14} {:>8}   nothing but a band",
                        node.node,
                        "every group",
                        band.unwrap_or_default()
                    );
                    continue;
                }
                for (at, group) in groups.into_iter().enumerate() {
                    row(text, if at == 0 { node.node.as_str() } else { "" }, group, &shown);
                }
            }
            _ => {
                let _ = writeln!(text, "{:<6} {}", node.node, status_word(node));
            }
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "({left_out} groups that no country may show are left out)");
    }
    if let Some(Pooled::Survival { countries, groups, log_rank, .. }) = &study.pooled {
        let _ = writeln!(text, "\nPooled, {countries} countries with a curve (grouped Kaplan-Meier)");
        for group in groups {
            row(text, "", group, &shown);
        }
        if let Some(test) = log_rank {
            let p = if test.p < 1e-4 { "p < 0.0001".to_owned() } else { format!("p = {:.4}", test.p) };
            let _ = writeln!(
                text,
                "log-rank between groups: chi-squared {:.1}, {} degrees of freedom, {p}",
                test.chi_squared, test.df
            );
        }
        plot(text, groups);
    }
}

fn row(text: &mut String, node: &str, group: &SurvivalGroup, shown: &[u16]) {
    let _ = write!(text, "{node:<6} {:<14} {:>8}", group_name(&group.group), cell(&group.persons));
    for month in shown {
        let cut = group.cuts.iter().find(|cut| cut.month == *month);
        let _ = write!(text, "{:>19}", cut.map(percent).unwrap_or_default());
    }
    text.push('\n');
}

fn percent(cut: &Cut) -> String {
    match (cut.survival, cut.lower, cut.upper) {
        (Some(survival), Some(lower), Some(upper)) => {
            format!("{:.1} ({:.1}–{:.1})", survival * 100.0, lower * 100.0, upper * 100.0)
        }
        (Some(survival), ..) => format!("{:.1}", survival * 100.0),
        (None, ..) => cell(&cut.events),
    }
}

/// The pooled curves as steps; each group is drawn with the last character of its name.
fn plot(text: &mut String, groups: &[SurvivalGroup]) {
    let (width, height) = PLOT;
    let points = |group: &SurvivalGroup| -> Vec<(u16, f64)> {
        group.cuts.iter().filter_map(|cut| Some((cut.month, cut.survival?))).collect()
    };
    let all: Vec<(u16, f64)> = groups.iter().flat_map(points).collect();
    let Some(last) = all.iter().map(|(month, _)| *month).max() else { return };
    let least = all.iter().map(|(_, survival)| *survival).fold(1.0, f64::min);
    let floor = (least * 10.0 - 0.5).floor().max(0.0) / 10.0;
    let mut canvas = vec![vec![' '; width]; height + 1];
    for group in groups {
        let points = points(group);
        if points.is_empty() {
            continue;
        }
        let mark = group_name(&group.group).chars().last().unwrap_or('*');
        let (end, _) = points[points.len() - 1];
        for (column, place) in (0_u16..).zip(0..width) {
            let month = f64::from(last) * f64::from(column) / (width - 1) as f64;
            if month > f64::from(end) {
                break;
            }
            let survival = points
                .iter()
                .take_while(|(cut, _)| f64::from(*cut) <= month + 1e-9)
                .last()
                .map_or(1.0, |point| point.1);
            let line = ((1.0 - survival) / (1.0 - floor) * height as f64).round();
            // within the canvas, since floor <= survival <= 1
            if let Some(spot) = canvas.get_mut(line as usize).and_then(|row| row.get_mut(place)) {
                *spot = mark;
            }
        }
    }
    text.push('\n');
    for (line, row) in canvas.iter().enumerate() {
        let level = 1.0 - (1.0 - floor) * line as f64 / height as f64;
        let label = if line % 4 == 0 { format!("{:>4.0} %", level * 100.0) } else { String::new() };
        let _ = writeln!(text, "{label:>7} │{}", row.iter().collect::<String>().trim_end());
    }
    let _ = writeln!(text, "        └{}", "─".repeat(width));
    let _ = writeln!(text, "         0{:>width$}", format!("{last} months"), width = width - 1);
}
