//! The attack suite against a real node: built in a scratch folder, with a known registry and the policy under test.
//!
//! The attacker is a peer with valid accounts, three researchers and an approved project of each lane; its steward releases whatever
//! waits, which is the worst case. Messages cross the network as they would between countries.

mod arrivals;
mod judge;
mod range;

use node_attack::{
    finding::{self, Finding},
    run::run_all,
    target::Scale,
};
use node_domain::dictionary::Dictionary;
use node_policy::policy::Policy;
use rand::{SeedableRng, rngs::StdRng};

use self::{judge::TruthJudge, range::Range};

/// The seed of the attacks and of the registry, so that a finding can be looked at again.
const SEED: u64 = 20_251_101;

/// Runs every attack on a node with this policy.
///
/// # Errors
/// Where the node cannot be built.
pub async fn run(policy: &Policy, scale: Scale) -> anyhow::Result<Vec<Finding>> {
    let scratch = tempfile::tempdir()?;
    let mut range = Range::build(scratch.path(), policy).await?;
    let mut judge = TruthJudge::of(range.published())?;
    let dictionary = Dictionary::built_in()?;
    let mut rng = StdRng::seed_from_u64(SEED);
    let findings = run_all(&dictionary, &mut range, &mut judge, scale, &mut rng).await;
    range.stop().await;
    Ok(findings)
}

/// The findings as a table for people.
#[must_use]
pub fn render(findings: &[Finding]) -> String {
    finding::render(findings)
}
