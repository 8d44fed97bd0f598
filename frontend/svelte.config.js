import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess(),
  kit: {
    // One page for every path: the frontend canister answers unknown paths with it.
    adapter: adapter({ fallback: 'index.html', strict: false }),
    // Absolute, so that the same page works below any path.
    paths: { relative: false },
    // The module hash names the build: a version by time would change it.
    version: { name: 'stoa' },
  },
};
