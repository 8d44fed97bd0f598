/** What a version was made from and what was made from it, as rows of a graph: parents above, children below. */
import { accepted, registry, type RegistryTypes } from '$lib/api/stoa';
import { toHex } from '$lib/bytes';

const DEPTH = 4;
const ENTRIES_MAX = 60;

export interface GraphNode {
  readonly id: string;
  /** Steps away from the version in the middle: parents are negative. */
  readonly depth: number;
  readonly title: string;
  /** Where its page is; nothing for a version that is not shown. */
  readonly href: string | undefined;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly relation: string;
}

export interface Graph {
  readonly nodes: GraphNode[];
  readonly edges: GraphEdge[];
  readonly isCutOff: boolean;
}

export function versionHref(summary: Pick<RegistryTypes.VersionSummary, 'publisher' | 'name' | 'semver'>): string {
  return `/models/${summary.publisher}/${summary.name}?version=${encodeURIComponent(summary.semver)}`;
}

export async function lineage(middle: RegistryTypes.VersionSummary): Promise<Graph> {
  const version = Uint8Array.from(middle.version);
  const ask = async (direction: RegistryTypes.LineageDirection): Promise<RegistryTypes.LineagePage> =>
    accepted(await registry().list_lineage({ version, direction, depth: [DEPTH], after: [], limit: [ENTRIES_MAX] }));
  const [parents, children] = await Promise.all([ask({ Parents: null }), ask({ Children: null })]);
  return graphOf(middle, parents, children);
}

export function graphOf(middle: RegistryTypes.VersionSummary, parents: RegistryTypes.LineagePage, children: RegistryTypes.LineagePage): Graph {
  const nodes = new Map<string, GraphNode>();
  const edges = new Map<string, GraphEdge>();
  const hex = (bytes: Uint8Array | number[]): string => toHex(Uint8Array.from(bytes));
  nodes.set(hex(middle.version), { id: hex(middle.version), depth: 0, title: title(middle), href: versionHref(middle) });
  const add = (page: RegistryTypes.LineagePage, sign: 1 | -1): void => {
    for (const { position, through, relation, summary } of page.entries) {
      const id = hex(position.version);
      const [known] = summary;
      // A version that is reached twice stays where it was met first.
      if (!nodes.has(id)) {
        nodes.set(id, {
          id,
          depth: sign * position.depth,
          title: known === undefined ? `${id.slice(0, 8)}…` : title(known),
          href: known === undefined ? undefined : versionHref(known),
        });
      }
      const other = hex(through);
      const [from, to] = sign === 1 ? [other, id] : [id, other];
      edges.set(`${from} ${to}`, { from, to, relation: (Object.keys(relation)[0] ?? '').toLowerCase() });
    }
  };
  add(parents, -1);
  add(children, 1);
  return { nodes: [...nodes.values()], edges: [...edges.values()], isCutOff: parents.next.length > 0 || children.next.length > 0 || parents.is_cut_off || children.is_cut_off };
}

const title = (summary: RegistryTypes.VersionSummary): string => `${summary.publisher}/${summary.name}@${summary.semver}`;
