/** What the error page says where a page did not come up: mostly that its code could not be fetched. */
import type { HandleClientError } from '@sveltejs/kit';
import { explain } from '$lib/explain';

export const handleError: HandleClientError = ({ error, status, message }) => ({ message: status === 404 ? message : explain(error) });
