import type {
  OAuthClientInformationContext,
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens
} from "@modelcontextprotocol/client"
import { McpFailure } from "../errors.ts"
import type { AuthorizationKeeper, KeptAuthorization } from "./AuthorizationKeeper.ts"
import type { AuthorizationSettings, TokenSource } from "./AuthorizationSettings.ts"

type Sdk = typeof import("@modelcontextprotocol/client")

export interface ProviderOptions {
  readonly sdk: Sdk
  readonly server: string
  readonly auth: AuthorizationSettings
  readonly keeper: AuthorizationKeeper
  readonly kept: KeptAuthorization
  readonly reveal: (text: string) => string
  /** Told of a secret that is not the host's own, so that no message shows it. */
  readonly hide: (secret: string) => void
  /** Milliseconds since 1970. */
  readonly now: number
  /** Where a person comes back; left out where there is none. */
  readonly redirectUrl: string | undefined
  readonly fetchFn: (input: string | URL, init?: RequestInit) => Promise<Response>
}

/**
 * What the client of the protocol asks about one authorization while it is under way.
 *
 * State, verifier and discovered metadata live as long as this object: both halves of an authorization are in one process.
 */
export class AuthorizationProvider implements OAuthClientProvider {
  /** What a person is to open, once it is known. */
  authorizationUrl: URL | undefined
  discovered: OAuthDiscoveryState | undefined
  /** What the next grant is asked for, for grants that tell the resource to somebody else first. */
  audience: { readonly audience: string; readonly resource: string } | undefined
  readonly expectedState = crypto.randomUUID()
  readonly addClientAuthentication?: NonNullable<OAuthClientProvider["addClientAuthentication"]>
  readonly prepareTokenRequest?: NonNullable<OAuthClientProvider["prepareTokenRequest"]>
  readonly saveClientInformation?: NonNullable<OAuthClientProvider["saveClientInformation"]>
  readonly clientMetadataUrl?: string
  readonly #options: ProviderOptions
  #kept: KeptAuthorization
  #verifier = ""

  constructor(options: ProviderOptions) {
    this.#options = options
    this.#kept = options.kept
    const { auth, reveal, sdk } = options
    if (auth.type !== "authorization-code") this.prepareTokenRequest = (scope) => this.#grant(scope)
    else if (auth.clientId === undefined) {
      if (auth.clientMetadataUrl !== undefined) this.clientMetadataUrl = auth.clientMetadataUrl
      this.saveClientInformation = (client, context) => this.#keep({ clients: { ...this.#kept.clients, [context!.issuer]: client } })
    }
    const { algorithm = "ES256", clientId, privateKey } = auth
    if (clientId !== undefined && privateKey !== undefined) {
      this.addClientAuthentication = sdk.createPrivateKeyJwtAuth({
        issuer: clientId,
        subject: clientId,
        privateKey: reveal(privateKey),
        alg: algorithm
      })
    }
  }

  get redirectUrl(): string | undefined {
    return this.#options.redirectUrl
  }

  get clientMetadata(): OAuthClientMetadata {
    const { auth, redirectUrl } = this.#options
    return {
      client_name: "rtfs-streams",
      redirect_uris: redirectUrl === undefined ? [] : [redirectUrl],
      grant_types: auth.type === "authorization-code" ? ["authorization_code", "refresh_token"] : [],
      response_types: auth.type === "authorization-code" ? ["code"] : [],
      ...(auth.scope === undefined ? {} : { scope: auth.scope })
    }
  }

  state(): string {
    return this.expectedState
  }

  /** **Fails** with `McpFailure` where the MCP server names another authorization server than the configuration. */
  clientInformation(context?: OAuthClientInformationContext): StoredOAuthClientInformation | undefined {
    const { auth, reveal, server } = this.#options
    const issuer = context?.issuer
    const expected = auth.issuer ?? (auth.clientId === undefined ? undefined : this.#kept.boundTo)
    if (issuer !== undefined && expected !== undefined && !isSameIssuer(issuer, expected)) {
      throw new McpFailure({
        stream: `of the server ${server}`,
        reason: "authorization",
        problem: `it names the authorization server ${issuer} now, but its credentials are for ${expected}`,
        fix:
          auth.issuer === undefined
            ? `If that is right, forget the old one with rtfs-streams logout ${server}.`
            : `If that is right, change auth.issuer of mcpServers.${server}.`
      })
    }
    if (auth.clientId !== undefined) {
      const secret = auth.clientSecret !== undefined ? { client_secret: reveal(auth.clientSecret) } : {}
      return { client_id: auth.clientId, ...secret, ...(issuer === undefined ? {} : { issuer }) }
    }
    const known = issuer === undefined ? undefined : this.#kept.clients[issuer]
    return known !== undefined && this.#isUsable(known) ? known : undefined
  }

  tokens(context?: OAuthClientInformationContext): StoredOAuthTokens | undefined {
    const { tokens } = this.#kept
    return context === undefined || tokens?.issuer === undefined || isSameIssuer(tokens.issuer, context.issuer) ? tokens : undefined
  }

  async saveTokens(tokens: StoredOAuthTokens, context?: OAuthClientInformationContext): Promise<void> {
    const { auth, now, server } = this.#options
    // As the value of a header it would be refused with a message that shows it.
    if (/[^\x21-\x7e]/.test(tokens.access_token)) {
      throw new McpFailure({
        stream: `of the server ${server}`,
        reason: "authorization",
        problem: "its authorization server gives a token with characters that no request may have",
        fix: "Tell whoever runs that server."
      })
    }
    const issuer = tokens.issuer ?? context?.issuer
    // Left out, it is what was asked for (RFC 6749, 5.1).
    const scope = tokens.scope ?? this.authorizationUrl?.searchParams.get("scope") ?? undefined
    await this.#keep({
      tokens: {
        ...tokens,
        ...(issuer === undefined ? {} : { issuer }),
        ...(scope === undefined ? {} : { scope }),
        ...(tokens.expires_in === undefined ? {} : { expiresAt: now + tokens.expires_in * 1000 })
      },
      ...(auth.clientId === undefined || issuer === undefined ? {} : { boundTo: issuer })
    })
  }

  redirectToAuthorization(url: URL): void {
    this.authorizationUrl = url
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  codeVerifier(): string {
    return this.#verifier
  }

  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.discovered = state
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.discovered
  }

  async invalidateCredentials(scope: "all" | "client" | "tokens" | "verifier" | "discovery"): Promise<void> {
    if (scope === "all" || scope === "client") await this.#keep({ clients: {} })
    if (scope === "all" || scope === "tokens") await this.#keep({ tokens: undefined })
  }

  async #keep(change: { readonly [Key in keyof KeptAuthorization]?: KeptAuthorization[Key] | undefined }): Promise<void> {
    const { tokens, ...kept } = { ...this.#kept, ...change } as KeptAuthorization
    this.#kept = { ...kept, ...(tokens === undefined ? {} : { tokens }) }
    await this.#options.keeper.write(this.#kept)
  }

  /** Whether a client that was registered once may still be used as it is. */
  #isUsable(client: StoredOAuthClientInformation): boolean {
    const { now, redirectUrl } = this.#options
    const { client_id, client_secret_expires_at, redirect_uris } = client as {
      readonly client_id: string
      readonly client_secret_expires_at?: number
      readonly redirect_uris?: ReadonlyArray<string>
    }
    if (client_secret_expires_at !== undefined && client_secret_expires_at !== 0 && client_secret_expires_at * 1000 <= now) return false
    if (redirect_uris === undefined) return client_id === this.clientMetadataUrl
    return redirectUrl === undefined || redirect_uris.includes(redirectUrl)
  }

  async #grant(scope: string | undefined): Promise<URLSearchParams> {
    const { auth } = this.#options
    const params = new URLSearchParams(scope === undefined ? {} : { scope })
    if (auth.type === "client-credentials") params.set("grant_type", "client_credentials")
    else {
      params.set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
      params.set("assertion", await this.#assertion(scope))
    }
    return params
  }

  async #assertion(scope: string | undefined): Promise<string> {
    const { auth, fetchFn, reveal, sdk } = this.#options
    if (auth.assertion !== undefined) return this.#tokenOf(auth.assertion)
    const { clientId, clientSecret, idToken, issuer, tokenEndpoint } = auth.identityProvider!
    const asked = {
      ...this.audience!,
      idToken: await this.#tokenOf(idToken),
      clientId,
      ...(clientSecret === undefined ? {} : { clientSecret: reveal(clientSecret) }),
      ...(scope === undefined ? {} : { scope }),
      fetchFn
    }
    const granted =
      tokenEndpoint === undefined
        ? await sdk.discoverAndRequestJwtAuthGrant({ ...asked, idpUrl: issuer! })
        : await sdk.requestJwtAuthorizationGrant({ ...asked, tokenEndpoint })
    this.#options.hide(granted.jwtAuthGrant)
    return granted.jwtAuthGrant
  }

  async #tokenOf(source: TokenSource): Promise<string> {
    if (typeof source === "string") return this.#options.reveal(source)
    const token = await source()
    this.#options.hide(token)
    return token
  }
}

/** A slash at the end makes no other server. */
export const isSameIssuer = (one: string, other: string): boolean => one.replace(/\/$/, "") === other.replace(/\/$/, "")
