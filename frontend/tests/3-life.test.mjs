// A model's whole life in the browser: published from a folder, interrupted by a reload, voted in, tried, paid for, its receipt
// verified, run on this device and compared.

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freshName, fund, launch, page, screenshot, signIn } from './world.mjs';

const SAMPLE = new URL('../../examples/models/digits/samples/one-digit.json', import.meta.url);
const DIGITS = new URL('../../examples/models/digits/', import.meta.url);

let browser;
let folder;
before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), 'stoa-model-'));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

/** The digits model under another name, with bytes that no shard has yet. */
async function modelFolder(name, extraBytes) {
  const path = join(folder, name);
  await cp(DIGITS, path, { recursive: true });
  const toml = await readFile(join(path, 'model.toml'), 'utf8');
  await writeFile(
    join(path, 'model.toml'),
    toml.replace('name = "digits"', `name = "${name}"`).replace('files = ["digits.onnx", "README.md"]', 'files = ["digits.onnx", "README.md", "extra.bin"]'),
  );
  const extra = Buffer.alloc(extraBytes);
  for (let index = 0; index < extra.length; index += 4) extra.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, index);
  await writeFile(join(path, 'extra.bin'), extra);
  return path;
}

/** A page of somebody with a neuron that decides alone. */
async function whale(name) {
  await fund(name, { icp: '10', tokens: '10001' });
  const visitor = await browser.visitor({ profile: join(folder, 'profile') });
  await visitor.tab.goto(`${page}/neurons`);
  await signIn(visitor.tab, name);
  await visitor.tab.getByLabel(/^Tokens/).fill('10000');
  await visitor.tab.getByRole('button', { name: 'Stake', exact: true }).first().click();
  const neuron = visitor.tab.locator('[data-tid="neuron"]');
  await neuron.getByText('10 000 tokens').waitFor();
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByLabel('Dissolve delay longer by days').fill('2000');
  await neuron.getByRole('button', { name: 'Increase' }).click();
  await neuron.locator('[data-tid="delay"]').getByText('5 years').waitFor();
  return visitor;
}

test('should publish, vote in, try, pay, verify and run on this device, through a reload in the middle of the upload', async () => {
  const name = freshName();
  const model = `life-${name}`;
  const { context, tab, errors } = await whale(name);
  const path = await modelFolder(model, 6 << 20);

  // Publish; the page is loaded anew when a few chunks are there.
  await tab.goto(`${page}/publish`);
  await tab.locator('[data-tid="folder-input"]').setInputFiles(path);
  await tab.getByLabel('A handle to publish under').fill(name);
  await tab.getByText('need a deposit of').waitFor();
  await screenshot(tab, 'life-1-publish');
  let chunks = 0;
  let reloaded;
  const interrupted = new Promise((resolve) => (reloaded = resolve));
  await tab.route('**/api/**/call', async (route) => {
    if ((route.request().postDataBuffer()?.length ?? 0) > 500_000 && ++chunks === 5) {
      await route.abort();
      reloaded();
      return;
    }
    await (chunks >= 5 && (route.request().postDataBuffer()?.length ?? 0) > 500_000 ? route.abort() : route.continue());
  });
  await tab.getByRole('button', { name: 'Approve and upload' }).click();
  await interrupted;
  assert.match(await tab.locator('[data-tid="upload-progress"]').innerText(), /^Uploading: \d[\d.]* [KM]iB of 12\.\d MiB, each chunk to two shards/);
  await tab.reload();
  await tab.unroute('**/api/**/call');
  const draft = tab.locator('[data-tid="draft"]');
  await draft.getByText(`${name}/${model}@1.0.0`).waitFor();
  await screenshot(tab, 'life-2-resume');
  let sentAgain = 0;
  await tab.route('**/api/**/call', async (route) => {
    if ((route.request().postDataBuffer()?.length ?? 0) > 500_000) sentAgain += 1;
    await route.continue();
  });
  await draft.getByRole('button', { name: 'Go on' }).click();
  await tab.getByRole('heading', { name: `${name}/${model}@1.0.0 is uploaded and sealed` }).waitFor({ timeout: 60_000 });
  assert.ok(sentAgain <= 12 - 4, `${sentAgain} of 12 large chunks were sent after the reload`);
  assert.ok(sentAgain > 0, `${chunks} large chunks before the reload, none after`);

  // Propose and vote.
  await tab.locator('[data-tid="published"]').getByRole('button', { name: 'Propose it' }).click();
  await tab.waitForURL(/\/proposals\/\d+$/);
  await tab.getByRole('heading', { name: 'Tally' }).waitFor();
  await screenshot(tab, 'life-3-proposal');
  await tab.getByText('executed', { exact: false }).or(tab.getByText('Open')).first().waitFor();
  if (await tab.getByRole('button', { name: 'Vote yes' }).isVisible()) {
    await tab.getByRole('checkbox').first().check();
    await tab.getByRole('button', { name: 'Vote yes' }).click();
  }
  await tab.locator('[data-tid="tag"]').getByText('Executed').waitFor({ timeout: 60_000 });

  // Admitted, verified by the browser.
  await tab.goto(`${page}/models/${name}/${model}`);
  await tab.getByText('admitted', { exact: true }).first().waitFor();
  await tab.getByRole('link', { name: 'Try it' }).click();

  // Load, preview, pay.
  await tab.getByRole('button', { name: 'Load it' }).click();
  const preview = tab.getByRole('button', { name: 'Preview for free' });
  await tab.waitForFunction(() => [...document.querySelectorAll('button')].some((button) => button.textContent?.includes('Preview for free') && !button.disabled), undefined, { timeout: 60_000 });
  await tab.getByRole('button', { name: 'Tensors' }).click();
  await tab.locator('[data-tid="tensors-json"]').fill(await readFile(SAMPLE, 'utf8'));
  await preview.click();
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('7', { exact: true }).waitFor();
  await tab.getByRole('button', { name: 'Price of a paid run' }).click();
  await tab.getByRole('button', { name: 'Pay and run' }).click();
  await tab.locator('[data-tid="receipt-verified"]').waitFor();
  assert.equal(await tab.locator('[data-tid="paid"] [data-tid="answer-top"]').innerText(), '7');

  // The same on this device.
  await tab.getByRole('button', { name: 'Run on this device' }).click();
  const comparison = tab.locator('[data-tid="comparison"]');
  await comparison.waitFor({ timeout: 60_000 });
  assert.match(await comparison.innerText(), /^✓/);
  assert.equal(await tab.locator('[data-tid="on-device"] [data-tid="answer-top"]').innerText(), '7');
  await screenshot(tab, 'life-4-tried');

  // What it left: a receipt in the wallet, a call on the model's page.
  await tab.goto(`${page}/wallet`);
  await tab.getByRole('button', { name: 'Verify' }).click();
  await tab.getByText('in the certified log').waitFor();
  await tab.goto(`${page}/models/${name}/${model}`);
  await tab.locator('[data-tid="usage"]').getByText('1 call for').waitFor();
  const unexpected = errors.filter((text) => !/net::ERR_FAILED/.test(text));
  assert.deepEqual(unexpected, []);
  await context.close();
});

test('should recognise a digit that is drawn', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits/try`);
  const pad = tab.locator('[data-tid="draw-pad"]');
  await pad.waitFor();
  const box = await pad.boundingBox();
  const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
  // A one: a straight line.
  await tab.mouse.move(...at(0.55, 0.08));
  await tab.mouse.down();
  await tab.mouse.move(...at(0.5, 0.92), { steps: 12 });
  await tab.mouse.up();
  await tab.getByRole('button', { name: 'Preview for free' }).click();
  await tab.locator('[data-tid="preview"] [data-tid="answer-top"]').getByText('1', { exact: true }).waitFor();
  await screenshot(tab, 'life-5-drawn');
  assert.deepEqual(errors, []);
  await context.close();
});
