//! Two policies side by side: what differs, and whether it lets out more.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::Value;

use crate::policy::Policy;

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Less leaves.
    Tighter,
    /// Something leaves that did not before.
    Looser,
    /// It cannot be said in general.
    Other,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Key, such as `threshold.persons`.
    pub key: String,
    /// Value before; null where the key was absent.
    pub before: Value,
    /// Value after; null where the key is absent.
    pub after: Value,
    /// Which way it goes.
    pub direction: Direction,
}

/// The differences in effect from `before` to `after`, by key. A project without rules is told by the rules that it lacks.
#[must_use]
pub fn changes(before: &Policy, after: &Policy) -> Vec<Change> {
    let mut changes = Vec::new();
    walk("", &tree(before, after), &tree(after, before), &mut changes);
    changes
}

/// A policy with an entry for each project of the other one.
fn tree(policy: &Policy, other: &Policy) -> Value {
    let mut policy = policy.clone();
    for project in other.project.keys() {
        policy.project.entry(project.clone()).or_default();
    }
    serde_json::to_value(policy).unwrap_or_default()
}

fn walk(key: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            walk(&inner, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), changes);
        }
        return;
    }
    if let Some(direction) = direction(key, before, after) {
        changes.push(Change { key: key.to_owned(), before: before.clone(), after: after.clone(), direction });
    }
}

/// Keys whose greater value protects more.
const GREATER_PROTECTS: [&str; 12] = [
    "threshold.persons",
    "threshold.events",
    "threshold.at_risk",
    "threshold.facilities",
    "threshold.p_percent",
    "exploration.persons",
    "noise.variance",
    "models.events_per_parameter",
    "models.persons_per_parameter",
    "persons",
    "review",
    "closed",
];

/// Keys whose smaller value protects more; the names of sections stand for all their keys.
const SMALLER_PROTECTS: [&str; 9] = [
    "threshold.largest_percent",
    "quota",
    "size",
    "exact",
    "privacy",
    "models.coefficient",
    "models.per_project",
    "rehearsal",
    "per_week",
];

/// The direction of a change of one value; none where both values have the same effect.
fn direction(key: &str, before: &Value, after: &Value) -> Option<Direction> {
    if let (Value::Array(before), Value::Array(after)) = (before, after) {
        return match key {
            "review" => of_classes(before, after),
            // without a list of fields, all are allowed
            "exploration.fields" if before.is_empty() => Some(Direction::Tighter),
            "exploration.fields" if after.is_empty() => Some(Direction::Looser),
            _ => of_allowed(before, after),
        };
    }
    if key == "exploration.lane" {
        // whatever is not perturbed leaves by a way that needs a grant elsewhere
        return Some(if after == "perturbed" { Direction::Tighter } else { Direction::Looser });
    }
    Some(of_scalars(key, before, after))
}

/// What is allowed by name: one more name opens something, whatever is taken away beside it.
fn of_allowed(before: &[Value], after: &[Value]) -> Option<Direction> {
    let more = |one: &[Value], other: &[Value]| one.iter().any(|value| !other.contains(value));
    opened(more(after, before), more(before, after))
}

/// Classes that wait for a steward: one that no later class holds is let go.
fn of_classes(before: &[Value], after: &[Value]) -> Option<Direction> {
    let holds = |wide: &Value, narrow: &Value| {
        let named = wide.as_object().into_iter().flatten();
        named.into_iter().all(|(name, value)| narrow.get(name) == Some(value))
    };
    let more = |one: &[Value], other: &[Value]| one.iter().any(|class| !other.iter().any(|wide| holds(wide, class)));
    opened(more(before, after), more(after, before))
}

fn opened(opens: bool, closes: bool) -> Option<Direction> {
    match (opens, closes) {
        (true, _) => Some(Direction::Looser),
        (false, true) => Some(Direction::Tighter),
        (false, false) => None,
    }
}

fn of_scalars(key: &str, before: &Value, after: &Value) -> Direction {
    let within_project = key.strip_prefix("project.").and_then(|rest| rest.rsplit_once('.')).map(|(_, last)| last);
    let name = within_project.unwrap_or(key);
    let named = |list: &[&str]| list.iter().any(|one| *one == name || name.starts_with(&format!("{one}.")));
    let (greater, smaller) = (named(&GREATER_PROTECTS), named(&SMALLER_PROTECTS));
    if !greater && !smaller {
        return Direction::Other;
    }
    let order = match (before, after) {
        (Value::Number(before), Value::Number(after)) => before.as_f64().partial_cmp(&after.as_f64()),
        (Value::Bool(before), Value::Bool(after)) => before.partial_cmp(after),
        // a rule of one project that is absent does not tighten
        (Value::Null, _) if within_project.is_some() => return Direction::Tighter,
        (_, Value::Null) if within_project.is_some() => return Direction::Looser,
        _ => None,
    };
    match order {
        Some(Ordering::Less) if greater => Direction::Tighter,
        Some(Ordering::Greater) if smaller => Direction::Tighter,
        Some(Ordering::Less | Ordering::Greater) => Direction::Looser,
        _ => Direction::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/policy.toml");

    fn directions(from: &str, to: &str) -> Vec<(String, Direction)> {
        let (before, after) = (Policy::parse(SHIPPED).unwrap(), Policy::parse(&SHIPPED.replacen(from, to, 1)).unwrap());
        assert_ne!(before, after, "{from} is there");
        let there = changes(&before, &after);
        let back = changes(&after, &before);
        for (there, back) in there.iter().zip(&back) {
            let turned = match there.direction {
                Direction::Tighter => Direction::Looser,
                Direction::Looser => Direction::Tighter,
                Direction::Other => Direction::Other,
            };
            assert_eq!(back.direction, turned, "{}", there.key);
        }
        there.into_iter().map(|change| (change.key, change.direction)).collect()
    }

    #[test]
    fn each_change_is_named_with_its_direction() {
        let one = |key: &str, direction| vec![(key.to_owned(), direction)];
        assert_eq!(directions("persons = 5", "persons = 6"), one("threshold.persons", Direction::Tighter));
        assert_eq!(
            directions("largest_percent = 80", "largest_percent = 70"),
            one("threshold.largest_percent", Direction::Tighter)
        );
        assert_eq!(
            directions("researcher_per_week = 50", "researcher_per_week = 60"),
            one("quota.researcher_per_week", Direction::Looser)
        );
        assert_eq!(
            directions("statistics = [\"count\"]", "statistics = [\"count\", \"mean\"]"),
            one("exploration.statistics", Direction::Looser)
        );
        assert_eq!(directions("bound = 15", "bound = 18"), one("noise.bound", Direction::Other));
        assert_eq!(
            directions("[[review]]\nway = \"exact\"", "[[review]]\nway = \"exact\"\n[[review]]\ntable = \"cases\""),
            one("review", Direction::Tighter)
        );
        assert_eq!(changes(&Policy::parse(SHIPPED).unwrap(), &Policy::parse(SHIPPED).unwrap()), []);
    }

    /// The direction of the one change from one text to another, within the shipped policy with `more` at its end.
    fn one(more: &str, from: &str, to: &str) -> Option<Direction> {
        let before = format!("{SHIPPED}\n{more}\n");
        let (before, after) = (Policy::parse(&before).unwrap(), Policy::parse(&before.replacen(from, to, 1)).unwrap());
        assert_ne!(before, after, "{from} is there");
        let changes = changes(&before, &after);
        assert!(changes.len() < 2, "{changes:?}");
        changes.first().map(|change| change.direction)
    }

    #[test]
    fn no_list_of_fields_means_all_of_them() {
        let fields = |from: &str, to: &str| {
            let text = |fields: &str| SHIPPED.replace("fields = []", &format!("fields = [{fields}]"));
            let [before, after] = [from, to].map(|fields| Policy::parse(&text(fields)).unwrap());
            changes(&before, &after)[0].direction
        };
        assert_eq!(fields("", r#""sex""#), Direction::Tighter);
        assert_eq!(fields(r#""sex""#, ""), Direction::Looser);
        assert_eq!(fields(r#""sex""#, r#""sex", "stage""#), Direction::Looser);
        assert_eq!(fields(r#""sex", "stage""#, r#""sex""#), Direction::Tighter);
        assert_eq!(fields(r#""sex""#, r#""stage""#), Direction::Looser, "something is opened");
    }

    #[test]
    fn what_is_exchanged_for_another_opens_it() {
        let (from, to) = (r#"statistics = ["count"]"#, r#"statistics = ["mean"]"#);
        assert_eq!(one("", from, to), Some(Direction::Looser));
        let both = [r#"["count", "mean"]"#, r#"["mean", "count"]"#];
        let [before, after] = both.map(|list| Policy::parse(&SHIPPED.replace(r#"["count"]"#, list)).unwrap());
        assert_eq!(changes(&before, &after), [], "the order means nothing");
    }

    #[test]
    fn a_project_that_is_opened_again_is_looser_also_where_its_section_is_gone() {
        let closed = "[project.mx-2026-001]\nclosed = true";
        assert_eq!(one(closed, "closed = true\n", "closed = false\n"), Some(Direction::Looser));
        assert_eq!(one(closed, closed, ""), Some(Direction::Looser));
        assert_eq!(one("", "[noise]", &format!("{closed}\n[noise]")), Some(Direction::Tighter));
        let tight = "[project.mx-2026-001]\npersons = 8";
        assert_eq!(one(tight, tight, ""), Some(Direction::Looser));
        assert_eq!(one("[project.mx-2026-002]", "[project.mx-2026-002]", ""), None, "no rule, no effect");
    }

    #[test]
    fn a_class_that_is_let_go_is_looser_and_one_that_is_held_wider_is_tighter() {
        let exact = "way = \"exact\"";
        let class = |to: &str| one("", exact, to);
        assert_eq!(class("way = \"exact\"\nstatistic = \"count\""), Some(Direction::Looser), "only counts wait now");
        assert_eq!(class("way = \"perturbed\""), Some(Direction::Looser), "exact ones do not wait now");
        assert_eq!(class(""), Some(Direction::Tighter), "everything waits now");
        assert_eq!(class("way = \"exact\"\n[[review]]\nway = \"exact\"\ntable = \"doses\""), None, "it waited before");
        assert_eq!(one("", "[[review]]\nway = \"exact\"", ""), Some(Direction::Looser));
    }
}
