/** An MCP server that a host may use. */
export interface McpServerName {
  readonly name: string
  /** `raw-sse` gives events and can't be asked what it has. */
  readonly kind: "http" | "stdio" | "raw-sse"
  /** Whether names without a server are looked for on it. */
  readonly isDefault: boolean
}

/** A name of `mcpEndpoints`, and what it stands for. */
export interface McpEndpointName {
  readonly name: string
  readonly endpoint: string | Readonly<Record<string, string>>
}

/** What a server said that it has, in its own words: texts and schemas of a peer. */
export interface McpServerOffers {
  readonly tools: ReadonlyArray<{
    readonly name: string
    readonly description?: string | undefined
    /** JSON Schema of its arguments. */
    readonly inputSchema: object
  }>
  readonly resources: ReadonlyArray<{ readonly uri: string; readonly name: string; readonly description?: string | undefined }>
  readonly resourceTemplates: ReadonlyArray<{
    readonly uriTemplate: string
    readonly name: string
    readonly description?: string | undefined
  }>
}

/** The MCP servers and endpoints that a host's options name. Only `offers` contacts anything. */
export interface McpServerAccess {
  readonly servers: () => ReadonlyArray<McpServerName>
  readonly endpoints: () => ReadonlyArray<McpEndpointName>
  /**
   * Asks a server what it has, on a connection of its own: a process is started for it and ended.
   *
   * @param options.timeoutMs for all of it; by default 10,000
   *
   * **Fails** with `McpFailure`: an unknown server, one that gives only events, one that can't be reached or does not answer in time.
   */
  readonly offers: (server: string, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }) => Promise<McpServerOffers>
  /**
   * Ends an MCP stream of this host if it runs, and forgets what the store keeps of it, also what an earlier process has left.
   *
   * **Fails** with `StreamInUse` where another process runs it, and with `StoreFailure`.
   */
  readonly forgetStream: (id: string) => Promise<void>
}
