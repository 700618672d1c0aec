//! The words of the quality report in three languages.

use node_domain::language::Language;
use node_ingest::quality::{evaluate::State, reference::Reference, rule::Severity};

/// The words in one language.
pub(crate) struct Words {
    language: Language,
    pub(crate) title: &'static str,
    pub(crate) extracted_on: &'static str,
    pub(crate) rules: &'static str,
    pub(crate) held: &'static str,
    pub(crate) worst_files: &'static str,
    pub(crate) errors: &'static str,
    pub(crate) warnings: &'static str,
    pub(crate) indicators: &'static str,
    pub(crate) missing: &'static str,
    pub(crate) comparisons: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) rows: &'static str,
    pub(crate) what: &'static str,
    pub(crate) fix: &'static str,
    pub(crate) file: &'static str,
    pub(crate) value: &'static str,
    pub(crate) rests_on: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) published: &'static str,
    pub(crate) year: &'static str,
    pub(crate) by_year: &'static str,
}

impl Words {
    pub(crate) fn of(language: Language) -> Self {
        match language {
            Language::Es => Self {
                language,
                title: "Calidad del registro",
                extracted_on: "Extracto del",
                rules: "Reglas de calidad",
                held: "retenidas al cargar",
                worst_files: "Archivos con más hallazgos",
                errors: "errores",
                warnings: "advertencias",
                indicators: "Indicadores del registro",
                missing: "sin dato",
                comparisons: "Comparación con cifras publicadas",
                rule: "Regla",
                severity: "Gravedad",
                rows: "Filas",
                what: "Qué ocurre",
                fix: "Qué hacer",
                file: "Archivo",
                value: "Valor",
                rests_on: "Casos",
                ours: "Este registro",
                published: "Publicado",
                year: "Año",
                by_year: "Medidas por año de diagnóstico",
            },
            Language::Pt => Self {
                language,
                title: "Qualidade do registro",
                extracted_on: "Extrato de",
                rules: "Regras de qualidade",
                held: "retidas na carga",
                worst_files: "Arquivos com mais achados",
                errors: "erros",
                warnings: "avisos",
                indicators: "Indicadores do registro",
                missing: "sem dado",
                comparisons: "Comparação com valores publicados",
                rule: "Regra",
                severity: "Gravidade",
                rows: "Linhas",
                what: "O que ocorre",
                fix: "O que fazer",
                file: "Arquivo",
                value: "Valor",
                rests_on: "Casos",
                ours: "Este registro",
                published: "Publicado",
                year: "Ano",
                by_year: "Medidas por ano de diagnóstico",
            },
            Language::En => Self {
                language,
                title: "Quality of the registry",
                extracted_on: "Extract of",
                rules: "Quality rules",
                held: "held back at load",
                worst_files: "Files with most findings",
                errors: "errors",
                warnings: "warnings",
                indicators: "Registry indicators",
                missing: "missing",
                comparisons: "Beside published figures",
                rule: "Rule",
                severity: "Severity",
                rows: "Rows",
                what: "What is wrong",
                fix: "What to do",
                file: "File",
                value: "Value",
                rests_on: "Cases",
                ours: "This registry",
                published: "Published",
                year: "Year",
                by_year: "Measures by year of diagnosis",
            },
        }
    }

    fn choose<'w>(&self, es: &'w str, pt: &'w str, en: &'w str) -> &'w str {
        match self.language {
            Language::Es => es,
            Language::Pt => pt,
            Language::En => en,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self.language {
            Language::Es => "es",
            Language::Pt => "pt",
            Language::En => "en",
        }
    }

    pub(crate) fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.choose("error", "erro", "error"),
            Severity::Warning => self.choose("advertencia", "aviso", "warning"),
            Severity::Info => self.choose("nota", "nota", "note"),
        }
    }

    /// What is said of a rule that was not evaluated on rows.
    pub(crate) fn state(&self, state: &State) -> String {
        match state {
            State::Evaluated | State::AtLoad => String::new(),
            State::NothingToEvaluate => {
                format!(" [{}]", self.choose("sin filas que evaluar", "sem linhas para avaliar", "no rows to evaluate"))
            }
            State::Elsewhere { held_by } => format!(
                " [{} {held_by}]",
                self.choose(
                    "no se evalúa sobre registros; lo garantiza",
                    "não se avalia em registros; garantido por",
                    "not evaluated on records; held by"
                )
            ),
        }
    }

    pub(crate) fn summary(&self, all: usize, silent: usize, nothing: usize, elsewhere: usize) -> String {
        match self.language {
            Language::Es => format!(
                "{all} reglas: {silent} evaluadas sin hallazgos, {nothing} sin filas que evaluar, {elsewhere} garantizadas en otra parte"
            ),
            Language::Pt => format!(
                "{all} regras: {silent} avaliadas sem achados, {nothing} sem linhas para avaliar, {elsewhere} garantidas em outra parte"
            ),
            Language::En => format!(
                "{all} rules: {silent} evaluated without findings, {nothing} without rows to evaluate, {elsewhere} held elsewhere"
            ),
        }
    }

    /// The title of the rules that found nothing.
    pub(crate) fn silent(&self, rules: usize) -> String {
        match self.language {
            Language::Es => format!("{rules} reglas sin hallazgos"),
            Language::Pt => format!("{rules} regras sem achados"),
            Language::En => format!("{rules} rules without findings"),
        }
    }

    pub(crate) fn indicator(&self, name: &str) -> &'static str {
        match name {
            "microscopic_verification" => {
                self.choose("Verificación microscópica", "Verificação microscópica", "Microscopic verification")
            }
            "death_certificate_only" => {
                self.choose("Solo certificado de defunción", "Somente atestado de óbito", "Death certificate only")
            }
            "unknown_stage" => self.choose("Estadio desconocido", "Estádio desconhecido", "Unknown stage"),
            "unspecified" => self.choose(
                "No especificados, III(f) y XII(b)",
                "Não especificados, III(f) e XII(b)",
                "Unspecified, III(f) and XII(b)",
            ),
            _ => self.choose(
                "Oportunidad: mediana hasta el registro",
                "Oportunidade: mediana até o registro",
                "Timeliness: median to registration",
            ),
        }
    }

    pub(crate) fn figure(&self, indicator: &str, group: &str) -> String {
        let name = match indicator {
            "incidence_wsr" => {
                self.choose("Incidencia 0-14, por millón", "Incidência 0-14, por milhão", "Incidence 0-14, per million")
            }
            "share" => self.choose("Proporción 0-14, %", "Proporção 0-14, %", "Share 0-14, %"),
            "mi_ratio" => {
                self.choose("Razón mortalidad:incidencia", "Razão mortalidade:incidência", "Mortality:incidence ratio")
            }
            "abandonment" => self.choose("Abandono, %", "Abandono, %", "Abandonment, %"),
            "cde_mortality" => self.choose(
                "Mortalidad del deterioro, %",
                "Mortalidade da deterioração, %",
                "Mortality of deterioration, %",
            ),
            "cde_rate" => self.choose(
                "Deterioro por 1000 días-cama",
                "Deterioração por 1000 leitos-dia",
                "Deterioration per 1,000 days",
            ),
            "survival_5y_os" => {
                self.choose("Supervivencia a 5 años, %", "Sobrevida em 5 anos, %", "5-year survival, %")
            }
            other => return format!("{other} {group}"),
        };
        let group = match group {
            "all" => return name.to_owned(),
            "leukaemia" => self.choose("leucemias", "leucemias", "leukaemia"),
            "lymphoma" => self.choose("linfomas", "linfomas", "lymphoma"),
            "cns" => self.choose("SNC", "SNC", "CNS"),
            "ALL" => self.choose("LLA", "LLA", "ALL"),
            other => return format!("{name}, {other}"),
        };
        format!("{name}, {group}")
    }

    pub(crate) fn reference(&self, reference: &Reference) -> String {
        let bounds = match (reference.lo, reference.hi) {
            (Some(lo), Some(hi)) => format!(" ({lo:.1}–{hi:.1})"),
            _ => String::new(),
        };
        format!("{} {:.1}{bounds} {}", reference.area, reference.value, reference.period)
    }

    pub(crate) fn verdict(&self, within: Option<bool>) -> &'static str {
        match within {
            Some(true) => self.choose("dentro", "dentro", "within"),
            Some(false) => self.choose("fuera: revisar", "fora: revisar", "outside: review"),
            None => "",
        }
    }
}
