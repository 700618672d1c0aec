//! A small node in memory whose protection can be given one weakness at a time, and the judge beside it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
};

use crate::target::{Account, Judge, Known, Projects, Target, Tier};
use node_domain::{dictionary::Dictionary, digest::Digest, months};
use node_protocol::{
    answer::{
        Answer, Boundaries, CountAnswer, CountCell, Cut, GroupKey, HistogramAnswer, HistogramGroup, MeanAnswer,
        MeanGroup, MeanValue, SurvivalAnswer, SurvivalGroup,
    },
    cell::{Cell, Withheld},
    envelope::CatalogueEntry,
    problem::{Problem, ProblemKind},
    project::Lane,
    query::{Query, Statistic, bins},
    release::{Mechanism, NoiseStatement, PrivateStatement, Release, Safeguards},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::population::{FIELDS, Person, ids, normal, person};

const THRESHOLD: u64 = 5;
const EXPLORATION: u64 = 10;
const EVENTS: u64 = 3;
const BOUND: u32 = 10;
/// What the noise of a number depends on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum NoiseOf {
    /// The persons alone: sound.
    Set,
    /// Nothing: drawn anew.
    Draw,
    /// The text of the query.
    Text,
    /// Who asks.
    Asker,
    /// The persons and the snapshot.
    Snapshot,
}

/// How exact answers are checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Exact {
    /// There is no exact project.
    Absent,
    /// Each cell alone.
    CellByCell,
    /// Refused where the difference with one earlier set is small, and not where it is nobody.
    SmallDifferences,
}

/// How the node protects; [`Protection::sound`] is the one that the others are weakened from.
#[derive(Clone, Debug)]
pub(super) struct Protection {
    pub(super) exact: Exact,
    pub(super) noise_of: NoiseOf,
    pub(super) deviation: f64,
    /// Zeros are shown.
    pub(super) zeros: bool,
    /// A study sent again is computed again.
    pub(super) computes_again: bool,
    /// Survival is merged per request; else no cut is shown.
    pub(super) merges_per_request: bool,
    /// Sums are shown.
    pub(super) sums: bool,
    /// Whoever names a project is let in.
    pub(super) trusts_names: bool,
    /// Numbers are kept until enough persons have changed.
    pub(super) keeps: bool,
    /// Kept numbers are marked, cell by cell.
    pub(super) marks: bool,
    /// Answers on one snapshot.
    pub(super) quota: u64,
    /// Answers from the privacy budget.
    pub(super) budget: u64,
    pub(super) private_deviation: f64,
    /// Groupings of the catalogue's counts.
    pub(super) catalogue: Vec<Vec<&'static str>>,
}

impl Protection {
    pub(super) fn sound() -> Self {
        Self {
            exact: Exact::Absent,
            noise_of: NoiseOf::Set,
            deviation: 3.0,
            zeros: false,
            computes_again: false,
            merges_per_request: false,
            sums: false,
            trusts_names: false,
            keeps: true,
            marks: false,
            // fewer than four times the variance: no average can be certain
            quota: 30,
            budget: 20,
            private_deviation: 7.0,
            catalogue: vec![vec!["index_cancer"]],
        }
    }
}

struct Node {
    dictionary: Rc<Dictionary>,
    protection: Protection,
    known: Known,
    first: Vec<Person>,
    people: Vec<Person>,
    rng: StdRng,
    snapshot: u32,
    asked: u64,
    spent: u64,
    released: Vec<BTreeSet<u32>>,
    kept: HashMap<String, (BTreeSet<u32>, Cell)>,
    studies: BTreeMap<Account, (Query, Answer)>,
}

/// The node as attackers see it.
pub(super) struct Peer(Rc<RefCell<Node>>, Known);
/// The node as it is.
pub(super) struct Truth(Rc<RefCell<Node>>);

/// A node with so many patients.
pub(super) fn node(dictionary: &Rc<Dictionary>, protection: Protection, patients: u32, seed: u64) -> (Peer, Truth) {
    let mut rng = StdRng::seed_from_u64(seed);
    let people: Vec<Person> = (0..patients).map(|id| person(dictionary, id, &mut rng)).collect();
    let known = Known {
        threshold: THRESHOLD,
        exploration_threshold: EXPLORATION,
        events: EVENTS,
        sum_noise: 0.5,
        fields: FIELDS.iter().chain(&["age_years"]).map(|name| (*name).to_owned()).collect(),
        cells: 1_000,
        researchers: 12,
        projects: Projects {
            perturbed: Some("xx-noisy".to_owned()),
            exact: (protection.exact != Exact::Absent).then(|| "xx-exact".to_owned()),
            private: Some("xx-private".to_owned()),
            foreign: Some("yy-exact".to_owned()),
        },
    };
    let node = Node {
        dictionary: dictionary.clone(),
        protection,
        known: known.clone(),
        first: people.clone(),
        people,
        rng,
        snapshot: 0,
        asked: 0,
        spent: 0,
        released: Vec::new(),
        kept: HashMap::new(),
        studies: BTreeMap::new(),
    };
    let node = Rc::new(RefCell::new(node));
    (Peer(node.clone(), known), Truth(node))
}

/// How numbers leave.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Truth,
    Exact,
    Noisy(u64),
    Private,
}

impl Node {
    fn permit(&mut self, account: Account, query: &Query) -> Result<Way, Problem> {
        let project = query.project.as_deref();
        let of_tier = self.known.projects.of(account.tier).map(String::as_str);
        if project != of_tier && !(self.protection.trusts_names && project == Some("yy-exact")) {
            return Err(ProblemKind::ProjectNotApproved.because("no such project"));
        }
        query.check_shape()?;
        query.check_against(&self.dictionary)?;
        let allowed = |field: &&str| self.known.fields.iter().any(|known| known == field) || *field == "overall";
        if let Some(field) = query.fields().iter().find(|field| !allowed(field)) {
            return Err(ProblemKind::NotPermitted.at(*field, "not granted"));
        }
        if project == Some("yy-exact") {
            return Ok(Way::Exact);
        }
        let way = match account.tier {
            Tier::Exploration if query.statistic != Statistic::Count => {
                return Err(ProblemKind::NotPermitted.because("counts only"));
            }
            Tier::Exploration => Way::Noisy(EXPLORATION),
            Tier::Project(Lane::Perturbed) => Way::Noisy(THRESHOLD),
            Tier::Project(Lane::Exact) => Way::Exact,
            Tier::Project(Lane::DifferentiallyPrivate) => Way::Private,
        };
        if way == Way::Private {
            self.spent += 1;
            if self.spent > self.protection.budget {
                return Err(ProblemKind::BudgetSpent.because("the budget is spent"));
            }
        } else {
            self.asked += 1;
            if self.asked > self.protection.quota {
                return Err(ProblemKind::NoiseSpent.because("enough was answered"));
            }
        }
        Ok(way)
    }

    fn release(&self, way: Way) -> Release {
        let safeguards = |persons: u64| Safeguards {
            persons: u32::try_from(persons).unwrap(),
            events: u32::try_from(EVENTS).unwrap(),
            at_risk: 10,
        };
        match way {
            Way::Truth | Way::Exact => Release::ExactAdHoc(safeguards(THRESHOLD)),
            Way::Noisy(threshold) => Release::Perturbed {
                safeguards: safeguards(threshold),
                noise: NoiseStatement { standard_deviation: self.protection.deviation, bound: BOUND },
            },
            Way::Private => Release::DifferentiallyPrivate {
                private: PrivateStatement {
                    mechanism: Mechanism::Gaussian,
                    standard_deviation: self.protection.private_deviation,
                    error_95: 2.0 * self.protection.private_deviation,
                    rho: 0.01,
                },
            },
        }
    }

    fn answer(&mut self, way: Way, account: Account, query: &Query) -> Result<Answer, Problem> {
        let groups = self.groups(query);
        if way == Way::Exact && self.protection.exact == Exact::SmallDifferences {
            self.audit(&groups)?;
        }
        let release = self.release(way);
        let text = format!("{account:?} {query:?}");
        let mut cells = Vec::new();
        for (group, set) in groups {
            cells.push((group, self.cell(way, account, &text, &set), set));
        }
        Ok(match &query.statistic {
            Statistic::Count => {
                let cells = cells.into_iter().map(|(group, persons, set)| {
                    let key = format!("{way} {:?} {group:?}", query.conditions, way = way_name(way));
                    let (persons, as_of) = self.keep(way, key, &set, persons);
                    CountCell { group, persons, cases: None, as_of }
                });
                Answer::Count(CountAnswer { release, cells: cells.collect() })
            }
            Statistic::Histogram { field } => {
                let lower_edges = bins::lower_edges(self.dictionary.table("cases").unwrap().field(field).unwrap());
                let groups = cells.into_iter().map(|(group, _, set)| {
                    let bins = lower_edges.iter().enumerate().map(|(at, edge)| {
                        let end = lower_edges.get(at + 1).map_or(i64::MAX, |edge| i64::from(*edge));
                        let inside = |person: &&Person| person.age >= i64::from(*edge) && person.age < end;
                        let bin: Vec<Person> = set.iter().filter(inside).cloned().collect();
                        self.cell(way, account, &text, &bin)
                    });
                    let bins = bins.collect();
                    HistogramGroup { group, bins, missing: self.cell(way, account, &text, &[]), as_of: None }
                });
                let groups = groups.collect();
                Answer::Histogram(HistogramAnswer { release, field: field.clone(), lower_edges, groups })
            }
            Statistic::Mean { fields } => {
                let groups = cells.into_iter().map(|(group, persons, set)| {
                    let value = self.mean(way, persons, &set);
                    MeanGroup { group, values: vec![value], as_of: None }
                });
                Answer::Mean(MeanAnswer { release, fields: fields.clone(), groups: groups.collect() })
            }
            Statistic::Survival { endpoint, cuts_months } => {
                let groups = cells.into_iter().map(|(group, persons, set)| SurvivalGroup {
                    group,
                    persons,
                    missing: self.cell(way, account, &text, &[]),
                    cuts: self.cuts(way, persons, &set, cuts_months),
                    boundaries: Boundaries::default(),
                    as_of: None,
                });
                let groups = groups.collect();
                Answer::Survival(SurvivalAnswer { release, endpoint: endpoint.clone(), groups })
            }
        })
    }

    fn groups(&self, query: &Query) -> Vec<(GroupKey, Vec<Person>)> {
        let table = self.dictionary.table("cases").unwrap();
        let mut keys: Vec<GroupKey> = vec![GroupKey::new()];
        for field in &query.by {
            let codes = query.codes_of(table.field(field).unwrap());
            let codes: Vec<_> = (0..=codes.len()).map(|at| codes.code(at)).collect();
            let with = |key: &GroupKey, code: &Option<String>| {
                key.iter().map(|(k, v)| (k.clone(), v.clone())).chain([(field.clone(), code.clone())]).collect()
            };
            keys = keys.iter().flat_map(|key| codes.iter().map(move |code| with(key, code))).collect();
        }
        let mut groups: BTreeMap<GroupKey, Vec<Person>> = keys.into_iter().map(|key| (key, Vec::new())).collect();
        for person in self.people.iter().filter(|person| query.conditions.iter().all(|one| person.passes(one))) {
            let key = query.by.iter().map(|field| (field.clone(), person.codes.get(field.as_str()).cloned())).collect();
            groups.entry(key).or_default().push(person.clone());
        }
        groups.into_iter().collect()
    }

    fn audit(&mut self, groups: &[(GroupKey, Vec<Person>)]) -> Result<(), Problem> {
        let shown = groups.iter().map(|(_, set)| ids(set)).filter(|set| set.len() as u64 >= THRESHOLD);
        let shown: Vec<BTreeSet<u32>> = shown.collect();
        for set in &shown {
            for old in &self.released {
                let small = |n: usize| (1..THRESHOLD).contains(&(n as u64));
                let nested = old.is_subset(set) || set.is_subset(old);
                if nested && small(old.symmetric_difference(set).count()) {
                    return Err(ProblemKind::WouldDisclose.because("not with earlier answers"));
                }
            }
        }
        self.released.extend(shown);
        Ok(())
    }

    fn cell(&mut self, way: Way, account: Account, text: &str, set: &[Person]) -> Cell {
        let n = set.len() as u64;
        match way {
            Way::Truth => Cell::Exact { n },
            _ if n == 0 && self.protection.zeros => Cell::Exact { n },
            Way::Exact if n >= THRESHOLD => Cell::Exact { n },
            Way::Exact => Cell::Banded { low: 0, high: THRESHOLD - 1 },
            Way::Private => {
                let noise = normal(&mut self.rng) * self.protection.private_deviation;
                Cell::Perturbed { n: (n as f64 + noise).round().max(0.0) as u64 }
            }
            Way::Noisy(threshold) => {
                let band = Cell::Banded { low: 0, high: (threshold - 1).max(u64::from(BOUND)) };
                if n < threshold {
                    return band;
                }
                let shown = n as f64 + self.noise(account, text, set);
                if shown < threshold as f64 { band } else { Cell::Perturbed { n: shown as u64 } }
            }
        }
    }

    fn noise(&mut self, account: Account, text: &str, set: &[Person]) -> f64 {
        let mut hasher = DefaultHasher::new();
        ids(set).hash(&mut hasher);
        match self.protection.noise_of {
            NoiseOf::Set => {}
            NoiseOf::Draw => self.rng.random::<u64>().hash(&mut hasher),
            NoiseOf::Text => text.hash(&mut hasher),
            NoiseOf::Asker => account.researcher.hash(&mut hasher),
            NoiseOf::Snapshot => self.snapshot.hash(&mut hasher),
        }
        let bound = f64::from(BOUND);
        let mut rng = StdRng::seed_from_u64(hasher.finish());
        (normal(&mut rng) * self.protection.deviation).round().clamp(-bound, bound)
    }

    fn keep(&mut self, way: Way, key: String, set: &[Person], cell: Cell) -> (Cell, Option<Digest>) {
        if !self.protection.keeps || way == Way::Truth || way == Way::Private {
            return (cell, None);
        }
        let now = ids(set);
        if let Some((then, old)) = self.kept.get(&key) {
            let changed = then.symmetric_difference(&now).count() as u64;
            if (1..THRESHOLD).contains(&changed) {
                return (*old, self.protection.marks.then(|| Digest::of(b"earlier")));
            }
        }
        self.kept.insert(key, (now, cell));
        (cell, None)
    }

    fn mean(&self, way: Way, persons: Cell, set: &[Person]) -> MeanValue {
        let exact: i64 = set.iter().map(|person| person.age).sum();
        let squares: i64 = set.iter().map(|person| person.age * person.age).sum();
        let (sum, sum_of_squares) = match (way, persons.shown()) {
            (Way::Truth, _) => (Some(exact), Some(squares as f64)),
            (Way::Exact, Some(_)) if self.protection.sums => (Some(exact), Some(squares as f64)),
            (Way::Noisy(_), Some(shown)) if self.protection.sums => {
                let mut hasher = DefaultHasher::new();
                (ids(set), "sum").hash(&mut hasher);
                let draw = (normal(&mut StdRng::seed_from_u64(hasher.finish())) * 0.5).clamp(-1.0, 1.0);
                let largest = set.iter().map(|person| person.age).max().unwrap_or(0) as f64;
                let scaled = exact as f64 * shown as f64 / set.len() as f64;
                (Some((scaled + draw * largest).round().max(0.0) as i64), None)
            }
            _ => (None, None),
        };
        let sum = sum.map(|sum| u64::try_from(sum).unwrap());
        MeanValue { persons, rows: persons, sum, sum_of_squares, withheld: None }
    }

    fn cuts(&self, way: Way, persons: Cell, set: &[Person], months: &[u16]) -> Vec<Cut> {
        if persons.shown().is_none() {
            return Vec::new();
        }
        let open = way == Way::Truth || (way == Way::Exact && self.protection.merges_per_request);
        let mut cuts = Vec::new();
        let mut told = 0;
        for month in months {
            let days = months::days(*month);
            let until = set.iter().filter(|person| person.dead && person.days <= days).count() as u64;
            let events = until - told;
            if !open || (way != Way::Truth && (1..EVENTS).contains(&events)) {
                cuts.push(Cut::hidden(*month, Withheld::Merged));
                continue;
            }
            told = until;
            cuts.push(Cut {
                events: Cell::Exact { n: events },
                merged: false,
                ..Cut::hidden(*month, Withheld::TailCut)
            });
        }
        cuts
    }
}

fn way_name(way: Way) -> String {
    match way {
        Way::Truth => "truth".to_owned(),
        Way::Exact => "exact".to_owned(),
        Way::Noisy(threshold) => format!("noisy {threshold}"),
        Way::Private => "private".to_owned(),
    }
}

impl Target for Peer {
    async fn fresh(&mut self) -> Result<(), Problem> {
        let mut node = self.0.borrow_mut();
        node.people = node.first.clone();
        (node.snapshot, node.asked, node.spent) = (0, 0, 0);
        node.released.clear();
        node.kept.clear();
        node.studies.clear();
        Ok(())
    }

    async fn ask(&mut self, account: Account, query: &Query) -> Result<Answer, Problem> {
        let mut node = self.0.borrow_mut();
        let way = node.permit(account, query)?;
        let answer = node.answer(way, account, query)?;
        node.studies.insert(account, (query.clone(), answer.clone()));
        Ok(answer)
    }

    async fn ask_again(&mut self, account: Account, query: &Query) -> Result<Answer, Problem> {
        let (computes, study) = {
            let node = self.0.borrow();
            (node.protection.computes_again, node.studies.get(&account).cloned())
        };
        match study {
            Some((asked, _)) if asked != *query => Err(ProblemKind::StudyConflict.because("another query")),
            Some((_, answer)) if !computes => Ok(answer),
            _ => self.ask(account, query).await,
        }
    }

    async fn catalogue(&mut self) -> Result<Vec<CatalogueEntry>, Problem> {
        let mut node = self.0.borrow_mut();
        let version = node.dictionary.version.clone();
        let mut entries = Vec::new();
        for by in node.protection.catalogue.clone() {
            let query = Query {
                dictionary: version.clone(),
                project: None,
                table: "cases".to_owned(),
                conditions: Vec::new(),
                by: by.iter().map(|name| (*name).to_owned()).collect(),
                statistic: Statistic::Count,
            };
            let cells = node.groups(&query).into_iter().map(|(group, set)| {
                let account = Account { researcher: 0, tier: Tier::EXACT };
                let cell = node.cell(Way::Exact, account, "", &set);
                let (persons, as_of) = node.keep(Way::Exact, format!("catalogue {group:?}"), &set, cell);
                CountCell { group, persons, cases: None, as_of }
            });
            let cells = cells.collect();
            let Release::ExactAdHoc(safeguards) = node.release(Way::Exact) else { continue };
            let answer = Answer::Count(CountAnswer { release: Release::Catalogue(safeguards), cells });
            entries.push(CatalogueEntry { indicator: format!("by {by:?}"), version: 1, query, answer });
        }
        Ok(entries)
    }

    async fn next_snapshot(&mut self) -> Result<(), Problem> {
        let mut node = self.0.borrow_mut();
        let node = &mut *node;
        for _ in 0..node.rng.random_range(1..=4) {
            let id = u32::try_from(node.people.len()).unwrap();
            node.people.push(person(&node.dictionary, id, &mut node.rng));
        }
        node.snapshot += 1;
        node.asked = 0;
        Ok(())
    }

    fn wait(&mut self, _: i64) {}

    fn known(&self) -> &Known {
        &self.1
    }
}

impl Judge for Truth {
    fn truth(&mut self, query: &Query) -> Option<Answer> {
        let account = Account { researcher: 0, tier: Tier::Exploration };
        self.0.borrow_mut().answer(Way::Truth, account, query).ok()
    }
}
