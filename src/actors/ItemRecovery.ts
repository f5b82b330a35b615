import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { defaultQueue, describe, type ItemPolicy, offer, retryDelayMs, type StreamFunction } from "../scheduler/index.ts"
import { isKeyword, isPlainMap } from "../serialization/index.ts"
import { StoreFailure } from "../state/index.ts"
import type { DeadItem, ItemServices } from "./DeadItem.ts"
import { RecoveryFailed } from "./errors.ts"
import { type FailedItem, LastFailure } from "./LastFailure.ts"

/** An item that a node failed on, with all that its policy may ask. */
export interface Failed extends FailedItem {
  readonly node: { readonly id: string; readonly capability: string; readonly policy: ItemPolicy }
  /** Which of the queues of values that the node works on in order it stands in. */
  readonly lane: string
  /** The same text for the same item of the node, and a different one for any other. */
  readonly place: string
  /** Another try would end in the same way. */
  readonly isHopeless?: boolean
}

/** What is to be done with it. `leave-out` is on record already, where it went to the dead letters. */
export type Verdict =
  | { readonly type: "retry" }
  | { readonly type: "leave-out"; readonly as: "skipped" | "deadLettered" | "quarantined" }
  | { readonly type: "replace"; readonly value: unknown }
  | { readonly type: "fail"; readonly cause: unknown }

/** An item that a node of an actor failed on. */
export interface FailedIn extends Failed {
  /** The node's place in the actor. */
  readonly at: number
}

/** What is left to do for a shell once the policy has spoken. */
export type Applied = Exclude<Verdict, { readonly type: "fail" }>

/**
 * Decides about the items that one actor fails on, as the policies of its nodes say.
 *
 * Waiting for the next try, for an answer of the program or for the store of dead letters is the actor's: nothing
 * behind the item goes on meanwhile, so the order is kept and the senders wait, too. A life that is ended while it
 * waits has decided nothing; the next one tries the item again, and its tries are still counted.
 *
 * **Bounds** one item for each stage.
 */
export class ItemRecovery<Item extends Failed = Failed> {
  /** What the actor waits for because of an item, for `inspect`. */
  waitsFor: string | undefined
  private readonly last = new LastFailure<Item>()
  private readonly address: string
  private readonly services: ItemServices | undefined
  /** By lane the one place of which a count is noted. */
  private readonly noted = new Map<string, Failed>()

  constructor(address: string, services: ItemServices | undefined) {
    this.address = address
    this.services = services
  }

  /** One more try failed. @returns how many that makes */
  tried({ lane, node, place }: Item): number {
    return this.last.tried(lane, place, this.services?.attempts?.noted(node.id, place) ?? 0)
  }

  /** What the policy says about an item whose try just failed, for the `attempts`th time: at once, or after a wait. */
  decide(failed: Item, attempts: number): Verdict | Effect.Effect<Verdict, unknown> {
    const { policy } = failed.node
    if (policy.handler !== undefined) return unlessItFails(this.ask(policy.handler, failed, attempts))
    if (attempts > policy.retries || failed.isHopeless === true) return this.giveUp(failed, attempts)
    return policy.isRecoverable === undefined
      ? this.again(failed, attempts)
      : unlessItFails(this.againIfRecoverable(policy.isRecoverable, failed, attempts))
  }

  /** It ends this life. */
  endLife(failed: Item): void {
    this.last.endLife(failed.lane, failed)
  }

  /** The item that ended the last life, if one did; `answered` once it is dealt with. */
  get endedLast() {
    return this.last.answer
  }

  answered(): void {
    this.last.answered()
  }

  /** Puts an item aside that has ended too many lives. */
  quarantine(failed: Item, attempts: number, state: unknown): Effect.Effect<Verdict, unknown> {
    const { queue = "quarantine" } = failed.node.policy
    return this.keep(failed, { ...this.about(failed, attempts), why: "quarantine", queue, state }, "quarantined")
  }

  private giveUp(failed: Item, attempts: number): Verdict | Effect.Effect<Verdict, unknown> {
    switch (failed.node.policy.then) {
      case "fail":
        return { type: "fail", cause: failed.cause }
      case "skip":
        return this.skip(failed)
      case "dead-letter":
        return this.deadLetter(failed, attempts)
    }
  }

  private againIfRecoverable(predicate: StreamFunction, failed: Item, attempts: number): Effect.Effect<Verdict, unknown> {
    return Effect.flatMap(this.call(predicate, ":error-predicate", failed, [this.errorValue(failed)]), (answer) => {
      if (answer !== false && answer !== null && answer !== undefined) return this.again(failed, attempts)
      return asEffect(this.giveUp(failed, attempts))
    })
  }

  /** After its wait. The count is noted first: a crash during the next try must not begin it anew. */
  private again(failed: Item, attempts: number): Effect.Effect<Verdict, unknown> {
    const { node } = failed
    return Effect.gen({ self: this }, function* () {
      yield* this.note(failed, attempts)
      const delay = retryDelayMs(node.policy, attempts, yield* Random.next)
      this.waitsFor = `try ${attempts + 1} of item ${failed.item} in ${node.id}`
      yield* Effect.sleep(delay)
      this.waitsFor = undefined
      return { type: "retry" } as const
    })
  }

  private ask(handler: StreamFunction, failed: Item, attempts: number): Effect.Effect<Verdict, unknown> {
    const answering = this.call(handler, ":error-handler", failed, [this.errorValue(failed), failed.value])
    return Effect.flatMap(answering, (answer): Effect.Effect<Verdict, unknown> => {
      const mayGoOn = attempts <= failed.node.policy.retries
      const fail = Effect.succeed({ type: "fail", cause: failed.cause } as const)
      if (isReplacement(answer)) {
        // A value that fails in its turn comes back here: without a bound it could be replaced for ever.
        return mayGoOn ? Effect.succeed({ type: "replace", value: answer.replace }) : fail
      }
      switch (isKeyword(answer) ? answer.name : undefined) {
        case "retry":
          return mayGoOn ? this.again(failed, attempts) : fail
        case "skip":
          return asEffect(this.skip(failed))
        case "dead-letter":
          return this.deadLetter(failed, attempts)
        case "fail":
          return fail
        default:
          return Effect.succeed({ type: "fail", cause: RecoveryFailed.answer(failed.node.capability, answer, failed.cause) })
      }
    })
  }

  private deadLetter(failed: Item, attempts: number): Effect.Effect<Verdict, unknown> {
    const { onDeadLetter, queue = defaultQueue } = failed.node.policy
    if (this.services === undefined) return Effect.succeed({ type: "fail", cause: failed.cause })
    const kept = this.keep(failed, { ...this.about(failed, attempts), why: "policy", queue }, "deadLettered")
    if (onDeadLetter === undefined) return kept
    return Effect.flatMap(kept, (verdict) => Effect.as(calling(onDeadLetter, [failed.value, this.errorValue(failed)]), verdict))
  }

  private keep(failed: Item, item: DeadItem, as: "deadLettered" | "quarantined"): Effect.Effect<Verdict, unknown> {
    const kept = this.persistently(`the store of dead letters, for item ${item.item} of ${item.node}`, this.services?.keep(item))
    return Effect.as(
      Effect.andThen(
        kept,
        Effect.suspend(() => this.forget(failed) ?? Effect.void)
      ),
      { type: "leave-out", as }
    )
  }

  private skip(failed: Item): Verdict | Effect.Effect<Verdict, unknown> {
    const verdict = { type: "leave-out", as: "skipped" } as const
    const forgetting = this.forget(failed)
    return forgetting === undefined ? verdict : Effect.as(forgetting, verdict)
  }

  private about({ cause, item, node, place, value }: Item, attempts: number) {
    return { address: this.address, node: node.id, capability: node.capability, item, value, cause, attempts, place }
  }

  /** Notes a count, and forgets the one before it in its lane, which is of an item that is done with. */
  private note(failed: Item, failedTries: number): Effect.Effect<void, unknown> {
    const notes = this.services?.attempts
    if (notes === undefined) return Effect.void
    const before = this.noted.get(failed.lane)
    const isDone = before !== undefined && before.place !== failed.place
    const forgetting = isDone ? notes.note(before.node.id, before.place, 0) : Effect.void
    const noting = notes.note(failed.node.id, failed.place, failedTries)
    return Effect.map(
      this.persistently("the store of attempts", Effect.andThen(noting, forgetting)),
      () => void this.noted.set(failed.lane, failed)
    )
  }

  /** The item is done with. @returns nothing where nothing was noted of it */
  private forget({ lane, node, place }: Item): Effect.Effect<void, unknown> | undefined {
    const notes = this.services?.attempts
    if (notes === undefined || (this.noted.get(lane)?.place !== place && notes.noted(node.id, place) === 0)) return undefined
    return Effect.map(this.persistently("the store of attempts", notes.note(node.id, place, 0)), () => void this.noted.delete(lane))
  }

  /**
   * Until it is done. A store that can't be written holds the stream up, for going on would lose the item. What waiting can't
   * mend ends the life: another process has the stream, or the store is full for good.
   */
  private persistently(what: string, effect: Effect.Effect<void, unknown> = Effect.void): Effect.Effect<void, unknown> {
    const attempt = (failures: number): Effect.Effect<void, unknown> =>
      Effect.catch(effect, (error) => {
        if (!(error instanceof StoreFailure)) return Effect.fail(error)
        this.waitsFor = `${what}: ${error instanceof Error ? error.message : String(error)}`
        const wait = Effect.flatMap(Random.next, (random) => Effect.sleep(retryDelayMs(storeBackoff, failures, random)))
        return Effect.andThen(
          wait,
          Effect.suspend(() => attempt(failures + 1))
        )
      })
    return Effect.ensuring(
      attempt(1),
      Effect.sync(() => {
        this.waitsFor = undefined
      })
    )
  }

  private errorValue({ cause }: Item): unknown {
    return this.services?.errorValue(cause) ?? cause
  }

  private call(fn: StreamFunction, option: string, failed: Item, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown> {
    return Effect.catch(calling(fn, args), (error) =>
      Effect.fail(RecoveryFailed.thrown(failed.node.capability, option, error, failed.cause))
    )
  }
}

const asEffect = (verdict: Verdict | Effect.Effect<Verdict, unknown>): Effect.Effect<Verdict, unknown> =>
  Effect.isEffect(verdict) ? verdict : Effect.succeed(verdict)

const isReplacement = (answer: unknown): answer is { readonly replace: unknown } =>
  typeof answer === "object"
  && answer !== null
  && isPlainMap(answer)
  && Object.hasOwn(answer, "replace")
  && Object.keys(answer).length === 1

const storeBackoff: ItemPolicy = { retries: Infinity, backoffMs: 200, then: "fail" }

/** A function that was to decide and fails itself: the item fails, with that. */
const unlessItFails = (deciding: Effect.Effect<Verdict, unknown>): Effect.Effect<Verdict, unknown> =>
  Effect.catch(deciding, (error) => (error instanceof RecoveryFailed ? Effect.succeed({ type: "fail", cause: error }) : Effect.fail(error)))

/** Calls with a full budget and as many arguments as it takes, and waits for its promise. */
const calling = (fn: StreamFunction, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown> =>
  Effect.suspend(() => {
    const { meter } = describe(fn)
    if (meter !== undefined) {
      meter.fuel = meter.slice
      meter.slices = 0
    }
    try {
      const result = offer(fn, ...args)
      if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== "function") return Effect.succeed(result)
      return Effect.tryPromise({ try: () => result as PromiseLike<unknown>, catch: (error) => error })
    } catch (error) {
      return Effect.fail(error)
    }
  })
