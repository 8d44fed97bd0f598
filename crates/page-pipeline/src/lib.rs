//! The pipelines as WebAssembly for the web page: what the chain makes of texts, pictures and rows, this makes of them on a
//! person's device, by the same code. The network between inputs and outputs is the page's to run.
//!
//! One instance serves one version. A call is Candid in and Candid out, as `page_pipeline.did` says, through two buffers:
//!
//! ```text
//! pointer = pipeline_request(length)    the page writes the arguments there
//! length  = pipeline_<method>()         runs it
//! pointer = pipeline_reply()            `length` bytes of results are there, until the next call
//! ```

use std::cell::RefCell;

use candid::{CandidType, candid_method};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use stoa_pipeline::{Context, Pipeline};
use stoa_types::manifest::{self, Signature};
use stoa_types::pipeline::{Answer, Input};
use stoa_types::tensor::Tensor;

/// What a version's manifest says, and the files beside the model that its pipeline names.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Opening {
    pub pipeline: manifest::Pipeline,
    pub signature: Signature,
    pub files: Vec<File>,
}

#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct File {
    pub path: String,
    pub bytes: ByteBuf,
}

#[derive(Default)]
struct Opened {
    pipeline: Option<Pipeline>,
    /// Of what was prepared last.
    context: Option<Context>,
}

thread_local! {
    static OPENED: RefCell<Opened> = RefCell::default();
}

#[candid_method(update)]
pub fn open(opening: Opening) -> Result<(), String> {
    let files: Vec<(&str, &[u8])> = opening
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.bytes.as_slice()))
        .collect();
    let pipeline = Pipeline::new(&opening.pipeline, &opening.signature, &files)
        .map_err(|error| error.to_string())?;
    OPENED.set(Opened {
        pipeline: Some(pipeline),
        context: None,
    });
    Ok(())
}

/// The network's inputs, in the signature's order.
#[candid_method(update)]
pub fn prepare(input: Input) -> Result<Vec<Tensor>, String> {
    OPENED.with_borrow_mut(|opened| {
        let pipeline = opened.pipeline.as_ref().ok_or("no pipeline is open")?;
        let prepared = pipeline.prepare(input).map_err(|error| error.to_string())?;
        opened.context = Some(prepared.context);
        Ok(prepared.inputs.tensors().to_vec())
    })
}

/// Of a run on what was prepared last.
#[candid_method(update)]
pub fn answer(outputs: Vec<Tensor>) -> Result<Answer, String> {
    OPENED.with_borrow(|opened| {
        let (Some(pipeline), Some(context)) = (&opened.pipeline, &opened.context) else {
            return Err("nothing was prepared".to_owned());
        };
        pipeline
            .answer(context, outputs)
            .map_err(|error| error.to_string())
    })
}

/// What is exported. The page is the only caller, on one thread.
#[cfg(target_family = "wasm")]
mod exports {
    use super::*;

    thread_local! {
        static REQUEST: RefCell<Vec<u8>> = RefCell::default();
        static REPLY: RefCell<Vec<u8>> = RefCell::default();
    }

    fn call(method: impl FnOnce(&[u8]) -> Vec<u8>) -> usize {
        let request = REQUEST.take();
        let reply = method(&request);
        let length = reply.len();
        REPLY.set(reply);
        length
    }

    #[unsafe(no_mangle)]
    extern "C" fn pipeline_request(length: usize) -> *mut u8 {
        REQUEST.with_borrow_mut(|request| {
            *request = vec![0; length];
            request.as_mut_ptr()
        })
    }

    #[unsafe(no_mangle)]
    extern "C" fn pipeline_reply() -> *const u8 {
        REPLY.with_borrow(|reply| reply.as_ptr())
    }

    #[unsafe(no_mangle)]
    extern "C" fn pipeline_open() -> usize {
        call(|request| respond(request, open))
    }

    #[unsafe(no_mangle)]
    extern "C" fn pipeline_prepare() -> usize {
        call(|request| respond(request, prepare))
    }

    #[unsafe(no_mangle)]
    extern "C" fn pipeline_answer() -> usize {
        call(|request| respond(request, answer))
    }
}

/// An argument that cannot be read is an error like any other.
#[cfg(any(test, target_family = "wasm"))]
fn respond<A, R>(request: &[u8], method: impl FnOnce(A) -> Result<R, String>) -> Vec<u8>
where
    A: for<'a> Deserialize<'a> + CandidType,
    R: CandidType,
{
    let result = candid::decode_one(request)
        .map_err(|error| format!("the call cannot be read: {error}"))
        .and_then(method);
    candid::encode_one(result).expect("BUG: a result is always Candid")
}

#[cfg(test)]
mod tests {
    use candid_parser::utils::{CandidSource, service_equal};
    use stoa_types::manifest::{Dimension, TensorSpec};
    use stoa_types::pipeline::PipelineKind;
    use stoa_types::tensor::DataType;

    use super::*;

    candid::export_service!();

    #[test]
    fn should_have_the_interface_that_its_did_file_says() {
        let declared = CandidSource::File(std::path::Path::new("page_pipeline.did"));
        let code = __export_service();
        service_equal(CandidSource::Text(&code), declared)
            .unwrap_or_else(|error| panic!("{error}\nthe code has:\n{code}"));
    }

    fn tensor(extent: u64) -> Tensor {
        Tensor {
            name: "x".into(),
            datatype: DataType::UINT8,
            shape: vec![extent],
            data: vec![7; extent as usize],
        }
    }

    #[test]
    fn should_answer_calls_in_candid_and_say_what_is_wrong_with_one() {
        let spec = TensorSpec {
            name: "x".into(),
            datatype: DataType::UINT8,
            shape: vec![Dimension::Fixed(2)],
        };
        let opening = Opening {
            pipeline: manifest::Pipeline {
                model: "model.onnx".into(),
                kind: PipelineKind::Tensors,
                labels: vec![],
            },
            signature: Signature {
                inputs: vec![spec.clone()],
                outputs: vec![spec],
            },
            files: vec![],
        };
        fn call<A, R>(argument: A, method: impl FnOnce(A) -> Result<R, String>) -> Result<R, String>
        where
            A: for<'a> Deserialize<'a> + CandidType,
            R: for<'a> Deserialize<'a> + CandidType,
        {
            let reply = respond(&candid::encode_one(argument).unwrap(), method);
            candid::decode_one(&reply).unwrap()
        }
        let input = |extent| Input::Tensors(vec![tensor(extent)]);
        assert_eq!(
            call(vec![tensor(2)], answer),
            Err("nothing was prepared".to_owned())
        );
        assert_eq!(
            call(input(2), prepare),
            Err("no pipeline is open".to_owned())
        );
        assert_eq!(call(opening, open), Ok(()));
        let refused = call(input(3), prepare).unwrap_err();
        assert!(refused.contains("must be 2, not 3"), "{refused}");
        assert_eq!(call(input(2), prepare), Ok(vec![tensor(2)]));
        assert_eq!(
            call(vec![tensor(2)], answer),
            Ok(Answer::Tensors(vec![tensor(2)]))
        );
        let reply = respond(b"not candid", answer);
        let refused = candid::decode_one::<Result<Answer, String>>(&reply).unwrap();
        assert!(refused.unwrap_err().starts_with("the call cannot be read"));
    }
}
