import { type HandleReport, type HandleStatus, StreamHandle } from "../StreamHandle.ts"
import type { StreamValue } from "../StreamValue.ts"
import type { Inlet } from "./Inlet.ts"
import type { Outlet } from "./Outlet.ts"
import type { Offer } from "./Provider.ts"

/** What happens to a stream that its consumers may want to hear of. */
export type StreamEvent = "pause" | "resume" | "cancel" | "backpressure"

/** One direction of a stream of a provider: what runs it, and where its items come out or go in. */
export interface Direction {
  readonly stream: StreamHandle
  readonly outlet?: Outlet | undefined
  readonly inlet?: Inlet | undefined
}

const mostListeners = 64

/**
 * A stream that a provider opened, in a caller's hand: a source has an outlet, a sink an inlet, a bidirectional one both.
 * Each direction is a stream of the program that opened it, under that program's supervisor.
 */
export class ProvidedStream extends StreamHandle {
  readonly id: string
  readonly offer: Pick<Offer, "id" | "checkInput">
  readonly #directions: ReadonlyArray<Direction>
  readonly #asStream: (handle: ProvidedStream) => StreamValue
  readonly #listeners = new Set<(event: StreamEvent) => void>()

  constructor(options: {
    readonly offer: Pick<Offer, "id" | "checkInput">
    readonly directions: ReadonlyArray<Direction>
    readonly asStream: (handle: ProvidedStream) => StreamValue
  }) {
    super()
    this.offer = options.offer
    this.#directions = options.directions
    this.#asStream = options.asStream
    this.id = this.#main.id
    for (const { inlet, outlet, stream } of this.#directions) {
      stream.result.then(
        () => {
          outlet?.end()
          inlet?.close()
        },
        (error: unknown) => {
          outlet?.end({ error })
          inlet?.close({ error })
        }
      )
    }
  }

  get #main(): StreamHandle {
    return this.#directions[0]!.stream
  }

  get outlet(): Outlet | undefined {
    return this.#directions.find(({ outlet }) => outlet !== undefined)?.outlet
  }

  get inlet(): Inlet | undefined {
    return this.#directions.find(({ inlet }) => inlet !== undefined)?.inlet
  }

  /** What runs the direction out of which items come, or into which they go. */
  streamOf(part: "outlet" | "inlet"): StreamHandle {
    return (this.#directions.find((direction) => direction[part] !== undefined) ?? this.#directions[0]!).stream
  }

  /** Its items as a stream, for a call that takes one. */
  asStream(): StreamValue | undefined {
    return this.outlet === undefined ? undefined : this.#asStream(this)
  }

  /** Tells of what happens to it, until that is taken back. **Bounds** 64 listeners; more are refused with `undefined`. */
  listen(listener: (event: StreamEvent) => void): (() => void) | undefined {
    if (this.#listeners.size >= mostListeners) return undefined
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(event: StreamEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  get status(): HandleStatus {
    return this.#main.status
  }

  get result(): Promise<unknown> {
    return this.#main.result
  }

  awaitResult(): Promise<unknown> {
    for (const { stream } of this.#directions.slice(1)) stream.awaitResult().catch(() => {})
    return this.#main.awaitResult()
  }

  async pause(): Promise<void> {
    await this.#each((stream) => stream.pause())
    if (this.status === "paused") this.tell("pause")
  }

  async resume(): Promise<void> {
    const wasPaused = this.status === "paused"
    await this.#each((stream) => stream.resume())
    if (wasPaused) this.tell("resume")
  }

  async drain(options?: { readonly timeoutMs?: number }): Promise<void> {
    for (const { inlet } of this.#directions) inlet?.close()
    await this.#each((stream) => stream.drain(options))
  }

  async cancel(): Promise<void> {
    const isNew = !isOver(this.status)
    await this.#each((stream) => stream.cancel())
    if (isNew) this.tell("cancel")
  }

  /**
   * Ends it in order. What was sent is written; a source is asked for no more, and who takes from it gets what is kept and
   * then the end. Idempotent.
   */
  async close(): Promise<void> {
    await Promise.all(
      this.#directions.map(async ({ inlet, outlet, stream }) => {
        if (inlet !== undefined) {
          inlet.close()
          await stream.awaitResult()
          return
        }
        outlet?.discard()
        await stream.drain()
      })
    )
  }

  /** The sums of its directions. */
  report(): HandleReport {
    const reports = this.#directions.map(({ stream }) => stream.report())
    const sum = (count: (report: HandleReport) => number) => reports.reduce((total, report) => total + count(report), 0)
    return {
      id: this.id,
      status: this.status,
      accepted: sum(({ accepted }) => accepted),
      processed: sum(({ processed }) => processed),
      skipped: sum(({ skipped }) => skipped),
      retried: sum(({ retried }) => retried),
      dropped: sum(({ dropped }) => dropped),
      deadLettered: sum(({ deadLettered }) => deadLettered),
      undrained: sum(({ undrained }) => undrained)
    }
  }

  inspect(): unknown {
    const { inlet, outlet } = this
    return {
      id: this.id,
      provider: this.offer.id,
      status: this.status,
      ...(outlet === undefined
        ? {}
        : {
            first: outlet.first,
            last: outlet.last,
            kept: outlet.size,
            waiting: outlet.waiting,
            missed: outlet.missed,
            groups: outlet
              .groups()
              .map(({ acknowledged, delivered, isAttached, name, use }) => ({ name, use, delivered, acknowledged, isAttached }))
          }),
      ...(inlet === undefined ? {} : { accepted: inlet.accepted, written: inlet.written }),
      streams: this.#directions.map(({ stream }) => stream.inspect())
    }
  }

  async #each(act: (stream: StreamHandle) => Promise<void>): Promise<void> {
    await Promise.all(this.#directions.map(({ stream }) => act(stream)))
  }

  override get label(): string {
    return `stream ${this.id} of ${this.offer.id}`
  }
}

export const isOver = (status: HandleStatus): boolean => ["completed", "stopped", "cancelled", "failed"].includes(status)
