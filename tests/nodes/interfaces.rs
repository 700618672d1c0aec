//! What machines rely on: generated schemas, the JSON contract, the configuration that ships.

use node_domain::dictionary::Dictionary;
use node_protocol::schema;
use node_server::{config::Home, operate};
use node_tests::{Federation, Plan, json, policy, wilms};

use crate::{COUNT, SIXTEEN};

fn repository() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_protocol_schemas_are_those_of_the_types() {
    for (name, text) in schema::documents() {
        let path = repository().join("schemas/protocol").join(name);
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == text, "{name} has drifted; run: cargo run --release -- schemas schemas/protocol");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn studies_fit_their_schema() {
    let plan = Plan { nodes: &SIXTEEN[..6], data: Some(wilms().join("unequal")), policy: policy(5, 3, 10).unwrap() };
    let federation = Federation::start(plan).await.unwrap();
    let schema = json(&repository().join("schemas/protocol/study.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let survival =
        COUNT.replace(r#"{"kind":"count"}"#, r#"{"kind":"survival","endpoint":"event_free","cuts_months":[12,36,60]}"#);
    for query in
        [COUNT.to_owned(), survival.clone(), survival.replace("\"statistic\"", "\"by\":[\"stage\"],\"statistic\"")]
    {
        let study = serde_json::to_value(federation.ask(&query).await.unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&study).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_says_how_large_the_registry_is() {
    let plan =
        Plan { nodes: &["mx", "ar", "py"], data: Some(wilms().join("unequal")), policy: policy(5, 3, 10).unwrap() };
    let federation = Federation::start(plan).await.unwrap();
    for (node, persons) in [("ar", r#"{"state":"exact","n":799}"#), ("py", r#"{"state":"banded","low":0,"high":4}"#)] {
        let statement = federation.node("mx").requester.describe(&node.parse().unwrap()).await.unwrap();
        let size = statement.catalogue.iter().find(|entry| entry.indicator == "registry_size").unwrap();
        let answer = serde_json::to_value(&size.answer).unwrap();
        assert_eq!(answer["release"]["rule"], "catalogue");
        assert_eq!(answer["cells"][0]["persons"], serde_json::from_str::<serde_json::Value>(persons).unwrap());
    }
    federation.stop().await;
}

#[test]
fn an_unknown_key_in_the_policy_refuses_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let new = operate::NewNode {
        node: "uy".parse().unwrap(),
        url: "https://127.0.0.1:1".to_owned(),
        operator: "test".to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        people_listen: "127.0.0.1:0".parse().unwrap(),
    };
    operate::create(folder.path(), &new, operate::POLICY).unwrap();
    assert!(Home::open(folder.path()).is_ok());
    std::fs::write(folder.path().join("policy.toml"), format!("{}\n[noise]\nvariance = 2\n", operate::POLICY)).unwrap();
    let error = Home::open(folder.path()).unwrap_err();
    let chain = format!("{:#}", anyhow::Error::new(error));
    assert!(chain.contains("policy.toml") && chain.contains("noise"), "{chain}");
}

#[test]
fn the_dictionary_and_the_sample_configuration_belong_together() {
    let dictionary = Dictionary::built_in().unwrap();
    assert_eq!(dictionary.version, "1.1");
    assert!(operate::Country::all().unwrap().iter().filter(|country| country.default_member == "Y").count() == 16);
}
