//! How the sample studies look.

use super::{
    answer,
    samples::{counts, histogram, means, survival},
    study,
};

#[test]
fn counts_show_noise_bands_and_who_waits() {
    assert_eq!(
        study(&counts()),
        "\
Study 0000000000000000000000000000000a  ·  1 of 2 nodes answered  ·  1.0 ms
Persons by sex; counts

node  sex        persons
ar    Male          ~123
      Female         0–9
      (missing)      (c)

Without an answer
  cl     in review    The answer waits for a steward's review: class exact

Pooled, 1 country
sex     persons
Male       ~123
Female      0–9

Marks
  ~123     a number with noise, not the true one: standard deviation 3.0, at most 10 from the true number
  0–9      not shown: it lies somewhere between the two; zero and small look alike
  (c)      not shown: it is not small itself, but would tell a small one by subtraction
"
    );
}

#[test]
fn histograms_name_their_bins_and_means_say_why_a_sum_is_absent() {
    let text = study(&histogram());
    assert!(
        text.contains(
            "\
node  sex     bin        persons
ar    Male    0–29 d          0*
              30–44 d        0–9
              45+ d          31*
              missing        0–9
      Female  every bin      0–9
"
        ),
        "{text}"
    );
    let text = study(&means());
    assert!(
        text.contains(
            "\
node  sex      of                    persons  rows       mean         sd        sum
ar    Male     patient interval (d)       40    40       10.0        6.3        400
      Female   patient interval (d)       20    20        (d)        (d)        (d)
      Unknown  patient interval (d)      0–9   0–9  not shown  not shown  not shown
"
        ),
        "{text}"
    );
}

#[test]
fn curves_never_show_a_hidden_cut_as_a_number() {
    let text = study(&survival());
    assert!(
        text.contains(
            "\
node  stage I to IV  persons  12 mo, %          60 mo, %  120 mo, %
ar    Stage I             60    merged  80.0 (68.0–88.0)        cut
(percent without the event at the month; 95 % interval)
(1 group that no country may show is left out: 0–9)
"
        ),
        "{text}"
    );
    assert!(text.contains("  tail_cut       ar: too few at risk\n"), "{text}");
}

#[test]
fn a_steward_sees_every_number_that_would_leave() {
    let sample = survival();
    let text = answer(&sample.query, "ar", sample.nodes[0].answer.as_ref().unwrap());
    let hidden = text.lines().find(|line| line.starts_with("      (missing)")).unwrap();
    assert_eq!(hidden.split("  ").filter(|cell| cell.trim() == "not shown").count(), 3, "no cell is empty: {hidden}");
    assert!(text.contains("  not shown a number that it would be computed from is not shown\n"), "{text}");
    assert!(
        text.contains(
            "\
Life table of Stage I (without the dates that it needs: 0–9)
month  at risk  events  withdrawn       survival, %
   12   merged  merged     merged            merged
   60       40      12          8  80.0 (68.0–88.0)
  120      cut     cut        cut               cut
and at every month at which it may be shown, whatever was asked; those with no event and nobody withdrawn
are not listed:
month  events  withdrawn  survival, %
   60      12          8         80.0
"
        ),
        "{text}"
    );
}
