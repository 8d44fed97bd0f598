// Signing in with Internet Identity as on mainnet. What is real: the page, its client of the sign-in protocol (ICRC-25, 29 and 34), the
// keys, the delegation, and the network that answers a query signed with it. What stands in: the identity provider, a page that this
// test serves at the address of the real one, which signs with a key of the test rather than after asking a person; and mainnet's API, whose
// requests go to this network, so the page must refuse the answers: another root key signed them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Cbor } from '@icp-sdk/core/agent';
import { DelegationChain, Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { Principal } from '@icp-sdk/core/principal';

import { get, launch, page, screenshot } from './world.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const DOOR = 'https://id.ai/authorize';
const MAINNET = 'https://icp-api.io/';

/** The provider's side of ICRC-29: it answers that it is ready, and signs in who asks. Signing is the test's. */
const PROVIDER = `<!doctype html><title>Identity provider</title><script>
  addEventListener('message', async ({ data, origin, source }) => {
    if (data?.jsonrpc !== '2.0') return;
    const answer = (result) => source.postMessage({ jsonrpc: '2.0', id: data.id, ...result }, origin);
    if (data.method === 'icrc29_status') answer({ result: 'ready' });
    if (data.method === 'icrc34_delegation') answer(await delegate(data.params, origin));
  });
</script>`;

const base64 = (bytes) => Buffer.from(bytes).toString('base64');

/** A visitor to the page as it is on mainnet, whose identity provider does `delegate`. */
async function mainnetVisitor(delegate) {
  const visitor = await browser.visitor({ expectedErrors: [/Failed to load resource/, /net::ERR_/] });
  const { context, tab } = visitor;
  const configuration = JSON.parse((await get('/config.json')).body);
  await context.route('**/config.json', (route) => route.fulfill({ json: { ...configuration, network: 'Mainnet', root_key: null } }));
  await context.exposeFunction('delegate', delegate);
  await context.route(`${DOOR}**`, (route) => route.fulfill({ contentType: 'text/html', body: PROVIDER }));
  const calls = [];
  await context.route(`${MAINNET}**`, async (route) => {
    const request = route.request();
    const { pathname } = new URL(request.url());
    const response = await fetch(new URL(pathname, process.env.STOA_ENDPOINT), {
      method: request.method(),
      headers: { 'content-type': 'application/cbor' },
      body: request.postDataBuffer() ?? undefined,
    });
    const answer = Buffer.from(await response.arrayBuffer());
    if (pathname.endsWith('/query')) calls.push({ envelope: Cbor.decode(new Uint8Array(request.postDataBuffer())), status: response.status, answer: new Uint8Array(answer) });
    await route.fulfill({
      status: response.status,
      headers: { 'access-control-allow-origin': '*', 'content-type': response.headers.get('content-type') ?? 'text/plain' },
      body: answer,
    });
  });
  await tab.goto(`${page}/wallet`);
  return { ...visitor, calls };
}

test('should sign in with Internet Identity, sign calls by its delegation, and stay signed in over a reload', async () => {
  const person = Ed25519KeyIdentity.generate();
  let asked;
  const { context, tab, calls } = await mainnetVisitor(async ({ publicKey, maxTimeToLive }, origin) => {
    asked = { origin, maxTimeToLive };
    const session = { toDer: () => new Uint8Array(Buffer.from(publicKey, 'base64')) };
    const expires = new Date(Date.now() + Number(BigInt(maxTimeToLive) / 1_000_000n));
    const chain = await DelegationChain.create(person, session, expires);
    return {
      result: {
        publicKey: base64(chain.publicKey),
        signerDelegation: chain.delegations.map(({ delegation, signature }) => ({
          delegation: { pubkey: base64(delegation.pubkey), expiration: String(delegation.expiration) },
          signature: base64(signature),
        })),
      },
    };
  });
  // On mainnet nobody is offered a key that everybody has.
  await tab.getByRole('button', { name: 'Sign in with Internet Identity' }).waitFor();
  assert.equal(await tab.getByRole('button', { name: 'Sign in for development' }).count(), 0);
  assert.equal(await tab.getByText('A network for development').count(), 0);
  const [provider] = await Promise.all([context.waitForEvent('page'), tab.getByRole('button', { name: 'Sign in with Internet Identity' }).click()]);
  assert.ok(provider.url().startsWith(DOOR));
  const principal = person.getPrincipal().toText();
  await tab.getByTitle(principal).waitFor();
  assert.equal(asked.origin, page);
  assert.ok(BigInt(asked.maxTimeToLive) <= 8n * 3_600_000_000_000n, 'signed in for longer than 8 hours');
  await screenshot(tab, 'signed-in');

  // The wallet asks for balances: the network takes the signature, the page does not take the answer.
  await tab.getByText('did not verify').first().waitFor({ timeout: 60_000 });
  const signed = calls.find(({ envelope }) => Principal.from(envelope.content.sender).toText() === principal);
  assert.ok(signed !== undefined, 'nothing was signed by who signed in');
  assert.equal(signed.envelope.sender_delegation.length, 1);
  assert.notEqual(base64(signed.envelope.sender_delegation[0].delegation.pubkey), base64(person.getPublicKey().toDer()));
  assert.equal(signed.status, 200);
  assert.equal(Cbor.decode(signed.answer).status, 'replied');

  await tab.reload();
  await tab.getByTitle(principal).waitFor();
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await tab.getByRole('button', { name: 'Sign in with Internet Identity' }).waitFor();
  await tab.reload();
  await tab.getByRole('button', { name: 'Sign in with Internet Identity' }).waitFor();
  await context.close();
});

test('should say that signing in was refused, and offer it again', async () => {
  const { context, tab } = await mainnetVisitor(() => ({ error: { code: 3001, message: 'The user said no' } }));
  await tab.getByRole('button', { name: 'Sign in with Internet Identity' }).click();
  await tab.getByText('Signing in: The user said no').waitFor();
  assert.equal(await tab.getByRole('button', { name: 'Sign in with Internet Identity' }).isEnabled(), true);
  await context.close();
});
