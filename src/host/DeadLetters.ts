import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AttemptNotes, DeadItem, ItemServices } from "../actors/index.ts"
import { BoundExceeded } from "../capabilities/index.ts"
import { decodeValue, encodeValue } from "../serialization/index.ts"
import type { OwnedStream, StateStore } from "../state/index.ts"
import { encodeDeadLetter } from "./deadLetter.ts"
import { toErrorValue } from "./rootCause.ts"

/** How many are kept in full: the first ones, for those after them rarely tell more. */
const mostKept = 100

/** An item that was given up on, as `inspect` shows it. */
export interface DeadLetter {
  /** The address of the actor that failed on it. */
  readonly actor: string
  readonly capability: string
  /** In the store. */
  readonly queue: string
  /** Which of the items that entered the actor, from 1 on. */
  readonly item: number
  /** The value that entered the failing stage. */
  readonly value: unknown
  /** The message of the error that it failed with last. */
  readonly error: string
  readonly attempts: number
}

export interface DeadLetterHost {
  readonly stateStore: Effect.Effect<StateStore, unknown>
  readonly log: (line: string) => unknown
}

/**
 * The dead letters of one stream: those of this process in memory, for `inspect`; all of them in the host's store.
 *
 * **Bounds** 100 in full; the count is of all.
 */
export class DeadLetters {
  count = 0
  readonly kept: Array<DeadLetter> = []

  add({ address, attempts, capability, cause, item, queue, value }: DeadItem): void {
    this.count++
    if (this.kept.length >= mostKept) return
    const error = cause instanceof Error ? cause.message : String(cause)
    this.kept.push({ actor: address, capability, queue, item, value, error, attempts })
  }

  /**
   * What the actors of the stream need.
   *
   * @param facts of a checkpointed stream: what must outlive this process
   */
  services(stream: string, host: DeadLetterHost, facts: OwnedStream["facts"] | undefined): Effect.Effect<ItemServices, unknown> {
    return Effect.gen({ self: this }, function*() {
      const known = facts === undefined ? undefined : new Map(yield* facts.all)
      const run = yield* runOf(facts, known)
      let isDown = false
      const keep = (dead: DeadItem) =>
        Effect.gen({ self: this }, function*() {
          const time = yield* Clock.currentTimeMillis
          const store = yield* host.stateStore
          const added = store.deadLetters.add([encodeDeadLetter(dead, { stream, run, time })])
          yield* store.kind === "memory" ? Effect.mapError(added, (error) => full(dead.capability, error)) : added
          isDown = false
          this.add(dead)
        }).pipe(
          Effect.tapError((error) =>
            Effect.sync(() => {
              if (isDown) return
              isDown = true
              const why = error instanceof Error ? error.message : String(error)
              host.log(`The stream ${stream} waits, because a dead letter can't be stored: ${why}`)
            })
          )
        )
      return { errorValue: toErrorValue, keep, ...(facts === undefined ? {} : { attempts: notesIn(facts, known!) }) }
    })
  }
}

/** Memory fails when it has no room for more, and no waiting makes any. */
const full = (capability: string, { message }: Error): Error =>
  new BoundExceeded(capability, "failed on an item, which can't become a dead letter", message)

type Facts = Map<string, Uint8Array>

const runFact = "run"

/** What tells the items of this stream from those of another run of it. A stream that goes on with a checkpoint is the same run. */
const runOf = (facts: OwnedStream["facts"] | undefined, known: Facts | undefined): Effect.Effect<string, unknown> => {
  const noted = known?.get(runFact)
  if (noted !== undefined) return Effect.succeed(decodeValue(noted) as string)
  return Effect.suspend(() => {
    const run = randomUUID()
    return facts === undefined ? Effect.succeed(run) : Effect.as(facts.set(runFact, encodeValue(run)), run)
  })
}

const notesIn = (facts: OwnedStream["facts"], known: Facts): AttemptNotes => {
  const name = (node: string, place: string) => `attempts ${node} ${place}`
  return {
    noted: (node, place) => {
      const noted = known.get(name(node, place))
      return noted === undefined ? 0 : (decodeValue(noted) as number)
    },
    note: (node, place, failedTries) => {
      const noting = facts.set(name(node, place), failedTries === 0 ? null : encodeValue(failedTries))
      const passed = [...known.keys()].filter((noted) => isBefore(noted, name(node, place)))
      return Effect.andThen(noting, Effect.forEach(passed, (noted) => Effect.tap(facts.set(noted, null), () => Effect.sync(() => void known.delete(noted)))))
    }
  }
}

/** Whether a note is of an item that the same stage has done with: places end with which of its items it is. */
const isBefore = (noted: string, name: string): boolean => {
  const [, stage, item] = /^(.*) (\d+)$/.exec(name) ?? []
  const [, notedStage, notedItem] = /^(.*) (\d+)$/.exec(noted) ?? []
  return stage !== undefined && stage === notedStage && Number(notedItem) < Number(item)
}
