//! Tensors as JSON, in the way of the Open Inference Protocol: data flat or nested, row-major; strings for BYTES.

#![allow(
    clippy::disallowed_types,
    clippy::float_arithmetic,
    reason = "tensors have floats"
)]

use serde::Serialize;
use serde_json::Value;
use stoa_types::tensor::{DataType, Tensor, element_count};

/// Deeper than any tensor.
const DEPTH_MAX: u32 = 16;

/// The data of an output, in the type that prints it shortest.
#[derive(Serialize, Clone, PartialEq, Debug)]
#[serde(untagged)]
pub enum Data {
    Bool(Vec<bool>),
    Unsigned(Vec<u64>),
    Signed(Vec<i64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<String>),
}

pub fn to_data(tensor: &Tensor) -> Data {
    let bytes = &tensor.data;
    macro_rules! all {
        ($type:ty) => {
            bytes
                .as_chunks::<{ size_of::<$type>() }>()
                .0
                .iter()
                .map(|element| <$type>::from_le_bytes(*element))
        };
    }
    match tensor.datatype {
        DataType::BOOL => Data::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        DataType::UINT8 => Data::Unsigned(bytes.iter().map(|byte| (*byte).into()).collect()),
        DataType::UINT16 => Data::Unsigned(all!(u16).map(u64::from).collect()),
        DataType::UINT32 => Data::Unsigned(all!(u32).map(u64::from).collect()),
        DataType::UINT64 => Data::Unsigned(all!(u64).collect()),
        DataType::INT8 => Data::Signed(all!(i8).map(i64::from).collect()),
        DataType::INT16 => Data::Signed(all!(i16).map(i64::from).collect()),
        DataType::INT32 => Data::Signed(all!(i32).map(i64::from).collect()),
        DataType::INT64 => Data::Signed(all!(i64).collect()),
        DataType::FP16 => Data::Single(all!(u16).map(half_to_single).collect()),
        DataType::FP32 => Data::Single(all!(f32).collect()),
        DataType::FP64 => Data::Double(all!(f64).collect()),
        DataType::BYTES => Data::Text(strings(bytes)),
    }
}

/// Every half-precision number is a single-precision one.
fn half_to_single(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f32::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2.0_f32.powi(-24),
        31 if mantissa == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2.0_f32.powi(exponent - 15),
    };
    sign * magnitude
}

pub fn strings(mut data: &[u8]) -> Vec<String> {
    raw_strings(&mut data)
        .into_iter()
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect()
}

/// Each behind its length as u32; one that is cut off is left out, which the check of the count finds.
pub fn raw_strings<'a>(data: &mut &'a [u8]) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let Some((text, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        found.push(text);
        *data = rest;
    }
    found
}

/// `data` as the bytes of a tensor of this type and shape.
pub fn from_data(
    name: &str,
    datatype: DataType,
    shape: &[u64],
    data: &Value,
) -> Result<Tensor, String> {
    let expected = element_count(shape).map_err(|error| format!("{name}: {error}"))?;
    let mut bytes = Vec::new();
    let mut count = 0;
    collect(datatype, data, DEPTH_MAX, &mut bytes, &mut count)
        .map_err(|reason| format!("{name}: {reason}"))?;
    if count != expected {
        return Err(format!(
            "{name}: the data has {count} elements, the shape asks for {expected}"
        ));
    }
    Ok(Tensor {
        name: name.to_owned(),
        datatype,
        shape: shape.to_vec(),
        data: bytes,
    })
}

fn collect(
    datatype: DataType,
    value: &Value,
    depth: u32,
    bytes: &mut Vec<u8>,
    count: &mut u64,
) -> Result<(), String> {
    if let Value::Array(values) = value {
        let depth = depth.checked_sub(1).ok_or("the data is nested too deep")?;
        for value in values {
            collect(datatype, value, depth, bytes, count)?;
        }
        return Ok(());
    }
    *count += 1;
    element(datatype, value, bytes).ok_or_else(|| {
        let shown: String = value.to_string().chars().take(40).collect();
        format!("{shown} is no {datatype}")
    })
}

fn element(datatype: DataType, value: &Value, bytes: &mut Vec<u8>) -> Option<()> {
    macro_rules! integer {
        ($type:ty, $read:ident) => {
            bytes.extend(<$type>::try_from(value.$read()?).ok()?.to_le_bytes())
        };
    }
    match datatype {
        DataType::BOOL => bytes.push(u8::from(match value {
            Value::Bool(truth) => *truth,
            other => match other.as_u64()? {
                0 => false,
                1 => true,
                _ => return None,
            },
        })),
        DataType::UINT8 => integer!(u8, as_u64),
        DataType::UINT16 => integer!(u16, as_u64),
        DataType::UINT32 => integer!(u32, as_u64),
        DataType::UINT64 => integer!(u64, as_u64),
        DataType::INT8 => integer!(i8, as_i64),
        DataType::INT16 => integer!(i16, as_i64),
        DataType::INT32 => integer!(i32, as_i64),
        DataType::INT64 => integer!(i64, as_i64),
        // As Triton has it: half precision only travels in binary.
        DataType::FP16 => return None,
        DataType::FP32 => bytes.extend((value.as_f64()? as f32).to_le_bytes()),
        DataType::FP64 => bytes.extend(value.as_f64()?.to_le_bytes()),
        DataType::BYTES => {
            let text = value.as_str()?.as_bytes();
            bytes.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
            bytes.extend(text);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn should_give_every_type_back_as_it_was_said() {
        let cases = [
            (DataType::BOOL, json!([true, false])),
            (DataType::UINT8, json!([0, 255])),
            (DataType::UINT16, json!([1, 65_535])),
            (DataType::UINT32, json!([1, 4_294_967_295_u32])),
            (DataType::UINT64, json!([1, u64::MAX])),
            (DataType::INT8, json!([-128, 127])),
            (DataType::INT16, json!([-5, 5])),
            (DataType::INT32, json!([-5, i32::MAX])),
            (DataType::INT64, json!([i64::MIN, 7])),
            (DataType::FP32, json!([0.1_f32, -2.5_f32])),
            (DataType::FP64, json!([0.1, 1e300])),
            (DataType::BYTES, json!(["", "é ü"])),
        ];
        for (datatype, data) in cases {
            for nested in [data.clone(), json!([[data[0]], [data[1]]])] {
                let tensor = from_data("x", datatype, &[2, 1], &nested).unwrap();
                tensor.check_length().unwrap();
                let back = serde_json::to_value(to_data(&tensor)).unwrap();
                assert_eq!(back.to_string(), data.to_string(), "{datatype}");
            }
        }
    }

    #[test]
    fn should_say_what_does_not_fit() {
        let refused = |datatype, data| from_data("x", datatype, &[2], &data).unwrap_err();
        assert!(refused(DataType::UINT8, json!([1, 256])).contains("256 is no UINT8"));
        assert!(refused(DataType::FP32, json!([1, "a"])).contains("no FP32"));
        assert!(refused(DataType::FP16, json!([1, 2])).contains("no FP16"));
        assert!(refused(DataType::FP32, json!([1])).contains("1 elements"));
        let mut deep = json!([]);
        for _ in 0..20 {
            deep = json!([deep]);
        }
        assert!(refused(DataType::FP32, deep).contains("too deep"));
        assert!(from_data("x", DataType::FP32, &[u64::MAX, 2], &json!([])).is_err());
    }

    #[test]
    fn should_read_half_precision_exactly() {
        for (bits, number) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2.0_f32.powi(-24)),
            (0x7bff, 65_504.0),
            (0x7c00, f32::INFINITY),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_single(bits), number);
        }
        assert!(half_to_single(0x7e00).is_nan());
    }
}
