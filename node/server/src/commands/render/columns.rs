//! Aligned columns of text.

/// Rows under their headings, two spaces apart; the columns named in `right` hold numbers and end in line.
pub(crate) fn columns(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain(head.get(at).map(|title| title.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (at, (cell, width)) in cells.zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count().min(*width));
            if at > 0 {
                line.push_str("  ");
            }
            if right.contains(&at) {
                line.push_str(&gap);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&gap);
            }
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut head.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["ar", "Tumour", "7"], ["mx-2", "–", "1234"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            columns(&["node", "group", "n"], &[2], &rows),
            "node  group      n\nar    Tumour     7\nmx-2  –       1234\n"
        );
    }
}
