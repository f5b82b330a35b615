/** How a host gets the right to use an MCP server. Secrets stand there by name, as `{{secret:NAME}}`. */
export type McpAuthOptions = McpAuthorizationCode | McpClientCredentials | McpJwtBearer | McpEnterpriseManaged

interface Common {
  /** What to ask for, with spaces between; by default what the server says that it needs. */
  readonly scope?: string
  /**
   * The authorization server, as its metadata name it. Only this one is then told anything, and its peer is granted for
   * that. By default the MCP server says which one it is, and the first one that gave a token stays the only one for
   * credentials that were configured.
   */
  readonly issuer?: string
}

/** A person allows it in a browser (authorization code with PKCE); see the host's option `authorize` and `rtfs-streams login`. */
export interface McpAuthorizationCode extends Common {
  readonly type: "authorization-code"
  /** Of a client that was registered by hand; without one, `clientMetadataUrl` is used or a client is registered. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** An `https:` URL of the document that describes this client, for servers that take it as the client's id. */
  readonly clientMetadataUrl?: string
  /** Where the browser is sent back to; by default a port of this machine. */
  readonly redirectUrl?: string
}

/** The host itself is the client: a secret, or a private key with which it signs. */
export interface McpClientCredentials extends Common {
  readonly type: "client-credentials"
  readonly clientId: string
  readonly clientSecret?: string
  /** PKCS #8, as PEM. */
  readonly privateKey?: string
  /** Of the key: `ES256` (the default), `RS256`, … */
  readonly algorithm?: string
}

/** A token that the platform gives its workloads is exchanged for one of the server. */
export interface McpJwtBearer extends Common {
  readonly type: "jwt-bearer"
  readonly clientId: string
  readonly assertion: TokenSource
}

/** A company's identity provider vouches for the person: its ID token becomes a grant, and that a token of the server. */
export interface McpEnterpriseManaged extends Common {
  readonly type: "enterprise-managed"
  readonly clientId: string
  readonly clientSecret: string
  readonly identityProvider: {
    /** Its metadata say where tokens are exchanged; or `tokenEndpoint` does. */
    readonly issuer?: string
    readonly tokenEndpoint?: string
    readonly clientId: string
    readonly clientSecret?: string
    readonly idToken: TokenSource
  }
}

/** A secret by name, or a function of the host that gives a fresh token each time. */
export type TokenSource = string | (() => string | Promise<string>)
