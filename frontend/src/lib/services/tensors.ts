/** Tensors as the interface has them (row-major, little-endian bytes) and as people and JavaScript have them. */
import type { InferenceTypes, RegistryTypes } from '$lib/api/stoa';

export type Tensor = InferenceTypes.Tensor;

export class TensorError extends Error {
  override readonly name = 'TensorError';
}

interface Element {
  readonly bytes: number;
  readonly read: (view: DataView, offset: number) => number | bigint | boolean;
  readonly write: (view: DataView, offset: number, value: number) => void;
}

/** FP16 is not read or written here; BYTES are texts, each behind its length. */
const ELEMENTS: Record<string, Element> = {
  BOOL: { bytes: 1, read: (v, o) => v.getUint8(o) !== 0, write: (v, o, x) => v.setUint8(o, x === 0 ? 0 : 1) },
  UINT8: { bytes: 1, read: (v, o) => v.getUint8(o), write: (v, o, x) => v.setUint8(o, x) },
  UINT16: { bytes: 2, read: (v, o) => v.getUint16(o, true), write: (v, o, x) => v.setUint16(o, x, true) },
  UINT32: { bytes: 4, read: (v, o) => v.getUint32(o, true), write: (v, o, x) => v.setUint32(o, x, true) },
  UINT64: { bytes: 8, read: (v, o) => v.getBigUint64(o, true), write: (v, o, x) => v.setBigUint64(o, BigInt(x), true) },
  INT8: { bytes: 1, read: (v, o) => v.getInt8(o), write: (v, o, x) => v.setInt8(o, x) },
  INT16: { bytes: 2, read: (v, o) => v.getInt16(o, true), write: (v, o, x) => v.setInt16(o, x, true) },
  INT32: { bytes: 4, read: (v, o) => v.getInt32(o, true), write: (v, o, x) => v.setInt32(o, x, true) },
  INT64: { bytes: 8, read: (v, o) => v.getBigInt64(o, true), write: (v, o, x) => v.setBigInt64(o, BigInt(x), true) },
  FP32: { bytes: 4, read: (v, o) => v.getFloat32(o, true), write: (v, o, x) => v.setFloat32(o, x, true) },
  FP64: { bytes: 8, read: (v, o) => v.getFloat64(o, true), write: (v, o, x) => v.setFloat64(o, x, true) },
};

export function datatypeName(datatype: object): string {
  return Object.keys(datatype)[0] ?? '';
}

export function extents(shape: ArrayLike<bigint>): number[] {
  return Array.from(shape, Number);
}

export function values(tensor: Tensor): (number | bigint | boolean)[] {
  const name = datatypeName(tensor.datatype);
  const element = ELEMENTS[name];
  if (element === undefined) throw new TensorError(`Tensors of ${name} are not shown here.`);
  const data = Uint8Array.from(tensor.data);
  const view = new DataView(data.buffer);
  return Array.from({ length: data.length / element.bytes }, (_, index) => element.read(view, index * element.bytes));
}

export function tensor(spec: { name: string; datatype: InferenceTypes.DataType }, shape: readonly number[], numbers: ArrayLike<number>): Tensor {
  const name = datatypeName(spec.datatype);
  const element = ELEMENTS[name];
  if (element === undefined) throw new TensorError(`Tensors of ${name} are not written here: use the command line.`);
  const wanted = shape.reduce((product, extent) => product * extent, 1);
  if (numbers.length !== wanted) throw new TensorError(`${spec.name}: ${numbers.length} numbers, and [${shape.join(', ')}] has ${wanted}`);
  const view = new DataView(new ArrayBuffer(wanted * element.bytes));
  for (let index = 0; index < wanted; index += 1) {
    const value = numbers[index];
    if (value === undefined || !Number.isFinite(value)) throw new TensorError(`${spec.name}: number ${index + 1} is none`);
    element.write(view, index * element.bytes, value);
  }
  return { name: spec.name, datatype: spec.datatype, shape: BigUint64Array.from(shape, BigInt), data: new Uint8Array(view.buffer) };
}

/** The smallest shape that fits the signature: every open dimension is one. */
export function smallestShape(spec: RegistryTypes.TensorSpec): number[] {
  return spec.shape.map((dimension) => ('Fixed' in dimension ? Number(dimension.Fixed) : 1));
}

/** Zeros for every input, as JSON that people change: `[{"name": …, "shape": […], "data": […]}]`. */
export function exampleJson(inputs: readonly RegistryTypes.TensorSpec[]): string {
  const example = inputs.map((spec) => {
    const shape = smallestShape(spec);
    const count = shape.reduce((product, extent) => product * extent, 1);
    return { name: spec.name, shape, data: Array.from({ length: Math.min(count, 10_000) }, () => 0) };
  });
  return JSON.stringify(example);
}

/** Reads what `exampleJson` wrote, and files of the command line (`{"inputs": […]}`). */
export function parseTensors(json: string, inputs: readonly RegistryTypes.TensorSpec[]): Tensor[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new TensorError(`This is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const list: unknown = typeof parsed === 'object' && parsed !== null && 'inputs' in parsed ? parsed.inputs : parsed;
  if (!Array.isArray(list)) throw new TensorError('A list of tensors is needed: [{"name": …, "shape": […], "data": […]}]');
  return inputs.map((spec) => {
    const given = list.find((each: unknown): each is { shape?: unknown; data?: unknown } =>
      typeof each === 'object' && each !== null && 'name' in each && each.name === spec.name);
    if (given === undefined) throw new TensorError(`The input ${spec.name} is missing.`);
    const data = Array.isArray(given.data) ? given.data.flat(Infinity).map(Number) : [];
    const shape = Array.isArray(given.shape) ? given.shape.map(Number) : smallestShape(spec);
    return tensor(spec, shape, data);
  });
}

/** Width and height of the picture that an input's last dimensions may be; a drawing fits it. */
export function pictureOf(inputs: readonly RegistryTypes.TensorSpec[]): { width: number; height: number } | undefined {
  const [spec, ...others] = inputs;
  if (spec === undefined || others.length > 0) return undefined;
  const shape = smallestShape(spec).filter((extent) => extent !== 1);
  const [first, second] = shape;
  if (shape.length === 2 && first !== undefined && second !== undefined && first <= 64 && second <= 64) return { width: second, height: first };
  const side = Math.sqrt(first ?? 0);
  return shape.length === 1 && Number.isInteger(side) && side >= 4 && side <= 64 ? { width: side, height: side } : undefined;
}
