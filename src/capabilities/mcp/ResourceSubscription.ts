import { keyword } from "../../serialization/index.ts"
import { changeChunk, resourceChunk } from "./Chunk.ts"
import { McpFailure } from "./errors.ts"
import type { McpServer } from "./McpAccess.ts"
import { concealed, connect, disconnected, type McpConnection } from "./McpConnection.ts"
import type { ChunkReceiver, StreamTransport } from "./StreamTransport.ts"
import { shownConnection } from "./ToolCall.ts"
import type { Perform } from "./waiting.ts"

export interface ResourceSubscriptionOptions {
  readonly server: Exclude<McpServer, { transport: "raw-sse" }>
  readonly uri: string
  /** Whether a chunk is what the resource holds, or only that it has changed. */
  readonly reads: boolean
  readonly perform: Perform
  readonly timeoutMs: number
  readonly idleMs: number | undefined
  readonly by: string
}

/**
 * A resource and its changes: what it holds at first, and again after each change.
 *
 * Changes say nothing but the URI, so it is read; those that come while it is being read become one more read.
 * After a break it is subscribed to and read again: what it held in between is not seen.
 */
export class ResourceSubscription implements StreamTransport {
  readonly idleMs: number | undefined
  readonly #options: ResourceSubscriptionOptions
  #connection: Pick<McpConnection, "era" | "transport"> | undefined

  constructor(options: ResourceSubscriptionOptions) {
    this.#options = options
    this.idleMs = options.idleMs
  }

  resolved(): Readonly<Record<string, unknown>> {
    const { by, server, uri } = this.#options
    return { by: keyword(by), server: server.name, resource: uri, ...shownConnection(this.#connection) }
  }

  isRepeatable(): boolean {
    return true
  }

  async run(receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    const { perform, server, timeoutMs } = this.#options
    const connection = await connect({ server, perform, receiver, signal, timeoutMs })
    this.#connection = connection
    try {
      await this.#follow(connection, receiver, signal)
    } catch (error) {
      if (!signal.aborted) throw this.#failureOf(error)
    } finally {
      await connection.close()
    }
  }

  async #follow(connection: McpConnection, receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    const { reads, timeoutMs, uri } = this.#options
    const { client, era } = connection
    // What it holds at first counts as a change.
    let changes = reads ? 1 : 0
    let isUnsure = false
    let last: string | undefined
    let wake: () => void = () => {}
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
      if (params.uri !== uri) return
      changes++
      wake()
    })
    let end: string | undefined
    if (era === "2026-07-28") {
      const subscription = await client.listen({ resourceSubscriptions: [uri] }, { timeout: timeoutMs, signal })
      if (subscription.honoredFilter.resourceSubscriptions?.includes(uri) !== true) throw this.#refused()
      void subscription.closed.then((reason) => {
        end = reason
        wake()
      })
    } else {
      await client.subscribeResource({ uri }, { timeout: timeoutMs })
      // What changed before the server could tell of it is nowhere: it is looked at once more.
      void connection.listening.then(() => {
        isUnsure = reads
        wake()
      })
    }
    receiver.connected()
    signal.addEventListener("abort", () => wake(), { once: true })
    let loss: { readonly error: unknown } | undefined
    connection.lost.catch((error: unknown) => {
      loss = { error }
      wake()
    })
    for (;;) {
      while (changes === 0 && !isUnsure && end === undefined && loss === undefined && !signal.aborted)
        await new Promise<void>((resolve) => (wake = resolve))
      if (signal.aborted) return
      if (loss !== undefined) throw loss.error
      if (changes === 0 && !isUnsure) {
        if (end === "graceful") return
        throw disconnected("the subscription broke off")
      }
      await receiver.room()
      const hasChanged = changes > 0
      changes = 0
      isUnsure = false
      if (!reads) {
        receiver.offer(changeChunk(uri))
        continue
      }
      const { contents } = await client.readResource({ uri }, { timeout: timeoutMs, cacheMode: "bypass" }).catch(async (error: unknown) => {
        // That the connection is gone says more than that the request failed.
        await new Promise((resolve) => setImmediate(resolve))
        throw loss === undefined ? error : loss.error
      })
      const text = JSON.stringify(contents)
      if (hasChanged || text !== last) receiver.offer(resourceChunk(uri, contents))
      last = text
    }
  }

  #refused(): McpFailure {
    const { server, uri } = this.#options
    return new McpFailure({
      stream: `of ${server.name}/resource:${uri}`,
      reason: "server",
      problem: "the server does not tell of changes of this resource",
      fix: "Use a tool that streams, or read the resource from time to time."
    })
  }

  #failureOf(error: unknown): unknown {
    if (error instanceof Error && "_tag" in error) return error
    const { server, uri } = this.#options
    return new McpFailure({
      stream: `of ${server.name}/resource:${uri}`,
      reason: "server",
      problem: `the server refused or failed: ${concealed(server, error instanceof Error ? error.message : String(error))}`,
      fix: "Check the URI, and that the server lets resources be subscribed to; older servers on HTTP often do not."
    })
  }
}
