//! Text with column names in braces, such as `MX-{STATE}`.

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// The value of a column.
    Column(String),
}

/// The pieces of a template; `None` where a brace is not closed.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.to_owned()));
        }
        pieces.push(Piece::Column(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_name_columns() {
        let pieces = parse("MX-{STATE}!").unwrap();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[1], Piece::Column("STATE".to_owned()));
        assert_eq!(parse("{A"), None);
        assert_eq!(parse(""), Some(vec![]));
    }
}
