//! Four numbers at once. In Wasm this is a SIMD register; elsewhere it is an array on which the same operations are done
//! one by one (a compiler turns them into SIMD there as well). An addition or a multiplication of floats has one result by
//! IEEE 754, so it makes no difference to any bit.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use std::arch::wasm32::{
        f32x4_add, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub, v128, v128_load,
        v128_load32_splat, v128_store,
    };

    #[derive(Clone, Copy)]
    pub(crate) struct Lanes(v128);

    impl Lanes {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Lanes(f32x4_splat(value))
        }

        /// # Safety
        /// A float must be readable there.
        #[inline(always)]
        pub unsafe fn load_splat(from: *const f32) -> Self {
            Lanes(unsafe { v128_load32_splat(from.cast()) })
        }

        /// # Safety
        /// Four floats must be readable from there.
        #[inline(always)]
        pub unsafe fn load(from: *const f32) -> Self {
            Lanes(unsafe { v128_load(from.cast()) })
        }

        /// # Safety
        /// Four floats must be writable there.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut f32) {
            unsafe { v128_store(to.cast(), self.0) }
        }

        #[inline(always)]
        pub fn plus(self, other: Lanes) -> Self {
            Lanes(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn minus(self, other: Lanes) -> Self {
            Lanes(f32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub fn times(self, other: Lanes) -> Self {
            Lanes(f32x4_mul(self.0, other.0))
        }

        /// `other` where it is smaller, so a NaN in `self` stays.
        #[inline(always)]
        pub fn at_most(self, other: Lanes) -> Self {
            Lanes(f32x4_pmin(self.0, other.0))
        }

        /// `other` where it is larger, so a NaN in `self` stays.
        #[inline(always)]
        pub fn at_least(self, other: Lanes) -> Self {
            Lanes(f32x4_pmax(self.0, other.0))
        }

        /// `self + a * b`, rounded twice.
        #[inline(always)]
        pub fn plus_product(self, a: Lanes, b: Lanes) -> Self {
            Lanes(f32x4_add(self.0, f32x4_mul(a.0, b.0)))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    #[derive(Clone, Copy)]
    pub(crate) struct Lanes([f32; 4]);

    impl Lanes {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Lanes([value; 4])
        }

        /// # Safety
        /// A float must be readable there.
        #[inline(always)]
        pub unsafe fn load_splat(from: *const f32) -> Self {
            Lanes::splat(unsafe { from.read_unaligned() })
        }

        /// # Safety
        /// Four floats must be readable from there.
        #[inline(always)]
        pub unsafe fn load(from: *const f32) -> Self {
            Lanes(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
        }

        /// # Safety
        /// Four floats must be writable there.
        #[inline(always)]
        pub unsafe fn store(self, to: *mut f32) {
            unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
        }

        #[inline(always)]
        fn zip(self, other: Lanes, of: impl Fn(f32, f32) -> f32) -> Self {
            let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, other.0);
            Lanes([of(a0, b0), of(a1, b1), of(a2, b2), of(a3, b3)])
        }

        #[inline(always)]
        pub fn plus(self, other: Lanes) -> Self {
            self.zip(other, |a, b| a + b)
        }

        #[inline(always)]
        pub fn minus(self, other: Lanes) -> Self {
            self.zip(other, |a, b| a - b)
        }

        #[inline(always)]
        pub fn times(self, other: Lanes) -> Self {
            self.zip(other, |a, b| a * b)
        }

        /// `other` where it is smaller, so a NaN in `self` stays.
        #[inline(always)]
        pub fn at_most(self, other: Lanes) -> Self {
            self.zip(other, |a, b| if b < a { b } else { a })
        }

        /// `other` where it is larger, so a NaN in `self` stays.
        #[inline(always)]
        pub fn at_least(self, other: Lanes) -> Self {
            self.zip(other, |a, b| if b > a { b } else { a })
        }

        /// `self + a * b`, rounded twice.
        #[inline(always)]
        pub fn plus_product(self, a: Lanes, b: Lanes) -> Self {
            let ([c0, c1, c2, c3], [a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, a.0, b.0);
            Lanes([c0 + a0 * b0, c1 + a1 * b1, c2 + a2 * b2, c3 + a3 * b3])
        }
    }
}

pub(crate) use imp::Lanes;
