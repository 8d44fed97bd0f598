//! Inputs and outputs as people write them: the JSON of the Open Inference Protocol.
//!
//! Numbers go to little-endian bytes of the tensor's type; a number that the type cannot hold is an error, never
//! rounded silently (but decimal fractions become the nearest float, as everywhere).

use data_encoding::BASE64;
use serde::Deserialize;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use stoa_types::pipeline::{Answer, Cell, Input, TextInput};
use stoa_types::tensor::{DataType, Tensor};

use crate::error::{ClientError, Result};

#[derive(Deserialize)]
struct Request {
    inputs: Vec<JsonTensor>,
}

#[derive(Deserialize)]
struct JsonTensor {
    name: String,
    datatype: String,
    shape: Vec<u64>,
    data: Value,
}

/// Reads `{"inputs": [{"name", "datatype", "shape", "data"}]}`; other fields are left alone.
pub fn parse_inputs(json: &str) -> Result<Vec<Tensor>> {
    let request: Request = serde_json::from_str(json).map_err(|error| {
        ClientError::InvalidArgument(format!(
            "not a request of the Open Inference Protocol: {error}"
        ))
    })?;
    request.inputs.into_iter().map(to_tensor).collect()
}

/// Reads any input of a call: `{"inputs": [..]}` as [`parse_inputs`] does; `{"texts": ["a text", ["the first of a pair", "the second"]]}`;
/// `{"images": ["<base64 of a PNG or JPEG file>"]}`; or `{"rows": [[1.5, "a category", null]]}` with the pipeline's columns in their order.
pub fn parse_input(json: &str) -> Result<Input> {
    #[derive(Deserialize)]
    struct Items {
        texts: Option<Vec<JsonText>>,
        images: Option<Vec<String>>,
        rows: Option<Vec<Vec<JsonCell>>>,
    }
    let invalid = |error: String| ClientError::InvalidArgument(format!("the input: {error}"));
    let items: Items = serde_json::from_str(json).map_err(|error| {
        invalid(format!(
            "{error}. It is JSON of one of the forms {{\"inputs\": [{{\"name\", \"datatype\", \"shape\", \"data\"}}]}}, {{\"texts\": [..]}}, {{\"images\": [\"<base64>\"]}}, {{\"rows\": [[..]]}}; `stoa model show` tells what the model takes"
        ))
    })?;
    if let Some(texts) = items.texts {
        return Ok(Input::Texts(
            texts.into_iter().map(JsonText::into).collect(),
        ));
    }
    if let Some(rows) = items.rows {
        let cells = |row: Vec<JsonCell>| row.into_iter().map(JsonCell::into).collect();
        return Ok(Input::Rows(rows.into_iter().map(cells).collect()));
    }
    let Some(images) = items.images else {
        return parse_inputs(json).map(Input::Tensors);
    };
    let images = images.iter().map(|image| {
        BASE64
            .decode(image.as_bytes())
            .map(ByteBuf::from)
            .map_err(|error| invalid(error.to_string()))
    });
    Ok(Input::Images(images.collect::<Result<_>>()?))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonText {
    One(String),
    Pair(String, String),
}

impl From<JsonText> for TextInput {
    fn from(text: JsonText) -> Self {
        match text {
            JsonText::One(text) => Self { text, pair: None },
            JsonText::Pair(text, pair) => Self {
                text,
                pair: Some(pair),
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonCell {
    Number(f64),
    Text(String),
    Missing(()),
}

impl From<JsonCell> for Cell {
    fn from(cell: JsonCell) -> Self {
        match cell {
            JsonCell::Number(number) => Self::Number(number),
            JsonCell::Text(text) => Self::Text(text),
            JsonCell::Missing(()) => Self::Missing,
        }
    }
}

/// Tensors as [`tensors_to_json`] has them; vectors and classes as lists.
pub fn answer_to_json(answer: &Answer) -> Result<Value> {
    match answer {
        Answer::Tensors(tensors) => tensors_to_json(tensors),
        Answer::Embeddings(vectors) => Ok(json!(vectors)),
        Answer::Classes(items) => Ok(items
            .iter()
            .map(|classes| {
                classes
                    .iter()
                    .map(|class| json!({"index": class.index, "label": class.label, "score": class.score}))
                    .collect::<Value>()
            })
            .collect()),
    }
}

/// The tensors as `{"name", "datatype", "shape", "data"}`.
pub fn tensors_to_json(tensors: &[Tensor]) -> Result<Value> {
    tensors
        .iter()
        .map(|tensor| {
            Ok(json!({
                "name": tensor.name,
                "datatype": tensor.datatype.name(),
                "shape": tensor.shape,
                "data": elements(tensor)?,
            }))
        })
        .collect()
}

fn to_tensor(tensor: JsonTensor) -> Result<Tensor> {
    let invalid = |reason: String| {
        ClientError::InvalidArgument(format!("input \"{}\": {reason}", tensor.name))
    };
    let datatype = DataType::from_name(&tensor.datatype)
        .ok_or_else(|| invalid(format!("there is no data type {}", tensor.datatype)))?;
    let mut flat = Vec::new();
    flatten(&tensor.data, &mut flat);
    let mut data = Vec::with_capacity(flat.len() * 8);
    for value in flat {
        encode(datatype, value, &mut data)
            .ok_or_else(|| invalid(format!("{value} is not a {datatype}")))?;
    }
    let result = Tensor {
        name: tensor.name.clone(),
        datatype,
        shape: tensor.shape,
        data,
    };
    result.check_length().map_err(|error| {
        ClientError::InvalidArgument(format!("input \"{}\": {error}", tensor.name))
    })?;
    Ok(result)
}

/// The protocol allows data nested as the shape is, and flat.
fn flatten<'a>(value: &'a Value, flat: &mut Vec<&'a Value>) {
    match value {
        Value::Array(list) => list.iter().for_each(|element| flatten(element, flat)),
        scalar => flat.push(scalar),
    }
}

fn encode(datatype: DataType, value: &Value, data: &mut Vec<u8>) -> Option<()> {
    macro_rules! integer {
        ($kind:ty, $read:ident) => {
            data.extend(<$kind>::try_from(value.$read()?).ok()?.to_le_bytes())
        };
    }
    match datatype {
        DataType::BOOL => data.push(value.as_bool()?.into()),
        DataType::UINT8 => integer!(u8, as_u64),
        DataType::UINT16 => integer!(u16, as_u64),
        DataType::UINT32 => integer!(u32, as_u64),
        DataType::UINT64 => integer!(u64, as_u64),
        DataType::INT8 => integer!(i8, as_i64),
        DataType::INT16 => integer!(i16, as_i64),
        DataType::INT32 => integer!(i32, as_i64),
        DataType::INT64 => integer!(i64, as_i64),
        // JSON has no half floats; their bits would have to be made up here.
        DataType::FP16 => return None,
        #[allow(clippy::cast_possible_truncation)]
        DataType::FP32 => {
            let number = value.as_f64()? as f32;
            number.is_finite().then_some(())?;
            data.extend(number.to_le_bytes());
        }
        DataType::FP64 => data.extend(value.as_f64()?.to_le_bytes()),
        DataType::BYTES => {
            let text = value.as_str()?.as_bytes();
            data.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
            data.extend(text);
        }
    }
    Some(())
}

fn elements(tensor: &Tensor) -> Result<Vec<Value>> {
    let invalid = |reason: String| {
        ClientError::Failed(format!(
            "output \"{}\" cannot be shown: {reason}",
            tensor.name
        ))
    };
    tensor
        .check_length()
        .map_err(|error| invalid(error.to_string()))?;
    macro_rules! numbers {
        ($kind:ty) => {
            tensor
                .data
                .chunks_exact(size_of::<$kind>())
                .map(|bytes| {
                    let bytes = bytes.try_into().expect("BUG: chunks of this size");
                    json!(<$kind>::from_le_bytes(bytes))
                })
                .collect()
        };
    }
    Ok(match tensor.datatype {
        DataType::BOOL => tensor.data.iter().map(|byte| json!(*byte != 0)).collect(),
        DataType::UINT8 => numbers!(u8),
        DataType::UINT16 => numbers!(u16),
        DataType::UINT32 => numbers!(u32),
        DataType::UINT64 => numbers!(u64),
        DataType::INT8 => numbers!(i8),
        DataType::INT16 => numbers!(i16),
        DataType::INT32 => numbers!(i32),
        DataType::INT64 => numbers!(i64),
        DataType::FP16 => return Err(invalid("JSON has no half floats".to_owned())),
        // Through text, so that 0.1 reads 0.1 and not its widening to 64 bits.
        DataType::FP32 => tensor
            .data
            .chunks_exact(4)
            .map(|bytes| {
                let number = f32::from_le_bytes(bytes.try_into().expect("BUG: chunks of 4"));
                number
                    .to_string()
                    .parse::<f64>()
                    .map_or(Value::Null, |n| json!(n))
            })
            .collect(),
        DataType::FP64 => numbers!(f64),
        DataType::BYTES => strings(&tensor.data),
    })
}

fn strings(mut data: &[u8]) -> Vec<Value> {
    let mut strings = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(rest.len());
        let (text, rest) = rest.split_at(length);
        strings.push(json!(String::from_utf8_lossy(text)));
        data = rest;
    }
    strings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(datatype: &str, shape: &str, data: &str) -> Result<Vec<Tensor>> {
        parse_inputs(&format!(
            r#"{{"inputs":[{{"name":"x","datatype":"{datatype}","shape":{shape},"data":{data}}}],"other":1}}"#
        ))
    }

    #[test]
    fn should_read_back_the_tensors_that_it_writes() {
        for (datatype, shape, data) in [
            ("FP32", "[2,2]", "[0.1,-2.5,3.0,16777216.0]"),
            ("FP64", "[1]", "[0.1]"),
            ("INT8", "[3]", "[-128,0,127]"),
            ("UINT64", "[1]", "[18446744073709551615]"),
            ("BOOL", "[2]", "[true,false]"),
            ("BYTES", "[2]", r#"["a","éé"]"#),
        ] {
            let tensors = request(datatype, shape, data).unwrap();
            let written = tensors_to_json(&tensors).unwrap();
            assert_eq!(
                written[0]["data"],
                serde_json::from_str::<Value>(data).unwrap()
            );
        }
    }

    #[test]
    fn should_read_texts_pairs_pictures_and_rows() {
        let text = |text: &str, pair: Option<&str>| TextInput {
            text: text.to_owned(),
            pair: pair.map(str::to_owned),
        };
        let texts = Input::Texts(vec![text("a", None), text("b", Some("c"))]);
        assert_eq!(
            parse_input(r#"{"texts": ["a", ["b", "c"]]}"#).unwrap(),
            texts
        );
        let images = Input::Images(vec![ByteBuf::from(b"png".to_vec())]);
        assert_eq!(parse_input(r#"{"images": ["cG5n"]}"#).unwrap(), images);
        let row = vec![Cell::Number(1.5), Cell::Text("x".to_owned()), Cell::Missing];
        let rows = Input::Rows(vec![row]);
        assert_eq!(
            parse_input(r#"{"rows": [[1.5, "x", null]]}"#).unwrap(),
            rows
        );
        assert!(parse_input(r#"{"texts": [["a", "b", "c"]]}"#).is_err());
        assert!(parse_input(r#"{"images": ["?"]}"#).is_err());
    }

    #[test]
    fn should_take_nested_data() {
        assert_eq!(
            request("INT16", "[2,2]", "[[1,2],[3,4]]").unwrap(),
            request("INT16", "[2,2]", "[1,2,3,4]").unwrap()
        );
    }

    #[test]
    fn should_refuse_what_the_type_cannot_hold() {
        for (datatype, shape, data) in [
            ("INT8", "[1]", "[128]"),
            ("UINT8", "[1]", "[-1]"),
            ("INT32", "[1]", "[1.5]"),
            ("FP32", "[1]", "[1e39]"),
            ("FP32", "[2]", "[1]"),
            ("FP32", "[1]", r#"["1"]"#),
            ("FP99", "[1]", "[1]"),
        ] {
            assert!(request(datatype, shape, data).is_err(), "{datatype} {data}");
        }
    }
}
