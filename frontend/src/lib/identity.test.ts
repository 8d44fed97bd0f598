import { expect, it } from 'vitest';
import { developmentIdentity } from './identity';

it('should make the same identity of a name every time, and another of another', async () => {
  const [alice, again, bob] = await Promise.all(['alice', 'alice', 'bob'].map(developmentIdentity));
  expect(alice?.getPrincipal().toText()).toBe(again?.getPrincipal().toText());
  expect(alice?.getPrincipal().toText()).not.toBe(bob?.getPrincipal().toText());
});
