//! The three languages of the alliance and texts that exist in all of them.

use serde::{Deserialize, Serialize};

/// A language that screens and reports speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Spanish
    Es,
    /// Portuguese
    Pt,
    /// English
    En,
}

impl std::str::FromStr for Language {
    type Err = String;

    fn from_str(code: &str) -> Result<Self, String> {
        match code {
            "es" => Ok(Self::Es),
            "pt" => Ok(Self::Pt),
            "en" => Ok(Self::En),
            _ => Err("es, pt or en".to_owned()),
        }
    }
}

/// One text in the three languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Spanish
    pub es: String,
    /// Portuguese
    pub pt: String,
    /// English
    pub en: String,
}

impl Text {
    /// The text in `language`.
    #[must_use]
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::Es => &self.es,
            Language::Pt => &self.pt,
            Language::En => &self.en,
        }
    }
}
