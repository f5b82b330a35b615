import * as Effect from "effect/Effect"
import { idNotAbove, type StoreFailure, StreamFenced, StreamInUse } from "./errors.ts"
import { MemoryDeadLetters } from "./MemoryDeadLetters.ts"
import type { EmbeddedQueue } from "./queues/EmbeddedQueue.ts"
import type { NewCheckpoint, OwnedStream, StateStore, StoredCheckpoint } from "./StateStore.ts"

/** What lives as long as the process keeps it. */
export const makeMemoryStore = (location: string): StateStore => {
  const memory: Memory = { location, epoch: 0, owners: new Map(), states: new Map() }
  const deadLetters = new MemoryDeadLetters(location)
  let queues: Promise<EmbeddedQueue> | undefined
  return {
    kind: "memory",
    location,
    durability: { level: "process" },
    own: (stream) =>
      Effect.map(
        Effect.acquireRelease(take(memory, stream), (epoch) => release(memory, stream, epoch)),
        (epoch) => ownedStream(memory, stream, epoch)
      ),
    checkpoints: (stream) => Effect.sync(() => [...(memory.states.get(stream)?.checkpoints ?? [])]),
    streams: Effect.sync(() => [...memory.states.keys()].sort()),
    deadLetters,
    queues: Effect.promise(() => {
      queues ??= openQueues(location, deadLetters)
      return queues
    })
  }
}

const openQueues = async (location: string, deadLetters: MemoryDeadLetters): Promise<EmbeddedQueue> => {
  const [{ EmbeddedQueue }, { SqliteDatabase }] = await Promise.all([import("./queues/EmbeddedQueue.ts"), import("./SqliteDatabase.ts")])
  return new EmbeddedQueue(await SqliteDatabase.inMemory(location), deadLetters, { location, ...queueBounds })
}

const queueBounds = { maxMessages: 100_000, maxBytes: 64 * 1024 ** 2 }

interface Memory {
  readonly location: string
  /** One count for all streams, so that nothing has to be kept of a stream that has no state. */
  epoch: number
  readonly owners: Map<string, number>
  readonly states: Map<string, StreamState>
}

interface StreamState {
  checkpoints: ReadonlyArray<StoredCheckpoint>
  readonly facts: Map<string, Uint8Array>
}

const take = (memory: Memory, stream: string) =>
  Effect.suspend(() => {
    if (memory.owners.has(stream)) return Effect.fail(new StreamInUse(stream, memory.location, "another stream of this process"))
    memory.owners.set(stream, ++memory.epoch)
    return Effect.succeed(memory.epoch)
  })

const release = (memory: Memory, stream: string, epoch: number) =>
  Effect.sync(() => {
    if (memory.owners.get(stream) === epoch) memory.owners.delete(stream)
  })

const ownedStream = (memory: Memory, stream: string, epoch: number): OwnedStream => {
  const asOwner = <E = never>(write: () => Effect.Effect<void, E>) =>
    Effect.suspend((): Effect.Effect<void, E | StreamFenced> =>
      memory.owners.get(stream) === epoch ? write() : Effect.fail(new StreamFenced(stream, memory.location, epoch))
    )
  return {
    stream,
    epoch,
    commit: (checkpoint) => asOwner(() => commit(memory, stream, epoch, checkpoint)),
    clear: asOwner(() => Effect.sync(() => void memory.states.delete(stream))),
    facts: {
      all: Effect.sync(() => new Map(memory.states.get(stream)?.facts)),
      set: (name, value) => asOwner(() => Effect.sync(() => setFact(memory, stream, name, value)))
    }
  }
}

const commit = (memory: Memory, stream: string, epoch: number, { bytes, id, time }: NewCheckpoint): Effect.Effect<void, StoreFailure> => {
  const state = stateOf(memory, stream)
  const newest = state.checkpoints[0]?.id
  if (newest !== undefined && id <= newest) return Effect.fail(idNotAbove(memory.location, stream, id, newest))
  // A copy: the caller may go on with its buffer.
  state.checkpoints = [{ id, epoch, time, content: { bytes: bytes.slice() } }, ...state.checkpoints].slice(0, 3)
  return Effect.void
}

const setFact = (memory: Memory, stream: string, name: string, value: Uint8Array | null): void => {
  const { checkpoints, facts } = stateOf(memory, stream)
  if (value !== null) facts.set(name, value.slice())
  else if (facts.delete(name) && facts.size === 0 && checkpoints.length === 0) memory.states.delete(stream)
}

const stateOf = (memory: Memory, stream: string): StreamState => {
  const existing = memory.states.get(stream)
  if (existing !== undefined) return existing
  const state: StreamState = { checkpoints: [], facts: new Map() }
  memory.states.set(stream, state)
  return state
}
