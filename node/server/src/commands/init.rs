//! `init`, `renew-certificate`, `add-token`: the folder of a node.

use std::path::Path;

use anyhow::bail;
use node_trust::keys::fingerprint;

use crate::{
    cli::{AddTokenArgs, Ended, InitArgs},
    config::Home,
    keystore::{KeyStore, write_secret},
    operate::{self, NewNode, POLICY, create, hosts},
    terminal::say,
};

/// `init`
pub(crate) fn run(dir: &Path, arguments: &InitArgs) -> anyhow::Result<Ended> {
    let InitArgs { node, url, operator, listen, people_listen } = arguments.clone();
    let member = create(dir, &NewNode { node, url, operator, listen, people_listen }, POLICY)?;
    say(format!("Made the folder of node {} in {}.", arguments.node, dir.display()));
    say("  keys/          private keys, readable by this user only; back them up where nobody else reads them");
    say(format!("  node.toml      configuration; check it with: alianza check-config --dir {}", dir.display()));
    say("  policy.toml    what may leave this node; for the data steward");
    say("  member.json    this node's entry of the membership file; send it to the committee");
    say("");
    say("The committee compares these by voice before it signs:");
    say(format!("  signing key    {}", member.signing_key.fingerprint()));
    say(format!("  TLS key        {}", fingerprint(member.tls_pins[0])));
    say("");
    say("Then: alianza join MEMBERSHIP-FILE");
    Ok(Ended::Well)
}

/// `renew-certificate`
pub(crate) fn renew_certificate(dir: &Path) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let keys = KeyStore::new(home.keys());
    keys.renew_certificate(&home.config.node, &hosts(&home.config.peer.url))?;
    say(format!("Made a new certificate of the same key, thumbprint {}.", keys.tls()?.thumbprint));
    say("A running node picks it up within a second; peers need not be told.");
    Ok(Ended::Well)
}

/// `add-token`
pub(crate) fn add_token(dir: &Path, arguments: &AddTokenArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    if let Some(path) = arguments.out.as_ref().filter(|path| path.exists()) {
        bail!("{}: is there already and is not replaced; nobody was added", path.display());
    }
    let token = operate::add_person(&home, &arguments.name, arguments.role)?;
    match &arguments.out {
        Some(path) => write_secret(path, token.as_bytes())?,
        None => say(&token),
    }
    crate::terminal::note("The node reads the list of tokens when it starts: restart it.");
    Ok(Ended::Well)
}
