//! Remarks that a reader of a study needs: what is missing, what is hidden and why, what carries noise.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{Answer, Pooled, SurvivalGroup},
    cell::{Cell, Withheld},
    release::Release,
    study::{NodeState, Note, Status},
};

use super::behind::{self, Answered};

/// The remarks on the answers that are here and on what they pool to.
pub(crate) fn of(nodes: &[NodeState], pooled: Option<&Pooled>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut say = |code: &str, text: String| notes.push(Note { code: code.to_owned(), text });
    states(nodes, &mut say);
    let answers: Vec<Answered<'_>> =
        nodes.iter().filter_map(|node| Some((node.node.as_str(), node.answer.as_ref()?))).collect();
    hidden(&answers, &mut say);
    noise(&answers, &mut say);
    if let Some(pooled) = pooled {
        of_pooled(&answers, pooled, &mut say);
    }
    notes
}

/// What the answers do not show, and why.
fn hidden(answers: &[Answered<'_>], say: &mut dyn FnMut(&str, String)) {
    let with = |test: &dyn Fn(&Answer) -> bool| {
        let names = answers.iter().filter(|(_, answer)| test(answer)).map(|(node, _)| *node);
        names.collect::<Vec<_>>().join(", ")
    };
    for (code, words, names) in [
        (
            "banded",
            "Groups of fewer than the node's threshold are shown as a band, zero and small alike",
            with(&|answer| has_band(answer) && answer.release().is_exact()),
        ),
        (
            "banded",
            "Groups of fewer than the node's threshold are shown as a band, zero and small alike; so are some a little larger, \
             since the numbers carry noise",
            with(&|answer| has_band(answer) && !answer.release().is_exact()),
        ),
        (
            "complementary",
            "Some numbers are hidden although they are large enough, since with the others they would tell a smaller one",
            with(&|answer| hides(answer, Withheld::Complementary)),
        ),
        (
            "unspecified",
            "Some numbers are hidden for being small or since with the others they would tell a smaller one; which of the two is not \
             said",
            with(&|answer| hides(answer, Withheld::Unspecified)),
        ),
        (
            "dominance",
            "Some sums are hidden, since one or two of those counted make up most of them",
            with(&|answer| hides(answer, Withheld::Dominance)),
        ),
        (
            "merged",
            "A cut is not shown since too few events lie on one of its sides; the next cut shown covers it",
            with(&|answer| hides(answer, Withheld::Merged)),
        ),
        (
            "tail_cut",
            "Curves end before the last cut, since too few were at risk or too few events followed",
            with(&|answer| hides(answer, Withheld::TailCut)),
        ),
        (
            "one_day",
            "A number at risk is hidden where it would tell how many ended on one single day",
            with(&|answer| hides(answer, Withheld::OneDay)),
        ),
        (
            "as_of",
            "Groups that have changed by fewer than the threshold since an earlier snapshot keep its numbers (marked as_of)",
            with(&Answer::keeps_earlier),
        ),
    ] {
        if !names.is_empty() {
            say(code, format!("{words}: {names}."));
        }
    }
}

/// How much noise the answers carry; those with the same together.
fn noise(answers: &[Answered<'_>], say: &mut dyn FnMut(&str, String)) {
    let mut told: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for (node, answer) in answers.iter().filter(|(_, answer)| carries_noise(answer)) {
        let (code, words) = match answer.release() {
            Release::Perturbed { noise, .. } => {
                let (sd, bound) = (noise.standard_deviation, noise.bound);
                let words = format!(
                    "carry noise: standard deviation {sd:.1}, never more than {bound}; the same set always has the same noise"
                );
                ("perturbed", words)
            }
            Release::DifferentiallyPrivate { private } => {
                let (sd, error) = (private.standard_deviation, private.error_95);
                let words = format!(
                    "are differentially private: standard deviation {sd:.1}, 95 % within {error:.0}; the answer cost rho = {}",
                    private.rho
                );
                ("private", words)
            }
            Release::Catalogue(_) | Release::ExactAdHoc(_) => continue,
        };
        told.entry((code, words)).or_default().push(node);
    }
    for ((code, words), nodes) in told {
        say(code, format!("Numbers of {} {words}.", nodes.join(", ")));
    }
}

/// What a reader must know of the pooled figures.
fn of_pooled(answers: &[Answered<'_>], pooled: &Pooled, say: &mut dyn FnMut(&str, String)) {
    let merged = |groups: &[SurvivalGroup]| groups.iter().flat_map(|group| &group.cuts).any(|cut| cut.merged);
    if matches!(pooled, Pooled::Survival { groups, .. } if merged(groups)) {
        say(
            "pooled_merged",
            "At some pooled cuts a country's interval is wider: there the estimate takes its hazard as constant inside, and no \
             counts are given."
                .to_owned(),
        );
    }
    let sums = !matches!(pooled, Pooled::Mean { .. });
    if sums && answers.iter().any(|(_, answer)| has_band(answer)) {
        let noise = if answers.iter().any(|(_, answer)| carries_noise(answer)) {
            "; where noise is in it, the true sum may lie outside"
        } else {
            ""
        };
        say(
            "pooled_band",
            format!("A sum with a country's band in it is a band too, of the least and the greatest sum{noise}."),
        );
    }
    for text in behind::of(answers, pooled) {
        say("countries", text);
    }
}

fn states(nodes: &[NodeState], say: &mut dyn FnMut(&str, String)) {
    let with = |status: Status| nodes.iter().filter(move |node| node.status == status).collect::<Vec<_>>();
    let answered = with(Status::Answered).len();
    if answered == 0 {
        say("partial", "No node has answered, so there is no pooled estimate.".to_owned());
    } else if answered < nodes.len() {
        let all = nodes.len();
        say("partial", format!("{answered} of {all} nodes have answered; the pooled estimate is of these alone."));
    }
    for (status, code, one, many) in [
        (Status::Refused, "refused", "refused the query", "refused the query"),
        (
            Status::Unreachable,
            "unreachable",
            "could not be reached and will be asked again until the deadline",
            "could not be reached and will be asked again until the deadline",
        ),
        (Status::Pending, "pending", "has not answered yet", "have not answered yet"),
        (
            Status::InReview,
            "in_review",
            "has an answer that waits for a steward there; it is fetched when released",
            "have answers that wait for a steward there; they are fetched when released",
        ),
    ] {
        let names: Vec<&str> = with(status).iter().map(|node| node.node.as_str()).collect();
        match names.as_slice() {
            [] => {}
            [name] => say(code, format!("{name} {one}.")),
            names => say(code, format!("{} {many}.", names.join(", "))),
        }
    }
}

fn has_band(answer: &Answer) -> bool {
    answer.cells().iter().any(|cell| matches!(cell, Cell::Banded { .. }))
}

fn carries_noise(answer: &Answer) -> bool {
    answer.cells().iter().any(|cell| matches!(cell, Cell::Perturbed { .. }))
}

fn hides(answer: &Answer, reason: Withheld) -> bool {
    answer.cells().contains(&Cell::Refused { reason })
}
