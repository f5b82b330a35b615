import type { McpAuthOptions } from "./McpAuthOptions.ts"

/** An MCP server: one that is reached by a URL, or one that is started as a process. */
export interface McpServerOptions {
  readonly url?: string
  /** `http` (the default): streamable HTTP, or what came before it where the server knows nothing else; `raw-sse`: no MCP, only events. */
  readonly transport?: "http" | "sse" | "raw-sse" | "stdio"
  /** `{{secret:NAME}}` in a value stands for a secret of the host. */
  readonly headers?: Readonly<Record<string, string>>
  /** How this host gets the right to use the server, by OAuth. A fixed token is a header. */
  readonly auth?: McpAuthOptions
  readonly command?: string
  readonly args?: ReadonlyArray<string>
  /** What the process sees beside PATH, HOME and their kin; `{{secret:NAME}}` stands for a secret of the host. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}
