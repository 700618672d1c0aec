//! The counts of the founding documents, one by one.

use std::collections::HashSet;

use super::{FOUNDING, date, plan, rows};

#[test]
fn the_founding_registry_has_exactly_the_counts_of_the_documents() {
    let plan = plan();
    let registry = &*FOUNDING;
    let tumours = rows(registry, "tumour");
    assert_eq!(registry.collections["patient"].rows.len(), 20_473);
    assert_eq!(tumours.len(), 20_473);
    assert_eq!(tumours.iter().map(|row| row.at("patient_id")).collect::<HashSet<_>>().len(), 20_473);
    let age = |row: &super::Row<'_>| row.at("extract_age_years").parse::<u32>().unwrap();
    assert_eq!(tumours.iter().filter(|row| age(row) < 18).count(), 7_166);
    assert!(tumours.iter().all(|row| !matches!(age(row), 18 | 19)));
    assert_eq!(registry.planted["QA07"].len(), 20_473 - 7_166);
    let first = plan.extract - chrono::Days::new(13);
    assert_eq!(tumours.iter().filter(|row| date(row.at("registered_on")).unwrap() >= first).count(), 302);

    let facilities = rows(registry, "facility");
    assert_eq!(facilities.len(), 76);
    assert_eq!(facilities.iter().filter(|row| row.at("level") == "tertiary").count(), 15);
    assert_eq!(facilities.iter().filter(|row| row.at("level") == "second_level").count(), 61);

    let sessions = rows(registry, "session");
    assert_eq!(sessions.iter().filter(|row| row.at("status") == "held").count(), 192);
    assert!(sessions.iter().all(|row| !matches!(row.at("kind"), "training" | "lecture")));
    let discussions = rows(registry, "case_discussion");
    let cases = |complexity: &str| -> HashSet<&str> {
        discussions.iter().filter(|row| row.at("complexity") == complexity).map(|row| row.at("case_id")).collect()
    };
    assert_eq!(cases("complex").len(), 170);
    assert!(!cases("routine").is_empty() && cases("complex").is_disjoint(&cases("routine")));
    for kind in ["training", "lecture"] {
        assert_eq!(rows(registry, "training").iter().filter(|row| row.at("kind") == kind).count(), 10, "{kind}");
    }
}

#[test]
fn the_parents_group_follows_levetiracetam_in_san_luis_potosi() {
    let registry = &*FOUNDING;
    let agreements = rows(registry, "agreement");
    assert!(agreements.iter().all(|row| row.at("group") == "parents"));
    let of_session: Vec<_> = agreements.iter().filter(|row| row.at("session_no") == "166").collect();
    assert!(of_session.len() >= 4);
    let followed: Vec<_> = agreements.iter().filter(|row| row.at("inn") == "levetiracetam").collect();
    assert_eq!(followed.len(), 1);
    assert_eq!(
        (followed[0].at("session_no"), followed[0].at("region"), followed[0].at("topic")),
        ("166", "MX-SLP", "access_to_medicines")
    );
    assert!(
        agreements
            .iter()
            .filter(|row| row.at("session_no") != "166")
            .all(|row| ("160"..="165").contains(&row.at("session_no")))
    );
    assert!(agreements.len() > of_session.len());
}
