//! Windows that slide: padding as TensorFlow computes it, written out as numbers, and the turn to channels first.

use serde_json::Value as Json;

use super::Call;
use crate::error::Result;
use crate::graph::{Value, ints};
use tract_onnx::pb::AttributeProto;

#[derive(Debug)]
pub(super) struct Window {
    pub kernel: Vec<u64>,
    pub strides: Vec<u64>,
    pub dilations: Vec<u64>,
}

impl Window {
    /// With the layer's padding on `spatial` dimensions: ONNX' attributes, and the dimensions that come out.
    pub fn place(
        &self,
        call: &Call<'_>,
        spatial: &[Option<u64>],
    ) -> Result<(Vec<AttributeProto>, Vec<Option<u64>>)> {
        let padding = match call.field("padding") {
            None => "valid",
            Some(Json::String(padding)) => padding.as_str(),
            Some(other) => return Err(call.invalid_field("padding", other)),
        };
        let (mut begins, mut ends, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for (axis, extent) in spatial.iter().enumerate() {
            let stride = self.strides[axis];
            // Cells that a dilated kernel spans.
            let span = (self.kernel[axis] - 1) * self.dilations[axis] + 1;
            let (begin, end) = match (padding, extent) {
                ("valid", _) => (0, 0),
                ("same", Some(extent)) => {
                    let output = extent.div_ceil(stride);
                    let total = ((output - 1) * stride + span).saturating_sub(*extent);
                    // TensorFlow puts the odd cell at the end.
                    (total / 2, total - total / 2)
                }
                ("same", None) if stride == 1 => ((span - 1) / 2, span / 2),
                ("same", None) => {
                    return Err(call.refuse(
                        "has strides and padding \"same\" on a dimension that is not fixed: fix the model's input shape",
                    ));
                }
                // `causal` as well: TensorFlow.js itself does not compute it, so nothing could be compared.
                _ => {
                    return Err(
                        call.refuse(format!("has the padding {padding}, which is not converted"))
                    );
                }
            };
            begins.push(begin as i64);
            ends.push(end as i64);
            outputs.push(match extent {
                None => None,
                Some(extent) => {
                    let room = (extent + begin + end).checked_sub(span).ok_or_else(|| {
                        call.refuse(format!("has a window of {span} on {extent} cells"))
                    })?;
                    Some(room / stride + 1)
                }
            });
        }
        let signed = |list: &[u64]| list.iter().map(|number| *number as i64).collect();
        let attributes = vec![
            ints("kernel_shape", signed(&self.kernel)),
            ints("strides", signed(&self.strides)),
            ints("pads", [begins, ends].concat()),
        ];
        Ok((attributes, outputs))
    }

    pub fn dilations(&self) -> AttributeProto {
        let dilations = self.dilations.iter().map(|number| *number as i64);
        ints("dilations", dilations.collect())
    }
}

/// `[batch, cells.., channels]` to `[batch, channels, cells..]`.
pub(super) fn to_channels_first(call: &mut Call<'_>, value: &Value) -> Value {
    let rank = value.shape.len();
    let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    transposed(call, value, &order)
}

pub(super) fn to_channels_last(call: &mut Call<'_>, value: &Value) -> Value {
    let rank = value.shape.len();
    let order: Vec<usize> = std::iter::once(0).chain(2..rank).chain([1]).collect();
    transposed(call, value, &order)
}

pub(super) fn transposed(call: &mut Call<'_>, value: &Value, order: &[usize]) -> Value {
    let perm = order.iter().map(|axis| *axis as i64).collect();
    Value {
        name: call.node("Transpose", value, vec![ints("perm", perm)]),
        shape: order.iter().map(|axis| value.shape[*axis]).collect(),
        kind: value.kind,
    }
}

/// The data of a constant in another order of its axes.
pub(super) fn transposed_data(data: &[f32], shape: &[u64], order: &[usize]) -> Vec<f32> {
    let extents: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    let mut index = vec![0; order.len()];
    let mut result = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let at: usize = order
            .iter()
            .zip(&index)
            .map(|(axis, i)| strides[*axis] * i)
            .sum();
        result.push(data[at]);
        for (position, axis) in order.iter().enumerate().rev() {
            index[position] += 1;
            if index[position] < extents[*axis] {
                break;
            }
            index[position] = 0;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_transpose_data_as_its_definition_says() {
        let shape = [2_u64, 3, 4];
        let data: Vec<f32> = (0..24_u8).map(f32::from).collect();
        let result = transposed_data(&data, &shape, &[2, 0, 1]);
        for i in 0..2 {
            for j in 0..3 {
                for k in 0..4 {
                    assert_eq!(result[(k * 2 + i) * 3 + j], data[(i * 3 + j) * 4 + k]);
                }
            }
        }
    }
}
