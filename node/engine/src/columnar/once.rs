//! Each person counted once in the whole answer, with values cut off: what a differentially private release needs, since noise can
//! only be drawn for a bounded contribution.

use node_disclosure::confidential::Confidential;
use node_policy::permit::Permitted;
use node_protocol::{answer::GroupKey, query::Query};
use node_snapshot::{columns::MISSING_NUMBER, shelf::Snapshot};
use node_statistics::frequency::{Contribution, FrequencyTable, GroupTotal, Sum};

use super::{Measures, Plan, Rows, TabulateError, columns_of, runs};

/// As [`super::tabulate`], but of several rows of a person only the first that passes the filter counts, and each measured value is
/// at most that of `greatest` in the same place.
///
/// # Errors
/// Where the snapshot lacks a column that the dictionary promises.
///
/// # Privacy
/// The table may tell single patients apart; only disclosure control opens it.
pub fn tabulate_once(
    snapshot: &Snapshot,
    permitted: &Permitted<Query>,
    greatest: &[u16],
) -> Result<(Vec<GroupKey>, Confidential<FrequencyTable>), TabulateError> {
    let plan = Plan::of(permitted, columns_of(snapshot, permitted)?, Measures::default())?;
    let table = count(&plan, greatest);
    Ok((plan.grouping.keys(), Confidential::seal(table, permitted.conditions())))
}

fn count(plan: &Plan<'_>, greatest: &[u16]) -> FrequencyTable {
    let mut groups = vec![GroupTotal::default(); plan.grouping.groups()];
    let mut sums = vec![Sum::default(); groups.len() * plan.fields.len()];
    let mut several = runs(plan.columns).peekable();
    let mut counted_up_to = 0; // rows before this one belong to a person who was counted
    let mut scratch = Rows::default();
    for block in plan.blocks() {
        for (row, group) in scratch.read(plan, block) {
            if row < counted_up_to {
                continue;
            }
            while several.next_if(|rows| rows.end <= row).is_some() {}
            if let Some(rows) = several.peek().filter(|rows| rows.contains(&row)) {
                counted_up_to = rows.end;
            }
            groups[group].rows += 1;
            groups[group].persons += 1;
            for (at, field) in plan.fields.iter().enumerate().filter(|(_, field)| field[row] != MISSING_NUMBER) {
                let mut person = Contribution::default();
                person.add(field[row].min(greatest.get(at).copied().unwrap_or(0)));
                sums[group * plan.fields.len() + at].add(&person, 0);
            }
        }
    }
    FrequencyTable { groups, times: Vec::new(), sums }
}
