//! A run of output points of a depthwise convolution: each is the bias plus its taps in order, as `tract`'s portable walk
//! sums them. Several at a time: points where these lie side by side, or channels, where those do. That there is a kernel for channels has
//! `tract` lay out chains of convolutions so.

use tract_onnx::prelude::tract_linalg::isa::IsaReq;
use tract_onnx::prelude::tract_linalg::routines::{Func, Routine, RoutineFactory};

use super::lanes::Lanes;

pub(crate) const DEPTHWISE: &str = "stoa_depthwise_w_f32";

inventory::submit! {
    Routine {
        func: Func::DepthwiseW,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::DepthwiseWF32 {
            name: DEPTHWISE,
            run: depthwise,
        },
    }
}

pub(crate) const DEPTHWISE_CHANNELS: &str = "stoa_depthwise_c_f32";

inventory::submit! {
    Routine {
        func: Func::DepthwiseC,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::DepthwiseCF32 {
            name: DEPTHWISE_CHANNELS,
            run: depthwise_channels,
        },
    }
}

/// # Safety
/// As `DepthwiseWF32` says: `input + offsets[t] + i * stride` is readable for every tap and every `i` below `length`, and
/// `length` points are writable from `output`.
unsafe fn depthwise(
    input: *const f32,
    output: *mut f32,
    taps: &[f32],
    offsets: &[isize],
    bias: f32,
    length: usize,
    stride: isize,
) {
    let mut at = 0;
    unsafe {
        if stride == 1 {
            while at + 8 <= length {
                let from = input.add(at);
                let (mut left, mut right) = (Lanes::splat(bias), Lanes::splat(bias));
                for (tap, offset) in taps.iter().zip(offsets) {
                    let tap = Lanes::splat(*tap);
                    let from = from.offset(*offset);
                    left = left.plus_product(Lanes::load(from), tap);
                    right = right.plus_product(Lanes::load(from.add(4)), tap);
                }
                left.store(output.add(at));
                right.store(output.add(at + 4));
                at += 8;
            }
        }
        while at < length {
            let from = input.offset(at as isize * stride);
            let sum = taps.iter().zip(offsets).fold(bias, |sum, (tap, offset)| {
                sum + *from.offset(*offset) * *tap
            });
            output.add(at).write(sum);
            at += 1;
        }
    }
}

/// # Safety
/// As `DepthwiseCF32` says: every tap of every point and channel is readable, and so is a bias for each channel; the channels of each
/// point are writable.
#[allow(clippy::too_many_arguments)] // The type is `tract`'s.
unsafe fn depthwise_channels(
    input: *const f32,
    output: *mut f32,
    kernel: *const f32,
    tap_indices: &[usize],
    offsets: &[isize],
    bias: *const f32,
    channels: usize,
    kernel_stride: usize,
    length: usize,
    input_stride: isize,
    output_stride: isize,
) {
    let taps = Taps {
        kernel,
        kernel_stride,
        indices: tap_indices,
        offsets,
    };
    for point in 0..length as isize {
        unsafe {
            let from = input.offset(point * input_stride);
            let to = output.offset(point * output_stride);
            let mut at = 0;
            while at + 32 <= channels {
                taps.sum::<8>(from, bias, to, at);
                at += 32;
            }
            if at + 16 <= channels {
                taps.sum::<4>(from, bias, to, at);
                at += 16;
            }
            while at + 4 <= channels {
                taps.sum::<1>(from, bias, to, at);
                at += 4;
            }
            while at < channels {
                let taps = tap_indices.iter().zip(offsets);
                let sum = taps.fold(*bias.add(at), |sum, (tap, offset)| {
                    sum + *from.offset(*offset).add(at) * *kernel.add(tap * kernel_stride + at)
                });
                to.add(at).write(sum);
                at += 1;
            }
        }
    }
}

/// The taps of a convolution whose channels lie side by side.
struct Taps<'a> {
    kernel: *const f32,
    kernel_stride: usize,
    indices: &'a [usize],
    offsets: &'a [isize],
}

impl Taps<'_> {
    /// Four times `N` channels of a point, from the channel `at` on. In Wasm, where every instruction is paid for, many channels
    /// share what it takes to find a tap, and three taps in one expression leave a sum on the stack between them.
    ///
    /// # Safety
    /// As for [`depthwise_channels`], which has these channels.
    #[inline(always)]
    unsafe fn sum<const N: usize>(
        &self,
        input: *const f32,
        bias: *const f32,
        output: *mut f32,
        at: usize,
    ) {
        unsafe {
            let (input, kernel, bias, output) = (
                input.add(at),
                self.kernel.add(at),
                bias.add(at),
                output.add(at),
            );
            let tap = |index: usize, offset: isize| Tap {
                input: input.offset(offset),
                factors: kernel.add(index * self.kernel_stride),
            };
            let mut sums: [Lanes; N] = std::array::from_fn(|four| Lanes::load(bias.add(4 * four)));
            let (indices, last_indices) = self.indices.as_chunks::<3>();
            let (offsets, last_offsets) = self.offsets.as_chunks::<3>();
            for (index, offset) in indices.iter().zip(offsets) {
                let first = tap(index[0], offset[0]);
                let second = tap(index[1], offset[1]);
                let third = tap(index[2], offset[2]);
                for (four, sum) in sums.iter_mut().enumerate() {
                    *sum = third.add(second.add(first.add(*sum, four), four), four);
                }
            }
            for (index, offset) in last_indices.iter().zip(last_offsets) {
                let tap = tap(*index, *offset);
                for (four, sum) in sums.iter_mut().enumerate() {
                    *sum = tap.add(*sum, four);
                }
            }
            for (four, sum) in sums.into_iter().enumerate() {
                sum.store(output.add(4 * four));
            }
        }
    }
}

/// Where a tap's inputs and its factors are, channel by channel.
#[derive(Clone, Copy)]
struct Tap {
    input: *const f32,
    factors: *const f32,
}

impl Tap {
    /// Adds the products of the `four`th four channels.
    ///
    /// # Safety
    /// They are readable.
    #[inline(always)]
    unsafe fn add(self, sum: Lanes, four: usize) -> Lanes {
        unsafe {
            let inputs = Lanes::load(self.input.add(4 * four));
            sum.plus_product(inputs, Lanes::load(self.factors.add(4 * four)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_sum_taps_in_order_whatever_their_number_and_that_of_channels() {
        let (points, width) = (3, 7);
        for taps in 0..=10 {
            for channels in (1..=9).chain([16, 31, 32, 33, 52, 64, 83]) {
                let floats = |count: usize, seed: usize| -> Vec<f32> {
                    (0..count)
                        .map(|index| ((index * 37 + seed) % 101) as f32 / 7.3 - 6.1)
                        .collect()
                };
                let input = floats((points * 2 + width) * channels, 1);
                let kernel = floats((taps + 1) * channels, 2);
                let bias = floats(channels, 3);
                // Not in the kernel's order, and not side by side.
                let indices: Vec<usize> = (0..taps).rev().collect();
                let offsets: Vec<isize> = (0..taps)
                    .map(|tap| ((tap * 3) % width * channels) as isize)
                    .collect();
                let mut output = vec![f32::NAN; points * channels];
                // SAFETY: the furthest input is that of the last point (two further on each) and the last offset.
                unsafe {
                    depthwise_channels(
                        input.as_ptr(),
                        output.as_mut_ptr(),
                        kernel.as_ptr(),
                        &indices,
                        &offsets,
                        bias.as_ptr(),
                        channels,
                        channels,
                        points,
                        2 * channels as isize,
                        channels as isize,
                    );
                }
                for (index, sum) in output.into_iter().enumerate() {
                    let (point, channel) = (index / channels, index % channels);
                    let expected =
                        indices
                            .iter()
                            .zip(&offsets)
                            .fold(bias[channel], |sum, (tap, offset)| {
                                let input =
                                    input[2 * point * channels + *offset as usize + channel];
                                sum + input * kernel[tap * channels + channel]
                            });
                    assert_eq!(
                        sum.to_bits(),
                        expected.to_bits(),
                        "{taps} taps, point {point}, channel {channel} of {channels}"
                    );
                }
            }
        }
    }
}
