import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Actor, ActorCheckpointing } from "../actors/index.ts"
import type { BuiltGraph, StreamValue } from "../capabilities/index.ts"
import type { Plan } from "../scheduler/index.ts"
import { decodeValue, encodeValue } from "../serialization/index.ts"
import { type OwnedStream, type StateStore, StreamFenced, StreamInUse } from "../state/index.ts"
import { CheckpointRounds, type RoundOutcome } from "../supervisors/index.ts"
import { type ActorRecord, type CheckpointRecord, checkCompatible, comparable, decodeRecord, encodeRecord, maxStateBytes, type StreamRecord } from "./CheckpointRecord.ts"
import type { CheckpointSettings } from "./CheckpointSettings.ts"
import { CheckpointDamaged, CheckpointOfOtherVersion, CheckpointRefused } from "./errors.ts"
import type { HostStores } from "./HostStores.ts"
import { observe } from "./observe.ts"
import { storedStream } from "./storedStream.ts"

/** What a checkpointed pipeline needs of its host. */
export interface CheckpointHost {
  readonly storeNamed: HostStores["storeNamed"]
  readonly log: (line: string) => unknown
}

/** The last checkpoint that can be read, as a pipeline goes on with it. */
interface LastCheckpoint {
  readonly id: number
  readonly record: CheckpointRecord
}

/**
 * The checkpoints of one pipeline: its part of the store, what it goes on with, and the rounds while it runs.
 *
 * **Fails** to open with `StreamInUse`, `StoreFailure` or `CheckpointRefused`; nothing was changed then.
 */
export class Checkpointing {
  readonly settings: CheckpointSettings
  readonly rounds: CheckpointRounds
  readonly last: LastCheckpoint | undefined
  readonly #owned: OwnedStream
  readonly #plan: Plan
  readonly #clock: Clock.Clock
  readonly #log: CheckpointHost["log"]
  #actors: ReadonlyArray<Actor> = []
  #lastId: number

  /**
   * @param options.checkpointId an older one than the last to go on with
   * @param options.anew a stream that has ended is forgotten
   */
  static readonly open = Effect.fnUntraced(function* (
    asked: CheckpointSettings,
    options: {
      readonly host: CheckpointHost
      readonly value: StreamValue
      readonly built: BuiltGraph
      readonly plan: Plan
      readonly checkpointId: number | undefined
      readonly anew: boolean
    }
  ): Effect.fn.Return<Checkpointing, unknown, Scope.Scope> {
    const { built, checkpointId, host, plan, value } = options
    const store = yield* host.storeNamed(asked.store)
    tellOfWeakness(store, host.log)
    const owned = yield* asked.isImplicit ? ownFree(store, asked.streamId) : store.own(asked.streamId)
    const settings = { ...asked, streamId: owned.stream }
    const { streamId } = settings
    // What only acknowledges has no result that anybody would ask for again.
    const anew = options.anew || settings.isImplicit
    const stored = yield* store.checkpoints(streamId)
    const newest = yield* Effect.try({ try: () => newestReadable(streamId, stored, checkpointId, host.log), catch: (error) => error })
    const isForgotten = anew && newest?.record.status === "finished"
    if (isForgotten) yield* owned.clear
    const last = isForgotten ? undefined : newest
    const kept = (yield* owned.facts.all).get(streamFact)
    if (last !== undefined && kept !== undefined) {
      yield* Effect.try({
        try: () => checkCompatible(streamId, (decodeValue(kept) as StreamRecord).graph, built),
        catch: (error) => error
      })
    }
    const record: StreamRecord = { graph: comparable(built.graph), stream: storedStream(value) }
    const bytes = encodeValue(record)
    if (kept === undefined || Buffer.compare(kept, bytes) !== 0) yield* owned.facts.set(streamFact, bytes)
    const clock = yield* Clock.Clock
    return new Checkpointing(settings, { owned, plan, clock, log: host.log, last, lastId: stored[0]?.id ?? 0 })
  })

  private constructor(
    settings: CheckpointSettings,
    parts: {
      readonly owned: OwnedStream
      readonly plan: Plan
      readonly clock: Clock.Clock
      readonly log: CheckpointHost["log"]
      readonly last: LastCheckpoint | undefined
      readonly lastId: number
    }
  ) {
    this.settings = settings
    this.last = parts.last
    this.#owned = parts.owned
    this.#plan = parts.plan
    this.#clock = parts.clock
    this.#log = parts.log
    this.#lastId = parts.lastId
    this.rounds = new CheckpointRounds({
      actors: parts.plan.actors.map(({ address }) => nameOf(address)),
      startBarrier: (id, isLast) => {
        for (const actor of this.#actors) if (actor.kind === "source") actor.startBarrier(id, isLast)
      },
      store: (id, snapshots) => this.#store(id, snapshots),
      onStored: (id) => {
        for (const actor of this.#actors) actor.stored(id)
      },
      firstId: parts.lastId + 1,
      interval: Duration.millis(settings.intervalMs),
      everyItems: settings.everyItems,
      timeout: Duration.millis(settings.timeoutMs),
      onlyAfterItems: settings.isImplicit
    })
  }

  /** Small things that outlive a crash between two checkpoints. */
  get facts(): OwnedStream["facts"] {
    return this.#owned.facts
  }

  /** What an actor of the plan is to tell. */
  forActor(address: string): ActorCheckpointing {
    const name = nameOf(address)
    return {
      durable: `${this.settings.streamId}/${name}`,
      onBarrier: (barrier, snapshot) => this.rounds.answer(name, barrier, () => this.#encode(name, snapshot)),
      onSealed: (snapshot) => Effect.suspend(() => this.rounds.sealed(name, this.#encode(name, snapshot))),
      onTaken: (items) => this.rounds.taken(name, items),
      ask: () => this.rounds.ask()
    }
  }

  /**
   * Takes the actors, which go on where the checkpoint was taken.
   *
   * **Fails** by throwing `CheckpointRefused` where an actor finds no state.
   */
  adopt(actors: ReadonlyArray<Actor>): void {
    this.#actors = actors
    if (this.last === undefined) return
    const { streamId } = this.settings
    for (const { address, nodes } of this.#plan.actors) {
      const name = nameOf(address)
      const record = this.last.record.actors[name]
      if (record === undefined || record.nodes.join(" ") !== nodes.join(" ")) {
        throw new CheckpointRefused(
          streamId,
          `has no state for the actor ${name} (${nodes.join(", ")})`,
          "The nodes of the stream are fused otherwise than when it was taken: undo the change of its buffers, or give it another :stream-id."
        )
      }
      try {
        actors.find((actor) => actor.address === address)!.restore(decodeValue(record.snapshot))
      } catch (error) {
        throw new CheckpointRefused(
          streamId,
          `can't be taken by the actor ${name}: ${error instanceof Error ? error.message : String(error)}`,
          "Give the stream another :stream-id to begin anew."
        )
      }
    }
  }

  /** Completes when sources and sinks have dealt with what the last checkpoint covers. */
  get settled(): Effect.Effect<void> {
    return Effect.asVoid(Effect.forEach(this.#actors, (actor) => actor.settled))
  }

  /** An actor has ended normally. */
  ended(actor: Actor): void {
    const name = nameOf(actor.address)
    try {
      this.rounds.ended(name, this.#encode(name, actor.snapshot()))
    } catch (error) {
      this.#log(`The stream ${this.settings.streamId} can't be checkpointed any more: ${String((error as Error).message)}`)
      this.rounds.lost(name, error)
    }
  }

  /** What is done about the end of each round. **Fails** where the stream can't go on: it was taken over, or the observer threw. */
  told(outcome: RoundOutcome): Effect.Effect<void, unknown> {
    const { onCheckpoint, streamId } = this.settings
    switch (outcome.type) {
      case "stored": {
        if (onCheckpoint === undefined) return Effect.void
        const value = { "stream-id": streamId, "checkpoint-id": outcome.id, state: this.#state ?? {} }
        return Effect.asVoid(Effect.tryPromise({ try: () => observe(onCheckpoint, value), catch: (error) => error }))
      }
      case "abandoned":
        return this.#tell(`was given up after ${this.settings.timeoutMs} ms: ${outcome.missing.join(", ")} did not answer`, outcome.id)
      case "failed":
        if (outcome.error instanceof StreamFenced) return Effect.fail(outcome.error)
        if (this.rounds.isStuck) return Effect.fail(this.#stuck(outcome.error))
        return this.#tell(`failed: ${outcome.error instanceof Error ? outcome.error.message : String(outcome.error)}`, outcome.id)
    }
  }

  /** Notes that the stream has ended, with its result. Whoever runs it again gets the result and does nothing. */
  finish(value: unknown): Effect.Effect<void, unknown> {
    return Effect.suspend(() => {
      const record = { format: 1, stream: this.settings.streamId, status: "finished", actors: {}, result: keepable(value) } as const
      return this.#commit(++this.#lastId, encodeRecord(record))
    })
  }

  /** The states in the last checkpoint, by node, for an observer. */
  #state: Readonly<Record<string, unknown>> | undefined

  #store(id: number, snapshots: ReadonlyMap<string, Uint8Array>): Effect.Effect<void, unknown> {
    const actors: Record<string, ActorRecord> = {}
    for (const { address, nodes } of this.#plan.actors) {
      const name = nameOf(address)
      actors[name] = { nodes: [...nodes], snapshot: snapshots.get(name)! }
    }
    const record = { format: 1, stream: this.settings.streamId, status: "running", actors, result: null } as const
    this.#lastId = id
    if (this.settings.onCheckpoint !== undefined) {
      this.#state = Object.fromEntries([...snapshots].map(([name, bytes]) => [name, decodeValue(bytes)]))
    }
    return Effect.suspend(() => this.#commit(id, encodeRecord(record)))
  }

  #commit(id: number, bytes: Uint8Array): Effect.Effect<void, unknown> {
    return this.#owned.commit({ id, time: this.#clock.currentTimeMillisUnsafe(), bytes })
  }

  #stuck(error: unknown): CheckpointRefused {
    return new CheckpointRefused(
      this.settings.streamId,
      `can't be taken any more, and without it the output is never final: ${error instanceof Error ? error.message : String(error)}`,
      "Keep only values in states, or leave :stream.with-checkpointing out. The last one stands."
    )
  }

  #tell(what: string, id: number): Effect.Effect<void> {
    const { streamId } = this.settings
    return Effect.sync(() => void this.#log(`Checkpoint ${id} of the stream ${streamId} ${what}. The last one stands; the stream goes on.`))
  }

  #encode(name: string, snapshot: unknown): Uint8Array {
    try {
      return encodeValue(snapshot, { maxBytes: maxStateBytes })
    } catch (error) {
      throw new Error(`the state of ${name} can't be saved: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** Several of one kind may work side by side, each with checkpoints of its own. */
const ownFree = (store: StateStore, stream: string, ordinal = 1): ReturnType<StateStore["own"]> =>
  Effect.catch(store.own(ordinal === 1 ? stream : `${stream}-${ordinal}`), (error) =>
    error instanceof StreamInUse && ordinal < mostOfOneKind ? ownFree(store, stream, ordinal + 1) : Effect.fail(error)
  )

const mostOfOneKind = 1000

/** What a store can't promise is said once for each. */
const tellOfWeakness = (store: StateStore, log: CheckpointHost["log"]): void => {
  const { warning } = store.durability
  if (warning === undefined || toldOf.has(store)) return
  toldOf.add(store)
  log(`The store ${store.location}: ${warning}`)
}
const toldOf = new WeakSet<StateStore>()

const streamFact = "stream"

/** The part of an actor's address that is the same whatever the program is called. */
const nameOf = (address: string): string => address.slice(address.lastIndexOf("/") + 1)

const newestReadable = (
  stream: string,
  stored: Effect.Success<ReturnType<StateStore["checkpoints"]>>,
  wanted: number | undefined,
  log: CheckpointHost["log"]
): LastCheckpoint | undefined => {
  const candidates = wanted === undefined ? stored : stored.filter(({ id }) => id === wanted)
  if (wanted !== undefined && candidates.length === 0) {
    const there = stored.map(({ id }) => id).join(", ")
    throw new CheckpointRefused(
      stream,
      `${wanted} is not there`,
      there === "" ? "There is none of this stream in the store." : `The store has ${there}.`
    )
  }
  const damaged: Array<string> = []
  for (const { content, id } of candidates) {
    try {
      if ("damage" in content) throw new Error(content.damage)
      const record = decodeRecord(stream, content.bytes)
      for (const line of damaged) log(`${line} It goes on with checkpoint ${id}.`)
      return { id, record }
    } catch (error) {
      if (error instanceof CheckpointOfOtherVersion) throw error
      damaged.push(`Checkpoint ${id} of the stream ${stream} is damaged: ${(error as Error).message}.`)
    }
  }
  if (damaged.length === 0) return undefined
  throw new CheckpointDamaged(stream, damaged.join(" "))
}

const keepable = (value: unknown): { readonly value: unknown } | null => {
  try {
    encodeValue(value)
    return { value }
  } catch {
    return null
  }
}

/**
 * What is kept of a stream beside its checkpoints.
 *
 * **Fails** with `CheckpointRefused` where there is nothing, and with `StreamInUse` while another process runs it.
 */
export const keptStream = (store: StateStore, stream: string): Effect.Effect<StreamRecord, unknown> =>
  Effect.scoped(
    Effect.flatMap(
      Effect.flatMap(store.own(stream), ({ facts }) => facts.all),
      (facts) => {
        const kept = facts.get(streamFact)
        if (kept !== undefined) return Effect.try({ try: () => decodeValue(kept) as StreamRecord, catch: (error) => error })
        return Effect.fail(
          new CheckpointRefused(
            stream,
            "is not there",
            `The store ${store.location} knows no stream of this name: check :stream-id and :checkpoint-store, or the data directory.`
          )
        )
      }
    )
  )
