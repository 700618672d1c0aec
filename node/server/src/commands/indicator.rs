//! `indicator`: the alliance's indicators, and asking for one.

use anyhow::Context;
use node_catalogue::indicator::Indicator;
use node_domain::language::Language;
use serde_json::{Value, json};

use super::{render::columns::columns, study, words::Words};
use crate::{
    cli::{Ended, Session, governance::IndicatorCommand},
    terminal::{say, say_json},
};

/// `indicator`
pub(crate) async fn run(session: &Session, command: IndicatorCommand) -> anyhow::Result<Ended> {
    match command {
        IndicatorCommand::List { lang, output } => {
            let all = Indicator::all()?;
            if output.json {
                say_json(&all.iter().map(as_json).collect::<Vec<_>>())?;
                return Ok(Ended::Well);
            }
            let row = |one: &Indicator| vec![one.id.clone(), one.unit.clone(), one.title.of(lang).to_owned()];
            let rows: Vec<_> = all.iter().map(row).collect();
            say(columns(&["indicator", "unit", "title"], &[], &rows).trim_end());
            say("\nMore: alianza indicator show INDICATOR; ask for it: alianza indicator run INDICATOR");
            Ok(Ended::Well)
        }
        IndicatorCommand::Show { indicator, lang, output } => {
            let found = find(&indicator)?;
            if output.json {
                say_json(&as_json(&found))?;
            } else {
                show(&found, lang)?;
            }
            Ok(Ended::Well)
        }
        IndicatorCommand::Run { indicator, asking } => study::ask(session, find(&indicator)?.query, &asking).await,
    }
}

fn find(id: &str) -> anyhow::Result<Indicator> {
    let mut all = Indicator::all()?;
    let known = all.iter().map(|one| one.id.clone()).collect::<Vec<_>>().join(", ");
    let at = all.iter().position(|one| one.id == id);
    Ok(all.swap_remove(at.with_context(|| format!("there is no indicator `{id}`; there are {known}"))?))
}

fn show(indicator: &Indicator, language: Language) -> anyhow::Result<()> {
    say(format!("{} (version {}): {}", indicator.id, indicator.version, indicator.title.of(language)));
    say(indicator.definition.of(language));
    say(format!("  formula  {}", indicator.formula));
    say(format!("  unit     {}", indicator.unit));
    say(format!("  source   {}", indicator.source));
    say(format!("  asks     {}", Words::built_in().query(&indicator.query)));
    say(format!("  query    {}", serde_json::to_string(&indicator.query)?));
    Ok(())
}

fn as_json(indicator: &Indicator) -> Value {
    json!({
        "id": indicator.id,
        "version": indicator.version,
        "unit": indicator.unit,
        "formula": indicator.formula,
        "source": indicator.source,
        "title": indicator.title,
        "definition": indicator.definition,
        "query": indicator.query,
    })
}
