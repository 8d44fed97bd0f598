//! Tensors as callers send and receive them. Names and meanings of the data
//! types are those of the Open Inference Protocol (KServe v2).

use candid::CandidType;
use serde::Deserialize;

/// Element type. `BYTES` is a sequence of UTF-8 strings, each behind its length as u32 little-endian.
#[allow(clippy::upper_case_acronyms)]
#[derive(CandidType, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DataType {
    BOOL,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    INT8,
    INT16,
    INT32,
    INT64,
    FP16,
    FP32,
    FP64,
    BYTES,
}

/// A named tensor: row-major, little-endian, no padding.
#[derive(CandidType, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Tensor {
    pub name: String,
    pub datatype: DataType,
    pub shape: Vec<u64>,
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}
