//! Keeping snapshots: which there are, which are pinned, and deleting the others.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use node_domain::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    durable,
    shelf::{self, ShelfError, at},
};

/// Beside a snapshot's manifest, which knows no time: when it was put in force, and whether it is to be kept.
const NOTE: &str = "kept.json";

/// What is noted of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// When it was put in force, the last time.
    pub published: DateTime<Utc>,
    /// Who published it.
    pub by: String,
    /// Why it must not be deleted, where it must not.
    pub pinned: Option<String>,
    /// When it was put in force before that, oldest first: the same content may be published again.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub earlier: Vec<Publication>,
}

/// When a snapshot was put in force, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// When.
    pub published: DateTime<Utc>,
    /// Who published it.
    pub by: String,
}

/// A snapshot on the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its identity.
    pub id: Digest,
    /// What is noted of it; `None` for one that was never put in force.
    pub note: Option<Note>,
    /// Whether it is the one in force.
    pub in_force: bool,
}

/// Why a snapshot stays.
#[derive(Debug, thiserror::Error)]
pub enum KeepingError {
    /// The shelf.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The text names none.
    #[error("name a snapshot by the first digits of its identity, or `current`: `alianza snapshot list` shows them")]
    Unnamed,
    /// No snapshot begins so.
    #[error("no snapshot begins with `{0}`: `alianza snapshot list` shows those that there are")]
    Unknown(String),
    /// More than one begins so.
    #[error("{0} snapshots begin with `{1}`: `alianza snapshot list` shows them")]
    Ambiguous(usize, String),
    /// It is in force.
    #[error("snapshot {} is in force: publish another one first", .0.short())]
    InForce(Digest),
    /// It is pinned.
    #[error("snapshot {} is pinned ({why}): unpin it first", id.short())]
    Pinned {
        /// Which.
        id: Digest,
        /// Why.
        why: String,
    },
}

/// All snapshots, the latest first.
///
/// # Errors
/// Those of the file system, and a note that is damaged.
pub fn list(shelf: &Path) -> Result<Vec<Kept>, ShelfError> {
    let current = shelf::current(shelf)?;
    let mut kept = Vec::new();
    let entries = match fs::read_dir(shelf) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
        Err(error) => return Err(at(shelf)(error)),
    };
    for entry in entries {
        let path = entry.map_err(at(shelf))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Ok(id) = format!("sha256:{name}").parse::<Digest>() {
            kept.push(Kept { id, note: read(shelf, id)?, in_force: current == Some(id) });
        }
    }
    let published = |kept: &Kept| kept.note.as_ref().map(|note| note.published);
    kept.sort_by(|a, b| published(b).cmp(&published(a)).then(a.id.cmp(&b.id)));
    Ok(kept)
}

/// The snapshot whose identity begins with `text` (with or without `sha256:`), or `current`.
///
/// # Errors
/// Where there is none or more than one.
pub fn find(shelf: &Path, text: &str) -> Result<Kept, KeepingError> {
    let start = text.trim().trim_start_matches("sha256:");
    if start.is_empty() {
        return Err(KeepingError::Unnamed);
    }
    let fits = |kept: &Kept| if start == "current" { kept.in_force } else { kept.id.hex().starts_with(start) };
    let mut found: Vec<Kept> = list(shelf)?.into_iter().filter(fits).collect();
    match (found.pop(), found.len()) {
        (Some(kept), 0) => Ok(kept),
        (Some(_), others) => Err(KeepingError::Ambiguous(others + 1, text.to_owned())),
        (None, _) => Err(KeepingError::Unknown(text.to_owned())),
    }
}

fn note_path(shelf: &Path, id: Digest) -> PathBuf {
    shelf::place(shelf, id).join(NOTE)
}

fn read(shelf: &Path, id: Digest) -> Result<Option<Note>, ShelfError> {
    let path = note_path(shelf, id);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| ShelfError::Form(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

fn write(shelf: &Path, id: Digest, note: &Note) -> Result<(), ShelfError> {
    let path = note_path(shelf, id);
    let bytes = serde_json::to_vec_pretty(note).map_err(|_| ShelfError::Form(path.clone()))?;
    durable::replace(&path, &bytes).map_err(at(&path))
}

/// Notes that a snapshot was put in force, and returns what was noted of it before. One that was pinned stays pinned; that of one that
/// was `in_force` already stays as it is.
///
/// # Errors
/// Those of the file system.
pub fn note_published(
    shelf: &Path,
    id: Digest,
    now: DateTime<Utc>,
    by: &str,
    in_force: bool,
) -> Result<Option<Note>, ShelfError> {
    let before = read(shelf, id)?;
    if in_force && before.is_some() {
        return Ok(before);
    }
    let (pinned, earlier) = match &before {
        None => (None, Vec::new()),
        Some(note) => {
            let last = Publication { published: note.published, by: note.by.clone() };
            (note.pinned.clone(), note.earlier.iter().cloned().chain([last]).collect())
        }
    };
    write(shelf, id, &Note { published: now, by: by.to_owned(), pinned, earlier })?;
    Ok(before)
}

/// Pins a snapshot, or takes the pin away.
///
/// # Errors
/// Those of the file system.
pub fn pin(shelf: &Path, kept: &Kept, why: Option<&str>, now: DateTime<Utc>) -> Result<(), ShelfError> {
    let note =
        kept.note.clone().unwrap_or(Note { published: now, by: String::new(), pinned: None, earlier: Vec::new() });
    write(shelf, kept.id, &Note { pinned: why.map(str::to_owned), ..note })
}

/// Whether a snapshot may be deleted.
///
/// # Errors
/// Where it is in force or pinned.
pub fn may_go(kept: &Kept) -> Result<(), KeepingError> {
    if let Some(why) = kept.note.as_ref().and_then(|note| note.pinned.clone()) {
        return Err(KeepingError::Pinned { id: kept.id, why });
    }
    if kept.in_force {
        return Err(KeepingError::InForce(kept.id));
    }
    Ok(())
}

/// Deletes a snapshot.
///
/// # Errors
/// As [`may_go`], and where the file system does not let it.
pub fn delete(shelf: &Path, kept: &Kept) -> Result<(), KeepingError> {
    may_go(kept)?;
    let place = shelf::place(shelf, kept.id);
    Ok(fs::remove_dir_all(&place).map_err(at(&place))?)
}

/// Deletes every folder but the snapshot in force: pinned, damaged and unfinished ones too. An erasure must. Returns how many went.
///
/// # Errors
/// Where the file system does not let it.
pub fn sweep(shelf: &Path) -> Result<usize, ShelfError> {
    let current = shelf::current(shelf)?.map(|id| shelf::place(shelf, id));
    let mut gone = 0;
    for entry in fs::read_dir(shelf).map_err(at(shelf))? {
        let path = entry.map_err(at(shelf))?.path();
        if path.is_dir() && Some(&path) != current.as_ref() {
            fs::remove_dir_all(&path).map_err(at(&path))?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// The snapshots that may go when the newest `keep` stay: neither in force nor pinned.
#[must_use]
pub fn superfluous(all: &[Kept], keep: usize) -> Vec<&Kept> {
    let free = |kept: &&Kept| !kept.in_force && kept.note.as_ref().is_none_or(|note| note.pinned.is_none());
    all.iter().skip(keep).filter(free).collect()
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;

    use super::*;
    use crate::manifest::Provenance;

    #[test]
    fn what_is_pinned_or_in_force_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let time = |minute: i64| DateTime::from_timestamp(60 * minute, 0).unwrap();
        for number in 0..4 {
            let provenance = Provenance { objected: number, ..Provenance::default() };
            let prepared = shelf::prepare(folder.path(), &dictionary, provenance, &[]).unwrap();
            let id = prepared.id;
            prepared.enforce(folder.path(), &dictionary, b"[]").unwrap();
            let minute = i64::try_from(number).unwrap();
            assert_eq!(note_published(folder.path(), id, time(minute), "test", false).unwrap(), None);
        }
        let all = list(folder.path()).unwrap();
        assert_eq!(all.iter().map(|kept| kept.in_force).collect::<Vec<_>>(), [true, false, false, false]);
        assert!(matches!(delete(folder.path(), &all[0]), Err(KeepingError::InForce(_))));
        pin(folder.path(), &all[2], Some("annual report 2026"), time(9)).unwrap();
        let all = list(folder.path()).unwrap();
        assert!(matches!(delete(folder.path(), &all[2]), Err(KeepingError::Pinned { .. })));
        let go: Vec<Digest> = superfluous(&all, 1).iter().map(|kept| kept.id).collect();
        assert_eq!(go, [all[1].id, all[3].id]);
        delete(folder.path(), &all[3]).unwrap();
        assert_eq!(find(folder.path(), &all[2].id.short()).unwrap().id, all[2].id);
        assert_eq!(find(folder.path(), "current").unwrap().id, all[0].id);
        assert!(matches!(find(folder.path(), "zz"), Err(KeepingError::Unknown(_))));
        assert_eq!(list(folder.path()).unwrap().len(), 3);
        for nothing in ["", " ", "sha256:"] {
            assert!(matches!(find(folder.path(), nothing), Err(KeepingError::Unnamed)), "`{nothing}`");
        }
    }

    #[test]
    fn the_same_content_published_again_keeps_what_was_noted() {
        let folder = tempfile::tempdir().unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let time = |minute: i64| DateTime::from_timestamp(60 * minute, 0).unwrap();
        let prepared = shelf::prepare(folder.path(), &dictionary, Provenance::default(), &[]).unwrap();
        let id = prepared.id;
        prepared.enforce(folder.path(), &dictionary, b"[]").unwrap();
        note_published(folder.path(), id, time(1), "Ana", false).unwrap();
        let note = || list(folder.path()).unwrap().remove(0).note.unwrap();
        let first = note();
        let before = note_published(folder.path(), id, time(2), "Leo", true).unwrap();
        assert_eq!((before, note()), (Some(first.clone()), first), "it is in force already: nothing is overwritten");
        note_published(folder.path(), id, time(3), "Eva", false).unwrap();
        let again = note();
        assert_eq!(
            (again.by.as_str(), again.earlier),
            ("Eva", vec![Publication { published: time(1), by: "Ana".into() }])
        );
    }
}
