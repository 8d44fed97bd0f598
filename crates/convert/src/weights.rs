//! Weights: shards of bytes, cut into tensors as `weightsManifest` says.
//!
//! A group's shards are one run of bytes; its tensors follow each other in it. Quantized ones (what the converter's
//! `--quantize_*` options write) become the floats that TensorFlow.js makes of them when it loads.

use std::collections::BTreeMap;

use crate::error::{ConvertError, Result};
use crate::topology::{Quantization, WeightEntry, WeightGroup};

/// A tensor of floats, row by row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Weight {
    pub shape: Vec<u64>,
    pub data: Vec<f32>,
}

#[derive(Debug, Default)]
pub(crate) struct Weights {
    by_name: BTreeMap<String, Weight>,
}

impl Weights {
    pub fn read(
        groups: &[WeightGroup],
        mut read: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut weights = Self::default();
        for group in groups {
            let mut bytes = Vec::new();
            for path in &group.paths {
                check_path(path)?;
                let shard = read(path).map_err(|source| ConvertError::WeightFile {
                    path: path.clone(),
                    source,
                })?;
                bytes.extend(shard);
            }
            weights.add(group, &bytes)?;
        }
        Ok(weights)
    }

    fn add(&mut self, group: &WeightGroup, mut bytes: &[u8]) -> Result<()> {
        for entry in &group.weights {
            let invalid =
                |reason: String| ConvertError::weights(format!("{}: {reason}", entry.name));
            let elements = entry
                .shape
                .iter()
                .try_fold(1_u64, |product, extent| product.checked_mul(*extent))
                .and_then(|elements| usize::try_from(elements).ok())
                .ok_or_else(|| invalid(format!("{:?} is too large", entry.shape)))?;
            let encoding = Encoding::of(entry).map_err(invalid)?;
            let size = elements
                .checked_mul(encoding.size_bytes())
                .filter(|size| *size <= bytes.len())
                .ok_or_else(|| invalid(format!("the shards end before its {elements} elements")))?;
            let (own, rest) = bytes.split_at(size);
            bytes = rest;
            let weight = Weight {
                shape: entry.shape.clone(),
                data: encoding.decode(own),
            };
            if self.by_name.insert(entry.name.clone(), weight).is_some() {
                return Err(invalid("it is there twice".to_owned()));
            }
        }
        if !bytes.is_empty() {
            return Err(ConvertError::weights(format!(
                "{} bytes at the end of {} belong to no tensor",
                bytes.len(),
                group.paths.join(", ")
            )));
        }
        Ok(())
    }

    /// `layer/weight`; where the layer is inside another model its name may have that model's before it.
    pub fn find(&self, layer: &str, weight: &str) -> Result<Option<&Weight>> {
        let name = format!("{layer}/{weight}");
        if let Some(found) = self.by_name.get(&name) {
            return Ok(Some(found));
        }
        let inside = format!("/{name}");
        let mut found = self
            .by_name
            .iter()
            .filter(|(other, _)| other.ends_with(&inside));
        let Some((first, weight)) = found.next() else {
            return Ok(None);
        };
        match found.next() {
            None => Ok(Some(weight)),
            Some((second, _)) => Err(ConvertError::weights(format!(
                "{name} may be {first} or {second}"
            ))),
        }
    }
}

/// Shards lie beside `model.json` or below it, wherever a file from somebody else points.
fn check_path(path: &str) -> Result<()> {
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':']);
    if path.split('/').all(plain) {
        return Ok(());
    }
    Err(ConvertError::weights(format!(
        "\"{path}\" is not the path of a file beside model.json"
    )))
}

enum Encoding {
    Float32,
    Float16,
    Int32,
    Uint8,
    Quantized8 { scale: f64, min: f64 },
    Quantized16 { scale: f64, min: f64 },
}

impl Encoding {
    fn of(entry: &WeightEntry) -> Result<Self, String> {
        let Some(quantization) = &entry.quantization else {
            return match entry.dtype.as_str() {
                "float32" => Ok(Self::Float32),
                "int32" => Ok(Self::Int32),
                "uint8" | "bool" => Ok(Self::Uint8),
                other => Err(format!("weights of type {other} are not supported")),
            };
        };
        let Quantization { dtype, scale, min } = quantization;
        match (dtype.as_str(), scale, min) {
            ("float16", ..) => Ok(Self::Float16),
            ("uint8", Some(scale), Some(min)) => Ok(Self::Quantized8 {
                scale: *scale,
                min: *min,
            }),
            ("uint16", Some(scale), Some(min)) => Ok(Self::Quantized16 {
                scale: *scale,
                min: *min,
            }),
            _ => Err(format!(
                "quantization as {dtype} is not supported, or has no scale and min"
            )),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Float32 | Self::Int32 => 4,
            Self::Float16 | Self::Quantized16 { .. } => 2,
            Self::Uint8 | Self::Quantized8 { .. } => 1,
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    fn decode(&self, bytes: &[u8]) -> Vec<f32> {
        let words = || {
            bytes
                .chunks_exact(4)
                .map(|word| <[u8; 4]>::try_from(word).expect("BUG: chunks of 4"))
        };
        let halves = || {
            bytes
                .chunks_exact(2)
                .map(|half| u16::from_le_bytes([half[0], half[1]]))
        };
        match self {
            Self::Float32 => words().map(f32::from_le_bytes).collect(),
            Self::Int32 => words()
                .map(|word| i32::from_le_bytes(word) as f32)
                .collect(),
            Self::Float16 => halves().map(from_half).collect(),
            Self::Uint8 => bytes.iter().map(|byte| f32::from(*byte)).collect(),
            // In 64 bits and rounded once, as TensorFlow.js does.
            Self::Quantized8 { scale, min } => bytes
                .iter()
                .map(|byte| (f64::from(*byte) * scale + min) as f32)
                .collect(),
            Self::Quantized16 { scale, min } => halves()
                .map(|half| (f64::from(half) * scale + min) as f32)
                .collect(),
        }
    }
}

/// IEEE 754 binary16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
fn from_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f32::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, shape: &[u64], dtype: &str) -> WeightEntry {
        WeightEntry {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype: dtype.to_owned(),
            quantization: None,
        }
    }

    fn group(weights: Vec<WeightEntry>) -> WeightGroup {
        WeightGroup {
            paths: vec!["a.bin".to_owned(), "b.bin".to_owned()],
            weights,
        }
    }

    #[test]
    fn should_cut_tensors_out_of_shards_that_end_anywhere() {
        let bytes: Vec<u8> = [1.0_f32, -2.5, 3.0]
            .iter()
            .flat_map(|f| f.to_le_bytes())
            .collect();
        let group = group(vec![
            entry("d/kernel", &[2], "float32"),
            entry("m/d/bias", &[1], "float32"),
        ]);
        let weights = Weights::read(&[group], |path| {
            Ok(if path == "a.bin" {
                bytes[..5].to_vec()
            } else {
                bytes[5..].to_vec()
            })
        })
        .unwrap();
        assert_eq!(
            weights.find("d", "kernel").unwrap().unwrap().data,
            [1.0, -2.5]
        );
        assert_eq!(weights.find("d", "bias").unwrap().unwrap().data, [3.0]);
        assert_eq!(weights.find("d", "gamma").unwrap(), None);
    }

    #[test]
    fn should_dequantize_as_the_manifest_says() {
        let quantized = |dtype: &str, scale, min| WeightEntry {
            quantization: Some(Quantization {
                dtype: dtype.to_owned(),
                scale,
                min,
            }),
            ..entry(dtype, &[1], "float32")
        };
        let group = group(vec![
            quantized("uint8", Some(0.5), Some(-1.0)),
            quantized("uint16", Some(0.25), Some(0.0)),
            quantized("float16", None, None),
        ]);
        let mut bytes = vec![7, 0x01, 0x01];
        bytes.extend(0xc100_u16.to_le_bytes());
        let weights = Weights::read(&[group], |path| {
            Ok(if path == "a.bin" {
                bytes.clone()
            } else {
                Vec::new()
            })
        })
        .unwrap();
        assert_eq!(weights.by_name["uint8"].data, [2.5]);
        assert_eq!(weights.by_name["uint16"].data, [64.25]);
        assert_eq!(weights.by_name["float16"].data, [-2.5]);
    }

    #[test]
    fn should_read_halves_of_every_kind() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
            (0x8400, -6.103_515_6e-5),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(from_half(bits), value, "{bits:#x}");
        }
        assert!(from_half(0x7e00).is_nan());
    }

    #[test]
    fn should_refuse_shards_that_do_not_fit_and_paths_that_lead_away() {
        let read = |weights: Vec<WeightEntry>, size: usize| {
            Weights::read(&[group(weights)], |path| {
                Ok(vec![0; if path == "a.bin" { size } else { 0 }])
            })
            .err()
            .unwrap()
            .to_string()
        };
        let short = read(vec![entry("a", &[3], "float32")], 11);
        assert!(short.contains("end before its 3"), "{short}");
        let long = read(vec![entry("a", &[3], "float32")], 13);
        assert!(long.contains("1 bytes at the end"), "{long}");
        let vast = read(vec![entry("a", &[u64::MAX, 2], "float32")], 8);
        assert!(vast.contains("too large"), "{vast}");
        let text = read(vec![entry("a", &[1], "string")], 8);
        assert!(text.contains("type string"), "{text}");
        for path in ["../a", "/a", "a//b", "a/./b", "c:\\a", ""] {
            assert!(check_path(path).is_err(), "{path}");
        }
        assert!(check_path("group1-shard1of1.bin").is_ok());
        assert!(check_path("weights/a.bin").is_ok());
    }
}
