//! The attack suite: what an attacker with a valid account and full knowledge of the method does to a node, and what it gains.
//!
//! An attack sees a node only through [`target::Target`], as any researcher of a peer does: answers, refusals, the catalogue.
//! What it claims is judged against the truth, which only [`target::Judge`] sees. Each attack is one file under [`attacks`], and
//! says why it works on a node that protects each answer alone. The tests of this crate run every attack against a small node
//! that has just the weakness which the attack needs, so that a finding of nothing means something.
//!
//! # Reading a finding
//! A *hidden value* is a number of persons (or of events, or a sum over so few persons) that the tier does not show exactly:
//! below the threshold, zero included, or behind noise. An *exact recovery* is a hidden value that the attacker can claim with
//! certainty, and rightly: either everything seen leaves a single whole number, or two standard errors around an estimate with
//! known noise hold just one. With 95 % certainty one claim in twenty is wrong; wrong claims are no recoveries and are counted
//! apart.

pub mod attacks;
pub mod finding;
pub mod run;
pub mod target;

mod attacker;
mod curve;
mod grid;
mod knowledge;
mod seen;

#[cfg(test)]
mod tests;
