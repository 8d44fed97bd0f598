//! Texts: capped one by one and all together, and free of characters with
//! which a line in a voter's rendering could pose as another.

use super::{InvalidManifest, Problem, at, check_count, refuse};
use crate::limits::{
    BASE_MODEL_BYTES_MAX, CARD_LIST_MAX, CARD_MARKDOWN_BYTES_MAX, CLAIM_SPLIT_BYTES_MAX,
    CLAIM_VALUE_BYTES_MAX, CLAIMS_MAX, DATASET_BYTES_MAX, LANGUAGE_BYTES_MAX, LICENSE_BYTES_MAX,
    METRIC_BYTES_MAX, SERVICE_ENDPOINTS_MAX, TAG_BYTES_MAX, TEXT_TOTAL_BYTES_MAX, URL_BYTES_MAX,
};
use crate::manifest::{Card, Dimension, EvaluationClaim, Lineage, Manifest, TensorSpec};
use crate::names::check_length;
use crate::pipeline::{ColumnKind, PipelineKind};

/// A single line that reads the way it is stored.
pub(crate) fn check_line(text: &str, min: u64, max: u64) -> Result<(), Problem> {
    check_length(text, min, max)?;
    match text.char_indices().find(|(_, c)| is_deceptive(*c)) {
        None => Ok(()),
        Some((at, c)) => Err(Problem::ControlCharacter {
            code_point: c.into(),
            at: at as u64,
        }),
    }
}

/// Control characters, line and paragraph separators, and the marks that reorder text
/// (Unicode Standard Annex 9: LRM, RLM, ALM, embeddings, overrides, isolates).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn check_lines(
    field: &str,
    list: &[String],
    count_max: u64,
    bytes_max: u64,
) -> Result<(), InvalidManifest> {
    check_count(field, list.len(), 0, count_max)?;
    for (index, line) in list.iter().enumerate() {
        check_line(line, 1, bytes_max).map_err(at(format_args!("{field}[{index}]")))?;
    }
    Ok(())
}

pub(super) fn check_license(license: &str) -> Result<(), Problem> {
    check_length(license, 1, LICENSE_BYTES_MAX)?;
    match spdx::Expression::parse(license) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::NotSpdx {
            detail: error.reason.to_string(),
        }),
    }
}

pub(super) fn check_card(card: &Card) -> Result<(), InvalidManifest> {
    // Markdown has lines of its own; it is shown as a document, never inside a rendering.
    check_length(&card.markdown, 0, CARD_MARKDOWN_BYTES_MAX).map_err(at("card.markdown"))?;
    for (field, list, bytes_max) in [
        ("card.language", &card.language, LANGUAGE_BYTES_MAX),
        ("card.tags", &card.tags, TAG_BYTES_MAX),
        ("card.datasets", &card.datasets, DATASET_BYTES_MAX),
        ("card.metrics", &card.metrics, METRIC_BYTES_MAX),
    ] {
        check_lines(field, list, CARD_LIST_MAX, bytes_max)?;
    }
    if let Some(model) = &card.base_model {
        check_line(model, 1, BASE_MODEL_BYTES_MAX).map_err(at("card.base_model"))?;
    }
    Ok(())
}

pub(crate) fn check_lineage(lineage: &Lineage) -> Result<(), InvalidManifest> {
    check_lines(
        "lineage.datasets",
        &lineage.datasets,
        CARD_LIST_MAX,
        DATASET_BYTES_MAX,
    )?;
    if let Some(revision) = &lineage.code_revision {
        check_line(revision, 1, URL_BYTES_MAX).map_err(at("lineage.code_revision"))?;
    }
    check_lines(
        "lineage.service_endpoints",
        &lineage.service_endpoints,
        SERVICE_ENDPOINTS_MAX,
        URL_BYTES_MAX,
    )
}

pub(super) fn check_claims(claims: &[EvaluationClaim]) -> Result<(), InvalidManifest> {
    check_count("claims", claims.len(), 0, CLAIMS_MAX)?;
    for (index, claim) in claims.iter().enumerate() {
        let field = |name: &str| format!("claims[{index}].{name}");
        check_line(&claim.dataset, 1, DATASET_BYTES_MAX).map_err(at(field("dataset")))?;
        check_line(&claim.split, 0, CLAIM_SPLIT_BYTES_MAX).map_err(at(field("split")))?;
        check_line(&claim.metric, 1, METRIC_BYTES_MAX).map_err(at(field("metric")))?;
        check_length(&claim.value, 1, CLAIM_VALUE_BYTES_MAX).map_err(at(field("value")))?;
        if !is_decimal(&claim.value) {
            let problem = Problem::Grammar {
                expected: "a decimal number such as 0.973 or -1.5",
            };
            return Err(refuse(field("value"), problem));
        }
    }
    Ok(())
}

pub(super) fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

/// Counts every text of the manifest, and some bytes for each entry that frames one.
pub(super) fn check_total(m: &Manifest) -> Result<(), InvalidManifest> {
    // Names and numbers around a text; keeps long lists of tiny entries within the same budget.
    const ENTRY_BYTES: usize = 16;
    let mut given = 0_usize;
    let mut add = |text: &str| given += text.len() + ENTRY_BYTES;
    for text in [&m.publisher, &m.name, &m.version, &m.license, &m.task] {
        add(text);
    }
    for file in &m.files {
        add(&file.path);
        add(&file.cid);
        // Size and whole-file hash.
        add("");
        add("");
        add("");
    }
    let mut add_tensor = |tensor: &TensorSpec| {
        add(&tensor.name);
        for dimension in &tensor.shape {
            match dimension {
                Dimension::Fixed(_) => add(""),
                Dimension::Dynamic { name, .. } => add(name),
            }
        }
    };
    m.signature.inputs.iter().for_each(&mut add_tensor);
    m.signature.outputs.iter().for_each(&mut add_tensor);
    add(&m.pipeline.model);
    let card = &m.card;
    let lists = [
        &m.pipeline.labels,
        &card.language,
        &card.tags,
        &card.datasets,
        &card.metrics,
        &m.lineage.datasets,
        &m.lineage.service_endpoints,
    ];
    for text in lists.into_iter().flatten() {
        // A label is framed by its length alone: at most two bytes.
        given += text.len() + 2;
    }
    let mut add = |text: &str| given += text.len() + ENTRY_BYTES;
    add(&card.markdown);
    for text in [&card.base_model, &m.lineage.code_revision]
        .into_iter()
        .flatten()
    {
        add(text);
    }
    for claim in &m.claims {
        for text in [&claim.dataset, &claim.split, &claim.metric, &claim.value] {
            add(text);
        }
    }
    // Its longest texts are columns and their categories; each entry counts like a label.
    if let PipelineKind::Tabular(table) = &m.pipeline.kind {
        for column in &table.columns {
            add(&column.name);
            add(&column.input);
            if let ColumnKind::Category { values, .. } = &column.kind {
                values.iter().for_each(|value| add(value));
            }
        }
    }
    let given = given as u64;
    if given > TEXT_TOTAL_BYTES_MAX {
        let problem = Problem::TextTotal {
            given,
            max: TEXT_TOTAL_BYTES_MAX,
        };
        return Err(refuse("manifest", problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_take_spdx_expressions_and_nothing_else() {
        for license in [
            "Apache-2.0",
            "MIT OR Apache-2.0",
            "(MIT AND BSD-3-Clause) OR GPL-2.0-only WITH Classpath-exception-2.0",
            "LicenseRef-openrail",
        ] {
            assert_eq!(check_license(license), Ok(()), "{license}");
        }
        for license in [
            "",
            "apache 2",
            "MIT OR",
            "NoSuch-1.0",
            "MIT/Apache-2.0",
            "((((MIT",
        ] {
            assert!(check_license(license).is_err(), "{license}");
        }
    }

    #[test]
    fn should_refuse_characters_that_break_or_reorder_a_line() {
        for text in [
            "a\nb",
            "a\u{202E}b",
            "\u{7f}",
            "\u{2028}",
            "\u{85}",
            "\u{2067}x",
        ] {
            assert!(check_line(text, 0, 100).is_err(), "{text:?}");
        }
        assert_eq!(check_line("naïve 数字 👍", 0, 100), Ok(()));
    }

    #[test]
    fn should_take_decimal_numbers_only() {
        for value in ["0", "0.973", "-1.5", "100"] {
            assert!(is_decimal(value), "{value}");
        }
        for value in [
            "", "-", ".5", "1.", "1e3", "NaN", "1,5", "--1", "+1", "1.2.3",
        ] {
            assert!(!is_decimal(value), "{value}");
        }
    }
}
