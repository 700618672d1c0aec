//! `review` and `pending`: what waits for a steward, what it would reveal, and the decision.

use std::fmt::Write as _;

use anyhow::bail;
use node_protocol::{problem::ProblemKind, project::ProjectState};
use serde_json::json;

use super::{
    project,
    render::{self, columns::columns},
    study::client,
    words::{self, Words},
};
use crate::{
    cli::{
        Ended, Json, Session,
        governance::{Held, ReviewCommand},
    },
    config::Home,
    people_client::{PeopleClient, Refused},
    people_port::governance::{ProjectView, ReviewDecision, ReviewView},
    terminal::{say, say_json},
};

/// The state of an answer that nobody has decided on.
const WAITING: &str = "waiting";

/// `review`
pub(crate) async fn run(session: &Session, command: ReviewCommand) -> anyhow::Result<Ended> {
    let client = client(session)?;
    match command {
        ReviewCommand::List { all, output } => {
            let mut reviews: Vec<ReviewView> = client.get("/api/v1/reviews").await?;
            reviews.retain(|review| all || review.state == WAITING);
            if output.json {
                say_json(&reviews)?;
            } else if reviews.is_empty() {
                say("No answer waits.");
            } else {
                say(list(&reviews).trim_end());
            }
            Ok(Ended::Well)
        }
        ReviewCommand::Show { held, output } => {
            let review: ReviewView = client.get(&place(&held)).await?;
            if output.json {
                say_json(&review)?;
            } else {
                say(show(&review).trim_end());
            }
            Ok(Ended::Well)
        }
        ReviewCommand::Release { held, reason } => decide(&client, &held, "release", reason).await,
        ReviewCommand::Refuse { held, reason } => decide(&client, &held, "refuse", reason).await,
        ReviewCommand::Undo { held, reason } => decide(&client, &held, "undo", reason).await,
    }
}

fn place(held: &Held) -> String {
    format!("/api/v1/reviews/{}/{}", held.peer, held.study)
}

async fn decide(client: &PeopleClient, held: &Held, what: &str, reason: String) -> anyhow::Result<Ended> {
    let decision = ReviewDecision { reason };
    let review: ReviewView = client.post(&format!("{}/{what}", place(held)), &decision).await?;
    let Held { peer, study } = held;
    match review.state.as_str() {
        WAITING => say(format!("The answer to study {study} of {peer} waits again.")),
        state => {
            say(format!("The answer to study {study} of {peer} is {state}."));
            let until = if state == "released" { "As long as it is not fetched, take it back" } else { "Take it back" };
            say(format!("{until} with: alianza review undo {peer} {study} --reason '...'"));
        }
    }
    Ok(Ended::Well)
}

fn list(reviews: &[ReviewView]) -> String {
    let words = Words::built_in();
    let row = |review: &ReviewView| {
        vec![
            review.peer.to_string(),
            review.study.to_string(),
            review.held.format("%Y-%m-%d %H:%M").to_string(),
            review.project.clone().unwrap_or_else(|| "-".to_owned()),
            review.state.clone(),
            words.query(&review.query),
        ]
    };
    let rows: Vec<_> = reviews.iter().map(row).collect();
    columns(&["peer", "study", "since", "project", "state", "asks for"], &[], &rows)
}

fn show(review: &ReviewView) -> String {
    let words = Words::built_in();
    let mut text = format!("Answer to study {} of {}\n", review.study, review.peer);
    let mut line = |what: &str, value: &str| {
        // writing to a String cannot fail
        let _ = writeln!(text, "  {what:<9} {value}");
    };
    line("state", &review.state);
    line("since", &review.held.format("%Y-%m-%d %H:%M").to_string());
    let you = if review.own { " (you)" } else { "" };
    line("asker", &format!("researcher {} of {}{you}", review.subject, review.peer));
    line("project", review.project.as_deref().unwrap_or("none: exploration"));
    line("waits", &format!("because of the policy's review class: {}", review.class));
    line("asks for", &words.query(&review.query));
    if let Some(answer) = &review.answer {
        line("numbers", &words::release(&answer.release(), words.unit(&review.query.table)));
    }
    if let (Some(by), Some(decided)) = (&review.reviewer, review.decided) {
        let reason = review.reason.as_deref().filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| format!(": “{reason}”")).unwrap_or_default();
        line("decided", &format!("by {by} on {}{reason}", decided.format("%Y-%m-%d %H:%M")));
    }
    match &review.answer {
        Some(answer) => {
            text.push_str("\nThe answer as it would leave\n");
            text.push_str(&render::answer(&review.query, "here", answer));
        }
        None if review.own => text.push_str(
            "\nYou asked this yourself. Another steward looks at its numbers and decides (four eyes); you see them when they are \
             released.\n",
        ),
        None => text.push_str("\nIts numbers are not kept here.\n"),
    }
    if review.state == WAITING && !review.own {
        let (peer, study) = (&review.peer, &review.study);
        let _ = write!(
            text,
            "\nDecide: alianza review release {peer} {study}, or\n        alianza review refuse {peer} {study} --reason '...'\n"
        );
    }
    text
}

/// `pending`
pub(crate) async fn pending(session: &Session, output: &Json) -> anyhow::Result<Ended> {
    let home = Home::open(&session.dir)?;
    let client = PeopleClient::of(&home, session.token.as_deref())?;
    let own = &home.config.node;
    let mut projects: Vec<ProjectView> = client.get("/api/v1/projects").await?;
    projects.retain(|view| view.state == ProjectState::Pending && view.project.countries.contains(own));
    let reviews = match client.get::<Vec<ReviewView>>("/api/v1/reviews").await {
        Ok(reviews) => Some(reviews.into_iter().filter(|review| review.state == WAITING).collect::<Vec<_>>()),
        // others than stewards see what waits among projects alone
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(Refused(problem)) if problem.kind == ProblemKind::RoleForbidden => None,
            _ => bail!(error),
        },
    };
    if output.json {
        say_json(&json!({ "projects": projects, "reviews": reviews }))?;
        return Ok(Ended::Well);
    }
    if projects.is_empty() {
        say(format!("No project waits for a decision at {own}."));
    } else {
        say(format!("Projects that wait for a decision at {own}\n"));
        say(project::list(&projects, own).trim_end());
        say("\nSee what one would reveal: alianza project show PROJECT");
    }
    match reviews.as_deref() {
        None => say("\nAnswers that wait are shown to stewards alone."),
        Some([]) => say("\nNo answer waits."),
        Some(reviews) => {
            say("\nAnswers that wait for a steward\n");
            say(list(reviews).trim_end());
            say("\nSee one as it would leave: alianza review show PEER STUDY");
        }
    }
    Ok(Ended::Well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::render::samples;

    fn review(own: bool) -> ReviewView {
        let mut sample = samples::counts();
        let answer = sample.nodes[0].answer.take();
        ReviewView {
            peer: "mx".parse().unwrap(),
            study: sample.study,
            subject: "r-1".to_owned(),
            project: Some("mx-1".to_owned()),
            query: sample.query,
            class: "exact answers".to_owned(),
            state: WAITING.to_owned(),
            answer: answer.filter(|_| !own),
            reviewer: None,
            reason: None,
            held: sample.started,
            decided: None,
            own,
        }
    }

    #[test]
    fn who_asked_is_told_that_somebody_else_decides() {
        let text = show(&review(true));
        assert!(text.contains("You asked this yourself") && text.contains("four eyes"), "{text}");
        assert!(!text.contains("catalogue") && !text.contains("Decide:"), "{text}");
        let text = show(&review(false));
        assert!(text.contains("as it would leave") && text.contains("Decide: alianza review release mx"), "{text}");
    }
}
