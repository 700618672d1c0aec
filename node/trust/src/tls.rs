//! Mutual TLS 1.3 with pinned keys in place of a certificate authority.
//!
//! Both sides check the handshake signature, so that a copied certificate without its key is worth nothing, and look the key up
//! in the roster of the moment. A connection that is kept alive outlives a revocation: the peer is looked up again at every
//! request (see `token::identify`).

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use node_domain::{clock::Clock, digest::Digest, node_id::NodeId};
use node_protocol::problem::{Problem, ProblemKind};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

use crate::{
    identity::{TlsIdentity, facts},
    roster::{Recognised, Roster},
};

/// What TLS reads anew at every handshake: the node's certificate and the roster can be replaced while it runs.
#[derive(Debug, Clone)]
pub struct TlsState {
    /// The node's own certificate.
    pub identity: Arc<ArcSwap<TlsIdentity>>,
    /// The membership in force.
    pub roster: Arc<ArcSwap<Roster>>,
    /// The time, for the membership's expiry.
    pub clock: Arc<dyn Clock>,
}

/// TLS of the peer port: every client shows a certificate of an active member.
///
/// # Errors
/// Where the crypto provider lacks TLS 1.3.
pub fn server_config(state: &TlsState) -> Result<ServerConfig, Error> {
    let (verifier, provider) = Pinned::new(Accepts::Roster { state: state.clone(), expected: None });
    Ok(ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(OwnCertificate(Arc::clone(&state.identity)))))
}

/// TLS towards one peer: it must show that peer's certificate, and is shown this node's.
///
/// # Errors
/// Where the crypto provider lacks TLS 1.3.
pub fn client_config(state: &TlsState, peer: &NodeId) -> Result<ClientConfig, Error> {
    let (verifier, provider) = Pinned::new(Accepts::Roster { state: state.clone(), expected: Some(peer.clone()) });
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::new(OwnCertificate(Arc::clone(&state.identity)))))
}

/// TLS of the people's port, whose clients show no certificate.
///
/// # Errors
/// Where the crypto provider lacks TLS 1.3.
pub fn people_server_config(identity: &Arc<ArcSwap<TlsIdentity>>) -> Result<ServerConfig, Error> {
    Ok(ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OwnCertificate(Arc::clone(identity)))))
}

/// TLS of the command line towards its own node's people's port: exactly that key is accepted.
///
/// # Errors
/// Where the crypto provider lacks TLS 1.3.
pub fn people_client_config(pin: Digest) -> Result<ClientConfig, Error> {
    let (verifier, provider) = Pinned::new(Accepts::Key(pin));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// The refusal behind a TLS failure towards a peer, as far as its alert or our own check tells.
#[must_use]
pub fn problem_of(error: &Error) -> Problem {
    match error {
        Error::AlertReceived(AlertDescription::UnknownCA) => ProblemKind::UnknownPeer
            .because("the peer does not know this node's TLS key: its membership file may be older"),
        Error::AlertReceived(AlertDescription::AccessDenied) => {
            ProblemKind::PeerKeyMismatch.because("the peer knows this node's name with another TLS key")
        }
        Error::AlertReceived(AlertDescription::CertificateRevoked) => {
            ProblemKind::NodeRevoked.because("the peer's membership file has this node revoked")
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            ProblemKind::MembershipExpired.because("the peer's membership file has expired")
        }
        Error::InvalidCertificate(CertificateError::Revoked) => {
            ProblemKind::NodeRevoked.because("the membership file has that node revoked")
        }
        Error::InvalidCertificate(CertificateError::Expired) => {
            ProblemKind::MembershipExpired.because("this node's membership file has expired")
        }
        Error::InvalidCertificate(_) => {
            ProblemKind::PeerNotAuthentic.because("the TLS key shown there is not in the membership file for that node")
        }
        _ => ProblemKind::PeerUnreachable.because("the TLS handshake failed"),
    }
}

/// Shows the node's certificate of the moment.
#[derive(Debug)]
struct OwnCertificate(Arc<ArcSwap<TlsIdentity>>);

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Accepts certificates by their key, and checks that the other side holds it.
struct Pinned {
    accepts: Accepts,
    provider: Arc<CryptoProvider>,
}

/// Which keys are accepted.
enum Accepts {
    /// Those of the roster's active nodes, or of the one that is expected.
    Roster { state: TlsState, expected: Option<NodeId> },
    /// This one.
    Key(Digest),
}

impl Pinned {
    fn new(accepts: Accepts) -> (Arc<Self>, Arc<CryptoProvider>) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        (Arc::new(Self { accepts, provider: Arc::clone(&provider) }), provider)
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let refused = |why| Err(Error::InvalidCertificate(why));
        let Ok(facts) = facts(certificate) else { return refused(CertificateError::BadEncoding) };
        let (state, expected) = match &self.accepts {
            Accepts::Key(pin) if facts.pin == *pin => return Ok(()),
            Accepts::Key(_) => return refused(CertificateError::ApplicationVerificationFailure),
            Accepts::Roster { state, expected } => (state, expected),
        };
        let roster = state.roster.load();
        if roster.in_time(state.clock.now()).is_err() {
            return refused(CertificateError::Expired);
        }
        match roster.recognise(&facts.pin) {
            Recognised::Active(member) if expected.as_ref().is_none_or(|expected| *expected == member.node) => Ok(()),
            Recognised::Revoked(_) => refused(CertificateError::Revoked),
            Recognised::Active(_) | Recognised::Stranger => {
                let names_a_member = facts.claimed.is_some_and(|claimed| roster.member(&claimed).is_some());
                refused(if names_a_member {
                    CertificateError::ApplicationVerificationFailure
                } else {
                    CertificateError::UnknownIssuer
                })
            }
        }
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").finish_non_exhaustive()
    }
}

fn tls12(_: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12(signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls12(signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
