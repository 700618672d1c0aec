//! A node's TLS certificate: made by itself, recognised by the hash of its key.

use std::sync::Arc;

use node_domain::{digest::Digest, node_id::NodeId};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate with its private key, ready for TLS.
#[derive(Debug, Clone)]
pub struct TlsIdentity {
    /// For rustls.
    pub certified: Arc<CertifiedKey>,
    /// Hash of the certificate; request tokens are bound to it.
    pub thumbprint: Digest,
    /// Hash of the public key (SubjectPublicKeyInfo); membership files carry it.
    pub pin: Digest,
}

/// A certificate or key that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not a certificate.
    #[error("not an X.509 certificate in PEM")]
    Certificate,
    /// Not a private key.
    #[error("not a private key in PEM (PKCS #8)")]
    Key,
    /// The two do not belong together.
    #[error("the certificate is not of this private key")]
    Mismatch,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Hash of the certificate.
    pub thumbprint: Digest,
    /// Hash of its public key.
    pub pin: Digest,
    /// The common name, if it is a node's identity: a claim that proves nothing.
    pub claimed: Option<NodeId>,
}

/// Reads what a certificate says.
///
/// # Errors
/// Where the bytes are not a certificate.
pub fn facts(der: &[u8]) -> Result<CertificateFacts, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::Certificate)?;
    let claimed = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()?.parse().ok());
    Ok(CertificateFacts { thumbprint: Digest::of(der), pin: Digest::of(certificate.public_key().raw), claimed })
}

/// A fresh P-256 key as PEM.
///
/// # Errors
/// Where the system has no randomness to give.
pub fn generate_key() -> Result<String, IdentityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map(|key| key.serialize_pem()).map_err(|_| IdentityError::Key)
}

/// A self-signed certificate of the key as PEM, for a node and the host names or addresses it is reached by. Made anew, it is
/// another certificate of the same key: a renewal that no peer needs to hear of.
///
/// # Errors
/// Where the key cannot be read or a host is no name.
pub fn certificate(node: &NodeId, hosts: &[String], key_pem: &str) -> Result<String, IdentityError> {
    let key = KeyPair::from_pem(key_pem).map_err(|_| IdentityError::Key)?;
    let mut params = CertificateParams::new(hosts.to_vec()).map_err(|_| IdentityError::Certificate)?;
    params.distinguished_name.push(DnType::CommonName, node.as_str());
    params.self_signed(&key).map(|certificate| certificate.pem()).map_err(|_| IdentityError::Certificate)
}

impl TlsIdentity {
    /// From a certificate and its key in PEM.
    ///
    /// # Errors
    /// Where one cannot be read or they do not belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let certificate =
            CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| IdentityError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| IdentityError::Key)?;
        let key = any_supported_type(&key).map_err(|_| IdentityError::Key)?;
        let facts = facts(&certificate)?;
        let certified = CertifiedKey::new(vec![certificate], key);
        certified.keys_match().map_err(|_| IdentityError::Mismatch)?;
        Ok(Self { certified: Arc::new(certified), thumbprint: facts.thumbprint, pin: facts.pin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_certificate_keeps_its_pin() {
        let node: NodeId = "mx".parse().unwrap();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = generate_key().unwrap();
        let one = TlsIdentity::from_pem(&certificate(&node, &hosts, &key).unwrap(), &key).unwrap();
        let other = TlsIdentity::from_pem(&certificate(&node, &hosts, &key).unwrap(), &key).unwrap();
        assert_eq!(one.pin, other.pin);
        assert_ne!(one.thumbprint, other.thumbprint);
        let stranger = generate_key().unwrap();
        let certificate = certificate(&node, &hosts, &key).unwrap();
        assert!(matches!(TlsIdentity::from_pem(&certificate, &stranger), Err(IdentityError::Mismatch)));
    }
}
