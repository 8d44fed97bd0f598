//! The product of matrices of f32, tile by tile: 8 rows and 16 columns, and 8 rows of a vector.
//!
//! An element is the sum over `k`, in `k`'s order, of products that are rounded before they are added: what `tract`'s own
//! portable kernel computes, so the bits are the same. What is different is the cost in Wasm, where every instruction is
//! paid for, a read of a local variable included. A large tile spreads the loads (24 for 128 multiply-adds), and four steps
//! of `k` in one expression leave the running sum on the stack instead of reading and writing it four times: per step a
//! multiplication (2), an addition (2) and two reads for four multiply-adds, 1.9 instructions for one all told.

use tract_onnx::prelude::f16;
use tract_onnx::prelude::tract_linalg::mmm::{DynKernel, FusedKerSpec, OutputStoreKer};
use tract_onnx::prelude::tract_linalg::mmm_routines::MmmRoutine;
use tract_onnx::prelude::tract_linalg::pack::{PackedFormat, Packing};
use tract_onnx::prelude::tract_linalg::{ScaleShiftAndRound, Scaler};

use super::lanes::Lanes;

pub(crate) const MATRIX: &str = "stoa_f32_8x16";
pub(crate) const VECTOR: &str = "stoa_f32_8x1";

const ROWS: usize = 8;
const COLUMNS: usize = 16;

inventory::submit! {
    MmmRoutine {
        make: || kernel::<ROWS, COLUMNS>(MATRIX, tile::<COLUMNS, MatrixSum>).mmm(),
    }
}

inventory::submit! {
    MmmRoutine {
        make: || kernel::<ROWS, 1>(VECTOR, tile::<1, VectorSum>).mmm(),
    }
}

/// Preferred to every portable kernel that could do the same.
fn kernel<const M: usize, const N: usize>(
    name: &str,
    run: unsafe fn(&[FusedKerSpec<f32>]) -> isize,
) -> DynKernel<M, N, f32> {
    let (a, b): (PackedFormat, PackedFormat) = (f32::packing(M), f32::packing(N));
    DynKernel::new(name, run, a, b)
        .with_boost(|| 1_000)
        .with_store::<f16>()
        .with_store::<f64>()
}

type Tile<const N: usize> = [[f32; N]; ROWS];

trait Sum<const N: usize> {
    /// Adds to the tile, or to zero: then what is in the tile does not count.
    ///
    /// # Safety
    /// `a` has `ROWS` and `b` has `N` floats for each of `k` steps; the tile is writable, and holds floats if it counts.
    unsafe fn add<const FROM_ZERO: bool>(
        tile: *mut Tile<N>,
        a: *const f32,
        b: *const f32,
        k: usize,
    );
}

struct MatrixSum;
struct VectorSum;

/// A row of the tile.
#[derive(Clone, Copy)]
struct Row(Lanes, Lanes, Lanes, Lanes);

impl Row {
    #[inline(always)]
    unsafe fn begin<const FROM_ZERO: bool>(from: *const f32) -> Row {
        if FROM_ZERO {
            let zero = Lanes::splat(0.0);
            Row(zero, zero, zero, zero)
        } else {
            unsafe { Row::load(from) }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Row {
        unsafe {
            Row(
                Lanes::load(from),
                Lanes::load(from.add(4)),
                Lanes::load(from.add(8)),
                Lanes::load(from.add(12)),
            )
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe {
            self.0.store(to);
            self.1.store(to.add(4));
            self.2.store(to.add(8));
            self.3.store(to.add(12));
        }
    }

    /// One step of `k`: `a` is the row's element.
    #[inline(always)]
    unsafe fn step(self, a: *const f32, b: Row) -> Row {
        let a = unsafe { Lanes::load_splat(a) };
        Row(
            self.0.plus_product(a, b.0),
            self.1.plus_product(a, b.1),
            self.2.plus_product(a, b.2),
            self.3.plus_product(a, b.3),
        )
    }

    /// Four steps, in this order.
    #[inline(always)]
    unsafe fn steps(self, a: *const f32, b: [Row; 4]) -> Row {
        unsafe {
            let a = [
                Lanes::load_splat(a),
                Lanes::load_splat(a.add(ROWS)),
                Lanes::load_splat(a.add(2 * ROWS)),
                Lanes::load_splat(a.add(3 * ROWS)),
            ];
            Row(
                four(self.0, a, [b[0].0, b[1].0, b[2].0, b[3].0]),
                four(self.1, a, [b[0].1, b[1].1, b[2].1, b[3].1]),
                four(self.2, a, [b[0].2, b[1].2, b[2].2, b[3].2]),
                four(self.3, a, [b[0].3, b[1].3, b[2].3, b[3].3]),
            )
        }
    }
}

#[inline(always)]
fn four(sum: Lanes, a: [Lanes; 4], b: [Lanes; 4]) -> Lanes {
    sum.plus_product(a[0], b[0])
        .plus_product(a[1], b[1])
        .plus_product(a[2], b[2])
        .plus_product(a[3], b[3])
}

impl Sum<COLUMNS> for MatrixSum {
    #[inline(never)]
    unsafe fn add<const FROM_ZERO: bool>(
        tile: *mut Tile<COLUMNS>,
        a: *const f32,
        b: *const f32,
        k: usize,
    ) {
        unsafe {
            let (mut a, mut b) = (a, b);
            let to = tile.cast::<f32>();
            // Written out, so that every row is in variables whatever a compiler takes loops for.
            let mut r0 = Row::begin::<FROM_ZERO>(to);
            let mut r1 = Row::begin::<FROM_ZERO>(to.add(COLUMNS));
            let mut r2 = Row::begin::<FROM_ZERO>(to.add(2 * COLUMNS));
            let mut r3 = Row::begin::<FROM_ZERO>(to.add(3 * COLUMNS));
            let mut r4 = Row::begin::<FROM_ZERO>(to.add(4 * COLUMNS));
            let mut r5 = Row::begin::<FROM_ZERO>(to.add(5 * COLUMNS));
            let mut r6 = Row::begin::<FROM_ZERO>(to.add(6 * COLUMNS));
            let mut r7 = Row::begin::<FROM_ZERO>(to.add(7 * COLUMNS));
            for _ in 0..k / 4 {
                let columns = [
                    Row::load(b),
                    Row::load(b.add(COLUMNS)),
                    Row::load(b.add(2 * COLUMNS)),
                    Row::load(b.add(3 * COLUMNS)),
                ];
                r0 = r0.steps(a, columns);
                r1 = r1.steps(a.add(1), columns);
                r2 = r2.steps(a.add(2), columns);
                r3 = r3.steps(a.add(3), columns);
                r4 = r4.steps(a.add(4), columns);
                r5 = r5.steps(a.add(5), columns);
                r6 = r6.steps(a.add(6), columns);
                r7 = r7.steps(a.add(7), columns);
                a = a.add(4 * ROWS);
                b = b.add(4 * COLUMNS);
            }
            for _ in 0..k % 4 {
                let columns = Row::load(b);
                r0 = r0.step(a, columns);
                r1 = r1.step(a.add(1), columns);
                r2 = r2.step(a.add(2), columns);
                r3 = r3.step(a.add(3), columns);
                r4 = r4.step(a.add(4), columns);
                r5 = r5.step(a.add(5), columns);
                r6 = r6.step(a.add(6), columns);
                r7 = r7.step(a.add(7), columns);
                a = a.add(ROWS);
                b = b.add(COLUMNS);
            }
            r0.store(to);
            r1.store(to.add(COLUMNS));
            r2.store(to.add(2 * COLUMNS));
            r3.store(to.add(3 * COLUMNS));
            r4.store(to.add(4 * COLUMNS));
            r5.store(to.add(5 * COLUMNS));
            r6.store(to.add(6 * COLUMNS));
            r7.store(to.add(7 * COLUMNS));
        }
    }
}

impl Sum<1> for VectorSum {
    #[inline(never)]
    unsafe fn add<const FROM_ZERO: bool>(
        tile: *mut Tile<1>,
        a: *const f32,
        b: *const f32,
        k: usize,
    ) {
        unsafe {
            let (mut a, mut b) = (a, b);
            let to = tile.cast::<f32>();
            let (mut upper, mut lower) = if FROM_ZERO {
                (Lanes::splat(0.0), Lanes::splat(0.0))
            } else {
                (Lanes::load(to), Lanes::load(to.add(4)))
            };
            for _ in 0..k / 4 {
                let factors = [
                    Lanes::load_splat(b),
                    Lanes::load_splat(b.add(1)),
                    Lanes::load_splat(b.add(2)),
                    Lanes::load_splat(b.add(3)),
                ];
                let column = |at: usize| {
                    [
                        Lanes::load(a.add(at)),
                        Lanes::load(a.add(at + ROWS)),
                        Lanes::load(a.add(at + 2 * ROWS)),
                        Lanes::load(a.add(at + 3 * ROWS)),
                    ]
                };
                upper = four(upper, column(0), factors);
                lower = four(lower, column(4), factors);
                a = a.add(4 * ROWS);
                b = b.add(4);
            }
            for _ in 0..k % 4 {
                let factor = Lanes::load_splat(b);
                upper = upper.plus_product(Lanes::load(a), factor);
                lower = lower.plus_product(Lanes::load(a.add(4)), factor);
                a = a.add(ROWS);
                b = b.add(1);
            }
            upper.store(to);
            lower.store(to.add(4));
        }
    }
}

/// Does to a tile what the list says, in its order. The meaning of each entry is `tract`'s, bit for bit: where it compares,
/// a NaN in the tile stays.
///
/// # Safety
/// The list ends with `Done`, and its pointers are good for a tile of this size.
unsafe fn tile<const N: usize, S: Sum<N>>(specs: &[FusedKerSpec<f32>]) -> isize {
    // Filling or copying a tile in one instruction is charged by the byte, so it is not cleared where a sum comes next.
    let mut place = std::mem::MaybeUninit::<Tile<N>>::uninit();
    let mut spec = specs.as_ptr();
    unsafe {
        match specs {
            [
                FusedKerSpec::Clear,
                FusedKerSpec::AddMatMul {
                    k,
                    pa,
                    pb,
                    packing: 0,
                },
                ..,
            ] => {
                S::add::<true>(place.as_mut_ptr(), pa.cast(), pb.cast(), *k);
                spec = spec.add(2);
            }
            _ => {
                place.write([[0.0; N]; ROWS]);
            }
        }
        // SAFETY: written, by one or the other.
        let tile = place.assume_init_mut();
        loop {
            match *spec {
                FusedKerSpec::Done => return 0,
                FusedKerSpec::Clear => *tile = [[0.0; N]; ROWS],
                FusedKerSpec::LoadTile(_, by_rows) => {
                    *tile = by_rows.cast::<Tile<N>>().read_unaligned();
                }
                FusedKerSpec::AddMatMul { k, pa, pb, packing } => {
                    if packing != 0 {
                        return 1;
                    }
                    S::add::<false>(tile, pa.cast(), pb.cast(), k);
                }
                FusedKerSpec::ScalarAdd(a) => all(tile, a, Lanes::plus),
                FusedKerSpec::ScalarMul(a) => all(tile, a, Lanes::times),
                FusedKerSpec::ScalarMin(a) => all(tile, a, Lanes::at_most),
                FusedKerSpec::ScalarMax(a) => all(tile, a, Lanes::at_least),
                FusedKerSpec::ScalarSub(a) => all(tile, a, |x, a| a.minus(x)),
                FusedKerSpec::ScalarSubF(a) => all(tile, a, Lanes::minus),
                FusedKerSpec::LeakyRelu(a) => {
                    each(tile, |x| if x > 0.0 { x } else { a * x });
                }
                FusedKerSpec::PerRowAdd(a) => rows(tile, a, Lanes::plus),
                FusedKerSpec::PerRowMul(a) => rows(tile, a, Lanes::times),
                FusedKerSpec::PerRowMin(a) => rows(tile, a, Lanes::at_most),
                FusedKerSpec::PerRowMax(a) => rows(tile, a, Lanes::at_least),
                FusedKerSpec::PerRowSub(a) => rows(tile, a, |x, a| a.minus(x)),
                FusedKerSpec::PerRowSubF(a) => rows(tile, a, Lanes::minus),
                FusedKerSpec::PerColAdd(a) => columns(tile, a, Lanes::plus),
                FusedKerSpec::PerColMul(a) => columns(tile, a, Lanes::times),
                FusedKerSpec::PerColMin(a) => columns(tile, a, Lanes::at_most),
                FusedKerSpec::PerColMax(a) => columns(tile, a, Lanes::at_least),
                FusedKerSpec::PerColSub(a) => columns(tile, a, |x, a| a.minus(x)),
                FusedKerSpec::PerColSubF(a) => columns(tile, a, Lanes::minus),
                FusedKerSpec::AddRowColProducts(down, right) => {
                    let right = right.cast::<[f32; N]>().read_unaligned();
                    for (at, row) in tile.iter_mut().enumerate() {
                        let factor = *down.add(at);
                        for (x, other) in row.iter_mut().zip(right) {
                            *x += factor * other;
                        }
                    }
                }
                FusedKerSpec::QScale(shift, policy, multiplier) => {
                    let scaler = Scaler::from_fuse_params(shift, policy, multiplier);
                    each(tile, |x| x.q_scale(scaler));
                }
                FusedKerSpec::RoundingShiftRight(shift, policy) => {
                    each(tile, |x| x.q_shr(shift, policy));
                }
                FusedKerSpec::ShiftLeft(shift) => each(tile, |x| x.q_shl(shift)),
                FusedKerSpec::AddUnicast(other) => {
                    if !add(tile, &other) {
                        return 1;
                    }
                }
                FusedKerSpec::Store(to) => {
                    if !store(tile, &to) {
                        return 1;
                    }
                }
            }
            spec = spec.add(1);
        }
    }
}

#[inline(always)]
fn each<const N: usize>(tile: &mut Tile<N>, change: impl Fn(f32) -> f32) {
    for row in tile {
        for x in row {
            *x = change(*x);
        }
    }
}

/// The tile's floats lie one behind the other, four lanes of them at a time; `with` gives the other operand of those from
/// an index on.
#[inline(always)]
fn lanes<const N: usize>(
    tile: &mut Tile<N>,
    with: impl Fn(usize) -> Lanes,
    change: impl Fn(Lanes, Lanes) -> Lanes,
) {
    let floats = tile.as_mut_ptr().cast::<f32>();
    for index in (0..ROWS * N).step_by(4) {
        // SAFETY: a tile has a multiple of four floats.
        unsafe {
            let at = floats.add(index);
            change(Lanes::load(at), with(index)).store(at);
        }
    }
}

/// Not inlined: a number that comes as an argument is compared in one instruction (`pmin`), one that is loaded for it in three.
#[inline(never)]
fn all<const N: usize>(tile: &mut Tile<N>, a: f32, change: impl Fn(Lanes, Lanes) -> Lanes) {
    let a = Lanes::splat(a);
    lanes(tile, |_| a, change);
}

#[inline(always)]
unsafe fn rows<const N: usize>(
    tile: &mut Tile<N>,
    with: *const f32,
    change: impl Fn(Lanes, Lanes) -> Lanes,
) {
    let of = |index: usize| unsafe {
        if N == 1 {
            Lanes::load(with.add(index))
        } else {
            Lanes::load_splat(with.add(index / N))
        }
    };
    lanes(tile, of, change);
}

#[inline(always)]
unsafe fn columns<const N: usize>(
    tile: &mut Tile<N>,
    with: *const f32,
    change: impl Fn(Lanes, Lanes) -> Lanes,
) {
    let of = |index: usize| unsafe {
        if N == 1 {
            Lanes::load_splat(with)
        } else {
            Lanes::load(with.add(index % N))
        }
    };
    lanes(tile, of, change);
}

#[inline(always)]
unsafe fn at(place: &OutputStoreKer, row: usize, column: usize) -> *mut u8 {
    unsafe {
        place
            .ptr
            .offset(place.row_byte_stride * row as isize + place.col_byte_stride * column as isize)
    }
}

/// `false`: not a size that a float has.
unsafe fn add<const N: usize>(tile: &mut Tile<N>, other: &OutputStoreKer) -> bool {
    for (i, row) in tile.iter_mut().enumerate() {
        for (j, x) in row.iter_mut().enumerate() {
            unsafe {
                let from = at(other, i, j);
                *x += match other.item_size {
                    4 => from.cast::<f32>().read_unaligned(),
                    2 => from.cast::<f16>().read_unaligned().to_f32(),
                    8 => from.cast::<f64>().read_unaligned() as f32,
                    _ => return false,
                };
            }
        }
    }
    true
}

/// Four columns of a tile to where rows lie side by side. Not inlined: behind a pointer of their own the floats are at offsets
/// that a load has in itself, where a loop around this would work out each address.
///
/// # Safety
/// `from` is a place in the first row of a [`MatrixSum`]'s tile; [`ROWS`] floats are writable at `to` and at each stride after it.
#[inline(never)]
unsafe fn four_columns(from: *const f32, to: *mut u8, byte_stride: isize) {
    unsafe {
        for column in 0..4 {
            let from = from.add(column);
            let to = to.offset(byte_stride * column as isize).cast::<f32>();
            for row in 0..ROWS {
                to.add(row).write_unaligned(from.add(row * COLUMNS).read());
            }
        }
    }
}

unsafe fn store<const N: usize>(tile: &Tile<N>, to: &OutputStoreKer) -> bool {
    unsafe {
        if to.item_size == 4 && to.col_byte_stride == 4 {
            for (i, row) in tile.iter().enumerate() {
                let to = at(to, i, 0).cast::<f32>();
                if N == COLUMNS {
                    Row::load(row.as_ptr()).store(to);
                } else {
                    to.cast::<[f32; N]>().write_unaligned(*row);
                }
            }
            return true;
        }
        if to.item_size == 4 && to.row_byte_stride == 4 {
            let from = tile.as_ptr().cast::<f32>();
            if N == COLUMNS {
                for j in (0..COLUMNS).step_by(4) {
                    four_columns(from.add(j), at(to, 0, j), to.col_byte_stride);
                }
            } else {
                #[allow(clippy::needless_range_loop, reason = "columns, not rows")]
                for j in 0..N {
                    let column: [f32; ROWS] = std::array::from_fn(|i| tile[i][j]);
                    at(to, 0, j).cast::<[f32; ROWS]>().write_unaligned(column);
                }
            }
            return true;
        }
        for (i, row) in tile.iter().enumerate() {
            for (j, x) in row.iter().enumerate() {
                let to_one = at(to, i, j);
                match to.item_size {
                    4 => to_one.cast::<f32>().write_unaligned(*x),
                    2 => to_one.cast::<f16>().write_unaligned(f16::from_f32(*x)),
                    8 => to_one.cast::<f64>().write_unaligned(f64::from(*x)),
                    _ => return false,
                }
            }
        }
    }
    true
}
