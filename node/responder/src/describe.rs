//! What a node says of itself: what it answers, its policy, its audit head, the memberships that it knows.

use node_protocol::{
    envelope::{HEADS_PAGE, Heads, NodeStatement, PROTOCOL_VERSION, PolicyStatement},
    problem::Problem,
    query::STATISTICS,
};
use node_trust::{
    membership::MembershipFile,
    signed::{Kind, sign},
    token::Peer,
};

use crate::answer::{Fault, Responder};

impl Responder {
    /// What this node is able and willing to answer, with its signed policy.
    ///
    /// # Errors
    /// Never for a policy that was parsed; the type is that of canonical JSON.
    pub fn describe(&self) -> Result<NodeStatement, Problem> {
        let published = self.published.load();
        let policy = PolicyStatement {
            node: self.node.clone(),
            policy: &self.policy,
            policy_hash: self.policy_hash,
            issued: self.clock.now(),
        };
        Ok(NodeStatement {
            node: self.node.clone(),
            protocols: vec![PROTOCOL_VERSION],
            software: env!("CARGO_PKG_VERSION").to_owned(),
            dictionaries: self.dictionary.answers.clone(),
            statistics: STATISTICS.map(str::to_owned).to_vec(),
            snapshot: published.as_ref().map(|published| published.snapshot.id),
            epoch: self.roster.load().epoch(),
            policy_hash: self.policy_hash,
            exploration: self.policy.exploration_safeguards(),
            project: self.policy.project_safeguards(),
            catalogue: published.as_ref().map(|published| published.catalogue.entries().to_vec()).unwrap_or_default(),
            policy: sign(&policy, Kind::Policy, &self.node, &self.key).map_err(Fault::from)?.into_string(),
        })
    }

    /// The membership files after an epoch, oldest first, as this node verified them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn memberships(&self, after: u64) -> Result<Vec<MembershipFile>, Problem> {
        let files = self.store.memberships_after(after).await.map_err(Fault::from)?;
        Ok(files.iter().map(|file| MembershipFile::parse(file.as_bytes())).collect::<Result<_, _>>()?)
    }

    /// This node's audit head and the heads of the peer that it holds after an entry.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn heads(&self, peer: &Peer, after: u64) -> Result<Heads, Problem> {
        let own = self.store.head().await.map_err(Fault::from)?;
        let page = u32::try_from(HEADS_PAGE).unwrap_or(u32::MAX);
        let held = self.store.held_heads(peer.node(), after, page).await.map_err(Fault::from)?;
        Ok(Heads { own, held, epoch: self.roster.load().epoch() })
    }
}
