//! Files of FHIR against the rows and defects that they must make.

use std::{fs, io::Write as _, path::PathBuf, sync::OnceLock};

use node_domain::digest::Digest;
use proptest::prelude::*;

use super::*;
use crate::{check::check, mapping::plan::Plan, row::RowBuffer};

/// What a file makes, as text: rows with the fields that are filled, defects, and values that the check of rows refuses.
#[derive(Default)]
struct Made {
    rows: Vec<String>,
    refused: Vec<String>,
    defects: Vec<String>,
    said: Vec<String>,
}

impl Listener for Made {
    fn plan(&mut self, _: &Plan<'_>) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, plan: &Plan<'_>, target: usize, line: u64, row: &RowBuffer) -> io::Result<()> {
        let target = &plan.targets[target];
        let mut text = format!("{line} {}", target.table.name);
        for (at, field) in target.table.fields.iter().enumerate() {
            let value = row.value(at);
            assert!(value.is_empty() || target.fills(at), "{} is filled and not announced", field.name);
            if !value.is_empty() {
                text += &format!(" {}={value}", field.name);
            }
            if let Err((rule, _)) = check(field, value) {
                self.refused.push(format!("{line} {}.{} {rule}", target.table.name, field.name));
            }
        }
        self.rows.push(text);
        Ok(())
    }

    fn defect(&mut self, defect: Defect) {
        self.said.push(defect.to_string());
        self.defects.push(format!("{} {} {}", defect.line, defect.column.unwrap_or_default(), defect.rule));
    }

    fn progress(&mut self, _: Progress) {}
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/fixtures/fhir", name].iter().collect()
}

fn read_path(path: &Path) -> (Made, Summary) {
    static DICTIONARY: OnceLock<Dictionary> = OnceLock::new();
    let dictionary = DICTIONARY.get_or_init(|| Dictionary::built_in().unwrap());
    let mut made = Made::default();
    let summary = read(path, dictionary, &mut made).unwrap();
    (made, summary)
}

fn read_bytes(name: &str, bytes: &[u8]) -> (Made, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    read_path(&path)
}

fn counted(unused: &[(&str, u64)]) -> BTreeMap<String, u64> {
    unused.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[test]
fn a_bundle_makes_the_rows_of_its_children() {
    let (made, summary) = read_path(&fixture("bundle.json"));
    let rows = [
        "2 patient patient_id=MR-1001 birth_date=2011-05-14 sex=1 residence_country=MX \
         residence_region=MX-JAL legal_basis=public_task objection=no",
        "17 patient patient_id=MR-1002 birth_date=2013-01 sex=2 residence_country=MX residence_region=MX-NAY \
         legal_basis=public_task objection=no",
        "26 patient patient_id=MR-1003 birth_date=2005-03-17 sex=2 residence_country=MX \
         residence_region=MX-COL legal_basis=public_task objection=yes",
        "33 patient patient_id=MR-1004 birth_date=2015 sex=3 residence_country=MX residence_region=unknown \
         legal_basis=public_task objection=no",
        "1 tumour patient_id=MR-1001 tumour_seq=0 diagnosis_date=2015-09-03 topography=C421 morphology=9811 \
         behaviour=3 basis=7 stage_schema=acute_lymphoblastic_leukemia stage_value=CNS1 stage_tier=2 \
         stage_guideline_version=2 stage_basis=clinical first_contact_date=2015-08-20 \
         specialist_seen_date=2015-09-01",
        "18 tumour patient_id=MR-1002 tumour_seq=0 diagnosis_date=2016-02-11 topography=C649 morphology=8960 \
         behaviour=3 basis=7 laterality=1 stage_schema=renal_tumors_nephroblastoma stage_value=y-II \
         stage_tier=2 stage_guideline_version=2 stage_basis=after_neoadjuvant",
        "27 tumour patient_id=MR-1003 tumour_seq=2 diagnosis_date=2017-03-28 topography=C402 morphology=9180 \
         behaviour=3 basis=7 laterality=2 stage_schema=malignant_bone_tumors_osteosarcoma stage_value=L \
         stage_tier=2 stage_guideline_version=2 stage_basis=clinical",
        "28 tumour patient_id=MR-1003 tumour_seq=1 diagnosis_date=2006-10-05 topography=C692 morphology=9510 \
         behaviour=3 basis=1 laterality=4",
        "34 tumour patient_id=MR-1004 tumour_seq=60 diagnosis_date=2020-03 topography=C716 morphology=9421 \
         behaviour=1 basis=9",
        "14 course patient_id=MR-1001 tumour_seq=0 course_no=1 intent=curative modality=chemotherapy \
         protocol=ALL-IC 2009 phase=induction start_date=2015-09-05 end_date=2015-10-10 end_reason=completed",
        "10 administration patient_id=MR-1001 tumour_seq=0 course_no=1 admin_no=1 inn=methotrexate \
         atc=L01BA01 dose=12 dose_unit=mg protocol_dose=12 route=IT planned_at=2015-09-08 given_at=2015-09-09",
        "8 administration patient_id=MR-1001 tumour_seq=0 course_no=1 admin_no=2 inn=vincristine atc=L01CA02 \
         dose=0.8 dose_unit=mg protocol_dose=0.9 route=IV planned_at=2015-09-08T09:00:00-05:00 \
         given_at=2015-09-08T11:05:30-05:00",
        "9 administration patient_id=MR-1001 tumour_seq=0 course_no=1 admin_no=3 inn=vincristine atc=L01CA02 \
         dose=0.8 dose_unit=mg protocol_dose=0.9 route=IV planned_at=2015-09-15T09:00:00-05:00 \
         not_given_reason=medicine_unavailable",
        "22 course patient_id=MR-1002 tumour_seq=0 course_no=1 intent=curative modality=chemotherapy \
         start_date=2016-02-15",
        "22 administration patient_id=MR-1002 tumour_seq=0 course_no=1 admin_no=1 inn=dactinomycin \
         atc=L01DA01 dose=0.5 dose_unit=mg route=IV given_at=2016-02-15",
        "23 administration patient_id=MR-1002 tumour_seq=0 course_no=1 admin_no=2 inn=paracetamol atc=N02BE01 \
         dose=1000 dose_unit=mg route=PO given_at=2016-02-15",
        "20 course patient_id=MR-1002 tumour_seq=0 course_no=2 intent=curative modality=surgery \
         start_date=2016-03-20 end_date=2016-03-20 end_reason=completed",
        "21 course patient_id=MR-1002 tumour_seq=0 course_no=3 intent=curative modality=radiotherapy \
         start_date=2016-04-05 end_date=2016-04-20 end_reason=completed radiotherapy_gy=10.8 \
         radiotherapy_fractions=6",
        "25 event patient_id=MR-1002 tumour_seq=0 event_number=1 event_type=relapse event_date=2017-02-20 \
         event_site=distant;local",
        "2 follow_up patient_id=MR-1001 last_contact_date=2023-06-12 vital_status=1 \
         followup_status=off_therapy",
        "17 follow_up patient_id=MR-1002 last_contact_date=2017-11-30 vital_status=0 followup_status=unknown \
         death_date=2017-11-30",
    ];
    assert_eq!(made.rows, rows);
    assert_eq!(made.defects, Vec::<String>::new());
    // what was given without an order has no planned date
    assert_eq!(made.refused, ["22 administration.planned_at required", "23 administration.planned_at required"]);
    let unused = counted(&[
        ("Condition (no tumour)", 1),
        ("Consent (not about the use of data)", 1),
        ("Encounter (not taken place)", 1),
        ("MedicationAdministration (of a medicine that is not in the list)", 1),
        ("Observation (does not name one of the patient's tumours)", 1),
        ("Organization", 1),
        ("Practitioner", 1),
    ]);
    assert_eq!(summary.unused, unused);
    assert_eq!(summary.file.records, 37);
    assert_eq!(summary.file.sha256, Digest::of(&fs::read(fixture("bundle.json")).unwrap()));
}

#[test]
fn lines_of_resources_make_rows_and_bad_ones_are_named() {
    let (made, summary) = read_path(&fixture("registry.ndjson"));
    let rows = [
        "1 patient patient_id=MR-2001 birth_date=2009-12-02 sex=1 residence_country=MX \
         residence_region=MX-ZAC legal_basis=research_exemption objection=no",
        "4 patient patient_id=MR-2002 birth_date=2018-04-23 sex=2 residence_country=MX \
         residence_region=MX-JAL legal_basis=consent objection=no",
        "15 patient patient_id=MR-2003 birth_date=2014-08-01 sex=2 residence_country=MX \
         residence_region=MX-Atlantis objection=no",
        "2 tumour patient_id=MR-2001 tumour_seq=0 diagnosis_date=2016-05-19 topography=C421 morphology=9836 \
         behaviour=3 basis=7",
        "5 tumour patient_id=MR-2002 tumour_seq=0 diagnosis_date=2019-11-29 topography=C692 morphology=9510 \
         behaviour=3 basis=1 laterality=1",
        "16 tumour patient_id=MR-2003 tumour_seq=0 diagnosis_date=2018 topography=C740 morphology=9500 \
         behaviour=3 basis=7 laterality=3",
        "7 event patient_id=MR-2002 tumour_seq=0 event_number=1 event_type=abandonment event_date=2019-12-05 \
         abandonment_kind=never_started abandonment_reason=belief",
        "15 follow_up patient_id=MR-2003 last_contact_date=2019-01-10 vital_status=9 followup_status=unknown",
    ];
    assert_eq!(made.rows, rows);
    let defects = [
        "8  readable",
        "9 Condition.subject required",
        "11 Condition.bodySite readable",
        "12 Condition.id unique",
        "13 resourceType readable",
        "10 Observation.subject reference",
    ];
    assert_eq!(made.defects, defects);
    assert!(made.said.iter().all(|said| !said.contains("C64")), "a value is repeated: {:?}", made.said);
    assert_eq!(made.refused, ["15 patient.residence_region form", "15 patient.legal_basis required"]);
    assert_eq!(summary.unused, counted(&[("Condition (a metastasis)", 1), ("Immunization", 1)]));
    assert_eq!(summary.file.records, 17);
}

#[test]
fn the_form_is_seen_by_the_content_and_gzip_is_read() {
    let (bundle, lines) = (fs::read(fixture("bundle.json")).unwrap(), fs::read(fixture("registry.ndjson")).unwrap());
    let one_line = serde_json::to_vec(&serde_json::from_slice::<Value>(&bundle).unwrap()).unwrap();
    for (bytes, rows) in [(&bundle, 21), (&one_line, 21), (&lines, 8)] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(bytes).unwrap();
        let gzip = gzip.finish().unwrap();
        for (name, bytes) in [("a.json", bytes), ("a.json.gz", &gzip)] {
            assert_eq!(read_bytes(name, bytes).0.rows.len(), rows, "{name}");
        }
        let (made, _) = read_bytes("a.json", &gzip[..gzip.len() / 2]);
        assert!(made.said.last().unwrap().contains("breaks off"), "{:?}", made.said);
        assert!(made.rows.is_empty());
    }
}

#[test]
fn the_order_of_resources_does_not_matter() {
    let bundle: Value = serde_json::from_slice(&fs::read(fixture("bundle.json")).unwrap()).unwrap();
    let without_places = |made: Made| {
        let texts = made.rows.iter().map(|row| row.split_once(' ').unwrap().1.to_owned());
        texts.collect::<std::collections::BTreeSet<_>>()
    };
    let mut reversed = bundle.clone();
    reversed["entry"].as_array_mut().unwrap().reverse();
    let rows = |bundle: &Value| without_places(read_bytes("a.json", &serde_json::to_vec(bundle).unwrap()).0);
    assert_eq!(rows(&bundle), rows(&reversed));
}

#[test]
fn what_is_no_fhir_is_named_with_its_place() {
    let bundle = |entries: &str| format!(r#"{{"resourceType": "Bundle", "entry": [{entries}]}}"#).into_bytes();
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let long = format!(r#"{{"resourceType": "Patient", "id": "{}"}}"#, "x".repeat(3 << 20));
    let said = |name: &str, bytes: &[u8]| read_bytes(name, bytes).0.said.join("\n").replace("/a.", "\n");
    for (name, bytes, wanted) in [
        ("a.json", b"".to_vec(), "json:1: readable: the file ends"),
        ("a.json", b"[1, 2]".to_vec(), "json:1: readable: no JSON of a Bundle"),
        ("a.json", b"{\"resourceType\":\n\"List\"}".to_vec(), "json:1: readable: the file is no Bundle"),
        ("a.json", bundle(r#"{"resource": {"resourceType": "Patient"}}, {"#), "json:2: readable: no JSON"),
        ("a.json", bundle(r#"{"request": {}}, 7"#), "json:2: readable: the entry has no resource"),
        (
            "a.json",
            bundle(&format!(r#"{{"resource": {long}}}"#)),
            "json:1: readable: the resource is longer than 1024 kB",
        ),
        ("a.json", bundle(r#"{"resource": {}}"#), "json:1: resourceType: readable: give a FHIR resource"),
        ("a.json", [bundle(""), bundle("")].concat(), "json:1: readable: no JSON of a Bundle"),
        ("a.json", deep.clone(), "json:1: readable: no JSON"),
        ("a.ndjson", deep, "ndjson:1: readable: no JSON"),
        ("a.ndjson", format!("{long}\n7\n").into_bytes(), "ndjson:2: resourceType"),
        ("a.ndjson", format!("{long}\n7\n").into_bytes(), "ndjson:1: readable: the resource is longer than 1024 kB"),
        ("a.ndjson", b"\xff\xfe\n".to_vec(), "ndjson:1: readable: no JSON"),
    ] {
        let said = said(name, &bytes);
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    assert_eq!(said("a.ndjson", b"\n \r\n"), "", "empty lines are no resources");
}

#[test]
fn a_file_of_any_length_is_read_resource_by_resource() {
    let mut lines = Vec::new();
    for number in 0..20_000 {
        writeln!(lines, r#"{{"resourceType": "Patient", "id": "{number}", "text": "{}"}}"#, "x".repeat(100)).unwrap();
    }
    let entries: Vec<String> = std::str::from_utf8(&lines)
        .unwrap()
        .lines()
        .map(|line| format!(r#"{{"fullUrl": "urn:x", "resource": {line}}}"#).replace(r#""fullUrl": "urn:x", "#, ""))
        .collect();
    let bundle = format!(r#"{{"entry": [{}], "resourceType": "Bundle"}}"#, entries.join(","));
    for (name, bytes) in [("a.ndjson", lines.as_slice()), ("a.json", bundle.as_bytes())] {
        let (made, summary) = read_bytes(name, bytes);
        assert_eq!((made.rows.len(), made.defects.len(), summary.file.records), (20_000, 0, 20_000), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), by_lines in any::<bool>()) {
        read_bytes(if by_lines { "a.ndjson" } else { "a.json" }, &bytes);
    }

    #[test]
    fn no_changed_file_makes_it_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        by_lines in any::<bool>(),
    ) {
        let name = if by_lines { "registry.ndjson" } else { "bundle.json" };
        let mut bytes = fs::read(fixture(name)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_bytes(name, &bytes);
    }

    #[test]
    fn no_value_of_another_type_makes_it_panic(
        at in any::<prop::sample::Index>(),
        other in prop::sample::select(vec!["7", "null", "\"\"", "[]", "{}", "true", "[[{}]]", "1e308", "\"2015-\u{e9}T.\""]),
    ) {
        let text = fs::read_to_string(fixture("registry.ndjson")).unwrap();
        // the value behind any one colon is put aside
        let colons: Vec<usize> = text.match_indices("\": ").map(|(at, _)| at + 3).collect();
        let start = colons[at.index(colons.len())];
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if values.next().is_some_and(|value| value.is_ok()) {
            let end = start + values.byte_offset();
            read_bytes("a.ndjson", format!("{}{other}{}", &text[..start], &text[end..]).as_bytes());
        }
    }
}
