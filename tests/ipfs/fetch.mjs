// Fetches a file by its CID with a stock IPFS client from one trustless gateway and prints its SHA-256 and size.
//
//   node fetch.mjs <gateway, such as http://127.0.0.1:4943> <Host of the shard> <cid>
//
// A proxy on the loopback sets the Host header, since not every resolver knows names below localhost.

import { createHash } from 'node:crypto';
import { createServer, request } from 'node:http';

import { createVerifiedFetch } from '@helia/verified-fetch';

const [gateway, host, cid] = process.argv.slice(2);
const { hostname, port } = new URL(gateway);

const asked = [];
const proxy = createServer((incoming, outgoing) => {
  asked.push(incoming.url);
  const headers = { ...incoming.headers, host };
  const forwarded = request(
    { hostname, port, path: incoming.url, method: incoming.method, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    },
  );
  forwarded.on('error', () => outgoing.destroy());
  incoming.pipe(forwarded);
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));

const verifiedFetch = await createVerifiedFetch({
  gateways: [`http://127.0.0.1:${proxy.address().port}`],
  routers: [],
  allowLocal: true,
  allowInsecure: true,
});
try {
  const response = await verifiedFetch(`ipfs://${cid}`, { allowLocal: true, allowInsecure: true });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  console.log(JSON.stringify({ sha256, size: bytes.length, blocks: asked.length }));
} finally {
  await verifiedFetch.stop();
  proxy.close();
  proxy.closeAllConnections();
}
process.exit(0);
