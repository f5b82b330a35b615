import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Actor, ActorDefinition, ActorOrder, ActorSnapshot, StageSnapshot } from "./Actor.ts"
import { ActorMetrics, type StageTally } from "./ActorMetrics.ts"
import { ControlLane } from "./ControlLane.ts"
import { ActorFailure, MailboxClosed } from "./errors.ts"
import type { FailedItem } from "./LastFailure.ts"
import { type Held, type Leftover, leftFrame, takeLeftovers } from "./Leftovers.ts"
import { Lifecycle, Mode } from "./Lifecycle.ts"
import type { Mailbox } from "./Mailbox.ts"
import type { NodeObservers, NodeSpec } from "./NodeSpec.ts"
import { type Output, OutputPort } from "./OutputPort.ts"
import { Parking } from "./Parking.ts"
import { RoutedOutput } from "./RoutedOutput.ts"

/** Where the orders to an actor come in: its mailbox, or a lane of its own where it has none. */
export type Orders = Pick<Mailbox<ActorOrder>, "sendControl" | "takeControl" | "controlLength" | "awaitControl">

/** A node of the actor as the shell sees it. */
export interface ActorNode {
  readonly kind: NodeSpec["kind"]
  readonly capability: string
  readonly observe?: NodeObservers
}

/**
 * What all actors have in common: lives that follow each other, orders, failures, callbacks that observe, counts.
 * The three shells add what one life does.
 */
export abstract class Shell implements Actor {
  readonly address: string
  readonly kind: Actor["kind"]
  readonly lifecycle = new Lifecycle()
  protected readonly definition: ActorDefinition
  protected readonly metrics: ActorMetrics
  protected readonly output: Output
  protected readonly orders: Orders
  protected readonly nodes: ReadonlyArray<ActorNode>
  protected clock!: Clock.Clock
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

  startBarrier(barrier: string | number): void {
    this.orders.sendControl({ type: "barrier", subject: barrier })
    this.hear()
  }

  inspect(): ActorSnapshot {
    const entered = this.entered()
    const { input } = this.definition
    return {
      address: this.address,
      kind: this.kind,
      mode: this.lifecycle.modeName,
      framesIn: this.metrics.framesIn,
      itemsIn: this.metrics.itemsIn,
      bytesIn: this.metrics.bytesIn,
      framesOut: this.output.frames,
      itemsOut: this.output.items,
      bytesOut: this.output.bytes,
      outputs: this.output.itemsByOutput(),
      restarts: this.metrics.restarts,
      timeShares: this.metrics.timeShares,
      underWay: this.underWay(),
      stages: this.nodes.map(({ capability }, node): StageSnapshot => ({
        capability,
        itemsIn: entered[node]!,
        itemsOut: entered[node + 1]!,
        ...this.metrics.stages[node]!,
        counters: this.counters(node)
      })),
      mailbox: "mailbox" in input ? input.mailbox.stats() : undefined
    }
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

  /** Gives an item up that has ended too many lives. */
  protected putAside(node: ActorNode, { cause: error, item, value }: FailedItem, attempts: number): void {
    this.tallyOf(node).quarantined++
    this.definition.onQuarantine?.({ address: this.address, capability: node.capability, item, value, error, attempts })
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

/** The orders of an actor without a mailbox. Most such actors never get one, so the lane is made for the first. */
class OwnLane implements Orders {
  private lane: ControlLane<ActorOrder> | undefined
  private parking: Parking | undefined

  sendControl(order: ActorOrder): boolean {
    const isTaken = (this.lane ??= new ControlLane()).send(order)
    this.parking?.wake()
    return isTaken
  }

  takeControl(): ActorOrder | undefined {
    return this.lane?.take()
  }

  get controlLength(): number {
    return this.lane?.length ?? 0
  }

  get awaitControl(): Effect.Effect<void> {
    return (this.parking ??= new Parking(() => this.controlLength > 0)).wait
  }
}
