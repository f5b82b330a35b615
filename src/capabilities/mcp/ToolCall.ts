import type { Tool } from "@modelcontextprotocol/client"
import { keyword } from "../../serialization/index.ts"
import { progressChunk, resultChunk } from "./Chunk.ts"
import { McpFailure } from "./errors.ts"
import type { McpServer } from "./McpAccess.ts"
import { excerpt } from "./excerpt.ts"
import { concealed, connect, disconnected, type McpConnection, noTimeoutMs, requestTimeoutMs, streamEnded } from "./McpConnection.ts"
import type { ChunkReceiver, StreamTransport } from "./StreamTransport.ts"
import type { Perform } from "./waiting.ts"

export interface ToolCallOptions {
  readonly server: Exclude<McpServer, { transport: "raw-sse" }>
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
  readonly perform: Perform
  readonly timeoutMs: number
  readonly idleMs: number | undefined
  /** Whether a call that broke off may be made again, if the tool says that this does no harm. */
  readonly reissue: boolean
  /** An earlier process has called it. */
  readonly wasCalled: boolean
  readonly by: string
}

/**
 * A tool that reports progress: each report is a chunk, its result the last one.
 *
 * **Delivery** a call that breaks off is not made again, unless the program allows that and the tool says that it only reads
 * or does the same each time.
 * **Stopping** the call is cancelled at the peer before the connection closes.
 */
export class ToolCall implements StreamTransport {
  readonly idleMs: number | undefined
  readonly #options: ToolCallOptions
  #connection: Pick<McpConnection, "era" | "transport"> | undefined
  #isCalled: boolean
  #isHarmless = false

  constructor(options: ToolCallOptions) {
    this.#options = options
    this.idleMs = options.idleMs
    this.#isCalled = options.wasCalled
  }

  resolved(): Readonly<Record<string, unknown>> {
    const { by, server, tool } = this.#options
    return { by: keyword(by), server: server.name, tool, ...shownConnection(this.#connection) }
  }

  isRepeatable(): boolean {
    return !this.#isCalled || (this.#options.reissue && this.#isHarmless)
  }

  async run(receiver: ChunkReceiver, signal: AbortSignal): Promise<void> {
    const { args, perform, server, timeoutMs, tool } = this.#options
    const connection = await connect({ server, perform, receiver, signal, timeoutMs })
    this.#connection = connection
    try {
      const described = await this.#describe(connection)
      if (this.#isCalled && !this.isRepeatable()) throw this.#isGone()
      receiver.connected()
      // A token and a handler of our own: the client's are gone as soon as the result is there, and with them the last reports.
      const progressToken = `rtfs-${crypto.randomUUID()}`
      connection.client.setNotificationHandler("notifications/progress", ({ params }) => {
        if (params.progressToken === progressToken) receiver.offer(progressChunk(params))
      })
      this.#isCalled = true
      const called = connection.client.callTool(
        { name: tool, arguments: { ...args }, _meta: { progressToken } },
        { signal, timeout: noTimeoutMs, maxTotalTimeout: noTimeoutMs, ...described }
      )
      const result = await Promise.race([called, connection.lost])
      // The last reports are being dispatched.
      await new Promise((resolve) => setImmediate(resolve))
      await receiver.room()
      const chunk = resultChunk(result)
      receiver.offer(chunk)
      if (result.isError === true) throw this.#reported(chunk.value)
    } catch (error) {
      if (!signal.aborted) throw this.#failureOf(error)
    } finally {
      await connection.close()
    }
  }

  /**
   * What the server says of the tool, where that matters: whether calling it again does harm, and which of its arguments
   * stand in headers, too, as 2026-07-28 has it. Its output schema is left to the program.
   */
  async #describe({ client, era, transport }: McpConnection): Promise<{ readonly toolDefinition?: Tool }> {
    const { reissue, server, timeoutMs } = this.#options
    const hasHeaders = era === "2026-07-28" && transport === "http"
    if ((!reissue && !hasHeaders) || client.getServerCapabilities()?.tools === undefined) return {}
    const { tools } = await client.listTools(undefined, { timeout: requestTimeoutMs(server, timeoutMs) })
    const found = tools.find(({ name }) => name === this.#options.tool)
    this.#isHarmless = found?.annotations?.readOnlyHint === true || found?.annotations?.idempotentHint === true
    if (found === undefined) return {}
    const { outputSchema: _, ...toolDefinition } = found
    return { toolDefinition }
  }

  #isGone(): McpFailure {
    const { server, tool } = this.#options
    return new McpFailure({
      stream: `of ${server.name}/tool:${tool}`,
      reason: "disconnected",
      problem: "its call has ended with the connection or the process that made it, and calling again could do its work twice",
      fix: "Start another stream; or give :reissue true at the start, where the tool says readOnlyHint or idempotentHint."
    })
  }

  /** The chunk has told the processor, which may have ended the stream in its own way by now. */
  #reported(value: unknown): McpFailure {
    const { server, tool } = this.#options
    const said = typeof value === "string" ? value : JSON.stringify(value)
    return new McpFailure({
      stream: `of ${server.name}/tool:${tool}`,
      reason: "tool",
      problem: `the tool reported an error: ${excerpt(concealed(server, said))}`,
      fix: "Check its arguments in :config; a processor that expects this ends the stream at the chunk of the kind :error."
    })
  }

  #failureOf(error: unknown): unknown {
    const { server, tool } = this.#options
    if (error instanceof Error && "_tag" in error) return error
    const { code } = error as { readonly code?: unknown }
    if (code === streamEnded) return disconnected("the answer of its tool broke off")
    const message = excerpt(concealed(server, error instanceof Error ? error.message : String(error)))
    // Either it asks, or it says that a client who can't be asked need not call.
    const isAsking = code === missingCapability || /input.?required/i.test(`${String(code)} ${message}`)
    return new McpFailure({
      stream: `of ${server.name}/tool:${tool}`,
      reason: isAsking ? "input-required" : "tool",
      problem: isAsking ? "the tool asks for input of a person, which a stream can't give" : `the server refused or failed: ${message}`,
      fix: isAsking ? "Give everything that it needs in :config." : "Check the name of the tool and its arguments in :config."
    })
  }
}

/** `MissingRequiredClientCapability` of 2026-07-28. */
const missingCapability = -32_021

export const shownConnection = (connection: Pick<McpConnection, "era" | "transport"> | undefined): Readonly<Record<string, unknown>> =>
  connection === undefined ? {} : { transport: keyword(connection.transport), era: connection.era }
