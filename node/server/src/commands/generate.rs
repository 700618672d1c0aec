//! `generate`: a synthetic registry, labelled as such everywhere.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use node_synthetic::{Plan, Registry, countries, country, founding, plant, write};

use crate::{
    cli::{Ended, registry::GenerateArgs},
    terminal::say,
};

/// `generate`
pub(crate) fn run(arguments: &GenerateArgs) -> anyhow::Result<Ended> {
    let plan = Plan { scale: arguments.scale, ..Plan::new(arguments.seed, arguments.extract) };
    if !(arguments.scale > 0.0 && arguments.scale <= 100.0) {
        bail!("--scale {}: above 0 and at most 100", arguments.scale);
    }
    let plants = arguments.plants.iter().map(|text| planted(text)).collect::<anyhow::Result<Vec<_>>>()?;
    empty(&arguments.out)?;
    let mut registries: Vec<Registry> = if arguments.founding {
        vec![founding(&plan)]
    } else if arguments.countries.is_empty() {
        countries().iter().filter_map(|one| country(&plan, one.iso2)).collect()
    } else {
        let one = |code: &String| {
            let known = || countries().iter().map(|country| country.iso2).collect::<Vec<_>>().join(", ");
            country(&plan, &code.to_uppercase()).with_context(|| format!("{code}: none of {}", known()))
        };
        arguments.countries.iter().map(one).collect::<anyhow::Result<_>>()?
    };
    for registry in &mut registries {
        for (rule, count) in &plants {
            plant(registry, &plan, rule, *count)?;
        }
        let folder = arguments.out.join(registry.country.to_lowercase());
        write::to_folder(registry, &folder).with_context(|| folder.display().to_string())?;
        let rows: usize = registry.collections.values().map(|collection| collection.rows.len()).sum();
        let tumours = registry.collections.get("tumour").map_or(0, |collection| collection.rows.len());
        say(format!("{}  {tumours:>6} tumours, {rows:>8} rows", registry.country));
    }
    say(format!(
        "SYNTHETIC: none of these children exists. Load them with: alianza ingest patient={}/…/patient.csv …",
        arguments.out.display()
    ));
    Ok(Ended::Well)
}

fn planted(text: &str) -> anyhow::Result<(String, usize)> {
    let (rule, count) =
        text.split_once('=').with_context(|| format!("--plant {text}: write RULE=COUNT, such as QC01=5"))?;
    Ok((rule.to_owned(), count.parse().with_context(|| format!("--plant {text}: the count is no number"))?))
}

fn empty(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    if fs::read_dir(folder)?.next().is_some() {
        bail!("{}: is not empty; nothing was written", folder.display());
    }
    Ok(())
}
