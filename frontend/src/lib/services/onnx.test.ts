import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readSignature } from './onnx';

const DIGITS = new URL('../../../../examples/models/digits/digits.onnx', import.meta.url);

it('should read the tensors of a real model', async () => {
  const { inputs, outputs } = await readSignature(new Blob([readFileSync(DIGITS)]));
  expect(inputs.map(({ name }) => name)).toEqual(['pixels']);
  expect(inputs[0]?.datatype).toEqual({ FP32: null });
  expect(inputs[0]?.shape.at(-1)).toEqual({ Fixed: 64n });
  expect(outputs.map(({ name }) => name)).toEqual(['probabilities']);
});

it.each([[new Uint8Array()], [new TextEncoder().encode('<html>')], [new Uint8Array(64).fill(0xff)]])(
  'should say that other bytes are no model',
  async (bytes) => {
    await expect(readSignature(new Blob([bytes]))).rejects.toThrow(/no ONNX/);
  },
);

it('should end on a file that is cut off in its graph', async () => {
  const whole = readFileSync(DIGITS);
  for (const length of [1, 17, 200, 1000]) {
    await expect(readSignature(new Blob([whole.subarray(0, length)]))).rejects.toThrow();
  }
});
