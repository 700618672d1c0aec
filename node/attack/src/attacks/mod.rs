//! The attacks, one per file.

mod catalogue_mix;
mod colluding;
mod margins;
mod padding;
mod partitions;
mod private_budget;
mod reconstruction;
mod refusal_oracle;
mod repeats;
mod replay;
mod snapshots;
mod statistics;
mod survival_cuts;
mod survival_strata;
mod switches;
mod temporal;
mod tiers;
mod tracker;
mod two_sets;
mod zero_probing;
mod zero_vectors;

use crate::{
    attacker::Attacker,
    target::{Target, Tier},
};

/// The tiers whose numbers do not depend on a budget.
const STEADY: [Tier; 3] = [Tier::EXPLORATION, Tier::PERTURBED, Tier::EXACT];
/// The tiers with the noise of a set.
const NOISY: [Tier; 2] = [Tier::EXPLORATION, Tier::PERTURBED];
/// Every tier.
const EVERY: [Tier; 4] = [Tier::EXPLORATION, Tier::PERTURBED, Tier::EXACT, Tier::PRIVATE];

macro_rules! attacks {
    ($($(#[doc = $doc:literal])+ $name:ident = $module:ident;)+) => {
        /// An attack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Attack { $($(#[doc = $doc])+ $name,)+ }

        impl Attack {
            /// Every attack.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name in findings.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($module),)+ }
            }

            pub(crate) async fn run<T: Target>(self, attacker: &mut Attacker<'_, T>) {
                match self { $(Self::$name => $module::attack(attacker).await,)+ }
            }
        }
    };
}

attacks! {
    /// The same question again, in other words, by others, later.
    Repeats = repeats;
    /// The same set as the sum of many partitions.
    Partitions = partitions;
    /// A union minus one of its parts.
    TwoSets = two_sets;
    /// A total minus the rest, padded by a tracker.
    Tracker = tracker;
    /// After minus before a publication.
    Temporal = temporal;
    /// Bounds from linked margins.
    Margins = margins;
    /// Sums over sets of zeros and ones, dominated sums, differences of sums.
    ZeroVectors = zero_vectors;
    /// Whether nobody looks other than few.
    ZeroProbing = zero_probing;
    /// Survival at many cut lists, subtracted.
    SurvivalCuts = survival_cuts;
    /// A total curve minus its strata.
    SurvivalStrata = survival_strata;
    /// Different statistics of the same set.
    Statistics = statistics;
    /// Catalogue and ad hoc answers subtracted.
    CatalogueMix = catalogue_mix;
    /// A hidden set in many unions with sets whose numbers are known.
    Padding = padding;
    /// The same question in every tier.
    Tiers = tiers;
    /// Several people pool what they are told.
    Colluding = colluding;
    /// Requests that try to switch protection off.
    Switches = switches;
    /// The same study sent again.
    Replay = replay;
    /// Random subsets and least squares.
    Reconstruction = reconstruction;
    /// What refusals tell.
    RefusalOracle = refusal_oracle;
    /// The same question on many snapshots.
    Snapshots = snapshots;
    /// Fresh noise, averaged until the budget is spent.
    PrivateBudget = private_budget;
}
