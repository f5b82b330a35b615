import type { StreamFunction } from "../../scheduler/index.ts"
import { keyword } from "../../serialization/index.ts"
import { compileSchema, type Validator } from "../schemas/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { bookkeeping } from "./bookkeeping.ts"
import { ChunkQueue } from "./ChunkQueue.ts"
import { ConnectionDriver } from "./ConnectionDriver.ts"
import { McpFailure } from "./errors.ts"
import { isEnd, type McpEvent, type McpStatus, nextStatus } from "./mcpStream.machine.ts"
import { Outputs } from "./Outputs.ts"
import { type ProcessorResult, readResult } from "./processorResult.ts"
import type { Snapshot, SnapshotKeeper } from "./SnapshotKeeper.ts"
import type { StreamTransport } from "./StreamTransport.ts"
import type { Perform } from "./waiting.ts"

export interface McpStreamOptions {
  readonly id: string
  readonly endpoint: unknown
  readonly processor: StreamFunction | undefined
  /** The name that the processor was given by, where it was. */
  readonly processorName: string | null
  readonly initialState: unknown
  readonly capacity: number
  readonly outputSchema: unknown
  readonly timeoutMs: number
  /** Whether it connects when it starts, and not when it is first resumed. */
  readonly autoConnect: boolean
  readonly transport: StreamTransport
  readonly keeper: SnapshotKeeper
  /** Whether the program has named it; otherwise it is forgotten when it has ended. */
  readonly isNamed: boolean
  readonly perform: Perform
  readonly now: () => number
  /** What an earlier process left. */
  readonly from: Snapshot | undefined
}

/**
 * One MCP stream: chunks come in, the processor works one off after the other, its actions and the API steer it.
 *
 * It outlives the lives of the actor that reads from it, so that a processor that fails costs neither the connection nor a
 * chunk: the next life tries the same chunk again.
 *
 * **Order** chunks are worked off in the order in which they came, also over a pause.
 * **Bounds** `capacity` chunks in front of the processor, 32 outputs behind it.
 */
export class McpStream {
  readonly id: string
  readonly options: McpStreamOptions
  readonly queue: ChunkQueue
  readonly outputs = new Outputs(mostOutputs)
  readonly driver: ConnectionDriver
  status: McpStatus = "active"
  state: unknown
  processed = 0
  lives = 0
  lastLatencyMs: number | null = null
  lastEventMs: number | null = null
  lastError: string | null = null
  /** Called when an action or the API has ended it. */
  onEnd: (status: McpStatus) => void = () => {}
  readonly #schema: Validator | undefined
  #cursor: string | null
  #underWay: Promise<NextOutput> | undefined
  #failure: unknown
  #before: McpStatus = "active"
  #wake: Array<() => void> = []
  #isClosed = false
  #mayConnect: boolean

  constructor(options: McpStreamOptions) {
    const { capacity, from, id, initialState, now, outputSchema, perform, transport } = options
    this.id = id
    this.options = options
    this.state = from === undefined ? initialState : from.state
    this.processed = from?.processed ?? 0
    this.#cursor = from?.cursor ?? null
    this.status = from?.status === "error" ? "active" : (from?.status ?? "active")
    this.#mayConnect = options.autoConnect
    if (!this.#mayConnect) this.status = nextStatus(this.status, "pause")
    this.#schema = outputSchema === undefined ? undefined : compileSchema(outputSchema)
    this.queue = new ChunkQueue(capacity, now, from?.seq ?? 0)
    this.driver = new ConnectionDriver({
      stream: id,
      transport,
      queue: this.queue,
      perform,
      now,
      cursor: this.#cursor,
      onChange: () => {
        this.lastEventMs = now()
        this.#changed()
      },
      onProblem: (problem) => (this.lastError = problem)
    })
  }

  /** Begins, or goes on after a failure: as the supervisor starts the actor that reads from it. */
  open(): void {
    this.lives++
    if (this.status === "error") {
      this.status = nextStatus(this.status, "restart")
      if (this.#before === "paused") this.status = nextStatus(this.status, "pause")
    }
    this.#failure = undefined
    this.#underWay = undefined
    if (!isEnd(this.status) && this.#mayConnect) this.driver.start()
  }

  /** The next output, or `null` at the end. One that nobody waits for any more goes on and is given to the next who asks. */
  next(): Promise<NextOutput> {
    this.#underWay ??= this.#advance()
    this.#underWay.catch(() => {})
    return this.#underWay
  }

  /** What `next` gave has been taken. */
  taken(): void {
    this.#underWay = undefined
  }

  /** Whether another life of its actor could go on. */
  get isRepeatable(): boolean {
    return this.driver.outcome === undefined || !("failure" in this.driver.outcome) || this.options.transport.isRepeatable()
  }

  /** An event of the API. One that has no place in the status does nothing. */
  async send(event: McpEvent): Promise<void> {
    if (event === "resume" && !this.#mayConnect) {
      this.#mayConnect = true
      if (this.lives > 0 && !isEnd(this.status)) this.driver.start()
    }
    if (!this.#steer(event)) return
    await this.#save()
    this.#settle()
  }

  #steer(event: McpEvent): boolean {
    const before = this.status
    this.status = nextStatus(before, event)
    if (event === "cancel") this.queue.clear()
    if (this.status !== before) this.#changed()
    return this.status !== before
  }

  /** Ends what has to end with it, once that is kept. */
  #settle(): void {
    if (!isEnd(this.status)) return
    this.queue.close()
    this.onEnd(this.status)
  }

  /** Closes the connection and lets go of what is kept. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.queue.close()
    this.#changed()
    await this.driver.stop()
    const { isNamed, keeper } = this.options
    // Nobody asks for a stream under a made-up name once it has ended; the store would grow with each.
    if (isEnd(this.status) && !isNamed) await keeper.forget()
    await keeper.close()
  }

  snapshot(): Snapshot {
    const { processed, state, status } = this
    return { state, status, cursor: this.#cursor, processed, seq: this.queue.received - this.queue.length }
  }

  get cursor(): string | null {
    return this.#cursor
  }

  async #advance(): Promise<NextOutput> {
    try {
      for (;;) {
        if (isEnd(this.status) || this.#isClosed) return null
        const outcome = this.driver.outcome
        if (this.status === "active" && this.queue.length > 0) {
          const output = await this.#work()
          if (output !== undefined) return output
        } else if (outcome !== undefined && this.queue.length === 0 && this.status === "active") {
          if ("failure" in outcome) throw outcome.failure
          await this.send("complete")
        } else await new Promise<void>((resolve) => this.#wake.push(resolve))
      }
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  async #work(): Promise<{ readonly value: unknown } | undefined> {
    const { chunk, seq, since } = this.queue.peek()!
    const { now, processor } = this.options
    const startedAt = now()
    const metadata = { ...chunk.metadata, seq, "received-at": since }
    const result = await this.#call(processor, chunk.value, metadata)
    // Cancelled or stopped meanwhile: nothing comes of it.
    if (isEnd(this.status)) return undefined
    if (result.state !== undefined) this.state = result.state.value
    this.processed++
    this.#cursor = chunk.cursor ?? this.#cursor
    this.lastLatencyMs = now() - startedAt
    this.lastEventMs = now()
    this.queue.shift()
    if (result.event !== undefined) this.#steer(result.event)
    await this.#save()
    this.#settle()
    return result.output
  }

  async #call(
    processor: StreamFunction | undefined,
    value: unknown,
    metadata: Readonly<Record<string, unknown>>
  ): Promise<ProcessorResult> {
    if (processor === undefined) return { state: { value: bookkeeping(this.state, value, metadata) }, event: undefined }
    let result: unknown
    try {
      result = await callWithMeter(processor, this.state, value, metadata)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw Object.assign(
        new McpFailure({
          stream: this.id,
          reason: "processor",
          problem: `its processor failed: ${message}`,
          fix: "Correct the processor; the chunk has not been worked off."
        }),
        { cause }
      )
    }
    return readResult(this.id, result, this.#schema)
  }

  /** It is not fatal where it can't be kept: the stream goes on and says so. */
  async #save(): Promise<void> {
    const problem = await this.options.keeper.save(this.snapshot(), this.options.now())
    if (problem !== undefined) this.lastError = problem
  }

  #fail(error: unknown): void {
    this.#failure = error
    this.lastError = error instanceof Error ? error.message : String(error)
    this.#before = this.status
    this.status = nextStatus(this.status, "fail")
    // The failure is told already; that it can't be kept, too, is nothing to add.
    void this.#save().catch(() => {})
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** Status as a program sees it. */
  get shownStatus(): Readonly<Record<string, unknown>> {
    const message = this.#failure instanceof Error ? this.#failure.message : this.lastError
    return { state: keyword(this.status), ...(this.status === "error" ? { message } : {}) }
  }
}

/** An output, or the end. */
export type NextOutput = { readonly value: unknown } | null

const mostOutputs = 32
