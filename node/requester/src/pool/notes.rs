//! Remarks that a reader of a study needs: what is missing, what is hidden and why, what carries noise.

use node_protocol::{
    answer::{Answer, Pooled},
    cell::{Cell, Withheld},
    release::Release,
    study::{NodeState, Note, Status},
};

/// The remarks on the answers that are here and on what they pool to.
pub(crate) fn of(nodes: &[NodeState], pooled: Option<&Pooled>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut say = |code: &str, text: String| notes.push(Note { code: code.to_owned(), text });
    states(nodes, &mut say);
    let answers: Vec<(&NodeState, &Answer)> =
        nodes.iter().filter_map(|node| Some((node, node.answer.as_ref()?))).collect();
    let with = |test: &dyn Fn(&Answer) -> bool| {
        let names = answers.iter().filter(|(_, answer)| test(answer)).map(|(node, _)| node.node.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    for (code, words, names) in [
        (
            "banded",
            "Groups of fewer persons than the node's threshold are shown as a band, zero and small alike; where numbers carry \
             noise, so are some a little larger",
            with(&|answer| answer.cells().iter().any(|cell| matches!(cell, Cell::Banded { .. }))),
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
            "as_of",
            "Groups that have changed by fewer persons than the threshold since an earlier snapshot keep its numbers (marked \
             as_of)",
            with(&Answer::keeps_earlier),
        ),
    ] {
        if !names.is_empty() {
            say(code, format!("{words}: {names}."));
        }
    }
    for (node, answer) in &answers {
        match answer.release() {
            Release::Perturbed { noise, .. } => {
                let (sd, bound) = (noise.standard_deviation, noise.bound);
                let text = format!(
                    "Numbers of {} carry noise: standard deviation {sd:.1}, never more than {bound}; the same set of persons \
                     always has the same noise.",
                    node.node
                );
                say("perturbed", text);
            }
            Release::DifferentiallyPrivate { private } => {
                let (sd, error) = (private.standard_deviation, private.error_95);
                let text = format!(
                    "Numbers of {} are differentially private: standard deviation {sd:.1}, 95 % within {error:.0}; the answer \
                     cost rho = {}.",
                    node.node, private.rho
                );
                say("private", text);
            }
            Release::Catalogue(_) | Release::ExactAdHoc(_) => {}
        }
    }
    if matches!(pooled, Some(Pooled::Survival { groups, .. }) if groups.iter().flat_map(|group| &group.cuts).any(|cut| cut.merged))
    {
        say(
            "pooled_merged",
            "At some pooled cuts a country's interval is wider: there the estimate takes its hazard as constant inside, and no \
             counts are given."
                .to_owned(),
        );
    }
    notes
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
    for (status, code, words) in [
        (Status::Refused, "refused", "refused the query"),
        (Status::Unreachable, "unreachable", "could not be reached and will be asked again until the deadline"),
        (Status::Pending, "pending", "have not answered yet"),
        (Status::InReview, "in_review", "have an answer that waits for a steward there; it is fetched when released"),
    ] {
        let names = with(status).iter().map(|node| node.node.as_str()).collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            say(code, format!("{names} {words}."));
        }
    }
}

fn hides(answer: &Answer, reason: Withheld) -> bool {
    answer.cells().contains(&Cell::Refused { reason })
}
