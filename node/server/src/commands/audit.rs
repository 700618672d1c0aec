//! `audit`: the chain, by itself and against what peers hold.

use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use node_domain::{clock::SystemClock, node_id::NodeId};
use node_protocol::envelope::AuditHead;
use node_requester::{
    peer::Peers,
    study::{Requester, Timing},
};
use node_store::{Store, audit::Finding};
use node_trust::tls::TlsState;
use serde_json::json;

use crate::{
    application::{pseudonym, roster_in_force},
    cli::{Ended, Json},
    config::Home,
    keystore::KeyStore,
    terminal::{say, say_json},
};

/// `audit verify`
pub(crate) async fn verify(dir: &Path, offline: bool, output: &Json) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let store = Store::open(&home.database()).await?;
    let mut held: Vec<(NodeId, AuditHead)> = Vec::new();
    let (mut asked, mut silent) = (0, Vec::new());
    if !offline {
        let requester = requester(&home, &store).await?;
        let roster = requester.peers.tls().roster.load_full();
        for peer in roster.active().map(|member| &member.node).filter(|peer| **peer != requester.node) {
            asked += 1;
            match requester.heads_held_by(peer).await {
                Ok(heads) => held.extend(heads.into_iter().map(|head| (peer.clone(), head))),
                Err(_) => silent.push(peer.clone()),
            }
        }
    }
    let (checked, findings) = store.check_chain(&held).await?;
    store.close().await;
    if output.json {
        say_json(&json!({
            "entries": checked, "findings": findings, "heads_compared": held.len(), "peers_asked": asked, "peers_silent": silent
        }))?;
    } else {
        say(format!(
            "{checked} entries checked, compared with {} heads held by {} of {asked} peers.",
            held.len(),
            asked - silent.len()
        ));
        for finding in &findings {
            say(describe(finding));
        }
        if findings.is_empty() {
            say("The chain is whole.");
        }
        if offline || held.is_empty() {
            say("No peer's head was compared: a history that was rewritten and chained anew would not show.");
        }
    }
    Ok(if findings.is_empty() { Ended::Well } else { Ended::Found })
}

/// The asking side alone, to fetch heads while the node may or may not be running.
async fn requester(home: &Home, store: &Store) -> anyhow::Result<Requester> {
    let keys = KeyStore::new(home.keys());
    let tls = TlsState {
        identity: Arc::new(ArcSwap::from_pointee(keys.tls()?)),
        roster: Arc::new(ArcSwap::from_pointee(roster_in_force(store).await?)),
        clock: Arc::new(SystemClock),
    };
    Ok(Requester {
        node: home.config.node.clone(),
        key: Arc::new(keys.signing()?),
        peers: Peers::new(tls),
        store: store.clone(),
        clock: Arc::new(SystemClock),
        draw: Box::new(|| 0), // no study and no token is made here
        timing: Timing { attempt: Duration::from_secs(10), pause: Duration::from_secs(1) },
        pseudonym: pseudonym(&keys)?,
        adopting: tokio::sync::Mutex::new(()),
    })
}

fn describe(finding: &Finding) -> String {
    match finding {
        Finding::Altered { sequence } => format!("ALTERED    entry {sequence} is not what its hash says"),
        Finding::Gap { sequence } => format!("MISSING    entries are missing before entry {sequence}"),
        Finding::Broken { sequence } => format!("BROKEN     entry {sequence} does not continue the one before it"),
        Finding::Rewritten { peer, sequence } => format!("REWRITTEN  {peer} holds another hash for entry {sequence}"),
        Finding::CutOff { peer, sequence } => {
            format!("CUT OFF    {peer} holds the head of entry {sequence}, which is gone")
        }
    }
}

/// `audit list`
pub(crate) async fn list(dir: &Path, most: u32) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let store = Store::open(&home.database()).await?;
    for entry in store.recent_entries(most).await? {
        say(serde_json::to_string(&entry)?);
    }
    store.close().await;
    Ok(Ended::Well)
}
