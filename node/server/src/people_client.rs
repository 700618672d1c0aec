//! The command line's connection to its own node's port for people: exactly that node's key is accepted.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use node_protocol::problem::{Problem, ProblemKind};
use node_trust::tls;
use reqwest::{Client, Method};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    commands::render,
    config::Home,
    keystore::{KeyStore, read_secret},
};

/// Name of the file with the first person's access token.
pub const TOKEN_FILE: &str = "researcher.token";

/// A signed-in connection.
pub struct PeopleClient {
    client: Client,
    base: String,
    token: String,
    token_file: PathBuf,
}

impl PeopleClient {
    /// Connects to the node whose folder this is, with the token in the file `token`, else with that of the folder.
    ///
    /// # Errors
    /// Where keys or token cannot be read.
    pub fn of(home: &Home, token: Option<&Path>) -> anyhow::Result<Self> {
        let pin = KeyStore::new(home.keys()).tls()?.pin;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::people_client_config(pin)?)
            .https_only(true)
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()?;
        let mut address = home.config.people.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let token_file = token.map_or_else(|| home.keys().join(TOKEN_FILE), Path::to_owned);
        let token = token_in(&token_file)?;
        Ok(Self { client, base: format!("https://{address}"), token, token_file })
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// Where the node does not serve, or refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, None::<&()>).await
    }

    /// Posts to a resource.
    ///
    /// # Errors
    /// Where the node does not serve, or refuses.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("the node does not serve at {}: start it with `alianza serve`", self.base))?;
        let (status, body) = (response.status(), response.bytes().await?);
        if status.is_success() {
            return serde_json::from_slice(&body).context("the node's reply is not of this version");
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(self.refused(problem)),
            Err(_) => bail!("the node says {status} and does not say why"),
        }
    }

    /// A refusal; one of the person who acts names the token's file.
    fn refused(&self, problem: Problem) -> anyhow::Error {
        let of_person = matches!(problem.kind, ProblemKind::SignInRequired | ProblemKind::RoleForbidden);
        let error = anyhow::Error::new(Refused(problem));
        if !of_person {
            return error;
        }
        error.context(format!("with the token in {} (--token FILE takes another)", self.token_file.display()))
    }
}

fn token_in(file: &Path) -> anyhow::Result<String> {
    if !file.exists() {
        bail!(
            "{}: no access token is there; the operator makes one with `alianza add-token --name NAME --role ROLE --out FILE`, and \
             --token FILE takes it",
            file.display()
        );
    }
    let token = read_secret(file)?.trim().to_owned();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{}: holds no access token, which is one word; is it the right file?", file.display());
    }
    Ok(token)
}

/// A refusal as the command line shows it.
#[derive(Debug)]
pub struct Refused(pub Problem);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&render::problem(&self.0))
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::write_secret;

    #[test]
    fn a_file_without_a_token_says_so_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("eva.token");
        assert!(token_in(&file).unwrap_err().to_string().contains("alianza add-token"));
        write_secret(&file, b"\n").unwrap();
        assert!(token_in(&file).unwrap_err().to_string().contains("holds no access token"));
        let file = folder.path().join("ana.token");
        write_secret(&file, b"abc\n").unwrap();
        assert_eq!(token_in(&file).unwrap(), "abc");
    }
}
