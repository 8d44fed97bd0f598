import { icpBindgen } from '@icp-sdk/bindgen/plugins/vite';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

/** Interfaces that no package has; the SNS part of governance and the ledgers' come from @icp-sdk/canisters. */
const INTERFACES = [...['governance', 'registry', 'shard', 'inference'].map((name) => `canisters/${name}/${name}.did`), 'crates/page-pipeline/page_pipeline.did'];

export default defineConfig({
  plugins: [
    ...INTERFACES.map((path) =>
      icpBindgen({
        didFile: `../${path}`,
        outDir: './src/bindings',
        output: { actor: { disabled: true } },
      }),
    ),
    sveltekit(),
  ],
  build: { target: 'es2022' },
  // Those of frontend/tests need a browser and a deployment: scripts/test-browser.
  test: { include: ['src/**/*.test.ts'] },
});
