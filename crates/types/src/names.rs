//! Grammar of the names that people type and that stand in URLs: publisher
//! handles, model names, tasks. Plain ASCII, so that two names that look alike are alike.

use crate::limits::{
    ALIAS_CHARS_MAX, HANDLE_CHARS_MAX, HANDLE_CHARS_MIN, NAME_CHARS_MAX, SEMVER_BYTES_MAX,
    TASK_BYTES_MAX,
};
use crate::valid_manifest::Problem;

/// `a-z`, `0-9` and single hyphens between them; 2 to 39 characters.
pub fn check_handle(handle: &str) -> Result<(), Problem> {
    check_length(handle, HANDLE_CHARS_MIN, HANDLE_CHARS_MAX)?;
    check_words(handle, "-", |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit()
    })
    .ok_or(Problem::Grammar {
        expected: "lower-case letters and digits, with single hyphens between them",
    })
}

/// ASCII letters and digits with single `-`, `_` or `.` between them; up to 96 characters.
pub fn check_model_name(name: &str) -> Result<(), Problem> {
    check_length(name, 1, NAME_CHARS_MAX)?;
    check_words(name, "-_.", |c| c.is_ascii_alphanumeric()).ok_or(Problem::Grammar {
        expected: "ASCII letters and digits, with single '-', '_' or '.' between them",
    })
}

/// `a-z`, `0-9` and single hyphens, as `image-classification`.
pub fn check_task(task: &str) -> Result<(), Problem> {
    check_length(task, 1, TASK_BYTES_MAX)?;
    check_words(task, "-", |c| c.is_ascii_lowercase() || c.is_ascii_digit()).ok_or(
        Problem::Grammar {
            expected: "lower-case letters and digits, with single hyphens between them",
        },
    )
}

/// The word behind the `@` of `publisher/name@stable`: as a task, but short.
pub fn check_alias_word(alias: &str) -> Result<(), Problem> {
    check_length(alias, 1, ALIAS_CHARS_MAX)?;
    check_words(alias, "-", |c| c.is_ascii_lowercase() || c.is_ascii_digit()).ok_or(
        Problem::Grammar {
            expected: "lower-case letters and digits, with single hyphens between them",
        },
    )
}

/// An alias that a publisher may set: neither of the two that follow the versions by themselves.
pub fn check_alias(alias: &str) -> Result<(), Problem> {
    check_alias_word(alias)?;
    if matches!(alias, "latest" | "stable") {
        return Err(Problem::Grammar {
            expected: "another word than latest and stable, which follow the versions by themselves",
        });
    }
    Ok(())
}

/// One line that reads the way it is stored: no control characters, nothing that reorders text.
pub fn check_line(text: &str, min: u64, max: u64) -> Result<(), Problem> {
    crate::valid_manifest::check_line(text, min, max)
}

pub fn check_semver(version: &str) -> Result<semver::Version, Problem> {
    check_length(version, 1, SEMVER_BYTES_MAX)?;
    semver::Version::parse(version).map_err(|error| Problem::NotSemVer {
        detail: error.to_string(),
    })
}

pub(crate) fn check_length(text: &str, min: u64, max: u64) -> Result<(), Problem> {
    let given = text.len() as u64;
    if given < min {
        return Err(Problem::TooShort { given, min });
    }
    if given > max {
        return Err(Problem::TooLong { given, max });
    }
    Ok(())
}

/// Words of `letter` characters, with one of `separators` between two of them.
fn check_words(text: &str, separators: &str, letter: impl Fn(char) -> bool) -> Option<()> {
    text.split(|c| separators.contains(c))
        .all(|word| !word.is_empty() && word.chars().all(&letter))
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_accept_handles_and_names_in_use() {
        for handle in ["stoa", "a1", "sentence-transformers", "0x-labs"] {
            assert_eq!(check_handle(handle), Ok(()), "{handle}");
        }
        for name in ["digits", "all-MiniLM-L6-v2", "yolo_v8.n", "7"] {
            assert_eq!(check_model_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn should_take_aliases_that_are_neither_versions_nor_set_by_themselves() {
        for alias in ["small", "int8", "2024-01"] {
            assert_eq!(check_alias(alias), Ok(()), "{alias}");
        }
        for alias in [
            "", "latest", "stable", "1.0.0", "Small", "a--b", "a@b", "a/b",
        ] {
            assert!(check_alias(alias).is_err(), "{alias}");
        }
        assert_eq!(
            check_alias(&"a".repeat(40)),
            Err(Problem::TooLong { given: 40, max: 39 })
        );
    }

    #[test]
    fn should_refuse_handles_and_names_that_could_be_mistaken_or_escape_a_path() {
        for handle in [
            "", "a", "-ab", "ab-", "a--b", "Ab", "a_b", "a.b", "a/b", "аbc", "@ab",
        ] {
            assert!(check_handle(handle).is_err(), "{handle}");
        }
        for name in ["", ".", "..", "a..b", "-a", "a/", "a@1", "a b", "é"] {
            assert!(check_model_name(name).is_err(), "{name}");
        }
        assert_eq!(
            check_handle(&"a".repeat(40)),
            Err(Problem::TooLong { given: 40, max: 39 })
        );
    }
}
