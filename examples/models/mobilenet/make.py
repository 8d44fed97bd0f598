#!/usr/bin/env python3
"""Makes a network of MobileNetV2's shape (M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018;
width 1, 224 x 224: 300.8 million multiply-adds) in target/models/mobilenet, with seeded random weights: it measures how
fast networks of this kind run, and what it answers means nothing."""

import json
import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).resolve().parent
TARGET = FOLDER.parents[2] / "target" / "models" / "mobilenet"
# Expansion, channels, repetitions, stride of the first: table 2 of the paper.
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
SIZE, CLASSES = 224, 1000
RNG = np.random.default_rng(2018)


class Graph:
    def __init__(self):
        self.nodes, self.initialisers, self.multiply_adds, self.size = [], [], 0, SIZE

    def constant(self, name, values, dtype=np.float32):
        self.initialisers.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, operator, inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, value, name, channels_in, channels, kernel, stride=1, groups=1, active=True):
        fan_in = channels_in // groups * kernel * kernel
        # Normalisation after a convolution is folded into it, as exporters do. The gain keeps values of one size.
        weights = RNG.normal(0, np.sqrt((2 if active else 1) / fan_in), (channels, channels_in // groups, kernel, kernel))
        inputs = [value, self.constant(f"{name}.weight", weights), self.constant(f"{name}.bias", RNG.normal(0, 0.1, channels))]
        value = self.add("Conv", inputs, name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups)
        self.size //= stride
        self.multiply_adds += self.size * self.size * channels * fan_in
        return self.add("Clip", [value, "zero", "six"], f"{name}.relu6") if active else value


def build():
    g = Graph()
    g.constant("zero", 0.0)
    g.constant("six", 6.0)
    value = g.convolution("pixels", "stem", 3, 32, 3, stride=2)
    channels = 32
    for index, (expansion, out, repetitions, first_stride) in enumerate(BLOCKS):
        for repetition in range(repetitions):
            name, stride = f"block{index}.{repetition}", first_stride if repetition == 0 else 1
            wide, inner = channels * expansion, value
            if expansion > 1:
                inner = g.convolution(inner, f"{name}.expand", channels, wide, 1)
            inner = g.convolution(inner, f"{name}.depth", wide, wide, 3, stride=stride, groups=wide)
            inner = g.convolution(inner, f"{name}.project", wide, out, 1, active=False)
            value = g.add("Add", [value, inner], f"{name}.sum") if stride == 1 and channels == out else inner
            channels = out
    value = g.convolution(value, "head", channels, 1280, 1)
    value = g.add("GlobalAveragePool", [value], "pool")
    value = g.add("Flatten", [value], "flat", axis=1)
    weights = g.constant("classifier.weight", RNG.normal(0, np.sqrt(1 / 1280), (CLASSES, 1280)))
    g.add("Gemm", [value, weights, g.constant("classifier.bias", RNG.normal(0, 0.1, CLASSES))], "scores", transB=1)
    g.multiply_adds += 1280 * CLASSES
    graph = helper.make_graph(
        g.nodes, "mobilenet-v2-shaped",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["images", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["images", CLASSES])],
        initializer=g.initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model, g.multiply_adds


def picture():
    """A gradient with a disc, as PNG."""
    from PIL import Image

    y, x = np.mgrid[0:300, 0:400]
    pixels = np.stack([x * 255 // 399, y * 255 // 299, (x + y) % 256], axis=-1)
    pixels[(x - 150) ** 2 + (y - 120) ** 2 < 80 ** 2] = [250, 200, 30]
    return Image.fromarray(pixels.astype(np.uint8))


def expected(model, image):
    """onnxruntime's first five on the picture, prepared with Pillow and numpy."""
    import onnxruntime
    from PIL import Image

    resized = image.resize((256 * image.width // image.height, 256), Image.BILINEAR)
    left, top = (resized.width - SIZE) // 2, (resized.height - SIZE) // 2
    pixels = np.asarray(resized.crop((left, top, left + SIZE, top + SIZE))).astype(np.float32)
    scale = np.float32(0.00392156862745098)
    pixels = (pixels * scale - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"pixels": pixels.transpose(2, 0, 1)[None]})
    scores = np.exp(scores[0].astype(np.float64) - scores.max())
    scores /= scores.sum()
    best = np.argsort(-scores)[:5]
    return [{"index": int(index), "score": round(float(scores[index]), 7)} for index in best]


def main():
    model, multiply_adds = build()
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "mobilenet.onnx").write_bytes(model.SerializeToString(deterministic=True))
    image = picture()
    image.save(TARGET / "picture.png")
    (TARGET / "expected.json").write_text(json.dumps(expected(model, image)) + "\n")
    shutil.copyfile(FOLDER / "model.toml", TARGET / "model.toml")
    shutil.copyfile(FOLDER / "README.md", TARGET / "README.md")
    print(f"{TARGET}: {multiply_adds / 1e6:.1f} million multiply-adds, {(TARGET / 'mobilenet.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    main()
