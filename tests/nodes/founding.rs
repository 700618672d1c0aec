//! The figures of the founding documents: a registry made to hold exactly them counts back to exactly them, through files, checks,
//! snapshot and queries.

use node_protocol::answer::{Answer, CountCell};
use node_synthetic::{Plan, founding, write};
use node_tests::{Federation, Plan as Nodes, beginning, policy};

/// The cells of a count that the node gives to its own people.
async fn cells(federation: &Federation, table: &str, conditions: &str, by: &str) -> Vec<CountCell> {
    let query = format!(
        r#"{{"dictionary":"1.1","table":"{table}","where":[{conditions}],"by":[{by}],"statistic":{{"kind":"count"}}}}"#
    );
    let study = federation.ask(&query).await.unwrap();
    match &study.nodes[0].answer {
        Some(Answer::Count(answer)) => answer.cells.clone(),
        other => panic!("{table}: {other:?} {:?}", study.nodes[0].problem),
    }
}

async fn count(federation: &Federation, table: &str, conditions: &str) -> u64 {
    cells(federation, table, conditions, "").await[0].persons.exact().unwrap()
}

fn of(cells: &[CountCell], field: &str, code: &str) -> u64 {
    let cell = cells.iter().find(|cell| cell.group[field].as_deref() == Some(code)).unwrap();
    cell.persons.exact().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_founding_figures_come_back_exactly() {
    let files = tempfile::tempdir().unwrap();
    let registry = founding(&Plan::new(2026, beginning().date_naive()));
    write::to_folder(&registry, &files.path().join("mx")).unwrap();
    let data = Some(files.path().to_owned());
    let federation = Federation::start(Nodes { nodes: &["mx"], data, policy: policy(1, 1, 1).unwrap() }).await.unwrap();

    assert_eq!(count(&federation, "cases", "").await, 20_473, "patients");
    let children = count(&federation, "cases", r#"{"field":"age_years","between":[0,17]}"#).await;
    assert_eq!(children, 7_166, "children: 35 %");
    assert_eq!((children as f64 / 20_473.0 * 100.0).round() as u64, 35);
    let added = count(&federation, "cases", r#"{"field":"registered_days_ago","between":[0,13]}"#).await;
    assert_eq!(added, 302, "added in the last two weeks");

    let hospitals = cells(&federation, "facilities", "", r#""level""#).await;
    assert_eq!((of(&hospitals, "level", "tertiary"), of(&hospitals, "level", "second_level")), (15, 61));
    assert_eq!(count(&federation, "facilities", "").await, 76);

    assert_eq!(count(&federation, "telemedicine", r#"{"field":"status","in":["held"]}"#).await, 192);
    assert_eq!(count(&federation, "case_discussions", r#"{"field":"complexity","in":["complex"]}"#).await, 170);
    let trainings = cells(&federation, "trainings", "", r#""kind""#).await;
    assert_eq!((of(&trainings, "kind", "training"), of(&trainings, "kind", "lecture")), (10, 10));

    let session_166 = r#"{"field":"group","in":["parents"]},{"field":"session_no","between":[166,166]}"#;
    let agreements = count(&federation, "agreements", session_166).await;
    let planned = &registry.collections["agreement"];
    let column = |name: &str| planned.header.iter().position(|column| *column == name).unwrap();
    let of_session =
        planned.rows.iter().filter(|row| row[column("group")] == "parents" && row[column("session_no")] == "166");
    assert_eq!(agreements, of_session.count() as u64);
    assert!(agreements >= 4);
    let followed = format!(
        r#"{session_166},{{"field":"medicine","in":["levetiracetam"]}},{{"field":"region","in":["MX-SLP"]}},{{"field":"topic","in":["access_to_medicines"]}}"#
    );
    assert_eq!(count(&federation, "agreements", &followed).await, 1, "levetiracetam in San Luis Potosí");
    federation.stop().await;
}
