/**
 * What an ONNX file says of its inputs and outputs: the few protobuf fields that a signature is made from, read from the file in
 * pieces, so that a model of gigabytes is not loaded for the names of its tensors.
 *
 * ModelProto { graph = 7 { initializer = 5 { name = 8 }, input = 11, output = 12 } };
 * ValueInfoProto { name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1, dim_param = 2 } } } } }
 */
import type { RegistryTypes } from '$lib/api/stoa';

type TensorSpec = RegistryTypes.TensorSpec;

/** ONNX's numbers of element types. */
const ELEMENT_TYPES: Record<number, string> = {
  1: 'FP32', 2: 'UINT8', 3: 'INT8', 4: 'UINT16', 5: 'INT16', 6: 'INT32', 7: 'INT64', 8: 'BYTES', 9: 'BOOL', 10: 'FP16', 11: 'FP64', 12: 'UINT32', 13: 'UINT64',
};
/** Until the publisher says otherwise. */
const DYNAMIC_MAX = 64n;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** Varints of a field's key and length: 10 bytes each at most. */
const HEAD_BYTES = 20;

interface Field {
  readonly number: number;
  readonly wire: number;
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

export class OnnxError extends Error {
  override readonly name = 'OnnxError';
}

/** Bytes of a file, a window of it in memory. */
class Reader {
  #start = 0;
  #window = new Uint8Array();

  constructor(readonly blob: Blob) {}

  async bytes(start: number, length: number): Promise<Uint8Array> {
    const end = Math.min(start + length, this.blob.size);
    if (start < this.#start || end > this.#start + this.#window.length) {
      this.#start = start;
      this.#window = new Uint8Array(await this.blob.slice(start, Math.max(end, start + 65_536)).arrayBuffer());
    }
    return this.#window.subarray(start - this.#start, end - this.#start);
  }

  async *fields(start: number, end: number): AsyncGenerator<Field> {
    let offset = start;
    while (offset < end) {
      const head = await this.bytes(offset, HEAD_BYTES);
      const [key, afterKey] = varint(head, 0);
      const number = Math.floor(key / 8);
      const wire = key % 8;
      let field: Field;
      if (wire === VARINT) {
        const [value, next] = varint(head, afterKey);
        field = { number, wire, value, start: offset + afterKey, end: offset + next };
      } else if (wire === LENGTH) {
        const [length, next] = varint(head, afterKey);
        field = { number, wire, value: length, start: offset + next, end: offset + next + length };
      } else if (wire === FIXED64 || wire === FIXED32) {
        field = { number, wire, value: 0, start: offset + afterKey, end: offset + afterKey + (wire === FIXED64 ? 8 : 4) };
      } else {
        throw new OnnxError('This is no ONNX file: a field has no known form.');
      }
      if (field.end > end) throw new OnnxError('This is no ONNX file, or it is cut off.');
      yield field;
      offset = field.end;
    }
  }

  async text(field: Field): Promise<string> {
    return new TextDecoder().decode(await this.bytes(field.start, field.end - field.start));
  }
}

function varint(bytes: Uint8Array, start: number): [number, number] {
  let value = 0;
  for (let index = 0; index < 10; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new OnnxError('This is no ONNX file, or it is cut off.');
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [value, start + index + 1];
  }
  throw new OnnxError('This is no ONNX file: a number does not end.');
}

export async function readSignature(file: Blob): Promise<{ inputs: TensorSpec[]; outputs: TensorSpec[] }> {
  const reader = new Reader(file);
  for await (const field of reader.fields(0, file.size)) {
    if (field.number === 7 && field.wire === LENGTH) return readGraph(reader, field);
  }
  throw new OnnxError('The file has no graph: it is no ONNX model.');
}

async function readGraph(reader: Reader, graph: Field): Promise<{ inputs: TensorSpec[]; outputs: TensorSpec[] }> {
  const weights = new Set<string>();
  const inputs: TensorSpec[] = [];
  const outputs: TensorSpec[] = [];
  for await (const field of reader.fields(graph.start, graph.end)) {
    if (field.wire !== LENGTH) continue;
    if (field.number === 5) weights.add(await nameOf(reader, field, 8));
    if (field.number === 11) inputs.push(await readValue(reader, field));
    if (field.number === 12) outputs.push(await readValue(reader, field));
  }
  // Old files list weights as inputs too.
  return { inputs: inputs.filter(({ name }) => !weights.has(name)), outputs };
}

async function nameOf(reader: Reader, message: Field, number: number): Promise<string> {
  for await (const field of reader.fields(message.start, message.end)) {
    if (field.number === number && field.wire === LENGTH) return reader.text(field);
  }
  return '';
}

async function readValue(reader: Reader, message: Field): Promise<TensorSpec> {
  let name = '';
  let element = 0;
  const shape: RegistryTypes.Dimension[] = [];
  for await (const field of reader.fields(message.start, message.end)) {
    if (field.number === 1) name = await reader.text(field);
    if (field.number !== 2) continue;
    for await (const type of reader.fields(field.start, field.end)) {
      if (type.number !== 1) throw new OnnxError(`${name} is no tensor, which is all that a model here takes and gives.`);
      for await (const part of reader.fields(type.start, type.end)) {
        if (part.number === 1) element = part.value;
        if (part.number !== 2) continue;
        for await (const dimension of reader.fields(part.start, part.end)) {
          shape.push(await readDimension(reader, dimension, shape.length));
        }
      }
    }
  }
  const datatype = ELEMENT_TYPES[element];
  if (datatype === undefined) throw new OnnxError(`${name} has elements of type ${element}, which models here do not have.`);
  return { name, datatype: { [datatype]: null } as RegistryTypes.DataType, shape };
}

async function readDimension(reader: Reader, message: Field, index: number): Promise<RegistryTypes.Dimension> {
  let name = `dimension_${index}`;
  for await (const field of reader.fields(message.start, message.end)) {
    if (field.number === 1 && field.wire === VARINT && field.value > 0) return { Fixed: BigInt(field.value) };
    if (field.number === 2) name = (await reader.text(field)) || name;
  }
  return { Dynamic: { name, max: DYNAMIC_MAX } };
}
