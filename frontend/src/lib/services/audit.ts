/** The lines of the registry's log about one version or its model, newest first, as far back as a page looks. */
import { registry, type RegistryTypes } from '$lib/api/stoa';
import { toHex } from '$lib/bytes';

const PAGE = 100n;
/** Entries looked at for one page; who wants more asks for it. */
const LOOKED_AT_MAX = 1_000n;

export interface Trail {
  readonly entries: RegistryTypes.AuditEntry[];
  /** Entries with smaller numbers were not looked at. */
  readonly lookedBackTo: bigint;
}

export async function trail(version: Uint8Array, model: string, publisher: string, before?: bigint): Promise<Trail> {
  const canister = registry();
  const { total } = await canister.audit_log({ start: 0n, limit: [1] });
  const end = before ?? total;
  const begin = end > LOOKED_AT_MAX ? end - LOOKED_AT_MAX : 0n;
  const starts: bigint[] = [];
  for (let start = begin; start < end; start += PAGE) starts.push(start);
  const pages = await Promise.all(starts.map((start) => canister.audit_log({ start, limit: [Number(end - start < PAGE ? end - start : PAGE)] })));
  const entries = pages.flatMap((page) => page.entries).filter(({ action }) => concerns(action, toHex(version), model, publisher));
  return { entries: entries.reverse(), lookedBackTo: begin };
}

export function concerns(action: RegistryTypes.AuditAction, version: string, model: string, publisher: string): boolean {
  if ('ChangedStatus' in action) return toHex(Uint8Array.from(action.ChangedStatus.version)) === version;
  if ('RemovedVersion' in action) return toHex(Uint8Array.from(action.RemovedVersion.version)) === version;
  if ('SetAlias' in action) return action.SetAlias.model === model;
  if ('SetPrice' in action) return action.SetPrice.model === model;
  if ('ClaimedPublisher' in action) return action.ClaimedPublisher.handle === publisher;
  if ('TransferredPublisher' in action) return action.TransferredPublisher.handle === publisher;
  if ('SetCoPublishers' in action) return action.SetCoPublishers.handle === publisher;
  return false;
}
