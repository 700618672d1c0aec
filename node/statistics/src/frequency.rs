//! The frequency table: what the engine counts and every statistic is computed from.

/// GROUP BY of a few coded columns. Exact and confidential until disclosure control has opened it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FrequencyTable {
    /// One entry per combination of group codes, dense, in row-major order of the query's `by`.
    pub groups: Vec<GroupTotal>,
    /// Times and causes, sorted by group, then day, then cause; empty unless the query asks for a survival endpoint.
    pub times: Vec<TimeCount>,
}

/// Totals of one group.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupTotal {
    /// Rows: cases in the table `cases`.
    pub rows: u64,
    /// Distinct persons.
    pub persons: u64,
    /// Sum of the record keys of the distinct persons, modulo 2^64; zero unless keys were asked for.
    pub key_sum: u64,
    /// Rows that lack the days of the endpoint asked for.
    pub missing_time: u64,
    /// Moments of a whole-number field; empty unless one was asked for.
    pub moments: Moments,
}

/// Sums of a whole-number field over the rows that have it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// Rows with a value.
    pub n: u64,
    /// Sum of the values.
    pub sum: u64,
    /// Sum of their squares.
    pub sum_of_squares: u128,
}

impl Moments {
    /// Adds one value.
    pub fn add(&mut self, value: u16) {
        self.n += 1;
        self.sum += u64::from(value);
        self.sum_of_squares += u128::from(value) * u128::from(value);
    }
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
