/**
 * Uploads that were begun on this device: manifest and files in IndexedDB, so that one goes on after a reload without choosing the
 * folder again. Browsers keep the files on disk, not in memory; they leave with the upload's end or when the publisher drops it.
 */
import { IDL } from '@icp-sdk/core/candid';
import { argumentType } from '$lib/api/interfaces';
import { toHex } from '$lib/bytes';
import { manifestDigest } from '$lib/hash/representation';
import type { Manifest } from './manifest';

const DATABASE = 'stoa-uploads';
const STORE = 'uploads';

interface Stored {
  /** Principal and digest. */
  readonly key: string;
  readonly owner: string;
  readonly title: string;
  /** Candid. */
  readonly manifest: Uint8Array;
  readonly files: [string, Blob][];
  readonly priceE8s: bigint;
  readonly startedAt: number;
}

export interface Draft {
  readonly key: string;
  readonly title: string;
  readonly manifest: Manifest;
  readonly files: Map<string, Blob>;
  readonly priceE8s: bigint;
  readonly startedAt: number;
}

const manifestType = (): IDL.Type => argumentType('registry', 'begin_upload');

async function transaction(mode: IDBTransactionMode): Promise<IDBTransaction> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'key' });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error ?? new Error('The browser keeps no data for this page.'));
  });
  database.onversionchange = () => database.close();
  return database.transaction(STORE, mode, { durability: 'strict' });
}

/** Answers when the change is on disk, which is later than when it was taken. */
async function change<T>(mode: IDBTransactionMode, make: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const changing = await transaction(mode);
  const request = make(changing.objectStore(STORE));
  await new Promise<void>((resolve, reject) => {
    changing.oncomplete = () => resolve();
    changing.onabort = () => reject(changing.error ?? new Error('The browser could not keep the upload.'));
  }).finally(() => changing.db.close());
  return request.result;
}

export async function keep(
  owner: string,
  manifest: Manifest,
  files: ReadonlyMap<string, Blob>,
  priceE8s: bigint,
): Promise<string> {
  const key = `${owner}/${toHex(manifestDigest(manifest))}`;
  const stored: Stored = {
    key,
    owner,
    title: `${manifest.publisher}/${manifest.name}@${manifest.version}`,
    manifest: IDL.encode([manifestType()], [manifest]),
    files: [...files],
    priceE8s,
    startedAt: Date.now(),
  };
  await change('readwrite', (store) => store.put(stored));
  return key;
}

export async function list(owner: string): Promise<Draft[]> {
  const all = (await change('readonly', (store) => store.getAll())) as Stored[];
  return all
    .filter((each) => each.owner === owner)
    .map(({ key, title, manifest, files, priceE8s, startedAt }) => ({
      key,
      title,
      manifest: IDL.decode([manifestType()], Uint8Array.from(manifest))[0] as unknown as Manifest,
      files: new Map(files),
      priceE8s,
      startedAt,
    }));
}

export async function forget(key: string): Promise<void> {
  await change('readwrite', (store) => store.delete(key));
}
