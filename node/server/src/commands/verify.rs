//! `verify`: a signed answer against memberships, asking nobody.

use std::{fs, path::Path};

use anyhow::Context;
use node_store::Store;
use node_trust::{
    membership::MembershipFile,
    roster::Roster,
    signed::{self, Verified},
};

use crate::{
    cli::{Ended, VerifyArgs, short},
    config::Home,
    people_client::Refused,
    terminal::{say, say_json},
};

/// `verify`
pub(crate) async fn run(dir: &Path, arguments: &VerifyArgs) -> anyhow::Result<Ended> {
    let text = fs::read_to_string(&arguments.file).with_context(|| arguments.file.display().to_string())?;
    let rosters = match &arguments.membership {
        Some(path) => {
            let file = MembershipFile::parse(&fs::read(path).with_context(|| path.display().to_string())?)?;
            let committee = file.membership.committee.clone();
            vec![Roster::restore(file, &committee).with_context(|| path.display().to_string())?]
        }
        None => all_rosters(&Home::open(dir)?).await?,
    };
    let verified = match verify(&text, &rosters) {
        Ok(verified) => verified,
        Err(refused) if arguments.output.json => {
            say_json(&serde_json::json!({ "valid": false, "problem": refused.0 }))?;
            return Ok(Ended::Found);
        }
        Err(refused) => {
            say(format!("NOT VALID  {}: {refused}", arguments.file.display()));
            return Ok(Ended::Found);
        }
    };
    let statement = verified.statement();
    if arguments.output.json {
        say_json(&serde_json::json!({ "valid": true, "statement": statement }))?;
        return Ok(Ended::Well);
    }
    say(format!("VALID      {}", arguments.file.display()));
    say(format!(
        "answered by {} on {} (membership epoch {})",
        statement.node,
        statement.issued.format("%Y-%m-%d %H:%M:%S UTC"),
        statement.epoch
    ));
    if let Some(path) = &arguments.membership {
        let committee = rosters.first().map(|roster| roster.membership().committee.fingerprint()).transpose()?;
        say(format!("trusting the committee of {} with fingerprint {}", path.display(), committee.unwrap_or_default()));
    }
    if rosters.last().is_some_and(|roster| !roster.active().any(|member| member.node == statement.node)) {
        say(format!("note: {} is revoked in the newest membership", statement.node));
    }
    say(format!("study {}, query {}", statement.study, short(&statement.query_hash)));
    say(format!("snapshot {}, policy {}", short(&statement.snapshot), short(&statement.policy_hash)));
    say(format!("audit head {} at entry {}", short(&statement.audit_head.hash), statement.audit_head.sequence));
    Ok(Ended::Well)
}

/// Verifies with the newest membership first: old answers may be signed with keys of an older one.
fn verify(text: &str, rosters: &[Roster]) -> Result<Verified, Refused> {
    let mut first = None;
    for roster in rosters.iter().rev() {
        match signed::verify_offline(text, roster) {
            Ok(verified) => return Ok(verified),
            Err(problem) => first = first.or(Some(problem)),
        }
    }
    let none =
        || node_protocol::problem::ProblemKind::MembershipInvalid.because("there is no membership to verify with");
    Err(Refused(first.unwrap_or_else(none)))
}

async fn all_rosters(home: &Home) -> anyhow::Result<Vec<Roster>> {
    let store = Store::open(&home.database()).await?;
    let mut rosters: Vec<Roster> = Vec::new();
    for text in store.memberships().await? {
        let file = MembershipFile::parse(text.as_bytes())?;
        let committee =
            rosters.last().map_or(&file.membership.committee, |roster| &roster.membership().committee).clone();
        rosters.push(Roster::restore(file, &committee)?);
    }
    store.close().await;
    Ok(rosters)
}
