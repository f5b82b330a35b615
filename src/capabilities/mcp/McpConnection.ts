import type { Client, Transport } from "@modelcontextprotocol/client"
import { answerElicitation } from "./Elicit.ts"
import { McpFailure } from "./errors.ts"
import { excerpt } from "./excerpt.ts"
import { grantedFetch } from "./grantedFetch.ts"
import type { AuthorizationSession } from "./authorization/AuthorizationSession.ts"
import type { McpServer } from "./McpAccess.ts"
import { StdioPipe } from "./StdioPipe.ts"
import type { ChunkReceiver } from "./StreamTransport.ts"
import { pause, type Perform, within } from "./waiting.ts"

export interface ConnectOptions {
  readonly server: Exclude<McpServer, { transport: "raw-sse" }>
  readonly perform: Perform
  readonly receiver: Pick<ChunkReceiver, "room" | "alive" | "note">
  readonly signal: AbortSignal
  /** How long connecting and each of the small requests may take. */
  readonly timeoutMs: number
}

/** One connection to a server, whatever era and transport it speaks. */
export interface McpConnection {
  readonly client: Client
  readonly era: "2025-11-25" | "2026-07-28"
  readonly transport: "http" | "sse" | "stdio"
  /** Resolves when the server can tell of something that nobody has asked for just then; at once where it always can. */
  readonly listening: Promise<void>
  /** Rejects when the connection is gone. */
  readonly lost: Promise<never>
  /** Completes when what was sent last has arrived, the session is ended and everything is closed. */
  readonly close: () => Promise<void>
}

/** A timer of the client can't be switched off; this is the longest there is, and the stream keeps its own time. */
export const noTimeoutMs = 2 ** 31 - 1

/** What the last messages, such as a cancellation, have for arriving. */
const partingMs = 500

/** What an answer of ours in place of the peer's says when its stream has ended without one. */
export const streamEnded = -32_098

interface Wire {
  readonly transport: Transport
  readonly name: McpConnection["transport"]
  readonly listening?: Promise<void>
  readonly part: () => Promise<void>
}

/**
 * Connects to a server: the newest era that it speaks, found out by asking.
 *
 * **Fails** with `McpFailure`, `NetworkFailure` and `PermissionDenied`.
 */
export const connect = async (options: ConnectOptions): Promise<McpConnection> => {
  const { server, signal } = options
  const sdk = await import("@modelcontextprotocol/client")
  signal.throwIfAborted()
  if (server.kind === "stdio") {
    const asked = open(sdk, options, stdioWire(options), "auto")
    // A server that ends itself at what it does not know is asked again, in the words of its time.
    const again = asked.catch((error: unknown) => {
      if (!isClosedByProbe(error) || signal.aborted) throw error
      return open(sdk, options, stdioWire(options), "legacy")
    })
    return again.catch((error: unknown) => Promise.reject(asFailure(options, error)))
  }
  if (server.transport === "sse")
    return open(sdk, options, sseWire(sdk, options), "legacy").catch((error: unknown) => Promise.reject(asFailure(options, error)))
  try {
    return await open(sdk, options, httpWire(sdk, options), "auto")
  } catch (error) {
    const status = statusOf(error)
    if (signal.aborted || (status !== 400 && status !== 404 && status !== 405)) throw asFailure(options, error)
    // A server of 2024 answers only to the pair of GET and POST. If it is none, its first answer is the one to tell.
    return await open(sdk, options, sseWire(sdk, options), "legacy").catch(() => Promise.reject(asFailure(options, error)))
  }
}

type Sdk = typeof import("@modelcontextprotocol/client")

const open = async (
  sdk: Sdk,
  { perform, receiver, server, signal, timeoutMs }: ConnectOptions,
  wire: Wire,
  mode: "auto" | "legacy"
): Promise<McpConnection> => {
  const { elicit } = server
  const client = new sdk.Client(
    { name: "rtfs-streams", version: "0.1.0" },
    {
      versionNegotiation: { mode },
      // What a server asks of us is nothing that a stream can answer: without the host it is told so, and the call ends.
      inputRequired: { autoFulfill: elicit !== undefined },
      capabilities: elicit === undefined ? {} : { elicitation: { form: { applyDefaults: true }, url: {} } }
    }
  )
  if (elicit !== undefined)
    client.setRequestHandler("elicitation/create", (request) =>
      answerElicitation(elicit, server.name, request.params, { perform, alive: receiver.alive })
    )
  client.onerror = (error) => receiver.note(concealed(server, error.message))
  const parted = () => wire.part().finally(() => client.close().catch(() => {}))
  try {
    const connecting = client.connect(wire.transport, { timeout: requestTimeoutMs(server, timeoutMs) })
    const session = authorizationOf(server)
    await Promise.race([
      connecting,
      aborted(signal),
      ...(session?.isInteractive === true ? [tooLate(session, perform, timeoutMs, signal)] : [])
    ])
  } catch (error) {
    await within(perform, partingMs, client.close())
    await wire.transport.close().catch(() => {})
    throw error
  }
  const era = client.getProtocolEra() === "modern" ? "2026-07-28" : "2025-11-25"
  if (era === "2026-07-28") toleratePlainResults(wire.transport)
  const lost = new Promise<never>((_, reject) => {
    client.onclose = () => reject(disconnected("the connection to the server has ended"))
  })
  lost.catch(() => {})
  return {
    client,
    era,
    transport: wire.name,
    listening: wire.listening ?? Promise.resolve(),
    lost,
    close: parted
  }
}

const authorizationOf = (server: ConnectOptions["server"]): AuthorizationSession | undefined =>
  server.kind === "http" ? server.authorization : undefined

/** A result that does not say what it is, is a complete one. The client itself refuses it. */
const toleratePlainResults = (transport: Transport): void => {
  const take = transport.onmessage
  transport.onmessage = (message, extra) => {
    const isPlain = "result" in message && !("resultType" in message.result)
    take?.(isPlain ? { ...message, result: { resultType: "complete", ...message.result } } : message, extra)
  }
}

/** For the small requests: where one may have to wait for a person, the stream's own time is all there is. */
export const requestTimeoutMs = (server: ConnectOptions["server"], timeoutMs: number): number =>
  authorizationOf(server)?.isInteractive === true ? noTimeoutMs : timeoutMs

/** What a person takes does not count. */
const tooLate = async (session: AuthorizationSession, perform: Perform, timeoutMs: number, signal: AbortSignal): Promise<never> => {
  do {
    await session.interaction?.catch(() => {})
    await pause(perform, timeoutMs, signal)
    signal.throwIfAborted()
  } while (session.interaction !== undefined)
  throw disconnected(`it did not answer within ${timeoutMs} ms`)
}

/** What came from a server, without the host's secrets and its tokens. */
export const concealed = (server: ConnectOptions["server"], text: string): string =>
  authorizationOf(server)?.conceal(text) ?? server.network.conceal(text)

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const told = () => reject(signal.reason as Error)
    if (signal.aborted) told()
    else signal.addEventListener("abort", told, { once: true })
  })

const httpWire = (sdk: Sdk, options: ConnectOptions): Wire => {
  const { perform, signal } = options
  const server = options.server as Extract<McpServer, { kind: "http" }>
  const sending = new Set<Promise<unknown>>()
  /** Answers a request whose stream has ended without an answer: the client itself would wait for ever. */
  class Transport extends sdk.StreamableHTTPClientTransport {
    override send(
      message: Parameters<InstanceType<Sdk["StreamableHTTPClientTransport"]>["send"]>[0],
      sendOptions: Parameters<InstanceType<Sdk["StreamableHTTPClientTransport"]>["send"]>[1] = {}
    ): Promise<void> {
      const ended = () => {
        sendOptions.onRequestStreamEnd?.()
        for (const one of Array.isArray(message) ? message : [message]) {
          if (!("method" in one) || !("id" in one)) continue
          // Behind what is being dispatched: an answer that did come wins.
          setImmediate(() =>
            this.onmessage?.({
              jsonrpc: "2.0",
              id: one.id,
              error: { code: streamEnded, message: "the answer's stream has ended without an answer" }
            })
          )
        }
      }
      const sent = super.send(message, { ...sendOptions, onRequestStreamEnd: ended })
      const noted = sent.catch(() => {}).finally(() => sending.delete(noted))
      sending.add(noted)
      return sent
    }
  }
  const fetch = fetchOf(options, server)
  let heard: () => void
  const listening = new Promise<void>((resolve) => (heard = resolve))
  const transport = new Transport(new URL(server.url), {
    fetch: async (input, init) => {
      const answer = await fetch(input, init)
      if (init?.method === "GET" && answer.ok) heard()
      return answer
    },
    reconnectionOptions: { initialReconnectionDelay: 250, maxReconnectionDelay: 5000, reconnectionDelayGrowFactor: 2, maxRetries: 3 },
    reconnectionScheduler: (reconnect, delay) => {
      const waiting = new AbortController()
      void pause(perform, delay, waiting.signal).then(() => {
        if (!waiting.signal.aborted && !signal.aborted) reconnect()
      })
      return () => waiting.abort()
    }
  })
  return {
    transport,
    name: "http",
    listening,
    part: async () => {
      // Closing at once would break off the very request that says goodbye.
      await within(perform, partingMs, Promise.all(sending))
      if (transport.sessionId !== undefined) await within(perform, partingMs, transport.terminateSession())
    }
  }
}

const sseWire = (sdk: Sdk, options: ConnectOptions): Wire => {
  const server = options.server as Extract<McpServer, { kind: "http" }>
  const fetch = fetchOf(options, server)
  const sending = new Set<Promise<unknown>>()
  class Transport extends sdk.SSEClientTransport {
    override send(message: Parameters<InstanceType<Sdk["SSEClientTransport"]>["send"]>[0]): Promise<void> {
      const sent = super.send(message)
      const noted = sent.catch(() => {}).finally(() => sending.delete(noted))
      sending.add(noted)
      return sent
    }
  }
  const transport = new Transport(new URL(server.url), { fetch, eventSourceInit: { fetch } })
  return { transport, name: "sse", part: () => within(options.perform, partingMs, Promise.all(sending)) }
}

const stdioWire = ({ perform, receiver, server }: ConnectOptions): Wire => {
  const { args, command, cwd, env, name, network } = server as Extract<McpServer, { kind: "stdio" }>
  const revealed = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, network.reveal(value)]))
  const transport = new StdioPipe({ server: name, command, args, env: revealed, cwd, perform, room: receiver.room, alive: receiver.alive })
  return { transport, name: "stdio", part: () => Promise.resolve() }
}

export const fetchOf = (
  { perform, receiver }: Pick<ConnectOptions, "perform" | "receiver">,
  { authorization, headers, network, url }: Extract<McpServer, { kind: "http" }>
) => {
  const { alive, room } = receiver
  const granted = grantedFetch({ network, perform, url, headers, headersTimeoutMs: noTimeoutMs, room, alive })
  return authorization?.fetch(granted, { perform, alive }) ?? granted
}

const isClosedByProbe = (error: unknown): boolean => (error as { readonly code?: unknown }).code === "ERA_NEGOTIATION_FAILED"

/** Of an answer that says no. */
const statusOf = (error: unknown): number | undefined => {
  const { cause, data, status } = error as {
    readonly status?: unknown
    readonly data?: { readonly status?: unknown }
    readonly cause?: unknown
  }
  const found = status ?? data?.status
  return typeof found === "number" ? found : cause instanceof Error ? statusOf(cause) : undefined
}

/** A break that another connection may mend. */
export const disconnected = (problem: string): McpFailure =>
  new McpFailure({
    stream: "from its server",
    reason: "disconnected",
    problem,
    fix: "Start it again, or give :reissue true where calling the tool twice does no harm.",
    isTemporary: true
  })

const ours = new Set(["McpFailure", "NetworkFailure", "PermissionDenied"])

/** What the client threw, in the words of the project. */
const asFailure = ({ server, signal }: ConnectOptions, error: unknown): unknown => {
  if (signal.aborted) return error
  for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) if (ours.has(inner.name)) return inner
  const status = statusOf(error)
  const problem = excerpt(concealed(server, error instanceof Error ? error.message : String(error)))
  return new McpFailure({
    stream: `of the server ${server.name}`,
    reason: "server",
    problem: `the connection could not be made: ${problem}`,
    fix:
      status === 401 || status === 403
        ? `Check mcpServers.${server.name}: a token as {{secret:NAME}} in its headers, or auth, such as {"type": "authorization-code"}.`
        : "Check the server's entry in mcpServers, and that it runs.",
    isTemporary: status === undefined || status >= 500 || status === 429
  })
}
