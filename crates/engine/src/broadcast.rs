//! A sum of which the second value repeats along some axes: scores and a mask. Where `tract` knows all extents when it loads a model it
//! has a fast way; where one is open (a text's length), it walks over all axes for each element, at a hundred instructions an
//! element in Wasm. Here whole rows are added. An element is the same single addition, so the bits are the same.

use tract_onnx::prelude::{
    DatumType, IntoTValue, IntoTensor, TValue, TVec, Tensor, TractResult, TypedOp,
};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::math::Add;

/// Whether [`sum`] does what the node does.
pub(crate) fn applies(op: &dyn TypedOp, inputs: &[TValue]) -> bool {
    let floats = |tensor: &Tensor| tensor.datum_type() == DatumType::F32 && is_row_major(tensor);
    let (Some(op), [a, b]) = (op.downcast_ref::<TypedBinOp>(), inputs) else {
        return false;
    };
    op.0.is::<Add>()
        && op.1.is_none_or(|result| result == DatumType::F32)
        && floats(a)
        && floats(b)
        && a.rank() == b.rank()
        && extents(a, b).all(|(a, b)| b == a || b == 1)
}

/// `a + b`, in place where nothing else holds `a`.
pub(crate) fn sum(mut inputs: TVec<TValue>) -> TractResult<TValue> {
    let (b, a) = (inputs.pop(), inputs.pop());
    let (Some(a), Some(b)) = (a, b) else {
        unreachable!("BUG: a sum of something else than two values");
    };
    let mut a = a.into_tensor();
    if a.len() == 0 {
        return Ok(a.into_tvalue());
    }
    // The last axes, along which all of `b` goes along, or all of it stays.
    let goes_along = extents(&a, &b)
        .rev()
        .find(|(a, _)| *a > 1)
        .is_none_or(|(a, b)| a == b);
    let in_row = extents(&a, &b)
        .rev()
        .take_while(|(a, b)| *a == 1 || (a == b) == goes_along)
        .count();
    let outer = a.rank() - in_row;
    let length: usize = a.shape()[outer..].iter().product();
    // Extent of each outer axis, and how far a step along it is in `b`.
    let mut steps = Vec::with_capacity(outer);
    let mut step = if goes_along { length } else { 1 };
    for (extent, of_b) in extents(&a, &b).rev().skip(in_row) {
        steps.push((extent, if of_b == 1 { 0 } else { step }));
        step *= of_b;
    }

    let b = b.try_as_plain_ram()?.as_slice::<f32>()?;
    let mut elements = a.try_as_plain_ram_mut()?;
    let rows = elements.as_slice_mut::<f32>()?.chunks_exact_mut(length);
    for (row, elements) in rows.enumerate() {
        let (mut left, mut begin) = (row, 0);
        for (extent, step) in &steps {
            begin += left % extent * step;
            left /= extent;
        }
        if goes_along {
            for (element, other) in elements.iter_mut().zip(&b[begin..begin + length]) {
                *element += *other;
            }
        } else {
            let other = b[begin];
            elements.iter_mut().for_each(|element| *element += other);
        }
    }
    Ok(a.into_tvalue())
}

fn extents<'a>(
    a: &'a Tensor,
    b: &'a Tensor,
) -> impl DoubleEndedIterator<Item = (usize, usize)> + ExactSizeIterator + use<'a> {
    a.shape().iter().copied().zip(b.shape().iter().copied())
}

/// The elements lie one behind the other, the last axis first. How far a step along an axis of extent 1 would be does not matter.
fn is_row_major(tensor: &Tensor) -> bool {
    let natural = Tensor::natural_strides(tensor.shape());
    let mut axes = tensor.shape().iter().zip(tensor.strides()).zip(&natural);
    tensor.len() == tensor.shape().iter().product::<usize>()
        && axes.all(|((extent, stride), natural)| *extent == 1 || stride == natural)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::tract_core::ops::binary::BinMiniOp;
    use tract_onnx::tract_core::ops::math::Mul;

    fn floats(shape: &[usize]) -> TValue {
        let count = shape.iter().product::<usize>();
        let elements: Vec<f32> = (0..count).map(|at| 1.0 / (at as f32 + 0.7)).collect();
        let tensor = Tensor::from_shape(shape, &elements);
        tensor.expect("as many as the shape says").into_tvalue()
    }

    fn add() -> TypedBinOp {
        TypedBinOp(Box::new(Add), None)
    }

    #[test]
    fn should_add_what_repeats_along_any_axes_as_tract_does() {
        // Each axis of three or four repeats or does not, and some have an extent of one or none.
        for shape in [[3, 4, 5, 7], [1, 4, 1, 6], [2, 1, 3, 1], [2, 0, 3, 4]] {
            for repeated in 0..16 {
                let repeats = |axis: usize| repeated >> axis & 1 == 1;
                let other: Vec<usize> = (0..4)
                    .map(|axis| if repeats(axis) { 1 } else { shape[axis] })
                    .collect();
                let (a, b) = (floats(&shape), floats(&other));
                assert!(applies(&add(), &[a.clone(), b.clone()]));
                let expected = Add.eval(a.clone(), b.clone(), DatumType::F32);
                let found = sum([a, b].into_iter().collect()).expect("a sum");
                assert_eq!(
                    found.as_bytes(),
                    expected.expect("a sum").as_bytes(),
                    "{shape:?} and {other:?}"
                );
            }
        }
    }

    #[test]
    fn should_leave_everything_else_to_tract() {
        let (large, row) = (floats(&[4, 5]), floats(&[1, 5]));
        assert!(applies(&add(), &[large.clone(), row.clone()]));
        let product = TypedBinOp(Box::new(Mul), None);
        assert!(!applies(&product, &[large.clone(), row.clone()]));
        // The first is the one that repeats.
        assert!(!applies(&add(), &[row.clone(), large.clone()]));
        assert!(!applies(&add(), &[floats(&[4, 1]), row.clone()]));
        let halves = |value: &TValue| {
            let halves = value.cast_to_dt(DatumType::F16).expect("halves");
            halves.into_owned().into_tvalue()
        };
        assert!(!applies(&add(), &[halves(&large), halves(&row)]));
    }
}
