/**
 * What comes before and after a network: texts, pictures and rows to tensors, outputs to what they mean. By the very code of the chain
 * (`crates/pipeline`), compiled for the page and loaded when it is needed; so that what this device prepares is what the chain prepares, and
 * what is compared with the chain is the network's run.
 */
import { IDL } from '@icp-sdk/core/candid';
import { RefusedError, type InferenceTypes, type RegistryTypes } from '$lib/api/stoa';
import { idlFactory } from '../../bindings/declarations/page_pipeline.did';
import wasmUrl from '../../generated/page_pipeline.wasm?url';

export interface Preparation {
  /** Throws `RefusedError` for an input that the pipeline does not take, with the chain's own words. */
  readonly prepare: (input: InferenceTypes.Input) => InferenceTypes.Tensor[];
  /** Of the outputs for what was prepared last. */
  readonly answer: (outputs: InferenceTypes.Tensor[]) => InferenceTypes.Answer;
}

interface Exports extends WebAssembly.Exports {
  readonly memory: WebAssembly.Memory;
  readonly pipeline_request: (length: number) => number;
  readonly pipeline_reply: () => number;
  readonly pipeline_open: () => number;
  readonly pipeline_prepare: () => number;
  readonly pipeline_answer: () => number;
}

type Outcome = { Ok: unknown } | { Err: string };

/** Paths of the files beside the model that a pipeline needs. */
export function filesOf(pipeline: RegistryTypes.Pipeline): string[] {
  return 'Text' in pipeline.kind ? [pipeline.kind.Text.tokenizer] : [];
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** Compiled once; a failure is not remembered. */
async function compile(): Promise<WebAssembly.Module> {
  compiled ??= WebAssembly.compileStreaming(fetch(wasmUrl));
  compiled.catch(() => (compiled = undefined));
  return compiled;
}

export async function openPipeline(manifest: RegistryTypes.Manifest, files: ReadonlyMap<string, Uint8Array>): Promise<Preparation> {
  return preparationOf(await compile(), manifest, files);
}

export async function preparationOf(
  module: WebAssembly.Module,
  manifest: Pick<RegistryTypes.Manifest, 'pipeline' | 'signature'>,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Preparation> {
  const { exports } = await WebAssembly.instantiate(module, {});
  const wasm = exports as Exports;
  const call = (name: 'open' | 'prepare' | 'answer', argument: unknown): unknown => {
    const method = idlFactory({ IDL })._fields.find(([each]) => each === name)?.[1];
    if (method === undefined) throw new Error(`BUG: the interface of the pipelines has no ${name}`);
    const request = IDL.encode(method.argTypes, [argument]);
    const at = wasm.pipeline_request(request.length);
    // The memory may have grown, and its buffer with it become another.
    new Uint8Array(wasm.memory.buffer).set(request, at);
    const length = wasm[`pipeline_${name}`]();
    const reply = new Uint8Array(wasm.memory.buffer).slice(wasm.pipeline_reply(), wasm.pipeline_reply() + length);
    const [outcome] = IDL.decode(method.retTypes, reply) as unknown as [Outcome];
    if ('Err' in outcome) throw new RefusedError(outcome.Err);
    return outcome.Ok;
  };
  call('open', {
    pipeline: manifest.pipeline,
    signature: manifest.signature,
    files: [...files].map(([path, bytes]) => ({ path, bytes })),
  });
  return {
    prepare: (input) => call('prepare', input) as InferenceTypes.Tensor[],
    answer: (outputs) => call('answer', outputs) as InferenceTypes.Answer,
  };
}
