//! `stoa model init`.

use serde_json::json;
use stoa_client::Result;
use stoa_client::init::{InitOptions, Initialized, init as write};

use crate::arguments::model::Init;
use crate::output::{Output, bytes};

pub fn init(arguments: &Init) -> Result<Output> {
    let options = InitOptions {
        name: arguments.name.clone(),
        version: Some(arguments.version.clone()),
        license: arguments.license.clone(),
        task: arguments.task.clone(),
        model: arguments.model.clone(),
        replace: arguments.replace,
    };
    let Initialized {
        path,
        model,
        converted,
        to_do,
    } = write(&arguments.folder, &options)?;
    let manifest = &model.manifest;
    let mut lines = vec![format!(
        "{} describes {} {}: {} files, {}; the engine loads {}",
        path.display(),
        manifest.name,
        manifest.version,
        manifest.files.len(),
        bytes(model.size_bytes()),
        manifest.pipeline.model,
    )];
    if let Some(onnx) = &converted {
        lines.push(format!(
            "{} was converted from TensorFlow.js",
            onnx.display()
        ));
    }
    lines.extend(to_do.iter().map(|what| format!("look at {what}")));
    lines.push(format!(
        "read it, then `stoa model push {}`",
        arguments.folder.display()
    ));
    Ok(Output::lines(
        lines,
        json!({
            "manifest": path,
            "name": manifest.name,
            "version": manifest.version,
            "files": manifest.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
            "bytes": model.size_bytes(),
            "converted": converted,
            "to_do": to_do,
        }),
    ))
}
