//! Pictures to the tensor that a vision model takes.

use serde_bytes::ByteBuf;
use stoa_types::manifest::Signature;
use stoa_types::pipeline::{Colours, Extent, Filter, ImageLayout, ImagePipeline, Resize};
use stoa_types::tensor::{DataType, Tensor};

use super::picture::{self, PixelRoom};
use super::resample::{Bitmap, resize};
use super::{Context, PipelineError, check_items, invalid, items_max, number};
use crate::error::InputError;

/// Of all pictures of a call together: as they are given, and resized. Both together take less than half of what a query may
/// (`benches/results/inference.md`).
pub(super) const PIXELS_MAX: u64 = 4 << 20;
const RESIZED_PIXELS_MAX: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct ImageInput {
    name: String,
    datatype: DataType,
    colours: Colours,
    layout: ImageLayout,
    resize: Resize,
    filter: Filter,
    crop: Option<Extent>,
    scale: f32,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    items_max: u64,
}

impl ImageInput {
    pub fn new(image: &ImagePipeline, signature: &Signature) -> Result<Self, PipelineError> {
        let spec = signature
            .inputs
            .iter()
            .find(|spec| spec.name == image.input)
            .ok_or_else(|| invalid(&image.input, "the signature has no such input"))?;
        let numbers = |field: &str, list: &[String]| {
            list.iter()
                .map(|text| number(field, text))
                .collect::<Result<Vec<f32>, _>>()
        };
        let channels = if image.colours == Colours::Grey { 1 } else { 3 };
        let (mean, deviation) = (
            numbers("mean", &image.mean)?,
            numbers("deviation", &image.deviation)?,
        );
        if mean.len() != channels || deviation.len() != channels {
            return Err(invalid("mean", format!("{channels} numbers are expected")));
        }
        Ok(ImageInput {
            name: image.input.clone(),
            datatype: spec.datatype,
            colours: image.colours,
            layout: image.layout,
            resize: image.resize,
            filter: image.filter,
            crop: image.crop,
            scale: number("scale", &image.scale)?,
            mean,
            deviation,
            items_max: items_max(signature, &image.input)?,
        })
    }

    pub fn prepare(&self, images: &[ByteBuf]) -> Result<(Vec<Tensor>, Context), InputError> {
        check_items("images", images.len(), self.items_max)?;
        let mut data = Vec::new();
        let mut shape = Vec::new();
        let mut decoded = PixelRoom::new(PIXELS_MAX);
        let mut resized = PixelRoom::new(RESIZED_PIXELS_MAX);
        for (index, file) in images.iter().enumerate() {
            let bitmap = self
                .bitmap(file, &mut decoded, &mut resized)
                .map_err(|reason| InputError::Item {
                    item: format!("images[{index}]"),
                    reason: crate::error::cut(reason),
                })?;
            let [channels, height, width] =
                [bitmap.channels, bitmap.height, bitmap.width].map(|extent| extent as u64);
            shape = match self.layout {
                ImageLayout::Nchw => vec![images.len() as u64, channels, height, width],
                ImageLayout::Nhwc => vec![images.len() as u64, height, width, channels],
            };
            self.write(&bitmap, &mut data);
        }
        let tensor = Tensor {
            name: self.name.clone(),
            datatype: self.datatype,
            shape,
            data,
        };
        let context = Context {
            items: images.len() as u64,
            tokens: 0,
            plain: false,
            spans: Vec::new(),
        };
        Ok((vec![tensor], context))
    }

    /// Decoded, resized, cut, its colours in order.
    fn bitmap(
        &self,
        file: &[u8],
        decoded: &mut PixelRoom,
        resized: &mut PixelRoom,
    ) -> Result<Bitmap, String> {
        let decoded = picture::decode(file, self.colours == Colours::Grey, decoded)?;
        let to = match self.resize {
            Resize::Exact(extent) => extent,
            Resize::ShortestSide(side) => shortest_side(&decoded, side),
        };
        resized
            .take(to.width, to.height)
            .map_err(|reason| format!("resized, {reason}"))?;
        let mut bitmap = resize(&decoded, to, self.filter);
        if let Some(extent) = self.crop {
            bitmap = crop(&bitmap, extent)?;
        }
        if self.colours == Colours::Bgr {
            for pixel in bitmap.data.chunks_exact_mut(3) {
                pixel.swap(0, 2);
            }
        }
        Ok(bitmap)
    }

    fn write(&self, bitmap: &Bitmap, data: &mut Vec<u8>) {
        let channels = bitmap.channels;
        let mut put = |channel: usize, value: u8| match self.datatype {
            DataType::UINT8 => data.push(value),
            _ => {
                let value = f32::from(value) * self.scale;
                let value = (value - self.mean[channel]) / self.deviation[channel];
                data.extend(value.to_le_bytes());
            }
        };
        match self.layout {
            ImageLayout::Nhwc => {
                for pixel in bitmap.data.chunks_exact(channels) {
                    for (channel, value) in pixel.iter().enumerate() {
                        put(channel, *value);
                    }
                }
            }
            ImageLayout::Nchw => {
                for channel in 0..channels {
                    for pixel in bitmap.data.chunks_exact(channels) {
                        put(channel, pixel[channel]);
                    }
                }
            }
        }
    }
}

/// The longer side in the same ratio, rounded down.
fn shortest_side(bitmap: &Bitmap, side: u64) -> Extent {
    let (width, height) = (bitmap.width as u64, bitmap.height as u64);
    if width <= height {
        Extent {
            width: side,
            height: side.saturating_mul(height) / width,
        }
    } else {
        Extent {
            width: side.saturating_mul(width) / height,
            height: side,
        }
    }
}

/// From the middle; of an odd rest the smaller half is left and above.
fn crop(bitmap: &Bitmap, extent: Extent) -> Result<Bitmap, String> {
    let (width, height) = (extent.width as usize, extent.height as usize);
    if width > bitmap.width || height > bitmap.height {
        return Err(format!(
            "it is {} x {} after resizing, smaller than the {width} x {height} to cut out",
            bitmap.width, bitmap.height
        ));
    }
    let (left, top) = ((bitmap.width - width) / 2, (bitmap.height - height) / 2);
    let stride = bitmap.width * bitmap.channels;
    let data = bitmap
        .data
        .chunks_exact(stride)
        .skip(top)
        .take(height)
        .flat_map(|row| &row[left * bitmap.channels..(left + width) * bitmap.channels])
        .copied()
        .collect();
    Ok(Bitmap {
        width,
        height,
        channels: bitmap.channels,
        data,
    })
}
