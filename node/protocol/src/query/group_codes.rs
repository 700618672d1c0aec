//! The codes that a grouping field can have.

/// The possible codes of a grouping field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCodes {
    /// Codes of a list.
    List(Vec<String>),
    /// Whole numbers, both ends included.
    Range {
        /// Least.
        low: i64,
        /// Greatest.
        high: i64,
    },
}

impl GroupCodes {
    /// How many there are, without the missing value.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::List(codes) => codes.len(),
            Self::Range { low, high } => usize::try_from(high - low + 1).unwrap_or(0),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The code at `position`; `None` past the end, which is the missing value.
    #[must_use]
    pub fn code(&self, position: usize) -> Option<String> {
        match self {
            Self::List(codes) => codes.get(position).cloned(),
            Self::Range { low, .. } if position < self.len() => {
                i64::try_from(position).ok().map(|position| (low + position).to_string())
            }
            Self::Range { .. } => None,
        }
    }
}
