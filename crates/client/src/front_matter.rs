//! The front matter of a model card: the few fields that Hugging Face users know, in the small part of YAML that cards use.
//!
//! Read are `key: value`, `key: [a, b]` and `key:` with `- item` lines below. Other keys, and what is nested below
//! them, are left alone: cards carry much that is not ours (`model-index` and the like).

use stoa_types::manifest::Card;

/// Splits a card into its fields and its Markdown. A card without front matter is all Markdown.
pub fn parse_card(text: &str) -> Result<Card, String> {
    // Equal cards give equal manifests, whatever an editor put at the ends of lines.
    let text = text.replace("\r\n", "\n");
    let Some((matter, markdown)) = split(&text) else {
        return Ok(Card {
            markdown: text,
            ..Card::default()
        });
    };
    let mut card = Card {
        markdown: markdown.trim_start_matches('\n').to_owned(),
        ..Card::default()
    };
    for (key, values) in fields(matter)? {
        match key {
            "language" => card.language = values,
            "tags" => card.tags = values,
            "datasets" => card.datasets = values,
            "metrics" => card.metrics = values,
            "base_model" => match <[String; 1]>::try_from(values) {
                Ok([base_model]) => card.base_model = Some(base_model),
                Err(values) if values.is_empty() => {}
                Err(_) => {
                    return Err(
                        "base_model names several models: put them in model.toml as lineage"
                            .to_owned(),
                    );
                }
            },
            _ => {}
        }
    }
    Ok(card)
}

/// One value of a card's front matter, whatever the field; `None` for lists and what cannot be read.
pub(crate) fn value(text: &str, key: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let (matter, _) = split(&text)?;
    let prefix = format!("{key}:");
    let line = matter.lines().find_map(|line| line.strip_prefix(&prefix))?;
    match &inline_values(line.trim())[..] {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("---\n")?;
    let end = rest.find("\n---\n")?;
    Some((&rest[..end], &rest[end + "\n---\n".len()..]))
}

fn fields(matter: &str) -> Result<Vec<(&str, Vec<String>)>, String> {
    let mut fields: Vec<(&str, Vec<String>)> = Vec::new();
    for line in matter.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let nested = line.starts_with([' ', '\t']);
        if let Some(item) = trimmed.strip_prefix("- ") {
            let Some((key, values)) = fields.last_mut() else {
                return Err(format!("a list without a key: {trimmed}"));
            };
            // A list of records, as under `model-index`, is not read as texts.
            if is_known(key) {
                values.push(scalar(item));
            }
        } else if !nested {
            let (key, value) = trimmed
                .split_once(':')
                .ok_or_else(|| format!("not a field of front matter: {trimmed}"))?;
            fields.push((key.trim(), inline_values(value.trim())));
        }
    }
    Ok(fields)
}

fn is_known(key: &str) -> bool {
    matches!(
        key,
        "language" | "tags" | "datasets" | "metrics" | "base_model"
    )
}

fn inline_values(value: &str) -> Vec<String> {
    let inside = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let values = match inside {
        Some(list) => list.split(',').map(scalar).collect(),
        None => vec![scalar(value)],
    };
    values.into_iter().filter(|text| !text.is_empty()).collect()
}

fn scalar(text: &str) -> String {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inside) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inside.to_owned();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_read_the_fields_and_leave_the_markdown() {
        let card = parse_card(
            "---\nlanguage: en\nlicense: mit\ntags:\n  - digits\n  - 'small model'\ndatasets: [mnist, \"other\"]\nmetrics: []\nmodel-index:\n  - name: x\n    results: 1\nbase_model: stoa/digits\n---\n\n# Title\n",
        )
        .unwrap();
        assert_eq!(card.markdown, "# Title\n");
        assert_eq!(card.language, ["en"]);
        assert_eq!(card.tags, ["digits", "small model"]);
        assert_eq!(card.datasets, ["mnist", "other"]);
        assert!(card.metrics.is_empty());
        assert_eq!(card.base_model.as_deref(), Some("stoa/digits"));
    }

    #[test]
    fn should_read_a_card_with_the_line_ends_of_windows() {
        let card = parse_card("---\r\nlanguage: en\r\n---\r\n# Title\r\n").unwrap();
        assert_eq!(
            (card.language, card.markdown),
            (vec!["en".to_owned()], "# Title\n".to_owned())
        );
    }

    #[test]
    fn should_find_one_value_of_any_field() {
        let card = "---\nlicense: 'apache-2.0'\ntags:\n- a\npipeline_tag: fill-mask\n---\n";
        assert_eq!(value(card, "license").as_deref(), Some("apache-2.0"));
        assert_eq!(value(card, "pipeline_tag").as_deref(), Some("fill-mask"));
        assert_eq!(value(card, "tags"), None);
        assert_eq!(value("# Title\nlicense: mit\n", "license"), None);
    }

    #[test]
    fn should_take_a_card_without_front_matter_as_markdown() {
        let card = parse_card("# Title\n---\ntext").unwrap();
        assert_eq!(card.markdown, "# Title\n---\ntext");
    }

    #[test]
    fn should_refuse_front_matter_that_it_cannot_read() {
        assert!(parse_card("---\n- a\n---\n").is_err());
        assert!(parse_card("---\nno field\n---\n").is_err());
        assert!(parse_card("---\nbase_model: [a, b]\n---\n").is_err());
    }
}
