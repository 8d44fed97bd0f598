/**
 * A model on this device: fetched from the shards, every chunk hashed, run by onnxruntime, which shares no code with the engine on
 * chain. So an equal answer says more than that one program agrees with itself; the last bits may differ, because the two add in
 * another order. What a call gives is prepared as the chain prepares it (`preparation.ts`). The runtime (12 MB) comes from the same
 * canister as the page, and only when it is asked for.
 */
import type { InferenceTypes, RegistryTypes } from '$lib/api/stoa';
import { datatypeName, extents, tensor, values, type Tensor } from './tensors';
import { downloadModelFile } from './model';
import { filesOf, openPipeline } from './preparation';

type Runtime = typeof import('onnxruntime-web/wasm');
type Elements = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | BigUint64Array;

const TYPES: Record<string, [type: string, array: new (buffer: ArrayBuffer) => Elements]> = {
  FP32: ['float32', Float32Array],
  FP64: ['float64', Float64Array],
  INT8: ['int8', Int8Array],
  INT16: ['int16', Int16Array],
  INT32: ['int32', Int32Array],
  INT64: ['int64', BigInt64Array],
  UINT8: ['uint8', Uint8Array],
  UINT16: ['uint16', Uint16Array],
  UINT32: ['uint32', Uint32Array],
  UINT64: ['uint64', BigUint64Array],
  BOOL: ['bool', Uint8Array],
};

let loading: Promise<Runtime> | undefined;

/** Loaded once; a failure is not remembered. */
async function runtime(): Promise<Runtime> {
  loading ??= (async () => {
    const [ort, { default: wasm }] = await Promise.all([
      import('onnxruntime-web/wasm'),
      import('onnxruntime-web/ort-wasm-simd-threaded.wasm?url'),
    ]);
    ort.env.wasm.wasmPaths = { wasm };
    // Threads need a page that may not open windows, which signing in does.
    ort.env.wasm.numThreads = 1;
    return ort;
  })();
  loading.catch(() => (loading = undefined));
  return loading;
}

export interface DeviceModel {
  readonly run: (input: InferenceTypes.Input) => Promise<InferenceTypes.Answer>;
  readonly sizeBytes: number;
}

export async function loadOnDevice(
  version: Uint8Array,
  manifest: RegistryTypes.Manifest,
  progress: (what: string, done: number, total: number) => void,
): Promise<DeviceModel> {
  progress('Runtime', 0, 1);
  const ort = await runtime();
  const files = new Map<string, Uint8Array>();
  for (const path of filesOf(manifest.pipeline)) {
    const file = await downloadModelFile(version, path, (done, total) => progress(path, done, total));
    files.set(path, new Uint8Array(await file.arrayBuffer()));
  }
  const preparation = await openPipeline(manifest, files);
  const blob = await downloadModelFile(version, manifest.pipeline.model, (done, total) => progress('Model', done, total));
  const session = await ort.InferenceSession.create(new Uint8Array(await blob.arrayBuffer()), { executionProviders: ['wasm'] });
  return {
    sizeBytes: blob.size,
    run: async (input) => {
      const inputs = preparation.prepare(input);
      const feeds = Object.fromEntries(
        inputs.map((each) => {
          const [type, array] = TYPES[datatypeName(each.datatype)] ?? [];
          if (type === undefined || array === undefined) throw new Error(`${each.name}: ${datatypeName(each.datatype)} is not run on this device.`);
          const data = new array(Uint8Array.from(each.data).buffer);
          return [each.name, new ort.Tensor(type as 'float32', data as Float32Array, extents(each.shape as ArrayLike<bigint>))];
        }),
      );
      const found = await session.run(feeds);
      const outputs = manifest.signature.outputs.map((spec): Tensor => {
        const output = found[spec.name];
        if (output === undefined) throw new Error(`The model gives no output ${spec.name}.`);
        const raw = output.data as Elements;
        return {
          name: spec.name,
          datatype: spec.datatype as InferenceTypes.DataType,
          shape: BigUint64Array.from(output.dims, BigInt),
          data: new Uint8Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength)),
        };
      });
      return preparation.answer(outputs);
    },
  };
}

export interface Comparison {
  readonly numbers: number;
  readonly equalToTheBit: boolean;
  /** The largest difference of any two numbers, and of one by its size. */
  readonly largest: number;
  readonly largestRelative: number;
  readonly sameShape: boolean;
}

export function compare(left: InferenceTypes.Answer, right: InferenceTypes.Answer): Comparison {
  const [ours, theirs] = [tensorsOf(left), tensorsOf(right)];
  const compared = compareTensors(ours, theirs);
  return { ...compared, sameShape: compared.sameShape && Object.keys(left)[0] === Object.keys(right)[0] };
}

/** The numbers of an answer: vectors one by one; classes with their scores in the order of their numbers, since equal scores may change places. */
function tensorsOf(answer: InferenceTypes.Answer): Tensor[] {
  if ('Tensors' in answer) return answer.Tensors;
  const spec = (name: string): { name: string; datatype: InferenceTypes.DataType } => ({ name, datatype: { FP32: null } });
  if ('Embeddings' in answer) return answer.Embeddings.map((vector, index) => tensor(spec(`vector ${index}`), [vector.length], Array.from(vector)));
  return answer.Classes.map((classes, index) => {
    const ordered = [...classes].sort((a, b) => (a.index < b.index ? -1 : 1));
    return tensor(spec(`item ${index}: ${ordered.map((each) => each.index).join(', ')}`), [ordered.length], ordered.map(({ score }) => score));
  });
}

function compareTensors(left: readonly Tensor[], right: readonly Tensor[]): Comparison {
  let numbers = 0;
  let equal = true;
  let largest = 0;
  let largestRelative = 0;
  let sameShape = left.length === right.length;
  left.forEach((one, index) => {
    const other = right[index];
    if (other === undefined || one.name !== other.name || String(one.shape) !== String(other.shape)) {
      sameShape = false;
      return;
    }
    const theirs = values(other);
    values(one).forEach((value, position) => {
      const [a, b] = [Number(value), Number(theirs[position])];
      numbers += 1;
      if (!Object.is(a, b)) equal = false;
      const difference = Math.abs(a - b);
      largest = Math.max(largest, difference);
      largestRelative = Math.max(largestRelative, difference / Math.max(Math.abs(a), Math.abs(b), 1e-6));
    });
  });
  return { numbers, equalToTheBit: equal && sameShape, largest, largestRelative, sameShape };
}
