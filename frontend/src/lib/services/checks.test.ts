import { expect, it } from 'vitest';
import { checkDescribed, checkHandle } from './checks';
import { readModelToml, type Described } from './manifest';

const DIGITS: Described = readModelToml({
  name: 'digits',
  version: '1.0.0',
  license: 'Apache-2.0',
  task: 'image-classification',
  files: ['digits.onnx', 'README.md'],
  card: 'README.md',
  pipeline: { model: 'digits.onnx', kind: 'tensors', labels: ['0', '1'] },
  signature: {
    inputs: [{ name: 'pixels', datatype: 'FP32', shape: [{ name: 'batch', max: 64 }, 64] }],
    outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [{ name: 'batch', max: 64 }, 10] }],
  },
  lineage: { datasets: ['https://doi.org/10.24432/C50P49'], code_revision: 'train.py' },
  claims: [{ dataset: 'd', split: 's', metric: 'accuracy', value: '0.98' }],
}).described;

it('should find nothing in a description that is whole', () => {
  expect(checkDescribed(DIGITS, ['digits.onnx'])).toEqual([]);
  expect(DIGITS.signature.inputs[0]?.shape).toEqual([{ Dynamic: { name: 'batch', max: 64n } }, { Fixed: 64n }]);
});

it.each([
  [{ name: 'two words' }, 'name'],
  [{ name: 'a--b' }, 'name'],
  [{ version: '1.0' }, 'version'],
  [{ license: ' ' }, 'license'],
  [{ task: 'Image' }, 'task'],
  [{ pipeline: { ...DIGITS.pipeline, model: 'other.onnx' } }, 'model file'],
  [{ signature: { inputs: [], outputs: DIGITS.signature.outputs } }, 'inputs'],
])('should say what is wrong with a description (%#)', (change, field) => {
  expect(checkDescribed({ ...DIGITS, ...change }, ['digits.onnx']).map((finding) => finding.field)).toEqual([field]);
});

it('should know handles', () => {
  for (const good of ['ab', 'my-lab', 'a1']) expect(checkHandle(good)).toEqual([]);
  for (const wrong of ['a', '-ab', 'My', 'a--b', 'x'.repeat(40)]) expect(checkHandle(wrong)).toHaveLength(1);
});

it('should refuse a field that model.toml does not have, by its place', () => {
  expect(() => readModelToml({ nmae: 'x' })).toThrow('name: a text is needed');
  expect(() =>
    readModelToml({
      name: 'a', version: '1.0.0', license: 'MIT', task: 't', files: [],
      pipeline: { model: 'm', kind: 'text', text: { tokenizer: 't', ids: 'i', tokens_max: 4, padding: { token: 'p', side: 'Up', length: 'Fixed' } } },
      signature: { inputs: [], outputs: [] },
    }),
  ).toThrow('pipeline.text.padding.side');
});

it('should read text and image pipelines as the manifest has them', () => {
  const base = { name: 'a', version: '1.0.0', license: 'MIT', task: 't', files: [], signature: { inputs: [], outputs: [] } };
  const text = readModelToml({
    ...base,
    pipeline: {
      model: 'm', kind: 'text',
      text: {
        tokenizer: 'tokenizer.json', ids: 'input_ids', mask: 'attention_mask', tokens_max: 256,
        padding: { token: '[PAD]', side: 'Right', length: 'Longest' },
        answer: { Embedding: { output: 'h', pooling: 'Mean', normalise: true } },
      },
    },
  }).described.pipeline.kind;
  expect(text).toMatchObject({ Text: { mask: ['attention_mask'], types: [], padding: { side: { Right: null } }, answer: { Embedding: { pooling: { Mean: null } } } } });
  const image = readModelToml({
    ...base,
    pipeline: {
      model: 'm', kind: 'image',
      image: {
        input: 'pixels', colours: 'Rgb', layout: 'Nchw', resize: { ShortestSide: 256 }, filter: 'Bilinear', crop: { width: 224, height: 224 },
        scale: '1', mean: ['0'], deviation: ['1'], answer: { Classes: { output: 's', activation: 'Softmax', top: 5 } },
      },
    },
  }).described.pipeline.kind;
  expect(image).toMatchObject({ Image: { resize: { ShortestSide: 256n }, crop: [{ width: 224n, height: 224n }], answer: { Classes: { top: 5n } } } });
});
