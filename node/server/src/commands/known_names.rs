//! Names that a person searches by: what is not known finds nothing, and nothing found must not look like nothing there.

use anyhow::bail;
use node_domain::{
    dictionary::{Dictionary, Field, Kind, Table},
    nearest::unknown,
    node_id::NodeId,
};
use node_store::{Store, audit::entries::EntryFilter};
use node_trust::membership::MembershipFile;

use crate::config::Home;

/// What answers or entries are searched by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'s> {
    /// Analysis table.
    pub(crate) table: Option<&'s str>,
    /// Field or endpoint.
    pub(crate) field: Option<&'s str>,
    /// Value of that field.
    pub(crate) value: Option<&'s str>,
}

/// Refuses a table, field or value that the dictionary does not have, with those that it has.
pub(crate) fn subject(dictionary: &Dictionary, subject: &Subject<'_>) -> anyhow::Result<()> {
    let tables: Vec<&Table> =
        dictionary.tables().filter(|table| subject.table.is_none_or(|name| table.name == name)).collect();
    if let Some(name) = subject.table.filter(|_| tables.is_empty()) {
        let known = dictionary.tables().map(|table| table.name.as_str());
        bail!("--table: {}", unknown("analysis table", name, known));
    }
    let Some(name) = subject.field else { return Ok(()) };
    if !tables.iter().any(|table| table.names().any(|known| known == name)) {
        let known = tables.iter().flat_map(|table| table.names());
        let place = subject.table.map(|table| format!(" of `{table}`")).unwrap_or_default();
        bail!("--field: {}", unknown(&format!("field or endpoint{place}"), name, known));
    }
    let fields: Vec<&Field> = tables.iter().filter_map(|table| table.field(name)).collect();
    match subject.value {
        Some(value) if !fields.iter().any(|field| takes(field, value)) => {
            bail!("--value: {}", no_value(name, value, &fields))
        }
        _ => Ok(()),
    }
}

fn takes(field: &Field, value: &str) -> bool {
    match &field.kind {
        Kind::Code(list) | Kind::Codes(list) => list.position(value).is_some(),
        Kind::Integer { minimum, maximum } => value.parse().is_ok_and(|number| (*minimum..=*maximum).contains(&number)),
        _ => false,
    }
}

fn no_value(name: &str, value: &str, fields: &[&Field]) -> String {
    let codes = fields.iter().filter_map(|field| match &field.kind {
        Kind::Code(list) | Kind::Codes(list) => Some(list.codes.iter().map(|code| code.code.as_str())),
        _ => None,
    });
    let bounds = fields.iter().find_map(|field| match field.kind {
        Kind::Integer { minimum, maximum } => Some((minimum, maximum)),
        _ => None,
    });
    match bounds {
        Some((minimum, maximum)) => format!("`{name}` takes whole numbers between {minimum} and {maximum}"),
        None => unknown(&format!("value of `{name}`"), value, codes.flatten()),
    }
}

/// Refuses a peer that was never a member, and a project that was never proposed here and of which no entry tells.
pub(crate) async fn asker(
    home: &Home,
    store: &Store,
    peer: Option<&NodeId>,
    project: Option<&str>,
) -> anyhow::Result<()> {
    if let Some(peer) = peer {
        let members = members(home, store).await?;
        if !members.contains(peer) {
            bail!("--peer: {}", unknown("node", peer.as_str(), members.iter().map(NodeId::as_str)));
        }
    }
    let Some(project) = project else { return Ok(()) };
    let proposed = store.projects(None).await?;
    let names: Vec<&str> = proposed.iter().map(|stored| stored.project.project.as_str()).collect();
    if !names.contains(&project) && !is_told_of(store, project).await? {
        bail!("--project: {}", unknown("project", project, names));
    }
    Ok(())
}

/// Whether a question named the project, be it one that there is not.
async fn is_told_of(store: &Store, project: &str) -> anyhow::Result<bool> {
    let filter = EntryFilter { project: Some(project.to_owned()), most: Some(1), ..EntryFilter::default() };
    Ok(!store.entries(&filter).await?.is_empty())
}

/// This node, and all that ever were members, the newest membership first.
async fn members(home: &Home, store: &Store) -> anyhow::Result<Vec<NodeId>> {
    let mut members = vec![home.config.node.clone()];
    for text in store.memberships().await?.iter().rev() {
        let file = MembershipFile::parse(text.as_bytes())?;
        members.extend(file.membership.nodes.into_iter().map(|member| member.node));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(table: Option<&str>, field: Option<&str>, value: Option<&str>) -> String {
        let subject = super::subject(&Dictionary::built_in().unwrap(), &Subject { table, field, value });
        subject.map_or_else(|error| error.to_string(), |()| "known".to_owned())
    }

    #[test]
    fn what_the_dictionary_does_not_have_is_told_with_the_nearest() {
        assert_eq!(refused(Some("cases"), Some("index_cancer"), Some("RETINOBLASTOMA")), "known");
        assert_eq!(refused(None, Some("overall"), None), "known");
        assert_eq!(refused(None, Some("diagnosis_year"), Some("2020")), "known");
        let begins = |text: String, with: &str| assert!(text.starts_with(with), "{text}");
        begins(
            refused(Some("case"), None, None),
            "--table: there is no analysis table `case`; nearest first, there are: cases",
        );
        begins(
            refused(None, Some("index_cancr"), None),
            "--field: there is no field or endpoint `index_cancr`; nearest first, there are: index_cancer",
        );
        begins(refused(Some("stock"), Some("index_cancer"), None), "--field: there is no field or endpoint of `stock`");
        begins(
            refused(None, Some("index_cancer"), Some("RETINOBLASTOM")),
            "--value: there is no value of `index_cancer` `RETINOBLASTOM`; nearest first, there are: RETINOBLASTOMA",
        );
        assert_eq!(
            refused(None, Some("diagnosis_year"), Some("x")),
            "--value: `diagnosis_year` takes whole numbers between 1950 and 2100"
        );
    }
}
