import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type Actor, handleLifecycle, type SpillDirectory, type StageServices } from "../actors/index.ts"
import { type BuiltGraph, buildGraph, HandleMisuse, type HandleStatus, StreamHandle, type StreamValue } from "../capabilities/index.ts"
import { describe, makePlan, type OffloadPool, offer, type Plan, type StreamFunction } from "../scheduler/index.ts"
import { type ChildExit, type ChildSpec, type Directive, Supervisor } from "../supervisors/index.ts"
import { createActor } from "xstate"
import { type DeadLetter, DeadLetters } from "./DeadLetters.ts"
import { countItems } from "./countItems.ts"
import { StreamCancelled } from "./errors.ts"
import { isSettledWithin } from "./isSettledWithin.ts"
import { launchActors } from "./launchActors.ts"
import type { HostStores } from "./HostStores.ts"
import type { MemoryBudget } from "./MemoryBudget.ts"
import type { ItemCounts, StreamReport } from "./Report.ts"
import { asProgramError, rootCause, toErrorValue } from "./rootCause.ts"

/** What a pipeline needs of the host it runs in. */
export interface PipelineRuntime {
  /** The supervisor of all pipelines of the host. */
  readonly pipelines: Supervisor
  readonly services: StageServices
  /** What the mailboxes of all pipelines hold together. */
  readonly memory: MemoryBudget
  /** Made on first use. */
  readonly pool: () => OffloadPool
  readonly spill: Effect.Effect<SpillDirectory, unknown>
  /** The host's store, opened when it is first asked for and closed with the host. */
  readonly stateStore: HostStores["stateStore"]
  readonly storeNamed: HostStores["storeNamed"]
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

export interface PipelineOptions {
  readonly id: string
  readonly value: StreamValue
  /**
   * `at-once`: the first failure that is no crash ends the pipeline with its error. `supervised`: its actors restart as
   * their supervisor says, and an item that keeps killing its actor is put aside.
   */
  readonly failures: "at-once" | "supervised"
}

/**
 * One consumption of a stream: its graph, planned, running as a tree of actors, and the handle by which it is held.
 *
 * Making one checks everything that can be checked (options, bounds, the policy) and throws; `start` can then only fail
 * as a run can.
 */
export class Pipeline extends StreamHandle {
  readonly id: string
  readonly built: BuiltGraph
  readonly plan: Plan
  readonly result: Promise<unknown>
  readonly #runtime: PipelineRuntime
  readonly #failures: PipelineOptions["failures"]
  readonly value: StreamValue
  readonly #life = createActor(handleLifecycle).start()
  /** The pipeline that this handle's stream became a part of, once it got its consumer. */
  #leader: Pipeline | undefined
  #isStarted = false
  #releaseMemory = () => {}
  #actors: ReadonlyArray<Actor> = []
  readonly #deadLetters = new DeadLetters()
  #settle!: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  #ended: ItemCounts | undefined
  #error: unknown
  #isAwaited = false
  #terminated: Promise<void> | undefined

  constructor(runtime: PipelineRuntime, options: PipelineOptions) {
    super()
    this.id = options.id
    this.value = options.value
    this.#runtime = runtime
    this.#failures = options.failures
    this.built = buildGraph(options.value)
    this.plan = makePlan(options.id, this.built.graph, this.built.traitsOf, { mailboxBytes: runtime.memory.share })
    const result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    result.catch(() => {}) // its failure is reported by whoever owns the program; an unobserved one is no crash
    this.result = result
  }

  get status(): HandleStatus {
    if (this.#leader !== undefined) return this.#leader.status
    const { value } = this.#life.getSnapshot()
    return typeof value === "string" ? value : (Object.values(value)[0] as HandleStatus)
  }

  /** Whether somebody waits for the result, and so learns of a failure. */
  get isAwaited(): boolean {
    return this.#isAwaited
  }

  awaitResult(): Promise<unknown> {
    this.#isAwaited = true
    if (this.#leader !== undefined) return this.#leader.awaitResult()
    return this.result.catch((error: unknown) => {
      throw asProgramError(error)
    })
  }

  /**
   * Becomes a handle of the pipeline that consumes this stream. If this one was paused, that one begins paused.
   *
   * **Fails** by throwing `HandleMisuse` if it runs already: a running stream has its consumer.
   */
  joinTo(leader: Pipeline): void {
    if (this.isStarted || this.#leader !== undefined || this.isOver) {
      throw new HandleMisuse(
        `The handle ${this.id} is ${this.status}: it has its consumer. Use the stream value itself for a second run, or one consumer that does both.`
      )
    }
    if (this.status === "paused") leader.#life.send({ type: "pause" })
    this.#leader = leader
    leader.result.then(this.#settle.resolve, this.#settle.reject)
  }

  /** Whether it ran, or will: a handle that was only created holds nobody up. */
  get isStarted(): boolean {
    return this.#isStarted
  }

  /**
   * Starts the tree. Done once; a pipeline that was paused before begins paused.
   *
   * **Fails** by throwing `MemoryExhausted` where the host has no memory left for its mailboxes.
   */
  start(): void {
    if (this.#isStarted || this.isOver) return
    this.#releaseMemory = this.#runtime.memory.reserve(this.plan.mailboxBytes)
    this.#isStarted = true
    if (this.status !== "paused") this.#life.send({ type: "start" })
    this.#runtime.fork(Effect.catchCause(this.#launch, (cause) => Effect.promise(() => this.#conclude(Exit.failCause(cause)))))
  }

  async pause(): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.pause()
    if (this.isOver) return
    this.#life.send({ type: "pause" })
    if (this.status === "paused") for (const head of this.#heads) head.pause()
  }

  async resume(): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.resume()
    if (this.isOver) return
    this.#life.send({ type: this.status === "created" ? "start" : "resume" })
    if (this.isStarted) for (const head of this.#heads) head.resume()
    else this.start()
  }

  async drain({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.drain({ timeoutMs })
    if (this.isOver) return
    if (!this.isStarted) return this.#end("stopped", null)
    this.#life.send({ type: "drain" })
    for (const head of this.#heads) head.drain()
    if (!(await this.#runtime.promise(isSettledWithin(this.result, timeoutMs)))) await this.cancel()
  }

  async cancel(): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.cancel()
    if (!this.isOver) {
      this.#end("cancelled", new StreamCancelled(this.id, "stream"))
      if (this.isStarted) this.#terminated = this.#runtime.promise(Effect.ignore(this.#runtime.pipelines.terminateChild(this.id)))
    }
    // A second call waits for the first one's end, too.
    await this.#terminated
  }

  inspect(): StreamReport & { readonly deadLetters: ReadonlyArray<DeadLetter>; readonly actors: ReadonlyArray<unknown> } {
    if (this.#leader !== undefined) return this.#leader.inspect()
    return { ...this.report(), deadLetters: [...this.#deadLetters.kept], actors: this.#actors.map((actor) => actor.inspect()) }
  }

  /** What became of its items. Once it has ended the numbers are final. */
  report(): StreamReport {
    return {
      id: this.id,
      status: this.status,
      ...this.counts(),
      ...(this.#error === undefined ? {} : { error: this.#error instanceof Error ? this.#error.message : String(this.#error) })
    }
  }

  counts(): ItemCounts {
    return this.#ended ?? this.#countItems()
  }

  #countItems(): ItemCounts {
    return countItems(this.plan, this.#actors.map((actor) => actor.inspect()), this.#deadLetters.count)
  }

  /** Of the sink; where there are several, those of all by name. */
  #resultOf(actors: ReadonlyArray<Actor>): unknown {
    const { actors: planned, graph } = this.plan
    const at = (node: string) => actors[planned.findIndex(({ nodes }) => nodes.includes(node))]!.result() ?? null
    const { out } = graph.outputs
    return out === undefined ? Object.fromEntries(Object.entries(graph.outputs).map(([name, node]) => [name, at(node)])) : at(out)
  }

  get #heads(): ReadonlyArray<Actor> {
    return this.#actors.filter(({ kind }) => kind === "source")
  }

  get isOver(): boolean {
    return ["completed", "stopped", "cancelled", "failed"].includes(this.status)
  }

  get #launch(): Effect.Effect<void, unknown> {
    const { pipelines, pool, services, spill } = this.#runtime
    return Effect.gen({ self: this }, function*() {
      this.#actors = yield* launchActors(this.built, this.plan, {
        services,
        pool: pool(),
        spill,
        failures: this.#failures === "at-once" ? "end" : "restart",
        onQuarantine: (item) => this.#deadLetters.add(item)
      })
      if (this.isOver) return
      if (this.status === "paused") for (const head of this.#heads) head.pause()
      // What keeps it from starting is what its life ends with, and is dealt with there.
      yield* Effect.ignore(pipelines.addChild(this.#child))
    })
  }

  /** The pipeline's own supervisor, as a child of that of all pipelines. */
  get #child(): ChildSpec {
    const spec = Supervisor.asChild(
      {
        address: `/pipelines/${this.id}`,
        autoShutdown: "all-significant",
        // Sinks first: what is stopped in reverse order closes its sources before anything downstream.
        children: [...this.#actors].reverse().map((actor) => ({
          id: actor.address.slice(actor.address.lastIndexOf("/") + 1),
          restart: "transient",
          significant: true,
          run: ({ onShutdown, ready }) => Effect.andThen(onShutdown(() => Effect.sync(() => actor.stop())), actor.run(ready))
        })),
        onExit: (exit) => this.#decide(exit)
      },
      { id: this.id, restart: "temporary" }
    )
    return {
      ...spec,
      run: (incarnation) => Effect.onExit(spec.run(incarnation), (exit) => Effect.promise(() => this.#conclude(exit)))
    }
  }

  /** A crash may be bad luck; an error that was foreseen (a missing file, a failing function) comes again. */
  #decide({ exit, otherwise }: ChildExit): Directive {
    const foreseen = exit._tag === "Failure" && !Cause.hasDies(exit.cause)
    return this.#failures === "at-once" && foreseen ? { type: "escalate" } : otherwise
  }

  async #conclude(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    this.#ended = this.#countItems()
    if (this.isOver) return
    if (Exit.isFailure(exit)) return this.#fail(rootCause(exit.cause))
    const value = this.#resultOf(this.#actors)
    try {
      for (const observer of this.#observers("on-complete")) await this.#unlessCancelled(call(observer, value))
    } catch (error) {
      return this.#fail(error)
    }
    this.#end(this.status === "draining" ? "stopped" : "completed", value)
  }

  async #fail(error: unknown): Promise<void> {
    this.#error = error
    for (const observer of this.#observers("on-error")) {
      // The stream has failed already, and its first error is the one to tell.
      await this.#unlessCancelled(call(observer, toErrorValue(error))).catch(() => {})
    }
    this.#end("failed", error)
  }

  /** What a host's observer gives, which may be nothing for ever: a cancelled stream does not wait for it. */
  #unlessCancelled(called: Promise<unknown>): Promise<unknown> {
    return Promise.race([called, this.result])
  }

  #end(type: "completed" | "stopped" | "cancelled" | "failed", outcome: unknown): void {
    if (this.isOver) return
    this.#life.send({ type })
    this.#releaseMemory()
    if (type === "completed" || type === "stopped") this.#settle.resolve(outcome ?? null)
    else this.#settle.reject(outcome)
  }

  #observers(name: "on-complete" | "on-error"): ReadonlyArray<StreamFunction> {
    return this.plan.graph.nodes.flatMap(({ options }) => (options[name] === undefined ? [] : [options[name] as StreamFunction]))
  }
}

/** Calls an observer with as many arguments as it takes, its meter filled. */
const call = async (observer: StreamFunction, value: unknown): Promise<unknown> => {
  const { meter } = describe(observer)
  if (meter !== undefined) {
    meter.fuel = meter.slice
    meter.slices = 0
  }
  return offer(observer, value)
}
