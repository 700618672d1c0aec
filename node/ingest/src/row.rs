//! One row as it is built, field by field, in one growing buffer that is used again for the next row.

/// The values of a row in the order of its table's fields; an absent one is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowBuffer {
    text: String,
    ends: Vec<usize>,
}

impl RowBuffer {
    /// Forgets all values but keeps the room.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds the next value.
    pub fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    /// Adds the next value as `write` puts it down.
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// The value at a field's position; empty past the end.
    #[must_use]
    pub fn value(&self, position: usize) -> &str {
        let Some(&end) = self.ends.get(position) else { return "" };
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.text[start..end]
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All values in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|position| self.value(position))
    }

    /// Puts other values in place of these.
    pub fn replace_with<'v>(&mut self, values: impl IntoIterator<Item = &'v str>) {
        self.clear();
        for value in values {
            self.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_put_in() {
        let mut row = RowBuffer::default();
        for _ in 0..2 {
            row.clear();
            row.push("a");
            row.push("");
            row.push_with(|text| text.push_str("ñandú"));
            assert_eq!(row.iter().collect::<Vec<_>>(), ["a", "", "ñandú"]);
            assert_eq!((row.len(), row.value(7)), (3, ""));
        }
    }
}
