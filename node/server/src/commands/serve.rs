//! `serve` and `check-config`.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use node_domain::{
    clock::{Clock, SystemClock},
    dictionary::Dictionary,
};
use node_snapshot::shelf;
use node_store::Store;

use crate::{
    application::{Application, Listeners, roster_in_force},
    cli::Ended,
    config::Home,
    keystore::KeyStore,
    terminal::say,
};

/// `check-config`
pub(crate) async fn check(dir: &Path) -> anyhow::Result<Ended> {
    let home = open(dir)?;
    say(format!("node.toml      node {}, peers at {}", home.config.node, home.config.peer.url));
    say(format!("policy.toml    threshold {} persons, hash {}", home.policy.threshold.persons, home.policy.hash()?));
    let keys = KeyStore::new(home.keys());
    let (tls, signing) = (keys.tls()?, keys.signing()?.public());
    keys.pseudonym()?;
    say(format!("keys           signing key {}", signing.fingerprint()));
    let store = Store::open(&home.database()).await?;
    let roster = roster_in_force(&store).await?;
    roster.in_time(SystemClock.now()).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    match roster.member(&home.config.node) {
        Some(member) if member.signing_key == signing && member.tls_pins.contains(&tls.pin) => {}
        _ => bail!("the membership file has no entry with these keys for {}", home.config.node),
    }
    say(format!(
        "membership     epoch {}, {} nodes, void from {}",
        roster.epoch(),
        roster.membership().nodes.len(),
        roster.membership().expires
    ));
    match shelf::open(&home.snapshots(), &Dictionary::built_in()?)? {
        Some((snapshot, _)) => say(format!("snapshot       {}", snapshot.id)),
        None => say("snapshot       none yet: run `alianza ingest` and `alianza publish`"),
    }
    store.close().await;
    say("All is well; start with: alianza serve");
    Ok(Ended::Well)
}

/// A node's folder, without the licence that a rehearsal has.
fn open(dir: &Path) -> anyhow::Result<Home> {
    let home = Home::open(dir)?;
    if home.policy.rehearsal {
        bail!("the policy says `rehearsal = true`, which is for public or invented data: only `alianza demo` takes it");
    }
    let policy = home.folder.join(&home.config.files.policy);
    home.policy.check_names(&Dictionary::built_in()?).with_context(|| policy.display().to_string())?;
    Ok(home)
}

/// `serve`
pub(crate) async fn run(dir: &Path) -> anyhow::Result<Ended> {
    let home = open(dir)?;
    let listeners = Listeners::bind(home.config.peer.listen, home.config.people.listen)?;
    let application = Application::start(home, listeners, Arc::new(SystemClock)).await?;
    asked_to_stop().await?;
    tracing::info!("stopping");
    application.stop().await;
    Ok(Ended::Well)
}

/// Resolves on SIGTERM or Ctrl-C.
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}
