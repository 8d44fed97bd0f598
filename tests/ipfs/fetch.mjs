// Fetches by CID with a stock IPFS client from one trustless gateway: a file, or files at paths below a folder. Prints SHA-256 and size of each.
//
//   node fetch.mjs <gateway, such as http://127.0.0.1:4943> <Host of the shard> <cid> [<path>...]
//
// A proxy on the loopback sets the Host header, since not every resolver knows names below localhost.

import { createHash } from 'node:crypto';
import { createServer, request } from 'node:http';

// The client expects Node 22; this is what it misses in 20.
Promise.withResolvers ??= function withResolvers() {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const { createVerifiedFetchWithHelia } = await import('@helia/verified-fetch');
const { createHeliaLight } = await import('helia');
const { withHTTP } = await import('@helia/http');

const [gateway, host, cid, ...paths] = process.argv.slice(2);
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

// HTTP alone: no peers, no other gateway than this one.
const light = createHeliaLight();
// A search among no routers at all never ends.
light.addRouter({ name: 'nobody', async *findProviders() {} });
const helia = await withHTTP(light, {
  delegatedRouters: [],
  recursiveGateways: [`http://127.0.0.1:${proxy.address().port}`],
  allowLocal: true,
  allowInsecure: true,
}).start();
const verifiedFetch = await createVerifiedFetchWithHelia(helia);
try {
  const files = [];
  for (const path of paths.length > 0 ? paths : ['']) {
    const url = path === '' ? `ipfs://${cid}` : `ipfs://${cid}/${path}`;
    const response = await verifiedFetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    files.push({ path, sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length });
  }
  console.log(JSON.stringify({ files, asked: asked.length }));
} finally {
  await verifiedFetch.stop();
  proxy.close();
  proxy.closeAllConnections();
}
process.exit(0);
