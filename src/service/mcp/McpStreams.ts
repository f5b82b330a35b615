import { randomBytes } from "node:crypto"
import type { StreamHost } from "../../host/index.ts"
import { McpStream } from "./McpStream.ts"
import type { Overflow } from "./OutputBuffer.ts"
import { programText, type StartRequest } from "./programText.ts"
import { ToolProblem } from "./ToolProblem.ts"

export interface McpStartRequest extends StartRequest {
  readonly queue_capacity?: number
  readonly overflow?: Overflow
  readonly ttl_s?: number
  readonly idempotency_key?: string
}

export interface McpStreamsOptions {
  readonly host: StreamHost
  readonly now?: () => number
  /** Told of a stream that came or changed; with `undefined` that the list of streams is another. */
  readonly onChange?: (id: string | undefined) => void
}

/** How many streams may go on at a time, and how many that have ended are kept to be read. */
const mostOpen = 1000
const mostEnded = 200

const sweepMs = 1000

/**
 * The streams that agents have started. One that nobody asks about for its time to live is cancelled and forgotten.
 *
 * **Bounds** 1,000 streams that go on, 200 that have ended; what each keeps, see `OutputBuffer`.
 */
export class McpStreams {
  readonly #host: StreamHost
  readonly now: () => number
  readonly #streams = new Map<string, McpStream>()
  readonly #keys = new Map<string, { readonly request: string; readonly stream: Promise<McpStream>; id: string }>()
  readonly #sweep: NodeJS.Timeout
  #starting = 0
  onChange: (id: string | undefined) => void

  constructor({ host, now = Date.now, onChange = () => {} }: McpStreamsOptions) {
    this.#host = host
    this.now = now
    this.onChange = onChange
    this.#sweep = setInterval(() => this.expire(), sweepMs).unref()
  }

  get all(): ReadonlyArray<McpStream> {
    return [...this.#streams.values()]
  }

  /** **Fails** with `ToolProblem`, or with what is wrong with the program. */
  async start(request: McpStartRequest): Promise<McpStream> {
    const { idempotency_key: key, ...rest } = request
    if (key === undefined) return this.#start(request)
    const known = this.#keys.get(key)
    const text = JSON.stringify(rest)
    if (known !== undefined) {
      if (known.request !== text)
        throw new ToolProblem(
          `The idempotency_key ${JSON.stringify(key)} was used for another stream`,
          "Use a new key, or stream_list to find that one."
        )
      return known.stream
    }
    const stream = this.#start(request)
    const entry = { request: text, stream, id: "" }
    this.#keys.set(key, entry)
    try {
      entry.id = (await stream).id
      return await stream
    } catch (error) {
      this.#keys.delete(key)
      throw error
    }
  }

  /** Whoever asks for a stream keeps it alive. **Fails** by throwing `ToolProblem`. */
  get(id: string): McpStream {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      throw new ToolProblem(
        `There is no stream ${JSON.stringify(id)}: it was never there, has expired, or this server was restarted`,
        "Call stream_list for those there are, stream_start for a new one."
      )
    }
    stream.touchedAt = this.now()
    return stream
  }

  /** Cancels and forgets what nobody has asked about for too long. */
  expire(): void {
    const now = this.now()
    for (const stream of this.#streams.values()) if (now - stream.touchedAt > stream.ttlMs) this.#forget(stream)
    const ended = this.all.filter(({ isOver }) => isOver)
    for (const stream of ended.slice(0, Math.max(0, ended.length - mostEnded))) this.#forget(stream)
  }

  /** Cancels them all. */
  async close(): Promise<void> {
    clearInterval(this.#sweep)
    await Promise.all(this.all.map((stream) => stream.cancel()))
  }

  async #start(request: McpStartRequest): Promise<McpStream> {
    const source = programText(request, this.#host.capabilities())
    if (this.all.filter(({ isOver }) => !isOver).length + this.#starting >= mostOpen) {
      throw new ToolProblem(
        `${mostOpen} streams go on already, which is the most`,
        "Call stream_list, then stream_stop for those that are not needed."
      )
    }
    const id = `s-${randomBytes(16).toString("base64url")}`
    const stream = new McpStream({
      id,
      source,
      endpoint: request.endpoint ?? shortened(source),
      queueCapacity: request.queue_capacity ?? 1000,
      overflow: request.overflow ?? "wait",
      ttlMs: (request.ttl_s ?? 3600) * 1000,
      host: this.#host,
      now: this.now,
      onChange: () => this.onChange(id)
    })
    this.#starting++
    try {
      await stream.start()
    } finally {
      this.#starting--
    }
    this.#streams.set(id, stream)
    this.expire()
    this.onChange(undefined)
    return stream
  }

  #forget(stream: McpStream): void {
    this.#streams.delete(stream.id)
    for (const [key, { id }] of this.#keys) if (id === stream.id) this.#keys.delete(key)
    void stream.cancel().catch(() => {})
    this.onChange(undefined)
  }
}

const shortened = (source: string): string => {
  const line = source.replaceAll(/\s+/g, " ").trim()
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
