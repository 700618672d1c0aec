//! What nodes tell each other beside answers: audit heads, and the newest membership.

use node_domain::node_id::NodeId;
use node_protocol::{
    envelope::{AuditHead, HEADS_PAGE, Heads, NodeStatement},
    problem::{Problem, ProblemKind},
};
use node_trust::membership::MembershipFile;

use crate::{
    peer::{body, send},
    study::Requester,
};

/// The most heads that are read from one peer.
const MAX_HEADS: usize = 1_000_000;

impl Requester {
    /// Exchanges heads with every active peer and adopts the newest membership among them. Returns what each said.
    pub async fn gossip(&self) -> Vec<(NodeId, Result<Heads, Problem>)> {
        let peers: Vec<NodeId> = self.peers.tls().roster.load().active().map(|member| member.node.clone()).collect();
        let mut told = Vec::new();
        for peer in peers.into_iter().filter(|peer| *peer != self.node) {
            let heads = self.exchange_heads(&peer).await;
            told.push((peer, heads));
        }
        told
    }

    /// Asks one peer for its head and keeps it; learns of heads of this node beyond its own end, which would be proof of a cut.
    ///
    /// # Errors
    /// Where the peer cannot be reached or refuses.
    pub async fn exchange_heads(&self, peer: &NodeId) -> Result<Heads, Problem> {
        let own = self.store.head().await.map_or(0, |head| head.sequence);
        let bytes = self.get(peer, &format!("/v1/heads?after={own}")).await?;
        let heads: Heads = serde_json::from_slice(&bytes).map_err(|_| not_ours())?;
        self.keep_head(peer, heads.own).await;
        self.catch_up(peer, heads.epoch).await;
        Ok(heads)
    }

    /// What a peer says of itself.
    ///
    /// # Errors
    /// Where the peer cannot be reached or refuses.
    pub async fn describe(&self, peer: &NodeId) -> Result<NodeStatement, Problem> {
        serde_json::from_slice(&self.get(peer, "/v1/node").await?).map_err(|_| not_ours())
    }

    pub(crate) async fn keep_head(&self, peer: &NodeId, head: AuditHead) {
        if let Err(error) = self.store.hold_head(peer, head, self.clock.now()).await {
            tracing::error!(peer.id = %peer, error = &error as &dyn std::error::Error, "a peer's audit head was not kept");
        }
    }

    /// Fetches and adopts the membership of a peer that knows a higher epoch.
    pub(crate) async fn catch_up(&self, peer: &NodeId, epoch: u64) {
        let in_force = self.peers.tls().roster.load().epoch();
        if epoch <= in_force {
            return;
        }
        match self.adopt_from(peer).await {
            Ok(epoch) => {
                tracing::info!(peer.id = %peer, membership.epoch = epoch, "a newer membership came into force");
            }
            Err(problem) => tracing::warn!(peer.id = %peer, %problem, "a peer's newer membership was not adopted"),
        }
    }

    /// Adopts the peer's files in order: each epoch is signed by the committee of the one before.
    async fn adopt_from(&self, peer: &NodeId) -> Result<u64, Problem> {
        let mut epoch = self.peers.tls().roster.load().epoch();
        let bytes = self.get(peer, &format!("/v1/membership?after={epoch}")).await?;
        let files: Vec<MembershipFile> = serde_json::from_slice(&bytes).map_err(|_| not_ours())?;
        for file in files {
            epoch = self.adopt(file).await?;
        }
        Ok(epoch)
    }

    /// Puts a newer membership in force, here and in the store.
    ///
    /// # Errors
    /// Where it is older, not validly signed, or cannot be stored; the one in force stays.
    pub async fn adopt(&self, file: MembershipFile) -> Result<u64, Problem> {
        let _one_at_a_time = self.adopting.lock().await;
        let now = self.clock.now();
        let next = self.peers.tls().roster.load().succeed(file, now)?;
        let internal = || ProblemKind::Internal.because("the membership could not be stored");
        let text = serde_json::to_string(next.file()).map_err(|_| internal())?;
        let epoch = next.epoch();
        if !self.store.adopt_membership(epoch, &text, now).await.map_err(|_| internal())? {
            return Err(ProblemKind::MembershipOld.because("a higher epoch was stored meanwhile"));
        }
        self.peers.tls().roster.store(std::sync::Arc::new(next));
        Ok(epoch)
    }

    /// All heads of this node that a peer holds.
    ///
    /// # Errors
    /// Where the peer cannot be reached or refuses.
    pub async fn heads_held_by(&self, peer: &NodeId) -> Result<Vec<AuditHead>, Problem> {
        let mut all: Vec<AuditHead> = Vec::new();
        loop {
            let after = all.last().map_or(0, |head| head.sequence);
            let bytes = self.get(peer, &format!("/v1/heads?after={after}")).await?;
            let page: Heads = serde_json::from_slice(&bytes).map_err(|_| not_ours())?;
            let (full, length) = (page.held.len() >= HEADS_PAGE, all.len());
            all.extend(page.held.into_iter().filter(|head| head.sequence > after));
            if !full || all.len() == length || all.len() > MAX_HEADS {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn get(&self, peer: &NodeId, path: &str) -> Result<Vec<u8>, Problem> {
        let (client, url, _) = self.peers.client(peer)?;
        let request = || Ok(client.get(format!("{url}{path}")).timeout(self.timing.attempt));
        body(send(request).await?).await
    }
}

fn not_ours() -> Problem {
    ProblemKind::AnswerInvalid.because("the peer's statement is not of this protocol")
}
