//! `init`, `renew-certificate`, `add-token`: the folder of a node.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use node_domain::digest::Digest;
use node_snapshot::durable;
use node_trust::keys::fingerprint;

use crate::{
    cli::{AddTokenArgs, Ended, InitArgs},
    config::Home,
    keystore::{KeyStore, fresh_token, write_secret},
    operate::{NewNode, POLICY, create, hosts},
    people_port::{AccessToken, AccessTokens},
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
    let mut tokens: AccessTokens = toml::from_str(&fs::read_to_string(home.tokens())?)?;
    let name = free_name(&arguments.name, &tokens).with_context(|| home.tokens().display().to_string())?;
    let token = fresh_token()?;
    tokens.token.push(AccessToken { name, role: arguments.role, sha256: Digest::of(token.as_bytes()) });
    match &arguments.out {
        Some(path) => write_secret(path, token.as_bytes())?,
        None => say(&token),
    }
    durable::replace(&home.tokens(), toml::to_string(&tokens)?.as_bytes())?;
    crate::terminal::note("The node reads the list of tokens when it starts: restart it.");
    Ok(Ended::Well)
}

/// The name without spaces around it, where nobody has it: who decides must not be taken for who asked.
fn free_name(wanted: &str, tokens: &AccessTokens) -> anyhow::Result<String> {
    let name = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().any(char::is_control) {
        bail!("--name: a name is needed, which the audit shows");
    }
    let lower = name.to_lowercase();
    if let Some(known) = tokens.token.iter().find(|known| known.name.trim().to_lowercase() == lower) {
        bail!("{} has a token already; remove that entry first, or give the other person another name", known.name);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use node_policy::role::Role;

    use super::*;

    #[test]
    fn names_are_trimmed_and_nobody_has_anothers() {
        let eva = AccessToken { name: "Eva Ruiz".to_owned(), role: Role::Steward, sha256: Digest::of(b"token") };
        let tokens = AccessTokens { token: vec![eva] };
        assert_eq!(free_name("  Ana  María ", &tokens).unwrap(), "Ana María");
        for taken in ["Eva Ruiz", "EVA RUIZ", " eva  ruiz "] {
            assert!(free_name(taken, &tokens).unwrap_err().to_string().starts_with("Eva Ruiz has a token"), "{taken}");
        }
        for none in ["", "  ", "A\u{7}na"] {
            assert!(free_name(none, &tokens).is_err(), "{none:?}");
        }
    }
}
