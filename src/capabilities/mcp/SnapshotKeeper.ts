import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { decodeValue, encodeValue } from "../../serialization/index.ts"
import type { OwnedStream, StateStore, StoredCheckpoint } from "../../state/index.ts"
import { McpFailure } from "./errors.ts"
import type { McpStatus } from "./mcpStream.machine.ts"
import type { Perform } from "./waiting.ts"

/** How far a stream has got: what is written after every chunk. */
export interface Snapshot {
  readonly state: unknown
  readonly status: McpStatus
  /** What the peer has to be told to go on behind the last chunk that was worked off. */
  readonly cursor: string | null
  readonly processed: number
  readonly seq: number
}

/** What stands beside it, once: from what the stream can be made again. */
export interface Registration {
  /** The options of its start as plain data, functions as `storedStream` has them. */
  readonly stream: unknown
  /** Whether the program has named the stream. */
  readonly isNamed: boolean
}

interface Stored extends Snapshot {
  readonly registration: Registration
}

/**
 * Keeps a stream's snapshots in the host's store, in the hands of this process alone.
 *
 * **Delivery** a snapshot is durable before the output of its chunk goes on. One that can't be written is told and does
 * not end the stream, unless another process has taken it.
 */
export class SnapshotKeeper {
  failures = 0
  readonly kind: StateStore["kind"]
  readonly #owned: OwnedStream
  readonly #scope: Scope.Closeable
  readonly #perform: Perform
  readonly #registration: Registration
  readonly #log: (line: string) => unknown
  #next: number
  #isForgotten = false
  /** Saves go one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(
    fields: { readonly kind: StateStore["kind"]; readonly owned: OwnedStream; readonly scope: Scope.Closeable; readonly next: number },
    registration: Registration,
    perform: Perform,
    log: (line: string) => unknown
  ) {
    this.kind = fields.kind
    this.#owned = fields.owned
    this.#scope = fields.scope
    this.#next = fields.next
    this.#registration = registration
    this.#perform = perform
    this.#log = log
  }

  /** **Fails** with `StreamInUse` while another process runs the stream, and with `StoreFailure`. */
  static async open(
    store: StateStore,
    id: string,
    registration: Registration,
    perform: Perform,
    log: (line: string) => unknown
  ): Promise<SnapshotKeeper> {
    const scope = Scope.makeUnsafe()
    try {
      const owned = await perform(Scope.provide(store.own(storedUnder(id)), scope))
      const kept = await perform(store.checkpoints(storedUnder(id)))
      return new SnapshotKeeper({ kind: store.kind, owned, scope, next: (kept[0]?.id ?? 0) + 1 }, registration, perform, log)
    } catch (error) {
      await perform(Scope.close(scope, Exit.void))
      throw error
    }
  }

  /** @returns what is wrong, where it could not be kept */
  save(snapshot: Snapshot, time: number): Promise<string | undefined> {
    const saved = this.#last.then(() => this.#save(snapshot, time))
    this.#last = saved
    return saved
  }

  async #save(snapshot: Snapshot, time: number): Promise<string | undefined> {
    if (this.#isForgotten) return undefined
    try {
      const stored: Stored = { ...snapshot, registration: this.#registration }
      const bytes = encodeValue(stored)
      await this.#perform(this.#owned.commit({ id: this.#next++, time, bytes }))
      return undefined
    } catch (error) {
      if ((error as { readonly _tag?: string })._tag === "StreamFenced") throw error
      const problem = `Its snapshot could not be kept: ${error instanceof Error ? error.message : String(error)}`
      if (this.failures++ === 0)
        this.#log(`The MCP stream ${this.#owned.stream.slice(prefix.length)} goes on, but can't be resumed from here. ${problem}`)
      return problem
    }
  }

  /** The stream is forgotten for good. */
  async forget(): Promise<void> {
    await this.#last
    if (this.#isForgotten) return
    this.#isForgotten = true
    await this.#perform(this.#owned.clear)
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {})
    await this.#perform(Scope.close(this.#scope, Exit.void))
  }
}

/** **Fails** with `McpFailure` where nothing usable is kept under this id. */
export const keptSnapshot = async (
  store: StateStore,
  id: string,
  perform: Perform
): Promise<{ readonly snapshot: Snapshot; readonly registration: Registration }> => {
  const kept = await perform(store.checkpoints(storedUnder(id)))
  const newest = newestWhole(kept)
  if (newest !== undefined) {
    const { registration, ...snapshot } = newest
    return { snapshot, registration }
  }
  throw new McpFailure({
    stream: id,
    reason: "unknown-stream",
    problem: kept.length === 0 ? `${store.location} keeps no snapshot of it` : "all its snapshots are damaged",
    fix: "Check :stream-id, and that this host has the store of the one that started it (--data-dir, or the host's option store)."
  })
}

/** The last state that is kept of a stream, `null` where it is damaged; `undefined` where nothing is kept. */
export const keptState = async (store: StateStore, id: string, perform: Perform): Promise<{ readonly state: unknown } | undefined> => {
  const kept = await perform(store.checkpoints(storedUnder(id)))
  return kept.length === 0 ? undefined : { state: newestWhole(kept)?.state ?? null }
}

const newestWhole = (kept: ReadonlyArray<StoredCheckpoint>): Stored | undefined => {
  for (const { content } of kept) if ("bytes" in content) return decodeValue(content.bytes) as Stored
  return undefined
}

/** Forgets a stream that has come down. **Fails** with `StreamInUse` where another process has it by now. */
export const forgetKept = async (store: StateStore, id: string, perform: Perform): Promise<void> => {
  const scope = Scope.makeUnsafe()
  try {
    const owned = await perform(Scope.provide(store.own(storedUnder(id)), scope))
    await perform(owned.clear)
  } finally {
    await perform(Scope.close(scope, Exit.void))
  }
}

const prefix = "mcp/"
const storedUnder = (id: string): string => `${prefix}${id}`
