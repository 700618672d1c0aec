//! Whether an answer is one to the query: a peer may lie about its data, but not change the question for everybody.

use node_protocol::{
    answer::{Answer, GroupKey},
    problem::{Problem, ProblemKind},
    query::{MAX_CELLS, Query, Statistic},
};

/// Checks kind, endpoint, cuts and the fields of the groups.
///
/// # Errors
/// [`ProblemKind::AnswerMismatch`] with what does not fit.
pub(crate) fn check(query: &Query, answer: &Answer) -> Result<(), Problem> {
    let mismatch = |what: &str| Err(ProblemKind::AnswerMismatch.because(what));
    let groups: Vec<&GroupKey> = match (&query.statistic, answer) {
        (Statistic::Count, Answer::Count(answer)) => answer.cells.iter().map(|cell| &cell.group).collect(),
        (Statistic::Survival { endpoint, cuts_months }, Answer::Survival(answer)) => {
            if answer.endpoint != *endpoint {
                return mismatch("it is of another endpoint");
            }
            let asked = |group: &node_protocol::answer::SurvivalGroup| {
                group.cuts.is_empty() || group.cuts.iter().map(|cut| &cut.month).eq(cuts_months)
            };
            if !answer.groups.iter().all(asked) {
                return mismatch("it has other cuts than were asked for");
            }
            answer.groups.iter().map(|group| &group.group).collect()
        }
        _ => return mismatch("it is of another statistic"),
    };
    let mut fields: Vec<&String> = query.by.iter().collect();
    fields.sort_unstable();
    if groups.len() as u64 > MAX_CELLS || !groups.iter().all(|group| group.keys().eq(fields.iter().copied())) {
        return mismatch("it has other groups than were asked for");
    }
    Ok(())
}
