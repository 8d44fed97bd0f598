/**
 * The configuration, the identity and the agent that all calls go through. One object for the whole page.
 *
 * What must hold: the agent verifies query signatures and certificates, against mainnet's built-in root key unless the
 * configuration, which is certified, says that this is a network for development.
 */
import { AnonymousIdentity, HttpAgent, type Identity } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import type { AuthClient } from '@icp-sdk/auth/client';
import { loadConfiguration, type Configuration } from './configuration';
import { developmentIdentity } from './identity';

/** Gateways of custom domains do not offer the API; this address does. */
const MAINNET_HOST = 'https://icp-api.io';
const DEVELOPMENT_NAME_KEY = 'stoa.development-identity';

export class Session {
  configuration: Configuration | undefined = $state.raw();
  agent: HttpAgent | undefined = $state.raw();
  identity: Identity = $state.raw(new AnonymousIdentity());
  /** Set where the identity is one that everybody has the key of. */
  developmentName: string | undefined = $state();
  failure: string | undefined = $state();

  readonly principal: Principal = $derived(this.identity.getPrincipal());
  readonly signedIn: boolean = $derived(!this.principal.isAnonymous());

  #authClient: AuthClient | undefined;

  async start(): Promise<void> {
    try {
      this.failure = undefined;
      const configuration = await loadConfiguration();
      this.configuration = configuration;
      await this.#restore(configuration);
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
    }
  }

  get development(): boolean {
    return this.configuration?.network === 'Development';
  }

  async signInForDevelopment(name: string): Promise<void> {
    if (!this.development) throw new Error('Development identities are for networks for development.');
    await this.#use(await developmentIdentity(name), name);
    localStorage.setItem(DEVELOPMENT_NAME_KEY, name);
  }

  async signIn(): Promise<void> {
    const client = await this.#internetIdentity();
    await this.#use(await client.signIn(), undefined);
  }

  async signOut(): Promise<void> {
    localStorage.removeItem(DEVELOPMENT_NAME_KEY);
    if (this.#authClient !== undefined) await this.#authClient.signOut();
    await this.#use(new AnonymousIdentity(), undefined);
  }

  async #restore(configuration: Configuration): Promise<void> {
    const name = localStorage.getItem(DEVELOPMENT_NAME_KEY);
    if (configuration.network === 'Development') {
      if (name === null) await this.#use(new AnonymousIdentity(), undefined);
      else await this.#use(await developmentIdentity(name), name);
      return;
    }
    const client = await this.#internetIdentity();
    const identity = client.isAuthenticated() ? await client.getIdentity() : new AnonymousIdentity();
    await this.#use(identity, undefined);
  }

  async #use(identity: Identity, developmentName: string | undefined): Promise<void> {
    const rootKey = this.configuration?.rootKey;
    this.agent = await HttpAgent.create({
      host: this.development ? location.origin : MAINNET_HOST,
      identity,
      ...(rootKey === undefined ? {} : { rootKey }),
    });
    this.identity = identity;
    this.developmentName = developmentName;
  }

  /** Loaded when needed: most visitors only look. */
  async #internetIdentity(): Promise<AuthClient> {
    if (this.#authClient === undefined) {
      const { AuthClient } = await import('@icp-sdk/auth/client');
      this.#authClient = new AuthClient();
    }
    return this.#authClient;
  }
}

export const session = new Session();

/** The session once it has started; pages are shown only then. */
export function ready(): { configuration: Configuration; agent: HttpAgent } {
  const { configuration, agent } = session;
  if (configuration === undefined || agent === undefined) throw new Error('BUG: a page before the session has started');
  return { configuration, agent };
}
