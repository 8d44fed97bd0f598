import { describe, expect, it } from 'vitest';
import type { RegistryTypes } from '$lib/api/stoa';
import { concerns } from './audit';

const VERSION = 'ab'.repeat(32);
const bytes = new Uint8Array(32).fill(0xab);
const other = new Uint8Array(32).fill(0xcd);
const about = (action: object): boolean => concerns(action as RegistryTypes.AuditAction, VERSION, 'lab/m', 'lab');

describe('the trail of a version', () => {
  it('should have what became of the version, of its model and of its publisher', () => {
    for (const action of [
      { ChangedStatus: { version: bytes } },
      { RemovedVersion: { version: bytes } },
      { SetAlias: { model: 'lab/m' } },
      { SetPrice: { model: 'lab/m' } },
      { ClaimedPublisher: { handle: 'lab' } },
      { TransferredPublisher: { handle: 'lab' } },
      { SetCoPublishers: { handle: 'lab' } },
    ]) expect(about(action), Object.keys(action)[0]).toBe(true);
  });

  it('should have nothing of others, nor of the library as a whole', () => {
    for (const action of [
      { ChangedStatus: { version: other } },
      { RemovedVersion: { version: other } },
      { SetAlias: { model: 'lab/other' } },
      { SetPrice: { model: 'other/m' } },
      { ClaimedPublisher: { handle: 'other' } },
      { SetFleetPolicy: null },
    ]) expect(about(action), Object.keys(action)[0]).toBe(false);
  });
});
