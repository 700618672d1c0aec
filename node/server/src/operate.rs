//! What an operator does to a node's folder: make it, join, load, publish. Commands, the rehearsal and the tests share it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDate, Utc};
use node_catalogue::Report;
use node_domain::{dictionary::Dictionary, digest::Digest, language::Text, node_id::NodeId};
use node_ingest::{
    batch::Hold,
    classification::Classification,
    defect::Defect,
    derivation::{self, Means},
    load::{self, Audience, Content, Outcome, Registrar, Request, Source},
    mapping::Format,
    pseudonym::PseudonymKey,
    quality::rule::Rules,
};
use node_policy::role::Role;
use node_protocol::envelope::CatalogueEntry;
use node_snapshot::{
    durable,
    keeping::{self, Note},
    manifest::Manifest,
    shelf,
};
use node_store::{Store, ledger::ExactRelease};
use node_trust::{
    membership::{Member, MemberStatus, MembershipFile},
    roster::Roster,
};
use serde::Deserialize;

use crate::{
    application::roster_in_force,
    config::{Config, Home},
    keystore::{KeyStore, fresh_token, write_secret},
    people_client::TOKEN_FILE,
    people_port::{AccessToken, AccessTokens},
    shelved::Shelf,
};

const CONFIG: &str = include_str!("../../../config/node.toml");
const MEMBERS: &str = include_str!("../../../config/members.csv");

/// The policy that ships.
pub const POLICY: &str = include_str!("../../../config/policy.toml");

/// A country of `config/members.csv`.
#[derive(Debug, Clone, Deserialize)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub iso2: String,
    name_es: String,
    name_en: String,
    name_pt: String,
    /// `Y` for the sixteen that the alliance begins with.
    pub default_member: String,
}

impl Country {
    /// The countries that the alliance may have, in the order of the file.
    ///
    /// # Errors
    /// Never for the file that ships.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        csv::Reader::from_reader(MEMBERS.as_bytes())
            .deserialize()
            .map(|row| row.context("config/members.csv"))
            .collect()
    }

    /// Its names in three languages.
    #[must_use]
    pub fn names(&self) -> Text {
        Text { es: self.name_es.clone(), pt: self.name_pt.clone(), en: self.name_en.clone() }
    }
}

/// What a new node is made from.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Identity.
    pub node: NodeId,
    /// URL by which peers reach it.
    pub url: String,
    /// The institute that runs it.
    pub operator: String,
    /// Address of the port for peers.
    pub listen: SocketAddr,
    /// Address of the port for people.
    pub people_listen: SocketAddr,
}

/// Makes a node's folder and returns its member record, which is also written there.
///
/// # Errors
/// Where there is a node already, a value cannot work, or a file cannot be written.
pub fn create(dir: &Path, new: &NewNode, policy: &str) -> anyhow::Result<Member> {
    let NewNode { node, url, operator, listen, people_listen } = new;
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?; // batches and snapshots hold rows
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
    let token = fresh_token()?;
    write_secret(&dir.join("keys").join(TOKEN_FILE), token.as_bytes())?;
    let first =
        AccessToken { name: "researcher".to_owned(), role: Role::Researcher, sha256: Digest::of(token.as_bytes()) };
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

/// Gives a person of the institute an access token, which a node knows from its next start on.
///
/// # Errors
/// Where the person has one already, or a file cannot be read or written.
pub fn add_person(home: &Home, name: &str, role: Role) -> anyhow::Result<String> {
    let list = home.tokens();
    let mut tokens: AccessTokens = toml::from_str(&fs::read_to_string(&list)?)?;
    let name = free_name(name, &tokens).with_context(|| list.display().to_string())?;
    let token = fresh_token()?;
    tokens.token.push(AccessToken { name, role, sha256: Digest::of(token.as_bytes()) });
    durable::replace(&list, toml::to_string(&tokens)?.as_bytes())?;
    Ok(token)
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

fn country_of(node: &NodeId) -> anyhow::Result<Country> {
    let code = node.as_str().split('-').next().unwrap_or_default().to_uppercase();
    let known = Country::all()?.into_iter().find(|country| country.iso2 == code);
    known.with_context(|| format!("{node}: {code} is no country of the alliance's list (config/members.csv)"))
}

/// The host of a URL, and the names of this machine's loopback, for the certificate.
pub(crate) fn hosts(url: &str) -> Vec<String> {
    let host = url.trim_start_matches("https://").split(['/', ':']).next().unwrap_or("localhost");
    vec![host.to_owned(), "localhost".to_owned()]
}

/// Verifies and keeps a membership: the first under its own committee, which the operator has compared; later ones under the
/// committee before.
pub async fn adopt(home: &Home, store: &Store, file: MembershipFile, now: DateTime<Utc>) -> anyhow::Result<u64> {
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

/// Everything that loading, judging and deriving need beside the data.
pub struct Ground {
    /// The dictionary.
    pub dictionary: Dictionary,
    /// The quality rules.
    pub rules: Rules,
    classification: Classification,
    key: PseudonymKey,
    data: PathBuf,
}

impl Ground {
    /// Of a node's folder.
    ///
    /// # Errors
    /// Where the node's key cannot be read.
    pub fn of(home: &Home) -> anyhow::Result<Self> {
        let dictionary = Dictionary::built_in()?;
        Ok(Self {
            rules: Rules::built_in(&dictionary)?,
            classification: Classification::built_in(home.config.classification)?,
            key: KeyStore::new(home.keys()).pseudonym()?,
            data: home.data(),
            dictionary,
        })
    }

    /// What derivation needs.
    #[must_use]
    pub fn means(&self) -> Means<'_> {
        Means { dictionary: &self.dictionary, rules: &self.rules, classification: &self.classification, key: &self.key }
    }

    /// What batches are made with.
    #[must_use]
    pub fn registrar(&self, by: &str, now: DateTime<Utc>) -> Registrar<'_> {
        Registrar {
            data: self.data.clone(),
            dictionary: &self.dictionary,
            rules: &self.rules,
            key: &self.key,
            by: by.to_owned(),
            now,
        }
    }
}

/// The files of a folder that are named after collections: `patient.csv`, `tumour.csv.gz`.
///
/// # Errors
/// Where the dictionary cannot be read.
pub fn sources_in(folder: &Path) -> anyhow::Result<Vec<Source>> {
    let dictionary = Dictionary::built_in()?;
    let named = dictionary.collections().flat_map(|table| {
        [format!("{}.csv", table.name), format!("{}.csv.gz", table.name)]
            .map(|file| Source { content: Content::Collection(table.name.clone()), path: folder.join(file) })
    });
    Ok(named.filter(|source| source.path.is_file()).collect())
}

/// Loads files of collections into a node's folder, as they are.
///
/// # Errors
/// Those of the file system; what is wrong with the files goes to `report`.
pub fn load(
    home: &Home,
    sources: &[Source],
    extracted_on: NaiveDate,
    now: DateTime<Utc>,
    report: &mut dyn FnMut(Defect),
) -> anyhow::Result<Outcome> {
    let ground = Ground::of(home)?;
    let request = Request { sources, mapping: None, format: Format::default(), extracted_on, dry_run: false };
    let audience = Audience { defect: report, progress: &mut |_, _| {} };
    Ok(load::load(&ground.registrar("operator", now), &request, audience)?)
}

/// What a publication made.
pub struct Publication {
    /// The snapshot.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its catalogue.
    pub catalogue: Vec<CatalogueEntry>,
    /// What became of the catalogue's cells.
    pub report: Report,
    /// The snapshot that was in force before, with its manifest, where there was one that can be read.
    pub former: Option<(Digest, Manifest)>,
    /// What was noted of the same content, where it was published before.
    pub same_before: Option<Note>,
}

/// Whether a publication is put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// It is.
    InForce,
    /// It is only looked at.
    DryRun,
}

/// Derives, computes the catalogue, and puts the snapshot in force.
///
/// # Errors
/// Those of the file system; the former snapshot is then still in force.
pub fn publish(home: &Home, by: &str, now: DateTime<Utc>) -> anyhow::Result<Publication> {
    publish_or_look(home, by, now, Publish::InForce)
}

/// As [`publish`], or everything but putting it in force.
///
/// # Errors
/// Those of the file system; the former snapshot is then still in force.
pub fn publish_or_look(home: &Home, by: &str, now: DateTime<Utc>, what: Publish) -> anyhow::Result<Publication> {
    let ground = Ground::of(home)?;
    let _hold = Hold::take(&home.data())?;
    let dictionary = &ground.dictionary;
    let shelf = home.snapshots();
    // a manifest of an earlier form is no hindrance: it is only compared with
    let in_force = shelf::current(&shelf)?;
    let former = in_force.and_then(|id| Some((id, shelf::manifest(&shelf, id).ok()?)));
    let derived = derivation::derive(&home.data(), &ground.means())?;
    let prepared = shelf::prepare(&shelf, dictionary, derived.provenance, &derived.tables)?;
    let shelved = Shelf::of(home, &Arc::new(Dictionary::built_in()?), exact_answers(home)?);
    let made = shelved.make(&Arc::new(prepared.load(dictionary)?))?;
    let (id, manifest) = (prepared.id, prepared.manifest.clone());
    let mut same_before = None;
    if what == Publish::InForce {
        prepared.enforce(&shelf, dictionary, &serde_json::to_vec(&made)?)?;
        same_before = keeping::note_published(&shelf, id, now, by, in_force == Some(id))?;
    }
    Ok(Publication { id, manifest, catalogue: made.entries, report: made.report, former, same_before })
}

/// The exact answers that the node's ledger knows. Publishing is no asynchronous work, so a thread of its own reads them.
pub(crate) fn exact_answers(home: &Home) -> anyhow::Result<Vec<ExactRelease>> {
    let path = home.database();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let read = move || -> anyhow::Result<Vec<ExactRelease>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let store = Store::open(&path).await?;
            let exact = store.exact_released().await?;
            store.close().await;
            Ok(exact)
        })
    };
    std::thread::spawn(read).join().map_err(|_| anyhow::anyhow!("the ledger could not be read"))?
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
