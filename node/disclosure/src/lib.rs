//! May this leave: the seal on exact tables, and the functions that open it and release an answer.
//!
//! Does no I/O and keeps no history: what was released before comes as an argument. Nothing else can read a sealed value or make a
//! released one. The ways out: [`joint`] for the catalogue, [`exact`] for audited answers, [`release`] for answers with noise.

pub mod between;
pub mod coarsening;
pub mod confidential;
pub mod differential;
mod dominance;
pub mod draft;
pub mod exact;
pub mod joint;
pub mod layout;
pub mod linked;
mod linked_cells;
pub mod membership;
pub mod model_guards;
pub mod perturbation;
mod perturbed;
pub mod private;
pub mod release;
