//! The command line of stewards, researchers and auditors: projects, reviews, released answers, policy, audit, indicators.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Subcommand};
use node_domain::{language::Language, nearest::unknown, node_id::NodeId};
use node_protocol::{
    project::{Lane, ProjectId, ProjectState},
    study::StudyId,
};

use super::Json;

/// `project`
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Propose a project to the nodes that its file names
    #[command(after_help = "Example:
  alianza project propose project.toml      the sample config/project.toml explains every line")]
    Propose {
        /// What is proposed, as TOML or JSON
        file: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// All projects that this node proposed or was asked for
    List {
        /// Only those that are pending, approved, narrowed, declined, withdrawn or expired here
        #[arg(long, value_parser = project_state)]
        state: Option<ProjectState>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// One project: what it would let the others learn, and what each node says
    Show {
        /// Its name
        project: ProjectId,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Grant a project at this node, as proposed or with less
    #[command(after_help = "Examples:
  alianza project approve mx-2026-001
  alianza project approve mx-2026-001 --without-statistic survival --persons 11 --reason 'counts are enough'
  alianza project approve mx-2026-001 --narrow terms.toml      the [terms] of config/project.toml, without the heading")]
    Approve(ApproveArgs),
    /// Do not grant a project at this node
    Decline(ProjectReason),
    /// Take a decision back: the project waits again, and nothing is answered under it meanwhile
    Reopen(ProjectReason),
    /// End a project at this node for good
    Close(ProjectReason),
    /// Take a project back that this node proposed, here and at every node
    Withdraw(ProjectReason),
}

/// `project approve`
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Its name
    pub project: ProjectId,
    /// File of the narrower terms, TOML or JSON, instead of the options below
    #[arg(long, conflicts_with_all = ["lane", "persons", "until", "rho", "statistics", "fields", "tables"])]
    pub narrow: Option<PathBuf>,
    /// How numbers may leave: exact, perturbed or differentially_private
    #[arg(long, value_parser = lane)]
    pub lane: Option<Lane>,
    /// Groups of fewer persons are never shown
    #[arg(long)]
    pub persons: Option<u32>,
    /// Last day on which it may ask
    #[arg(long, value_parser = day)]
    pub until: Option<NaiveDate>,
    /// A smaller privacy budget
    #[arg(long)]
    pub rho: Option<f64>,
    /// Statistic that is not granted, as often as needed
    #[arg(long = "without-statistic", value_name = "STATISTIC")]
    pub statistics: Vec<String>,
    /// Field that is not granted, as often as needed
    #[arg(long = "without-field", value_name = "FIELD")]
    pub fields: Vec<String>,
    /// Table that is not granted, as often as needed
    #[arg(long = "without-table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// The reason, which the proposer reads
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// A decision on a project that needs a reason.
#[derive(Debug, Args)]
pub struct ProjectReason {
    /// Its name
    pub project: ProjectId,
    /// The reason, for the record; the proposing node reads it
    #[arg(long)]
    pub reason: String,
}

/// `review`
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// The answers that wait for a steward
    List {
        /// Also those that were decided
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// One answer as it would leave: who asked what, why it waits, and every number
    Show {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        held: Held,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Let an answer leave
    Release {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        held: Held,
        /// The reason, for the record
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keep an answer back
    Refuse {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        held: Held,
        /// The reason, which the asker reads
        #[arg(long)]
        reason: String,
    },
    /// Take a decision back, as long as the asker has not fetched the answer
    Undo {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        held: Held,
        /// The reason, for the record
        #[arg(long)]
        reason: String,
    },
}

/// An answer that waits, or waited.
#[derive(Debug, Args)]
pub struct Held {
    /// The node that asked
    pub peer: NodeId,
    /// Its study; `alianza review list` shows it
    pub study: StudyId,
}

/// `released` and `audit known`
#[derive(Debug, Clone, Args)]
pub struct ReleasedArgs {
    /// Node that asked
    #[arg(long)]
    pub peer: Option<NodeId>,
    /// Project under which it was asked
    #[arg(long)]
    pub project: Option<String>,
    /// Analysis table
    #[arg(long)]
    pub table: Option<String>,
    /// Field that the answers filter, group or measure by; those that use a kindred field, or count everybody, are told apart
    #[arg(long)]
    pub field: Option<String>,
    /// Value of that field that the answers tell of
    #[arg(long, requires = "field")]
    pub value: Option<String>,
    /// Release rule: catalogue, exact_ad_hoc, perturbed or differentially_private
    #[arg(long, value_parser = rule)]
    pub rule: Option<String>,
    /// From this day or moment on
    #[arg(long, value_parser = moment)]
    pub since: Option<DateTime<Utc>>,
    /// The most answers
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub most: u32,
    /// Show the released numbers with their marks
    #[arg(long)]
    pub values: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `policy`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// The policy of this node's file, in words, with its hash, and whether it is in force
    Show(Json),
    /// Whether a policy file can be used, and every value that differs from the shipped one; exit code 1 where it cannot, or where
    /// more may leave than under the shipped one
    Check {
        /// Policy file; default: this node's
        file: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// What differs between two policy files, and whether more leaves; exit code 1 where it does or may
    Diff {
        /// The earlier one
        before: PathBuf,
        /// The later one
        after: PathBuf,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Attack a policy on invented data, as somebody with a valid account would; exit code 1 where a hidden number is recovered
    Test(PolicyTestArgs),
}

/// `policy test`
#[derive(Debug, Clone, Args)]
pub struct PolicyTestArgs {
    /// Policy file; default: this node's, or the shipped one where there is no node
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// More trials of each attack; takes longer
    #[arg(long)]
    pub thorough: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// Which entries of the audit are wanted.
#[derive(Debug, Clone, Args)]
pub struct AuditFilter {
    /// From this day or moment on
    #[arg(long, value_parser = moment)]
    pub since: Option<DateTime<Utc>>,
    /// Until this day or moment, which is included
    #[arg(long, value_parser = end_moment)]
    pub until: Option<DateTime<Utc>>,
    /// What happened, such as answer_given, query_refused or project_decided
    #[arg(long)]
    pub what: Option<String>,
    /// Node that asked or proposed
    #[arg(long)]
    pub peer: Option<NodeId>,
    /// Project
    #[arg(long)]
    pub project: Option<String>,
    /// Pseudonym of the researcher
    #[arg(long)]
    pub subject: Option<String>,
    /// Analysis table that was asked about
    #[arg(long)]
    pub table: Option<String>,
    /// Field that was asked about
    #[arg(long)]
    pub field: Option<String>,
    /// Value of that field that the answers tell of
    #[arg(long, requires = "field")]
    pub value: Option<String>,
}

/// `indicator`
#[derive(Debug, Subcommand)]
pub enum IndicatorCommand {
    /// The indicators of the alliance
    List {
        /// Language: es, pt or en
        #[arg(long, default_value = "en")]
        lang: Language,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// One indicator: definition, formula, source, query
    Show {
        /// Its name
        indicator: String,
        /// Language: es, pt or en
        #[arg(long, default_value = "en")]
        lang: Language,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Ask all nodes for an indicator: exact numbers, looked up, and free
    #[command(after_help = "Example:
  alianza indicator run stage_by_index_cancer --nodes mx,ar")]
    Run {
        /// Its name
        indicator: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        asking: super::Asking,
    },
}

fn project_state(text: &str) -> Result<ProjectState, String> {
    use ProjectState::{Approved, Declined, Expired, Narrowed, Pending, Withdrawn};
    let all = [Pending, Approved, Narrowed, Declined, Withdrawn, Expired];
    let found = all.into_iter().find(|state| state.name() == text);
    found.ok_or_else(|| unknown("state", text, all.map(ProjectState::name)))
}

fn lane(text: &str) -> Result<Lane, String> {
    let all = [Lane::Exact, Lane::Perturbed, Lane::DifferentiallyPrivate];
    let found = all.into_iter().find(|lane| lane.name() == text.replace('-', "_"));
    found.ok_or_else(|| unknown("way", text, all.map(Lane::name)))
}

fn rule(text: &str) -> Result<String, String> {
    let rules = ["catalogue", "exact_ad_hoc", "perturbed", "differentially_private"];
    if rules.contains(&text) { Ok(text.to_owned()) } else { Err(unknown("release rule", text, rules)) }
}

/// A day.
pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "a day as YYYY-MM-DD, such as 2027-12-31".to_owned())
}

/// A moment, or a day as its beginning.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    parsed_moment(text, NaiveTime::MIN)
}

/// A moment, or a day as its end.
fn end_moment(text: &str) -> Result<DateTime<Utc>, String> {
    parsed_moment(text, NaiveTime::from_hms_milli_opt(23, 59, 59, 999).unwrap_or(NaiveTime::MIN))
}

fn parsed_moment(text: &str, time: NaiveTime) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(time).and_utc());
    }
    let unknown = |_| "a day as YYYY-MM-DD, such as 2026-01-31, or a moment such as 2026-01-31T12:00:00Z".to_owned();
    text.parse::<DateTime<Utc>>().map_err(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read() {
        assert_eq!(moment("2026-01-31").unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(end_moment("2026-01-31").unwrap().to_rfc3339(), "2026-01-31T23:59:59.999+00:00");
        assert_eq!(moment("2026-01-31T12:00:00-06:00").unwrap().to_rfc3339(), "2026-01-31T18:00:00+00:00");
        assert!(moment("yesterday").unwrap_err().contains("YYYY-MM-DD"));
        assert!(day("2027-13-01").unwrap_err().contains("YYYY-MM-DD"));
    }

    #[test]
    fn states_and_lanes_are_read_by_their_names() {
        assert_eq!(project_state("narrowed"), Ok(ProjectState::Narrowed));
        assert_eq!(lane("differentially-private"), Ok(Lane::DifferentiallyPrivate));
        assert!(lane("loud").unwrap_err().contains("perturbed"));
        assert!(rule("exact").unwrap_err().contains("there are: exact_ad_hoc, "));
    }
}
