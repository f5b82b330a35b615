import { HandleMisuse } from "../errors.ts"
import { type HandleReport, type HandleStatus, StreamHandle } from "../StreamHandle.ts"
import { inspectStream } from "./inspectStream.ts"
import type { McpStream } from "./McpStream.ts"

/**
 * An MCP stream in a program's hand. Its outputs can be consumed as a stream, by one consumer at a time.
 *
 * Pausing stops the processor, and the peer when the queue is full. Its result is the last state.
 */
export class McpStreamHandle extends StreamHandle {
  readonly stream: McpStream
  readonly result: Promise<unknown>
  readonly #actor: StreamHandle
  #closed: Promise<void> | undefined
  #isOver = false
  /** Once what it came to is settled, everything of it is closed. */
  readonly #down: Promise<void>

  /** @param actor the running actor that reads from the stream */
  constructor(stream: McpStream, actor: StreamHandle) {
    super()
    this.stream = stream
    this.#actor = actor
    stream.onEnd = (status) => {
      // Not from within what ended it: that may be the actor's own work.
      if (status === "cancelled") queueMicrotask(() => void actor.cancel())
    }
    this.#down = actor.result.then(
      () => this.#close({}),
      (error: unknown) => this.#close({ error })
    )
    this.result = actor.result.finally(() => this.#down).then(() => stream.state)
    this.result.catch(() => {})
  }

  get id(): string {
    return this.stream.id
  }

  get status(): HandleStatus {
    const { status } = this.#actor
    if (this.stream.status === "stopped" && (status === "completed" || status === "stopped")) return "stopped"
    if (status === "running" && this.stream.status === "paused") return "paused"
    return status
  }

  async awaitResult(): Promise<unknown> {
    await this.#actor.awaitResult()
    await this.#down
    return this.stream.state
  }

  pause(): Promise<void> {
    return this.stream.send("pause")
  }

  async resume(): Promise<void> {
    await this.stream.send("resume")
    await this.#actor.resume()
  }

  async drain(options?: { readonly timeoutMs?: number }): Promise<void> {
    await this.#actor.drain(options)
    await this.#down
  }

  async cancel(): Promise<void> {
    await this.stream.send("cancel")
    await this.#actor.cancel()
    await this.#down
  }

  /** Ends it in order, and forgets what is kept of it. */
  async stop(): Promise<void> {
    await this.stream.send("stop")
    await this.stream.options.keeper.forget()
    await this.#actor.drain()
    await this.#down
  }

  /** Takes the place of the consumer. **Fails** by throwing `HandleMisuse` where it is taken. */
  consume(): () => void {
    if (this.stream.outputs.isConsumed) {
      throw new HandleMisuse(`The outputs of ${this.id} have a consumer: use one consumer that does both, such as :stream.branch.`)
    }
    return this.stream.outputs.consume()
  }

  /** Completes when everything of it is closed. */
  get closed(): Promise<void> {
    return this.#down
  }

  get isOver(): boolean {
    return this.#isOver
  }

  report(): HandleReport {
    return { ...this.#actor.report(), id: this.id, status: this.status }
  }

  inspect(): unknown {
    return inspectStream(this.stream, { state: false, initialState: false, queue: false })
  }

  override get label(): string {
    return `mcp-stream ${this.id}`
  }

  #close(outcome: { readonly error?: unknown }): Promise<void> {
    this.#isOver = true
    this.stream.outputs.end(outcome)
    this.#closed ??= this.stream.close()
    return this.#closed
  }
}
