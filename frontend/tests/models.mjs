// Small models for the browser tests, written here down to the bytes of their ONNX files, and their way into the library by the
// command line: one takes texts, one takes pictures, and one has a card that means harm.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';

import { stoa } from './world.mjs';

// Protocol Buffers, as much of them as ONNX needs: numbers, bytes, texts and messages.
function varint(number) {
  const bytes = [];
  let rest = BigInt(number);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => {
  const content = Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;
const INT64 = 7;
const OPSET = 17;

const node = (operator, inputs, outputs, attributes = {}) =>
  message(
    1,
    ...inputs.map((name) => bytes(1, name)),
    ...outputs.map((name) => bytes(2, name)),
    bytes(4, operator),
    ...Object.entries(attributes).map(([name, value]) => message(5, bytes(1, name), number(3, value), number(20, 2))),
  );
const initializer = (name, dims, values) =>
  message(5, ...dims.map((extent) => number(1, extent)), number(2, FLOAT), bytes(8, name), bytes(9, Buffer.from(Float32Array.from(values).buffer)));
const value = (field, name, type, shape) =>
  message(
    field,
    bytes(1, name),
    message(2, message(1, number(1, type), message(2, ...shape.map((extent) => message(1, typeof extent === 'string' ? bytes(2, extent) : number(1, extent)))))),
  );
const onnx = (...graph) =>
  Buffer.concat([number(1, 8), message(8, number(2, OPSET)), message(7, bytes(2, 'graph'), ...graph)]);

const WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'hello', 'good', 'morning', 'a', 'stone', 'roll', '##ing', 'gathers', 'no', 'moss', '.', '!'];
const WIDTH = 8;

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: WORDS.slice(0, 4).map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[SEP]', type_id: 0 } }],
    pair: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
      { Sequence: { id: 'B', type_id: 1 } },
      { SpecialToken: { id: '[SEP]', type_id: 1 } },
    ],
    special_tokens: Object.fromEntries(['[CLS]', '[SEP]'].map((token) => [token, { id: token, ids: [WORDS.indexOf(token)], tokens: [token] }])),
  },
  decoder: null,
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])),
  },
};

/** A vector for each token, from a table; a text's vector is the mean of them. */
export async function textModel(path, name) {
  await mkdir(path, { recursive: true });
  const table = Array.from({ length: WORDS.length * WIDTH }, (_, index) => Math.sin(index * index + 1));
  await writeFile(
    join(path, 'words.onnx'),
    onnx(
      node('Gather', ['table', 'ids'], ['vectors'], { axis: 0 }),
      initializer('table', [WORDS.length, WIDTH], table),
      value(11, 'ids', INT64, ['texts', 'tokens']),
      value(12, 'vectors', FLOAT, ['texts', 'tokens', WIDTH]),
    ),
  );
  await writeFile(join(path, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(path, 'README.md'), '# Words\n\nA vector for each of a few words.\n');
  await writeFile(
    join(path, 'model.toml'),
    `name = "${name}"
version = "1.0.0"
license = "Apache-2.0"
task = "sentence-similarity"
files = ["words.onnx", "tokenizer.json", "README.md"]
card = "README.md"

[pipeline]
model = "words.onnx"
kind = "text"

[pipeline.text]
tokenizer = "tokenizer.json"
ids = "ids"
tokens_max = 32
padding = { token = "[PAD]", side = "Right", length = "Longest" }
answer = { Embedding = { output = "vectors", pooling = "Mean", normalise = true } }

[[signature.inputs]]
name = "ids"
datatype = "INT64"
shape = [{ name = "texts", max = 8 }, { name = "tokens", max = 32 }]

[[signature.outputs]]
name = "vectors"
datatype = "FP32"
shape = [{ name = "texts", max = 8 }, { name = "tokens", max = 32 }, ${WIDTH}]

[lineage]
datasets = []
`,
  );
  return path;
}

/** Which of three colours there is most of in a picture. */
export async function colourModel(path, name) {
  await mkdir(path, { recursive: true });
  const weights = [8, -4, -4, -4, 8, -4, -4, -4, 8];
  await writeFile(
    join(path, 'colours.onnx'),
    onnx(
      node('GlobalAveragePool', ['pixels'], ['pooled']),
      node('Flatten', ['pooled'], ['means'], { axis: 1 }),
      node('MatMul', ['means', 'weights'], ['scores']),
      initializer('weights', [3, 3], weights),
      value(11, 'pixels', FLOAT, [1, 3, 16, 16]),
      value(12, 'scores', FLOAT, [1, 3]),
    ),
  );
  await writeFile(join(path, 'README.md'), '# Colours\n\nRed, green or blue?\n');
  await writeFile(
    join(path, 'model.toml'),
    `name = "${name}"
version = "1.0.0"
license = "Apache-2.0"
task = "image-classification"
files = ["colours.onnx", "README.md"]
card = "README.md"

[pipeline]
model = "colours.onnx"
kind = "image"
labels = ["red", "green", "blue"]

[pipeline.image]
input = "pixels"
colours = "Rgb"
layout = "Nchw"
resize = { ShortestSide = 20 }
filter = "Bicubic"
crop = { width = 16, height = 16 }
scale = "0.00392156862745098"
mean = ["0.485", "0.456", "0.406"]
deviation = ["0.229", "0.224", "0.225"]
answer = { Classes = { output = "scores", activation = "Softmax", top = 3 } }

[[signature.inputs]]
name = "pixels"
datatype = "FP32"
shape = [1, 3, 16, 16]

[[signature.outputs]]
name = "scores"
datatype = "FP32"
shape = [1, 3]

[lineage]
datasets = []
`,
  );
  return path;
}

/** Whether somebody stays or leaves, by age and plan: x = (age - 40) / 10, basic, plus; scores are x times the weights. */
export async function rowModel(path, name) {
  await mkdir(path, { recursive: true });
  await writeFile(
    join(path, 'rows.onnx'),
    onnx(
      node('MatMul', ['x', 'weights'], ['scores']),
      initializer('weights', [3, 2], [-1, 1, 1, -1, 0.5, -0.5]),
      value(11, 'x', FLOAT, ['rows', 3]),
      value(12, 'scores', FLOAT, ['rows', 2]),
    ),
  );
  await writeFile(join(path, 'README.md'), '# Rows\n\nStays or leaves?\n');
  await writeFile(
    join(path, 'model.toml'),
    `name = "${name}"
version = "1.0.0"
license = "Apache-2.0"
task = "tabular-classification"
files = ["rows.onnx", "README.md"]
card = "README.md"

[pipeline]
model = "rows.onnx"
kind = "tabular"
labels = ["stays", "leaves"]

[pipeline.tabular]
answer = { Classes = { output = "scores", activation = "Softmax", top = 2 } }

[[pipeline.tabular.columns]]
name = "age"
input = "x"
kind = { Number = { mean = "40", deviation = "10", missing = "40" } }

[[pipeline.tabular.columns]]
name = "plan"
input = "x"
kind = { Category = { values = ["basic", "plus"], encoding = "OneHot" } }

[[signature.inputs]]
name = "x"
datatype = "FP32"
shape = [{ name = "rows", max = 8 }, 3]

[[signature.outputs]]
name = "scores"
datatype = "FP32"
shape = [{ name = "rows", max = 8 }, 2]

[lineage]
datasets = []
`,
  );
  return path;
}

/** A PNG of 8-bit RGB whose pixels `colour(x, y)` gives. */
export function png(width, height, colour) {
  const row = (y) => Buffer.concat([Buffer.of(0), ...Array.from({ length: width }, (_, x) => Buffer.from(colour(x, y)))]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return pngFile(header, deflateSync(Buffer.concat(Array.from({ length: height }, (_, y) => row(y)))));
}

/** One colour, one bit a pixel, a few kilobytes as a file whatever its size on the screen. */
export function bombPng(side) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0, 0, 0, 0], 8);
  return pngFile(header, deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))), { level: 9 }));
}

function pngFile(header, data) {
  const chunk = (type, content) => {
    const typed = Buffer.concat([Buffer.from(type, 'latin1'), content]);
    const framed = Buffer.alloc(typed.length + 8);
    framed.writeUInt32BE(content.length, 0);
    typed.copy(framed, 4);
    framed.writeUInt32BE(crc32(typed), typed.length + 4);
    return framed;
  };
  return Buffer.concat([Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

/** By the command line, as who deployed: claimed unless it is already, pushed, voted in by the neuron that decides, and loaded. */
export async function publish(path, handle, name, { claimed = false, load = true, semver = '1.0.0' } = {}) {
  if (!claimed) await stoa('publisher', 'claim', handle);
  const version = `${handle}/${name}@${semver}`;
  await stoa('model', 'push', path, '--publisher', handle);
  await stoa('model', 'submit', version);
  await stoa('propose', 'admit', version);
  await stoa('vote', 'latest', 'yes', '--neuron', '1', '--wait');
  if (load) await stoa('load', `${handle}/${name}`);
}
