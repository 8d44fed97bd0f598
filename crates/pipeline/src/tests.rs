//! Pictures, held to what Pillow makes of them (`tests/images/make.py`), and tables.

use std::path::PathBuf;

use serde_bytes::ByteBuf;
use serde_json::Value;
use stoa_types::manifest::{Dimension, Pipeline as Description, Signature, TensorSpec};
use stoa_types::pipeline::{
    AnswerKind, CategoryEncoding, Cell, Colours, Column, ColumnKind, Extent, Filter, ImageLayout,
    ImagePipeline, Input, Padding, PaddingLength, PipelineKind, Resize, Side, TabularPipeline,
    TextInput, TextPipeline,
};
use stoa_types::tensor::{DataType, Tensor};

use super::image::PIXELS_MAX;
use super::picture::{self, PixelRoom};
use super::resample::{Bitmap, resize};
use super::text::TEXT_BYTES_MAX;
use super::{Pipeline, Prepared};
use crate::error::InputError;

/// Decoders of JPEG round differently, mostly where colours are scaled up.
const JPEG_LEVELS_MAX: u8 = 6;

fn expected() -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/images/expected.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    let (pairs, _) = text.as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| digit(*high) * 16 + digit(*low))
        .collect()
}

fn decode(file: &[u8], grey: bool) -> Result<Bitmap, String> {
    picture::decode(file, grey, &mut PixelRoom::new(PIXELS_MAX))
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[test]
fn should_decode_png_as_pillow_does() {
    for (name, case) in expected()["exact"].as_object().unwrap() {
        let file = bytes(&case["file"]);
        for (grey, key) in [(false, "rgb"), (true, "grey")] {
            let found = decode(&file, grey).unwrap();
            assert_eq!(
                (found.width, found.height),
                (number(&case["width"]), number(&case["height"]))
            );
            assert_eq!(found.data, bytes(&case[key]), "{name} {key}");
        }
    }
}

#[test]
fn should_decode_jpeg_nearly_as_pillow_does() {
    for (name, case) in expected()["near"].as_object().unwrap() {
        let found = decode(&bytes(&case["file"]), false).unwrap();
        let pillow = bytes(&case["rgb"]);
        assert_eq!(found.data.len(), pillow.len(), "{name}");
        let differences: Vec<u8> = found
            .data
            .iter()
            .zip(&pillow)
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        let worst = differences.iter().max().unwrap();
        assert!(*worst <= JPEG_LEVELS_MAX, "{name}: {worst} levels");
        let sum: u64 = differences
            .iter()
            .map(|difference| u64::from(*difference))
            .sum();
        assert!(sum < differences.len() as u64, "{name}: {sum} in all");
    }
}

#[test]
fn should_resize_as_pillow_does() {
    let expected = expected();
    let bitmap = decode(&bytes(&expected["exact"]["rgb.png"]["file"]), false).unwrap();
    for case in expected["resized"].as_array().unwrap() {
        let filter = match case["filter"].as_str().unwrap() {
            "Nearest" => Filter::Nearest,
            "Bilinear" => Filter::Bilinear,
            _ => Filter::Bicubic,
        };
        let to = Extent {
            width: case["width"].as_u64().unwrap(),
            height: case["height"].as_u64().unwrap(),
        };
        let found = resize(&bitmap, to, filter);
        assert_eq!(found.data, bytes(&case["rgb"]), "{to:?} {filter:?}");
    }
}

#[test]
fn should_refuse_pictures_that_are_cut_off_or_too_large_without_a_panic() {
    let expected = expected();
    for kind in ["exact", "near"] {
        for case in expected[kind].as_object().unwrap().values() {
            let file = bytes(&case["file"]);
            for length in 0..file.len().min(400) {
                // Some decoders fill the rest up; no bytes are read that are not there.
                let _decoded: Result<Bitmap, String> = decode(&file[..length], false);
            }
        }
    }
    let mut bomb = bytes(&expected["exact"]["rgb.png"]["file"]);
    bomb[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    assert!(decode(&bomb, false).is_err());
    assert!(decode(b"GIF89a", false).is_err());
}

#[test]
fn should_count_the_pixels_of_all_pictures_of_a_call_together() {
    let mut room = PixelRoom::new(100);
    room.take(9, 10).unwrap();
    let refused = room.take(11, 1).unwrap_err();
    assert!(
        refused.contains("may have 100 together, and 10 of them are left"),
        "{refused}"
    );
    room.take(10, 1).unwrap();
    room.take(1, 1).unwrap_err();
    for (width, height) in [(0, 1), (1, 0), (65_537, 1), (u64::MAX, u64::MAX)] {
        assert!(PixelRoom::new(u64::MAX).take(width, height).is_err());
    }
}

#[test]
fn should_refuse_more_text_than_a_call_may_have_and_say_what_to_do() {
    let tokenizers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    let file = std::fs::read(tokenizers.join("tokenizers.json")).unwrap();
    let all: Value = serde_json::from_slice(&file).unwrap();
    let file = serde_json::to_vec(&all["words"]).unwrap();
    let ids = TensorSpec {
        name: "ids".into(),
        datatype: DataType::INT64,
        shape: ["texts", "tokens"]
            .map(|name| Dimension::Dynamic {
                name: name.into(),
                max: 8,
            })
            .into(),
    };
    let description = Description {
        model: "m.onnx".into(),
        kind: PipelineKind::Text(TextPipeline {
            tokenizer: "tokenizer.json".into(),
            ids: "ids".into(),
            mask: None,
            types: None,
            tokens_max: 8,
            padding: Padding {
                token: "[PAD]".into(),
                side: Side::Right,
                length: PaddingLength::Longest,
            },
            answer: AnswerKind::Tensors,
        }),
        labels: vec![],
    };
    let signature = Signature {
        inputs: vec![ids],
        outputs: vec![],
    };
    let files = [("tokenizer.json", file.as_slice())];
    let pipeline = Pipeline::new(&description, &signature, &files).unwrap();
    let prepare = |first: String, pair: String| {
        let one = |text, pair| TextInput { text, pair };
        let texts = vec![one(first, Some(pair)), one("the end".into(), None)];
        pipeline.prepare(Input::Texts(texts))
    };
    let half = "fox ".repeat(TEXT_BYTES_MAX / 8);
    let rest = half[7..].to_owned();
    let tokens = prepare(half.clone(), rest).unwrap().context.tokens;
    assert_eq!(tokens, 8 + 2);
    let refused = prepare(half.clone(), half).unwrap_err();
    assert_eq!(refused.input(), "texts");
    assert_eq!(
        refused.to_string(),
        "texts: 524295 bytes in all, and a call may have 524288: shorten them, since no more than 8 tokens of each are read, or make \
         several calls"
    );
    let grows = "\u{fdfa}".repeat(TEXT_BYTES_MAX / 33 + 1);
    let refused = prepare(grows, String::new()).unwrap_err();
    assert_eq!(refused.input(), "texts[0]");
    assert!(refused.to_string().contains("when normalized"), "{refused}");
}

fn spec(name: &str, datatype: DataType, shape: &[u64]) -> TensorSpec {
    let mut dimensions: Vec<Dimension> = shape
        .iter()
        .map(|extent| Dimension::Fixed(*extent))
        .collect();
    dimensions.insert(
        0,
        Dimension::Dynamic {
            name: "items".into(),
            max: 3,
        },
    );
    TensorSpec {
        name: name.into(),
        datatype,
        shape: dimensions,
    }
}

fn prepare(
    kind: PipelineKind,
    inputs: Vec<TensorSpec>,
    input: Input,
) -> Result<Prepared, InputError> {
    let description = Description {
        model: "m.onnx".into(),
        kind,
        labels: vec![],
    };
    let signature = Signature {
        inputs,
        outputs: vec![],
    };
    Pipeline::new(&description, &signature, &[])
        .unwrap()
        .prepare(input)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    let (elements, _) = tensor.data.as_chunks::<4>();
    elements
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

#[test]
fn should_lay_pictures_out_as_the_network_takes_them() {
    let file = ByteBuf::from(bytes(&expected()["exact"]["rgb.png"]["file"]));
    let rgb = bytes(&expected()["exact"]["rgb.png"]["rgb"]);
    let kind = |layout, colours| {
        PipelineKind::Image(ImagePipeline {
            input: "x".into(),
            colours,
            layout,
            resize: Resize::Exact(Extent {
                width: 23,
                height: 17,
            }),
            filter: Filter::Bilinear,
            crop: Some(Extent {
                width: 2,
                height: 1,
            }),
            scale: "0.5".into(),
            mean: vec!["1".into(), "2".into(), "3".into()],
            deviation: vec!["2".into(); 3],
            answer: AnswerKind::Tensors,
        })
    };
    // The pixels 10 and 11 of row 8.
    let pixel = |x: usize, channel: usize| f32::from(rgb[(8 * 23 + x) * 3 + channel]) * 0.5;
    let nchw = prepare(
        kind(ImageLayout::Nchw, Colours::Rgb),
        vec![spec("x", DataType::FP32, &[3, 1, 2])],
        Input::Images(vec![file.clone()]),
    );
    let expected: Vec<f32> = (0..3)
        .flat_map(|c| [10, 11].map(|x| (pixel(x, c) - (c as f32 + 1.0)) / 2.0))
        .collect();
    assert_eq!(floats(&nchw.unwrap().inputs.tensors()[0]), expected);
    let nhwc = prepare(
        kind(ImageLayout::Nhwc, Colours::Bgr),
        vec![spec("x", DataType::FP32, &[1, 2, 3])],
        Input::Images(vec![file]),
    );
    let expected: Vec<f32> = [10, 11]
        .into_iter()
        .flat_map(|x| [0, 1, 2].map(|c| (pixel(x, 2 - c) - (c as f32 + 1.0)) / 2.0))
        .collect();
    assert_eq!(floats(&nhwc.unwrap().inputs.tensors()[0]), expected);
}

fn column(name: &str, input: &str, kind: ColumnKind) -> Column {
    Column {
        name: name.into(),
        input: input.into(),
        kind,
    }
}

fn category(encoding: CategoryEncoding) -> ColumnKind {
    ColumnKind::Category {
        values: vec!["red".into(), "green".into()],
        encoding,
    }
}

fn table(rows: Vec<Vec<Cell>>) -> Result<Prepared, InputError> {
    let age = ColumnKind::Number {
        mean: "40".into(),
        deviation: "10".into(),
        missing: Some("45".into()),
    };
    let kind = PipelineKind::Tabular(TabularPipeline {
        columns: vec![
            column("age", "x", age),
            column("colour", "x", category(CategoryEncoding::OneHot)),
            column("index", "i", category(CategoryEncoding::Index)),
            column("note", "s", ColumnKind::Text),
        ],
        answer: AnswerKind::Tensors,
    });
    let inputs = vec![
        spec("x", DataType::FP32, &[3]),
        spec("i", DataType::INT64, &[1]),
        spec("s", DataType::BYTES, &[1]),
    ];
    prepare(kind, inputs, Input::Rows(rows))
}

fn text(text: &str) -> Cell {
    Cell::Text(text.into())
}

#[test]
fn should_scale_numbers_and_encode_categories() {
    let rows = vec![
        vec![Cell::Number(30.0), text("green"), text("red"), text("a")],
        vec![Cell::Missing, Cell::Missing, Cell::Missing, text("")],
    ];
    let prepared = table(rows).unwrap();
    let [x, i, s] = prepared.inputs.tensors() else {
        panic!("three tensors");
    };
    assert_eq!(floats(x), [-1.0, 0.0, 1.0, 0.5, 0.0, 0.0]);
    assert_eq!(
        i.data,
        [0_i64.to_le_bytes(), (-1_i64).to_le_bytes()].concat()
    );
    assert_eq!(s.data, b"\x01\0\0\0a\0\0\0\0");
}

#[test]
fn should_name_the_cell_that_does_not_fit() {
    let good = || vec![Cell::Number(1.0), text("red"), text("red"), text("a")];
    for (at, cell) in [
        (0, Cell::Number(f64::NAN)),
        (0, text("1")),
        (1, text("blue")),
        (1, Cell::Number(0.0)),
        (3, Cell::Missing),
    ] {
        let mut row = good();
        row[at] = cell;
        let refused = table(vec![good(), row]).unwrap_err();
        assert!(refused.input().starts_with("rows[1]."), "{refused}");
    }
    assert!(matches!(table(vec![]), Err(InputError::ItemCount { .. })));
    assert!(matches!(
        table(vec![good(), good(), good(), good()]),
        Err(InputError::ItemCount {
            given: 4,
            max: 3,
            ..
        })
    ));
    assert!(matches!(table(vec![vec![]]), Err(InputError::Item { .. })));
    let wrong_kind = prepare(PipelineKind::Tensors, vec![], Input::Rows(vec![]));
    assert!(matches!(wrong_kind, Err(InputError::Kind { .. })));
}
