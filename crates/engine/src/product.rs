//! A product of matrices, in slices. `tract` runs one tile by tile to its end; here the tiles of all its matrices are
//! numbered, and a slice runs some of them. A tile's elements are sums over `k` in `k`'s order and depend on no other
//! tile, so the result is the same however it is cut.

use std::any::Any;

use tract_onnx::prelude::{SymbolValues, TValue, TVec, Tensor, TractResult, f16};
use tract_onnx::tract_core::ops::matmul::optimized::{OptMatMul, ProtoFusedSpec};
use tract_onnx::tract_core::tract_linalg::mmm::{
    DynKernel, FusedSpec, MatMatMul, MatMatMulKer, ScratchSpaceImpl,
};

/// Multiply-adds between two questions whether to go on: some 50 million instructions.
const STRETCH_MULTIPLY_ADDS: usize = 1 << 24;

/// A product that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    inputs: TVec<TValue>,
    output: Tensor,
    /// The extents over which there is one matrix product each: the output's, with 1 for rows and columns.
    batches: Vec<usize>,
    next: usize,
}

/// Tiles of one matrix product.
struct Tiles {
    down: usize,
    right: usize,
    at_once: usize,
}

/// Whether every kernel that the node may use is one whose tiles can be run one by one.
pub(crate) fn splits(op: &OptMatMul) -> bool {
    op.mmm
        .iter()
        .all(|kernel| run_tiles(&**kernel, 0, 0, &[], 0..0).is_some())
}

impl Product {
    pub fn new(
        op: &OptMatMul,
        symbols: &SymbolValues,
        inputs: TVec<TValue>,
    ) -> TractResult<Product> {
        let shape = op.c_fact.shape.eval_to_usize(symbols)?;
        let mut batches = shape.to_vec();
        for axis in [op.c_m_axis, op.c_n_axis].into_iter().flatten() {
            batches[axis] = 1;
        }
        // Zeroed, not uninitialised as `tract` has it: this one is seen while it is half done.
        let output = Tensor::zero_dt(op.c_fact.datum_type, &shape)?;
        Ok(Product {
            inputs,
            output,
            batches,
            next: 0,
        })
    }

    /// `true`: done, and [`Product::output`] is the result.
    pub fn step(
        &mut self,
        op: &OptMatMul,
        may_continue: &mut dyn FnMut() -> bool,
    ) -> TractResult<bool> {
        let extent = |axis: Option<usize>| axis.map_or(1, |axis| self.output.shape()[axis]);
        let (m, n) = (extent(op.c_m_axis), extent(op.c_n_axis));
        let mode = op.mode_picker.pick(n)?;
        let kernel = &*op.mmm[mode];
        let products: usize = self.batches.iter().product();
        if m == 0 || n == 0 {
            return Ok(true);
        }
        let tiles = Tiles::new(op, kernel, m, n);
        let in_one = tiles.down * tiles.right;
        while self.next < products * in_one {
            let (batch, begin) = (self.next / in_one, self.next % in_one);
            let end = in_one.min(begin + tiles.at_once);
            let coordinates = coordinates(&self.batches, batch);
            let specs: Vec<FusedSpec<'_>> = op
                .micro_ops
                .iter()
                .map(|micro: &ProtoFusedSpec| {
                    micro.resolve(&self.inputs, &coordinates, &self.output, kernel, mode)
                })
                .collect();
            run_tiles(kernel, m, n, &specs, begin..end)
                .expect("BUG: a kernel that cannot be split was not refused")?;
            self.next = batch * in_one + end;
            if self.next < products * in_one && !may_continue() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn into_output(self) -> Tensor {
        self.output
    }
}

impl Tiles {
    fn new(op: &OptMatMul, kernel: &dyn MatMatMul, m: usize, n: usize) -> Tiles {
        let k: usize = op
            .micro_ops
            .iter()
            .filter_map(|micro| match micro {
                ProtoFusedSpec::AddMatMul { geo, .. } => geo.k.to_i64().ok(),
                _ => None,
            })
            // A symbolic depth: as if it were large, so that slices come out small.
            .fold(0, |sum, k| sum + k.max(1) as usize)
            .max(256);
        let tile = kernel.mr() * kernel.nr() * k;
        Tiles {
            down: m.div_ceil(kernel.mr()),
            right: n.div_ceil(kernel.nr()),
            at_once: (STRETCH_MULTIPLY_ADDS / tile).max(1),
        }
    }
}

/// The `index`th in row-major order.
fn coordinates(extents: &[usize], mut index: usize) -> Vec<usize> {
    let mut coordinates = vec![0; extents.len()];
    for (coordinate, extent) in coordinates.iter_mut().zip(extents).rev() {
        *coordinate = index % extent;
        index /= extent;
    }
    coordinates
}

/// Runs the tiles of `range`, numbered down first. `None`: not a kernel of a kind that is known here.
fn run_tiles(
    kernel: &dyn MatMatMul,
    m: usize,
    n: usize,
    specs: &[FusedSpec<'_>],
    range: std::ops::Range<usize>,
) -> Option<TractResult<()>> {
    let any: &dyn Any = kernel;
    macro_rules! kinds {
        ($(($mr:literal, $nr:literal, $kind:ty)),* $(,)?) => {$(
            if let Some(kernel) = any.downcast_ref::<DynKernel<$mr, $nr, $kind>>() {
                return Some(run_tiles_of::<_, $kind>(kernel, m, n, specs, range));
            }
        )*};
    }
    kinds!(
        (8, 16, f32),
        (8, 1, f32),
        (4, 4, f32),
        (4, 1, f32),
        (4, 4, f16),
        (4, 1, f16),
        (4, 4, f64),
        (4, 1, f64),
        (4, 4, i32),
        (4, 2, i32),
        (4, 1, i32),
    );
    None
}

fn run_tiles_of<K, T>(
    kernel: &K,
    m: usize,
    n: usize,
    specs: &[FusedSpec<'_>],
    range: std::ops::Range<usize>,
) -> TractResult<()>
where
    K: MatMatMulKer<Acc = T>,
    T: tract_onnx::tract_core::tract_linalg::LADatum,
    ScratchSpaceImpl<T>: Default,
{
    if range.is_empty() {
        return Ok(());
    }
    let down = m.div_ceil(kernel.mr());
    let mut scratch = ScratchSpaceImpl::<T>::default();
    // SAFETY: the specs come from `ProtoFusedSpec::resolve` for this kernel and an output with `m` rows and `n` columns,
    // and every tile is inside of it: what `MatMatMul::run` does, in another order.
    unsafe {
        scratch.prepare(kernel, m, n, specs)?;
        for tile in range {
            scratch.run(kernel, specs, tile % down, tile / down)?;
        }
    }
    Ok(())
}

/// Whether a node is worth splitting at all.
pub(crate) fn is_large(multiply_adds: u64) -> bool {
    multiply_adds > STRETCH_MULTIPLY_ADDS as u64
}
