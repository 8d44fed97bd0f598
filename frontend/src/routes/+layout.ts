// A page of the browser alone: there is no server that could render it.
export const ssr = false;
export const prerender = false;
export const trailingSlash = 'never';
