//! `join`: the ceremony by which a node comes to trust a committee, and how it brings a newer membership.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use node_domain::clock::{Clock, SystemClock};
use node_store::Store;
use node_trust::{membership::MembershipFile, roster::Roster};

use crate::{
    application::roster_in_force,
    cli::{Ended, JoinArgs},
    config::Home,
    keystore::KeyStore,
    terminal::say,
};

/// `join`
pub(crate) async fn run(dir: &Path, arguments: &JoinArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let text = fs::read(&arguments.file).with_context(|| arguments.file.display().to_string())?;
    let file = MembershipFile::parse(&text)?;
    let expected = file.membership.committee.fingerprint()?;
    let store = Store::open(&home.database()).await?;
    if store.newest_epoch().await?.is_none() {
        let Some(said) = &arguments.fingerprint else {
            say(format!(
                "The committee of {} has {} keys, of which {} must sign.",
                arguments.file.display(),
                file.membership.committee.keys.len(),
                file.membership.committee.threshold
            ));
            say(format!("Its fingerprint is  {expected}"));
            say("Call a member of the committee, compare it by voice, and join with:");
            say(format!("  alianza join {} --fingerprint '{expected}'", arguments.file.display()));
            return Ok(Ended::Found);
        };
        let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        if digits(said) != digits(&expected) {
            bail!(
                "the committee of {} has another fingerprint, {expected}: do not join before the difference is explained",
                arguments.file.display()
            );
        }
    }
    let epoch = adopt(&home, &store, file, SystemClock.now()).await?;
    store.close().await;
    say(format!("Node {} is in the alliance, membership epoch {epoch}.", home.config.node));
    Ok(Ended::Well)
}

/// Verifies and keeps a membership: the first under its own committee, which the operator has compared; later ones under the
/// committee before.
pub(crate) async fn adopt(home: &Home, store: &Store, file: MembershipFile, now: DateTime<Utc>) -> anyhow::Result<u64> {
    let roster = if store.newest_epoch().await?.is_none() {
        let committee = file.membership.committee.clone();
        Roster::trust(file, &committee, now)?
    } else {
        roster_in_force(store).await?.succeed(file, now)?
    };
    let node = &home.config.node;
    let keys = KeyStore::new(home.keys());
    let member = roster
        .member(node)
        .with_context(|| format!("node {node} is not in that file: send member.json to the committee"))?;
    if member.signing_key != keys.signing()?.public() || !member.tls_pins.contains(&keys.tls()?.pin) {
        bail!("the file has other keys for {node} than this folder: send the committee this node's member.json");
    }
    store.adopt_membership(roster.epoch(), &serde_json::to_string(roster.file())?, now).await?;
    Ok(roster.epoch())
}
