//! The membership in force at a node: who is recognised by which key, and how a newer epoch takes its place.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::problem::{Problem, ProblemKind};
use subtle::ConstantTimeEq;

use crate::membership::{Committee, Member, MemberStatus, Membership, MembershipError, MembershipFile};

/// A verified membership. Made only by [`Roster::trust`] and [`Roster::succeed`].
#[derive(Debug, Clone)]
pub struct Roster {
    file: MembershipFile,
}

/// Who a TLS key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised<'r> {
    /// An active node.
    Active(&'r Member),
    /// A revoked node.
    Revoked(&'r Member),
    /// Nobody.
    Stranger,
}

impl Roster {
    /// The first membership of a node, under the committee that its operator has confirmed.
    ///
    /// # Errors
    /// Where the file is not validly signed by that committee, or expired.
    pub fn trust(file: MembershipFile, committee: &Committee, now: DateTime<Utc>) -> Result<Self, MembershipError> {
        file.check(committee, now)?;
        Ok(Self { file })
    }

    /// The roster of a file that was in force before; it may have expired since, and then recognises nobody.
    ///
    /// # Errors
    /// Where the file is not validly signed by that committee.
    pub fn restore(file: MembershipFile, committee: &Committee) -> Result<Self, MembershipError> {
        file.check_past(committee)?;
        Ok(Self { file })
    }

    /// The next epoch, signed by the committee of this one.
    ///
    /// # Errors
    /// Where the file is older, equal, not validly signed, or expired; this roster stays in force.
    pub fn succeed(&self, next: MembershipFile, now: DateTime<Utc>) -> Result<Self, MembershipError> {
        let (offered, in_force) = (next.membership.epoch, self.epoch());
        if offered <= in_force {
            return Err(MembershipError::Old { offered, in_force });
        }
        next.check(&self.file.membership.committee, now)?;
        Ok(Self { file: next })
    }

    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.file.membership.epoch
    }

    /// The membership.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.file.membership
    }

    /// The file, to be stored and handed to peers.
    #[must_use]
    pub fn file(&self) -> &MembershipFile {
        &self.file
    }

    /// The node of that name, active or revoked.
    #[must_use]
    pub fn member(&self, node: &NodeId) -> Option<&Member> {
        self.file.membership.nodes.iter().find(|member| member.node == *node)
    }

    /// The active nodes.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.file.membership.nodes.iter().filter(|member| member.status == MemberStatus::Active)
    }

    /// Who the TLS key with that hash belongs to. Compares whole hashes in constant time.
    #[must_use]
    pub fn recognise(&self, pin: &Digest) -> Recognised<'_> {
        let holds =
            |member: &&Member| member.tls_pins.iter().any(|known| bool::from(known.as_bytes().ct_eq(pin.as_bytes())));
        match self.file.membership.nodes.iter().find(holds) {
            Some(member) if member.status == MemberStatus::Active => Recognised::Active(member),
            Some(member) => Recognised::Revoked(member),
            None => Recognised::Stranger,
        }
    }

    /// Whether the membership still holds at `now`.
    ///
    /// # Errors
    /// [`ProblemKind::MembershipExpired`] after its time: then nobody is recognised.
    pub fn in_time(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        if now < self.file.membership.expires {
            return Ok(());
        }
        Err(ProblemKind::MembershipExpired.because("the committee must publish the next epoch"))
    }
}

impl From<MembershipError> for Problem {
    fn from(error: MembershipError) -> Self {
        let kind = match &error {
            MembershipError::Old { .. } => ProblemKind::MembershipOld,
            MembershipError::Expired(_) => ProblemKind::MembershipExpired,
            MembershipError::Form(_) | MembershipError::Contradiction(_) | MembershipError::Signatures { .. } => {
                ProblemKind::MembershipInvalid
            }
        };
        kind.because(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use node_domain::language::Text;

    use super::*;
    use crate::keys::SigningKey;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn member(node: &str, key: &SigningKey) -> Member {
        let name = || node.to_owned();
        Member {
            node: node.parse().unwrap(),
            country: node[..2].to_uppercase(),
            names: Text { es: name(), pt: name(), en: name() },
            operator: "institute".to_owned(),
            url: "https://127.0.0.1:1".to_owned(),
            tls_pins: vec![Digest::of(node.as_bytes())],
            signing_key: key.public(),
            status: MemberStatus::Active,
        }
    }

    fn committee() -> (Vec<SigningKey>, Committee) {
        let keys: Vec<SigningKey> = (0..5).map(|_| SigningKey::generate().unwrap()).collect();
        let public = keys.iter().map(SigningKey::public).collect();
        (keys, Committee { threshold: 3, keys: public })
    }

    fn file(epoch: u64, committee: &Committee, signers: &[SigningKey]) -> MembershipFile {
        let key = SigningKey::generate().unwrap();
        let membership = Membership {
            epoch,
            expires: "2027-01-01T00:00:00Z".parse().unwrap(),
            committee: committee.clone(),
            nodes: vec![member("mx", &key), member("ar", &SigningKey::generate().unwrap())],
        };
        let mut file = MembershipFile { membership, signatures: vec![] };
        signers.iter().for_each(|signer| file.sign(signer).unwrap());
        file
    }

    #[test]
    fn three_of_five_suffice_and_two_do_not() {
        let (keys, committee) = committee();
        assert!(Roster::trust(file(1, &committee, &keys[1..4]), &committee, now()).is_ok());
        let error = Roster::trust(file(1, &committee, &keys[..2]), &committee, now()).unwrap_err();
        assert_eq!(error, MembershipError::Signatures { found: 2, needed: 3 });
    }

    #[test]
    fn one_key_signing_thrice_is_one_signature() {
        let (keys, committee) = committee();
        let mut file = file(1, &committee, &keys[..1]);
        let again = file.signatures[0].clone();
        file.signatures.extend([again.clone(), again]);
        let error = Roster::trust(file, &committee, now()).unwrap_err();
        assert_eq!(error, MembershipError::Signatures { found: 1, needed: 3 });
    }

    #[test]
    fn any_alteration_voids_the_signatures() {
        let (keys, committee) = committee();
        let good = file(1, &committee, &keys);
        type Alteration = fn(&mut Membership);
        let alterations: [Alteration; 5] = [
            |m| m.epoch += 1,
            |m| m.nodes[0].url = "https://127.0.0.1:2".to_owned(),
            |m| m.nodes[0].tls_pins = vec![Digest::of(b"other")],
            |m| m.nodes[1].status = MemberStatus::Revoked,
            |m| m.committee.threshold = 1,
        ];
        for alter in alterations {
            let mut bad = good.clone();
            alter(&mut bad.membership);
            assert!(matches!(Roster::trust(bad, &committee, now()), Err(MembershipError::Signatures { .. })));
        }
    }

    #[test]
    fn a_committee_of_the_files_own_making_is_not_trusted() {
        let (_, trusted) = committee();
        let (strangers, own) = committee();
        let error = Roster::trust(file(1, &own, &strangers), &trusted, now()).unwrap_err();
        assert_eq!(error, MembershipError::Signatures { found: 0, needed: 3 });
    }

    #[test]
    fn epochs_only_grow_and_a_new_committee_needs_the_old_ones_signatures() {
        let (keys, old) = committee();
        let roster = Roster::trust(file(2, &old, &keys), &old, now()).unwrap();
        for epoch in [1, 2] {
            let error = roster.succeed(file(epoch, &old, &keys), now()).unwrap_err();
            assert_eq!(error, MembershipError::Old { offered: epoch, in_force: 2 });
        }
        assert_eq!(roster.succeed(file(3, &old, &keys), now()).unwrap().epoch(), 3);
        let (new_keys, new) = committee();
        assert!(matches!(roster.succeed(file(3, &new, &new_keys), now()), Err(MembershipError::Signatures { .. })));
    }

    #[test]
    fn nobody_is_recognised_after_its_time() {
        let (keys, committee) = committee();
        let late = "2027-01-01T00:00:00Z".parse().unwrap();
        assert!(matches!(
            Roster::trust(file(1, &committee, &keys), &committee, late),
            Err(MembershipError::Expired(_))
        ));
        let roster = Roster::trust(file(1, &committee, &keys), &committee, now()).unwrap();
        assert_eq!(roster.in_time(late).unwrap_err().kind, ProblemKind::MembershipExpired);
    }

    #[test]
    fn a_file_that_contradicts_itself_is_refused() {
        let (keys, committee) = committee();
        let twice = |alter: fn(&mut Membership)| {
            let mut file = file(1, &committee, &[]);
            alter(&mut file.membership);
            keys.iter().for_each(|key| file.sign(key).unwrap());
            Roster::trust(file, &committee, now())
        };
        let alterations: [fn(&mut Membership); 5] = [
            |m| m.nodes[1].node = m.nodes[0].node.clone(),
            |m| m.nodes[1].tls_pins = m.nodes[0].tls_pins.clone(),
            |m| m.nodes[1].signing_key = m.nodes[0].signing_key,
            |m| m.nodes[0].tls_pins.clear(),
            |m| m.nodes[0].url = "http://127.0.0.1".to_owned(),
        ];
        for alter in alterations {
            assert!(matches!(twice(alter), Err(MembershipError::Contradiction(_))));
        }
    }

    #[test]
    fn keys_are_recognised_whole() {
        let (keys, committee) = committee();
        let roster = Roster::trust(file(1, &committee, &keys), &committee, now()).unwrap();
        assert!(
            matches!(roster.recognise(&Digest::of(b"mx")), Recognised::Active(member) if member.node.as_str() == "mx")
        );
        assert_eq!(roster.recognise(&Digest::of(b"m")), Recognised::Stranger);
        assert!(roster.member(&"mx-1".parse().unwrap()).is_none());
    }
}
