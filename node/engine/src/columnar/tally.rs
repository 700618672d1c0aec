//! The counters of one run over a table.

use node_statistics::frequency::{FrequencyTable, GroupTotal};

use super::{
    NO_GROUP, Plan,
    sums::Sums,
    times::{Ended, Times},
};

/// Up to this many groups, one compare pass per group beats scattered counting.
const COMPARE_PASSES: usize = 8;

/// The counters of one run.
pub(super) struct Tally<'p, 'c> {
    plan: &'p Plan<'c>,
    totals: Vec<GroupTotal>,
    /// Rows per group: as many counters as groups and one for the rows that are not counted.
    rows: Vec<u64>,
    /// Key sums in the same order; empty unless keys were asked for.
    keys: Vec<u64>,
    pub(super) times: Times,
    sums: Option<Sums<'p, 'c>>,
}

impl<'p, 'c> Tally<'p, 'c> {
    pub(super) fn new(plan: &'p Plan<'c>) -> Self {
        let groups = plan.grouping.groups();
        let keys = if plan.record_keys.is_some() { groups + 1 } else { 0 };
        Self {
            plan,
            totals: vec![GroupTotal::default(); groups],
            rows: vec![0; groups + 1],
            keys: vec![0; keys],
            times: Times::for_plan(plan),
            sums: (!plan.fields.is_empty()).then(|| Sums::new(plan)),
        }
    }

    /// Whether only rows and persons are counted.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.times, Times::None) && self.plan.record_keys.is_none() && self.sums.is_none()
    }

    /// Counts rows whose group is one byte: few groups by one vector sum each, more by scattered counters.
    pub(super) fn count_bytes(&mut self, bytes: &mut [u8], mask: &[u8]) {
        for (group, pass) in bytes.iter_mut().zip(mask) {
            *group |= pass.wrapping_sub(1); // NO_GROUP where the row does not pass
        }
        let groups = self.totals.len();
        if groups <= COMPARE_PASSES {
            for (group, rows) in (0_u8..).zip(&mut self.rows[..groups]) {
                // a byte counter cannot overflow in 255 rows
                let ones = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == group)).sum::<u8>();
                *rows += bytes.chunks(255).map(|part| u64::from(ones(part))).sum::<u64>();
            }
            return;
        }
        // eight rows at a time, most of which a filter leaves out together; two tables, so that equal neighbours do not wait
        let (even, odd) = (&mut [0_u32; 256], &mut [0_u32; 256]);
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            if eight == [NO_GROUP; 8] {
                continue;
            }
            for pair in eight.chunks_exact(2) {
                even[usize::from(pair[0])] += 1;
                odd[usize::from(pair[1])] += 1;
            }
        }
        for group in eights.remainder() {
            even[usize::from(*group)] += 1;
        }
        for (rows, (even, odd)) in self.rows[..groups].iter_mut().zip(even.iter().zip(odd.iter())) {
            *rows += u64::from(*even) + u64::from(*odd);
        }
    }

    /// Counts rows by their group; sums, times and keys too where they are asked for.
    pub(super) fn count(&mut self, start: usize, groups: &mut [u32], mask: &[u8]) {
        let plan = self.plan;
        if let Some(sums) = &mut self.sums {
            sums.add(start, groups, mask);
        }
        // rows that do not pass belong to one group more
        let none = u32::try_from(self.totals.len()).unwrap_or(u32::MAX);
        for (group, pass) in groups.iter_mut().zip(mask) {
            *group = if *pass == 1 { *group } else { none };
        }
        let end = start + groups.len();
        let keys = plan.record_keys.map(|keys| &keys[start..end]);
        let Some(endpoint) = &plan.endpoint else {
            for group in groups.iter() {
                self.rows[*group as usize] += 1;
            }
            for (group, key) in groups.iter().zip(keys.unwrap_or_default()) {
                add_key(&mut self.keys[*group as usize], *key);
            }
            return;
        };
        let (all_days, all_causes) = (&endpoint.days[start..end], &endpoint.causes[start..end]);
        match &mut self.times {
            Times::Dense(dense) => dense.count(groups, all_days, all_causes, keys),
            Times::Listed { counted, .. } => {
                let rows = groups.iter().zip(start..).filter(|(group, _)| **group < none);
                for (group, row) in rows {
                    let key = plan.record_keys.map_or(0, |keys| keys[row]);
                    if endpoint.has_time(row) {
                        counted.push(Ended {
                            group: *group,
                            day: endpoint.days[row],
                            cause: endpoint.causes[row],
                            key,
                        });
                        self.rows[*group as usize] += 1;
                        if let Some(keys) = self.keys.get_mut(*group as usize) {
                            add_key(keys, key);
                        }
                    } else {
                        let total = &mut self.totals[*group as usize];
                        total.missing_time += 1;
                        add_key(&mut total.missing_key_sum, key);
                    }
                }
            }
            Times::None => {}
        }
    }

    pub(super) fn finish(mut self) -> FrequencyTable {
        if let Times::Dense(dense) = &self.times {
            for (group, total) in self.totals.iter_mut().enumerate() {
                let (with_time, without) = dense.rows(group);
                (self.rows[group], total.missing_time) = (with_time, without);
                if let Some(keys) = self.keys.get_mut(group) {
                    (*keys, total.missing_key_sum) = dense.keys(group);
                }
            }
        }
        for (total, rows) in self.totals.iter_mut().zip(&self.rows) {
            total.rows = *rows;
            total.persons = *rows;
        }
        for (total, keys) in self.totals.iter_mut().zip(&self.keys) {
            total.key_sum = *keys;
        }
        self.count_persons_once();
        let sums = self.sums.map(Sums::finish).unwrap_or_default();
        FrequencyTable { groups: self.totals, times: self.times.sorted(), sums }
    }

    /// Takes back the rows of persons who were already counted in the same group, also from their life table: of several tumours
    /// the first counts. They are few.
    fn count_persons_once(&mut self) {
        let plan = self.plan;
        // the last person seen in each group, by the first row, and the last one seen there without a time
        let mut seen = vec![usize::MAX; self.totals.len()];
        let mut seen_without = seen.clone();
        plan.visit_several(2, |row, group, person| {
            let total = &mut self.totals[group];
            let key = plan.record_keys.map_or(0, |keys| keys[row]);
            if plan.endpoint.as_ref().is_some_and(|endpoint| !endpoint.has_time(row)) {
                if std::mem::replace(&mut seen_without[group], person) == person {
                    take_key(&mut total.missing_key_sum, key);
                }
            } else if std::mem::replace(&mut seen[group], person) == person {
                total.persons -= 1;
                take_key(&mut total.key_sum, key);
                if let (Some(endpoint), Ok(group)) = (&plan.endpoint, u32::try_from(group)) {
                    self.times.take_back(Ended { group, day: endpoint.days[row], cause: endpoint.causes[row], key });
                }
            }
        });
    }
}

fn add_key(sum: &mut u64, key: u32) {
    *sum = sum.wrapping_add(u64::from(key));
}

fn take_key(sum: &mut u64, key: u32) {
    *sum = sum.wrapping_sub(u64::from(key));
}
