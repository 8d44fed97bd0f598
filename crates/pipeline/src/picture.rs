//! PNG and JPEG files to pixels of 8 bits. Sizes are looked at before anything is decoded.

use png::{ColorType, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::resample::Bitmap;

const SIDE_MAX: u64 = 1 << 16;
/// Scans of a progressive file, each of which goes over all pixels; programs write some ten.
const SCANS_MAX: usize = 24;

const PNG_BEGINS: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
const JPEG_BEGINS: [u8; 3] = [0xFF, 0xD8, 0xFF];

/// Pixels that the pictures of a call may still have.
pub(super) struct PixelRoom {
    left: u64,
    max: u64,
}

impl PixelRoom {
    pub fn new(max: u64) -> Self {
        PixelRoom { left: max, max }
    }

    pub fn take(&mut self, width: u64, height: u64) -> Result<(), String> {
        if ![width, height]
            .iter()
            .all(|side| (1..=SIDE_MAX).contains(side))
        {
            return Err(format!(
                "{width} x {height} pixels: a side has from 1 to {SIDE_MAX}"
            ));
        }
        let pixels = width.checked_mul(height);
        match pixels.and_then(|pixels| self.left.checked_sub(pixels)) {
            Some(left) => self.left = left,
            None => {
                return Err(format!(
                    "{width} x {height} pixels are too many: the pictures of a call may have {} together, and {} of them are left; make them \
                     smaller or make several calls",
                    self.max, self.left
                ));
            }
        }
        Ok(())
    }
}

/// Three channels, or one where `grey`. An alpha channel is left out, as `convert("RGB")` does it.
pub(super) fn decode(file: &[u8], grey: bool, room: &mut PixelRoom) -> Result<Bitmap, String> {
    let bitmap = if file.starts_with(&PNG_BEGINS) {
        decode_png(file, room)?
    } else if file.starts_with(&JPEG_BEGINS) {
        decode_jpeg(file, room)?
    } else {
        return Err("it is neither a PNG nor a JPEG file".into());
    };
    Ok(match (bitmap.channels, grey) {
        (1, true) | (3, false) => bitmap,
        (1, false) => Bitmap {
            channels: 3,
            data: bitmap.data.iter().flat_map(|value| [*value; 3]).collect(),
            ..bitmap
        },
        _ => Bitmap {
            channels: 1,
            data: bitmap.data.chunks_exact(3).map(luma).collect(),
            ..bitmap
        },
    })
}

/// ITU-R 601 in 16-bit fixed point, as Pillow's `convert("L")`.
fn luma(pixel: &[u8]) -> u8 {
    let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
}

fn decode_png(file: &[u8], room: &mut PixelRoom) -> Result<Bitmap, String> {
    let failed = |error: png::DecodingError| error.to_string();
    let mut decoder =
        png::Decoder::new_with_limits(std::io::Cursor::new(file), png::Limits { bytes: 256 << 20 });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(failed)?;
    room.take(header.width.into(), header.height.into())?;
    let mut reader = decoder.read_info().map_err(failed)?;
    let size = reader
        .output_buffer_size()
        .ok_or("it is too large to decode")?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data).map_err(failed)?;
    data.truncate(frame.buffer_size());
    let (channels, data) = match frame.color_type {
        ColorType::Grayscale => (1, data),
        ColorType::GrayscaleAlpha => (1, without_alpha(&data, 2)),
        ColorType::Rgb => (3, data),
        ColorType::Rgba => (3, without_alpha(&data, 4)),
        ColorType::Indexed => return Err("its palette was not resolved".into()),
    };
    Ok(Bitmap {
        width: frame.width as usize,
        height: frame.height as usize,
        channels,
        data,
    })
}

fn without_alpha(data: &[u8], channels: usize) -> Vec<u8> {
    data.chunks_exact(channels)
        .flat_map(|pixel| &pixel[..channels - 1])
        .copied()
        .collect()
}

fn decode_jpeg(file: &[u8], room: &mut PixelRoom) -> Result<Bitmap, String> {
    let failed = |error: zune_jpeg::errors::DecodeErrors| error.to_string();
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_max_width(SIDE_MAX as usize)
        .set_max_height(SIDE_MAX as usize)
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(failed)?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    room.take(width as u64, height as u64)?;
    let data = decoder.decode().map_err(failed)?;
    if data.len() != width * height * 3 {
        return Err("it is cut off".into());
    }
    Ok(Bitmap {
        width,
        height,
        channels: 3,
        data,
    })
}
