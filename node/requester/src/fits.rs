//! Whether an answer is one to the query: a peer may lie about its data, but not change the question for everybody.

use node_protocol::{
    answer::{Answer, GroupKey, HistogramGroup, MeanGroup},
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
        (Statistic::Histogram { field }, Answer::Histogram(answer)) => {
            let whole = |group: &HistogramGroup| group.bins.len() == answer.lower_edges.len();
            if answer.field != *field || !answer.groups.iter().all(whole) {
                return mismatch("it is of another field, or a bin is missing");
            }
            answer.groups.iter().map(|group| &group.group).collect()
        }
        (Statistic::Mean { fields }, Answer::Mean(answer)) => {
            let whole = |group: &MeanGroup| group.values.len() == fields.len();
            if answer.fields != *fields || !answer.groups.iter().all(whole) {
                return mismatch("it is of other fields");
            }
            answer.groups.iter().map(|group| &group.group).collect()
        }
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

#[cfg(test)]
mod tests {
    use node_protocol::{
        answer::{CountAnswer, CountCell},
        cell::Cell,
        release::{Release, Safeguards},
    };

    use super::*;

    #[test]
    fn another_statistic_or_other_groups_do_not_fit() {
        let release = Release::ExactAdHoc(Safeguards { persons: 5, events: 3, at_risk: 10 });
        let cell = |fields: &[&str]| CountCell {
            group: fields.iter().map(|field| ((*field).to_owned(), None)).collect(),
            persons: Cell::Exact { n: 9 },
            cases: None,
            as_of: None,
        };
        let answer = |cells: Vec<CountCell>| Answer::Count(CountAnswer { release, cells });
        let query = |by: &str, statistic: &str| {
            let json = format!(r#"{{"dictionary":"1.0","table":"cases","by":[{by}],"statistic":{statistic}}}"#);
            Query::parse(json.as_bytes()).unwrap()
        };
        let count = r#"{"kind":"count"}"#;
        let survival = r#"{"kind":"survival","endpoint":"overall","cuts_months":[12]}"#;
        let by_both = query(r#""stage","sex""#, count);
        assert!(check(&by_both, &answer(vec![cell(&["sex", "stage"])])).is_ok());
        assert!(check(&by_both, &answer(vec![cell(&["sex"])])).is_err());
        assert!(check(&by_both, &answer(vec![cell(&["sex", "stage", "protocol"])])).is_err());
        assert!(check(&query("", survival), &answer(vec![cell(&[])])).is_err());
        assert!(check(&query("", count), &answer(vec![cell(&[]); 5_001])).is_err());
    }
}
