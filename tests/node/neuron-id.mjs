// Prints the id of the neuron that a principal claims with a number, as Candid's text has
// bytes: node neuron-id.mjs PRINCIPAL [NUMBER]

import { createHash } from 'node:crypto';

import { Principal } from '@icp-sdk/core/principal';

const [principal, number = '0'] = process.argv.slice(2);
const memo = Buffer.alloc(8);
memo.writeBigUInt64BE(BigInt(number));
const id = createHash('sha256')
  .update(Buffer.from([12]))
  .update('neuron-stake')
  .update(Principal.fromText(principal).toUint8Array())
  .update(memo)
  .digest('hex');
console.log(id.replaceAll(/../g, '\\$&'));
