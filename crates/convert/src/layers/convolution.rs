//! Convolutions. Kernels come as `[cells.., in, out]` and go as `[out, in / groups, cells..]`.

use super::window::{Window, to_channels_first, to_channels_last, transposed_data};
use super::{Call, activation};
use crate::error::Result;
use crate::graph::{Kind, Value, int};

struct Filter<'a> {
    /// In ONNX' order.
    data: Vec<f32>,
    /// `[out, in / groups]`
    channels: [u64; 2],
    groups: u64,
    bias: Option<&'a [f32]>,
}

pub(super) fn convolution(call: &mut Call<'_>, dimensions: usize) -> Result<Value> {
    let (input, window) = prepare(call, dimensions)?;
    let filters = call.count("filters")?;
    let groups = match call.field("groups") {
        None => 1,
        Some(_) => call.count("groups")?,
    };
    if groups != 1 {
        return Err(call.refuse("has groups, which TensorFlow.js does not compute"));
    }
    let channels = call.channels(&input)?;
    let kernel = call.weight(
        "kernel",
        &[&window.kernel[..], &[channels, filters]].concat(),
    )?;
    let order: Vec<usize> = [dimensions + 1, dimensions]
        .into_iter()
        .chain(0..dimensions)
        .collect();
    let filter = Filter {
        data: transposed_data(&kernel.data, &kernel.shape, &order),
        channels: [filters, channels],
        groups: 1,
        bias: call.bias(filters)?.map(|bias| &bias.data[..]),
    };
    let output = convolve(call, &input, &window, filter)?;
    activation::fused(call, output)
}

/// Each channel on its own, `depth_multiplier` times.
pub(super) fn depthwise(call: &mut Call<'_>) -> Result<Value> {
    let (input, window) = prepare(call, 2)?;
    let (filter, channels) = depthwise_filter(call, &input, &window)?;
    let bias = call.bias(channels)?.map(|bias| &bias.data[..]);
    let output = convolve(call, &input, &window, Filter { bias, ..filter })?;
    activation::fused(call, output)
}

/// A depthwise convolution, then one of single cells.
pub(super) fn separable(call: &mut Call<'_>) -> Result<Value> {
    let (input, window) = prepare(call, 2)?;
    let (filter, channels) = depthwise_filter(call, &input, &window)?;
    let deep = convolve(call, &input, &window, filter)?;
    let filters = call.count("filters")?;
    let kernel = call.weight("pointwise_kernel", &[1, 1, channels, filters])?;
    let single = Window {
        kernel: vec![1, 1],
        strides: vec![1, 1],
        dilations: vec![1, 1],
    };
    let filter = Filter {
        data: transposed_data(&kernel.data, &kernel.shape, &[3, 2, 0, 1]),
        channels: [filters, channels],
        groups: 1,
        bias: call.bias(filters)?.map(|bias| &bias.data[..]),
    };
    let output = convolve(call, &deep, &single, filter)?;
    activation::fused(call, output)
}

fn prepare(call: &mut Call<'_>, dimensions: usize) -> Result<(Value, Window)> {
    call.channels_last()?;
    let input = call.input_of_rank(dimensions + 2)?;
    let ones = || vec![1; dimensions];
    let window = Window {
        kernel: call
            .counts("kernel_size", dimensions)?
            .ok_or_else(|| call.refuse("has no kernel_size"))?,
        strides: call.counts("strides", dimensions)?.unwrap_or_else(ones),
        dilations: call
            .counts("dilation_rate", dimensions)?
            .unwrap_or_else(ones),
    };
    Ok((input, window))
}

/// With the number of channels that come out. TensorFlow orders them by channel, then multiplier, as ONNX' groups are.
fn depthwise_filter<'a>(
    call: &Call<'a>,
    input: &Value,
    window: &Window,
) -> Result<(Filter<'a>, u64)> {
    // TensorFlow.js leaves the field out when it saves a SeparableConv2D; the kernel knows it in any case.
    let kernel = call.optional_weight("depthwise_kernel")?;
    let multiplier = match (call.field("depth_multiplier"), kernel) {
        (None, Some(kernel)) => kernel.shape.last().copied().unwrap_or(1),
        _ => call.count("depth_multiplier")?,
    };
    let channels = call.channels(input)?;
    let shape = [window.kernel[0], window.kernel[1], channels, multiplier];
    let kernel = call.weight("depthwise_kernel", &shape)?;
    let filter = Filter {
        data: transposed_data(&kernel.data, &shape, &[2, 3, 0, 1]),
        channels: [channels * multiplier, 1],
        groups: channels,
        bias: None,
    };
    Ok((filter, channels * multiplier))
}

fn convolve(
    call: &mut Call<'_>,
    input: &Value,
    window: &Window,
    filter: Filter<'_>,
) -> Result<Value> {
    let spatial = &input.shape[1..input.shape.len() - 1];
    let (mut attributes, outputs) = window.place(call, spatial)?;
    attributes.push(window.dilations());
    attributes.push(int("group", filter.groups as i64));
    let first = to_channels_first(call, input);
    let shape = [&filter.channels[..], &window.kernel[..]].concat();
    let kernel = call.graph.floats("kernel", &shape, &filter.data);
    let mut inputs = vec![first.name.clone(), kernel];
    if let Some(bias) = filter.bias {
        inputs.push(call.graph.floats("bias", &[filter.channels[0]], bias));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let value = Value {
        name: call.graph.node("Conv", &inputs, attributes),
        shape: [input.shape[0], Some(filter.channels[0])]
            .into_iter()
            .chain(outputs)
            .collect(),
        kind: Kind::Float,
    };
    Ok(to_channels_last(call, &value))
}
