import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Actor, ActorDefinition, ActorSnapshot } from "./Actor.ts"
import { ActorMetrics, type StageTally } from "./ActorMetrics.ts"
import { actorSnapshot } from "./actorSnapshot.ts"
import { ActorFailure, MailboxClosed } from "./errors.ts"
import { type Held, type Leftover, leftFrame, takeLeftovers } from "./Leftovers.ts"
import { type Applied, type Failed, type FailedIn, ItemRecovery, type Verdict } from "./ItemRecovery.ts"
import { Lifecycle, Mode } from "./Lifecycle.ts"
import type { ActorNode } from "./ActorNode.ts"
import { failItems, type ItemPolicy } from "../scheduler/index.ts"
import { type Orders, OwnLane } from "./OwnLane.ts"
import { type Output, OutputPort } from "./OutputPort.ts"
import type { Wait } from "./Waiting.ts"
import { RoutedOutput } from "./RoutedOutput.ts"
import { StoredPosition } from "./StoredPosition.ts"

/**
 * What all actors have in common: lives that follow each other, orders, failures, callbacks that observe, counts.
 * The three shells add what one life does.
 */
export abstract class Shell<Item extends FailedIn = FailedIn> implements Actor {
  readonly address: string
  readonly kind: Actor["kind"]
  readonly lifecycle = new Lifecycle()
  protected readonly definition: ActorDefinition
  protected readonly metrics: ActorMetrics
  protected readonly output: Output
  protected readonly orders: Orders
  protected readonly nodes: ReadonlyArray<ActorNode>
  protected readonly recovery: ItemRecovery<Item>
  protected clock!: Clock.Clock
  /** Of what a source or a sink is to be told. */
  protected readonly storedPosition = new StoredPosition()
  /** What the source or sink itself says that it waits for. */
  private waitsFor: string | undefined
  private life: Fiber.Fiber<void, ActorFailure> | undefined
  private hasStarted = false
  private finalFailure: ActorFailure | undefined
  /** The node that the last failure was of. */
  private failing: ActorNode | undefined
  private readonly told = new Set<ActorNode>()

  constructor(definition: ActorDefinition, nodes: ReadonlyArray<ActorNode>) {
    this.definition = definition
    this.address = definition.address
    this.kind = "source" in definition.input ? "source" : definition.outputs.length > 0 ? "processor" : "sink"
    this.nodes = nodes
    this.metrics = new ActorMetrics(nodes.length)
    const { address, frames = defaultLimits, outputs, routes } = definition
    this.output = routes === undefined ? new OutputPort(address, outputs, frames) : new RoutedOutput(address, outputs, frames, routes)
    this.recovery = new ItemRecovery(address, definition.items)
    this.orders = "mailbox" in definition.input ? definition.input.mailbox : new OwnLane()
  }

  /** Opens what one life needs, says `isOpen`, and works until the end of the input. */
  protected abstract live(isOpen: Effect.Effect<void>): Effect.Effect<void, ActorFailure>
  /** What entered each node, and at the end of the list what left the last one. */
  protected abstract entered(): ReadonlyArray<number>
  protected counters(_node: number): Readonly<Record<string, number>> {
    return {}
  }
  /** Makes frames of all output there is. */
  protected frameRest(): void {}
  /** See `ActorSnapshot`. */
  protected underWay(): number {
    return 0
  }
  /** What is neither in the mailbox nor in its output. */
  protected held(): ReadonlyArray<Held> {
    return []
  }
  /** An order has come in. */
  protected hear(): void {}
  /** Nothing will be worked off any more. */
  protected abandon(): void {}
  abstract result(): unknown
  abstract snapshot(): unknown
  abstract restore(snapshot: unknown): void

  readonly run = (ready: Effect.Effect<void>): Effect.Effect<void, ActorFailure> =>
    Effect.suspend(() => {
      if (this.finalFailure) return Effect.fail(this.finalFailure)
      if (this.lifecycle.mode === Mode.stopped) return ready
      if (this.lifecycle.mode === Mode.failed) this.lifecycle.send("restart")
      if (this.lifecycle.mode === Mode.restarting) {
        this.lifecycle.send("backoffElapsed")
        this.metrics.restarts++
      }
      // A fiber of its own, so that `stop` can end it without ending its supervisor's.
      return Effect.onExit(
        Effect.flatMap(Effect.forkChild(this.begin(ready), { startImmediately: true }), (life) => {
          this.life = life
          return Effect.flatMap(Fiber.await(life), (exit) => (this.lifecycle.mode === Mode.stopped ? Effect.void : exit))
        }),
        (exit) => this.endLife(exit)
      )
    })

  pause(): void {
    this.order("pause")
  }

  resume(): void {
    this.order("resume")
  }

  drain(): void {
    this.order("drain")
  }

  stop(): void {
    this.lifecycle.send("stop")
    this.life?.interruptUnsafe()
    this.abandon()
  }

  readonly giveUp = (error: unknown): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.abandon()
      return Effect.ignore(this.tellError(this.nodes, error))
    })

  giveBack(give: (left: Leftover) => void): void {
    const { input } = this.definition
    if ("mailbox" in input) input.mailbox.giveBack((frame) => leftFrame(0, frame).forEach(give))
  }

  leftovers(options: { readonly values: boolean }, take: (left: Leftover) => void): Effect.Effect<void> {
    const made = this.output.untaken.flatMap((frame) => leftFrame(this.nodes.length, frame))
    return Effect.suspend(() => takeLeftovers(this.definition, [...made, ...this.held()], options, take))
  }

  startBarrier(barrier: string | number, isLast = false): void {
    this.orders.sendControl({ type: isLast ? "last-barrier" : "barrier", subject: barrier })
    this.hear()
  }

  /** Whether a source or a sink of this actor wants to be told of stored checkpoints, as far as that is known. */
  protected hearsOfStored(): boolean {
    return false
  }

  stored(barrier: string | number): void {
    if (!this.hearsOfStored() || !this.storedPosition.stored(barrier)) return
    this.orders.sendControl({ type: "stored" })
    this.hear()
  }

  get settled(): Effect.Effect<void> {
    return this.storedPosition.settled
  }

  /** What a source or a sink is opened with, beside its position. */
  protected get surroundings() {
    const { address, checkpointing, services } = this.definition
    const { ask: askForCheckpoint, durable } = checkpointing ?? {}
    const waitsFor = (what: string | undefined) => void (this.waitsFor = what)
    return { address, services, waitsFor, ...(durable && { durable }), ...(askForCheckpoint && { askForCheckpoint }) }
  }

  inspect(): ActorSnapshot {
    const { input } = this.definition
    const waitsFor = this.recovery.waitsFor ?? this.waitsFor
    return actorSnapshot(
      { address: this.address, kind: this.kind, lifecycle: this.lifecycle, metrics: this.metrics, nodes: this.nodes, output: this.output },
      { entered: this.entered(), underWay: this.underWay(), counters: (node) => this.counters(node) },
      { mailbox: "mailbox" in input ? input.mailbox.stats() : undefined, ...(waitsFor === undefined ? {} : { waitsFor }) }
    )
  }

  /** Waits, and counts the time as what it is. */
  protected waitFor<E>(activity: "blocked" | "idle" | "busy", wait: Effect.Effect<void, E>): Effect.Effect<void, E> {
    this.metrics.turnsTo(activity)
    return Effect.map(wait, () => this.metrics.turnsTo("busy"))
  }

  /** Waits until a receiver has room. */
  protected get awaitRoom(): Effect.Effect<void, ActorFailure> {
    return this.waitFor("blocked", this.room)
  }

  protected get room(): Effect.Effect<void, ActorFailure> {
    return Effect.mapError(this.output.room, (cause) =>
      this.failure({ node: this.nodes[this.nodes.length - 1]!, reason: "output", cause, isFinal: cause instanceof MailboxClosed })
    )
  }

  /** Hands over everything that waits. */
  protected readonly awaitOutput: Effect.Effect<void, ActorFailure> = Effect.suspend(() =>
    this.output.flush() && !this.output.isWaiting ? Effect.void : Effect.flatMap(this.awaitRoom, () => this.awaitOutput)
  )

  protected failure(fields: {
    readonly node: ActorNode
    readonly reason: ActorFailure["reason"]
    readonly cause: unknown
    readonly item?: number
    readonly attempts?: number
    readonly isFinal?: boolean
  }): ActorFailure {
    this.failing = fields.node
    const isFinal = fields.isFinal === true || this.definition.failures === "end"
    return new ActorFailure({ ...fields, address: this.address, capability: fields.node.capability, kind: fields.node.kind, isFinal })
  }

  /**
   * Asks the policy about an item that just failed, and does what it says: at once, or after a wait.
   *
   * @param apply leaves the item out, puts another in its place or tries it again
   * @returns the wait, or the end of this life
   */
  protected dealWith(failed: Item, apply: (verdict: Applied, failed: Item) => void): Wait | undefined {
    const attempts = this.recovery.tried(failed)
    const node = this.nodes[failed.at]!
    this.tallyOf(node).failed++
    const act = (verdict: Verdict): Wait | undefined => {
      const tally = this.tallyOf(node)
      switch (verdict.type) {
        case "fail": {
          this.recovery.endLife(failed)
          const { cause } = verdict
          return Effect.fail(this.failure({ node, reason: "item", item: failed.item, attempts, cause }))
        }
        case "leave-out":
          tally[verdict.as]++
          break
        case "retry":
          tally.retried++
      }
      apply(verdict, failed)
      return undefined
    }
    const decision = this.recovery.decide(failed, attempts)
    if (!Effect.isEffect(decision)) return act(decision)
    return this.guarded(node, decision, act)
  }

  /** For a new life: deals with the item that ended the last one. @returns what to wait for */
  protected dealWithLast(apply: (verdict: Applied, failed: Item) => void): Wait | undefined {
    const last = this.recovery.endedLast
    if (last === undefined) return undefined
    const { attempts, failed, isGivenUp } = last
    const node = this.nodes[failed.at]!
    if (!isGivenUp) {
      this.recovery.answered()
      this.tallyOf(node).retried++
      apply({ type: "retry" }, failed)
      return undefined
    }
    return this.putAside(failed, attempts, (verdict) => {
      this.recovery.answered()
      apply(verdict, failed)
    })
  }

  /** Gives an item up that has ended too many lives. */
  protected putAside(failed: Item, attempts: number, apply: (verdict: Applied) => void): Wait {
    const node = this.nodes[failed.at]!
    return this.guarded(node, this.recovery.quarantine(failed, attempts, this.stateOf(failed)), (verdict) => {
      this.tallyOf(node).quarantined++
      apply(verdict as Applied)
      return undefined
    })
  }

  /** The state of the stage that failed, for the record. */
  protected stateOf(_failed: Item): unknown {
    return undefined
  }

  /** What a policy is asked about: the node, by its place in this actor. */
  protected failedNode(at: number): Failed["node"] {
    const { nodeIds, policies, sink, sourcePolicy, stages } = this.definition
    const sources = this.nodes.length - stages.length - (sink === undefined ? 0 : 1)
    const policy: ItemPolicy = (at < sources ? sourcePolicy : policies[at - sources]) ?? failItems
    const { capability } = this.nodes[at]!
    return { id: nodeIds?.[at] ?? capability, capability, policy }
  }

  private guarded(node: ActorNode, decision: Effect.Effect<Verdict, unknown>, act: (verdict: Verdict) => Wait | undefined): Wait {
    const failed = (cause: unknown) => this.failure({ node, reason: "node", cause })
    // What it says is done in the very step in which it is there, so that no interruption comes between.
    return Effect.suspend(() =>
      this.waitFor(
        "idle",
        Effect.flatMap(Effect.mapError(decision, failed), (verdict) => act(verdict) ?? Effect.void)
      )
    )
  }

  protected tallyOf(node: ActorNode): StageTally {
    return this.metrics.stages[this.nodes.indexOf(node)]!
  }

  protected now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** Calls a callback that observes, and waits for it where it is asynchronous. What it throws is a failure of the node. */
  protected observe(node: ActorNode, callback: (() => unknown) | undefined): Effect.Effect<void, ActorFailure> | undefined {
    if (callback === undefined) return undefined
    const failed = (cause: unknown) => this.failure({ node, reason: "node", cause })
    try {
      const result = callback()
      if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return undefined
      return Effect.asVoid(Effect.tryPromise({ try: () => result as PromiseLike<unknown>, catch: failed }))
    } catch (cause) {
      return Effect.fail(failed(cause))
    }
  }

  /** Tells a node's observers that all of it is done; they hear it once. */
  protected complete(node: ActorNode): Effect.Effect<void, ActorFailure> | undefined {
    if (this.told.has(node)) return undefined
    this.told.add(node)
    return this.observe(node, node.observe?.onComplete)
  }

  private order(type: "pause" | "resume" | "drain"): void {
    // Orders to an actor that has ended come too late to mean anything.
    if (this.lifecycle.mode === Mode.stopped) return
    this.lifecycle.send(type)
    this.orders.sendControl({ type })
    this.hear()
  }

  private begin(ready: Effect.Effect<void>): Effect.Effect<void, ActorFailure> {
    return Effect.catch(
      Clock.clockWith((clock) => {
        this.clock = clock
        this.metrics.turnsTo("busy")
        const isOpen = Effect.suspend(() => {
          this.lifecycle.send("started")
          return ready
        })
        if (this.hasStarted) return this.live(isOpen)
        this.hasStarted = true
        let starting: Effect.Effect<void, ActorFailure> | undefined
        for (const node of this.nodes) {
          const started = this.observe(node, node.observe?.onStart)
          if (started) starting = starting ? Effect.andThen(starting, started) : started
        }
        return starting ? Effect.andThen(starting, this.live(isOpen)) : this.live(isOpen)
      }),
      (failure) => this.fail(failure)
    )
  }

  /** A failure for good goes to the actors behind this one, after everything that was emitted before it. */
  private fail(failure: ActorFailure): Effect.Effect<never, ActorFailure> {
    if (!failure.isFinal) return Effect.fail(failure)
    return Effect.suspend(() => {
      this.finalFailure = failure
      this.abandon()
      // The nodes before the failing one have not failed: they end because of it.
      const reported = failure.reason === "upstream" ? this.nodes : this.nodes.slice(Math.max(0, this.nodes.indexOf(this.failing!)))
      const told = Effect.ignore(this.tellError(reported, failure.cause))
      if (failure.reason === "output") return Effect.andThen(told, Effect.fail(failure))
      this.frameRest()
      this.signalError(failure.cause)
      return Effect.andThen(Effect.andThen(told, Effect.ignore(this.awaitOutput)), Effect.fail(failure))
    })
  }

  private signalError(cause: unknown): void {
    try {
      this.output.signal("error", this.now(), cause)
    } catch {
      // What a function threw may be anything, also something that can't travel.
      this.output.signal("error", this.now(), new Error(String(cause)))
    }
  }

  private tellError(nodes: ReadonlyArray<ActorNode>, error: unknown): Effect.Effect<void, ActorFailure> {
    const untold = nodes.filter((node) => !this.told.has(node) && node.observe?.onError)
    return Effect.forEach(
      untold,
      (node) => {
        this.told.add(node)
        return this.observe(node, () => node.observe!.onError!(error)) ?? Effect.void
      },
      { discard: true }
    )
  }

  private endLife(exit: Exit.Exit<void, ActorFailure>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.metrics.turnsTo(undefined)
      this.life = undefined
      if (this.lifecycle.mode === Mode.stopped) return
      this.lifecycle.send(Exit.isSuccess(exit) ? "completed" : "crashed")
    })
  }
}

const defaultLimits = { items: 512, bytes: 64 * 1024 }
