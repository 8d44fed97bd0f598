//! Inputs that cost as much as one of their kind can.

use stoa_inference_api::HttpRequest;

/// Of the tests of the tokenizer, each another combination of parts, and a token to pad with.
pub const TOKENIZERS: [(&str, &str); 7] = [
    ("bert-cased", "[PAD]"),
    ("gpt2", "<|endoftext|>"),
    ("roberta", "<pad>"),
    ("llama2", "<unk>"),
    ("llama3", "<|begin|>"),
    ("words", "[PAD]"),
    ("suffix", "[PAD]"),
];

/// Sides of the largest picture that a pipeline takes.
const SIDE_MAX: u32 = 2_048;

/// Kinds of texts, so many bytes of each.
pub fn texts(bytes: usize) -> Vec<(&'static str, String)> {
    // Letters that begin no longer token, and one at the end that makes all of them one unknown word.
    let unknown = format!("{}\u{2603} ", "q".repeat(98));
    let mut state = 1_u64;
    let mut random = |first: u32, count: u32| {
        let mut text = String::new();
        while text.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.extend(char::from_u32(first + (state >> 33) as u32 % count));
        }
        text
    };
    let random = [
        ("random letters", random('a' as u32, 26)),
        ("random ideographs", random(0x4E00, 20_000)),
        ("random symbols of all planes", random(0x21, 0x2_0000)),
    ];
    let repeated = [
        ("words", "word "),
        ("letters", "a b c "),
        ("one word of two letters", "ab"),
        ("unknown words", &unknown),
        ("blanks", " "),
        ("line breaks and blanks", "\n "),
        ("punctuation", ".,!"),
        ("ideographs", "漢"),
        ("marks", "\u{345}\u{334}\u{301}"),
        ("Hangul, three characters each when normalized", "각각각a"),
        (
            "ligatures, eighteen characters each when normalized",
            "\u{fdfa}",
        ),
        ("letters with two marks", "ǭ"),
        ("beginnings of special tokens", "<"),
        ("special tokens", "[MASK]<mask><|begin|>"),
    ];
    let repeated = repeated.map(|(kind, unit)| (kind, unit.repeat(bytes / unit.len() + 1)));
    let mut all: Vec<(&str, String)> = repeated.into_iter().chain(random).collect();
    for (_, text) in &mut all {
        text.truncate(text.floor_char_boundary(bytes));
    }
    // What may be given, and is the most that may come of it.
    all.push(("Hangul that just fits", "각".repeat(bytes / 9)));
    all.push(("ligatures that just fit", "\u{fdfa}".repeat(bytes / 33)));
    all
}

/// As many texts as OpenAI's interface takes, all bytes that a call may have.
pub fn most_embeddings(model: &str, secret: &str, bytes: usize) -> HttpRequest {
    const TEXTS: usize = 2_048;
    let texts = vec!["a ".repeat(bytes / TEXTS / 2); TEXTS];
    let body = serde_json::json!({ "model": model, "input": texts });
    HttpRequest {
        method: "POST".to_owned(),
        url: "/v1/embeddings".to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {secret}"))],
        body: serde_json::to_vec(&body).expect("JSON"),
        certificate_version: None,
    }
}

/// Few bytes, many pixels.
pub fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a PNG file of 2048 x 2048", largest_png()),
        ("a JPEG file of 2048 x 2048", largest_jpeg()),
        // The shorter side becomes 256, the longer one 16,384.
        ("a PNG file of 64 x 1, 16384 x 256 when resized", png(64, 1)),
    ]
}

/// A PNG file of the most pixels, each line from the one above by the dearest of the filters.
pub fn largest_png() -> Vec<u8> {
    png(SIDE_MAX, SIDE_MAX)
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().expect("a header");
    let pixels: Vec<u8> = (0..3 * width * height)
        .map(|index| (index / 7 % 251) as u8)
        .collect();
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    file
}

/// A baseline JPEG file of the most pixels, without a smaller scale for colours. In each block are a few of the higher
/// frequencies, so that none is transformed by a shorter way; 11 bits are enough for that.
fn largest_jpeg() -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        let length = (content.len() + 2) as u16;
        [&[0xFF, marker][..], &length.to_be_bytes(), content].concat()
    };
    let [high, low] = (SIDE_MAX as u16).to_be_bytes();
    let quantisation = [&[0][..], &[16; 64]].concat();
    let frame = [
        8, high, low, high, low, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0,
    ];
    let codes = |kind: u8, lengths: &[u8], values: &[u8]| {
        let mut counts = [0; 16];
        counts[..lengths.len()].copy_from_slice(lengths);
        [&[kind][..], &counts, values].concat()
    };
    let scan = [3, 1, 0, 2, 0, 3, 0, 0, 63, 0];
    let mut file = vec![0xFF, 0xD8];
    file.extend(segment(0xDB, &quantisation));
    file.extend(segment(0xC0, &frame));
    // `0`: no change of the mean.
    file.extend(segment(0xC4, &codes(0x00, &[1], &[0])));
    // `0`: the block ends; `10`: fifteen zeros and a value of one bit.
    file.extend(segment(0xC4, &codes(0x10, &[1, 1], &[0x00, 0xF1])));
    file.extend(segment(0xDA, &scan));
    let block = [0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0];
    let blocks = (SIDE_MAX as usize / 8).pow(2) * 3;
    let (mut byte, mut bits) = (0_u8, 0);
    for bit in block.iter().copied().cycle().take(blocks * block.len()) {
        byte = byte << 1 | bit;
        bits += 1;
        if bits == 8 {
            file.push(byte);
            // An 0xFF of data is followed by a zero.
            if byte == 0xFF {
                file.push(0);
            }
            (byte, bits) = (0, 0);
        }
    }
    file.extend([0xFF, 0xD9]);
    file
}
