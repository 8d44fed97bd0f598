import 'fake-indexeddb/auto';
import { expect, it } from 'vitest';
import { manifestDigest } from '$lib/hash/representation';
import { emptyCard } from './card';
import { hashFile } from './content';
import { forget, keep, list } from './drafts';
import { buildManifest } from './manifest';

it('should give back what it kept to whom it is of, and forget it', async () => {
  const hashed = await hashFile('a', new Blob(['bytes']));
  const manifest = buildManifest(
    'lab',
    {
      name: 'm', version: '1.0.0', license: 'MIT', task: 't',
      pipeline: { model: 'a', kind: { Tensors: null }, labels: [] },
      signature: { inputs: [{ name: 'x', datatype: { FP32: null }, shape: [{ Fixed: 4n }] }], outputs: [] },
      lineage: { parents: [], datasets: [], code_revision: [], service_endpoints: [] },
      royalties: [], claims: [],
    },
    emptyCard('# Title'),
    [hashed],
  );
  const key = await keep('alice', manifest, new Map([['a', new Blob(['bytes'])]]), 7n);
  expect(await list('bob')).toEqual([]);
  const [draft] = await list('alice');
  expect(draft).toMatchObject({ key, title: 'lab/m@1.0.0', priceE8s: 7n });
  expect([...(draft?.files.keys() ?? [])]).toEqual(['a']);
  // What was kept is the same version.
  expect(manifestDigest(draft?.manifest ?? {})).toEqual(manifestDigest(manifest));
  await forget(key);
  expect(await list('alice')).toEqual([]);
});
