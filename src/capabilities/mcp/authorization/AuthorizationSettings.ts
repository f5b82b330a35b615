/** How the host is authorized at a server, checked: what there is depends on the type. Secrets stand there by name. */
export interface AuthorizationSettings {
  readonly type: "authorization-code" | "client-credentials" | "jwt-bearer" | "enterprise-managed"
  readonly scope?: string
  readonly issuer?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly clientMetadataUrl?: string
  readonly privateKey?: string
  readonly algorithm?: string
  readonly assertion?: TokenSource
  readonly identityProvider?: {
    readonly issuer?: string
    readonly tokenEndpoint?: string
    readonly clientId: string
    readonly clientSecret?: string
    readonly idToken: TokenSource
  }
}

/** A secret by name, or a function of the host that gives a fresh token each time. */
export type TokenSource = string | (() => string | Promise<string>)

/** Takes a person to the authorization server, and gives the URL that the browser came back to, or the code in it. */
export type Authorize = (
  url: string,
  request: { readonly server: string; readonly redirectUrl: string; readonly signal: AbortSignal }
) => string | Promise<string>
