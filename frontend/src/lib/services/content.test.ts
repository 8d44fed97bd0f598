import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { toHex } from '$lib/bytes';
import { chunkCount, fileCid, hashFile } from './content';

const hashOf = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());

it('should name an empty file and a file of one chunk by the raw block', async () => {
  const empty = await hashFile('empty', new Blob([]));
  expect(empty.cid).toBe('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku');
  expect(empty.chunks).toHaveLength(1);
  const hello = await hashFile('hello', new Blob(['hello']));
  expect(toHex(hello.sha256)).toBe(toHex(hashOf('hello')));
  expect(hello.chunks).toEqual([hello.sha256]);
});

it('should cut at each mebibyte', async () => {
  const file = await hashFile('zeros', new Blob([new Uint8Array((1 << 20) + 1)]));
  expect(file.chunks.map(toHex)).toEqual([
    createHash('sha256').update(new Uint8Array(1 << 20)).digest('hex'),
    createHash('sha256').update(new Uint8Array(1)).digest('hex'),
  ]);
  expect(file.cid).toMatch(/^bafybei/);
  expect([0, 1, 1 << 20, (1 << 20) + 1].map(chunkCount)).toEqual([1, 1, 1, 2]);
});

it('should make another CID where a chunk, the order or the size differs', () => {
  const [a, b] = [hashOf('a'), hashOf('b')];
  const size = (1 << 20) + 5;
  const cids = [fileCid([a, b], size), fileCid([b, a], size), fileCid([a, b], size + 1), fileCid([a, a], size)];
  expect(new Set(cids).size).toBe(4);
});
