//! The draft as the text of `model.toml`, for people to read and change.

use std::fmt::Write;

use stoa_types::manifest::{Dimension, PipelineKind, TensorSpec};
use stoa_types::pipeline::{AnswerKind, ImagePipeline, Resize, TextPipeline};

use super::Draft;

pub(super) fn to_toml(draft: &Draft) -> String {
    let mut text = String::new();
    write(&mut text, draft).expect("BUG: writing to a String fails");
    text
}

fn write(out: &mut String, draft: &Draft) -> std::fmt::Result {
    writeln!(
        out,
        "# What `stoa model push` makes the manifest from. The publisher's handle comes from the command line."
    )?;
    for (key, value) in [
        ("name", &draft.name),
        ("version", &draft.version),
        ("license", &draft.license),
        ("task", &draft.task),
    ] {
        writeln!(out, "{key} = {}", quoted(value))?;
    }
    writeln!(out, "files = {}", list(&draft.files))?;
    if let Some(card) = &draft.card {
        writeln!(out, "card = {}", quoted(card))?;
    }

    writeln!(out, "\n[pipeline]")?;
    writeln!(out, "model = {}", quoted(&draft.model))?;
    let kind = match draft.kind {
        PipelineKind::Tensors => "tensors",
        PipelineKind::Text(_) => "text",
        PipelineKind::Image(_) => "image",
        PipelineKind::Tabular(_) => "tabular",
    };
    writeln!(out, "kind = {}", quoted(kind))?;
    if !draft.labels.is_empty() {
        writeln!(out, "labels = {}", list(&draft.labels))?;
    }
    match &draft.kind {
        PipelineKind::Text(pipeline) => write_text(out, pipeline)?,
        PipelineKind::Image(pipeline) => write_image(out, pipeline)?,
        PipelineKind::Tensors | PipelineKind::Tabular(_) => {}
    }

    writeln!(
        out,
        "\n# A dimension is a number, or a name with the largest value that a caller may choose."
    )?;
    for input in &draft.signature.inputs {
        write_tensor(out, "inputs", input)?;
    }
    for output in &draft.signature.outputs {
        write_tensor(out, "outputs", output)?;
    }
    writeln!(
        out,
        "# What it was made from, who earns with it, and how good it is:\n\
         # [lineage]\n\
         # datasets = [\"https://...\"]\n\
         # code_revision = \"https://... at commit ...\"\n\
         # parents = [{{ version = \"<64 hexadecimal digits>\", relation = \"finetune\" }}]\n\
         #\n\
         # [[royalties]]\n\
         # owner = \"<principal>\"\n\
         # basis_points = 1000\n\
         #\n\
         # [[claims]]\n\
         # dataset = \"...\"\n\
         # split = \"test\"\n\
         # metric = \"accuracy\"\n\
         # value = \"0.98\""
    )
}

fn write_tensor(out: &mut String, side: &str, tensor: &TensorSpec) -> std::fmt::Result {
    let shape: Vec<String> = tensor
        .shape
        .iter()
        .map(|dimension| match dimension {
            Dimension::Fixed(extent) => extent.to_string(),
            Dimension::Dynamic { name, max } => {
                format!("{{ name = {}, max = {max} }}", quoted(name))
            }
        })
        .collect();
    writeln!(out, "[[signature.{side}]]")?;
    writeln!(out, "name = {}", quoted(&tensor.name))?;
    writeln!(out, "datatype = {}", quoted(tensor.datatype.name()))?;
    writeln!(out, "shape = [{}]\n", shape.join(", "))
}

fn write_text(out: &mut String, pipeline: &TextPipeline) -> std::fmt::Result {
    writeln!(out, "\n[pipeline.text]")?;
    writeln!(out, "tokenizer = {}", quoted(&pipeline.tokenizer))?;
    writeln!(out, "ids = {}", quoted(&pipeline.ids))?;
    for (key, input) in [("mask", &pipeline.mask), ("types", &pipeline.types)] {
        if let Some(input) = input {
            writeln!(out, "{key} = {}", quoted(input))?;
        }
    }
    writeln!(out, "tokens_max = {}", pipeline.tokens_max)?;
    let padding = &pipeline.padding;
    writeln!(
        out,
        "padding = {{ token = {}, side = \"{:?}\", length = \"{:?}\" }}",
        quoted(&padding.token),
        padding.side,
        padding.length
    )?;
    write_answer(out, &pipeline.answer)
}

fn write_image(out: &mut String, pipeline: &ImagePipeline) -> std::fmt::Result {
    writeln!(out, "\n[pipeline.image]")?;
    writeln!(out, "input = {}", quoted(&pipeline.input))?;
    writeln!(out, "colours = \"{:?}\"", pipeline.colours)?;
    writeln!(out, "layout = \"{:?}\"", pipeline.layout)?;
    match pipeline.resize {
        Resize::Exact(extent) => writeln!(
            out,
            "resize = {{ Exact = {{ width = {}, height = {} }} }}",
            extent.width, extent.height
        )?,
        Resize::ShortestSide(side) => writeln!(out, "resize = {{ ShortestSide = {side} }}")?,
    }
    writeln!(out, "filter = \"{:?}\"", pipeline.filter)?;
    if let Some(crop) = pipeline.crop {
        writeln!(
            out,
            "crop = {{ width = {}, height = {} }}",
            crop.width, crop.height
        )?;
    }
    writeln!(out, "scale = {}", quoted(&pipeline.scale))?;
    writeln!(out, "mean = {}", list(&pipeline.mean))?;
    writeln!(out, "deviation = {}", list(&pipeline.deviation))?;
    write_answer(out, &pipeline.answer)
}

fn write_answer(out: &mut String, answer: &AnswerKind) -> std::fmt::Result {
    match answer {
        AnswerKind::Tensors => writeln!(out, "answer = \"Tensors\""),
        AnswerKind::Embedding(embedding) => writeln!(
            out,
            "answer = {{ Embedding = {{ output = {}, pooling = \"{:?}\", normalise = {} }} }}",
            quoted(&embedding.output),
            embedding.pooling,
            embedding.normalise
        ),
        AnswerKind::Classes(classes) => writeln!(
            out,
            "answer = {{ Classes = {{ output = {}, activation = \"{:?}\", top = {} }} }}",
            quoted(&classes.output),
            classes.activation,
            classes.top
        ),
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
