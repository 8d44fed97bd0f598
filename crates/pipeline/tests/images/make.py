#!/usr/bin/env python3
"""Writes small PNG and JPEG files of every common kind, and what Pillow makes of them: decoded, resized by each filter,
in colour and grey. The engine's pictures are held to these bytes (JPEG within a few levels, since decoders differ)."""

import io
import json
import pathlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent
# Sizes for which Pillow resizes along rows first; where it finds the other order cheaper, results differ by a level.
SIZES = [(5, 7), (10, 5), (16, 16), (29, 37)]
FILTERS = {"Nearest": Image.NEAREST, "Bilinear": Image.BILINEAR, "Bicubic": Image.BICUBIC}


def base(width, height):
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 255 / width, y * 255 / height, (x * 7 + y * 5) % 256], axis=-1)
    return (smooth + rng.normal(0, 12, smooth.shape)).clip(0, 255).astype(np.uint8)


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue().hex()


def main():
    image = Image.fromarray(base(23, 17))
    alpha = image.copy()
    alpha.putalpha(Image.fromarray(base(23, 17)[..., 0]))
    files = {
        "rgb.png": (image, encoded(image, format="PNG")),
        "rgba.png": (image, encoded(alpha, format="PNG")),
        "grey.png": (image.convert("L"), encoded(image.convert("L"), format="PNG")),
        "palette.png": (image.quantize(16).convert("RGB"), encoded(image.quantize(16), format="PNG")),
        "bits.png": (image.convert("1").convert("L"), encoded(image.convert("1"), format="PNG")),
    }
    jpeg = {}
    for name, options in {"444.jpg": {"subsampling": 0}, "420.jpg": {"subsampling": 2}, "progressive.jpg": {"progressive": True, "subsampling": 0},
                          "restart.jpg": {"subsampling": 1}}.items():
        data = encoded(Image.fromarray(base(64, 48)), format="JPEG", quality=90, **options)
        jpeg[name] = (Image.open(io.BytesIO(bytes.fromhex(data))).convert("RGB"), data)
    grey = encoded(Image.fromarray(base(64, 48)).convert("L"), format="JPEG", quality=90)
    jpeg["grey.jpg"] = (Image.open(io.BytesIO(bytes.fromhex(grey))).convert("RGB"), grey)

    result = {"exact": {}, "near": {}, "resized": []}
    for kind, group in [("exact", files), ("near", jpeg)]:
        for name, (decoded, data) in group.items():
            rgb = decoded.convert("RGB")
            result[kind][name] = {"file": data, "width": rgb.width, "height": rgb.height, "rgb": rgb.tobytes().hex(),
                                  "grey": decoded.convert("L").tobytes().hex()}
    for width, height in SIZES:
        for name, resample in FILTERS.items():
            made = image.resize((width, height), resample)
            result["resized"].append({"width": width, "height": height, "filter": name, "rgb": made.tobytes().hex()})
    lines = [f'"{kind}":{json.dumps(value)}' for kind, value in result.items()]
    (FOLDER / "expected.json").write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
