// The way of a folder into the library before anybody votes: dropped, described, corrected while typing, uploaded, and taken back.

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { accessibilityProblems, freshName, fund, identityOf, launch, page, screenshot, signIn, stoa } from './world.mjs';

let browser;
let folder;
before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), 'stoa-drop-'));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

/** As from a window of files beside the browser. */
async function drop(context, tab, path) {
  const box = await tab.getByRole('group', { name: 'Drop a folder here' }).boundingBox();
  const session = await context.newCDPSession(tab);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 4, data: { items: [], files: [path], dragOperationsMask: 1 } };
  for (const type of ['dragEnter', 'dragOver', 'drop']) await session.send('Input.dispatchDragEvent', { type, ...at });
}

test('should take a dropped folder, say what is wrong with what is typed, and give the deposit back for what is withdrawn', async () => {
  const name = freshName();
  const other = identityOf('somebody else').getPrincipal().toText();
  const [, digits] = /"version": "([0-9a-f]{64})"/.exec(await stoa('--json', 'model', 'show', 'stoa/digits'));
  const path = join(folder, `model-${name}`);
  await cp(new URL('../../examples/models/digits/', import.meta.url), path, { recursive: true });
  const toml = await readFile(join(path, 'model.toml'), 'utf8');
  await writeFile(join(path, 'model.toml'), toml.replace('name = "digits"', `name = "drop-${name}"`));
  await fund(name, { icp: '3', tokens: '0' });
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/publish`);
  await signIn(tab, name);
  await tab.getByRole('group', { name: 'Drop a folder here' }).waitFor();
  await drop(context, tab, path);

  // What model.toml says is in the form.
  const value = (label) => tab.getByLabel(label, { exact: true }).inputValue();
  await tab.getByRole('heading', { name: '2. What it is' }).waitFor();
  assert.deepEqual(
    await Promise.all(['Name', 'Version', 'Licence (SPDX)', 'Task', 'The file that is run'].map((label) => tab.getByLabel(label).first().inputValue())),
    [`drop-${name}`, '1.0.0', 'Apache-2.0', 'image-classification', 'digits.onnx'],
  );
  assert.match(await value('Card (Markdown)'), /^# Handwritten digits/);
  assert.equal(await value('Metric'), 'accuracy');
  assert.match(await value('Code that made it'), /train\.py/);

  const start = tab.getByRole('button', { name: 'Approve and upload' });
  const handle = tab.getByLabel('A handle to publish under');
  const version = tab.getByLabel('Version');
  await handle.fill('Not A Handle');
  await tab.getByText('2 to 39 small letters and digits').waitFor();
  await version.fill('1.0');
  await tab.getByText('three numbers, as in 1.0.0').waitFor();
  assert.equal(await start.isEnabled(), false);
  assert.equal(await version.getAttribute('aria-invalid'), 'true');
  assert.match(await tab.getByRole('status').last().innerText(), /Still to do: .*publisher.*version|Still to do: .*version.*publisher/);
  await tab.getByRole('button', { name: 'Add a share' }).click();
  await tab.getByLabel('Who earns').fill('nobody');
  await tab.getByText('who earns is a principal').waitFor();
  assert.match(await tab.getByRole('status').last().innerText(), /royalties/);
  assert.deepEqual(await accessibilityProblems(tab), []);
  await screenshot(tab, 'publish-checks');
  await tab.getByLabel('Who earns').fill(other);
  await tab.getByLabel('Share of the price in %').fill('100.5');
  await tab.getByText('a share is more than 0 and at most 100 %').waitFor();
  await tab.getByLabel('Share of the price in %').fill('2.5');
  await tab.getByText('a share is more than 0 and at most 100 %').waitFor({ state: 'detached' });
  await tab.getByRole('button', { name: 'Add a parent' }).click();
  await tab.getByLabel('Parent, by its digest').fill(digits);
  await tab.getByRole('group', { name: 'Models it was made from' }).getByRole('combobox').selectOption('Distilled');
  await handle.fill(name);
  await version.fill('1.0.0');
  await tab.getByText('three numbers, as in 1.0.0').waitFor({ state: 'detached' });

  await start.click();
  await tab.getByRole('heading', { name: `${name}/drop-${name}@1.0.0 is uploaded and sealed` }).waitFor({ timeout: 60_000 });
  // What the rows said is in the manifest.
  const shown = await stoa('model', 'show', `${name}/drop-${name}@1.0.0`);
  assert.match(shown, new RegExp(`royalty\\s+2\\.50 % to ${other}`));
  assert.match(shown, new RegExp(`parent\\s.*${digits}`));
  const undecided = tab.locator('[data-tid="open-version"]');
  // Anybody with a neuron could propose it now.
  await undecided.getByText('proposed').waitFor();
  await undecided.getByRole('button', { name: 'Withdraw' }).click();
  await undecided.waitFor({ state: 'detached' });
  assert.equal(await tab.getByText('is uploaded and sealed').count(), 0);
  const returned = tab.getByText(/ICP for [0-9a-f]{16}…: returned/);
  for (let attempt = 0; attempt < 30 && !(await returned.isVisible()); attempt += 1) {
    await tab.waitForTimeout(1_000);
    await tab.goto(`${page}/wallet`);
    await tab.getByText(/ICP for [0-9a-f]{16}…/).waitFor();
  }
  await returned.waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});
