import * as Clock from "effect/Clock"
import type { NetworkAccess } from "../../../actors/index.ts"
import { excerpt } from "../excerpt.ts"
import { McpFailure } from "../errors.ts"
import type { Fetch } from "../grantedFetch.ts"
import { keepAlive, type Perform } from "../waiting.ts"
import { authorizationFetch } from "./authorizationFetch.ts"
import type { AuthorizationKeeper, KeptAuthorization } from "./AuthorizationKeeper.ts"
import { AuthorizationProvider } from "./AuthorizationProvider.ts"
import { askPerson, type Callback } from "./askPerson.ts"
import type { AuthorizationSettings, Authorize } from "./AuthorizationSettings.ts"

type Sdk = typeof import("@modelcontextprotocol/client")

export interface SessionOptions {
  readonly server: string
  readonly url: string
  readonly auth: AuthorizationSettings
  readonly keeper: AuthorizationKeeper
  /** What requests about authorization may reach: not what requests to the server itself may. */
  readonly network: NetworkAccess
  /** How to reach a person; left out where there is none. */
  readonly authorize: Authorize | undefined
  readonly redirectUrl: string
  /** Whether what is kept is to be replaced, whatever it is. */
  readonly anew?: boolean
}

/** What a request that needs authorization has of the stream that makes it. */
export interface SessionUse {
  readonly perform: Perform
  /** Somebody is being waited for: the stream is not idle. */
  readonly alive: () => void
}

/** Why a request was refused, and with which token. */
interface Refusal {
  readonly isScope: boolean
  readonly scope: string | undefined
  readonly resourceMetadataUrl: URL | undefined
  readonly used: string | undefined
}

/** Requests that one request may become: refused, authorized, and asked for a wider scope. */
const mostAttempts = 3

/** Tokens and secrets of clients, the last ones, that are looked for in what a server says. */
const mostHidden = 64

/** A token is renewed so long before it ends, so that it does not end on its way; one of a short life in its second half. */
const renewBeforeMs = 30_000

/**
 * The right to use one server, for all streams of a host that use it.
 *
 * A token goes to the server's origin alone. When one is refused or about to end, the first stream to notice gets another
 * and the others wait for it: a refresh token that is used twice is a stolen one.
 *
 * **Fails** with `McpFailure` (reason `authorization`), `NetworkFailure` and `PermissionDenied`.
 * **Bounds** two authorizations for one request; see `authorizationFetch` and `askPerson`.
 */
export class AuthorizationSession {
  /** What a person is being waited for with, while one is. */
  interaction: Promise<unknown> | undefined
  readonly #options: SessionOptions
  readonly #origin: string
  /** The one authorization under way. */
  #flow: Promise<void> | undefined
  /** What must not be shown. */
  readonly #hidden = new Set<string>()
  #isReplaced: boolean

  constructor(options: SessionOptions) {
    this.#options = options
    this.#origin = new URL(options.url).origin
    this.#isReplaced = options.anew !== true
  }

  /** Whether a request may take as long as a person does. */
  get isInteractive(): boolean {
    return this.#options.auth.type === "authorization-code" && this.#options.authorize !== undefined
  }

  /** Text that came from a peer, without tokens. */
  conceal(text: string): string {
    return [...this.#hidden].reduce((shown, hidden) => shown.replaceAll(hidden, "{{token}}"), this.#options.network.conceal(text))
  }

  /** Whether there is a token. */
  async isAuthorized(): Promise<boolean> {
    return (await this.#kept()).tokens !== undefined
  }

  /** A `fetch` that shows the token to the server, and gets one when it is asked for. */
  fetch(next: Fetch, use: SessionUse): Fetch {
    return async (input, init = {}) => {
      if (new URL(String(input)).origin !== this.#origin) return next(input, init)
      const signal = init.signal ?? undefined
      const sdk = await import("@modelcontextprotocol/client")
      for (let attempt = 1; ; attempt++) {
        const token = await this.#token(use, signal)
        const headers = new Headers(init.headers)
        if (token !== undefined) headers.set("Authorization", `Bearer ${token}`)
        const answer = await next(input, { ...init, headers })
        const refusal = refusalOf(sdk, answer, token)
        if (refusal === undefined) return answer
        await answer.body?.cancel()
        if (attempt === mostAttempts)
          throw this.#failure("it refuses what it was given, again and again", "Check what the account may do there.")
        await this.#authorize(refusal, use, signal)
      }
    }
  }

  /** What is kept, as long as it is for this URL. */
  async #kept(): Promise<KeptAuthorization> {
    const { keeper, url } = this.#options
    const kept = await keeper.read()
    const own: KeptAuthorization = kept === undefined || kept.url !== url ? { url, clients: {} } : kept
    const { tokens, ...rest } = own
    for (const secret of [
      tokens?.access_token,
      tokens?.refresh_token,
      ...Object.values(own.clients).map((client) => client.client_secret)
    ]) {
      if (typeof secret === "string") this.#hide(secret)
    }
    return this.#isReplaced ? own : rest
  }

  #hide(secret: string): void {
    if (secret.length < 4) return
    // The one that is used now is the newest again; those of long ago are worth nothing.
    this.#hidden.delete(secret)
    this.#hidden.add(secret)
    for (const oldest of this.#hidden) if (this.#hidden.size > mostHidden) this.#hidden.delete(oldest)
  }

  /** The token to show; one that is about to end is renewed before, where no person is needed for that. */
  async #token(use: SessionUse, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { tokens } = await this.#kept()
    if (tokens?.expiresAt === undefined) return tokens?.access_token
    const aheadMs = Math.min(renewBeforeMs, ((tokens.expires_in ?? 0) * 1000) / 2)
    if (tokens.expiresAt - aheadMs > (await now(use))) return tokens.access_token
    const isRenewable = this.#options.auth.type !== "authorization-code" || tokens.refresh_token !== undefined
    if (!isRenewable) return tokens.access_token
    await this.#authorize({ isScope: false, scope: undefined, resourceMetadataUrl: undefined, used: tokens.access_token }, use, signal)
    return (await this.#kept()).tokens?.access_token
  }

  async #authorize(refusal: Refusal, use: SessionUse, signal: AbortSignal | undefined): Promise<void> {
    const { tokens } = await this.#kept()
    // Another stream, or another process, has done it in the meantime.
    if (tokens !== undefined && tokens.access_token !== refusal.used) return
    const flow = (this.#flow ??= this.#get(refusal, use).finally(() => (this.#flow = undefined)))
    // The stream that began it may end, while others wait for it.
    await keepAlive(use, flow, signal)
  }

  async #get(refusal: Refusal, use: SessionUse): Promise<void> {
    const { auth, network } = this.#options
    try {
      const sdk = await import("@modelcontextprotocol/client")
      const kept = await this.#kept()
      const granted = kept.tokens?.scope
      const scope = sdk.computeScopeUnion(auth.scope, granted, refusal.scope)
      if (refusal.isScope && !sdk.isStrictScopeSuperset(scope, granted)) {
        throw this.#failure(
          `it asks for the scope ${JSON.stringify(refusal.scope ?? "")}, which its token has`,
          "The account is not allowed to do this there."
        )
      }
      const fetchFn = authorizationFetch({ network, perform: use.perform, conceal: (text) => this.conceal(text) })
      const step: Step = { sdk, use, kept, fetchFn, scope, resourceMetadataUrl: refusal.resourceMetadataUrl }
      if (auth.type !== "authorization-code") await this.#obtain(step)
      else if (refusal.isScope || !(await this.#refresh(step))) await this.#askAnew(step)
      this.#isReplaced = true
      await this.#kept()
    } catch (error) {
      throw this.#told(error)
    }
  }

  /** No person is needed: the host vouches for itself. */
  async #obtain(step: Step): Promise<void> {
    const { fetchFn, sdk } = step
    const provider = await this.#provider(step, undefined)
    const { info, issuer, resource } = await this.#discover(step, provider)
    const scope = step.scope ?? info.resourceMetadata?.scopes_supported?.join(" ")
    provider.audience = { audience: issuer, resource: resource ?? this.#options.url }
    const tokens = await sdk.fetchToken(provider, info.authorizationServerUrl, {
      metadata: info.authorizationServerMetadata,
      resource,
      scope,
      fetchFn
    })
    await provider.saveTokens({ ...tokens, issuer, ...(tokens.scope === undefined && scope !== undefined ? { scope } : {}) })
  }

  /** @returns whether there was a refresh token that is still good for something */
  async #refresh(step: Step): Promise<boolean> {
    const { fetchFn, kept, sdk } = step
    if (kept.tokens?.refresh_token === undefined) return false
    const provider = await this.#provider(step, undefined)
    const { info, issuer, resource } = await this.#discover(step, provider)
    const clientInformation = provider.clientInformation({ issuer })
    if (clientInformation === undefined || provider.tokens({ issuer }) === undefined) return false
    try {
      const tokens = await sdk.refreshAuthorization(info.authorizationServerUrl, {
        metadata: info.authorizationServerMetadata,
        clientInformation,
        refreshToken: kept.tokens.refresh_token,
        resource,
        fetchFn
      })
      // Who has logged in or out meanwhile, in another process, has the last word.
      if (await this.#isChanged(kept)) return true
      await provider.saveTokens({ ...tokens, issuer, ...(tokens.scope === undefined ? { scope: kept.tokens.scope } : {}) })
      return true
    } catch (error) {
      // What is only out of order now may work later, and is told as that.
      if (!(error instanceof sdk.OAuthError) || !final.has(error.code)) throw error
      if (await this.#isChanged(kept)) return true
      await provider.invalidateCredentials("tokens")
      return false
    }
  }

  /** Whether another refresh token is kept now, or none. */
  async #isChanged({ tokens }: KeptAuthorization): Promise<boolean> {
    return (await this.#kept()).tokens?.refresh_token !== tokens?.refresh_token
  }

  async #discover({ fetchFn, resourceMetadataUrl, sdk }: Step, provider: AuthorizationProvider) {
    const { url } = this.#options
    const info = await discoverServer(sdk, url, resourceMetadataUrl, fetchFn)
    provider.discovered = {
      ...info,
      authorizationServerUrl: String(info.authorizationServerUrl),
      ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: resourceMetadataUrl.href })
    }
    const selected = await sdk.selectResourceURL(url, provider, info.resourceMetadata)
    return {
      info,
      issuer: info.authorizationServerMetadata?.issuer ?? String(info.authorizationServerUrl),
      resource: selected === undefined ? undefined : info.resourceMetadata?.resource
    }
  }

  async #askAnew(step: Step): Promise<void> {
    const { authorize, redirectUrl, server, url } = this.#options
    if (authorize === undefined) {
      throw this.#failure(
        "a person has to allow it first",
        `Run rtfs-streams login ${server} with the --config and --data-dir of this host, or give the host's option authorize.`
      )
    }
    const { fetchFn, resourceMetadataUrl, scope, sdk, use } = step
    const provider = await this.#provider(step, redirectUrl)
    await this.#discover(step, provider)
    const asked = { serverUrl: url, scope, resourceMetadataUrl, fetchFn, forceReauthorization: true }
    await sdk.auth(provider, asked)
    const asking = askPerson({
      authorize,
      server,
      url: provider.authorizationUrl!,
      redirectUrl,
      state: provider.expectedState,
      perform: use.perform
    })
    this.interaction = asking
    let callback: Callback
    try {
      callback = await asking
    } finally {
      this.interaction = undefined
    }
    if ("error" in callback) {
      const metadata = provider.discovered?.authorizationServerMetadata
      // Only the server that was asked may say what went wrong.
      sdk.validateAuthorizationResponseIssuer({
        iss: callback.iss,
        expectedIssuer: metadata?.issuer,
        issParameterSupported: metadata?.["authorization_response_iss_parameter_supported"] === true
      })
      throw this.#failure(`it was not allowed: ${excerpt(this.conceal(callback.error))}`, "Log in again, and allow it.")
    }
    await sdk.auth(provider, { ...asked, authorizationCode: callback.code, iss: callback.iss })
  }

  async #provider({ fetchFn, kept, sdk, use }: Step, redirectUrl: string | undefined): Promise<AuthorizationProvider> {
    const { auth, keeper, network, server } = this.#options
    const { reveal } = network
    const hide = (secret: string) => this.#hide(secret)
    return new AuthorizationProvider({ sdk, server, auth, keeper, kept, reveal, hide, now: await now(use), redirectUrl, fetchFn })
  }

  #told(error: unknown): unknown {
    for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) {
      if (["McpFailure", "NetworkFailure", "PermissionDenied"].includes(inner.name)) return inner
    }
    const { code } = error as { readonly code?: unknown }
    const message = excerpt(this.conceal(error instanceof Error ? error.message : String(error)))
    const said = typeof code === "string" ? `${code}: ${message}` : message
    return this.#failure(
      said,
      `Check auth of mcpServers.${this.#options.server}, and what the server's metadata say.`,
      isTemporary(code, message)
    )
  }

  #failure(problem: string, fix: string, isTemporary = false): McpFailure {
    return new McpFailure({
      stream: `of the server ${this.#options.server}`,
      reason: "authorization",
      problem: `it could not be authorized: ${problem}`,
      fix,
      isTemporary
    })
  }
}

/**
 * Asks the server who authorizes at it.
 *
 * Servers of 2025-03-26 name nobody and do it themselves. Then metadata of their own count even if they call their issuer
 * something else, as long as that is on the same origin: nobody else gains by it.
 */
const discoverServer = async (sdk: Sdk, url: string, resourceMetadataUrl: URL | undefined, fetchFn: Fetch) => {
  const failures: Array<unknown> = []
  // The client takes metadata that could not be read for none, and would show the host's credentials to the server itself.
  const told: Fetch = (input, init) =>
    fetchFn(input, init).catch((error: unknown) => {
      failures.push(error)
      throw error
    })
  const discover = async (skipIssuerMetadataValidation: boolean) => {
    const info = await sdk.discoverOAuthServerInfo(url, { resourceMetadataUrl, fetchFn: told, skipIssuerMetadataValidation })
    if (failures.length > 0) throw failures[0]
    return info
  }
  try {
    return await discover(false)
  } catch (error) {
    if (!(error instanceof sdk.IssuerMismatchError)) throw failures[0] ?? error
    const info = await discover(true)
    const issuer = URL.parse(info.authorizationServerMetadata?.issuer ?? "")
    if (info.resourceMetadata !== undefined || issuer?.origin !== new URL(url).origin) throw error
    return info
  }
}

interface Step {
  readonly sdk: Sdk
  readonly use: SessionUse
  readonly kept: KeptAuthorization
  readonly fetchFn: Fetch
  readonly scope: string | undefined
  readonly resourceMetadataUrl: URL | undefined
}

/** Answers of a token endpoint behind which no try of the same kind helps. */
const final = new Set(["invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type"])

/** The client's `server_error` is any answer that is none of OAuth; its text has the status then. */
const isTemporary = (code: unknown, message: string): boolean => {
  const [, status] = /^HTTP (\d{3}):/.exec(message) ?? []
  if (status !== undefined) return status === "429" || status.startsWith("5")
  return code === "server_error" || code === "temporarily_unavailable" || code === "too_many_requests"
}

const now = ({ perform }: SessionUse): Promise<number> => perform(Clock.currentTimeMillis)

const refusalOf = (sdk: Sdk, answer: Response, used: string | undefined): Refusal | undefined => {
  if (answer.status !== 401 && answer.status !== 403) return undefined
  const { error, resourceMetadataUrl, scope } = sdk.extractWWWAuthenticateParams(answer)
  const isScope = answer.status === 403
  return isScope && error !== "insufficient_scope" ? undefined : { isScope, scope, resourceMetadataUrl, used }
}
