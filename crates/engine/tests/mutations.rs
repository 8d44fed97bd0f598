//! Mutations of models that are whole: whatever comes of it, it is loaded or refused, and what is loaded runs or stops with
//! an error; nothing panics past the engine, hangs or takes memory that was not allowed. A random mutator, not libFuzzer:
//! it needs no other toolchain. `STOA_FUZZ_SECONDS=3600 cargo test --test mutations` goes on for longer, with other seeds.

mod building;

use std::time::{Duration, Instant, SystemTime};

use building::{constant, integer, integers, model, node, noise, value, weights};
use prost::Message;
use stoa_engine::{Limits, Slicing};
use stoa_types::manifest::{Dimension, Signature, TensorSpec};
use stoa_types::tensor::DataType;
use tract_onnx::pb::{GraphProto, ModelProto};

/// No mutation of such small models may take longer.
const ONE_MAX: Duration = Duration::from_secs(20);

const OPERATORS: [&str; 30] = [
    "Add",
    "Mul",
    "MatMul",
    "Conv",
    "Relu",
    "Softmax",
    "Concat",
    "Reshape",
    "Transpose",
    "Gather",
    "Slice",
    "Expand",
    "Tile",
    "Pad",
    "ReduceSum",
    "ReduceMax",
    "MaxPool",
    "AveragePool",
    "Gemm",
    "Cast",
    "Unsqueeze",
    "Squeeze",
    "Resize",
    "TopK",
    "CumSum",
    "Where",
    "Range",
    "LSTM",
    "ConstantOfShape",
    "Split",
];

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn number(&mut self) -> i64 {
        const AWKWARD: [i64; 14] = [
            0,
            1,
            -1,
            2,
            3,
            7,
            -2,
            255,
            65_536,
            1 << 31,
            -(1 << 31),
            1 << 40,
            i64::MAX,
            i64::MIN,
        ];
        AWKWARD[self.next(AWKWARD.len())]
    }
}

fn seed_model() -> ModelProto {
    model(GraphProto {
        node: vec![
            node(
                "Conv",
                &["x", "w", "b"],
                "c",
                vec![integers("pads", &[1, 1, 1, 1])],
            ),
            node("Relu", &["c"], "r", vec![]),
            node(
                "MaxPool",
                &["r"],
                "p",
                vec![
                    integers("kernel_shape", &[2, 2]),
                    integers("strides", &[2, 2]),
                ],
            ),
            node("Reshape", &["p", "shape"], "f", vec![]),
            node("MatMul", &["f", "m"], "s", vec![]),
            node("Softmax", &["s"], "t", vec![integer("axis", -1)]),
            node("Slice", &["t", "begin", "end"], "u", vec![]),
            node("Concat", &["u", "t"], "v", vec![integer("axis", 0)]),
            node("ReduceSum", &["v"], "y", vec![integer("keepdims", 1)]),
        ],
        name: "seed".into(),
        initializer: vec![
            weights("w", &[4, 2, 3, 3], 1),
            weights("b", &[4], 2),
            weights("m", &[9, 5], 3),
            constant("shape", &[4, 9]),
            constant("begin", &[0]),
            constant("end", &[2]),
        ],
        input: vec![value("x", &[Some(1), Some(2), Some(6), Some(6)])],
        output: vec![value("y", &[Some(1), Some(1)])],
        ..GraphProto::default()
    })
}

fn mutate(model: &mut ModelProto, random: &mut Random) {
    let graph = model.graph.as_mut().expect("a graph");
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.output.clone())
        .chain(graph.initializer.iter().map(|tensor| tensor.name.clone()))
        .chain(["x".to_owned(), String::new(), "nobody".to_owned()])
        .collect();
    for _ in 0..=random.next(3) {
        let at = random.next(graph.node.len());
        match random.next(9) {
            0 => graph.node[at].op_type = OPERATORS[random.next(OPERATORS.len())].into(),
            1 => {
                let name = names[random.next(names.len())].clone();
                let inputs = &mut graph.node[at].input;
                let slot = random.next(inputs.len() + 1);
                if slot < inputs.len() {
                    inputs[slot] = name;
                } else {
                    inputs.push(name);
                }
            }
            2 => {
                let number = random.number();
                if let Some(attribute) = graph.node[at].attribute.first_mut() {
                    attribute.i = number;
                    if let Some(first) = attribute.ints.first_mut() {
                        *first = number;
                    }
                }
            }
            3 => {
                let names = [
                    "axis",
                    "axes",
                    "to",
                    "group",
                    "dilations",
                    "strides",
                    "keepdims",
                ];
                let name = names[random.next(names.len())];
                let attribute = match random.next(2) {
                    0 => integer(name, random.number()),
                    _ => integers(name, &[random.number(), random.number()]),
                };
                graph.node[at].attribute.push(attribute);
            }
            4 => {
                let which = random.next(graph.initializer.len());
                let number = random.number();
                let dims = &mut graph.initializer[which].dims;
                match random.next(2) {
                    0 => dims.push(number),
                    _ => dims.iter_mut().take(1).for_each(|extent| *extent = number),
                }
            }
            5 => {
                let which = random.next(graph.initializer.len());
                let data = &mut graph.initializer[which].raw_data;
                if !data.is_empty() {
                    let byte = random.next(data.len());
                    data[byte] = random.next(256) as u8;
                }
            }
            6 => {
                let which = random.next(graph.initializer.len());
                graph.initializer[which].data_type = random.next(18) as i32;
            }
            7 => {
                graph.node.remove(at);
                if graph.node.is_empty() {
                    return;
                }
            }
            _ => {
                let mut copy = graph.node[at].clone();
                copy.name = format!("copy{}", random.next(1_000));
                copy.output = vec![copy.name.clone()];
                graph.node.push(copy);
            }
        }
    }
}

fn mutate_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.next(4) {
        let at = random.next(bytes.len());
        match random.next(4) {
            0 => bytes[at] = random.next(256) as u8,
            1 => bytes[at] ^= 1 << random.next(8),
            2 => {
                bytes.truncate(at.max(1));
            }
            _ => {
                let end = (at + random.next(40)).min(bytes.len());
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
        }
    }
}

fn signature() -> Signature {
    let spec = |name: &str, shape: &[u64]| TensorSpec {
        name: name.into(),
        datatype: DataType::FP32,
        shape: shape
            .iter()
            .map(|extent| Dimension::Fixed(*extent))
            .collect(),
    };
    Signature {
        inputs: vec![spec("x", &[1, 2, 6, 6])],
        outputs: vec![spec("y", &[1, 1])],
    }
}

/// `Some(true)`: it ran.
fn load_and_run(onnx: Vec<u8>) -> Option<bool> {
    let limits = Limits {
        memory_bytes_max: 64 << 20,
        unit_multiply_adds_max: 50_000_000,
        ..Limits::default()
    };
    let model = stoa_engine::load(onnx, &signature(), limits).ok()?;
    let mut inputs = model.smallest_inputs();
    inputs[0].data = noise(5)
        .take(72)
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let inputs = model.check_inputs(inputs).expect("they fit");
    let Ok(mut run) = model.start(inputs) else {
        return Some(false);
    };
    loop {
        match run.step(|| false) {
            Ok(Slicing::Paused(more)) => run = more,
            Ok(Slicing::Done(outputs)) => {
                assert_eq!(outputs[0].shape, [1, 1]);
                return Some(true);
            }
            Err(_) => return Some(false),
        }
    }
}

#[test]
fn should_survive_mutations_of_a_model() {
    let seconds = std::env::var("STOA_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let (until, cases, first) = match seconds {
        Some(seconds) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seed = now.expect("after 1970").as_secs();
            (
                Some(Instant::now() + Duration::from_secs(seconds)),
                u64::MAX,
                seed << 20,
            )
        }
        None => (None, 1_500, 1),
    };
    // Panics inside of tract are turned into refusals; their messages would only fill the screen.
    std::panic::set_hook(Box::new(|_| {}));
    let (mut refused, mut stopped, mut ran) = (0_u64, 0_u64, 0_u64);
    for case in 0..cases {
        if until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        let mut random = Random((first + case).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut proto = seed_model();
        let onnx = if case % 4 == 3 {
            let mut bytes = proto.encode_to_vec();
            mutate_bytes(&mut bytes, &mut random);
            bytes
        } else {
            mutate(&mut proto, &mut random);
            proto.encode_to_vec()
        };
        let begun = Instant::now();
        match load_and_run(onnx) {
            None => refused += 1,
            Some(false) => stopped += 1,
            Some(true) => ran += 1,
        }
        assert!(
            begun.elapsed() < ONE_MAX,
            "case {case} took {:?}",
            begun.elapsed()
        );
    }
    println!("{refused} refused, {stopped} stopped, {ran} ran");
    assert!(
        refused > 0 && ran > 0,
        "{refused} refused, {stopped} stopped, {ran} ran"
    );
}
