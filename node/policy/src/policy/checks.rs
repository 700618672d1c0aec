//! What a policy must keep to, whoever writes it: floors, tiers that only tighten, noise that protects, names that there are.

use node_domain::{dictionary::Dictionary, nearest::unknown};
use node_protocol::{
    project::Lane,
    query::{MAX_CELLS, MAX_CONDITIONS, STATISTICS},
};

use super::{FLOOR, LEAST_P_PERCENT, LEAST_VARIANCE, MOST_LARGEST_PERCENT, Policy, PolicyError};

impl Policy {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        self.check_thresholds()?;
        self.check_statistics()?;
        self.check_projects()?;
        let value = |key, what: &str| Err(PolicyError::Value { key, what: what.to_owned() });
        if self.exploration.lane != Lane::Perturbed && !self.rehearsal {
            return value(
                "exploration.lane",
                "only `perturbed`: exact and private answers are granted to projects (or set `rehearsal = true` on public or invented data)",
            );
        }
        let bound = u64::from(self.noise.bound);
        let threshold = self.threshold.persons.max(self.threshold.facilities);
        if self.noise.bound < threshold || bound > 1000 {
            return value(
                "noise.bound",
                "at least threshold.persons and threshold.facilities, and at most 1000: else no number near the threshold can move",
            );
        }
        let widest = (bound * bound / 4) as f64;
        if !(LEAST_VARIANCE..=widest.max(LEAST_VARIANCE)).contains(&self.noise.variance) {
            return value("noise.variance", "at least 1, and at most a quarter of the squared bound");
        }
        let quota = self.quota;
        if quota.researcher_per_minute == 0 || quota.researcher_per_week == 0 || quota.project_per_week == 0 {
            return value("quota", "every quota is at least 1; to answer nothing, allow no statistic");
        }
        if quota.peer_per_week < quota.researcher_per_week {
            return value("quota.peer_per_week", "at least researcher_per_week, which it includes");
        }
        // below twice the variance, no number behind the noise can be told for certain, however the answers are combined
        if f64::from(quota.different_per_quarter) >= 2.0 * self.noise.variance && !self.rehearsal {
            return value(
                "quota.different_per_quarter",
                "less than twice noise.variance: noise wears off with every further query",
            );
        }
        let size = self.size;
        if !(1..=MAX_CELLS).contains(&u64::from(size.cells))
            || !(1..=MAX_CONDITIONS as u64).contains(&u64::from(size.conditions))
            || size.fields == 0
        {
            return value("size", "from 1 to the protocol's bounds: 5000 cells, 64 conditions");
        }
        if !(1..=20_000).contains(&self.exact.cells) {
            return value("exact.cells", "from 1 to 20000");
        }
        let sound = |rho: f64| rho.is_finite() && rho >= 0.0;
        if !sound(self.privacy.project_rho)
            || !sound(self.privacy.node_rho)
            || self.privacy.project_rho > self.privacy.node_rho
        {
            return value("privacy", "0 or more, and project_rho is at most node_rho");
        }
        let models = self.models;
        if models.events_per_parameter < 5 || models.persons_per_parameter < 5 {
            return value("models", "at least 5 events and 5 persons per parameter");
        }
        if !(models.coefficient > 0.0 && models.coefficient <= 50.0) {
            return value("models.coefficient", "greater than 0 and at most 50");
        }
        Ok(())
    }

    /// Checks the names of tables, fields and endpoints, which [`Policy::parse`] cannot know.
    ///
    /// # Errors
    /// Names the key and the name that the dictionary does not have, with those that it has, the nearest first.
    pub fn check_names(&self, dictionary: &Dictionary) -> Result<(), PolicyError> {
        let tables = || dictionary.tables().map(|table| table.name.as_str());
        let reviewed = self.review.iter().filter_map(|class| class.table.as_ref());
        let named = self.exploration.tables.iter().map(|name| ("exploration.tables", name));
        for (key, name) in named.chain(reviewed.map(|name| ("review.table", name))) {
            if dictionary.table(name).is_none() {
                return Err(PolicyError::Name { key, what: unknown("analysis table", name, tables()) });
            }
        }
        let fields: Vec<&str> = self
            .exploration
            .tables
            .iter()
            .filter_map(|name| dictionary.table(name))
            .flat_map(|table| table.names())
            .collect();
        match self.exploration.fields.iter().find(|field| !fields.contains(&field.as_str())) {
            Some(field) => {
                let what = unknown("field or endpoint of those tables", field, fields);
                Err(PolicyError::Name { key: "exploration.fields", what })
            }
            None => Ok(()),
        }
    }

    fn check_thresholds(&self) -> Result<(), PolicyError> {
        let floor = if self.rehearsal { 1 } else { FLOOR };
        let threshold = self.threshold;
        let thresholds = [
            ("persons", threshold.persons),
            ("events", threshold.events),
            ("at_risk", threshold.at_risk),
            ("facilities", threshold.facilities),
        ];
        for (key, value) in thresholds {
            if value < floor {
                return Err(PolicyError::Floor { key: format!("threshold.{key}"), value, floor });
            }
        }
        if threshold.events > threshold.persons {
            return Err(PolicyError::Looser {
                key: "threshold.persons".to_owned(),
                value: threshold.persons,
                than: "threshold.events",
                limit: threshold.events,
            });
        }
        if threshold.largest_percent > MOST_LARGEST_PERCENT && !self.rehearsal {
            let what = format!("at most {MOST_LARGEST_PERCENT}");
            return Err(PolicyError::Value { key: "threshold.largest_percent", what });
        }
        if threshold.p_percent < LEAST_P_PERCENT && !self.rehearsal {
            let what = format!("at least {LEAST_P_PERCENT}");
            return Err(PolicyError::Value { key: "threshold.p_percent", what });
        }
        if self.exploration.persons < threshold.persons {
            return Err(PolicyError::Looser {
                key: "exploration.persons".to_owned(),
                value: self.exploration.persons,
                than: "threshold.persons",
                limit: threshold.persons,
            });
        }
        Ok(())
    }

    fn check_statistics(&self) -> Result<(), PolicyError> {
        let reviewed = self.review.iter().filter_map(|class| class.statistic.as_ref());
        let named = self.exploration.statistics.iter().map(|name| ("exploration.statistics", name));
        for (key, name) in named.chain(reviewed.map(|name| ("review.statistic", name))) {
            if !STATISTICS.contains(&name.as_str()) {
                return Err(PolicyError::Statistic { key: key.to_owned(), name: name.clone() });
            }
        }
        // an empty list of fields means all of them; of tables it would mean none
        if self.exploration.tables.is_empty() && !self.exploration.statistics.is_empty() {
            let what = "name at least one table; to answer nothing outside projects, leave `statistics` empty as well";
            return Err(PolicyError::Value { key: "exploration.tables", what: what.to_owned() });
        }
        Ok(())
    }

    fn check_projects(&self) -> Result<(), PolicyError> {
        for (name, project) in &self.project {
            let looser = |key: &str, value, than, limit| {
                Err(PolicyError::Looser { key: format!("project.{name}.{key}"), value, than, limit })
            };
            if let Some(persons) = project.persons.filter(|persons| *persons < self.threshold.persons) {
                return looser("persons", persons, "threshold.persons", self.threshold.persons);
            }
            let limit = self.quota.project_per_week;
            if let Some(per_week) = project.per_week.filter(|per_week| *per_week > limit) {
                return looser("per_week", per_week, "quota.project_per_week", limit);
            }
        }
        Ok(())
    }
}
