//! Guards that the data of a regression model must pass at a node before anything of the model leaves.
//!
//! # Privacy
//! A refusal names the guard that failed and nothing else: no variable, level, count or coefficient. Zero and small look alike.

use thiserror::Error;

/// Persons and events at one level of one variable, as the model would be fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelCount {
    /// Name of the variable.
    pub variable: String,
    /// Code of the level. The reference level and a level for missing values count too.
    pub level: String,
    /// Persons at this level.
    pub persons: u64,
    /// Events among them. Not looked at where the model has no events.
    pub events: u64,
}

/// What the guards need to know of a model and its data. Exact and secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShape<'s> {
    /// Every level of every categorical variable, reference levels too, also where nobody is in it.
    pub levels: &'s [LevelCount],
    /// Coefficients that are estimated, the intercept too; 1 or more.
    pub parameters: u32,
    /// Persons in the model.
    pub persons: u64,
    /// Events in the model; `None` for a linear model, which has none.
    pub events: Option<u64>,
}

/// The limits, from the policy of the node.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGuards {
    /// Fewest persons at a level, the threshold k.
    pub persons: u32,
    /// Fewest events at a level.
    pub events: u32,
    /// Fewest events for each parameter, usually 10.
    pub events_per_parameter: u32,
    /// Fewest persons for each parameter, usually 10.
    pub persons_per_parameter: u32,
    /// Greatest absolute value of a coefficient, for instance 10. A larger one tells that a level nearly decides the outcome.
    pub coefficient_bound: f64,
    /// Most models that one project may fit.
    pub models_per_project: u32,
}

/// The guard that failed, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ModelRefusal {
    /// The model estimates nothing.
    #[error("the model has no parameters")]
    NoParameters,
    /// Too few persons, none or some, at a level or in all.
    #[error("a level of the model has too few persons: merge levels or leave a variable out")]
    LevelPersons,
    /// Too few events, none or some, at a level or in all.
    #[error("a level of the model has too few events: merge levels or leave a variable out")]
    LevelEvents,
    /// Too few persons for so many parameters.
    #[error("the model has too few persons for its parameters: use fewer parameters")]
    PersonsPerParameter,
    /// Too few events for so many parameters.
    #[error("the model has too few events for its parameters: use fewer parameters")]
    EventsPerParameter,
    /// A coefficient is out of bounds, infinite or NaN.
    #[error("a coefficient of the model is out of bounds: merge levels or leave a variable out")]
    Coefficient,
    /// The project has fitted as many models as it may.
    #[error("the project has fitted as many models as it may")]
    ModelsPerProject,
}

/// Checks the data of a model before it is fitted. The whole model is held to the limits of a level, too, so that a model without
/// categorical variables does not pass them by.
///
/// # Errors
/// The first guard that fails, in the order of this list: parameters, persons at a level, events at a level, persons for each
/// parameter, events for each parameter. Each guard looks at all levels before the next one does.
pub fn check_shape(shape: &ModelShape<'_>, guards: &ModelGuards) -> Result<(), ModelRefusal> {
    require(shape.parameters > 0, ModelRefusal::NoParameters)?;
    let fewest = u64::from(guards.persons);
    let enough = shape.persons >= fewest && shape.levels.iter().all(|level| level.persons >= fewest);
    require(enough, ModelRefusal::LevelPersons)?;
    if let Some(events) = shape.events {
        let fewest = u64::from(guards.events);
        let enough = events >= fewest && shape.levels.iter().all(|level| level.events >= fewest);
        require(enough, ModelRefusal::LevelEvents)?;
    }
    let times_parameters = |each: u32| u64::from(each) * u64::from(shape.parameters);
    require(shape.persons >= times_parameters(guards.persons_per_parameter), ModelRefusal::PersonsPerParameter)?;
    let enough = shape.events.is_none_or(|events| events >= times_parameters(guards.events_per_parameter));
    require(enough, ModelRefusal::EventsPerParameter)
}

/// Checks the coefficients of a fitted model, before they leave.
///
/// # Errors
/// Where any is above the bound in absolute value, infinite or NaN, or where the bound is NaN.
pub fn check_coefficients(coefficients: &[f64], guards: &ModelGuards) -> Result<(), ModelRefusal> {
    let within = |coefficient: &f64| coefficient.is_finite() && coefficient.abs() <= guards.coefficient_bound;
    require(coefficients.iter().all(within), ModelRefusal::Coefficient)
}

/// Checks that a project may fit one more model after `models_so_far`, those refused included.
///
/// # Errors
/// Where it has used up its number.
pub fn check_count(models_so_far: u32, guards: &ModelGuards) -> Result<(), ModelRefusal> {
    require(models_so_far < guards.models_per_project, ModelRefusal::ModelsPerProject)
}

fn require(holds: bool, refusal: ModelRefusal) -> Result<(), ModelRefusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual() -> ModelGuards {
        ModelGuards {
            persons: 5,
            events: 3,
            events_per_parameter: 10,
            persons_per_parameter: 10,
            coefficient_bound: 10.0,
            models_per_project: 20,
        }
    }

    fn level(persons: u64, events: u64) -> LevelCount {
        LevelCount { variable: "sex".to_owned(), level: "female".to_owned(), persons, events }
    }

    fn refusal(levels: &[LevelCount], parameters: u32, persons: u64, events: Option<u64>) -> Result<(), ModelRefusal> {
        check_shape(&ModelShape { levels, parameters, persons, events }, &usual())
    }

    fn guards() -> impl Strategy<Value = ModelGuards> {
        (0..12_u32, 0..12_u32, 0..15_u32, 0..15_u32, 0.0..12.0_f64, 0..30_u32).prop_map(
            |(persons, events, events_per_parameter, persons_per_parameter, coefficient_bound, models_per_project)| {
                ModelGuards {
                    persons,
                    events,
                    events_per_parameter,
                    persons_per_parameter,
                    coefficient_bound,
                    models_per_project,
                }
            },
        )
    }

    /// Guards and the same guards with any of them tightened.
    fn tightened() -> impl Strategy<Value = (ModelGuards, ModelGuards)> {
        (guards(), guards()).prop_map(|(loose, other)| {
            let tight = ModelGuards {
                persons: loose.persons.max(other.persons),
                events: loose.events.max(other.events),
                events_per_parameter: loose.events_per_parameter.max(other.events_per_parameter),
                persons_per_parameter: loose.persons_per_parameter.max(other.persons_per_parameter),
                coefficient_bound: loose.coefficient_bound.min(other.coefficient_bound),
                models_per_project: loose.models_per_project.min(other.models_per_project),
            };
            (loose, tight)
        })
    }

    fn levels() -> impl Strategy<Value = Vec<LevelCount>> {
        let one = (0..40_u64, 0..40_u64).prop_map(|(persons, events)| level(persons, events.min(persons)));
        proptest::collection::vec(one, 0..5)
    }

    proptest! {
        #[test]
        fn tightening_any_guard_never_accepts_more(
            (loose, tight) in tightened(),
            levels in levels(),
            parameters in 0..6_u32,
            persons in 0..100_u64,
            events in proptest::option::of(0..100_u64),
            coefficients in proptest::collection::vec(-15.0..15.0_f64, 0..5),
            models in 0..40_u32,
        ) {
            let shape = ModelShape { levels: &levels, parameters, persons, events };
            if check_shape(&shape, &tight).is_ok() {
                prop_assert_eq!(check_shape(&shape, &loose), Ok(()));
            }
            if check_coefficients(&coefficients, &tight).is_ok() {
                prop_assert_eq!(check_coefficients(&coefficients, &loose), Ok(()));
            }
            if check_count(models, &tight).is_ok() {
                prop_assert_eq!(check_count(models, &loose), Ok(()));
            }
        }

        #[test]
        fn small_and_none_are_refused_alike(small in 1..5_u64, few in 1..3_u64, at in 0..4_usize) {
            let with = |odd: LevelCount| {
                let mut levels = vec![level(50, 20); 4];
                levels[at] = odd;
                refusal(&levels, 2, 200, Some(80))
            };
            prop_assert_eq!(with(level(small, few)), with(level(0, 0)));
            prop_assert_eq!(with(level(small, 0)), Err(ModelRefusal::LevelPersons));
            prop_assert_eq!(with(level(50, few)), with(level(50, 0)));
            prop_assert_eq!(with(level(50, few)), Err(ModelRefusal::LevelEvents));
        }

        #[test]
        fn what_a_refusal_says_is_the_same_for_all_data(levels in levels(), persons in 0..100_u64, events in 0..100_u64) {
            if let Err(refused) = refusal(&levels, 3, persons, Some(events)) {
                let said = refused.to_string();
                prop_assert!(!said.contains("sex") && !said.contains("female"));
                prop_assert!(!said.contains(|letter: char| letter.is_ascii_digit()));
            }
        }

        #[test]
        fn events_of_levels_are_not_looked_at_in_a_linear_model(events in 0..50_u64) {
            prop_assert_eq!(refusal(&[level(50, events)], 2, 50, None), Ok(()));
        }
    }

    #[test]
    fn limits_are_reached_exactly() {
        assert_eq!(refusal(&[level(5, 3), level(35, 27)], 3, 40, Some(30)), Ok(()));
        assert_eq!(refusal(&[level(5, 3), level(35, 26)], 3, 40, Some(29)), Err(ModelRefusal::EventsPerParameter));
        assert_eq!(refusal(&[level(4, 3), level(36, 27)], 3, 40, Some(30)), Err(ModelRefusal::LevelPersons));
        assert_eq!(refusal(&[level(5, 2), level(35, 28)], 3, 40, Some(30)), Err(ModelRefusal::LevelEvents));
        assert_eq!(refusal(&[], 3, 30, None), Ok(()));
        assert_eq!(refusal(&[], 3, 29, None), Err(ModelRefusal::PersonsPerParameter));
    }

    #[test]
    fn a_model_without_levels_is_held_to_them_too() {
        let lax = ModelGuards { events_per_parameter: 0, persons_per_parameter: 0, ..usual() };
        let shape = |persons, events| ModelShape { levels: &[], parameters: 1, persons, events };
        assert_eq!(check_shape(&shape(4, None), &lax), Err(ModelRefusal::LevelPersons));
        assert_eq!(check_shape(&shape(5, Some(2)), &lax), Err(ModelRefusal::LevelEvents));
        assert_eq!(check_shape(&shape(5, Some(3)), &lax), Ok(()));
    }

    #[test]
    fn a_model_of_nothing_is_refused() {
        assert_eq!(refusal(&[], 0, 1_000, Some(1_000)), Err(ModelRefusal::NoParameters));
    }

    #[test]
    fn the_greatest_numbers_do_not_wrap() {
        let guards = ModelGuards { persons_per_parameter: u32::MAX, events_per_parameter: u32::MAX, ..usual() };
        let shape = |persons| ModelShape { levels: &[], parameters: u32::MAX, persons, events: None };
        assert_eq!(check_shape(&shape(u64::MAX), &guards), Ok(()));
        assert_eq!(check_shape(&shape(u64::from(u32::MAX)), &guards), Err(ModelRefusal::PersonsPerParameter));
    }

    #[test]
    fn coefficients_out_of_bounds_are_refused() {
        assert_eq!(check_coefficients(&[10.0, -10.0, 0.0], &usual()), Ok(()));
        for bad in [10.001, -10.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(check_coefficients(&[0.5, bad], &usual()), Err(ModelRefusal::Coefficient));
        }
        for bound in [f64::NAN, -1.0] {
            let broken = ModelGuards { coefficient_bound: bound, ..usual() };
            assert_eq!(check_coefficients(&[0.0], &broken), Err(ModelRefusal::Coefficient));
        }
        let unbounded = ModelGuards { coefficient_bound: f64::INFINITY, ..usual() };
        assert_eq!(check_coefficients(&[f64::INFINITY], &unbounded), Err(ModelRefusal::Coefficient));
    }

    #[test]
    fn the_last_model_is_allowed_and_the_next_is_not() {
        assert_eq!(check_count(19, &usual()), Ok(()));
        assert_eq!(check_count(20, &usual()), Err(ModelRefusal::ModelsPerProject));
    }
}
