import type { Handle, HandleStatus, RunningProgram, StreamHost } from "../../host/index.ts"
import { toJson } from "../../rtfs/index.ts"
import { type StreamStatus, withoutItems } from "../ServiceStatus.ts"
import type { CursorEpoch } from "./Cursor.ts"
import type { OutputBudget } from "./OutputBudget.ts"
import { OutputBuffer } from "./OutputBuffer.ts"
import { type ProgramText, shortened } from "./programText.ts"
import type { StreamEnd, StreamRecord } from "./StreamRecord.ts"

export interface McpStreamOptions {
  readonly record: StreamRecord
  /** Higher for streams that were started later. */
  readonly ordinal: number
  readonly host: StreamHost
  readonly budget: OutputBudget
  readonly now: () => number
  readonly onChange: () => void
  /** Its record is another one now, and is to be kept. */
  readonly onRecord: (record: StreamRecord) => void
}

/** The longest item that is kept whole. */
const longestItem = 1024 * 1024

/** How many chunks of a peer are kept to be looked at. */
const keptChunks = 100

/** How long a start waits to see whether the program fails at once. */
const settlingMs = 300

/** A program that an agent has started, and what it gives. */
export class McpStream {
  readonly id: string
  readonly ordinal: number
  readonly endpoint: string
  readonly ttlMs: number
  readonly outputs: OutputBuffer
  /** What the peer of an MCP endpoint sent, before the processor. */
  readonly chunks: OutputBuffer | undefined
  readonly #options: McpStreamOptions
  readonly #program: ProgramText
  #record: StreamRecord
  #running: RunningProgram | undefined
  #status: HandleStatus = "created"
  #isLeft = false
  #end: StreamEnd | undefined
  #outcome: Promise<void> = Promise.resolve()
  touchedAt: number
  /** Readers that wait for it at this moment. */
  waiting = 0

  constructor(options: McpStreamOptions, program: ProgramText) {
    const { budget, now, onChange, ordinal, record } = options
    this.id = record.id
    this.ordinal = ordinal
    this.#options = options
    this.#record = record
    this.#program = program
    const { endpoint, overflow = "wait", queue_capacity = 1000, rtfs, ttl_s = 3600 } = record.request
    this.endpoint = endpoint ?? shortened(rtfs ?? "")
    this.ttlMs = ttl_s * 1000
    this.touchedAt = now()
    this.#end = record.end
    const epoch = (of: CursorEpoch["of"]): CursorEpoch => ({
      token: record.token,
      of,
      life: record.life,
      restarted: whatIsNow(record, program)
    })
    this.outputs = new OutputBuffer({ items: queue_capacity, overflow, epoch: epoch("outputs"), budget, now, onChange })
    if (program.isMcp)
      this.chunks = new OutputBuffer({ items: keptChunks, overflow: "drop-oldest", epoch: epoch("chunks"), budget, now, onChange })
    if (record.end !== undefined) this.#finish(record.end.status)
  }

  get record(): StreamRecord {
    return this.#record
  }

  /** Begins the program, and waits a moment for a first item or the end. **Fails** with what keeps it from starting. */
  async start(): Promise<void> {
    const failure = this.#run(this.#program.source)
    await Promise.race([this.#outcome, this.outputs.whenMore(undefined, settlingMs, new AbortController().signal)])
    if (failure.error !== undefined && this.outputs.count === 0) throw failure.error
    this.#options.onChange()
  }

  /** Begins it again after a restart of the server, paused where it was paused. What fails is its end, and thrown to nobody. */
  async restart(): Promise<void> {
    if (this.isOver) return
    this.#run(this.#program.again)
    if (this.#record.steering?.action !== "pause") return
    this.#status = "paused"
    await this.#running?.pause()
  }

  get status(): HandleStatus {
    // The processor of an MCP endpoint pauses it, too.
    return this.#status === "running" && this.#handle?.status === "paused" ? "paused" : this.#status
  }

  get isOver(): boolean {
    return ["completed", "stopped", "cancelled", "failed"].includes(this.#status)
  }

  get error(): string | undefined {
    return this.#end?.error
  }

  /** What a program came to that gave no items. */
  get result(): string | undefined {
    return this.#end?.result
  }

  /** How often the server was restarted since the stream was started. */
  get restarts(): number {
    return this.#record.life - 1
  }

  /** What its streams are doing, actor by actor. */
  get streams(): ReadonlyArray<StreamStatus> {
    return (this.#running?.inspect() ?? []).map((stream) => withoutItems(stream as StreamStatus))
  }

  async pause(reason: string | undefined): Promise<void> {
    if (this.isOver || this.#status === "draining") return
    this.#steered("pause", reason)
    this.#status = "paused"
    await this.#running?.pause()
    this.#options.onChange()
  }

  async resume(reason: string | undefined): Promise<void> {
    if (this.isOver || this.#status === "draining") return
    this.#steered("resume", reason)
    this.#status = "running"
    await this.#running?.resume()
    await this.#handle?.resume()
    this.#options.onChange()
  }

  /** What waits for a reader would keep it from draining, so the buffer lets the rest in. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.isOver) return
    this.#status = "draining"
    this.#options.onChange()
    this.outputs.end()
    await this.#running?.drain({ timeoutMs })
    await this.#outcome
  }

  async cancel(): Promise<void> {
    if (this.isOver) return
    this.#status = "cancelled"
    this.#close()
    await this.#running?.cancel()
    await this.#outcome
  }

  /** Ends it with the server, so that it goes on when there is one again. */
  async leave(): Promise<void> {
    if (this.isOver) return
    this.#isLeft = true
    this.#close()
    await this.#running?.cancel()
    await this.#outcome
  }

  /** Ends it, and lets go of what it gave. */
  async forget(): Promise<void> {
    await this.cancel()
    this.outputs.release()
    this.chunks?.release()
    // Of one that had ended before a crash, and of one that this server can't start, the store may keep something all the same.
    if (this.#record.request.endpoint !== undefined) await this.#options.host.mcp.forgetStream(this.id)
  }

  /** As `:mcp.stream.inspect` has it, where it is one of an MCP endpoint. */
  async inspectMcp(parts: { readonly state: boolean; readonly queue: boolean }): Promise<Readonly<Record<string, unknown>> | undefined> {
    if (this.chunks === undefined || this.#handle === undefined) return undefined
    const asked = `:include-state ${parts.state} :include-initial-state false :include-queue ${parts.queue}`
    const inspected = await this.#options.host.eval(`(call :mcp.stream.inspect {:stream-id ${JSON.stringify(this.id)} ${asked}})`)
    return inspected as Readonly<Record<string, unknown>>
  }

  get #handle(): Handle | undefined {
    return this.chunks === undefined ? undefined : this.#options.host.handle(this.id)
  }

  #run(source: string): { error: unknown } {
    const failure: { error: unknown } = { error: undefined }
    const outcome = this.#options.host.run(source, {
      file: "stream_start",
      onItem: (item) => this.#take(item),
      onStart: (running) => {
        this.#running = running
        if (this.#status === "created") this.#status = "running"
      }
    })
    this.#outcome = outcome.then(
      ({ value }) => {
        const result = this.outputs.count === 0 && value !== null ? { result: shown(value) } : {}
        this.#finish(this.#status === "draining" ? "stopped" : "completed", result)
      },
      (error: unknown) => {
        failure.error = error
        if (this.#isLeft || this.#status === "cancelled") return this.#finish("cancelled")
        this.#finish("failed", { error: error instanceof Error ? error.message : String(error) })
      }
    )
    return failure
  }

  #take(item: unknown): void | Promise<void> {
    if (this.chunks === undefined) return this.outputs.put(shown(item))
    const { chunk, given, metadata, value } = item as { chunk: unknown; given: boolean; metadata: unknown; value: unknown }
    void this.chunks.put(shown({ chunk, metadata }))
    if (given) return this.outputs.put(shown(value))
  }

  #steered(action: "pause" | "resume", reason: string | undefined): void {
    this.#keep({ ...this.#record, steering: { action, at: this.#options.now(), ...(reason === undefined ? {} : { reason }) } })
  }

  #keep(record: StreamRecord): void {
    this.#record = record
    this.#options.onRecord(record)
  }

  #close(): void {
    this.outputs.close()
    this.chunks?.close()
  }

  #finish(status: StreamEnd["status"], more: { readonly error?: string; readonly result?: string } = {}): void {
    this.#status = status
    if (this.#record.end === undefined) this.#end = { status, items: this.outputs.count, ...more }
    if (!this.#isLeft && this.#record.end === undefined) this.#keep({ ...this.#record, end: this.#end! })
    this.outputs.end()
    this.chunks?.end()
  }
}

/** For a reader that comes with a cursor of an earlier life. */
const whatIsNow = ({ begunAt, end }: StreamRecord, { isMcp }: ProgramText): string => {
  if (end !== undefined) return `The stream had ended by then (${end.status}) after ${end.items} items.`
  const from = isMcp
    ? "from the state that its processor had after the last chunk"
    : "from its last checkpoint where the program makes checkpoints, else from its beginning, so items may come again"
  return `The stream goes on since ${new Date(begunAt).toISOString()}, ${from}.`
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
