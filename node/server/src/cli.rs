//! The command line: what there is, with examples; each command's work is in `commands`.

pub mod governance;
pub mod registry;

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode};

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use node_domain::{digest::Digest, node_id::NodeId};
use node_policy::role::Role;
use node_protocol::{problem::Problem, study::StudyId};
use node_trust::keys::PublicKey;
use tracing_subscriber::EnvFilter;

use self::{
    governance::{AuditFilter, IndicatorCommand, PolicyCommand, ProjectCommand, ReleasedArgs, ReviewCommand},
    registry::{
        BatchCommand, ClassifyArgs, DictionaryCommand, GenerateArgs, IngestArgs, PublishArgs, QualityArgs,
        QuarantineCommand, SnapshotCommand,
    },
};
use crate::{commands, demo, terminal};

/// A node of the International Alliance for Childhood Cancer Care: keeps one country's data and answers its peers with
/// protected aggregates.
#[derive(Debug, Parser)]
#[command(name = "alianza", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub session: Session,
    /// What is written to standard error while running, such as `info` or `node_requester=debug`
    #[arg(long, global = true, env = "ALIANZA_LOG")]
    pub log: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Which node is meant, and who acts at it.
#[derive(Debug, Clone, Args)]
pub struct Session {
    /// Folder of the node
    #[arg(long, global = true, env = "ALIANZA_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// File with the access token of the person who acts; default: the first person's, in the folder of the node
    #[arg(long, global = true, env = "ALIANZA_TOKEN", value_name = "FILE")]
    pub token: Option<PathBuf>,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rehearse the whole alliance on this machine: sixteen nodes, real TLS, a real query
    #[command(after_help = "Examples:
  alianza demo                          sixteen nodes on a synthetic registry
  alianza demo --data nwts              the same on the real data of the National Wilms Tumor Study
  alianza demo --once --json            the same, once, for machines
  alianza demo --data DIR --nodes 4     four nodes on DIR/mx/patient.csv, DIR/ar/patient.csv, ...
  alianza demo --query FILE             another question")]
    Demo(DemoArgs),
    /// Make the folder of a new node: keys, configuration, policy, an access token
    #[command(after_help = "Example:
  alianza init --dir /srv/alianza --node mx --url https://alianza.example.mx:7443 --operator 'Instituto Nacional'")]
    Init(InitArgs),
    /// Join the alliance, or bring a newer membership file
    #[command(after_help = "Examples:
  alianza join alliance.json                                   shows the fingerprint to compare
  alianza join alliance.json --fingerprint '1a2b 3c4d ...'     joins")]
    Join(JoinArgs),
    /// Check configuration, policy, keys and membership without starting
    CheckConfig,
    /// Serve peers and people until told to stop (SIGTERM or Ctrl-C)
    Serve,
    /// Load files as one batch, all or nothing: CSV, or FHIR R4
    #[command(after_help = "Examples:
  alianza ingest patient=patient.csv tumour=tumour.csv event=event.csv follow_up=follow_up.csv.gz
  alianza ingest --mapping canreg5 export.txt --delimiter tab --dry-run   what would happen, and a mapping to start from
  alianza ingest --mapping my.toml export.csv --encoding latin-1
  alianza ingest fhir=bundle.json")]
    Ingest(IngestArgs),
    /// What was loaded: list, show, take out of force, remove, erase
    #[command(subcommand)]
    Batch(BatchCommand),
    /// Rows held back because they break an error rule, with the reasons
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Judge the registry by the quality rules: counts per rule, worst files, registry indicators
    #[command(after_help = "Examples:
  alianza quality --lang es
  alianza quality --rule QC01          every row that breaks one rule
  alianza quality --html quality.html  a report to read in a browser")]
    Quality(QualityArgs),
    /// Derive the analysis tables from the loaded batches and put them in force as a snapshot
    Publish(PublishArgs),
    /// The snapshots: list, show, compare, pin, delete
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// The variables: what the columns of files are called and mean
    #[command(subcommand)]
    Dictionary(DictionaryCommand),
    /// Classify tumours: ICCC-3, index cancer, Toronto schema
    #[command(after_help = "Examples:
  alianza classify --topography C649 --morphology 8960 --behaviour 3
  alianza classify tumours.csv > classified.csv")]
    Classify(ClassifyArgs),
    /// Make a SYNTHETIC registry: children who never existed, for rehearsals and training
    #[command(after_help = "Examples:
  alianza generate --out synthetic                        sixteen countries
  alianza generate --out mx --countries MX --plant QC01=5  with five planted errors of one rule
  alianza generate --out founding --founding              the figures of the founding documents")]
    Generate(GenerateArgs),
    /// Ask a query of the alliance and show what comes back
    #[command(after_help = "Examples:
  alianza query query.json --dry-run                           what each node would do with it, without asking
  alianza query query.json
  alianza query query.json --csv answer.csv
  alianza query query.json --nodes mx,ar --answers answers/ --json")]
    Query(QueryArgs),
    /// Look at the studies that this node's people asked
    #[command(subcommand)]
    Study(StudyCommand),
    /// Verify a signed answer without asking anybody
    #[command(after_help = "Examples:
  alianza verify answers/ar.jws                              with this node's memberships
  alianza verify answers/ar.jws --membership alliance.json   with a membership file of the committee's")]
    Verify(VerifyArgs),
    /// Projects: propose, see, approve, narrow, decline, take back
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Answers that wait for a steward: see, release, refuse, take back
    #[command(subcommand)]
    Review(ReviewCommand),
    /// What waits for a steward: projects and answers in one view
    Pending(Json),
    /// What left this node: who asked, and what they know of it
    #[command(after_help = "Examples:
  alianza released --peer ar --values
  alianza released --field index_cancer --value RETINOBLASTOMA")]
    Released(ReleasedArgs),
    /// My own released answers, node by node
    Ledger(Json),
    /// What may leave this node: show, check, compare, attack
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The alliance's indicators: list, show, ask
    #[command(subcommand)]
    Indicator(IndicatorCommand),
    /// Read and verify the audit chain
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The committee's work: keys and membership files
    #[command(subcommand)]
    Membership(MembershipCommand),
    /// Make a new TLS certificate of the same key; the running node picks it up
    RenewCertificate,
    /// Give a person of this institute an access token
    AddToken(AddTokenArgs),
    /// Write the JSON Schemas of the protocol
    #[command(hide = true)]
    Schemas {
        /// Folder to write to
        out: PathBuf,
    },
}

/// For machines.
#[derive(Debug, Clone, Args)]
pub struct Json {
    /// Write JSON to standard output
    #[arg(long)]
    pub json: bool,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// `synthetic` (made on the spot), `nwts` (real, shipped), or a folder with DIR/<node>/<collection>.csv
    #[arg(long, default_value = "synthetic")]
    pub data: String,
    /// Query as JSON; default: overall survival by index cancer, for `nwts` event-free survival by stage
    #[arg(long)]
    pub query: Option<PathBuf>,
    /// Policy of all nodes; default: the shipped one, with everything allowed to explore
    #[arg(long)]
    pub policy: Option<PathBuf>,
    /// Exit after the query instead of staying up
    #[arg(long)]
    pub once: bool,
    /// Write the study as JSON to standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// How many of the default members take part
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub nodes: u16,
    /// Keep the federation in this folder, which must be empty or absent
    #[arg(long)]
    pub keep: Option<PathBuf>,
}

/// `init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Identity: the country's ISO code in lower case, such as mx
    #[arg(long)]
    pub node: NodeId,
    /// URL by which peers reach the node, without a slash at the end
    #[arg(long)]
    pub url: String,
    /// The institute that runs it
    #[arg(long)]
    pub operator: String,
    /// Address of the port for peers
    #[arg(long, default_value = "0.0.0.0:7443")]
    pub listen: SocketAddr,
    /// Address of the port for people
    #[arg(long, default_value = "127.0.0.1:7444")]
    pub people_listen: SocketAddr,
}

/// `join`
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// Membership file
    pub file: PathBuf,
    /// The committee's fingerprint, compared by voice; needed the first time
    #[arg(long)]
    pub fingerprint: Option<String>,
}

/// `query`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Query as JSON
    pub file: PathBuf,
    /// Ask nothing: show how each node would answer, what it would cost, and what is left
    #[arg(long, conflicts_with_all = ["answers", "csv"])]
    pub dry_run: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub asking: Asking,
}

/// Whom to ask, and where the answers go.
#[derive(Debug, Args)]
pub struct Asking {
    /// Nodes to ask, separated by commas; default: those that the query's project asks, or all active ones
    #[arg(long, value_delimiter = ',')]
    pub nodes: Vec<NodeId>,
    /// How long to wait for answers, seconds; the node goes on asking after that
    #[arg(long, default_value_t = 30)]
    pub wait_s: u64,
    /// Write the signed answers to this folder, one file per node
    #[arg(long)]
    pub answers: Option<PathBuf>,
    /// Write the numbers to this file, one row per number; a number that is not shown has an empty value
    #[arg(long)]
    pub csv: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `study`
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// The newest hundred
    List(Json),
    /// One study with its answers and the pooled estimate
    Show {
        /// Identity of the study
        study: StudyId,
        /// Write the numbers to this file, one row per number; a number that is not shown has an empty value
        #[arg(long)]
        csv: Option<PathBuf>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Signed answer, as `query --answers` writes it
    pub file: PathBuf,
    /// Membership file to verify with; default: those of this node
    #[arg(long)]
    pub membership: Option<PathBuf>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show a comment here as help")]
    pub output: Json,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the chain, and it against the heads that peers hold
    Verify {
        /// Ask no peers: a history that was rewritten and chained anew is not found then
        #[arg(long)]
        offline: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// The newest entries: when, what, who, what was decided and why
    #[command(after_help = "Examples:
  alianza audit list --what query_refused --since 2026-01-01
  alianza audit list --project mx-2026-001 --json          one entry per line, as it is chained")]
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        filter: AuditFilter,
        /// How many
        #[arg(long, default_value_t = 20)]
        most: u32,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// One entry with everything in it
    Show {
        /// Its number
        sequence: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        output: Json,
    },
    /// Write entries with their hashes to a file, oldest first, so that others can verify them
    Export {
        /// File to write, one entry per line
        #[arg(long)]
        out: PathBuf,
        /// Replace the file where there is one
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show a comment here as help")]
        filter: AuditFilter,
    },
    /// What others know about this node's data, read from its own database without the node
    #[command(after_help = "Example, what do others know about our retinoblastoma cases?
  alianza audit known --field index_cancer --value RETINOBLASTOMA --values")]
    Known(ReleasedArgs),
}

/// `membership`
#[derive(Debug, Subcommand)]
pub enum MembershipCommand {
    /// Make a committee member's key; prints the public key
    NewKey {
        /// File of the private key
        #[arg(long)]
        out: PathBuf,
    },
    /// Put member records together into an unsigned membership file, on standard output
    Draft {
        /// Number of this epoch; higher than all before
        #[arg(long)]
        epoch: u64,
        /// When the file becomes void, such as 2027-12-31T00:00:00Z
        #[arg(long, value_parser = governance::moment)]
        expires: DateTime<Utc>,
        /// How many committee members must sign
        #[arg(long, default_value_t = 3)]
        threshold: usize,
        /// Public key of a committee member, as often as there are members
        #[arg(long = "committee", required = true)]
        committee: Vec<PublicKey>,
        /// Member record of a node (`member.json` of `alianza init`), as often as there are nodes
        #[arg(long = "member", required = true)]
        members: Vec<PathBuf>,
        /// Node that is revoked
        #[arg(long = "revoke")]
        revoked: Vec<NodeId>,
    },
    /// Add a committee member's signature to a membership file, in place
    Sign {
        /// Membership file
        file: PathBuf,
        /// The committee member's private key
        #[arg(long)]
        key: PathBuf,
    },
    /// Show what a membership file says and the fingerprints to compare
    Show {
        /// Membership file
        file: PathBuf,
    },
}

/// `add-token`
#[derive(Debug, Args)]
pub struct AddTokenArgs {
    /// The person's name
    #[arg(long)]
    pub name: String,
    /// operator, steward, researcher, committee or auditor
    #[arg(long, value_parser = role)]
    pub role: Role,
    /// File for the token; on standard output without one
    #[arg(long)]
    pub out: Option<PathBuf>,
}

fn role(name: &str) -> Result<Role, String> {
    name.parse().map_err(|problem: Problem| problem.detail)
}

/// What a command ends with, beside an error.
pub enum Ended {
    /// All is well.
    Well,
    /// The command did its work and found something wrong: a refused batch, a broken chain, an incomplete study.
    Found,
}

/// A hash for messages.
#[must_use]
pub fn short(digest: &Digest) -> String {
    format!("sha256:{}…", digest.short())
}

/// Runs one command. Exit code 0: well; 1: found something wrong; 2: could not be carried out.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let quiet = if matches!(cli.command, Command::Serve) { "info" } else { "error" };
    let filter = EnvFilter::try_new(cli.log.as_deref().unwrap_or(quiet)).unwrap_or_else(|_| EnvFilter::new(quiet));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Found) => ExitCode::from(1),
        Err(error) => {
            terminal::note(format!("alianza: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn dispatch(cli: Cli) -> anyhow::Result<Ended> {
    let (session, dir) = (&cli.session, cli.session.dir.as_path());
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Init(arguments) => commands::init::run(dir, &arguments),
        Command::Join(arguments) => commands::join::run(dir, &arguments).await,
        Command::CheckConfig => commands::serve::check(dir).await,
        Command::Serve => commands::serve::run(dir).await,
        Command::Ingest(arguments) => commands::ingest::run(dir, &arguments),
        Command::Batch(command) => commands::batch::run(dir, command),
        Command::Quarantine(command) => commands::quarantine::run(dir, command),
        Command::Quality(arguments) => commands::quality::run(dir, &arguments),
        Command::Publish(arguments) => commands::publish::run(dir, &arguments),
        Command::Snapshot(command) => commands::snapshot::run(dir, command),
        Command::Dictionary(command) => commands::dictionary::run(command),
        Command::Classify(arguments) => commands::classify::run(&arguments),
        Command::Generate(arguments) => commands::generate::run(&arguments),
        Command::Query(arguments) => commands::study::query(session, &arguments).await,
        Command::Study(command) => commands::study::run(session, command).await,
        Command::Verify(arguments) => commands::verify::run(dir, &arguments).await,
        Command::Project(command) => commands::project::run(session, command).await,
        Command::Review(command) => commands::review::run(session, command).await,
        Command::Pending(output) => commands::review::pending(session, &output).await,
        Command::Released(arguments) => commands::released::released(session, arguments).await,
        Command::Ledger(output) => commands::released::own(session, &output).await,
        Command::Policy(command) => commands::policy::run(dir, command).await,
        Command::Indicator(command) => commands::indicator::run(session, command).await,
        Command::Audit(command) => commands::audit::run(dir, command).await,
        Command::Membership(command) => commands::membership::run(command),
        Command::RenewCertificate => commands::init::renew_certificate(dir),
        Command::AddToken(arguments) => commands::init::add_token(dir, &arguments),
        Command::Schemas { out } => commands::schemas(&out),
    }
}
