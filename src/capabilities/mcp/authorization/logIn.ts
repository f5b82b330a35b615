import type { McpServer } from "../McpAccess.ts"
import { connect, requestTimeoutMs } from "../McpConnection.ts"
import type { Perform } from "../waiting.ts"

/** For a server that says nothing; a person has the time of `askPerson`. */
const answerMs = 30_000

/**
 * Uses a server once, so that it asks for authorization and gets it.
 *
 * @returns whether it has asked
 *
 * **Fails** with `McpFailure`, `NetworkFailure` and `PermissionDenied`.
 */
export const logIn = async (server: Extract<McpServer, { kind: "http" }>, perform: Perform, signal: AbortSignal): Promise<boolean> => {
  const { transport } = server
  if (transport === "raw-sse") return false
  const receiver = { room: () => Promise.resolve(), alive: () => {}, note: () => {} }
  const connection = await connect({ server: { ...server, transport }, perform, receiver, signal, timeoutMs: answerMs })
  try {
    // Some let everybody in and ask only then.
    if (connection.client.getServerCapabilities()?.tools !== undefined)
      await connection.client.listTools(undefined, { timeout: requestTimeoutMs(server as never, answerMs), signal })
    return (await server.authorization?.isAuthorized()) ?? false
  } finally {
    await connection.close()
  }
}
