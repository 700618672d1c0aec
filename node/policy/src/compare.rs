//! Two policies side by side: what differs, and whether it lets out more.

use serde_json::Value;

use crate::policy::Policy;

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Less leaves.
    Tighter,
    /// More leaves.
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

/// The differences from `before` to `after`, by key.
#[must_use]
pub fn changes(before: &Policy, after: &Policy) -> Vec<Change> {
    let tree = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
    let mut changes = Vec::new();
    walk("", &tree(before), &tree(after), &mut changes);
    changes
}

fn walk(key: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            walk(&inner, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), changes);
        }
        return;
    }
    let direction = direction(key, before, after);
    changes.push(Change { key: key.to_owned(), before: before.clone(), after: after.clone(), direction });
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
const SMALLER_PROTECTS: [&str; 10] = [
    "threshold.largest_percent",
    "quota",
    "size",
    "exact",
    "privacy",
    "models.coefficient",
    "models.per_project",
    "exploration.statistics",
    "exploration.tables",
    "rehearsal",
];

fn direction(key: &str, before: &Value, after: &Value) -> Direction {
    let within_project = key.strip_prefix("project.").and_then(|rest| rest.rsplit_once('.')).map(|(_, last)| last);
    let (name, absent_is_loose) = within_project.map_or((key, false), |last| (last, true));
    let named = |list: &[&str]| list.iter().any(|one| *one == name || name.starts_with(&format!("{one}.")));
    let sign = if named(&GREATER_PROTECTS) || key == "review" {
        1
    } else if named(&SMALLER_PROTECTS) || name == "per_week" {
        -1
    } else {
        return Direction::Other;
    };
    let order = match (before, after) {
        (Value::Number(before), Value::Number(after)) => before.as_f64().partial_cmp(&after.as_f64()),
        (Value::Bool(before), Value::Bool(after)) => before.partial_cmp(after),
        (Value::Array(before), Value::Array(after)) => subset(before, after),
        (Value::Null, _) if absent_is_loose => return Direction::Tighter,
        (_, Value::Null) if absent_is_loose => return Direction::Looser,
        _ => None,
    };
    match order {
        Some(std::cmp::Ordering::Less) if sign > 0 => Direction::Tighter,
        Some(std::cmp::Ordering::Greater) if sign < 0 => Direction::Tighter,
        Some(std::cmp::Ordering::Less | std::cmp::Ordering::Greater) => Direction::Looser,
        _ => Direction::Other,
    }
}

/// `Less` where `before` is a proper part of `after`.
fn subset(before: &[Value], after: &[Value]) -> Option<std::cmp::Ordering> {
    let part = |small: &[Value], large: &[Value]| small.iter().all(|value| large.contains(value));
    match (part(before, after), part(after, before)) {
        (true, false) => Some(std::cmp::Ordering::Less),
        (false, true) => Some(std::cmp::Ordering::Greater),
        _ => None,
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
}
