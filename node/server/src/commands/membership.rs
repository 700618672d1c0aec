//! `membership`: the committee's tools.

use std::{fs, path::Path};

use anyhow::Context;
use node_domain::node_id::NodeId;
use node_snapshot::durable;
use node_trust::{
    keys::{SigningKey, fingerprint},
    membership::{Committee, Member, MemberStatus, Membership, MembershipFile},
};

use crate::{
    cli::{Ended, MembershipCommand},
    keystore::{read_secret, write_secret},
    terminal::{say, say_json},
};

/// `membership`
pub(crate) fn run(command: MembershipCommand) -> anyhow::Result<Ended> {
    match command {
        MembershipCommand::NewKey { out } => {
            let key = SigningKey::generate()?;
            write_secret(&out, key.to_pem()?.as_bytes())?;
            say(key.public());
        }
        MembershipCommand::Draft { epoch, expires, threshold, committee, members, revoked } => {
            let mut nodes = members.iter().map(|path| read_member(path)).collect::<anyhow::Result<Vec<_>>>()?;
            revoke(&mut nodes, &revoked)?;
            let committee = Committee { threshold, keys: committee };
            let membership = Membership { epoch, expires, committee, nodes };
            say_json(&MembershipFile { membership, signatures: Vec::new() })?;
        }
        MembershipCommand::Sign { file, key } => {
            let key = SigningKey::from_pem(&read_secret(&key)?)?;
            let mut signed = read(&file)?;
            signed.sign(&key)?;
            durable::replace(&file, format!("{:#}\n", serde_json::to_value(&signed)?).as_bytes())?;
            let (has, needs) = (signed.signatures.len(), signed.membership.committee.threshold);
            say(format!("{}: {has} of {needs} signatures.", file.display()));
        }
        MembershipCommand::Show { file } => show(&read(&file)?)?,
    }
    Ok(Ended::Well)
}

fn read(path: &Path) -> anyhow::Result<MembershipFile> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    MembershipFile::parse(&text).with_context(|| path.display().to_string())
}

fn read_member(path: &Path) -> anyhow::Result<Member> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{}: not a member record of `alianza init`", path.display()))
}

fn revoke(nodes: &mut [Member], revoked: &[NodeId]) -> anyhow::Result<()> {
    for name in revoked {
        let member = nodes.iter_mut().find(|member| member.node == *name);
        member.with_context(|| format!("{name}: no member record names it"))?.status = MemberStatus::Revoked;
    }
    Ok(())
}

fn show(file: &MembershipFile) -> anyhow::Result<()> {
    let membership = &file.membership;
    let committee = &membership.committee;
    say(format!("Epoch {}, void from {}.", membership.epoch, membership.expires));
    say(format!(
        "Committee: {} of {} sign; fingerprint {}",
        committee.threshold,
        committee.keys.len(),
        committee.fingerprint()?
    ));
    match file.check_past(committee) {
        Ok(()) => say("Signatures: enough and valid."),
        Err(error) => say(format!("Signatures: {error}.")),
    }
    for member in &membership.nodes {
        let status = if member.status == MemberStatus::Active { "active" } else { "revoked" };
        say(format!("{:<8} {status:<8} {} — {}, {}", member.node, member.url, member.operator, member.names.en));
        say(format!("         signing key {}", member.signing_key.fingerprint()));
        for pin in &member.tls_pins {
            say(format!("         TLS key     {}", fingerprint(*pin)));
        }
    }
    Ok(())
}
