import { expect, it } from 'vitest';
import type { RegistryTypes } from '$lib/api/stoa';
import { graphOf } from './lineage';

const summary = (byte: number): RegistryTypes.VersionSummary => ({
  version: new Uint8Array(32).fill(byte), publisher: 'lab', name: `m${byte}`, semver: '1.0.0', task: 't', license: 'MIT',
  status: { Admitted: null }, size_bytes: 1n, tags: [], created_at_nanos: 0n, price_per_call_e8s: 0n,
});
const entry = (byte: number, through: number, depth: number): RegistryTypes.LineageEntry => ({
  position: { depth, version: new Uint8Array(32).fill(byte) },
  through: new Uint8Array(32).fill(through),
  relation: { Finetune: null },
  summary: byte === 9 ? [] : [summary(byte)],
});
const page = (entries: RegistryTypes.LineageEntry[]): RegistryTypes.LineagePage => ({ entries, next: [], is_cut_off: false });

it('should put parents above and children below, each edge from parent to child', () => {
  const graph = graphOf(summary(1), page([entry(2, 1, 1), entry(3, 2, 2)]), page([entry(9, 1, 1)]));
  expect(graph.nodes.map(({ title, depth }) => [title, depth])).toEqual([
    ['lab/m1@1.0.0', 0],
    ['lab/m2@1.0.0', -1],
    ['lab/m3@1.0.0', -2],
    ['09090909…', 1],
  ]);
  expect(graph.edges.map(({ from, to }) => [from.slice(0, 2), to.slice(0, 2)])).toEqual([['02', '01'], ['03', '02'], ['01', '09']]);
  expect(graph.nodes.at(-1)?.href).toBeUndefined();
});

it('should show a version once that is reached twice', () => {
  const graph = graphOf(summary(1), page([entry(2, 1, 1), entry(3, 1, 1), entry(4, 2, 2), entry(4, 3, 2)]), page([]));
  expect(graph.nodes).toHaveLength(4);
  expect(graph.edges).toHaveLength(4);
});
