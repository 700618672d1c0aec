//! Means over countries from their numbers and sums; countries that withhold a sum take no part in that mean.

use std::collections::BTreeMap;

use node_protocol::answer::{GroupKey, MeanAnswer, MeanValue, Pooled, PooledMean};

use super::counts;

/// The mean of every group and field, of the countries that show theirs; where none does, why.
pub(crate) fn pool(countries: &[&MeanAnswer]) -> Pooled {
    let mut parts: BTreeMap<(&GroupKey, &String), Vec<&MeanValue>> = BTreeMap::new();
    for answer in countries {
        for group in &answer.groups {
            for (field, value) in answer.fields.iter().zip(&group.values) {
                parts.entry((&group.group, field)).or_default().push(value);
            }
        }
    }
    let means = parts.into_iter().map(|((group, field), values)| mean(group, field, &values)).collect();
    Pooled::Mean { countries: u32::try_from(countries.len()).unwrap_or(u32::MAX), means }
}

/// Whether a country's value is in the pooled mean.
pub(crate) fn takes_part(value: &MeanValue) -> bool {
    value.rows.shown().is_some() && value.sum.is_some()
}

fn mean(group: &GroupKey, field: &str, values: &[&MeanValue]) -> PooledMean {
    let shown: Vec<&MeanValue> = values.iter().filter(|value| takes_part(value)).copied().collect();
    let hidden = PooledMean {
        group: group.clone(),
        field: field.to_owned(),
        countries: u32::try_from(shown.len()).unwrap_or(u32::MAX),
        rows: counts::sum(&values.iter().map(|value| value.rows).collect::<Vec<_>>()),
        sum: None,
        mean: None,
        standard_deviation: None,
        withheld: values.iter().find_map(|value| value.withheld),
    };
    let total = shown.iter().try_fold((0_u64, 0_u64), |(rows, sum), value| {
        Some((rows.checked_add(value.rows.shown()?)?, sum.checked_add(value.sum?)?))
    });
    let Some((rows, sum)) = total.filter(|(rows, _)| *rows > 0) else { return hidden };
    let mean = sum as f64 / rows as f64;
    let squares: Option<f64> = shown.iter().map(|value| value.sum_of_squares).sum();
    let variance = squares.filter(|_| rows > 1).map(|squares| (squares - sum as f64 * mean) / (rows - 1) as f64);
    PooledMean {
        rows: counts::sum(&shown.iter().map(|value| value.rows).collect::<Vec<_>>()),
        sum: Some(sum),
        mean: Some(mean),
        standard_deviation: variance.map(|variance| variance.max(0.0).sqrt()),
        withheld: None,
        ..hidden
    }
}

#[cfg(test)]
mod tests {
    use node_protocol::{
        answer::MeanGroup,
        cell::{Cell, Withheld},
        release::{Release, Safeguards},
    };

    use super::*;

    #[test]
    fn means_are_of_all_rows_and_not_of_means() {
        let value = |values: &[f64]| MeanValue {
            persons: Cell::Exact { n: values.len() as u64 },
            rows: Cell::Exact { n: values.len() as u64 },
            sum: Some(values.iter().sum::<f64>() as u64),
            sum_of_squares: Some(values.iter().map(|value| value * value).sum()),
            withheld: None,
        };
        let answer = |values: &[f64]| MeanAnswer {
            release: Release::ExactAdHoc(Safeguards { persons: 1, events: 1, at_risk: 1 }),
            fields: vec!["days".to_owned()],
            groups: vec![MeanGroup { group: GroupKey::new(), values: vec![value(values)], as_of: None }],
        };
        let (first, second) = (answer(&[1.0, 2.0, 3.0]), answer(&[10.0]));
        let Pooled::Mean { means, .. } = pool(&[&first, &second]) else { unreachable!("means were pooled") };
        assert_eq!((means[0].rows, means[0].sum), (Cell::Exact { n: 4 }, Some(16)));
        assert!((means[0].mean.unwrap() - 4.0).abs() < 1e-12);
        // R: sd(c(1, 2, 3, 10))
        assert!((means[0].standard_deviation.unwrap() - 4.082_482_904_638_63).abs() < 1e-9);
    }
    #[test]
    fn a_mean_that_no_country_shows_says_why() {
        let hidden = MeanValue {
            persons: Cell::Exact { n: 7 },
            rows: Cell::Exact { n: 9 },
            sum: None,
            sum_of_squares: None,
            withheld: Some(Withheld::Dominance),
        };
        let pooled = mean(&GroupKey::new(), "days", &[&hidden]);
        assert_eq!((pooled.countries, pooled.rows, pooled.mean), (0, Cell::Exact { n: 9 }, None));
        assert_eq!(pooled.withheld, Some(Withheld::Dominance));
    }
}
