//! Tensors as callers send and receive them. Names and meanings of the data
//! types are those of the Open Inference Protocol (KServe v2).

use std::fmt;

use candid::CandidType;
use serde::Deserialize;

use crate::hash::Sha256;
use crate::rih::{self, Value};

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

impl DataType {
    pub const ALL: [DataType; 13] = [
        DataType::BOOL,
        DataType::UINT8,
        DataType::UINT16,
        DataType::UINT32,
        DataType::UINT64,
        DataType::INT8,
        DataType::INT16,
        DataType::INT32,
        DataType::INT64,
        DataType::FP16,
        DataType::FP32,
        DataType::FP64,
        DataType::BYTES,
    ];

    /// As the Open Inference Protocol writes it, and as it enters hashes.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::BOOL => "BOOL",
            DataType::UINT8 => "UINT8",
            DataType::UINT16 => "UINT16",
            DataType::UINT32 => "UINT32",
            DataType::UINT64 => "UINT64",
            DataType::INT8 => "INT8",
            DataType::INT16 => "INT16",
            DataType::INT32 => "INT32",
            DataType::INT64 => "INT64",
            DataType::FP16 => "FP16",
            DataType::FP32 => "FP32",
            DataType::FP64 => "FP64",
            DataType::BYTES => "BYTES",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|datatype| datatype.name() == name)
    }

    /// Bytes of an element; `None` for `BYTES`, whose elements differ in length.
    pub const fn element_size_bytes(self) -> Option<u64> {
        match self {
            DataType::BOOL | DataType::UINT8 | DataType::INT8 => Some(1),
            DataType::UINT16 | DataType::INT16 | DataType::FP16 => Some(2),
            DataType::UINT32 | DataType::INT32 | DataType::FP32 => Some(4),
            DataType::UINT64 | DataType::INT64 | DataType::FP64 => Some(8),
            DataType::BYTES => None,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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

/// Why a tensor's bytes do not fit its shape and data type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TensorError {
    #[error("the shape has more elements than 64 bits can count")]
    ShapeOverflow,
    #[error("the data has {given} bytes, the shape and data type ask for {expected}")]
    LengthMismatch { given: u64, expected: u64 },
    #[error("the data has {given} strings, the shape asks for {expected}")]
    StringCountMismatch { given: u64, expected: u64 },
    #[error("string {index} is cut off or not UTF-8")]
    BadString { index: u64 },
}

impl Tensor {
    /// Product of the shape; 1 for a scalar (no dimensions).
    pub fn element_count(&self) -> Result<u64, TensorError> {
        element_count(&self.shape)
    }

    /// Checks that `data` is exactly as long as `shape` and `datatype` say (strings are walked for `BYTES`).
    pub fn check_length(&self) -> Result<(), TensorError> {
        let elements = self.element_count()?;
        let given = self.data.len() as u64;
        match self.datatype.element_size_bytes() {
            Some(size) => {
                let expected = elements
                    .checked_mul(size)
                    .ok_or(TensorError::ShapeOverflow)?;
                if given != expected {
                    return Err(TensorError::LengthMismatch { given, expected });
                }
                Ok(())
            }
            None => {
                let given = count_strings(&self.data)?;
                if given != elements {
                    return Err(TensorError::StringCountMismatch {
                        given,
                        expected: elements,
                    });
                }
                Ok(())
            }
        }
    }
}

/// Product of `shape`; 1 where it is empty.
pub fn element_count(shape: &[u64]) -> Result<u64, TensorError> {
    // A dimension of zero makes the product zero, also where the others would overflow.
    if shape.contains(&0) {
        return Ok(0);
    }
    shape
        .iter()
        .try_fold(1_u64, |product, extent| product.checked_mul(*extent))
        .ok_or(TensorError::ShapeOverflow)
}

fn count_strings(mut data: &[u8]) -> Result<u64, TensorError> {
    let mut index = 0;
    while !data.is_empty() {
        let bad = TensorError::BadString { index };
        let (length, rest) = data.split_first_chunk::<4>().ok_or(bad.clone())?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or(bad.clone())?;
        std::str::from_utf8(text).map_err(|_| bad)?;
        data = rest;
        index += 1;
    }
    Ok(index)
}

/// Hash of inputs or outputs as receipts carry it: the representation-independent hash of the array of
/// `{name: text, datatype: text, shape: array of nat, data: blob}`.
pub fn hash_tensors(tensors: &[Tensor]) -> Sha256 {
    let values = tensors
        .iter()
        .map(|tensor| {
            Value::Map(vec![
                ("name", Value::from(&tensor.name)),
                ("datatype", Value::Text(tensor.datatype.name())),
                (
                    "shape",
                    Value::Array(tensor.shape.iter().map(|extent| (*extent).into()).collect()),
                ),
                ("data", Value::Blob(&tensor.data)),
            ])
        })
        .collect();
    rih::hash(&Value::Array(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(datatype: DataType, shape: &[u64], data: &[u8]) -> Tensor {
        Tensor {
            name: "x".to_owned(),
            datatype,
            shape: shape.to_vec(),
            data: data.to_vec(),
        }
    }

    #[test]
    fn should_name_each_data_type_as_it_debugs_and_read_it_back() {
        for datatype in DataType::ALL {
            assert_eq!(datatype.name(), format!("{datatype:?}"));
            assert_eq!(DataType::from_name(datatype.name()), Some(datatype));
        }
        assert_eq!(DataType::from_name("fp32"), None);
    }

    #[test]
    fn should_check_the_length_of_numbers() {
        assert_eq!(
            tensor(DataType::FP32, &[1, 2], &[0; 8]).check_length(),
            Ok(())
        );
        assert_eq!(tensor(DataType::INT64, &[], &[0; 8]).check_length(), Ok(()));
        assert_eq!(
            tensor(DataType::FP32, &[1, 2], &[0; 7]).check_length(),
            Err(TensorError::LengthMismatch {
                given: 7,
                expected: 8
            })
        );
        assert_eq!(
            tensor(DataType::UINT8, &[u64::MAX, 2], &[]).check_length(),
            Err(TensorError::ShapeOverflow)
        );
        assert_eq!(
            tensor(DataType::FP64, &[u64::MAX], &[]).check_length(),
            Err(TensorError::ShapeOverflow)
        );
        assert_eq!(
            tensor(DataType::FP64, &[u64::MAX, 2, 0], &[]).check_length(),
            Ok(())
        );
    }

    #[test]
    fn should_check_the_length_of_strings() {
        let two = b"\x01\0\0\0a\x02\0\0\0bc";
        assert_eq!(tensor(DataType::BYTES, &[2], two).check_length(), Ok(()));
        assert_eq!(
            tensor(DataType::BYTES, &[3], two).check_length(),
            Err(TensorError::StringCountMismatch {
                given: 2,
                expected: 3
            })
        );
        assert_eq!(
            tensor(DataType::BYTES, &[2], &two[..10]).check_length(),
            Err(TensorError::BadString { index: 1 })
        );
        assert_eq!(
            tensor(DataType::BYTES, &[1], b"\x01\0\0\0\xff").check_length(),
            Err(TensorError::BadString { index: 0 })
        );
        assert_eq!(
            tensor(DataType::BYTES, &[1], b"\xff\xff\xff\xff").check_length(),
            Err(TensorError::BadString { index: 0 })
        );
    }

    #[test]
    fn should_hash_every_field_of_a_tensor() {
        let base = tensor(DataType::FP32, &[1, 2], &[0; 8]);
        let hash = |change: &dyn Fn(&mut Tensor)| {
            let mut changed = base.clone();
            change(&mut changed);
            hash_tensors(&[changed])
        };
        let mut hashes = vec![
            hash(&|_| {}),
            hash(&|t| t.name.push('y')),
            hash(&|t| t.datatype = DataType::INT32),
            hash(&|t| t.shape = vec![2, 1]),
            hash(&|t| t.data[7] = 1),
            hash_tensors(&[]),
            hash_tensors(&[base.clone(), base.clone()]),
        ];
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 7);
    }
}
