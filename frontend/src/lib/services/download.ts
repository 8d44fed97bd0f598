/**
 * A file of a version, chunk by chunk from the shards, each hashed before it counts. A shard that fails or answers other bytes is
 * left for its copy; a chunk that no shard gives rightly ends the download with its name.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Principal } from '@icp-sdk/core/principal';
import { equalBytes } from '$lib/hash/representation';
import { toHex } from '$lib/governance';

export interface Placement {
  readonly hash: Uint8Array;
  readonly shards: readonly Principal[];
}

export type GetChunk = (shard: Principal, hash: Uint8Array) => Promise<Uint8Array>;

export class DownloadError extends Error {
  override readonly name = 'DownloadError';
}

const PARALLEL = 4;

export async function downloadFile(
  chunks: readonly Uint8Array[],
  placement: ReadonlyMap<string, Placement>,
  getChunk: GetChunk,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = new Array<Uint8Array>(chunks.length);
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < chunks.length) {
      signal?.throwIfAborted();
      const index = next++;
      const hash = chunks[index];
      if (hash === undefined) return;
      parts[index] = await fetchChunk(hash, placement.get(toHex(hash))?.shards ?? [], getChunk);
      done += 1;
      progress(done, chunks.length);
    }
  };
  progress(0, chunks.length);
  await Promise.all(Array.from({ length: Math.min(PARALLEL, chunks.length) }, worker));
  return parts;
}

async function fetchChunk(hash: Uint8Array, shards: readonly Principal[], getChunk: GetChunk): Promise<Uint8Array> {
  const failures: string[] = [];
  for (const shard of shards) {
    try {
      const bytes = await getChunk(shard, hash);
      if (equalBytes(sha256(bytes), hash)) return bytes;
      failures.push(`${shard.toText()} answered bytes that do not hash to it`);
    } catch (error) {
      failures.push(`${shard.toText()}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new DownloadError(
    `No shard gave chunk ${toHex(hash).slice(0, 16)}…: ${failures.length === 0 ? 'none is said to hold it' : failures.join('; ')}`,
  );
}
