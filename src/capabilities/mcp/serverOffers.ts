import type { Client, RequestOptions, Resource, ResourceTemplateType, Tool } from "@modelcontextprotocol/client"
import { type ConnectOptions, connect, requestTimeoutMs } from "./McpConnection.ts"

/** What a server says that streams can be started from. */
export interface ServerOffers {
  readonly tools: ReadonlyArray<Tool>
  readonly resources: ReadonlyArray<Resource>
  readonly resourceTemplates: ReadonlyArray<ResourceTemplateType>
}

/** All pages of what a server offers; of what it does not speak of, nothing. */
export const offersOf = async (client: Client, options: RequestOptions): Promise<ServerOffers> => {
  const speaksOf = client.getServerCapabilities() ?? {}
  const { tools } = speaksOf.tools === undefined ? { tools: [] } : await client.listTools(undefined, options)
  const { resources } = speaksOf.resources === undefined ? { resources: [] } : await client.listResources(undefined, options)
  const { resourceTemplates } =
    speaksOf.resources === undefined
      ? { resourceTemplates: [] }
      : await client.listResourceTemplates(undefined, options).catch(() => ({ resourceTemplates: [] }))
  return { tools, resources, resourceTemplates }
}

/**
 * Asks a server what it offers, on a connection of its own: one that is a process is started for it and ended.
 *
 * **Fails** as `connect` does, and with what broke a request off.
 * **Stopping** the signal ends it, and the connection is closed.
 */
export const askForOffers = async (options: Omit<ConnectOptions, "receiver">): Promise<ServerOffers> => {
  const { server, signal, timeoutMs } = options
  // What comes are answers alone, and there is always room for those.
  const receiver = { room: () => Promise.resolve(), alive: () => {}, note: () => {} }
  const { client, close } = await connect({ ...options, receiver })
  try {
    return await offersOf(client, { timeout: requestTimeoutMs(server, timeoutMs), signal })
  } finally {
    await close()
  }
}
