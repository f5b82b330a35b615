import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type Actor, ActorFailure, type ActorOrder, type Mailbox } from "../actors/index.ts"
import { BoundExceeded } from "../capabilities/index.ts"
import type { Plan, PlannedActor, PlannedEdge } from "../scheduler/index.ts"
import { signalFrame } from "../serialization/index.ts"
import type { PartReport, StreamReport } from "./Report.ts"
import { rootCause } from "./rootCause.ts"

export interface PartsOptions {
  readonly plan: Plan
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => unknown
}

/**
 * The parts of a stream that end before the rest of it: branches and inputs that may fail alone, and what is above a
 * merge that needs no more.
 *
 * What is only there for such a part is stopped with it. Who sends to it goes on without it; who takes from it is told.
 */
export class Parts {
  readonly #plan: Plan
  readonly #fork: PartsOptions["fork"]
  readonly #mailboxes = new Map<string, Mailbox<ActorOrder>>()
  readonly #started = Deferred.makeUnsafe<void>()
  #actors: ReadonlyArray<Actor> = []
  /** By name, with the first error of each. */
  readonly #failed = new Map<string, unknown>()
  /** By part, how many items lay in a mailbox that was closed. */
  readonly #left = new Map<string, number>()

  constructor({ fork, plan }: PartsOptions) {
    this.#plan = plan
    this.#fork = fork
  }

  /** Completes when all actors have started. */
  get allStarted(): Effect.Effect<void> {
    return Deferred.await(this.#started)
  }

  started(): void {
    Deferred.doneUnsafe(this.#started, Effect.void)
  }

  /** The mailbox in front of an actor that is being made. */
  addMailbox(address: string, mailbox: Mailbox<ActorOrder>): void {
    this.#mailboxes.set(address, mailbox)
  }

  begin(actors: ReadonlyArray<Actor>): void {
    this.#actors = actors
  }

  /** The part that an actor belongs to, if that may fail alone. */
  partOf(actor: string): string | undefined {
    return this.#planned(actor)?.part
  }

  hasFailed(actor: string): boolean {
    const part = this.partOf(actor)
    return part !== undefined && this.#failed.has(part)
  }

  /**
   * After the end: notes what the branches that have failed still hold.
   *
   * @returns the other actors. What these hold was worked off nowhere; what a branch holds was, by other branches
   */
  takeRest(): Effect.Effect<ReadonlyArray<Actor>> {
    const [others, failed] = partition(this.#actors, ({ address }) => this.#isFailedBranch(address))
    const note = (actor: Actor) => actor.leftovers({ values: false }, ({ count }) => this.#note(actor.address, count))
    return Effect.as(Effect.forEach(failed, note, { discard: true }), others)
  }

  /** An actor of a part has failed for good. */
  fail(actor: string, cause: Cause.Cause<unknown>): void {
    const part = this.partOf(actor)!
    const error = rootCause(cause)
    if (!this.#failed.has(part)) this.#failed.set(part, error)
    const above = this.#above(actor, ({ part: other }) => other === part)
    this.#stop(new Set([...above, actor]), "it has failed")
    // One that fails for a foreseen reason tells those behind it so itself, after what it emitted before.
    const failure = Cause.squash(cause)
    if (failure instanceof ActorFailure && failure.isFinal && failure.reason !== "output") return
    for (const { edge, from, to } of this.#plan.edges) {
      const mailbox = this.#mailboxes.get(to)
      if (from !== actor || mailbox === undefined) continue
      const value = error instanceof Error ? error : new Error(String(error))
      const frame = signalFrame({ kind: "error", stream: actor, sequence: 0, time: 0, value })
      this.#fork(Effect.ignore(mailbox.offer(edge, frame)))
    }
  }

  /** A branch whose mailbox is full is given up with all that it has not worked off. */
  full({ bounds, to }: PlannedEdge): void {
    const part = this.partOf(to)
    if (part === undefined) return
    const what = `gave up ${part}, which has fallen behind by its whole buffer (${bounds.maxItems} items, ${bounds.maxBytes} bytes)`
    if (!this.#failed.has(part)) {
      this.#failed.set(part, new BoundExceeded("stream.branch", what, "Raise its :buffer-size, or give it another :overflow than :detach."))
    }
    this.#stop(new Set(this.#plan.actors.filter((actor) => actor.part === part).map(({ address }) => address)), "it was given up")
  }

  /** An actor that chooses among its inputs takes no more of them. */
  enough(actor: string): void {
    const above = this.#above(actor, () => true)
    this.#stop(above, "nobody needs more of it")
    if (this.#hasSenderBeside(actor, above)) this.#close(actor, "it has ended with its first input")
  }

  /** What the report of the stream says of them. */
  report(): Pick<StreamReport, "failedParts"> {
    if (this.#failed.size === 0) return {}
    const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
    const failedParts = [...this.#failed].map(([part, error]): PartReport => ({
      part,
      error: messageOf(error),
      missed: this.#missed(part)
    }))
    return { failedParts }
  }

  /** Items that the others got and this one did not, or that it did not get to. */
  #missed(part: string): number {
    return this.#plan.edges.reduce(
      (total, edge) => {
        if (this.partOf(edge.to) !== part || this.partOf(edge.from) === part) return total
        const sender = this.#actors.find(({ address }) => address === edge.from)?.inspect()
        const place = this.#plan.edges.filter(({ from }) => from === edge.from).indexOf(edge)
        return total + (sender === undefined ? 0 : sender.itemsOut - sender.outputs[place]!)
      },
      this.#left.get(part) ?? 0
    )
  }

  #stop(addresses: ReadonlySet<string>, reason: string): void {
    for (const actor of this.#actors) {
      if (!addresses.has(actor.address)) continue
      actor.stop()
      if (this.#hasSenderBeside(actor.address, addresses)) this.#close(actor.address, reason)
    }
  }

  #hasSenderBeside(actor: string, addresses: ReadonlySet<string>): boolean {
    return this.#plan.edges.some(({ from, to }) => to === actor && !addresses.has(from))
  }

  /** Its senders go on without it. */
  #close(actor: string, reason: string): void {
    const left = this.#mailboxes.get(actor)?.close(reason, "waiting") ?? []
    this.#note(
      actor,
      left.reduce((total, { frame }) => total + frame.count, 0)
    )
  }

  #note(actor: string, items: number): void {
    const part = this.partOf(actor)
    if (part !== undefined) this.#left.set(part, items + (this.#left.get(part) ?? 0))
  }

  #isFailedBranch(actor: string): boolean {
    const part = this.partOf(actor)
    return this.hasFailed(actor) && !this.#plan.edges.some(({ from, to }) => this.partOf(from) === part && this.partOf(to) !== part)
  }

  /** The actors whose items all go to this one, at once or by others. */
  #above(actor: string, isOf: (planned: PlannedActor) => boolean): ReadonlySet<string> {
    const above = new Set<string>()
    const leadsHere = (address: string) => this.#plan.edges.every(({ from, to }) => from !== address || to === actor || above.has(to))
    // Against the order of the data, so that what is behind an actor has been decided about before it.
    for (const planned of [...this.#plan.actors].reverse()) {
      const { address } = planned
      const hasConsumer = this.#plan.edges.some(({ from }) => from === address)
      if (address !== actor && hasConsumer && isOf(planned) && leadsHere(address)) above.add(address)
    }
    return above
  }

  #planned(actor: string): PlannedActor | undefined {
    return this.#plan.actors.find(({ address }) => address === actor)
  }
}

const partition = <Value>(
  values: ReadonlyArray<Value>,
  isSecond: (value: Value) => boolean
): [ReadonlyArray<Value>, ReadonlyArray<Value>] => [values.filter((value) => !isSecond(value)), values.filter(isSecond)]
