//! Tensors across the border: the wire's little-endian bytes to `tract`'s and back, exactly, but for NaN.
//! An operation on a processor and the same operation in Wasm may make NaNs of different sign and payload, so
//! floating-point outputs carry the one canonical NaN (sign 0, the quiet bit, no payload).

use stoa_types::tensor::{DataType, Tensor};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType as OnnxType;
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{DatumType, IntoTensor, TractResult};

type TractTensor = tract_onnx::prelude::Tensor;

pub(crate) fn datum_type(datatype: DataType) -> DatumType {
    match datatype {
        DataType::BOOL => DatumType::Bool,
        DataType::UINT8 => DatumType::U8,
        DataType::UINT16 => DatumType::U16,
        DataType::UINT32 => DatumType::U32,
        DataType::UINT64 => DatumType::U64,
        DataType::INT8 => DatumType::I8,
        DataType::INT16 => DatumType::I16,
        DataType::INT32 => DatumType::I32,
        DataType::INT64 => DatumType::I64,
        DataType::FP16 => DatumType::F16,
        DataType::FP32 => DatumType::F32,
        DataType::FP64 => DatumType::F64,
        DataType::BYTES => DatumType::String,
    }
}

/// The type of a tensor that `tract` computes, where one travels; dimensions travel as INT64.
pub(crate) fn wire_type(datum_type: DatumType) -> Option<DataType> {
    Some(match datum_type {
        DatumType::Bool => DataType::BOOL,
        DatumType::U8 => DataType::UINT8,
        DatumType::U16 => DataType::UINT16,
        DatumType::U32 => DataType::UINT32,
        DatumType::U64 => DataType::UINT64,
        DatumType::I8 => DataType::INT8,
        DatumType::I16 => DataType::INT16,
        DatumType::I32 => DataType::INT32,
        DatumType::I64 | DatumType::TDim => DataType::INT64,
        DatumType::F16 => DataType::FP16,
        DatumType::F32 => DataType::FP32,
        DatumType::F64 => DataType::FP64,
        DatumType::String => DataType::BYTES,
        _ => return None,
    })
}

/// `tensor` has passed [`crate::CheckedInputs`]: its data fits its shape, its strings are UTF-8, its BOOLs 0 or 1.
pub(crate) fn to_tract(tensor: &Tensor) -> TractResult<TractTensor> {
    let shape: Vec<usize> = tensor.shape.iter().map(|extent| *extent as usize).collect();
    if tensor.datatype == DataType::BYTES {
        return Ok(ArrayD::from_shape_vec(shape, strings(&tensor.data))?.into_tensor());
    }
    let mut converted = TractTensor::zero_dt(datum_type(tensor.datatype), &shape)?;
    converted.as_bytes_mut().copy_from_slice(&tensor.data);
    Ok(converted)
}

pub(crate) fn from_tract(
    name: &str,
    datatype: DataType,
    tensor: &TractTensor,
) -> TractResult<Tensor> {
    let tensor = if tensor.datum_type() == datum_type(datatype) {
        std::borrow::Cow::Borrowed(tensor)
    } else {
        // `tract` may carry an i64 that holds dimensions as a type of its own.
        tensor.cast_to_dt(datum_type(datatype))?
    };
    let data = match datatype {
        DataType::BYTES => {
            let mut data = Vec::new();
            for text in tensor.try_as_plain_ram()?.as_slice::<String>()? {
                data.extend((text.len() as u32).to_le_bytes());
                data.extend(text.as_bytes());
            }
            data
        }
        _ => {
            let mut data = tensor.try_as_plain_ram()?.as_bytes().to_vec();
            make_nan_canonical(datatype, &mut data);
            data
        }
    };
    Ok(Tensor {
        name: name.to_owned(),
        datatype,
        shape: tensor.shape().iter().map(|extent| *extent as u64).collect(),
        data,
    })
}

/// Of a weight's shape and type, which [`crate::graph`] has checked; zeros.
pub(crate) fn empty(proto: &TensorProto) -> TractResult<TractTensor> {
    let kind = OnnxType::try_from(proto.data_type)?;
    let shape: Vec<usize> = proto.dims.iter().map(|extent| *extent as usize).collect();
    TractTensor::zero_dt(kind.try_into()?, &shape)
}

fn strings(mut data: &[u8]) -> Vec<String> {
    let mut strings = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let (text, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        strings.push(String::from_utf8_lossy(text).into_owned());
        data = rest;
    }
    strings
}

fn make_nan_canonical(datatype: DataType, data: &mut [u8]) {
    match datatype {
        DataType::FP16 => {
            for element in data.as_chunks_mut::<2>().0 {
                // Exponent of ones and a mantissa that is not zero.
                if u16::from_le_bytes(*element) & 0x7fff > 0x7c00 {
                    *element = 0x7e00_u16.to_le_bytes();
                }
            }
        }
        DataType::FP32 => {
            for element in data.as_chunks_mut::<4>().0 {
                if f32::from_le_bytes(*element).is_nan() {
                    *element = 0x7fc0_0000_u32.to_le_bytes();
                }
            }
        }
        DataType::FP64 => {
            for element in data.as_chunks_mut::<8>().0 {
                if f64::from_le_bytes(*element).is_nan() {
                    *element = 0x7ff8_0000_0000_0000_u64.to_le_bytes();
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_keep_every_bit_of_every_data_type_but_nan_both_ways() {
        for datatype in DataType::ALL {
            let data = match datatype {
                DataType::BYTES => b"\x01\0\0\0a\0\0\0\0\x02\0\0\0\xc3\xa9".to_vec(),
                DataType::BOOL => vec![1, 0, 1],
                _ => (0..3 * datatype.element_size_bytes().unwrap())
                    .map(|i| (i * 37 + 1) as u8)
                    .collect(),
            };
            let tensor = Tensor {
                name: "x".into(),
                datatype,
                shape: vec![3, 1],
                data,
            };
            tensor.check_length().unwrap();
            let back = from_tract("x", datatype, &to_tract(&tensor).unwrap()).unwrap();
            assert_eq!(back, tensor);
        }
    }

    #[test]
    fn should_answer_one_nan_for_all() {
        let nans = [0xffc0_0000_u32, 0x7f80_0001, 0xffff_ffff];
        let tensor = Tensor {
            name: "x".into(),
            datatype: DataType::FP32,
            shape: vec![3],
            data: nans.iter().flat_map(|bits| bits.to_le_bytes()).collect(),
        };
        let back = from_tract("x", DataType::FP32, &to_tract(&tensor).unwrap()).unwrap();
        assert_eq!(back.data, 0x7fc0_0000_u32.to_le_bytes().repeat(3));
    }
}
