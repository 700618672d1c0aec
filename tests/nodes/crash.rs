//! Real processes killed at random moments: on disk there is the old state or the new one.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use node_domain::dictionary::Dictionary;
use node_ingest::{batch, registry::Registry};
use node_server::{
    config::Home,
    operate::{self, NewNode},
};
use node_snapshot::shelf;
use node_tests::{COLLECTIONS, load, policy, wilms};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn alianza(dir: &Path, arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_alianza-under-test"))
        .args(["--dir", &dir.display().to_string()])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn new_node(dir: &Path) -> Home {
    let new = NewNode {
        node: "mx".parse().unwrap(),
        url: "https://127.0.0.1:1".to_owned(),
        operator: "test".to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        people_listen: "127.0.0.1:0".parse().unwrap(),
    };
    operate::create(dir, &new, &policy(5, 3, 10).unwrap()).unwrap();
    Home::open(dir).unwrap()
}

/// Lets the process run for a random part of `longest` and kills it with SIGKILL.
fn kill_at_random(mut child: Child, longest: Duration, random: &mut StdRng) {
    std::thread::sleep(longest.mul_f64(random.random::<f64>()));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn how_long(mut child: Child) -> Duration {
    let begun = std::time::Instant::now();
    assert!(child.wait().unwrap().success());
    begun.elapsed()
}

#[test]
fn a_killed_publication_leaves_the_former_snapshot_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let home = new_node(folder.path());
    let dictionary = Dictionary::built_in().unwrap();
    load(&home, &wilms().join("unequal/ar")).unwrap();
    let publish = ["publish".to_owned()];
    let longest = how_long(alianza(folder.path(), &publish));
    let mut random = StdRng::seed_from_u64(2026);
    let (mut old, mut kept, mut taken) = (shelf::current(&home.snapshots()).unwrap().unwrap(), 0, 0);
    for round in 0..40 {
        // new data, so that this publication makes another snapshot than the one before
        if kept == 0 || shelf::current(&home.snapshots()).unwrap() != Some(old) || round % 4 == 0 {
            old = shelf::current(&home.snapshots()).unwrap().unwrap();
            let part = folder.path().join(format!("part-{round}"));
            one_more_patient(&part, round);
            load(&home, &part).unwrap();
        }
        kill_at_random(alianza(folder.path(), &publish), longest, &mut random);
        let (snapshot, catalogue) =
            shelf::open(&home.snapshots(), &dictionary).unwrap().expect("a snapshot is in force");
        serde_json::from_slice::<serde_json::Value>(&catalogue).unwrap();
        if snapshot.id == old { kept += 1 } else { taken += 1 }
    }
    assert!(kept > 0, "no kill came before the end: {taken}");
    assert!(alianza(folder.path(), &publish).wait().unwrap().success(), "what was left behind is no hindrance");
    let rows = shelf::open(&home.snapshots(), &dictionary).unwrap().unwrap().0.table("cases").unwrap().rows();
    assert!(rows > 799);
}

/// A patient file and a tumour file with one more child.
fn one_more_patient(folder: &Path, number: u32) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(
        folder.join("patient.csv"),
        format!("patient_id,birth_date,sex,residence_country,residence_region,legal_basis,objection\nEXTRA-{number},2010,9,MX,unknown,public_task,no\n"),
    )
    .unwrap();
    std::fs::write(
        folder.join("tumour.csv"),
        format!("patient_id,tumour_seq,diagnosis_date,topography,morphology,behaviour,basis\nEXTRA-{number},0,2014-01-01,C649,8960,3,7\n"),
    )
    .unwrap();
}

#[test]
fn a_killed_load_leaves_no_batch_or_the_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let home = new_node(folder.path());
    let sources = |part: &Path| -> Vec<String> {
        let files = COLLECTIONS.iter().map(|name| format!("{name}={}", part.join(format!("{name}.csv")).display()));
        std::iter::once("ingest".to_owned()).chain(files).collect()
    };
    let first = sources(&wilms().join("unequal/mx"));
    let longest = how_long(alianza(folder.path(), &first));
    let mut random = StdRng::seed_from_u64(1969);
    let mut batches = batch::list(&home.data()).unwrap().len();
    assert_eq!(batches, 1);
    for node in ["ar", "co", "do", "us", "es", "br", "cl", "pe"] {
        let arguments = sources(&wilms().join("unequal").join(node));
        for _ in 0..4 {
            kill_at_random(alianza(folder.path(), &arguments), longest, &mut random);
            let now = batch::list(&home.data()).unwrap();
            assert!(now.len() == batches || now.len() == batches + 1, "{node}: {}", now.len());
            batches = now.len();
            let dictionary = Dictionary::built_in().unwrap();
            let registry = Registry::open(&home.data(), &dictionary).unwrap();
            let (patients, tumours) = (registry.count("patient"), registry.count("tumour"));
            assert_eq!(patients, tumours, "a batch is in whole or not at all");
        }
    }
}
