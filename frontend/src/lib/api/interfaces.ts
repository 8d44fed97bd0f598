/** The interfaces as data: types of arguments, for what is encoded or drawn as a form rather than called. */
import { IDL } from '@icp-sdk/core/candid';
import { idlFactory as governance } from '../../bindings/declarations/governance.did';
import { idlFactory as inference } from '../../bindings/declarations/inference.did';
import { idlFactory as registry } from '../../bindings/declarations/registry.did';

const FACTORIES = { governance, inference, registry };
export type KnownCanister = keyof typeof FACTORIES;

/** The types that a method takes; `undefined` where there is no such method. */
export function argumentTypes(canister: KnownCanister, method: string): IDL.Type[] | undefined {
  const service = FACTORIES[canister]({ IDL });
  return service._fields.find(([name]) => name === method)?.[1].argTypes;
}

export function methods(canister: KnownCanister): string[] {
  return FACTORIES[canister]({ IDL })._fields.map(([name]) => name);
}

/** One argument of a method that is known to be there. */
export function argumentType(canister: KnownCanister, method: string): IDL.Type {
  const [type] = argumentTypes(canister, method) ?? [];
  if (type === undefined) throw new Error(`BUG: ${canister} has no method ${method} with an argument`);
  return type;
}
