//! What a question would cost and meet, told before it is asked. Nothing in it depends on the data.

use chrono::TimeDelta;
use node_disclosure::private::PrivatePlan;
use node_domain::dictionary::Unit;
use node_policy::{
    permit::{Asking, permit},
    role::{Action, Role},
};
use node_protocol::{
    envelope::AnswerRequest,
    estimate::{Estimate, Remaining, Spending},
    problem::Problem,
    project::PrivacyTerms,
    query::Query,
    release::{NoiseStatement, Way},
};
use node_store::budgets::BudgetScope;
use node_trust::token::{Caller, Peer, identify};

use crate::{
    answer::{Fault, Responder},
    quota::{QUARTER_DAYS, asked},
    release::{greatest, no_plan},
};

impl Responder {
    /// What the node would do with `request`, without doing it: refusals of policy, threshold, noise, price, review, and what is left
    /// of quotas and budgets.
    ///
    /// # Errors
    /// Those of identification, and what policy would refuse.
    pub async fn estimate(&self, peer: &Peer, token: &str, request: AnswerRequest) -> Result<Estimate, Problem> {
        let now = self.clock.now();
        let query_hash = request.query_hash().map_err(Fault::from)?;
        let roster = self.roster.load_full();
        let caller = identify(peer, token, &self.node, &request.study, &query_hash, &roster, now)?;
        let role: Role = caller.claims().role.parse()?;
        role.demand(Action::Estimate)?;
        let query = request.query;
        query.check_shape()?;
        let quotas = self.remaining(&caller, &query).await?;
        let table = query.check_against(&self.dictionary)?;
        let estimate = Estimate { cells: query.cell_count(table), quotas, ..Estimate::default() };
        let published = self.published.load_full();
        if published.as_ref().is_some_and(|published| published.catalogue.answer_to(&query).is_some()) {
            return Ok(Estimate { way: "catalogue".to_owned(), free: true, ..estimate });
        }
        let grant = self.grant(&query).await?;
        let asking = Asking { role, peer: caller.node(), grant: grant.as_ref() };
        let permitted = permit(query.clone(), asking, &self.policy, &self.dictionary, now)?;
        let conditions = permitted.conditions();
        let estimate = Estimate {
            threshold: conditions.safeguards.persons,
            review: permitted.review().map(str::to_owned),
            ..estimate
        };
        match conditions.way {
            // rows about nobody leave as they are, whatever the tier
            _ if conditions.unit == Unit::None => Ok(Estimate { way: "exact".to_owned(), ..estimate }),
            Way::Catalogue | Way::Exact => Ok(Estimate { way: "exact".to_owned(), ..estimate }),
            Way::Perturbed => {
                let noise =
                    self.noise(permitted.table().unit_of_privacy, conditions.safeguards).map_err(Fault::from)?;
                let noise = NoiseStatement { standard_deviation: noise.standard_deviation(), bound: noise.bound() };
                let noise_suffices = Some(self.noise_suffices().await?);
                Ok(Estimate { way: "perturbed".to_owned(), noise: Some(noise), noise_suffices, ..estimate })
            }
            Way::Private(terms) => {
                let greatest = greatest(&query, permitted.table());
                let plan = PrivatePlan::of(&query, terms, &greatest).map_err(|_| no_plan())?;
                let budget = self.budget(&query, terms).await?;
                let (private, way) = (Some(plan.statement()), "differentially_private".to_owned());
                Ok(Estimate { way, private, budget: Some(budget), threshold: 0, ..estimate })
            }
        }
    }

    async fn remaining(&self, caller: &Caller, query: &Query) -> Result<Vec<Remaining>, Problem> {
        let limits = self.limits(query);
        let asked = asked(caller, query);
        let spent = self
            .store
            .asked_so_far(&asked.peer, &asked.subject, asked.project.as_deref(), &limits, self.clock.now())
            .await
            .map_err(Fault::from)?;
        let left = limits.iter().zip(spent).map(|(limit, spent)| Remaining {
            scope: limit.scope.name().to_owned(),
            window_s: limit.window_s,
            most: limit.most,
            left: limit.most.saturating_sub(spent),
        });
        Ok(left.collect())
    }

    /// Whether one more different question can be answered with noise. Whether this one was asked before is not looked at: it would
    /// tell what others asked.
    async fn noise_suffices(&self) -> Result<bool, Problem> {
        let quarter = self.clock.now() - TimeDelta::days(QUARTER_DAYS);
        let asked = self.store.different_questions_since(quarter, "perturbed").await.map_err(Fault::from)?;
        Ok(asked < u64::from(self.policy.quota.different_per_quarter))
    }

    /// What is left of the project's budget; of the node's own only whether it suffices, since it tells what others ask.
    async fn budget(&self, query: &Query, terms: PrivacyTerms) -> Result<Spending, Problem> {
        let project = query.project.as_ref().and_then(|name| name.parse().ok()).ok_or_else(no_plan)?;
        let spent = self.store.budget_spent(&BudgetScope::Project(project)).await.map_err(Fault::from)?;
        let node_spent = self.store.budget_spent(&BudgetScope::Node).await.map_err(Fault::from)?;
        let granted = terms.rho.min(self.policy.privacy.project_rho);
        Ok(Spending {
            price: terms.rho_per_answer,
            granted,
            left: (granted - spent).max(0.0),
            node_suffices: node_spent + terms.rho_per_answer <= self.policy.privacy.node_rho,
        })
    }
}
