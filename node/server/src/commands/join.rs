//! `join`: the ceremony by which a node comes to trust a committee, and how it brings a newer membership.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use node_domain::clock::{Clock, SystemClock};
use node_store::Store;
use node_trust::membership::MembershipFile;

use crate::{
    cli::{Ended, JoinArgs},
    config::Home,
    operate::adopt,
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
