import { expect, it } from 'vitest';
import type { RegistryTypes } from '$lib/api/stoa';
import { exampleJson, parseTensors, pictureOf, smallestShape, tensor, values } from './tensors';

const PIXELS: RegistryTypes.TensorSpec = {
  name: 'pixels',
  datatype: { FP32: null },
  shape: [{ Dynamic: { name: 'batch', max: 64n } }, { Fixed: 64n }],
};

it('should write and read numbers as the interface has them', () => {
  const written = tensor({ name: 'x', datatype: { INT64: null } }, [2], [1, -2]);
  expect(Array.from(written.data)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255]);
  expect(values(written)).toEqual([1n, -2n]);
  expect(values(tensor(PIXELS, [1, 2], [0.5, -1]))).toEqual([0.5, -1]);
});

it('should read its own example back', () => {
  const [read] = parseTensors(exampleJson([PIXELS]), [PIXELS]);
  expect(read?.shape).toEqual(BigUint64Array.of(1n, 64n));
  expect(read?.data).toHaveLength(256);
});

it.each([
  ['{', 'no JSON'],
  ['{}', 'A list of tensors'],
  ['[]', 'pixels is missing'],
  ['[{"name": "pixels", "shape": [1, 64], "data": [1]}]', '1 numbers, and [1, 64] has 64'],
  ['[{"name": "pixels", "shape": [1], "data": ["x"]}]', 'number 1 is none'],
])('should say what is wrong with %s', (json, reason) => {
  expect(() => parseTensors(json, [PIXELS])).toThrow(reason);
});

it('should see which inputs can be drawn', () => {
  expect(smallestShape(PIXELS)).toEqual([1, 64]);
  expect(pictureOf([PIXELS])).toEqual({ width: 8, height: 8 });
  expect(pictureOf([{ ...PIXELS, shape: [{ Fixed: 1n }, { Fixed: 28n }, { Fixed: 28n }] }])).toEqual({ width: 28, height: 28 });
  expect(pictureOf([{ ...PIXELS, shape: [{ Fixed: 10n }] }])).toBeUndefined();
  expect(pictureOf([PIXELS, PIXELS])).toBeUndefined();
});
