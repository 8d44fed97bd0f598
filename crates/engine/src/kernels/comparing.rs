//! The smaller or the larger of each element and a number: a rectifier, or `Clip`, behind an operator that does not do it itself. For
//! each element `tract`'s portable kernel calls a function in Wasm, which costs more than a convolution before it.
//!
//! A NaN stays, as in the kernels of products, so that it makes no difference where the comparison is done.

use tract_onnx::prelude::tract_linalg::isa::IsaReq;
use tract_onnx::prelude::tract_linalg::routines::{Func, Routine, RoutineFactory};
use tract_onnx::prelude::tract_linalg::{BinFn, BinOp};

use super::lanes::Lanes;

pub(crate) const AT_MOST: &str = "stoa_at_most_f32";
pub(crate) const AT_LEAST: &str = "stoa_at_least_f32";

inventory::submit! {
    Routine {
        func: Func::BinByScalar(BinOp::Min),
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::BinF32 {
            name: || AT_MOST,
            make: || by_scalar(Lanes::at_most),
        },
    }
}

inventory::submit! {
    Routine {
        func: Func::BinByScalar(BinOp::Max),
        arch: None,
        isa: IsaReq::ANY,
        boost: 1,
        round_trip: false,
        factory: RoutineFactory::BinF32 {
            name: || AT_LEAST,
            make: || by_scalar(Lanes::at_least),
        },
    }
}

fn by_scalar(choose: impl Fn(Lanes, Lanes) -> Lanes + Send + Sync + 'static) -> Box<BinFn> {
    Box::new(move |elements, number| {
        let number = *number.as_slice::<f32>()?.first().unwrap_or(&f32::NAN);
        compare(elements.as_slice_mut::<f32>()?, number, &choose);
        Ok(())
    })
}

fn compare(elements: &mut [f32], number: f32, choose: impl Fn(Lanes, Lanes) -> Lanes) {
    let number = Lanes::splat(number);
    let (fours, rest) = elements.as_chunks_mut::<4>();
    for four in fours {
        // SAFETY: there are four.
        unsafe { choose(Lanes::load(four.as_ptr()), number).store(four.as_mut_ptr()) };
    }
    let mut last = [0.0; 4];
    last[..rest.len()].copy_from_slice(rest);
    // SAFETY: as above.
    unsafe { choose(Lanes::load(last.as_ptr()), number).store(last.as_mut_ptr()) };
    rest.copy_from_slice(&last[..rest.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn should_take_the_smaller_or_the_larger_and_keep_nan_in_rows_of_every_length() {
        for length in 0..19 {
            let row: Vec<f32> = (0..length)
                .map(|index| {
                    if index % 7 == 5 {
                        f32::NAN
                    } else {
                        index as f32 - 6.5
                    }
                })
                .collect();
            let chosen = |choose: fn(Lanes, Lanes) -> Lanes| {
                let mut row = row.clone();
                compare(&mut row, 2.0, choose);
                row
            };
            for ((element, smaller), larger) in row
                .iter()
                .zip(chosen(Lanes::at_most))
                .zip(chosen(Lanes::at_least))
            {
                if element.is_nan() {
                    assert!(smaller.is_nan() && larger.is_nan());
                } else {
                    assert_eq!((smaller, larger), (element.min(2.0), element.max(2.0)));
                }
            }
        }
    }
}
