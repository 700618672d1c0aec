//! Any text as a date, a time, a form of dates, a condition of a rule: what parses comes back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use node_domain::{date::PartialDate, date_time::PartialTime};
use node_ingest::{
    mapping::date_form::DateForm,
    quality::condition::{Condition, Sets, Value},
};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(date) = text.parse::<PartialDate>() {
        assert_eq!(date.to_string(), text);
        assert!(date.earliest() <= date.latest());
        let _ = (date.completed_years(&date), date.days_until(&date), date.day_bounds(&date));
    }
    if let Ok(time) = text.parse::<PartialTime>() {
        assert_eq!(time.to_string().parse::<PartialTime>().ok(), Some(time));
        let _ = (time.minutes_until(&time), time.days_until(&time));
    }
    let (form, value) = text.split_once('\n').unwrap_or((text, "2014-03-09"));
    if let Ok(form) = DateForm::try_from(form.to_owned()) {
        let mut rewritten = String::new();
        let fits = form.rewrite(value, &mut rewritten);
        assert!(fits || rewritten.is_empty());
    }
    if let Ok(condition) = Condition::parse(form, &Sets::new()) {
        let _ = condition.holds(&Value::of(value));
    }
});
