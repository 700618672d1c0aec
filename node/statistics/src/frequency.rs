//! The frequency table: what the engine counts and every statistic is computed from.

/// GROUP BY of a few coded columns. Exact and confidential until disclosure control has opened it.
///
/// Persons are hospitals in tables that are about those. A key sum is the sum of the secret record keys of the distinct persons
/// counted beside it, modulo 2^64; it is zero unless keys were asked for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FrequencyTable {
    /// One entry per combination of group codes, dense, in row-major order of the query's `by`. Of a histogram, one entry per
    /// group and bin: the bins are the last axis, and the missing value is the last bin of each group.
    pub groups: Vec<GroupTotal>,
    /// Times and causes, sorted by group, then day, then cause; empty unless the query asks for a survival endpoint.
    pub times: Vec<TimeCount>,
    /// Sums of whole-number fields, groups by fields in row-major order; empty unless the query asks for means.
    pub sums: Vec<Sum>,
}

/// Totals of one group.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupTotal {
    /// Rows: cases in the table `cases`; with an endpoint, only those that have its time.
    pub rows: u64,
    /// Distinct persons of these rows.
    pub persons: u64,
    /// Key sum of these persons.
    pub key_sum: u64,
    /// Rows that lack the time of the endpoint asked for.
    pub missing_time: u64,
    /// Key sum of the distinct persons of the rows that lack it; such a person may have another row that has it.
    pub missing_key_sum: u64,
}

/// Persons of one group whose time ended on one day for one cause; of several rows of a person the first counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimeCount {
    /// Position in [`FrequencyTable::groups`].
    pub group: u32,
    /// Whole days from diagnosis.
    pub day: u16,
    /// 0 censored; otherwise the position of the cause in the endpoint's code list.
    pub cause: u8,
    /// Persons.
    pub persons: u32,
    /// Key sum of these persons.
    pub key_sum: u64,
}

/// Sums of one whole-number field in one group, over the rows that have a value.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Distinct persons with at least one value in the group.
    pub persons: u64,
    /// Rows with a value.
    pub rows: u64,
    /// Key sum of these persons.
    pub key_sum: u64,
    /// Sum of the values, in the field's unit.
    pub sum: u64,
    /// Sum of the squares of the values.
    pub sum_of_squares: u128,
    /// The largest sum of one person's values.
    pub largest: u64,
    /// The second largest; as large as the largest where two persons share it, 0 with one person.
    pub second: u64,
}

/// The values of one field that one person has in one group.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Contribution {
    /// Rows with a value.
    pub rows: u64,
    /// Sum of the values.
    pub sum: u64,
    /// Sum of their squares.
    pub sum_of_squares: u128,
}

impl Contribution {
    /// Adds the value of one row.
    pub fn add(&mut self, value: u16) {
        self.rows += 1;
        self.sum += u64::from(value);
        self.sum_of_squares += u128::from(value) * u128::from(value);
    }
}

impl Sum {
    /// Adds all that one person has in the group; a person without a value there is not counted. `key` is the person's record
    /// key, 0 where keys were not asked for.
    pub fn add(&mut self, person: &Contribution, key: u32) {
        if person.rows == 0 {
            return;
        }
        self.persons += 1;
        self.rows += person.rows;
        self.key_sum = self.key_sum.wrapping_add(u64::from(key));
        self.sum += person.sum;
        self.sum_of_squares += person.sum_of_squares;
        if person.sum > self.largest {
            (self.largest, self.second) = (person.sum, self.largest);
        } else {
            self.second = self.second.max(person.sum);
        }
    }
}

impl FrequencyTable {
    /// The times of one group.
    #[must_use]
    pub fn times_of(&self, group: usize) -> &[TimeCount] {
        let start = self.times.partition_point(|time| (time.group as usize) < group);
        let end = self.times.partition_point(|time| (time.group as usize) <= group);
        self.times.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_are_of_persons_and_may_be_equal() {
        let mut sum = Sum::default();
        let person = |values: &[u16]| {
            let mut person = Contribution::default();
            values.iter().for_each(|value| person.add(*value));
            person
        };
        for values in [&[3_u16, 4][..], &[], &[7], &[0], &[6]] {
            sum.add(&person(values), 10);
        }
        assert_eq!((sum.persons, sum.rows, sum.key_sum), (4, 5, 40));
        assert_eq!((sum.sum, sum.sum_of_squares), (20, 9 + 16 + 49 + 36));
        assert_eq!((sum.largest, sum.second), (7, 7));
    }
}
