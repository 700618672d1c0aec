//! The program as people run it: processes, exit codes, standard output.

use std::{
    path::Path,
    process::{Command, Output},
};

use node_tests::{json, policy, wilms};
use serde_json::Value;

fn alianza(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alianza-under-test")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn the_rehearsal_prints_its_contract_and_nothing_else() {
    let output = alianza(&["demo", "--once", "--json", "--data", "nwts"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let study: Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON and nothing else");
    let nodes = study["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 16);
    assert!(nodes.iter().all(|node| node["status"] == "answered"));
    assert_eq!(study["pooled"]["kind"], "survival");
    assert_eq!(study["pooled"]["estimator"], "kaplan_meier");
    assert_eq!(study["pooled"]["log_rank"]["df"], 3);
    let truth = json(&wilms().join("truth.json")).unwrap();
    for group in study["pooled"]["groups"].as_array().unwrap() {
        let Some(stage) =
            group["group"]["stage"].as_str().filter(|_| group["cuts"].as_array().is_some_and(|cuts| !cuts.is_empty()))
        else {
            continue; // nobody is in it
        };
        let rows = truth["pooled"]["km"]["by_stage"][stage]["at"].as_array().unwrap();
        for cut in group["cuts"].as_array().unwrap() {
            let years = cut["month"].as_f64().unwrap() / 12.0;
            if let Some(row) = rows.iter().find(|row| row["years"].as_f64() == Some(years)) {
                let difference = cut["survival"].as_f64().unwrap() - row["surv"].as_f64().unwrap();
                assert!(difference.abs() < 0.005, "stage {stage} at {years} years: {difference}");
            }
        }
    }
}

#[test]
fn the_rehearsal_takes_other_data_queries_and_policies() {
    let folder = tempfile::tempdir().unwrap();
    let (query, policy_file) = (folder.path().join("query.json"), folder.path().join("policy.toml"));
    std::fs::write(
        &query,
        r#"{"dictionary":"1.0","project":"mx-2026-001","table":"cases","by":["sex"],"statistic":{"kind":"count"}}"#,
    )
    .unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("ar")).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/dictionary/samples");
    for sample in std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&sample, data.join("ar").join(sample.file_name().unwrap())).unwrap();
    }
    let arguments = ["demo", "--once", "--json", "--nodes", "3", "--data", &path(&data), "--query", &path(&query)];
    let output = alianza(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("empty registry"), "countries without a folder are named");
    let study: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(study["pooled"]["kind"], "count");
    assert_eq!(study["nodes"][0]["node"], "ar");

    std::fs::write(&policy_file, policy(1, 1, 1).unwrap()).unwrap();
    let query = path(&query);
    std::fs::write(&query, r#"{"dictionary":"1.0","table":"cases","statistic":{"kind":"count"}}"#).unwrap();
    let output =
        alianza(&["demo", "--once", "--json", "--data", "nwts", "--query", &query, "--policy", &path(&policy_file)]);
    let study: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(study["pooled"]["cells"][0]["persons"]["n"], 4028);
}

#[test]
fn wrong_use_is_named_and_ends_with_another_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, r#"{"dictionary":"1.0","table":"cases","statistik":{"kind":"count"}}"#).unwrap();
    let output = alianza(&["demo", "--once", "--query", &path(&bad)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("statistik"), "{}", text(&output.stderr));

    let output = alianza(&["--dir", &path(folder.path()), "serve"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("node.toml"), "{}", text(&output.stderr));
}

/// Two institutes and a committee of two, by hand and by the book.
#[test]
fn an_alliance_is_founded_by_hand_and_a_file_with_errors_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| path(&folder.path().join(name));
    for node in ["mx", "ar"] {
        let url = "https://127.0.0.1:17443";
        let output = alianza(&["init", "--dir", &at(node), "--node", node, "--url", url, "--operator", "Instituto"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let again = alianza(&["init", "--dir", &at(node), "--node", node, "--url", url, "--operator", "Instituto"]);
        assert_eq!(again.status.code(), Some(2), "a node is never overwritten");
    }
    let keys: Vec<String> = ["one", "two"]
        .iter()
        .map(|name| text(&alianza(&["membership", "new-key", "--out", &at(name)]).stdout).trim().to_owned())
        .collect();
    let draft = alianza(&[
        "membership",
        "draft",
        "--epoch",
        "1",
        "--expires",
        "2099-01-01T00:00:00Z",
        "--threshold",
        "2",
        "--committee",
        &keys[0],
        "--committee",
        &keys[1],
        "--member",
        &at("mx/member.json"),
        "--member",
        &at("ar/member.json"),
    ]);
    assert!(draft.status.success(), "{}", text(&draft.stderr));
    std::fs::write(at("alliance.json"), draft.stdout).unwrap();
    // with bare file names, as a person types them
    let mut sign = Command::new(env!("CARGO_BIN_EXE_alianza-under-test"));
    let signed =
        sign.current_dir(folder.path()).args(["membership", "sign", "alliance.json", "--key", "one"]).output().unwrap();
    assert!(signed.status.success(), "{}", text(&signed.stderr));

    let fingerprint = |output: &Output| {
        let text = text(&output.stdout);
        text.lines().find_map(|line| line.strip_prefix("Its fingerprint is  ")).map(str::to_owned).unwrap()
    };
    let shown = alianza(&["join", "--dir", &at("mx"), &at("alliance.json")]);
    assert_eq!(shown.status.code(), Some(1), "the first time a fingerprint must be compared");
    let fingerprint = fingerprint(&shown);
    let early = alianza(&["join", "--dir", &at("mx"), &at("alliance.json"), "--fingerprint", &fingerprint]);
    assert!(text(&early.stderr).contains("1 valid signatures"), "{}", text(&early.stderr));
    alianza(&["membership", "sign", &at("alliance.json"), "--key", &at("two")]);
    let wrong = alianza(&["join", "--dir", &at("mx"), &at("alliance.json"), "--fingerprint", "0000"]);
    assert_eq!(wrong.status.code(), Some(2));
    let joined = alianza(&["join", "--dir", &at("mx"), &at("alliance.json"), "--fingerprint", &fingerprint]);
    assert!(joined.status.success(), "{}", text(&joined.stderr));
    assert!(alianza(&["check-config", "--dir", &at("mx")]).status.success());

    std::fs::write(at("patient.csv"), "patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\nP1,2010,2,MX,MX-JAL,law,no\n").unwrap();
    let patient = format!("patient={}", at("patient.csv"));
    let refused = alianza(&["ingest", "--dir", &at("mx"), &patient]);
    assert_eq!(refused.status.code(), Some(1));
    let printed = text(&refused.stdout);
    assert!(
        printed.contains("patient.csv:2: legal_basis: code (text, 3 characters): use one of: public_task"),
        "{printed}"
    );
    assert!(printed.contains("Nothing was loaded"), "{printed}");
    std::fs::write(at("patient.csv"), "patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\nP1,2010,2,MX,MX-JAL,public_task,no\n").unwrap();
    assert!(alianza(&["ingest", "--dir", &at("mx"), &patient]).status.success());
    assert!(alianza(&["publish", "--dir", &at("mx")]).status.success());
    let audit = alianza(&["audit", "verify", "--offline", "--dir", &at("mx")]);
    assert!(audit.status.success() && text(&audit.stdout).contains("The chain is whole"), "{}", text(&audit.stdout));
}
