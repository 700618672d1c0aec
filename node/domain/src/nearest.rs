//! Names that are not known, and the known ones that are most like them.

use strsim::{jaro_winkler, normalized_damerau_levenshtein};

/// How alike two texts must be to be taken for one another, from 0 to 1.
const ALIKE: f64 = 0.6;
/// The most known names that a message tells.
const MOST_TOLD: usize = 20;
/// The most characters of an unknown name that are looked at and told: it may come from anybody.
const LONGEST: usize = 64;

/// Of texts that stand for something, what the one most like `value` stands for; `None` where none is like it.
pub fn nearest<'t>(value: &str, known: impl Iterator<Item = (&'t str, &'t str)>) -> Option<String> {
    known
        .map(|(text, meaning)| (likeness(value, text), meaning))
        .filter(|(alike, _)| *alike >= ALIKE)
        // of equals the first: collections that others refer to come first
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, meaning)| meaning.to_owned())
}

/// What to say of a name that is not known: that there is none, and which there are, the nearest first.
///
/// `what` stands for the kind of name, such as `field`.
pub fn unknown<'t>(what: &str, name: &str, known: impl IntoIterator<Item = &'t str>) -> String {
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    match nearest_first(&name, known).as_slice() {
        [] => format!("there is no {what} `{name}`: there is none at all"),
        known => format!("there is no {what} `{name}`; nearest first, there are: {}", listed(known)),
    }
}

/// The known names without repetition, the one most like `name` first; equally like ones keep their order.
fn nearest_first<'t>(name: &str, known: impl IntoIterator<Item = &'t str>) -> Vec<&'t str> {
    let mut rated: Vec<(f64, &str)> = Vec::new();
    for one in known {
        if !rated.iter().any(|(_, other)| *other == one) {
            rated.push((likeness(name, one), one));
        }
    }
    rated.sort_by(|left, right| right.0.total_cmp(&left.0));
    rated.into_iter().map(|(_, one)| one).collect()
}

fn listed(names: &[&str]) -> String {
    let told = &names[..names.len().min(MOST_TOLD)];
    match names.len() - told.len() {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// From 0 to 1, whatever the case of the letters.
fn likeness(left: &str, right: &str) -> f64 {
    let (left, right) = (left.to_lowercase(), right.to_lowercase());
    normalized_damerau_levenshtein(&left, &right).max(jaro_winkler(&left, &right) - 0.15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_code_is_found_by_its_label_in_any_language() {
        let known = [("1", "1"), ("Masculino", "1"), ("Male", "1"), ("Femenino", "2"), ("Female", "2")];
        assert_eq!(nearest("masculine", known.into_iter()).as_deref(), Some("1"));
        assert_eq!(nearest("FEMENINO", known.into_iter()).as_deref(), Some("2"));
        assert_eq!(nearest("zzz", known.into_iter()), None);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones_nearest_first() {
        assert_eq!(
            unknown("table", "case", ["doses", "cases", "stock", "cases"]),
            "there is no table `case`; nearest first, there are: cases, doses, stock"
        );
        assert_eq!(unknown("project", "mx-1", []), "there is no project `mx-1`: there is none at all");
        let many: Vec<String> = (10..40).map(|number| format!("code_{number}")).collect();
        let told = unknown("code", "code_17", many.iter().map(String::as_str));
        assert!(told.contains("are: code_17, ") && told.ends_with(" and 10 more"), "{told}");
        assert_eq!(unknown("code", &format!("\u{1b}{}", "x".repeat(99)), []).matches('x').count(), LONGEST);
    }
}
