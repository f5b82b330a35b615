import type { HandleStatus, RunningProgram, StreamHost } from "../../host/index.ts"
import { toJson } from "../../rtfs/index.ts"
import { type StreamStatus, withoutItems } from "../ServiceStatus.ts"
import { OutputBuffer, type Overflow } from "./OutputBuffer.ts"

export interface McpStreamOptions {
  readonly id: string
  readonly source: string
  /** What it was started from, for lists. */
  readonly endpoint: string
  readonly queueCapacity: number
  readonly overflow: Overflow
  readonly ttlMs: number
  readonly host: StreamHost
  readonly now: () => number
  readonly onChange: () => void
}

/** The longest item that is kept whole. */
const longestItem = 1024 * 1024

/** How long a start waits to see whether the program fails at once. */
const settlingMs = 300

/** A program that an agent has started, and what it gives. */
export class McpStream {
  readonly id: string
  readonly endpoint: string
  readonly startedAt: number
  readonly ttlMs: number
  readonly outputs: OutputBuffer
  readonly #options: McpStreamOptions
  #program: RunningProgram | undefined
  #status: HandleStatus = "created"
  #error: string | undefined
  #result: string | undefined
  #outcome!: Promise<void>
  touchedAt: number

  constructor(options: McpStreamOptions) {
    this.id = options.id
    this.endpoint = options.endpoint
    this.#options = options
    this.ttlMs = options.ttlMs
    this.startedAt = this.touchedAt = options.now()
    this.outputs = new OutputBuffer({
      items: options.queueCapacity,
      overflow: options.overflow,
      now: options.now,
      onChange: options.onChange
    })
  }

  /** Begins the program, and waits a moment for a first item or the end. **Fails** with what keeps it from starting. */
  async start(): Promise<void> {
    const { host, onChange, source } = this.#options
    let failure: { readonly error: unknown } | undefined
    const outcome = host.run(source, {
      file: "stream_start",
      onItem: (item) => this.outputs.put(shown(item)),
      onStart: (program) => {
        this.#program = program
        this.#status = "running"
      }
    })
    this.#outcome = outcome.then(
      ({ value }) => {
        if (this.outputs.count === 0 && value !== null) this.#result = shown(value)
        this.#end(this.#status === "draining" ? "stopped" : "completed")
      },
      (error: unknown) => {
        failure = { error }
        if (this.#status === "cancelled") return this.#end("cancelled")
        this.#error = error instanceof Error ? error.message : String(error)
        this.#end("failed")
      }
    )
    await Promise.race([this.#outcome, this.outputs.whenMore(undefined, settlingMs, new AbortController().signal)])
    if (failure !== undefined && this.outputs.count === 0) throw failure.error
    onChange()
  }

  get status(): HandleStatus {
    return this.#status
  }

  get isOver(): boolean {
    return ["completed", "stopped", "cancelled", "failed"].includes(this.#status)
  }

  get error(): string | undefined {
    return this.#error
  }

  /** What a program came to that gave no items. */
  get result(): string | undefined {
    return this.#result
  }

  /** What its streams are doing, actor by actor. */
  get streams(): ReadonlyArray<StreamStatus> {
    return (this.#program?.inspect() ?? []).map((stream) => withoutItems(stream as StreamStatus))
  }

  async pause(): Promise<void> {
    if (this.#status !== "running") return
    this.#status = "paused"
    await this.#program?.pause()
    this.#options.onChange()
  }

  async resume(): Promise<void> {
    if (this.#status !== "paused") return
    this.#status = "running"
    await this.#program?.resume()
    this.#options.onChange()
  }

  /** What waits for a reader would keep it from draining, so the buffer lets the rest in. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.isOver) return
    this.#status = "draining"
    this.outputs.end()
    await this.#program?.drain({ timeoutMs })
    await this.#outcome
  }

  async cancel(): Promise<void> {
    if (this.isOver) return
    this.#status = "cancelled"
    this.outputs.close()
    await this.#program?.cancel()
    await this.#outcome
  }

  #end(status: HandleStatus): void {
    this.#status = status
    this.outputs.end()
  }
}

/** As JSON; what is too long stands there as its size and its beginning. */
const shown = (value: unknown): string => {
  let text: string
  try {
    text = toJson(value)
  } catch (error) {
    return JSON.stringify({ unreadable: error instanceof Error ? error.message : String(error) })
  }
  return text.length > longestItem ? JSON.stringify({ truncated: true, size: text.length, beginning: text.slice(0, 1000) }) : text
}
