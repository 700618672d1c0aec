//! Differential privacy, which a project may opt into: a plan of noise, the noisy release, and the accounts that pay for it.
//!
//! The unit of privacy is one person, added to or removed from the registry. The currency is rho of zero-concentrated
//! differential privacy (zCDP, Bun & Steinke 2016), because it adds up over releases (lemma 1.7) whichever mechanism was used.
//!
//! The order of work is: `mechanism::plan`, then `accountant::charge_both`, then store both accounts, then
//! `mechanism::release`. A charge whose release fails afterwards stays spent.

pub mod accountant;
pub mod mechanism;
mod spread;
