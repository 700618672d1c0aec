//! `init`, `renew-certificate`, `add-token`: the folder of a node.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use node_domain::{language::Text, node_id::NodeId};
use node_snapshot::durable;
use node_trust::{
    keys::fingerprint,
    membership::{Member, MemberStatus},
};
use rand::TryRngCore;
use serde::Deserialize;

use crate::{
    application::token_hash,
    cli::{AddTokenArgs, Ended, InitArgs},
    config::{Config, Home},
    keystore::{KeyStore, write_secret},
    people_client::TOKEN_FILE,
    people_port::{AccessToken, AccessTokens},
    terminal::say,
};

const CONFIG: &str = include_str!("../../../../config/node.toml");
const POLICY: &str = include_str!("../../../../config/policy.toml");
const MEMBERS: &str = include_str!("../../../../config/members.csv");

/// A country of `config/members.csv`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Country {
    pub(crate) iso2: String,
    name_es: String,
    name_en: String,
    name_pt: String,
    pub(crate) default_member: String,
}

impl Country {
    /// The countries that the alliance may have, in the order of the file.
    pub(crate) fn all() -> anyhow::Result<Vec<Self>> {
        csv::Reader::from_reader(MEMBERS.as_bytes())
            .deserialize()
            .map(|row| row.context("config/members.csv"))
            .collect()
    }

    /// Its names in three languages.
    pub(crate) fn names(&self) -> Text {
        Text { es: self.name_es.clone(), pt: self.name_pt.clone(), en: self.name_en.clone() }
    }
}

/// `init`
pub(crate) fn run(dir: &Path, arguments: &InitArgs) -> anyhow::Result<Ended> {
    let member = create(dir, arguments, POLICY)?;
    say(format!("Made the folder of node {} in {}.", arguments.node, dir.display()));
    say(format!(
        "  keys/          private keys, readable by this user only; back them up where nobody else reads them"
    ));
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

/// Makes a node's folder and returns its member record, which is also written there.
pub(crate) fn create(dir: &Path, arguments: &InitArgs, policy: &str) -> anyhow::Result<Member> {
    let InitArgs { node, url, operator, listen, people_listen } = arguments;
    fs::create_dir_all(dir)?;
    let path = dir.join("node.toml");
    if path.exists() {
        bail!("{}: there is a node already; nothing was changed", path.display());
    }
    let text = CONFIG
        .replace("node = \"mx\"", &format!("node = \"{node}\""))
        .replace("listen = \"0.0.0.0:7443\"", &format!("listen = \"{listen}\""))
        .replace("url = \"https://alianza.example.mx:7443\"", &format!("url = \"{url}\""))
        .replace("listen = \"127.0.0.1:7444\"", &format!("listen = \"{people_listen}\""));
    Config::parse(&text, &path)?;
    let country = country_of(node)?;
    let keys = KeyStore::new(dir.join("keys"));
    keys.create(node, &hosts(url))?;
    let mut secret = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
    let token = secret.map(|byte| format!("{byte:02x}")).concat();
    write_secret(&dir.join("keys").join(TOKEN_FILE), token.as_bytes())?;
    let first = AccessToken {
        name: "researcher".to_owned(),
        role: node_policy::permit::Role::Researcher,
        sha256: token_hash(&token),
    };
    durable::replace(&dir.join("tokens.toml"), toml::to_string(&AccessTokens { token: vec![first] })?.as_bytes())?;
    durable::replace(&dir.join("policy.toml"), policy.as_bytes())?;
    let member = Member {
        node: node.clone(),
        country: country.iso2.clone(),
        names: country.names(),
        operator: operator.clone(),
        url: url.clone(),
        tls_pins: vec![keys.tls()?.pin],
        signing_key: keys.signing()?.public(),
        status: MemberStatus::Active,
    };
    durable::replace(&dir.join("member.json"), format!("{:#}\n", serde_json::to_value(&member)?).as_bytes())?;
    durable::replace(&path, text.as_bytes())?; // last: a folder with node.toml is a whole node
    Ok(member)
}

fn country_of(node: &NodeId) -> anyhow::Result<Country> {
    let code = node.as_str().split('-').next().unwrap_or_default().to_uppercase();
    let known = Country::all()?.into_iter().find(|country| country.iso2 == code);
    known.with_context(|| format!("{node}: {code} is no country of the alliance's list (config/members.csv)"))
}

/// The host of a URL, and the names of this machine's loopback, for the certificate.
fn hosts(url: &str) -> Vec<String> {
    let host = url.trim_start_matches("https://").split(['/', ':']).next().unwrap_or("localhost");
    vec![host.to_owned(), "localhost".to_owned()]
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
    if tokens.token.iter().any(|known| known.name == arguments.name) {
        bail!("{}: has a token already; remove the entry from {} first", arguments.name, home.tokens().display());
    }
    let mut secret = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
    let token = secret.map(|byte| format!("{byte:02x}")).concat();
    tokens.token.push(AccessToken { name: arguments.name.clone(), role: arguments.role, sha256: token_hash(&token) });
    match &arguments.out {
        Some(path) => write_secret(path, token.as_bytes())?,
        None => say(&token),
    }
    durable::replace(&home.tokens(), toml::to_string(&tokens)?.as_bytes())?;
    crate::terminal::note("The node reads the list of tokens when it starts: restart it.");
    Ok(Ended::Well)
}
