//! Layers that move elements and compute nothing. A 0 in ONNX' Reshape keeps a dimension: the batch always.

use serde_json::Value as Json;

use super::Call;
use super::window::transposed;
use crate::error::Result;
use crate::graph::{Value, int};

/// Each repetition is an input of a node.
const REPEATS_MAX: usize = 4096;

pub(super) fn flatten(call: &mut Call<'_>) -> Result<Value> {
    call.channels_last()?;
    let input = call.only_input()?.clone();
    let size = product(&input.shape[1..]);
    let shape = vec![input.shape[0], size];
    Ok(reshaped(call, &input, shape))
}

pub(super) fn reshape(call: &mut Call<'_>) -> Result<Value> {
    let input = call.only_input()?.clone();
    let target = call
        .field("target_shape")
        .ok_or_else(|| call.refuse("has no target_shape"))?;
    let list: Vec<i64> = target
        .as_array()
        .and_then(|list| {
            list.iter()
                // `null` and -1 both leave one dimension to be worked out.
                .map(|extent| {
                    if extent.is_null() {
                        Some(-1)
                    } else {
                        extent.as_i64()
                    }
                })
                .collect()
        })
        .ok_or_else(|| call.invalid_field("target_shape", target))?;
    let fixed: u64 = list
        .iter()
        .filter(|extent| **extent > 0)
        .map(|extent| *extent as u64)
        .product();
    let open = list.iter().filter(|extent| **extent < 0).count();
    let total = product(&input.shape[1..]);
    let fits = match (open, total) {
        (0, Some(total)) => total == fixed,
        (1, Some(total)) => fixed > 0 && total % fixed == 0,
        (1, None) => true,
        _ => false,
    };
    if !fits || list.contains(&0) {
        return Err(call.refuse(format!("cannot make {target} of {:?}", input.shape)));
    }
    let rest = total.map(|total| total / fixed);
    let shape = std::iter::once(input.shape[0])
        .chain(
            list.iter()
                .map(|extent| u64::try_from(*extent).ok().or(rest)),
        )
        .collect();
    Ok(reshaped(call, &input, shape))
}

pub(super) fn permute(call: &mut Call<'_>) -> Result<Value> {
    let input = call.only_input()?.clone();
    let rank = input.shape.len();
    // Counted from 1, without the batch.
    let dims = call
        .counts("dims", rank - 1)?
        .ok_or_else(|| call.refuse("has no dims"))?;
    let order: Vec<usize> = std::iter::once(0)
        .chain(dims.iter().map(|axis| *axis as usize))
        .collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<_>>() {
        return Err(call.refuse(format!("has dims {dims:?}, which are no permutation")));
    }
    Ok(transposed(call, &input, &order))
}

pub(super) fn repeat_vector(call: &mut Call<'_>) -> Result<Value> {
    let times = call.count("n")?;
    let input = call.input_of_rank(2)?;
    let tall = reshaped(call, &input, vec![input.shape[0], Some(1), input.shape[1]]);
    // Not a Tile: `tract` 0.23.9 takes one before a matrix product for a broadcast, and fails.
    let rows = usize::try_from(times)
        .ok()
        .filter(|rows| *rows <= REPEATS_MAX)
        .ok_or_else(|| call.refuse(format!("repeats more than {REPEATS_MAX} times")))?;
    let names = vec![tall.name.as_str(); rows];
    Ok(Value {
        name: call.graph.node("Concat", &names, vec![int("axis", 1)]),
        shape: vec![tall.shape[0], Some(times), tall.shape[2]],
        kind: tall.kind,
    })
}

/// Nearest neighbours: each cell becomes a block of equal ones.
pub(super) fn up_sampling(call: &mut Call<'_>) -> Result<Value> {
    call.channels_last()?;
    if let Some(other) = call.field("interpolation")
        && other != "nearest"
    {
        return Err(call.invalid_field("interpolation", other));
    }
    let size = call.counts("size", 2)?.unwrap_or_else(|| vec![2, 2]);
    let input = call.input_of_rank(4)?;
    let [batch, height, width, channels] = [0, 1, 2, 3].map(|axis| input.shape[axis]);
    if height.is_none() || width.is_none() {
        return Err(call.refuse("enlarges an image whose size is not fixed"));
    }
    let apart = vec![batch, height, Some(1), width, Some(1), channels];
    let apart = reshaped(call, &input, apart);
    let tiled = tiled(call, &apart, &[1, 1, size[0], 1, size[1], 1]);
    let scaled = |extent: Option<u64>, factor: u64| extent.map(|extent| extent * factor);
    let shape = vec![
        batch,
        scaled(height, size[0]),
        scaled(width, size[1]),
        channels,
    ];
    Ok(reshaped(call, &tiled, shape))
}

pub(super) fn zero_padding(call: &mut Call<'_>) -> Result<Value> {
    call.channels_last()?;
    let input = call.input_of_rank(4)?;
    let [top, bottom, left, right] = margins(call, "padding", 1)?;
    let mut value = input.clone();
    value.shape[1] = value.shape[1].map(|extent| extent + top + bottom);
    value.shape[2] = value.shape[2].map(|extent| extent + left + right);
    let pads = [0, top, left, 0, 0, bottom, right, 0].map(|cells| cells as i64);
    let pads = call.graph.integers("pads", &pads);
    let zero = call.graph.float("zero", 0.0);
    value.name = call
        .graph
        .node("Pad", &[&input.name, &pads, &zero], Vec::new());
    Ok(value)
}

pub(super) fn cropping(call: &mut Call<'_>) -> Result<Value> {
    call.channels_last()?;
    let input = call.input_of_rank(4)?;
    let [top, bottom, left, right] = margins(call, "cropping", 0)?;
    let mut value = input.clone();
    let mut ends = Vec::new();
    for (axis, begin, end) in [(1, top, bottom), (2, left, right)] {
        let extent = input.shape[axis]
            .ok_or_else(|| call.refuse("crops an image whose size is not fixed"))?;
        let rest = extent
            .checked_sub(begin + end)
            .filter(|rest| *rest > 0)
            .ok_or_else(|| call.refuse("crops everything"))?;
        value.shape[axis] = Some(rest);
        ends.push((extent - end) as i64);
    }
    let starts = call.graph.integers("starts", &[top as i64, left as i64]);
    let ends = call.graph.integers("ends", &ends);
    let axes = call.graph.integers("axes", &[1, 2]);
    value.name = call
        .graph
        .node("Slice", &[&input.name, &starts, &ends, &axes], Vec::new());
    Ok(value)
}

/// Top, bottom, left, right: one number, `[vertical, horizontal]`, or `[[top, bottom], [left, right]]`.
fn margins(call: &Call<'_>, key: &str, default: u64) -> Result<[u64; 4]> {
    let Some(value) = call.field(key) else {
        return Ok([default; 4]);
    };
    let pair = |value: &Json| -> Option<[u64; 2]> {
        match value {
            Json::Array(list) => match &list[..] {
                [first, second] => Some([first.as_u64()?, second.as_u64()?]),
                _ => None,
            },
            one => one.as_u64().map(|cells| [cells; 2]),
        }
    };
    let read = || {
        let (vertical, horizontal) = match value {
            Json::Array(list) if list.len() == 2 => (pair(&list[0])?, pair(&list[1])?),
            one => (pair(one)?, pair(one)?),
        };
        Some([vertical[0], vertical[1], horizontal[0], horizontal[1]])
    };
    read().ok_or_else(|| call.invalid_field(key, value))
}

fn product(shape: &[Option<u64>]) -> Option<u64> {
    shape
        .iter()
        .try_fold(1_u64, |product, extent| product.checked_mul((*extent)?))
}

fn reshaped(call: &mut Call<'_>, input: &Value, shape: Vec<Option<u64>>) -> Value {
    let target: Vec<i64> = shape
        .iter()
        .enumerate()
        .map(|(axis, extent)| match extent {
            _ if axis == 0 => 0,
            Some(extent) => *extent as i64,
            None => -1,
        })
        .collect();
    let target = call.graph.integers("shape", &target);
    Value {
        name: call
            .graph
            .node("Reshape", &[&input.name, &target], Vec::new()),
        shape,
        kind: input.kind,
    }
}

fn tiled(call: &mut Call<'_>, input: &Value, repeats: &[u64]) -> Value {
    let signed: Vec<i64> = repeats.iter().map(|times| *times as i64).collect();
    let constant = call.graph.integers("repeats", &signed);
    Value {
        name: call
            .graph
            .node("Tile", &[&input.name, &constant], Vec::new()),
        shape: input
            .shape
            .iter()
            .zip(repeats)
            .map(|(extent, times)| extent.map(|extent| extent * times))
            .collect(),
        kind: input.kind,
    }
}
