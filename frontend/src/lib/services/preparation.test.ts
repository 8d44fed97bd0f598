import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { preparationOf } from './preparation';
import { values } from './tensors';

// Made by `scripts/build`, as the page's other parts.
const module = new WebAssembly.Module(readFileSync(new URL('../../generated/page_pipeline.wasm', import.meta.url)));
const FP32 = { FP32: null };
const number = { Number: { mean: '2', deviation: '4', missing: [] as [] } };
const manifest = {
  pipeline: {
    model: 'rows.onnx',
    labels: ['no', 'yes'],
    kind: {
      Tabular: {
        columns: [
          { name: 'age', input: 'x', kind: number },
          { name: 'colour', input: 'x', kind: { Category: { values: ['red', 'blue'], encoding: { OneHot: null } } } },
        ],
        answer: { Classes: { output: 'scores', activation: { Sigmoid: null }, top: 1n } },
      },
    },
  },
  signature: {
    inputs: [{ name: 'x', datatype: FP32, shape: [{ Dynamic: { name: 'rows', max: 4n } }, { Fixed: 3n }] }],
    outputs: [{ name: 'scores', datatype: FP32, shape: [{ Dynamic: { name: 'rows', max: 4n } }, { Fixed: 2n }] }],
  },
};

describe('the pipelines on this device', () => {
  it('should prepare rows and answer with labels as the chain does', async () => {
    const preparation = await preparationOf(module, manifest, new Map());
    const [tensor] = preparation.prepare({ Rows: [[{ Number: 10 }, { Text: 'blue' }], [{ Number: 2 }, { Missing: null }]] });
    if (tensor === undefined) throw new Error('no tensor');
    expect([tensor.name, Array.from(tensor.shape)]).toEqual(['x', [2n, 3n]]);
    expect(values(tensor)).toEqual([2, 0, 1, 0, 0, 0]);
    const scores = Float32Array.of(-1, 0, 3, -3);
    const answer = preparation.answer([{ name: 'scores', datatype: FP32, shape: BigUint64Array.of(2n, 2n), data: new Uint8Array(scores.buffer) }]);
    if (!('Classes' in answer)) throw new Error('no classes');
    expect(answer.Classes.map(([best]) => best?.label)).toEqual(['yes', 'no']);
    expect(answer.Classes[0]?.[0]?.score).toBe(0.5);
  });

  it('should refuse what the chain refuses, in its words, and go on', async () => {
    const preparation = await preparationOf(module, manifest, new Map());
    const rows = (count: number) => ({ Rows: Array.from({ length: count }, () => [{ Number: 1 }, { Text: 'red' }]) });
    expect(() => preparation.prepare(rows(5))).toThrow('5 rows are given, from 1 to 4 are allowed');
    expect(() => preparation.prepare({ Rows: [[{ Text: 'old' }, { Text: 'red' }]] })).toThrow(/rows\[0\]/);
    expect(() => preparation.prepare({ Texts: [{ text: 'x', pair: [] }] })).toThrow('Rows or Tensors');
    expect(preparation.prepare(rows(4))).toHaveLength(1);
  });

  it('should say which file of the version is missing or wrong', async () => {
    const text = {
      tokenizer: 'tokenizer.json', ids: 'x', mask: [] as [], types: [] as [], tokens_max: 8n,
      padding: { token: '[PAD]', side: { Right: null }, length: { Longest: null } }, answer: { Tensors: null },
    };
    const texts = { ...manifest, pipeline: { ...manifest.pipeline, kind: { Text: text } } };
    await expect(preparationOf(module, texts, new Map())).rejects.toThrow('tokenizer.json');
    await expect(preparationOf(module, texts, new Map([['tokenizer.json', new Uint8Array(8)]]))).rejects.toThrow(/tokenizer/);
  });
});
