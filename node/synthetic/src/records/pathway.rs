//! Rows of `referral`.

use rand::rngs::StdRng;

use super::facilities::Hospital;
use crate::{
    Registry,
    draw::{between, chance, code, plus, stamp, time, weighted},
    story::Story,
};

/// Writes the referrals of a patient: to the centre that treats, to transplant, to palliative care.
pub(crate) fn write(registry: &mut Registry, story: &Story, hospitals: &[Hospital], rng: &mut StdRng) {
    let centre = &hospitals[story.facility];
    if let Some(path) = story.path
        && chance(rng, 0.34)
    {
        let from = weighted(
            rng,
            hospitals.iter().map(|hospital| match hospital.level {
                "second_level" => 3.0,
                "primary" => 2.0,
                _ => 0.0,
            }),
        );
        let sender = Some(&hospitals[from])
            .filter(|hospital| matches!(hospital.level, "second_level" | "primary") && hospital.id != centre.id);
        let reason = code(rng, &[("diagnosis", 0.55), ("treatment", 0.45)]);
        let declined = if chance(rng, 0.05) {
            code(rng, &[("no_bed", 0.6), ("no_capability", 0.25), ("outside_area", 0.1), ("other", 0.05)])
        } else {
            ""
        };
        let arrival =
            (path.specialist >= path.referral && chance(rng, 0.95)).then(|| stamp(time(path.specialist, 900)));
        add(
            registry,
            story,
            sender.map_or("", |hospital| hospital.id.as_str()),
            &centre.id,
            Step {
                reason,
                capability: "",
                requested: stamp(time(path.referral, 480)),
                accepted: stamp(time(path.referral, 480 + between(rng, 20, 380))),
                declined,
                arrived: arrival.unwrap_or_default(),
            },
        );
    }
    let elsewhere = centre.id != hospitals[0].id;
    for course in story.courses.iter().filter(|course| elsewhere && course.modality == "transplant") {
        let requested = plus(course.start, -14).max(story.diagnosis);
        add(
            registry,
            story,
            &centre.id,
            &hospitals[0].id,
            Step {
                reason: "transplant",
                capability: "transplant",
                requested: stamp(time(requested, 600)),
                accepted: stamp(time(requested, 600 + between(rng, 60, 300))),
                declined: "",
                arrived: stamp(time(course.start, 1080)),
            },
        );
    }
    if let Some(date) = story.death.and_then(|death| death.palliative) {
        add(
            registry,
            story,
            &centre.id,
            "",
            Step {
                reason: "palliative",
                capability: "palliative",
                requested: stamp(time(date, 540)),
                accepted: stamp(time(date, 540 + between(rng, 10, 200))),
                declined: "",
                arrived: stamp(time(date, 840)),
            },
        );
    }
}

struct Step {
    reason: &'static str,
    capability: &'static str,
    requested: String,
    accepted: String,
    declined: &'static str,
    arrived: String,
}

fn add(registry: &mut Registry, story: &Story, from: &str, to: &str, step: Step) {
    let number = registry.rows("referral").len() + 1;
    let refused = !step.declined.is_empty();
    registry.add(
        "referral",
        &[
            ("referral_id", format!("SYN-{}-R{number:06}", registry.country)),
            ("patient_id", story.id.clone()),
            ("from_facility", from.to_owned()),
            ("to_facility", to.to_owned()),
            ("reason", step.reason.to_owned()),
            ("capability_needed", step.capability.to_owned()),
            ("requested_at", step.requested),
            ("accepted_at", if refused { String::new() } else { step.accepted }),
            ("declined_reason", step.declined.to_owned()),
            ("arrived_at", if refused { String::new() } else { step.arrived }),
        ],
    );
}
