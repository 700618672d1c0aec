//! Writing to disk so that after a crash there is the old state or the new one, never something between.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Replaces `path` by a file with `bytes`: written beside it, synced, renamed over it.
///
/// # Errors
/// Those of the file system; the old file is then still whole.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_parent(path)
}

/// Puts the finished folder `from` in its place `to`, which must not exist; its files must be synced already.
///
/// # Errors
/// Those of the file system; `to` is then absent or whole.
pub fn settle(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    sync_parent(to)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// The folder that a path lies in: of a bare file name the present one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What a person is told of an error behind which the file system may stand: what is wrong and what to do.
#[must_use]
pub fn trouble(error: &(dyn std::error::Error + 'static)) -> String {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && let Some(told) = told(io.kind())
        {
            return told.to_owned();
        }
        // Parquet hands on an error of the file system as its text alone
        if error.to_string().contains("No space left on device") {
            return told(io::ErrorKind::StorageFull).unwrap_or_default().to_owned();
        }
        source = error.source();
    }
    "cannot be read or written".to_owned()
}

fn told(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: make room and run the command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the folder is read-only: mount it for writing and run the command again",
        io::ErrorKind::PermissionDenied => "permission denied: run the command as the user that owns the node's folder",
        io::ErrorKind::NotFound => "no such file or folder",
        io::ErrorKind::IsADirectory => "is a folder, not a file",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_file_name_lies_in_the_present_folder() {
        assert_eq!(folder_of(Path::new("alliance.json")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/alliance.json")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/alliance.json")), Path::new("/"));
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["one", "another"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
