//! Zero vectors: sums over sets whose values are known up to a few, dominated sums, and differences of sums.
//!
//! A sum over persons whose value is 0 or 1 *is* a count, and a filter on the measured field makes any field such a one: of the
//! children aged v or v+1 the sum of ages, less v times their number, is the number aged v+1; with the sum of squares three ages
//! come apart. Neither the threshold on the whole set nor a dominance rule sees that (Hundepool et al. 2012, Statistical
//! Disclosure Control, chapter 4, on why sums need rules of their own). Behind noise the same sets have a worse flaw: persons who
//! contribute zero can be added to the set at will, which draws new noise around the same sum each time, and the noise of a sum
//! is small where the largest value is. The third form subtracts sums: all, less all but a few.

use node_protocol::{
    answer::{Answer, MeanAnswer},
    query::{Condition, Statistic},
    release::Release,
};

use crate::{
    attacker::Attacker,
    grid::{Codes, among, codes, is, not},
    seen::{Estimate, Seen},
    target::{Account, Target, Tier},
};

const FIELD: &str = "age_years";
/// Variance of rounding to whole numbers.
const ROUNDING: f64 = 1.0 / 12.0;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    if !attacker.may_use(FIELD) {
        return;
    }
    let tiers = attacker.tiers(&[Tier::EXACT, Tier::PERTURBED]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        if *tier == Tier::EXACT {
            neighbours(attacker).await;
            differences(attacker).await;
        } else {
            padded(attacker).await;
        }
    }
}

/// Number of rows, sum and sum of squares of one group.
struct Moments {
    codes: Codes,
    rows: Seen,
    shown_rows: Option<f64>,
    sum: Option<f64>,
    squares: Option<f64>,
}

async fn moments<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    conditions: &[Condition],
    by: &[String],
) -> Option<(Release, Vec<Moments>)> {
    let query = attacker.query(conditions, by, Statistic::Mean { fields: vec![FIELD.to_owned()] });
    let answer = attacker.ask(Account { researcher: 0, tier }, &query).await?;
    let Answer::Mean(MeanAnswer { release, groups, .. }) = answer else { return None };
    let all = groups.iter().filter_map(|group| {
        let value = group.values.first()?;
        Some(Moments {
            codes: codes(&group.group, by),
            rows: Seen::persons(&value.rows, &release),
            shown_rows: value.rows.shown().map(|rows| rows as f64),
            sum: value.sum.map(|sum| sum as f64),
            squares: value.sum_of_squares,
        })
    });
    Some((release, all.collect()))
}

fn aged(low: i64, high: i64) -> Condition {
    Condition::Between { field: FIELD.to_owned(), low, high }
}

/// Two or three neighbouring ages at a time.
async fn neighbours<T: Target>(attacker: &mut Attacker<'_, T>) {
    let Some(main) = attacker.fields().into_iter().next() else { return };
    let by = [main];
    let threshold = attacker.known.threshold as f64;
    for (age, width) in (0..18).flat_map(|age| [(age, 1), (age, 2)]) {
        if attacker.left() < 12 {
            return;
        }
        let Some((_, all)) = moments(attacker, Tier::EXACT, &[aged(age, age + width)], &by).await else { continue };
        let Some(truth) = attacker.truth(&[aged(age + width, age + width)], &by) else { continue };
        for one in all {
            let Some(truth) = truth.truth(&one.codes) else { continue };
            if truth >= threshold || one.shown_rows.is_none() {
                continue;
            }
            let above = one.sum.zip(one.shown_rows).map(|(sum, rows)| sum - age as f64 * rows);
            let belief = if width == 1 {
                above
            } else {
                // squares of (value - v): sum of squares - 2 v sum + v^2 rows
                let squares = one.squares.zip(one.sum).zip(one.shown_rows).map(|((squares, sum), rows)| {
                    let age = age as f64;
                    squares - 2.0 * age * sum + age * age * rows
                });
                squares.zip(above).map(|(squares, above)| (squares - above) / 2.0)
            };
            attacker.tally.score(&belief.filter(|_| one.rows.is_exact()).map_or(Seen::NOTHING, Seen::value), truth);
        }
    }
}

/// Sums of all, less sums of all but a hidden few.
async fn differences<T: Target>(attacker: &mut Attacker<'_, T>) {
    let Some(by) = attacker.pairs().into_iter().next() else { return };
    let Some(grid) = attacker.grid(Tier::EXACT, &[], &by).await else { return };
    for codes in attacker.choose(&grid, 8) {
        let [first, second] = [0, 1].map(|at| Attacker::<T>::coordinate(&grid, &codes, at));
        let query = attacker.query(&grid.conditions(&codes), &[], Statistic::Mean { fields: vec![FIELD.to_owned()] });
        let Some(Answer::Mean(truth)) = attacker.judge.truth(&query) else { continue };
        let Some(truth) = truth.groups.first().and_then(|group| group.values.first()?.sum) else { continue };
        let all = moments(attacker, Tier::EXACT, std::slice::from_ref(&first), &[]).await;
        let rest = moments(attacker, Tier::EXACT, &[first, not(second)], &[]).await;
        let sum = |answer: Option<(Release, Vec<Moments>)>| answer?.1.first()?.sum;
        let belief = sum(all).zip(sum(rest)).map(|(all, rest)| Seen::value((all - rest).max(0.0)));
        attacker.tally.score(&belief.unwrap_or(Seen::NOTHING), truth as f64);
    }
}

/// Children aged 0 or 1 of a small set, together with ever other newborns, who add nothing to the sum.
async fn padded<T: Target>(attacker: &mut Attacker<'_, T>) {
    let mut fields = attacker.fields();
    // a pad of newborns is not told by their age
    fields.retain(|field| field != "age_band");
    let Some((main, others)) = fields.split_first() else { return };
    let mut others = others.to_vec();
    others.sort_by_key(|field| attacker.codes(field).len());
    // the set is told by a field of few codes, the pads by the one of most
    let [small, .., wide] = &others[..] else { return };
    let (by, wide_codes) = ([main.clone()], attacker.codes(wide));
    let Some(code) = attacker.codes(small).into_iter().next() else { return };
    let set = is(small, Some(&code));
    let mut used = Vec::new();
    let mut beliefs: Vec<(Codes, Seen)> = Vec::new();
    let mut answers: Vec<(Codes, f64, f64)> = Vec::new();
    for _ in 0..attacker.left() * 4 {
        let part = attacker.part(&wide_codes);
        if used.contains(&part) {
            continue;
        }
        let newborns = Condition::All(vec![aged(0, 0), not(set.clone()), among(wide, part.iter().map(String::as_str))]);
        used.push(part);
        let question = Condition::Any(vec![Condition::All(vec![aged(0, 1), set.clone()]), newborns]);
        if attacker.left() == 0 {
            break;
        }
        let Some((release, all)) = moments(attacker, Tier::PERTURBED, &[question], &by).await else { continue };
        let Release::Perturbed { noise, .. } = release else { return };
        for one in all {
            let (Some(sum), Some(rows)) = (one.sum, one.shown_rows.filter(|rows| *rows > 0.0)) else { continue };
            // equal numbers are taken for those of one set, whose noise is the same
            let answer = (one.codes.clone(), sum, rows);
            if answers.contains(&answer) {
                continue;
            }
            answers.push(answer);
            let relative = sum * noise.standard_deviation / rows;
            let variance = attacker.known.sum_noise.powi(2) + ROUNDING + relative * relative;
            let estimate = Estimate { value: sum, variance, unit: noise.standard_deviation };
            let seen = Seen { estimate: Some(estimate), ..Seen::NOTHING };
            match beliefs.iter_mut().find(|(codes, _)| *codes == one.codes) {
                Some((_, belief)) => *belief = belief.meet(&seen),
                None => beliefs.push((one.codes, seen)),
            }
        }
    }
    let Some(truth) = attacker.truth(&[aged(1, 1), set], &by) else { return };
    for (codes, belief) in beliefs {
        if let Some(truth) = truth.truth(&codes) {
            attacker.tally.score(&belief, truth);
        }
    }
}
