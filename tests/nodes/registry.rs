//! The life of records in a node's folder: loaded, held back, corrected, taken back, removed, erased; and a disk that does not help.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use node_domain::dictionary::Dictionary;
use node_ingest::{batch, registry::Registry};
use node_server::{config::Home, operate};
use node_snapshot::shelf;
use node_tests::{policy, wilms};
use serde_json::Value;

/// A node's folder with the program.
struct Node(tempfile::TempDir);

impl Node {
    fn new() -> Self {
        let node = Self(tempfile::tempdir().unwrap());
        let new = operate::NewNode {
            node: "mx".parse().unwrap(),
            url: "https://127.0.0.1:1".to_owned(),
            operator: "test".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            people_listen: "127.0.0.1:0".parse().unwrap(),
        };
        operate::create(&node.dir(), &new, &policy(5, 3, 10).unwrap()).unwrap();
        node
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("node")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_alianza-under-test"))
            .current_dir(self.0.path())
            .arg("--dir")
            .arg(self.dir())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs, and expects this exit code; returns what was printed.
    fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}{err}");
        out.into_owned() + &err
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.run(arguments).stdout).unwrap()
    }

    fn count(&self, collection: &str) -> usize {
        let dictionary = Dictionary::built_in().unwrap();
        Registry::open(&Home::open(&self.dir()).unwrap().data(), &dictionary).unwrap().count(collection)
    }

    fn cases(&self) -> u64 {
        self.json(&["publish", "--json"])["manifest"]["tables"]["cases"]["rows"].as_u64().unwrap()
    }
}

fn samples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/dictionary/samples");
    let mut sources: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| format!("{}={}", path.file_stem().unwrap().to_string_lossy(), path.display()))
        .collect();
    sources.sort();
    sources
}

fn ingest(sources: &[String]) -> Vec<&str> {
    ["ingest"].into_iter().chain(sources.iter().map(String::as_str)).collect()
}

const PATIENTS: &str = "patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\n";
const TUMOURS: &str = "patient_id,tumour_seq,diagnosis_date,topography,morphology,behaviour,basis\n";

#[test]
fn rows_that_break_an_error_rule_wait_in_quarantine_and_what_belongs_to_them_waits_too() {
    let node = Node::new();
    let good = "P1,2010-02-01,1,MX,MX-JAL,public_task,no\n";
    let bad = "P2,2011-02-30,2,MX,MX-JAL,public_task,no\n";
    let patients = node.file("patient.csv", &format!("{PATIENTS}{good}{bad}"));
    let tumours =
        node.file("tumour.csv", &format!("{TUMOURS}P1,0,2014-01-01,C649,8960,3,7\nP2,0,2015-01-01,C649,8960,3,7\n"));
    let printed = node.expect(0, &["ingest", &format!("patient={patients}"), &format!("tumour={tumours}")]);
    assert!(printed.contains("patient.csv:3: birth_date: QB13"), "{printed}");
    assert!(printed.contains("1 held back"), "{printed}");
    assert!(!printed.contains("2011-02-30"), "never the value");
    let listed = node.expect(1, &["quarantine", "list"]);
    assert!(listed.contains("QB13"), "{listed}");
    let exported = node.expect(1, &["quarantine", "export", "--lang", "es"]);
    assert!(exported.contains("patient.csv,3,patient,QB13,birth_date,load"), "{exported}");
    assert!(!exported.contains("P2") && !exported.contains("2011-02-30"), "{exported}");
    assert_eq!(node.cases(), 1, "the tumour of the patient held back waits");
    // mended at the source and loaded again, both count
    let mended = node.file("mended.csv", &format!("{PATIENTS}P2,2011-02-28,2,MX,MX-JAL,public_task,no\n"));
    node.expect(0, &["ingest", &format!("patient={mended}")]);
    assert_eq!(node.cases(), 2);
    assert!(node.expect(0, &["quarantine", "list"]).contains("No row is held back"));
}

#[test]
fn a_bad_row_is_told_once_and_not_again_by_what_belongs_to_it() {
    let node = Node::new();
    let patients = node.file("patient.csv", &format!("{PATIENTS}P1,2010-02-01,1,MX,MX-JAL,law,no\n"));
    let tumours = node.file("tumour.csv", &format!("{TUMOURS}P1,0,2014-01-01,C649,8960,3,7\n"));
    let printed = node.expect(1, &["ingest", &format!("patient={patients}"), &format!("tumour={tumours}")]);
    assert!(printed.contains("Refused: 1 error in 2 rows") && !printed.contains("reference"), "{printed}");
    assert_eq!(node.count("tumour"), 0);
}

#[test]
fn a_file_of_which_most_rows_break_rules_is_refused_whole() {
    let node = Node::new();
    let rows: String = (0..300).map(|n| format!("P{n},31/12/2010,1,MX,MX-JAL,public_task,no\n")).collect();
    let patients = node.file("patient.csv", &format!("{PATIENTS}{rows}"));
    let printed = node.expect(1, &["ingest", &format!("patient={patients}")]);
    assert!(printed.contains("the export or the mapping is wrong"), "{printed}");
    assert_eq!(node.count("patient"), 0);
}

#[test]
fn batches_are_listed_reverted_and_loaded_again() {
    let node = Node::new();
    let sources = samples();
    node.expect(0, &ingest(&sources));
    assert!(node.expect(0, &ingest(&sources)).contains("loaded already"));
    let before = node.cases();
    let first = "SAMPLE-001,2012-03-14,2,MX,MX-JAL,public_task,no\n";
    let correction = node.file("correction.csv", &format!("{PATIENTS}{first}"));
    node.expect(0, &["ingest", &format!("patient={correction}"), "--by", "Ana"]);
    let listed = node.expect(0, &["batch", "list"]);
    assert!(listed.contains("by Ana"), "{listed}");
    assert!(node.expect(0, &["batch", "show", "2"]).contains("correction.csv"));
    node.expect(0, &["batch", "revert", "2", "--why", "wrong file"]);
    assert!(node.expect(2, &["batch", "revert", "2", "--why", "again"]).contains("out of force already"));
    assert!(node.expect(2, &["batch", "revert", "9", "--why", "none"]).contains("batch list"));
    assert!(node.expect(0, &["batch", "list"]).contains("wrong file"));
    assert_eq!(node.cases(), before);
    node.expect(0, &["ingest", &format!("patient={correction}")]);
    assert_eq!(batch::in_force(&Home::open(&node.dir()).unwrap().data()).unwrap().len(), 2);
}

#[test]
fn rows_are_removed_by_key_and_objectors_kept_out() {
    let node = Node::new();
    node.expect(0, &ingest(&samples()));
    let before = node.cases();
    let tumours = node.count("tumour");
    let removal = node.file("remove.csv", "patient_id,tumour_seq\nSAMPLE-001,0\n");
    node.expect(0, &["batch", "remove", &format!("tumour={removal}")]);
    assert_eq!((node.count("tumour"), node.cases()), (tumours - 1, before - 1));
    let objectors = node.file("object.csv", "patient_id\nSAMPLE-002\n");
    node.expect(0, &["batch", "object", &objectors]);
    assert_eq!(node.cases(), before - 2);
    assert!(node.expect(1, &["batch", "object", &node.file("bad.csv", "name\nx\n")]).contains("patient_id"));
}

#[test]
fn what_is_erased_leaves_no_trace_and_does_not_come_back() {
    let node = Node::new();
    let sources = samples();
    node.expect(0, &ingest(&sources));
    let before = node.cases();
    node.expect(0, &["snapshot", "pin", "current", "--why", "report"]);
    let persons = node.file("erase.csv", "patient_id\nSAMPLE-001\nSAMPLE-003\n");
    assert!(node.expect(2, &["batch", "erase", &persons]).contains("--for-ever"), "an erasure is asked for twice");
    assert_eq!(node.cases(), before);
    let printed = node.expect(0, &["batch", "erase", &persons, "--for-ever"]);
    assert!(printed.contains("finds no trace"), "{printed}");
    assert!(node.cases() < before);
    assert_eq!(node.json(&["snapshot", "list", "--json"]).as_array().unwrap().len(), 1, "former snapshots are gone");
    let nobody = node.file("nobody.csv", "patient_id\nSAMPLE-999\n");
    assert!(node.expect(1, &["batch", "erase", &nobody, "--for-ever"]).contains("misspellings"));
    // the old files do not bring them back
    let patients = node.count("patient");
    let again: Vec<String> =
        sources.iter().filter(|s| s.starts_with("patient=") || s.starts_with("tumour=")).cloned().collect();
    let printed = node.expect(0, &ingest(&again));
    assert!(printed.contains("of erased persons, not taken"), "{printed}");
    assert_eq!(node.count("patient"), patients);
    assert!(node.expect(2, &["batch", "revert", "2", "--why", "no"]).contains("cannot be brought back"));
}

#[test]
fn a_publication_tells_what_changed_and_snapshots_are_kept_by_rule() {
    let node = Node::new();
    node.expect(0, &ingest(&samples()));
    node.expect(0, &["publish"]);
    let extra = node.file("patient.csv", &format!("{PATIENTS}X1,2015,1,MX,unknown,public_task,no\n"));
    let tumour = node.file("tumour.csv", &format!("{TUMOURS}X1,0,2019-05-05,C649,8960,3,7\n"));
    node.expect(0, &["ingest", &format!("patient={extra}"), &format!("tumour={tumour}")]);
    let printed = node.expect(0, &["publish"]);
    assert!(printed.contains("+1 since the snapshot before"), "{printed}");
    let all = node.json(&["snapshot", "list", "--json"]);
    let old = all[1]["snapshot"].as_str().unwrap().to_owned();
    let start = &old[7..15];
    assert!(node.expect(0, &["snapshot", "diff", start]).contains("+1 since"));
    node.expect(0, &["snapshot", "pin", start, "--why", "annual report"]);
    assert!(node.expect(2, &["snapshot", "delete", start]).contains("annual report"));
    assert!(node.expect(0, &["snapshot", "prune", "--keep", "0"]).contains("0 snapshots deleted"));
    node.expect(0, &["snapshot", "unpin", start]);
    assert!(node.expect(2, &["snapshot", "delete", "current"]).contains("in force"));
    // one child more is no new number: what is shown is still of the former snapshot
    assert!(node.expect(2, &["snapshot", "delete", start]).contains("--end-exact-answers"));
    node.expect(0, &["snapshot", "delete", start, "--end-exact-answers"]);
    assert_eq!(node.json(&["snapshot", "list", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_dry_run_shows_what_would_happen_and_writes_a_mapping_to_start_from() {
    let node = Node::new();
    let export =
        node.file("export.csv", "PatientID;Fecha nac;Sexo;Estado\nA1;31/12/2010;Masculino;JAL\nA2;99/05/2011;F;SLP\n");
    let printed = node.expect(0, &["ingest", "--dry-run", "--delimiter", ";", &export]);
    assert!(printed.contains("perhaps patient.sex"), "{printed}");
    let mapping = r#"
        name = "mine"
        version = 1
        description = { es = "a", pt = "b", en = "c" }
        format = { delimiter = ";", date = "DD/MM/YYYY" }
        [[collection]]
        name = "patient"
        fields.patient_id = { column = "PatientID" }
        fields.birth_date = { column = "Fecha nac" }
        fields.sex = { column = "Sexo", codes = { Masculino = "1" } }
        fields.residence_country = { constant = "MX" }
        fields.residence_region = { template = "MX-{Estado}" }
        fields.legal_basis = { constant = "public_task" }
        fields.objection = { constant = "no" }
    "#;
    let file = node.file("mine.toml", mapping);
    let printed = node.expect(0, &["ingest", "--mapping", &file, &export, "--dry-run"]);
    assert!(printed.contains("patient.sex: `F` (once) is no code; perhaps 2"), "{printed}");
    assert!(printed.contains("1 held back") && printed.contains("nothing was loaded"), "{printed}");
    let template = fs::read_to_string(node.0.path().join("export.mapping.toml")).unwrap();
    assert!(template.contains("fields.sex"), "{template}");
    assert_eq!(node.count("patient"), 0);
    let wrong = node.file("wrong.toml", &mapping.replace("Fecha nac", "Nacimiento"));
    let printed = node.expect(1, &["ingest", "--mapping", &wrong, &export]);
    assert!(printed.contains("Nacimiento") && printed.contains("patient.birth_date"), "{printed}");
    assert!(node.expect(2, &["ingest", "--mapping", "nowhere", &export]).contains("canreg5"));
}

#[test]
fn tumours_of_anybody_are_classified() {
    let node = Node::new();
    let one = node.json(&["classify", "--topography", "C64.9", "--morphology", "8960", "--behaviour", "3", "--json"]);
    assert_eq!((&one["iccc_subgroup"], &one["iccc_extended"]), (&"VI(a)".into(), &"VI(a).1".into()));
    assert_eq!((&one["index_cancer"], &one["seer_code"]), (&"WILMS".into(), &"061".into()));
    assert_eq!(one["toronto_schema"], "renal_tumors_nephroblastoma");
    let file = node.file("t.csv", "id,topography,morphology,behaviour\na,C649,8960,3\nb,C569,9080,0\n=c,C421,9836,3\n");
    let printed = node.expect(0, &["classify", &file]);
    assert!(printed.contains("a,C649,8960,3,VI,VI(a),VI(a).1,061,036,WILMS,renal_tumors_nephroblastoma"), "{printed}");
    assert!(printed.contains("b,C569,9080,0,999,999,999,999,999,,"), "{printed}");
    assert!(printed.contains("'=c,C421,9836,3,I,I(a),I(a).1"), "a formula is made harmless: {printed}");
    assert!(node.expect(2, &["classify", &node.file("x.csv", "a,b\n1,2\n")]).contains("topography"));
    assert!(
        node.expect(1, &["classify", &node.file("y.csv", "topography,morphology,behaviour\nlung,1,3\n")])
            .contains("y.csv:2")
    );
}

#[test]
fn a_report_on_quality_speaks_three_languages_and_fits_on_a_page() {
    let node = Node::new();
    node.expect(0, &ingest(&samples()));
    let output = node.run(&["quality", "--lang", "pt", "--all"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("Verificação microscópica") && printed.contains("QL08"), "{printed}");
    assert_eq!(printed.matches("\n  Q").count(), 118, "no rule is silently skipped");
    let page = node.0.path().join("quality.html");
    node.run(&["quality", "--lang", "es", "--html", &page.display().to_string()]);
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("lang=\"es\"") && html.contains("QA01") && !html.contains("<script"));
    let report = node.json(&["quality", "--json"]);
    assert_eq!(report["rules"].as_array().unwrap().len(), 118);
}

#[test]
fn a_load_shows_its_progress_on_a_terminal_and_nothing_in_a_pipe() {
    let node = Node::new();
    let rows: String = (0..120_000).map(|n| format!("P{n},2010-01-01,1,MX,MX-JAL,public_task,no\n")).collect();
    let patients = node.file("patient.csv", &format!("{PATIENTS}{rows}"));
    let source = format!("patient={patients}");
    let piped = node.run(&["ingest", "--dry-run", &source]);
    assert!(piped.stderr.is_empty(), "{}", String::from_utf8_lossy(&piped.stderr));
    // `script` gives the program a terminal of its own
    let program = env!("CARGO_BIN_EXE_alianza-under-test");
    let command = format!("'{program}' --dir '{}' ingest --dry-run '{source}'", node.dir().display());
    let typed = Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
    let seen = String::from_utf8_lossy(&typed.stdout);
    assert!(seen.contains("patient.csv") && seen.contains('%') && seen.contains("nothing was loaded"), "{seen}");
}

/// Runs the program where the node's data folder is a file system of its own: `prepare` is a shell script that sets it up.
fn in_small_world(node: &Node, prepare: &str, arguments: &str) -> Output {
    let data = node.dir().join("data");
    fs::create_dir_all(&data).unwrap();
    let script = format!(
        "set -e; cd '{}'; {prepare}\nexec '{}' --dir '{}' {arguments}",
        data.display(),
        env!("CARGO_BIN_EXE_alianza-under-test"),
        node.dir().display()
    );
    // a mount namespace of our own: nothing outside sees it, and no rights are needed for it
    Command::new("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).output().unwrap()
}

#[test]
fn a_full_disk_and_a_read_only_folder_leave_the_old_state_and_say_so() {
    let node = Node::new();
    let part = |name: &str| format!("{name}={}", wilms().join(format!("unequal/mx/{name}.csv")).display());
    let files = ["patient", "tumour", "event", "follow_up"].map(part).join(" ");
    // a disk of 128 kB that holds a copy of the data folder
    let data = node.dir().join("data");
    let small = format!(
        "copy=$(mktemp -d); cp -a '{0}'/. \"$copy\"; mount -t tmpfs -o size=128k tmpfs '{0}'; cp -a \"$copy\"/. '{0}'/; rm -rf \"$copy\"; cd '{0}'",
        data.display()
    );
    let full = in_small_world(&node, &small, &format!("ingest {files}"));
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(2), "{said}");
    assert!(said.contains("disk is full"), "{said}");
    assert_eq!(node.count("patient"), 0);

    let read_only = format!("mount --bind '{0}' '{0}'; mount -o remount,bind,ro '{0}'", data.display());
    let refused = in_small_world(&node, &read_only, &format!("ingest {files}"));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("read-only"), "{said}");

    // and the next run works
    let arguments: Vec<&str> = ["ingest"].into_iter().chain(files.split(' ')).collect();
    node.expect(0, &arguments);
    node.expect(0, &["publish"]);
    let home = Home::open(&node.dir()).unwrap();
    let old = shelf::current(&home.snapshots()).unwrap();
    node.expect(0, &ingest(&samples()));
    // room for what is there and hardly more
    let tight = small.replace("size=128k", "size=$(( $(du -sk . | cut -f1) + 40 ))k");
    for prepare in [&tight, &read_only] {
        let refused = in_small_world(&node, prepare, "publish");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("disk is full") || said.contains("read-only"), "{said}");
        assert_eq!(shelf::current(&home.snapshots()).unwrap(), old);
    }
    node.expect(0, &["publish"]);
    assert_ne!(shelf::current(&home.snapshots()).unwrap(), old);
}
