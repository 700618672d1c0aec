//! The quality report as one page of HTML that needs nothing else: no script, no font, no other file.

use std::fmt::Write as _;

use node_domain::language::Language;
use node_ingest::quality::{aggregate::PERIOD, report::Report, rule::Measure};

use super::words::Words;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6b7a;--line:#d9e0e6;--paper:#fff;--error:#b3261e;--warning:#8a5a00;--info:#2f5d8a}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9fb0bf;--line:#33424f;--paper:#10181f;--error:#ff8a80;--warning:#f2c14e;--info:#8ec5ff}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}p{color:var(--soft);margin:.25rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.85rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.error{color:var(--error)}.warning{color:var(--warning)}.info{color:var(--info)}details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}
";

/// The page.
pub(super) fn render(report: &Report, title: &str, language: Language) -> String {
    let words = Words::of(language);
    let mut html = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{}: {}</title><style>{STYLE}</style></head><body><main>\n<h1>{}: {}</h1>\n",
        words.code(),
        words.title,
        escape(title),
        words.title,
        escape(title)
    );
    let rows = report.rows.iter().filter(|(_, count)| **count > 0);
    let rows = rows.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(" · ");
    let _ = writeln!(html, "<p>{} {}</p><p>{}</p>", words.extracted_on, report.extracted_on, escape(&rows));
    rules(&mut html, report, &words, language);
    indicators(&mut html, report, &words);
    comparisons(&mut html, report, &words);
    worst_files(&mut html, report, &words);
    by_year(&mut html, report, &words);
    html.push_str("</main></body></html>\n");
    html
}

fn rules(html: &mut String, report: &Report, words: &Words, language: Language) {
    let row = |html: &mut String, rule: &node_ingest::quality::report::RuleLine| {
        let held =
            if rule.held > 0 { format!("<br><small>{} {}</small>", rule.held, words.held) } else { String::new() };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td class=\"{}\">{}</td><td class=\"n\">{}{held}</td><td>{}{}</td><td>{}</td></tr>",
            rule.rule,
            rule.severity.name(),
            words.severity(rule.severity),
            rule.found + rule.held,
            escape(rule.text.of(language)),
            escape(&words.state(&rule.state)),
            escape(rule.fix.of(language))
        );
    };
    let head = [(words.rule, ""), (words.severity, ""), (words.rows, "n"), (words.what, ""), (words.fix, "")];
    let (found, silent): (Vec<_>, Vec<_>) = report.rules.iter().partition(|rule| rule.found + rule.held > 0);
    let _ = writeln!(html, "<h2>{}</h2>", words.rules);
    table(html, &head, |html| found.iter().for_each(|rule| row(html, rule)));
    let _ = writeln!(html, "<details><summary>{}</summary>", words.silent(silent.len()));
    table(html, &head, |html| silent.iter().for_each(|rule| row(html, rule)));
    html.push_str("</details>\n");
}

fn indicators(html: &mut String, report: &Report, words: &Words) {
    let _ = writeln!(html, "<h2>{}</h2>", words.indicators);
    let head = [("", ""), (words.value, "n"), (words.rests_on, "n"), (words.missing, "n")];
    table(html, &head, |html| {
        for one in &report.indicators {
            let value = one.value.map_or_else(|| "—".to_owned(), |value| format!("{value:.1} {}", one.unit));
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td class=\"n\">{value}</td><td class=\"n\">{} / {}</td><td class=\"n\">{}</td></tr>",
                words.indicator(one.name),
                one.numerator,
                one.denominator,
                one.missing
            );
        }
    });
}

fn comparisons(html: &mut String, report: &Report, words: &Words) {
    if report.comparisons.is_empty() {
        return;
    }
    let _ = writeln!(html, "<h2>{}</h2>", words.comparisons);
    table(html, &[("", ""), (words.ours, "n"), (words.published, ""), ("", "")], |html| {
        for one in &report.comparisons {
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td class=\"n\">{:.1}</td><td>{} <small>{}</small></td><td class=\"{}\">{}</td></tr>",
                escape(&words.figure(&one.reference.indicator, &one.reference.group)),
                one.ours,
                escape(&words.reference(&one.reference)),
                escape(&one.reference.source),
                if one.within == Some(false) { "warning" } else { "" },
                words.verdict(one.within)
            );
        }
    });
}

fn worst_files(html: &mut String, report: &Report, words: &Words) {
    if report.worst_files.is_empty() {
        return;
    }
    let _ = writeln!(html, "<h2>{}</h2>", words.worst_files);
    table(html, &[(words.file, ""), (words.errors, "n"), (words.warnings, "n")], |html| {
        for file in &report.worst_files {
            let _ = writeln!(
                html,
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                escape(&file.file),
                file.errors,
                file.warnings
            );
        }
    });
}

/// Microscopic verification, death certificates and incidence, year by year.
fn by_year(html: &mut String, report: &Report, words: &Words) {
    let mut years: Vec<&str> = report.measured.iter().map(|m| m.over.as_str()).filter(|over| *over != PERIOD).collect();
    years.dedup();
    years.sort_unstable();
    years.dedup();
    if years.is_empty() {
        return;
    }
    let value = |measure: Measure, year: &str| {
        let of = report.measured.iter().find(|m| m.measure == measure && m.over == year);
        of.and_then(|m| m.value).map_or_else(|| "—".to_owned(), |value| format!("{value:.1}"))
    };
    let _ = writeln!(html, "<h2>{}</h2>", words.by_year);
    let (mv, dco) = (words.indicator("microscopic_verification"), words.indicator("death_certificate_only"));
    let incidence = words.figure("incidence_wsr", "all");
    table(
        html,
        &[(words.year, ""), (&format!("{mv}, %"), "n"), (&format!("{dco}, %"), "n"), (&incidence, "n")],
        |html| {
            for year in years {
                let _ = writeln!(
                    html,
                    "<tr><td>{year}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                    value(Measure::MicroscopicVerificationPercent, year),
                    value(Measure::DeathCertificateOnlyPercent, year),
                    value(Measure::IncidencePerMillion, year)
                );
            }
        },
    );
}

fn table(html: &mut String, head: &[(&str, &str)], body: impl FnOnce(&mut String)) {
    html.push_str("<div class=\"wide\"><table><thead><tr>");
    for (name, class) in head {
        let _ = write!(html, "<th class=\"{class}\" scope=\"col\">{}</th>", escape(name));
    }
    html.push_str("</tr></thead><tbody>\n");
    body(html);
    html.push_str("</tbody></table></div>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
