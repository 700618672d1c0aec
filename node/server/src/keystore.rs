//! The private keys of a node on disk: files that only the node's user may read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use node_domain::node_id::NodeId;
use node_ingest::pseudonym::PseudonymKey;
use node_snapshot::durable;
use node_trust::{
    identity::{self, TlsIdentity},
    keys::SigningKey,
};
use rand::TryRngCore;

/// The folder of keys.
#[derive(Debug, Clone)]
pub struct KeyStore {
    folder: PathBuf,
}

impl KeyStore {
    /// The keys in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Makes every key of a new node; never replaces one.
    ///
    /// # Errors
    /// Where a key is there already or cannot be written.
    pub fn create(&self, node: &NodeId, hosts: &[String]) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        write_secret(&self.pseudonym_path(), fresh_token()?.as_bytes())?;
        write_secret(&self.signing_path(), SigningKey::generate()?.to_pem()?.as_bytes())?;
        let key = identity::generate_key()?;
        write_secret(&self.folder.join("tls.key"), key.as_bytes())?;
        durable::replace(&self.certificate_path(), identity::certificate(node, hosts, &key)?.as_bytes())?;
        Ok(())
    }

    /// Makes a new certificate of the same TLS key: peers need not hear of it.
    ///
    /// # Errors
    /// Where the key cannot be read or the certificate not written.
    pub fn renew_certificate(&self, node: &NodeId, hosts: &[String]) -> anyhow::Result<()> {
        let certificate = identity::certificate(node, hosts, &self.read("tls.key")?)?;
        durable::replace(&self.certificate_path(), certificate.as_bytes())?;
        Ok(())
    }

    /// The TLS certificate with its key.
    ///
    /// # Errors
    /// Where a file is missing, readable by others, or not what it should be.
    pub fn tls(&self) -> anyhow::Result<TlsIdentity> {
        let certificate = fs::read_to_string(self.certificate_path())
            .with_context(|| self.certificate_path().display().to_string())?;
        Ok(TlsIdentity::from_pem(&certificate, &self.read("tls.key")?)?)
    }

    /// The signing key.
    ///
    /// # Errors
    /// As [`Self::tls`].
    pub fn signing(&self) -> anyhow::Result<SigningKey> {
        Ok(SigningKey::from_pem(&self.read("signing.key")?)?)
    }

    /// The key of pseudonyms.
    ///
    /// # Errors
    /// As [`Self::tls`].
    pub fn pseudonym(&self) -> anyhow::Result<PseudonymKey> {
        let text = self.read("pseudonym.key")?;
        let mut secret = [0; 32];
        let hex = text.trim();
        if hex.len() != 64 || !hex.is_ascii() {
            bail!("{}: not 64 hexadecimal digits", self.pseudonym_path().display());
        }
        for (at, byte) in secret.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16)
                .with_context(|| self.pseudonym_path().display().to_string())?;
        }
        Ok(PseudonymKey::new(&secret))
    }

    /// The certificate's file, whose change is noticed by the running node.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    fn signing_path(&self) -> PathBuf {
        self.folder.join("signing.key")
    }

    fn pseudonym_path(&self) -> PathBuf {
        self.folder.join("pseudonym.key")
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        read_secret(&self.folder.join(name))
    }
}

/// A fresh access token: 256 random bits in hexadecimal.
///
/// # Errors
/// Where the system has no randomness to give.
pub fn fresh_token() -> anyhow::Result<String> {
    let mut secret = [0_u8; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
    Ok(secret.map(|byte| format!("{byte:02x}")).concat())
}

/// Reads a secret that nobody else may read.
///
/// # Errors
/// Where the file is missing or its permissions are too wide.
pub fn read_secret(path: &Path) -> anyhow::Result<String> {
    let mode = fs::metadata(path).with_context(|| path.display().to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{}: others may read this secret; run: chmod 600 {}", path.display(), path.display());
    }
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Writes a new secret that nobody else may read; never replaces one.
///
/// # Errors
/// Where the file is there already or cannot be written.
pub fn write_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow::anyhow!("{}: is there already and is not replaced", path.display()),
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })
}
