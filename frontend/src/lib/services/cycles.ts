/**
 * Cycles of the DAO's canisters over time. Governance keeps them: of each hour of the last thirty days the first balance that it read, as
 * their controller, so that a canister which is out of cycles has its line as well.
 */
import { registry, stoaGovernance, type GovernanceTypes } from '$lib/api/stoa';
import { ready } from '$lib/session.svelte';

const SECONDS_A_DAY = 86_400;
const ROLES = ['Governance', 'Registry', 'Shard', 'Inference', 'Web page', ''] as const;
type Role = (typeof ROLES)[number];

export interface CyclesOf {
  readonly id: string;
  /** What it is for; empty where the registry does not know it, or does not answer. */
  readonly role: Role;
  /** Oldest first. */
  readonly samples: GovernanceTypes.CyclesSample[];
}

export async function cyclesOfAll(): Promise<CyclesOf[]> {
  const { governance: governanceId, registry: registryId, frontend } = ready().configuration;
  const governance = stoaGovernance();
  const [canisters, fleet, runners] = await Promise.all([
    governance.list_dao_canisters(),
    registry().fleet_status().then(({ shards }) => shards.map(({ shard }) => shard.toText()), () => []),
    registry().list_inference().then((ids) => ids.map((id) => id.toText()), () => []),
  ]);
  const roles = new Map<string, Role>([
    ...fleet.map((id) => [id, 'Shard'] as const),
    ...runners.map((id) => [id, 'Inference'] as const),
    [governanceId.toText(), 'Governance'],
    [registryId.toText(), 'Registry'],
    [frontend.toText(), 'Web page'],
  ]);
  const all = await Promise.all(
    canisters.map(async (canister): Promise<CyclesOf> => {
      const id = canister.toText();
      return { id, role: roles.get(id) ?? '', samples: await governance.get_cycles_history(canister) };
    }),
  );
  return all.sort((left, right) => ROLES.indexOf(left.role) - ROLES.indexOf(right.role) || left.id.localeCompare(right.id));
}

/** What went, a day on average; what came by top-ups is left out of it. Nothing where there is no hour to go by. */
export function burntPerDay(samples: readonly GovernanceTypes.CyclesSample[]): bigint | undefined {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.at_seconds - first.at_seconds < 3_600n) return undefined;
  const burnt = samples.reduce((sum, { cycles }, index) => {
    const before = samples[index - 1]?.cycles ?? cycles;
    return before > cycles ? sum + before - cycles : sum;
  }, 0n);
  return (burnt * BigInt(SECONDS_A_DAY)) / (last.at_seconds - first.at_seconds);
}

/** For how long the newest balance lasts at that rate, in seconds; nothing where nothing burns. */
export function lastsSeconds(samples: readonly GovernanceTypes.CyclesSample[]): bigint | undefined {
  const rate = burntPerDay(samples);
  const newest = samples.at(-1);
  return rate === undefined || rate === 0n || newest === undefined ? undefined : (newest.cycles * BigInt(SECONDS_A_DAY)) / rate;
}
