//! Roles and what each may do: the policy matrix.

use node_domain::nearest::unknown;
use node_protocol::problem::{Problem, ProblemKind};
use serde::{Deserialize, Serialize};

/// What a person does at their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the node.
    Operator,
    /// Approves projects and answers.
    Steward,
    /// Asks queries.
    Researcher,
    /// Prepares reports.
    Committee,
    /// Reads the audit.
    Auditor,
}

/// Something that is done at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send a query to the alliance.
    Ask,
    /// See what a query would cost and what would be refused, without sending it.
    Estimate,
    /// Read the studies of this node.
    ReadStudies,
    /// Read one's own released answers and quota.
    ReadOwnLedger,
    /// Read everything that was released to anybody.
    ReadLedger,
    /// Propose a project, and take back one's own.
    ProposeProject,
    /// See projects.
    ReadProjects,
    /// Approve, narrow, decline, close or reopen a project.
    DecideProject,
    /// See answers that wait.
    ReadReviews,
    /// Release or refuse an answer that waits.
    DecideReview,
    /// Read the audit chain.
    ReadAudit,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Ask,
        Self::Estimate,
        Self::ReadStudies,
        Self::ReadOwnLedger,
        Self::ReadLedger,
        Self::ProposeProject,
        Self::ReadProjects,
        Self::DecideProject,
        Self::ReadReviews,
        Self::DecideReview,
        Self::ReadAudit,
    ];

    /// In words, after "may".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Ask => "send queries",
            Self::Estimate => "estimate queries",
            Self::ReadStudies => "read studies",
            Self::ReadOwnLedger => "read their own released answers",
            Self::ReadLedger => "read all released answers",
            Self::ProposeProject => "propose projects",
            Self::ReadProjects => "read projects",
            Self::DecideProject => "decide on projects",
            Self::ReadReviews => "read answers that wait",
            Self::DecideReview => "release or refuse answers that wait",
            Self::ReadAudit => "read the audit",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Problem;

    fn from_str(name: &str) -> Result<Self, Problem> {
        let none = || ProblemKind::RoleForbidden.because(unknown("role", name, Self::ALL.map(Self::name)));
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(none)
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Steward, Self::Researcher, Self::Committee, Self::Auditor];

    /// Its name on the wire and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Steward => "steward",
            Self::Researcher => "researcher",
            Self::Committee => "committee",
            Self::Auditor => "auditor",
        }
    }

    /// Whether the role may do that. Operators and auditors look after the node, they do not study its data; whoever asks does
    /// not decide, except stewards, whom the rule of four eyes keeps from deciding on what they asked themselves.
    #[must_use]
    pub fn may(self, action: Action) -> bool {
        match action {
            Action::Ask | Action::Estimate | Action::ReadOwnLedger => {
                matches!(self, Self::Researcher | Self::Committee | Self::Steward)
            }
            Action::ProposeProject => matches!(self, Self::Researcher | Self::Committee | Self::Steward),
            Action::ReadStudies | Action::ReadProjects => true,
            Action::ReadLedger | Action::ReadAudit => matches!(self, Self::Steward | Self::Auditor),
            Action::DecideProject | Action::ReadReviews | Action::DecideReview => matches!(self, Self::Steward),
        }
    }

    /// The same as a refusal.
    ///
    /// # Errors
    /// [`ProblemKind::RoleForbidden`] with the roles that may.
    pub fn demand(self, action: Action) -> Result<(), Problem> {
        if self.may(action) {
            return Ok(());
        }
        let who: Vec<_> = Self::ALL.into_iter().filter(|role| role.may(action)).map(Self::name).collect();
        let detail =
            format!("a person with the role {} may not {}; it takes: {}", self.name(), action.words(), who.join(", "));
        Err(ProblemKind::RoleForbidden.because(detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix as reviewed: a change here is a decision.
    #[test]
    fn the_matrix_of_roles_and_actions() {
        let mut table =
            String::from("action                                operator steward researcher committee auditor\n");
        for action in Action::ALL {
            let marks: Vec<String> = Role::ALL
                .into_iter()
                .map(|role| format!("{:<w$}", if role.may(action) { "yes" } else { "-" }, w = role.name().len()))
                .collect();
            table.push_str(&format!("{:<37} {}\n", action.words(), marks.join(" ")).replace(" \n", "\n"));
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_refusal_names_who_may() {
        let problem = Role::Researcher.demand(Action::DecideReview).unwrap_err();
        assert!(problem.detail.contains("it takes: steward"), "{}", problem.detail);
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
        let unknown = "stewart".parse::<Role>().unwrap_err().detail;
        assert!(unknown.contains("there are: steward, ") && unknown.contains("auditor"), "{unknown}");
    }
}
