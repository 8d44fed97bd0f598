//! What Hugging Face calls things, in the library's words.

use super::folder::Folder;

/// The SPDX expression of a licence as cards name it: `apache-2.0` is `Apache-2.0`.
pub(super) fn spdx(text: &str) -> Option<String> {
    let text = text.trim();
    if spdx::Expression::parse(text).is_ok() {
        return Some(text.to_owned());
    }
    let same = |license: &&spdx::License| license.name.eq_ignore_ascii_case(text);
    let license = spdx::identifiers::LICENSES.iter().find(same)?;
    Some(license.name.to_owned())
}

/// From the class that Transformers would load, such as `BertForSequenceClassification`.
pub(super) fn task(folder: &Folder) -> Option<String> {
    if folder.modules.is_array() {
        return Some("sentence-similarity".to_owned());
    }
    if folder
        .metadata
        .get("packageName")
        .and_then(|name| name.as_str())
        == Some("@teachablemachine/image")
    {
        return Some("image-classification".to_owned());
    }
    let class = folder.config.get("architectures")?.get(0)?.as_str()?;
    let (_, purpose) = class.split_once("For").unwrap_or((class, ""));
    let task = match purpose {
        "SequenceClassification" => "text-classification",
        "TokenClassification" => "token-classification",
        "QuestionAnswering" => "question-answering",
        "MaskedLM" => "fill-mask",
        "CausalLM" => "text-generation",
        "ConditionalGeneration" => "text2text-generation",
        "ImageClassification" => "image-classification",
        "ObjectDetection" => "object-detection",
        "SemanticSegmentation" => "image-segmentation",
        "AudioClassification" => "audio-classification",
        "" if class.ends_with("Model") => "feature-extraction",
        _ => return None,
    };
    Some(task.to_owned())
}
