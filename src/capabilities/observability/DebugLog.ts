import { inspect } from "node:util"
import type { StageServices } from "../../actors/index.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import { type Keyword, keyword } from "../../serialization/index.ts"
import { callWithMeter } from "../wrapFunction.ts"
import { redact, type Redaction } from "./redaction.ts"

export interface DebugLogOptions {
  readonly level: string
  readonly maxPerSecond: number
  readonly redaction: Redaction | undefined
  readonly logFn: StreamFunction | undefined
}

interface Entry {
  readonly sequence: number
  readonly item: unknown
  readonly time: number
}

/**
 * The events of one `stream.debug`, on their way to whoever reads them. Taking one costs the stream a place in a queue;
 * redaction, printing and the program's function happen later, one event after the other.
 *
 * **Bounds** 1000 events, and so many a second; what is beyond is dropped, counted, and told once for each second.
 */
export class DebugLog {
  /** The node, known once the graph has it. */
  node = ""
  readonly counts = { logged: 0, dropped: 0, failed: 0 }
  readonly #options: DebugLogOptions
  readonly #queue: Array<Entry> = []
  #services: Pick<StageServices, "log" | "time"> | undefined
  #second = -1
  #inSecond = 0
  #untold = 0
  #pumping: Promise<void> | undefined

  constructor(options: DebugLogOptions) {
    this.#options = options
  }

  bind(services: Pick<StageServices, "log" | "time">): void {
    this.#services = services
  }

  /** Never throws, never waits. */
  take(sequence: number, item: unknown, time: number): void {
    const second = Math.floor(time / 1000)
    if (second !== this.#second) {
      this.#tellDropped()
      this.#second = second
      this.#inSecond = 0
    }
    if (this.#inSecond >= this.#options.maxPerSecond || this.#queue.length >= mostQueued) {
      this.counts.dropped++
      this.#untold++
      return
    }
    this.#inSecond++
    this.#queue.push({ sequence, item, time })
    this.#pumping ??= this.#pump()
  }

  /** The stream has ended: waits until everything is read, but for a slow reader only a moment. */
  async end(): Promise<void> {
    this.#tellDropped()
    if (this.#pumping === undefined) return
    await Promise.race([this.#pumping, this.#services!.time.sleep(lastEventsMs)])
    const left = this.#queue.splice(0).length
    if (left === 0) return
    this.counts.dropped += left
    this.#untold += left
    this.#tellDropped()
  }

  async #pump(): Promise<void> {
    // After the slice that it was called in.
    await Promise.resolve()
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      try {
        await this.#write({
          item: await this.#redacted(entry.item),
          sequence: entry.sequence,
          node: this.node,
          time: entry.time,
          level: keyword(this.#options.level)
        })
        this.counts.logged++
      } catch (error) {
        if (this.counts.failed++ === 0) this.#tell(`:log-fn failed: ${messageOf(error)}. The stream goes on; this is said once only`)
      }
    }
    this.#pumping = undefined
  }

  /** What could not be redacted is not shown, not even in part. */
  async #redacted(item: unknown): Promise<unknown> {
    try {
      return await redact(this.#options.redaction, item)
    } catch {
      return "[redaction failed]"
    }
  }

  #write(event: DebugEvent): unknown {
    const { logFn } = this.#options
    if (logFn !== undefined) return callWithMeter(logFn, event)
    return this.#services?.log(`${this.#options.level} ${event.node} #${event.sequence}: ${printed(event.item)}`)
  }

  #tellDropped(): void {
    const dropped = this.#untold
    this.#untold = 0
    if (dropped > 0) {
      this.#tell(
        `dropped ${dropped} events: they came faster than they were read, or than :max-per-second ${this.#options.maxPerSecond} allows`
      )
    }
  }

  #tell(what: string): void {
    try {
      void this.#services?.log(`:stream.debug at ${this.node} ${what}.`)
    } catch {
      // A log that fails is the host's own affair.
    }
  }
}

interface DebugEvent {
  readonly item: unknown
  readonly sequence: number
  readonly node: string
  readonly time: number
  readonly level: Keyword
}

const mostQueued = 1000
const lastEventsMs = 750

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const printed = (item: unknown): string =>
  inspect(item, { depth: 8, breakLength: Infinity, compact: true, maxArrayLength: 100, maxStringLength: 1000 })
