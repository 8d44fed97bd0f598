import { Principal } from '@icp-sdk/core/principal';
import { sha256 } from '@noble/hashes/sha2.js';
import { expect, it, vi } from 'vitest';
import { toHex } from '$lib/governance';
import { DownloadError, downloadFile, type Placement } from './download';

const FIRST = Principal.fromText('ryjl3-tyaaa-aaaaa-aaaba-cai');
const SECOND = Principal.fromText('rrkah-fqaaa-aaaaa-aaaaq-cai');
const PARTS = Array.from({ length: 9 }, (_, index) => Uint8Array.of(index, index + 1));
const CHUNKS = PARTS.map((part) => sha256(part));
const PLACEMENT = new Map<string, Placement>(CHUNKS.map((hash) => [toHex(hash), { hash, shards: [FIRST, SECOND] }]));

const held = (hash: Uint8Array): Uint8Array => PARTS[CHUNKS.findIndex((each) => toHex(each) === toHex(hash))] ?? new Uint8Array();

it('should give the chunks in the order of the file, whatever order they came in', async () => {
  const seen: number[] = [];
  const parts = await downloadFile(
    CHUNKS,
    PLACEMENT,
    async (_, hash) => {
      const part = held(hash);
      await new Promise((resolve) => setTimeout(resolve, 9 - (part[0] ?? 0)));
      return part;
    },
    (done) => seen.push(done),
  );
  expect(parts).toEqual(PARTS);
  expect(seen.at(-1)).toBe(9);
});

it('should take the copy where a shard lies or fails', async () => {
  const getChunk = vi.fn(async (shard: Principal, hash: Uint8Array) => {
    if (shard === FIRST && (hash[0] ?? 0) % 2 === 0) throw new Error('gone');
    return shard === FIRST ? Uint8Array.of(9, 9, 9) : held(hash);
  });
  expect(await downloadFile(CHUNKS, PLACEMENT, getChunk, () => undefined)).toEqual(PARTS);
});

it('should name the chunk that nobody gives rightly', async () => {
  const lie = async (): Promise<Uint8Array> => Uint8Array.of(1);
  await expect(downloadFile(CHUNKS, PLACEMENT, lie, () => undefined)).rejects.toThrow(DownloadError);
  await expect(downloadFile(CHUNKS, new Map(), lie, () => undefined)).rejects.toThrow('none is said to hold it');
});
