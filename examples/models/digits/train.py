#!/usr/bin/env python3
"""Trains the digits classifier and writes everything that a publisher pushes.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python train.py

Writes `digits.onnx`, `model.toml`, `README.md` (the model card, with the accuracy measured here) and
`samples/*.json` (real scans of the test split with onnxruntime's answer as the reference).

Every random choice is seeded, so one machine gives the same bytes again. Another machine's BLAS may round a sum
differently in training: the committed files are the model, and this script is how it came to be.
"""

import hashlib
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import sklearn
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

FOLDER = pathlib.Path(__file__).resolve().parent
SEED = 2026
HIDDEN = (128, 64)
PIXEL_MAX = 16.0
BATCH_MAX = 64
OPSET = 17
IR_VERSION = 8


def train():
    """Returns the fitted classifier and the test split: pixels float32 [n, 64] in 0..16, labels [n]."""
    digits = load_digits()
    pixels = digits.data.astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target
    )
    classifier = MLPClassifier(hidden_layer_sizes=HIDDEN, alpha=1e-2, max_iter=2000, tol=1e-5, random_state=SEED)
    classifier.fit(train_x.astype(np.float64) / PIXEL_MAX, train_y)
    return classifier, len(train_x), test_x, test_y


def to_onnx(classifier):
    """The graph takes raw pixels, so that no caller can forget the scaling."""
    nodes = [helper.make_node("Div", ["pixels", "pixel_max"], ["scaled"], name="scale")]
    constants = [numpy_helper.from_array(np.array(PIXEL_MAX, dtype=np.float32), "pixel_max")]
    value = "scaled"
    last = len(classifier.coefs_) - 1
    for index, (weights, bias) in enumerate(zip(classifier.coefs_, classifier.intercepts_)):
        constants.append(numpy_helper.from_array(weights.astype(np.float32), f"weights_{index}"))
        constants.append(numpy_helper.from_array(bias.astype(np.float32), f"bias_{index}"))
        linear = f"linear_{index}"
        nodes.append(
            helper.make_node("Gemm", [value, f"weights_{index}", f"bias_{index}"], [linear], name=f"layer_{index}")
        )
        value = linear
        if index < last:
            value = f"hidden_{index}"
            nodes.append(helper.make_node("Relu", [linear], [value], name=f"relu_{index}"))
    nodes.append(helper.make_node("Softmax", [value], ["probabilities"], name="softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10])],
        initializer=constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="stoa-examples",
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def sample(session, pixels, labels):
    """A request of the Open Inference Protocol, and next to it what is expected of the answer."""
    probabilities = session.run(["probabilities"], {"pixels": pixels})[0]
    return {
        "inputs": [tensor("pixels", pixels)],
        "expected": {
            "runtime": f"onnxruntime {onnxruntime.__version__}",
            "labels": [int(label) for label in labels],
            "outputs": [tensor("probabilities", probabilities)],
        },
    }


def tensor(name, values):
    # The shortest decimal that reads back as the same float32.
    data = [float(np.format_float_positional(value, unique=True, trim="0")) for value in values.reshape(-1)]
    return {"name": name, "datatype": "FP32", "shape": list(values.shape), "data": data}


def write_json(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n")


MODEL_TOML = """\
# What `stoa push` makes the manifest from. The publisher's handle comes from the command line. Written by train.py.
name = "digits"
version = "1.0.0"
license = "Apache-2.0"
task = "image-classification"
files = ["digits.onnx", "README.md"]
card = "README.md"

[pipeline]
model = "digits.onnx"
kind = "tensors"
labels = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

# A dimension is a number, or a name with the largest value that a caller may choose.
[[signature.inputs]]
name = "pixels"
datatype = "FP32"
shape = [{{ name = "batch", max = {batch_max} }}, 64]

[[signature.outputs]]
name = "probabilities"
datatype = "FP32"
shape = [{{ name = "batch", max = {batch_max} }}, 10]

[lineage]
datasets = ["https://doi.org/10.24432/C50P49"]
code_revision = "train.py sha256:{script}"

[[claims]]
dataset = "sklearn.datasets.load_digits"
split = "test ({test_count} of {count}, stratified, seed {seed})"
metric = "accuracy"
value = "{accuracy}"
"""

CARD = """\
---
language: []
license: apache-2.0
tags:
  - image-classification
  - digits
datasets:
  - sklearn.datasets.load_digits
metrics:
  - accuracy
---

# Handwritten digits

Tells which digit, 0 to 9, an 8x8 grey scan shows. A network with two hidden layers ({layers} units), trained on scans of
real handwriting: small enough to follow by eye, and the example that Stoa's own walk pushes, votes on and runs.

## Use

| | name | type | shape | meaning |
|---|---|---|---|---|
| in | `pixels` | FP32 | [batch, 64] | 8x8 pixels row by row, 0 (paper) to 16 (ink), as they are in the data set; scaling is in the graph |
| out | `probabilities` | FP32 | [batch, 10] | a probability for each digit; a row adds up to 1 |

A batch has 1 to {batch_max} scans. `samples/digits.json` has ten real scans of the test split (of each digit the first that the
model gets right), in the form of an Open Inference Protocol request, with their labels and the answer of {runtime}.

## Data

`sklearn.datasets.load_digits`: {count} scans by 13 people, the test part of *Optical Recognition of Handwritten Digits*
(E. Alpaydin, C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0, https://doi.org/10.24432/C50P49).
{train_count} scans were trained on and {test_count} held back, stratified by digit, seed {seed}.

## Measured

Accuracy on the {test_count} scans held back: **{accuracy}** ({correct} right), measured with {runtime} on the committed file.

## Limits

It has seen centred digits of 13 writers at 8x8 pixels and nothing else. It has no notion of "not a digit": any input gets
an answer. Not for cheques, ballots or anything that a person relies on.

## Made by

`train.py` with the versions in `requirements.txt` (scikit-learn {sklearn}).
"""


def main():
    classifier, train_count, test_x, test_y = train()
    model = to_onnx(classifier)
    (FOLDER / "digits.onnx").write_bytes(model)

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answers = session.run(["probabilities"], {"pixels": test_x})[0].argmax(axis=1)
    right = answers == test_y
    correct = int(right.sum())
    first_of_each = [int(np.flatnonzero(right & (test_y == digit))[0]) for digit in range(10)]
    write_json(FOLDER / "samples" / "digits.json", sample(session, test_x[first_of_each], test_y[first_of_each]))
    write_json(FOLDER / "samples" / "one-digit.json", sample(session, test_x[first_of_each[7:8]], test_y[first_of_each[7:8]]))

    facts = {
        "accuracy": f"{correct / len(test_y):.4f}",
        "batch_max": BATCH_MAX,
        "correct": correct,
        "count": train_count + len(test_y),
        "layers": " and ".join(str(units) for units in HIDDEN),
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "script": hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest(),
        "seed": SEED,
        "sklearn": sklearn.__version__,
        "test_count": len(test_y),
        "train_count": train_count,
    }
    (FOLDER / "model.toml").write_text(MODEL_TOML.format(**facts))
    (FOLDER / "README.md").write_text(CARD.format(**facts))
    print(f"digits.onnx: {len(model)} bytes, sha256 {hashlib.sha256(model).hexdigest()}, accuracy {facts['accuracy']}")


if __name__ == "__main__":
    main()
