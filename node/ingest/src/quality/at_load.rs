//! The part of the quality rules that one row alone can break: evaluated while a file is read.

use chrono::NaiveDate;
use node_domain::{
    date::PartialDate,
    dictionary::{Kind, Table},
};

use super::{
    condition::Value,
    name::Name,
    rule::{Check, Conditions, Effect, On, Rules},
};
use crate::row::RowBuffer;

/// The rules for rows of one collection.
pub struct RowRules<'r> {
    rules: &'r Rules,
    /// For each field the rule that names its constraint, by position in the list of rules.
    constraints: Vec<Option<usize>>,
    checks: Vec<(usize, &'r Check)>,
    /// Positions of dates and times, for the rule that none lies after the extract.
    dates: Vec<usize>,
    extracted_on: NaiveDate,
}

/// A rule that a row breaks, by position in the list of rules, with the field that shows it.
pub type RowFinding = (usize, Option<usize>);

impl<'r> RowRules<'r> {
    /// The rules that rows of `table` can break by themselves.
    #[must_use]
    pub fn of(rules: &'r Rules, table: &Table, extracted_on: NaiveDate) -> Self {
        let owner = |position: usize, kind: &Kind| {
            let names = |check: &Check| matches!(check, Check::Constraint(c) if c.names(&table.name, position, kind));
            // a rule on one field comes before the rule on all dates
            rules.rules.iter().position(|rule| rule.checks.iter().any(names))
        };
        let constraints = table.fields.iter().enumerate().map(|(at, field)| owner(at, &field.kind)).collect();
        let mut checks = Vec::new();
        for (at, rule) in rules.rules.iter().enumerate() {
            let applies = match &rule.on {
                On::Collection(name) => *name == table.name,
                On::Any => true,
                On::Aggregate => false,
            };
            if applies {
                checks.extend(rule.checks.iter().filter(|check| shows_in_one_row(check)).map(|check| (at, check)));
            }
        }
        let dates = checks.iter().find_map(|(_, check)| match check {
            Check::AfterExtract { except } => Some(dates_of(table, except)),
            _ => None,
        });
        Self { rules, constraints, checks, dates: dates.unwrap_or_default(), extracted_on }
    }

    /// The rule that names the constraint of a field.
    #[must_use]
    pub fn constraint(&self, field: usize) -> Option<usize> {
        self.constraints.get(field).copied().flatten()
    }

    /// Adds the rules that a row breaks.
    pub fn evaluate(&self, row: &RowBuffer, found: &mut Vec<RowFinding>) {
        let value = |name: &Name| match name {
            Name::Own(position) => Value::of(row.value(*position)),
            _ => Value::Absent,
        };
        for (rule, check) in &self.checks {
            if found.iter().any(|(known, _)| known == rule) {
                continue;
            }
            let field = match check {
                Check::AfterExtract { .. } => match self.after_extract(row) {
                    Some(field) => Some(field),
                    None => continue,
                },
                check if breaks(check, &value) => first_field(check),
                _ => continue,
            };
            found.push((*rule, field));
        }
    }

    /// Whether a rule holds a row back.
    #[must_use]
    pub fn holds_back(&self, rule: usize) -> bool {
        self.rules.rules.get(rule).is_some_and(|rule| rule.effect == Effect::Exclude)
    }

    fn after_extract(&self, row: &RowBuffer) -> Option<usize> {
        self.dates.iter().copied().find(|position| is_after(&Value::of(row.value(*position)), self.extracted_on))
    }
}

/// Positions of a table's dates and times, without these.
#[must_use]
pub fn dates_of(table: &Table, except: &[(String, usize)]) -> Vec<usize> {
    let is_date = |at: &usize| matches!(table.fields[*at].kind, Kind::Date | Kind::DateTime);
    let is_free = |at: &usize| !except.iter().any(|(name, field)| *name == table.name && field == at);
    (0..table.fields.len()).filter(is_date).filter(is_free).collect()
}

/// Whether a value is a date that surely lies after `day`.
#[must_use]
pub fn is_after(value: &Value<'_>, day: NaiveDate) -> bool {
    value.as_date().and_then(|date| date.earliest()).is_some_and(|earliest| earliest > day)
}

/// Whether every condition holds.
pub fn all_hold<'v>(conditions: &Conditions, value: &dyn Fn(&Name) -> Value<'v>) -> bool {
    conditions.iter().all(|(name, condition)| condition.holds(&value(name)))
}

/// Whether values break a check that looks at nothing but values: a pattern, an order, an equality of dates.
pub fn breaks<'v>(check: &Check, value: &dyn Fn(&Name) -> Value<'v>) -> bool {
    match check {
        Check::Pattern(all) => all_hold(all, value),
        Check::Order { first, then, slack_days, strict, when } => {
            let (Some(first), Some(then)) = (value(first).as_date(), value(then).as_date()) else { return false };
            all_hold(when, value) && comes_too_late(&first, &then, *slack_days, *strict)
        }
        Check::EqualDates { a, b, when } => {
            let (Some(a), Some(b)) = (value(a).as_date(), value(b).as_date()) else { return false };
            all_hold(when, value) && (a.is_surely_before(&b) || b.is_surely_before(&a))
        }
        _ => false,
    }
}

/// Whether `first` surely lies after `then`, by more than the slack; `strict`: or surely on the same day.
fn comes_too_late(first: &PartialDate, then: &PartialDate, slack_days: i64, strict: bool) -> bool {
    let (Some(earliest), Some(latest)) = (first.earliest(), then.latest()) else { return false };
    (earliest - latest).num_days() > slack_days || (strict && first.surely_equal(then))
}

fn shows_in_one_row(check: &Check) -> bool {
    let own = |name: &Name| matches!(name, Name::Own(_));
    let all_own = |conditions: &Conditions| conditions.iter().all(|(name, _)| own(name));
    match check {
        Check::Pattern(all) => all_own(all),
        Check::Order { first, then, when, .. } => own(first) && own(then) && all_own(when),
        Check::EqualDates { a, b, when } => own(a) && own(b) && all_own(when),
        Check::AfterExtract { .. } => true,
        Check::Constraint(_) | Check::Procedure(_) | Check::Aggregate(_) | Check::Elsewhere { .. } => false,
    }
}

fn first_field(check: &Check) -> Option<usize> {
    let own = |name: &Name| match name {
        Name::Own(position) => Some(*position),
        _ => None,
    };
    match check {
        Check::Pattern(all) => all.first().and_then(|(name, _)| own(name)),
        Check::Order { first, .. } => own(first),
        Check::EqualDates { a, .. } => own(a),
        _ => None,
    }
}
