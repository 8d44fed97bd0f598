/**
 * Publishing: the registry says where each chunk belongs and which are missing, the shards take them, the registry seals the version
 * and hands out what voters decide about.
 *
 * What must hold: it may stop anywhere and be begun again, and only what is missing is sent; each call is idempotent, so one whose
 * answer was lost is made again. Money goes to the registry or nowhere.
 */
import type { ActorSubclass } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import { RefusedError, accepted, type RegistryTypes } from '$lib/api/stoa';
import type { _SERVICE as RegistryService } from '../../bindings/declarations/registry.did';
import { toHex } from '$lib/bytes';
import { equalBytes, manifestDigest } from '$lib/hash/representation';
import { readChunk } from './content';
import type { Manifest } from './manifest';

export type PublishStep =
  | { step: 'approving'; amount: bigint }
  | { step: 'uploading'; sentBytes: number; totalBytes: number }
  | { step: 'sealing' }
  | { step: 'submitting' };

export interface PublishPorts {
  readonly registry: Pick<ActorSubclass<RegistryService>, 'begin_upload' | 'seal' | 'submit' | 'quote_deposit'>;
  readonly registryId: Principal;
  readonly putChunk: (shard: Principal, bytes: Uint8Array) => Promise<void>;
  /** Lets the registry take this much ICP. */
  readonly approveDeposit: (spender: RegistryTypes.Account, amount: bigint) => Promise<void>;
  readonly wait?: (milliseconds: number) => Promise<void>;
}

export class PublishError extends Error {
  override readonly name = 'PublishError';
}

const PARALLEL = 4;
const ATTEMPTS = 6;
const FIRST_WAIT_MILLISECONDS = 500;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function publish(
  ports: PublishPorts,
  manifest: Manifest,
  files: ReadonlyMap<string, Blob>,
  progress: (step: PublishStep) => void,
  signal?: AbortSignal,
): Promise<{ version: Uint8Array; admission: RegistryTypes.AdmissionProposal }> {
  const version = manifestDigest(manifest);
  const plan = await begin(ports, manifest, progress);
  if (!equalBytes(Uint8Array.from(plan.version), version)) {
    throw new PublishError('The registry calls this version by another digest than its manifest has here: do not trust it.');
  }
  if ('Draft' in plan.status) {
    await upload(ports, plan, sources(manifest, files), progress, signal);
    signal?.throwIfAborted();
    progress({ step: 'sealing' });
    await seal(ports, version);
  }
  progress({ step: 'submitting' });
  const admission = await persistently(ports, async () => accepted(await ports.registry.submit(version)));
  return { version, admission };
}

/** What the deposit for these files would be, and what the ledger takes for approving and paying. */
export async function quoteDeposit(ports: Pick<PublishPorts, 'registry'>, manifest: Manifest): Promise<RegistryTypes.DepositQuote> {
  return ports.registry.quote_deposit(manifest.files.reduce((sum, file) => sum + file.size_bytes, 0n));
}

async function begin(ports: PublishPorts, manifest: Manifest, progress: (step: PublishStep) => void): Promise<RegistryTypes.UploadPlan> {
  let approved = false;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await persistently(ports, () => ports.registry.begin_upload(manifest));
    if ('Ok' in answer) return answer.Ok;
    const refusal = answer.Err;
    if ('DepositRefused' in refusal && 'InsufficientAllowance' in refusal.DepositRefused.refusal && !approved) {
      const amount = refusal.DepositRefused.needed_e8s;
      progress({ step: 'approving', amount });
      const { spender } = await quoteDeposit(ports, manifest);
      if (spender.owner.toText() !== ports.registryId.toText()) {
        throw new PublishError(`The answer wants the deposit approved for ${spender.owner.toText()}, which is not the registry: nothing was paid.`);
      }
      await ports.approveDeposit(spender, amount);
      approved = true;
    } else if (attempt < ATTEMPTS && ('Busy' in refusal || 'DepositUnknown' in refusal || 'ShardFailed' in refusal)) {
      await (ports.wait ?? sleep)(FIRST_WAIT_MILLISECONDS * attempt);
    } else {
      throw new RefusedError(refusal);
    }
  }
}

interface Source {
  readonly file: Blob;
  readonly index: number;
}

function sources(manifest: Manifest, files: ReadonlyMap<string, Blob>): Map<string, Source> {
  const found = new Map<string, Source>();
  for (const entry of manifest.files) {
    const file = files.get(entry.path);
    if (file === undefined || BigInt(file.size) !== entry.size_bytes) {
      throw new PublishError(`${entry.path} is missing or has changed: choose the folder again.`);
    }
    entry.chunks.forEach((hash, index) => found.set(toHex(Uint8Array.from(hash)), { file, index }));
  }
  return found;
}

async function upload(
  ports: PublishPorts,
  plan: RegistryTypes.UploadPlan,
  known: ReadonlyMap<string, Source>,
  progress: (step: PublishStep) => void,
  signal?: AbortSignal,
): Promise<void> {
  const size = (chunk: RegistryTypes.ChunkPlacement): number => Number(chunk.size_bytes) * chunk.shards.length;
  const totalBytes = plan.chunks.reduce((sum, chunk) => sum + size(chunk), 0);
  const missing = plan.chunks.filter((chunk) => chunk.missing_on.length > 0);
  let sentBytes = totalBytes - missing.reduce((sum, chunk) => sum + Number(chunk.size_bytes) * chunk.missing_on.length, 0);
  progress({ step: 'uploading', sentBytes, totalBytes });
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let chunk = missing[next++]; chunk !== undefined; chunk = missing[next++]) {
      const source = known.get(toHex(Uint8Array.from(chunk.hash)));
      if (source === undefined) throw new PublishError('The registry asks for a chunk that the manifest does not name.');
      const bytes = await readChunk(source.file, source.index);
      for (const shard of chunk.missing_on) {
        signal?.throwIfAborted();
        await persistently(ports, () => ports.putChunk(shard, bytes));
        sentBytes += bytes.length;
        progress({ step: 'uploading', sentBytes, totalBytes });
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

async function seal(ports: PublishPorts, version: Uint8Array): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await persistently(ports, () => ports.registry.seal(version));
    // An earlier attempt whose answer was lost sealed it.
    if ('Ok' in answer || ('WrongStatus' in answer.Err && 'Sealed' in answer.Err.WrongStatus.status)) return;
    if (attempt >= ATTEMPTS || !('Busy' in answer.Err || 'ShardFailed' in answer.Err)) throw new RefusedError(answer.Err);
    await (ports.wait ?? sleep)(FIRST_WAIT_MILLISECONDS * attempt);
  }
}

/** Repeats what failed on the way; a refusal by a canister is an answer and not repeated. */
async function persistently<T>(ports: Pick<PublishPorts, 'wait'>, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt >= ATTEMPTS || error instanceof RefusedError || !isTransient(error)) throw error;
      await (ports.wait ?? sleep)(FIRST_WAIT_MILLISECONDS * 2 ** (attempt - 1));
    }
  }
}

/** A connection that broke, a gateway that was busy; not a signature that was refused. */
export function isTransient(error: unknown): boolean {
  const message = error instanceof Error ? error.message : String(error);
  return /fetch|network|timed? ?out|HTTP status.*\b(?:429|5\d\d)\b|code: (?:429|5\d\d)/i.test(message) && !/signature/i.test(message);
}

