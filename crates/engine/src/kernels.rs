//! Kernels that take the place of `tract`'s portable ones where those would not give the same bits
//! everywhere. Plain Rust over four lanes: fast enough where the compiler turns them into SIMD, and the
//! order of additions is the same where it does not.
//!
//! Registered for no architecture, like `tract`'s portable kernels, and preferred to them by `boost`.

mod comparing;
mod depthwise;
mod lanes;
mod matrix;

use stoa_pipeline::exponential;
use tract_onnx::prelude::tract_linalg::isa::IsaReq;
use tract_onnx::prelude::tract_linalg::reduce::{MapReduce, Reduce};
use tract_onnx::prelude::tract_linalg::routines::{Func, Routine, RoutineFactory};
use tract_onnx::prelude::{TractResult, f16};

pub(crate) use comparing::{AT_LEAST as AT_LEAST_F32, AT_MOST as AT_MOST_F32};
pub(crate) use depthwise::{
    DEPTHWISE as DEPTHWISE_F32, DEPTHWISE_CHANNELS as DEPTHWISE_CHANNELS_F32,
};
pub(crate) use matrix::{MATRIX as MATRIX_F32, VECTOR as VECTOR_F32};

pub(crate) const SOFTMAX_F32: &str = "stoa_softmax_f32";
pub(crate) const SUM_F32: &str = "stoa_sum_f32";
pub(crate) const SUM_F16: &str = "stoa_sum_f16";
pub(crate) const MAX_F32: &str = "stoa_max_f32";
pub(crate) const MIN_F32: &str = "stoa_min_f32";

const LANES: usize = 4;

inventory::submit! {
    Routine {
        func: Func::Softmax2,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::F32MapReduce(|| Box::new(ExponentialSum)),
    }
}

inventory::submit! {
    Routine {
        func: Func::ReduceSum,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::F32Reduce(|| Box::new(Sum)),
    }
}

inventory::submit! {
    Routine {
        func: Func::ReduceSum,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::F16Reduce(|| Box::new(Sum)),
    }
}

inventory::submit! {
    Routine {
        func: Func::ReduceMax,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::F32Reduce(|| Box::new(Max)),
    }
}

inventory::submit! {
    Routine {
        func: Func::ReduceMin,
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::F32Reduce(|| Box::new(Min)),
    }
}

/// Softmax's middle step: each element becomes `exp(element - maximum)`, and their sum is returned.
#[derive(Clone, Copy, Debug)]
struct ExponentialSum;

impl MapReduce<f32, f32> for ExponentialSum {
    fn name(&self) -> &'static str {
        SOFTMAX_F32
    }

    fn run_with_params(&self, row: &mut [f32], maximum: f32) -> TractResult<f32> {
        let mut sums = [0.0_f32; LANES];
        let mut blocks = row.chunks_exact_mut(LANES);
        for block in &mut blocks {
            for (element, sum) in block.iter_mut().zip(&mut sums) {
                *element = exponential(*element - maximum);
                *sum += *element;
            }
        }
        for (element, sum) in blocks.into_remainder().iter_mut().zip(&mut sums) {
            *element = exponential(*element - maximum);
            *sum += *element;
        }
        Ok(add_lanes(sums))
    }
}

/// Sum of a row. Lane `i` takes the elements `i`, `i + 4`, `i + 8`, ... wherever the row lies in memory.
#[derive(Clone, Copy, Debug)]
struct Sum;

impl Reduce<f32> for Sum {
    fn name(&self) -> &'static str {
        SUM_F32
    }

    fn run_with_params(&self, row: &[f32], _: ()) -> TractResult<f32> {
        let mut sums = [0.0_f32; LANES];
        let mut blocks = row.chunks_exact(LANES);
        for block in &mut blocks {
            for (element, sum) in block.iter().zip(&mut sums) {
                *sum += *element;
            }
        }
        for (element, sum) in blocks.remainder().iter().zip(&mut sums) {
            *sum += *element;
        }
        Ok(add_lanes(sums))
    }
}

/// The largest of a row; `tract`'s own would say `f32::MIN` of a row of minus infinities. NaN is not looked at.
#[derive(Clone, Copy, Debug)]
struct Max;

impl Reduce<f32> for Max {
    fn name(&self) -> &'static str {
        MAX_F32
    }

    fn run_with_params(&self, row: &[f32], _: ()) -> TractResult<f32> {
        Ok(extreme(row, f32::NEG_INFINITY, |a, b| a > b))
    }
}

#[derive(Clone, Copy, Debug)]
struct Min;

impl Reduce<f32> for Min {
    fn name(&self) -> &'static str {
        MIN_F32
    }

    fn run_with_params(&self, row: &[f32], _: ()) -> TractResult<f32> {
        Ok(extreme(row, f32::INFINITY, |a, b| a < b))
    }
}

fn extreme(row: &[f32], start: f32, wins: impl Fn(f32, f32) -> bool) -> f32 {
    let take = |best: &mut f32, element: f32| {
        if wins(element, *best) {
            *best = element;
        }
    };
    let mut best = [start; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (best, element) in best.iter_mut().zip(block) {
            take(best, *element);
        }
    }
    let mut found = start;
    for element in best.into_iter().chain(rest.iter().copied()) {
        take(&mut found, element);
    }
    found
}

impl Reduce<f16> for Sum {
    fn name(&self) -> &'static str {
        SUM_F16
    }

    // Summed in f32: a long row's running sum would outgrow its own terms in f16.
    fn run_with_params(&self, row: &[f16], _: ()) -> TractResult<f16> {
        let sum: f32 = row.iter().fold(0.0, |sum, element| sum + element.to_f32());
        Ok(f16::from_f32(sum))
    }
}

fn add_lanes(sums: [f32; LANES]) -> f32 {
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_sum_alike_wherever_a_row_lies() {
        let row: Vec<f32> = (0..103).map(|i| 1.0 / (i as f32 + 0.3)).collect();
        let sum = |offset: usize| {
            let mut moved = vec![0.0; offset];
            moved.extend(&row);
            let mut exponentials = moved[offset..].to_vec();
            (
                Reduce::<f32>::run(&Sum, &moved[offset..])
                    .unwrap()
                    .to_bits(),
                ExponentialSum
                    .run_with_params(&mut exponentials, 4.0)
                    .unwrap()
                    .to_bits(),
            )
        };
        let expected = sum(0);
        for offset in 1..8 {
            assert_eq!(sum(offset), expected);
        }
    }
}
