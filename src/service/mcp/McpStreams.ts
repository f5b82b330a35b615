import { randomBytes } from "node:crypto"
import type { Records, StreamHost } from "../../host/index.ts"
import { McpStream } from "./McpStream.ts"
import { OutputBudget } from "./OutputBudget.ts"
import { programText } from "./programText.ts"
import { isRecord, mostShortLives, nextLife, type StreamRecord, type StreamRequest } from "./StreamRecord.ts"
import { ToolProblem } from "./ToolProblem.ts"

export interface McpStartRequest extends StreamRequest {
  readonly idempotency_key?: string
}

export interface McpStreamsOptions {
  readonly host: StreamHost
  readonly log: (line: string) => unknown
  /** Where streams are kept for the server that comes after this one; without it they end with this one. */
  readonly records?: Records | undefined
  /** How many principals share the streams that may go on. */
  readonly principals?: number
  readonly now?: () => number
  /** Told of a stream that came or changed; with `undefined` that the list of streams is another. */
  readonly onChange?: (id: string | undefined) => void
}

/** How many streams may go on at a time, and how many that have ended are kept to be read. */
const mostOpen = 1000
const mostEnded = 200

/** What the outputs of all of them may take together. */
const mostOutputBytes = 128 * 1024 * 1024

const sweepMs = 1000

/** How many streams of the server before are begun at a time. */
const restartedAtOnce = 16

/**
 * The streams that agents have started. Each belongs to the principal that has started it; to others it is not there. One
 * that nobody asks about for its time to live is cancelled and forgotten.
 *
 * **Delivery** where there are records, a stream whose start was answered goes on after a crash, under its id; what it gave is
 * lost with the process.
 * **Bounds** 1,000 streams that go on, 200 that have ended, 128 MB of outputs (see `OutputBudget`): each principal has its equal
 * part of each. What a stream keeps, see `OutputBuffer`.
 */
export class McpStreams {
  readonly #options: McpStreamsOptions
  readonly now: () => number
  /** Of each principal. */
  readonly #budgets = new Map<string, OutputBudget>()
  readonly #streams = new Map<string, McpStream>()
  readonly #starting = new Map<string, Promise<McpStream>>()
  readonly #sweep: NodeJS.Timeout
  #ordinal = 0
  #isClosed = false
  /** How many of a principal are just being started. */
  readonly #begun = new Map<string, number>()
  /** The last of what is being written. */
  #written: Promise<void> = Promise.resolve()

  constructor(options: McpStreamsOptions) {
    this.#options = options
    this.now = options.now ?? Date.now
    this.#sweep = setInterval(() => this.expire(), sweepMs).unref()
  }

  /** Whether streams go on after a restart of the server. */
  get areDurable(): boolean {
    return this.#options.records !== undefined
  }

  /** How many bytes of outputs are held. */
  get outputBytes(): number {
    return [...this.#budgets.values()].reduce((sum, { used }) => sum + used, 0)
  }

  /** Those of a principal, the oldest first. */
  of(owner: string): ReadonlyArray<McpStream> {
    return [...this.#streams.values()].filter(({ record }) => record.owner === owner)
  }

  /**
   * Begins what the server before this one has left. The streams are known when this completes, and begin one after the other.
   *
   * **Fails** with `StoreFailure`.
   */
  async restore(): Promise<void> {
    const { log, records } = this.#options
    if (records === undefined) return
    const left: Array<McpStream> = []
    const all = [...(await records.all())].toSorted(
      ([, a], [, b]) => Number((a as StreamRecord)?.createdAt) - Number((b as StreamRecord)?.createdAt)
    )
    for (const [id, value] of all) {
      if (isRecord(id, value)) left.push(this.#left(nextLife(value, this.now())))
      else void log(`What is kept of the stream ${id} can't be read, so it does not go on: another version of rtfs-streams has written it.`)
    }
    for (const stream of left) await this.#keep(stream.record)
    void this.#restart(left.values())
  }

  /** **Fails** with `ToolProblem`, or with what is wrong with the program. */
  async start(request: McpStartRequest, owner: string): Promise<McpStream> {
    const { idempotency_key: key, ...rest } = request
    if (key === undefined) return this.#start(rest, owner, undefined)
    const known = this.of(owner).find(({ record }) => record.idempotencyKey === key)
    if (known !== undefined) {
      if (canonical(known.record.request) !== canonical(rest)) throw usedAlready(key)
      known.touchedAt = this.now()
      return known
    }
    const place = JSON.stringify([owner, key])
    const starting = this.#starting.get(place)
    if (starting !== undefined) {
      const stream = await starting
      if (canonical(stream.record.request) !== canonical(rest)) throw usedAlready(key)
      return stream
    }
    const started = this.#start(rest, owner, key)
    this.#starting.set(place, started)
    try {
      return await started
    } finally {
      this.#starting.delete(place)
    }
  }

  /** Whoever asks for a stream keeps it alive. **Fails** by throwing `ToolProblem` where the principal has no such. */
  get(id: string, owner: string): McpStream {
    const stream = this.find(id, owner)
    if (stream === undefined) {
      const restarted = this.areDurable ? "" : ", or this server was restarted"
      throw new ToolProblem(
        `There is no stream ${JSON.stringify(id)}: it was never there, or has expired${restarted}`,
        "Call stream_list for those there are, stream_start for a new one."
      )
    }
    stream.touchedAt = this.now()
    return stream
  }

  /** The same, without keeping it alive. */
  find(id: string, owner: string): McpStream | undefined {
    const stream = this.#streams.get(id)
    return stream?.record.owner === owner ? stream : undefined
  }

  /** Cancels and forgets what nobody has asked about for too long. */
  expire(): void {
    const now = this.now()
    const all = [...this.#streams.values()]
    for (const stream of all) if (stream.waiting === 0 && now - stream.touchedAt > stream.ttlMs) this.#forget(stream)
    const ended = all.filter((stream) => stream.isOver && this.#streams.has(stream.id))
    for (const own of Map.groupBy(ended, ({ record }) => record.owner).values())
      for (const stream of own.slice(0, Math.max(0, own.length - this.#partOf(mostEnded)))) this.#forget(stream)
  }

  /** Ends them all: for good, or until there is a server again where they are kept. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweep)
    await Promise.all([...this.#streams.values()].map((stream) => (this.areDurable ? stream.leave() : stream.cancel())))
    await this.#written
  }

  async #start(request: StreamRequest, owner: string, key: string | undefined): Promise<McpStream> {
    const { host } = this.#options
    const id = `s-${randomBytes(16).toString("base64url")}`
    const program = programText(request, host.capabilities(), id)
    this.#checkRoom(owner)
    const now = this.now()
    const record: StreamRecord = {
      id,
      owner,
      request,
      ...(key === undefined ? {} : { idempotencyKey: key }),
      token: randomBytes(6).toString("base64url"),
      createdAt: now,
      life: 1,
      begunAt: now,
      shortLives: 0
    }
    this.#begun.set(owner, (this.#begun.get(owner) ?? 0) + 1)
    const stream = this.#make(record, program)
    try {
      // Before anything of it runs: a call that is repeated with its key, because a crash took the answer, finds it.
      await this.#options.records?.set(id, record)
      await stream.start()
    } catch (error) {
      await this.#drop(stream)
      throw program.isMcp && tagOf(error) === "PermissionDenied" ? notGranted(request.endpoint!, error) : error
    } finally {
      this.#begun.set(owner, this.#begun.get(owner)! - 1)
    }
    this.#streams.set(id, stream)
    // It may have come to its end already.
    if (stream.record !== record) await this.#keep(stream.record)
    this.expire()
    this.#options.onChange?.(undefined)
    return stream
  }

  #checkRoom(owner: string): void {
    const most = this.#partOf(mostOpen)
    const open = this.of(owner).filter(({ isOver }) => !isOver).length + (this.#begun.get(owner) ?? 0)
    if (open < most) return
    throw new ToolProblem(
      `${open} streams of yours go on already, which is the most`,
      "Call stream_list with state: running, then stream_stop for those that are not needed."
    )
  }

  /** What one principal may have of what all may have. */
  #partOf(all: number): number {
    return Math.floor(all / (this.#options.principals ?? 1))
  }

  #budgetOf(owner: string): OutputBudget {
    const known = this.#budgets.get(owner)
    if (known !== undefined) return known
    const made = new OutputBudget(this.#partOf(mostOutputBytes))
    this.#budgets.set(owner, made)
    return made
  }

  #make(record: StreamRecord, program: ReturnType<typeof programText>): McpStream {
    const { host } = this.#options
    return new McpStream(
      {
        record,
        ordinal: ++this.#ordinal,
        host,
        budget: this.#budgetOf(record.owner),
        now: this.now,
        onChange: () => this.#options.onChange?.(record.id),
        onRecord: (changed) => void this.#keep(changed)
      },
      program
    )
  }

  /** A stream of the server before. One that it died of, as it seems, or that this server can't start, has failed. */
  #left(record: StreamRecord): McpStream {
    const failed = (error: string): StreamRecord => ({ ...record, end: { status: "failed", error, items: 0 } })
    let program: ReturnType<typeof programText>
    let kept = record
    try {
      program = programText(record.request, this.#options.host.capabilities(), record.id)
      if (record.end === undefined && record.shortLives >= mostShortLives) {
        kept = failed(
          `The server ended ${record.shortLives} times soon after it had started this stream, so it is not started again. Start it anew with stream_start if it is not the reason.`
        )
      }
    } catch (error) {
      program = { source: "nil", again: "nil", isMcp: false }
      kept = failed(error instanceof Error ? error.message : String(error))
    }
    const stream = this.#make(kept, program)
    this.#streams.set(record.id, stream)
    return stream
  }

  async #restart(left: Iterator<McpStream>): Promise<void> {
    const one = async (): Promise<void> => {
      for (let next = left.next(); !next.done && !this.#isClosed; next = left.next()) {
        await next.value.restart()
        // So that requests are answered in between.
        await new Promise(setImmediate)
      }
    }
    await Promise.all(Array.from({ length: restartedAtOnce }, one))
    this.#options.onChange?.(undefined)
  }

  /** Records are written one after the other, so that the last one stands. */
  #keep(record: StreamRecord): Promise<void> {
    const { log, records } = this.#options
    if (records === undefined) return Promise.resolve()
    this.#written = this.#written.then(async () => {
      if (!this.#streams.has(record.id)) return
      await records
        .set(record.id, record)
        .catch((error: unknown) => void log(`The stream ${record.id} could not be kept as it is: ${messageOf(error)}`))
    })
    return this.#written
  }

  #forget(stream: McpStream): void {
    this.#streams.delete(stream.id)
    void this.#drop(stream)
    this.#options.onChange?.(undefined)
  }

  async #drop(stream: McpStream): Promise<void> {
    const { log, records } = this.#options
    await stream.forget().catch((error: unknown) => void log(`The stream ${stream.id} did not end in order: ${messageOf(error)}`))
    if (records === undefined) return
    this.#written = this.#written.then(() => records.remove(stream.id)).catch((error: unknown) => void log(messageOf(error)))
    await this.#written
  }
}

/** An endpoint that is no source is taken for one of MCP; whoever mistyped a source must not look for grants. */
const notGranted = (endpoint: string, error: unknown): ToolProblem =>
  new ToolProblem(
    `There is no source ${JSON.stringify(endpoint)}, and as an endpoint of MCP it is not granted: ${messageOf(error)}`,
    "Call stream_sources for the sources there are."
  )

/** The language tells where a capability failed, and with what as its cause. */
const tagOf = (error: unknown): unknown => {
  const { _tag, cause } = (error ?? {}) as { readonly _tag?: unknown; readonly cause?: { readonly _tag?: unknown } }
  return _tag ?? cause?._tag
}

const usedAlready = (key: string): ToolProblem =>
  new ToolProblem(
    `The idempotency_key ${JSON.stringify(key)} was used for another stream`,
    "Use a new key, or stream_list to find that one."
  )

/** Equal for equal requests, whatever the order of their fields. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field
  )

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
