//! How people name a version: `publisher/name@version`, or `publisher/name` for its newest.

use std::fmt;
use std::str::FromStr;

use crate::names::{check_handle, check_model_name, check_semver};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    pub publisher: String,
    pub name: String,
    /// SemVer; absent where the newest is meant.
    pub version: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected publisher/name or publisher/name@version: {reason}")]
pub struct InvalidReference {
    pub reason: String,
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: String| InvalidReference { reason };
        let (model, version) = match text.split_once('@') {
            Some((model, version)) => (model, Some(version)),
            None => (text, None),
        };
        let (publisher, name) = model
            .split_once('/')
            .ok_or_else(|| invalid("there is no '/'".to_owned()))?;
        check_handle(publisher).map_err(|problem| invalid(format!("publisher: {problem}")))?;
        check_model_name(name).map_err(|problem| invalid(format!("name: {problem}")))?;
        if let Some(version) = version {
            check_semver(version).map_err(|problem| invalid(format!("version: {problem}")))?;
        }
        Ok(Self {
            publisher: publisher.to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_back_what_it_prints() {
        for text in ["stoa/digits", "stoa/digits@1.0.0-rc.1+build.5"] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn should_refuse_what_is_no_reference() {
        for text in [
            "",
            "digits",
            "stoa/",
            "/digits",
            "stoa/digits@",
            "stoa/digits@1",
            "a/b/c",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
