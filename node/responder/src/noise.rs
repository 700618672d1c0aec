//! The noise of sets of persons: one table per threshold, solved once, all under the node's secret.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use node_disclosure::perturbation::{
    Perturbation,
    cell_key::NoiseKey,
    table::{self, TableError},
};
use node_policy::policy::Noise;
use node_protocol::release::Safeguards;

/// The perturbation of every threshold that was needed so far.
pub struct Noises {
    key: NoiseKey,
    solved: Mutex<HashMap<(u32, u32, u32), Arc<Perturbation>>>,
}

impl Noises {
    /// Under a secret of the node, which must never change: another one would give the same sets another noise.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { key: NoiseKey::new(secret), solved: Mutex::default() }
    }

    /// The perturbation of a tier with these thresholds, at a node whose least threshold is `base`.
    ///
    /// # Errors
    /// Where the policy's noise has no table for them.
    pub fn of(&self, noise: Noise, base: u32, safeguards: Safeguards) -> Result<Arc<Perturbation>, TableError> {
        let thresholds = (base, safeguards.persons, safeguards.events);
        let mut solved = self.solved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = solved.get(&thresholds) {
            return Ok(Arc::clone(known));
        }
        let noise = table::Noise { bound: noise.bound, variance: noise.variance };
        // all tiers have one table of persons: another would give one set two numbers
        let made =
            Perturbation::new(noise, base, safeguards.events, self.key.clone())?.showing_from(safeguards.persons);
        let made = Arc::new(made);
        solved.insert(thresholds, Arc::clone(&made));
        Ok(made)
    }
}
