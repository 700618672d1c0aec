//! What an attack gained, for machines and for people.

use std::fmt::Write as _;

use serde::Serialize;

use crate::seen::Seen;

/// The gain of one attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The attack.
    pub name: &'static str,
    /// Hidden values that it attacked; 0 where it found nothing to attack or the tier that it needs is not there.
    pub trials: u64,
    /// Hidden values that it claimed with certainty, and rightly.
    pub exact_recoveries: u64,
    /// Mean distance of its best estimate from the truth, over the values behind noise.
    pub mean_absolute_error: Option<f64>,
    /// Times that it asked, refusals included.
    pub queries: u64,
    /// Mean distance of one noisy number from the truth, over the same values: sqrt(2/pi) of the stated standard deviation, as of
    /// a normal distribution.
    pub noise: Option<f64>,
    /// Times that it was refused.
    pub refused: u64,
    /// Claims that were wrong.
    #[serde(skip)]
    pub wrong_claims: u64,
}

/// Adds up what an attack gains.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    trials: u64,
    recoveries: u64,
    wrong: u64,
    errors: Vec<(f64, f64)>,
    pub(crate) queries: u64,
    pub(crate) refused: u64,
}

impl Tally {
    /// Judges what the attacker believes about a hidden value.
    pub(crate) fn score(&mut self, belief: &Seen, truth: f64) {
        self.trials += 1;
        if let Some(claim) = belief.claim() {
            if (claim - truth).abs() < 1e-6 {
                self.recoveries += 1;
            } else {
                self.wrong += 1;
            }
        }
        if let Some((value, unit)) = belief.best_estimate() {
            self.errors.push(((value - truth).abs(), unit * std::f64::consts::FRAC_2_PI.sqrt()));
        }
    }

    /// The finding of the attack called `name`.
    pub(crate) fn finding(self, name: &'static str) -> Finding {
        let count = self.errors.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| {
            (!self.errors.is_empty()).then(|| self.errors.iter().map(of).sum::<f64>() / count)
        };
        Finding {
            name,
            trials: self.trials,
            exact_recoveries: self.recoveries,
            mean_absolute_error: mean(|error| error.0),
            queries: self.queries,
            noise: mean(|error| error.1),
            refused: self.refused,
            wrong_claims: self.wrong,
        }
    }
}

/// A table of findings for the terminal, one line per attack.
#[must_use]
pub fn render(findings: &[Finding]) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let mut text = String::new();
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0).max("attack".len());
    let mut line = |columns: [&str; 8]| {
        let [name, rest @ ..] = columns;
        let rest = rest.iter().fold(String::new(), |row, column| format!("{row} {column:>10}"));
        // writing to a string cannot fail
        let _ = writeln!(text, "{name:<width$}{rest}");
    };
    line(["attack", "trials", "recovered", "wrong", "error", "noise", "queries", "refused"]);
    for finding in findings {
        line([
            finding.name,
            &finding.trials.to_string(),
            &finding.exact_recoveries.to_string(),
            &finding.wrong_claims.to_string(),
            &number(finding.mean_absolute_error),
            &number(finding.noise),
            &finding.queries.to_string(),
            &finding.refused.to_string(),
        ]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Finding {
        let mut tally = Tally::default();
        tally.score(&Seen::exact(3), 3.0);
        tally.score(&Seen::exact(3), 4.0);
        tally.score(&Seen::noisy(7, 3.0, 5, 10), 9.0);
        tally.score(&Seen::band(0, 4), 0.0);
        tally.finding("two_sets")
    }

    #[test]
    fn right_and_wrong_claims_are_told_apart() {
        let finding = example();
        assert_eq!((finding.trials, finding.exact_recoveries, finding.wrong_claims), (4, 1, 1));
        assert_eq!(finding.mean_absolute_error, Some(2.0));
        assert!((finding.noise.unwrap() - 2.3937).abs() < 1e-3);
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let value = serde_json::to_value(example()).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let mut promised =
            ["name", "trials", "exact_recoveries", "mean_absolute_error", "queries", "noise", "refused"].to_vec();
        let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        promised.sort_unstable();
        assert_eq!(keys, promised);
    }

    #[test]
    fn every_finding_has_a_line() {
        let text = render(&[example()]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("two_sets"), "{text}");
    }
}
