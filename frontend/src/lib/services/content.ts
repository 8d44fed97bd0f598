/**
 * Files as the shards hold them: chunks of 1 MiB by SHA-256, and the CID of the `unixfs-v1-2025` profile. Written from the profile's
 * definition and apart from the canisters' code; the registry computes each CID again and refuses another.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatenate } from '$lib/bytes';

export const CHUNK_BYTES = 1 << 20;
const WIDTH = 1024;
const RAW = 0x55;
const DAG_PB = 0x70;

export interface HashedFile {
  readonly path: string;
  readonly size_bytes: bigint;
  readonly sha256: Uint8Array;
  readonly cid: string;
  readonly chunks: Uint8Array[];
}

export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / CHUNK_BYTES));
}

/** Reads the file chunk by chunk; memory stays at a chunk whatever its size. */
export async function hashFile(
  path: string,
  file: Blob,
  progress: (doneBytes: number) => void = () => undefined,
): Promise<HashedFile> {
  const whole = sha256.create();
  const chunks: Uint8Array[] = [];
  for (let index = 0; index < chunkCount(file.size); index += 1) {
    const bytes = await readChunk(file, index);
    whole.update(bytes);
    chunks.push(await digest(bytes));
    progress(Math.min(file.size, (index + 1) * CHUNK_BYTES));
  }
  return { path, size_bytes: BigInt(file.size), sha256: whole.digest(), cid: fileCid(chunks, file.size), chunks };
}

export async function readChunk(file: Blob, index: number): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await file.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES).arrayBuffer());
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

interface Node {
  readonly cid: Uint8Array;
  /** Bytes of the block and of all below it. */
  readonly cumulative: number;
  /** Bytes of the file below it. */
  readonly content: number;
}

/** A file of one chunk is that chunk's raw block; else a balanced tree of nodes of at most 1,024 links. */
export function fileCid(chunks: readonly Uint8Array[], size: number): string {
  let row: Node[] = chunks.map((hash, index) => {
    const content = Math.min(CHUNK_BYTES, size - index * CHUNK_BYTES);
    return { cid: cidBytes(RAW, hash), cumulative: content, content };
  });
  while (row.length > 1) {
    const above: Node[] = [];
    for (let first = 0; first < row.length; first += WIDTH) above.push(parent(row.slice(first, first + WIDTH)));
    row = above;
  }
  const [root] = row;
  if (root === undefined) throw new Error('BUG: a file has at least one chunk');
  return `b${base32(root.cid)}`;
}

/** PBNode { Links = 2 (Hash = 1, Name = 2, Tsize = 3); Data = 1 }, Data being UnixFS { Type = 1, filesize = 3, blocksizes = 4 }. */
function parent(children: readonly Node[]): Node {
  const content = children.reduce((sum, child) => sum + child.content, 0);
  const data = concatenate([
    Uint8Array.of(0x08, 2),
    Uint8Array.of(0x18),
    varint(content),
    ...children.flatMap((child) => [Uint8Array.of(0x20), varint(child.content)]),
  ]);
  const links = children.map((child) => {
    const link = concatenate([
      Uint8Array.of(0x0a),
      varint(child.cid.length),
      child.cid,
      Uint8Array.of(0x12, 0),
      Uint8Array.of(0x18),
      varint(child.cumulative),
    ]);
    return concatenate([Uint8Array.of(0x12), varint(link.length), link]);
  });
  const block = concatenate([...links, Uint8Array.of(0x0a), varint(data.length), data]);
  const below = children.reduce((sum, child) => sum + child.cumulative, 0);
  return { cid: cidBytes(DAG_PB, sha256(block)), cumulative: block.length + below, content };
}

function cidBytes(codec: number, hash: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.of(1, codec, 0x12, 0x20), hash]);
}

/** Sizes are above 2^32 for large files, so no bit operations. */
function varint(number: number): Uint8Array {
  const bytes: number[] = [];
  let rest = number;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function base32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      text += alphabet.charAt((buffer >> (bits - 5)) & 31);
      bits -= 5;
    }
    buffer &= (1 << bits) - 1;
  }
  return bits > 0 ? text + alphabet.charAt((buffer << (5 - bits)) & 31) : text;
}
