/** All that a model's page shows, verified where it can be. */
import type { Principal } from '@icp-sdk/core/principal';
import { accepted, registry, shard, type RegistryTypes } from '$lib/api/stoa';
import { toHex } from '$lib/governance';
import { ready } from '$lib/session.svelte';
import { downloadFile, type Placement } from './download';
import { verifyVersion } from './verify';

export interface ModelView {
  readonly model: RegistryTypes.ModelInfo;
  readonly version: Uint8Array;
  readonly manifest: RegistryTypes.Manifest;
  /** The certified status. */
  readonly status: string;
  readonly details: RegistryTypes.VersionDetails;
  readonly versions: RegistryTypes.VersionSummary[];
}

export async function loadModel(publisher: string, name: string, wanted: string | undefined): Promise<ModelView> {
  const { agent, configuration } = ready();
  const reference = `${publisher}/${name}`;
  const canister = registry();
  const [model, resolved, versions] = await Promise.all([
    canister.get_model(reference).then(accepted),
    canister.resolve(wanted === undefined ? reference : `${reference}@${wanted}`).then(accepted),
    canister.list_model_versions({ model: reference, after: [], limit: [100] }).then(accepted),
  ]);
  const version = Uint8Array.from(resolved);
  const [certified, details] = await Promise.all([
    canister.get_version_certified(version).then(accepted),
    canister.describe_version(version).then(accepted),
  ]);
  const status = await verifyVersion(agent, configuration.registry, certified, version);
  return { model, version, manifest: certified.manifest, status, details, versions };
}

/** The bytes of one file, every chunk verified. */
export async function downloadModelFile(
  version: Uint8Array,
  path: string,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<Blob> {
  const info = accepted(await registry().get_version(version));
  const file = info.manifest.files.find((each) => each.path === path);
  if (file === undefined) throw new Error(`The version has no file ${path}.`);
  const placement = new Map<string, Placement>(
    info.placement.map((each) => {
      const hash = Uint8Array.from(each.hash);
      return [toHex(hash), { hash, shards: each.shards }];
    }),
  );
  const chunks = file.chunks.map((hash) => Uint8Array.from(hash));
  const parts = await downloadFile(chunks, placement, getChunk, progress, signal);
  return new Blob(parts.map((part) => new Uint8Array(part)));
}

async function getChunk(canister: Principal, hash: Uint8Array): Promise<Uint8Array> {
  return Uint8Array.from(accepted(await shard(canister).get_chunk(hash)).data);
}
