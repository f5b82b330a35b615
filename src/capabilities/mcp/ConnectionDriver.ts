import type { Chunk } from "./Chunk.ts"
import type { ChunkQueue } from "./ChunkQueue.ts"
import { McpFailure } from "./errors.ts"
import type { ChunkReceiver, StreamTransport } from "./StreamTransport.ts"
import { pause, type Perform, within } from "./waiting.ts"

/** Attempts in a row, the first one included. */
const mostAttempts = 3
const firstWaitMs = 250
const longestWaitMs = 5_000
/** A connection that stood for so long ends a row of failures, and so does one that got further. */
const healthyMs = 10_000
/** What a transport has for telling its peer, and for closing. */
const closingMs = 3_000

export interface DriverOptions {
  readonly stream: string
  readonly transport: StreamTransport
  readonly queue: ChunkQueue
  readonly perform: Perform
  readonly now: () => number
  readonly cursor: string | null
  readonly onChange: () => void
  readonly onProblem: (problem: string) => void
}

/**
 * Keeps a transport running: makes its connection again where that may help, and tells how it ended.
 *
 * **Bounds** three attempts in a row, 250 ms and 500 ms apart, or as long as the peer asks for, up to 5 s.
 * **Stopping** `stop` completes when everything is closed, after 3 s at the latest.
 */
export class ConnectionDriver {
  reconnects = 0
  outcome: { readonly failure?: unknown } | undefined
  isRunning = false
  isConnected = false
  /** Of the last chunk that came. */
  cursor: string | null
  readonly #options: DriverOptions
  #stopping = new AbortController()
  #run: Promise<void> | undefined
  #connectedAt: number | undefined
  #aliveAt = 0

  constructor(options: DriverOptions) {
    this.#options = options
    this.cursor = options.cursor
  }

  /** Does nothing while it runs, and after a normal end. */
  start(): void {
    if (this.isRunning || this.#stopping.signal.aborted || (this.outcome !== undefined && !("failure" in this.outcome))) return
    this.outcome = undefined
    this.isRunning = true
    this.#run = this.#keepRunning().then((outcome) => {
      this.isRunning = false
      this.isConnected = false
      this.outcome = outcome
      this.#options.onChange()
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    if (this.#run !== undefined) await within(this.#options.perform, closingMs, this.#run)
  }

  async #keepRunning(): Promise<{ readonly failure?: unknown }> {
    const { onProblem, perform, transport } = this.#options
    for (let attempt = 1; ; attempt++) {
      const before = this.cursor
      try {
        await this.#connection()
        return {}
      } catch (failure) {
        if (this.#stopping.signal.aborted) return {}
        onProblem(failure instanceof Error ? failure.message : String(failure))
        if (this.#connectedAt !== undefined && this.#options.now() - this.#connectedAt >= healthyMs) attempt = 1
        if (this.cursor !== before) attempt = 1
        const { isTemporary = false, retryAfterMs = 0 } = failure as { readonly isTemporary?: boolean; readonly retryAfterMs?: number }
        if (!isTemporary || !transport.isRepeatable() || attempt >= mostAttempts) return { failure }
        await pause(perform, Math.min(Math.max(firstWaitMs * 2 ** (attempt - 1), retryAfterMs), longestWaitMs), this.#stopping.signal)
        if (this.#stopping.signal.aborted) return {}
        this.reconnects++
      }
    }
  }

  async #connection(): Promise<void> {
    const { transport } = this.#options
    const ending = new AbortController()
    const end = () => ending.abort(this.#stopping.signal.reason)
    this.#stopping.signal.addEventListener("abort", end, { once: true })
    this.#connectedAt = undefined
    this.isConnected = false
    try {
      const running = transport.run(this.#receiver(ending.signal), ending.signal)
      const idle = transport.idleMs === undefined ? undefined : this.#awaitSilence(transport.idleMs, ending.signal)
      try {
        await (idle === undefined ? running : Promise.race([running, idle]))
      } finally {
        ending.abort()
        await within(this.#options.perform, closingMs, running)
        await idle?.catch(() => {})
      }
    } finally {
      this.#stopping.signal.removeEventListener("abort", end)
    }
  }

  #receiver(signal: AbortSignal): ChunkReceiver {
    const { now, onChange, onProblem, queue } = this.#options
    this.#aliveAt = now()
    return {
      room: async () => {
        await queue.room()
        // The wait for room was ours, not the peer's.
        this.#aliveAt = now()
        signal.throwIfAborted()
      },
      offer: (chunk: Chunk) => {
        if (signal.aborted) return
        this.#aliveAt = now()
        this.cursor = chunk.cursor ?? this.cursor
        queue.offer(chunk)
        onChange()
      },
      connected: () => {
        this.#connectedAt = this.#aliveAt = now()
        this.isConnected = true
      },
      alive: () => {
        this.#aliveAt = now()
      },
      cursor: () => this.cursor,
      note: onProblem
    }
  }

  /** Fails when the peer has said nothing for so long while it was listened to. */
  async #awaitSilence(idleMs: number, signal: AbortSignal): Promise<never> {
    const { now, perform, queue, stream } = this.#options
    for (;;) {
      const left = queue.isFull ? idleMs : this.#aliveAt + idleMs - now()
      if (left <= 0) {
        throw new McpFailure({
          stream,
          reason: "disconnected",
          problem: `its peer said nothing for ${idleMs} ms`,
          fix: "Raise :idle-timeout if it may be silent for longer, or check that the peer is up.",
          isTemporary: true
        })
      }
      await pause(perform, left, signal)
      signal.throwIfAborted()
    }
  }
}
