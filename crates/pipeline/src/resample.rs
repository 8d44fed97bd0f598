//! Resizing, as Pillow does it (`Resample.c`, 8 bits a channel): each output pixel is a weighted sum over the input pixels
//! under a filter that widens where the picture shrinks, first along rows, then along columns. Weights are computed in f64
//! by additions, multiplications and divisions only, then rounded to fixed point; sums are integers. So the result is the
//! same on every machine, and models see what they saw in training. (Pillow 13 takes the other order for some ratios of sides,
//! where it is faster; then a value may differ by one level.)

use stoa_types::pipeline::{Extent, Filter};

/// 8 bits a channel, row-major, channels together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bitmap {
    pub width: usize,
    pub height: usize,
    /// 1 or 3.
    pub channels: usize,
    pub data: Vec<u8>,
}

/// Of the fixed-point weights: 32 bits less 8 for the pixel and 2 for weights beyond 1 and below 0.
const PRECISION_BITS: u32 = 32 - 8 - 2;

pub(super) fn resize(bitmap: &Bitmap, to: Extent, filter: Filter) -> Bitmap {
    let (width, height) = (to.width as usize, to.height as usize);
    if (width, height) == (bitmap.width, bitmap.height) {
        return bitmap.clone();
    }
    if filter == Filter::Nearest {
        return nearest(bitmap, width, height);
    }
    let rows = if width == bitmap.width {
        bitmap.clone()
    } else if bitmap.channels == 1 {
        along_rows::<1>(bitmap, width, filter)
    } else {
        along_rows::<3>(bitmap, width, filter)
    };
    if height == rows.height {
        return rows;
    }
    along_columns(&rows, height, filter)
}

/// The pixel in whose area the centre of the output pixel lies.
fn nearest(bitmap: &Bitmap, width: usize, height: usize) -> Bitmap {
    let source =
        |at: usize, from: usize, to: usize| (((2 * at + 1) * from) / (2 * to)).min(from - 1);
    let mut data = Vec::with_capacity(width * height * bitmap.channels);
    for y in 0..height {
        let row = source(y, bitmap.height, height) * bitmap.width;
        for x in 0..width {
            let begin = (row + source(x, bitmap.width, width)) * bitmap.channels;
            data.extend(&bitmap.data[begin..begin + bitmap.channels]);
        }
    }
    Bitmap {
        width,
        height,
        data,
        ..*bitmap
    }
}

/// For an output pixel: the first input pixel and the weights from there on.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

fn windows(from: usize, to: usize, filter: Filter) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let filter_scale = scale.max(1.0);
    let radius = match filter {
        Filter::Bicubic => 2.0,
        Filter::Nearest | Filter::Bilinear => 1.0,
    };
    let support = radius * filter_scale;
    let inverse = 1.0 / filter_scale;
    (0..to)
        .map(|at| {
            let centre = (at as f64 + 0.5) * scale;
            // Conversions cut towards zero, and at zero.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let mut weights: Vec<f64> = (first..end)
                .map(|pixel| weight(filter, (pixel as f64 - centre + 0.5) * inverse))
                .collect();
            let sum: f64 = weights.iter().fold(0.0, |sum, weight| sum + weight);
            if sum != 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            Window {
                first,
                weights: weights.into_iter().map(fixed).collect(),
            }
        })
        .collect()
}

fn fixed(weight: f64) -> i32 {
    let scaled = weight * f64::from(1_u32 << PRECISION_BITS);
    if weight < 0.0 {
        (scaled - 0.5) as i32
    } else {
        (scaled + 0.5) as i32
    }
}

fn weight(filter: Filter, x: f64) -> f64 {
    /// Keys' cubic with the slope that Pillow takes.
    const A: f64 = -0.5;
    let x = x.abs();
    match filter {
        Filter::Nearest | Filter::Bilinear => {
            if x < 1.0 {
                1.0 - x
            } else {
                0.0
            }
        }
        Filter::Bicubic => {
            if x < 1.0 {
                ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
            } else if x < 2.0 {
                (((x - 5.0) * x + 8.0) * x - 4.0) * A
            } else {
                0.0
            }
        }
    }
}

/// Rounds and cuts to a byte. Sums stay far below 2^31: weights add up to about 1, at worst 2 with a cubic's signs.
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn along_rows<const CHANNELS: usize>(bitmap: &Bitmap, width: usize, filter: Filter) -> Bitmap {
    let windows = windows(bitmap.width, width, filter);
    let mut data = Vec::with_capacity(width * bitmap.height * CHANNELS);
    for row in bitmap.data.chunks_exact(bitmap.width * CHANNELS) {
        let (pixels, _) = row.as_chunks::<CHANNELS>();
        for window in &windows {
            let mut sums = [HALF; CHANNELS];
            for (weight, pixel) in window.weights.iter().zip(&pixels[window.first..]) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += weight * i32::from(*value);
                }
            }
            data.extend(sums.map(byte));
        }
    }
    Bitmap {
        width,
        data,
        ..*bitmap
    }
}

fn along_columns(bitmap: &Bitmap, height: usize, filter: Filter) -> Bitmap {
    let stride = bitmap.width * bitmap.channels;
    let mut data = Vec::with_capacity(stride * height);
    let mut sums = vec![HALF; stride];
    for window in windows(bitmap.height, height, filter) {
        sums.fill(HALF);
        let rows = bitmap.data[window.first * stride..].chunks_exact(stride);
        for (weight, row) in window.weights.iter().zip(rows) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * i32::from(*value);
            }
        }
        data.extend(sums.iter().map(|sum| byte(*sum)));
    }
    Bitmap {
        height,
        data,
        ..*bitmap
    }
}
