//! Takes an ONNX file apart without holding it: its large weights stay where they are until there is a tensor to read
//! them into, everything else (the skeleton) is decoded as usual.
//!
//! ```text
//! ModelProto { ..., graph: 7 { node: 1, ..., initializer: 5 { dims: 1, data_type: 2, name: 8, raw_data: 9 <- stays } } }
//! ```
//!
//! Only the graph's own initialisers are treated so, and only their `raw_data`; that is where exporters put weights.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::pb::{ModelProto, TensorProto};

use crate::error::LoadError;
use crate::graph::malformed;
use crate::source::Source;

/// Smaller tensors go with the skeleton: operators look at small constants (shapes, axes) while they are parsed.
const WEIGHT_BYTES_MIN: u64 = 16 * 1024;
/// What may be left without the weights. It is held three times at the most: bytes, protocol buffer, nodes.
const SKELETON_BYTES_MAX: u64 = 64 << 20;

const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// An initialiser whose bytes are still in the file.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    /// Without its data.
    pub proto: TensorProto,
    pub offset: u64,
    pub length: u64,
}

pub(crate) struct OnnxFile {
    pub skeleton: ModelProto,
    pub weights: Vec<Weight>,
}

pub(crate) fn open(source: &dyn Source) -> Result<OnnxFile, LoadError> {
    let mut reader = Reader::new(source);
    let size = source.size_bytes();
    let mut skeleton = Vec::new();
    let mut weights = Vec::new();
    let mut graphs = 0;
    while reader.position < size {
        let field = reader.field(size)?;
        if (field.number, field.wire) == (MODEL_GRAPH, WireType::LengthDelimited) {
            graphs += 1;
            let graph = graph(&mut reader, field.end, &mut weights)?;
            encode_key(MODEL_GRAPH, WireType::LengthDelimited, &mut skeleton);
            encode_varint(graph.len() as u64, &mut skeleton);
            skeleton.extend(graph);
        } else {
            reader.copy(field.begin, field.end, &mut skeleton)?;
        }
    }
    if graphs > 1 {
        return Err(malformed("it has more than one graph".into()));
    }
    let skeleton =
        ModelProto::decode(skeleton.as_slice()).map_err(|error| malformed(error.to_string()))?;
    Ok(OnnxFile { skeleton, weights })
}

fn graph(
    reader: &mut Reader<'_>,
    end: u64,
    weights: &mut Vec<Weight>,
) -> Result<Vec<u8>, LoadError> {
    let mut rest = Vec::new();
    while reader.position < end {
        let field = reader.field(end)?;
        let large = field.end - reader.position >= WEIGHT_BYTES_MIN;
        if (field.number, field.wire) == (GRAPH_INITIALIZER, WireType::LengthDelimited)
            && large
            && let Some(weight) = weight(reader, field.end)?
        {
            weights.push(weight);
            reader.position = field.end;
        } else {
            reader.copy(field.begin, field.end, &mut rest)?;
        }
    }
    Ok(rest)
}

/// `None` where the tensor does not keep numbers in `raw_data`.
fn weight(reader: &mut Reader<'_>, end: u64) -> Result<Option<Weight>, LoadError> {
    let mut own = Vec::new();
    let mut data: Option<(u64, u64)> = None;
    while reader.position < end {
        let field = reader.field(end)?;
        if (field.number, field.wire) == (TENSOR_RAW_DATA, WireType::LengthDelimited) {
            // The last one counts, as everywhere in protocol buffers.
            data = Some((reader.position, field.end - reader.position));
            reader.position = field.end;
        } else {
            reader.copy(field.begin, field.end, &mut own)?;
        }
    }
    let Some((offset, length)) = data.filter(|(_, length)| *length >= WEIGHT_BYTES_MIN) else {
        return Ok(None);
    };
    let proto =
        TensorProto::decode(own.as_slice()).map_err(|error| malformed(error.to_string()))?;
    // Strings have no raw form, and a boolean's bytes have to be looked at.
    let numbers = OnnxType::try_from(proto.data_type)
        .is_ok_and(|kind| !matches!(kind, OnnxType::String | OnnxType::Bool));
    Ok(numbers.then_some(Weight {
        proto,
        offset,
        length,
    }))
}

struct Field {
    number: u32,
    wire: WireType,
    /// Where its key begins.
    begin: u64,
    end: u64,
}

/// Reads forward through a window, so that a source is asked for stretches, not for single bytes.
struct Reader<'a> {
    source: &'a dyn Source,
    size: u64,
    position: u64,
    window: Vec<u8>,
    window_at: u64,
    copied: u64,
}

const WINDOW_BYTES: u64 = 4096;
/// Of a key or a length.
const VARINT_BYTES_MAX: u64 = 10;

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source) -> Self {
        Reader {
            source,
            size: source.size_bytes(),
            position: 0,
            window: Vec::new(),
            window_at: 0,
            copied: 0,
        }
    }

    /// Reads a key and, where it is there, a length; `position` is then at the field's content.
    fn field(&mut self, end: u64) -> Result<Field, LoadError> {
        let begin = self.position;
        let (number, wire) = self.decode(end, |bytes| decode_key(bytes))?;
        let content_end = match wire {
            WireType::Varint => {
                let at = self.position;
                self.decode(end, |bytes| decode_varint(bytes))?;
                std::mem::replace(&mut self.position, at)
            }
            WireType::ThirtyTwoBit => self.position.saturating_add(4),
            WireType::SixtyFourBit => self.position.saturating_add(8),
            WireType::LengthDelimited => {
                let length = self.decode(end, |bytes| decode_varint(bytes))?;
                self.position.saturating_add(length)
            }
            WireType::StartGroup | WireType::EndGroup => {
                return Err(malformed("it has a group, which ONNX does not know".into()));
            }
        };
        if content_end > end {
            return Err(malformed("a field is longer than what it is in".into()));
        }
        Ok(Field {
            number,
            wire,
            begin,
            end: content_end,
        })
    }

    fn decode<T>(
        &mut self,
        end: u64,
        decode: impl FnOnce(&mut &[u8]) -> Result<T, prost::DecodeError>,
    ) -> Result<T, LoadError> {
        let wanted = VARINT_BYTES_MAX.min(end - self.position);
        let inside = self.position >= self.window_at
            && self.position + wanted <= self.window_at + self.window.len() as u64;
        if !inside {
            let length = WINDOW_BYTES.min(self.size - self.position);
            self.window.resize(length as usize, 0);
            self.window_at = self.position;
            self.source.read(self.position, &mut self.window);
        }
        let at = (self.position - self.window_at) as usize;
        let available = &self.window[at..at + wanted as usize];
        let mut rest = available;
        let value = decode(&mut rest).map_err(|error| malformed(error.to_string()))?;
        self.position += (available.len() - rest.len()) as u64;
        Ok(value)
    }

    /// Moves past `end`, with all bytes from `begin` on.
    fn copy(&mut self, begin: u64, end: u64, into: &mut Vec<u8>) -> Result<(), LoadError> {
        let length = end - begin;
        self.copied += length;
        if self.copied > SKELETON_BYTES_MAX {
            return Err(malformed(format!(
                "it has more than {SKELETON_BYTES_MAX} bytes that are not weights in raw_data"
            )));
        }
        let at = into.len();
        into.resize(at + length as usize, 0);
        self.source.read(begin, &mut into[at..]);
        self.position = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::pb::GraphProto;

    fn tensor(name: &str, bytes: usize, kind: OnnxType) -> TensorProto {
        TensorProto {
            name: name.into(),
            dims: vec![bytes as i64],
            data_type: kind as i32,
            raw_data: vec![7; bytes],
            ..TensorProto::default()
        }
    }

    fn model() -> ModelProto {
        ModelProto {
            ir_version: 9,
            producer_name: "test".into(),
            graph: Some(GraphProto {
                name: "g".into(),
                initializer: vec![
                    tensor("large", 20_000, OnnxType::Uint8),
                    tensor("small", 100, OnnxType::Uint8),
                    tensor("truth", 20_000, OnnxType::Bool),
                ],
                doc_string: "after".into(),
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        }
    }

    #[test]
    fn should_leave_large_weights_in_the_file_and_keep_everything_else() {
        let bytes = model().encode_to_vec();
        let file = open(&bytes).unwrap();
        assert_eq!(file.weights.len(), 1);
        let weight = &file.weights[0];
        assert_eq!(weight.proto.name, "large");
        assert_eq!(
            (weight.proto.dims.as_slice(), weight.length),
            (&[20_000][..], 20_000)
        );
        let begin = weight.offset as usize;
        assert!(bytes[begin..begin + 20_000].iter().all(|byte| *byte == 7));
        let mut expected = model();
        expected.graph.as_mut().unwrap().initializer.remove(0);
        assert_eq!(file.skeleton, expected);
    }

    #[test]
    fn should_refuse_what_is_cut_off_at_any_byte_or_say_less() {
        let bytes = model().encode_to_vec();
        for length in (0..bytes.len()).step_by(101) {
            let cut = bytes[..length].to_vec();
            if let Ok(file) = open(&cut) {
                assert!(file.skeleton.graph.is_none(), "cut at {length}");
            }
        }
    }

    #[test]
    fn should_refuse_lengths_that_overflow() {
        let mut bytes = Vec::new();
        encode_key(MODEL_GRAPH, WireType::LengthDelimited, &mut bytes);
        encode_varint(u64::MAX, &mut bytes);
        assert!(matches!(open(&bytes), Err(LoadError::Malformed { .. })));
    }
}
