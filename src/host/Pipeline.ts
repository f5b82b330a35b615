import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type Actor, handleLifecycle, type SpillDirectory, type StageServices } from "../actors/index.ts"
import {
  buildGraph,
  type BuiltGraph,
  HandleMisuse,
  type HandleStatus,
  type MemoryOptions,
  shutdownOf,
  type ShutdownPolicy,
  StreamHandle,
  type StreamValue,
  tooLittleMemory
} from "../capabilities/index.ts"
import { makePlan, type OffloadPool, type Plan, type StreamFunction } from "../scheduler/index.ts"
import type { ChildExit, ChildSpec, Directive, Supervisor } from "../supervisors/index.ts"
import { createActor } from "xstate"
import { Checkpointing, checkpointSettings, type CheckpointSettings } from "./Checkpointing.ts"
import { type DeadLetter, DeadLetters } from "./DeadLetters.ts"
import { countItems } from "./countItems.ts"
import { Parts } from "./Parts.ts"
import { refuseUnbounded, StreamCancelled } from "./errors.ts"
import { unboundedIn } from "./explainPipeline.ts"
import { launchActors } from "./launchActors.ts"
import type { HostStores } from "./HostStores.ts"
import type { MemoryBudget } from "./MemoryBudget.ts"
import { observe } from "./observe.ts"
import { type ItemCounts, noItems, type StreamReport } from "./Report.ts"
import { StreamMetrics } from "./StreamMetrics.ts"
import { killGraceMs, streamTree } from "./streamTree.ts"
import { asProgramError, rootCause, toErrorValue } from "./rootCause.ts"
import type { UndrainedFile } from "./UndrainedFile.ts"
import { UndrainedItems } from "./UndrainedItems.ts"

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
  /** A directory of a stream's own, with a quota of its own. */
  readonly spillFor: (options: Pick<MemoryOptions, "tempDir" | "maxDisk">) => Effect.Effect<SpillDirectory, unknown, Scope.Scope>
  /** The host's store, opened when it is first asked for and closed with the host. */
  readonly stateStore: HostStores["stateStore"]
  readonly storeNamed: HostStores["storeNamed"]
  /** Where the host notes what no program is told. */
  readonly log: (line: string) => unknown
  /** Where streams without checkpoints leave what they could not work off; only with a data directory. */
  readonly undrained?: UndrainedFile | undefined
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
}

export interface PipelineOptions {
  readonly id: string
  /** Which of its program's streams it is, from 1 on. */
  readonly ordinal: number
  /** Goes on with this checkpoint instead of the last one. */
  readonly checkpointId?: number | undefined
  /** If its checkpoint says that it has ended, it begins anew instead of giving its result again. */
  readonly anew?: boolean
  /** Called once the state of a checkpoint is back. */
  readonly onResumed?: StreamFunction | undefined
  readonly value: StreamValue
  /**
   * `at-once`: the first failure that is no crash ends the pipeline with its error. `supervised`: its actors restart as
   * their supervisor says, and an item that keeps killing its actor is put aside.
   */
  readonly failures: "at-once" | "supervised"
    if (runtime.bounded) refuseUnbounded(unboundedIn(options.id, this.built))
}

/** What actors of a cancelled stream have together for closing what they have opened. */
const closingMs = 5000

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
  readonly #parts: Parts
  readonly #deadLetters = new DeadLetters()
  #settle!: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  #ended: ItemCounts | undefined
  #error: unknown
  #isAwaited = false
  #terminated: Promise<void> | undefined
  readonly #shutdown: ShutdownPolicy | undefined
  readonly #undrained: UndrainedItems
  #isStopping = false
  /** It is to stop at once, and that is no failure. */
  #isHalted = false
  #isDown = false
  #isToldOfShutdown = false
  #onCancel!: () => void
  readonly #cancelled = new Promise<void>((resolve) => (this.#onCancel = resolve))
  readonly #settings: CheckpointSettings | undefined
  readonly #checkpointId: number | undefined
  readonly #onResumed: StreamFunction | undefined
  readonly #anew: boolean
  #checkpointing: Checkpointing | undefined
  #metrics: StreamMetrics | undefined
  /** What the run holds beside its actors, such as its part of a store. */
  readonly #scope = Scope.makeUnsafe()
  /** Nothing is read before the first checkpoint is durable: without one there is nothing to go back to. */
  #awaitsFirstCheckpoint = false
  /** Its actors are ended behind the last checkpoint: that is neither a failure nor the stream's end. */
  #isBeingSaved = false

  constructor(runtime: PipelineRuntime, options: PipelineOptions) {
    super()
    this.id = options.id
    this.value = options.value
    this.#runtime = runtime
    this.#failures = options.failures
    this.built = buildGraph(options.value)
    this.#settings = checkpointSettings(this.built, options.ordinal)
    this.#checkpointId = options.checkpointId
    this.#onResumed = options.onResumed
    this.#anew = options.anew ?? false
    this.#shutdown = shutdownOf(this.built.graph)
    this.plan = makePlan(options.id, this.built.graph, this.built.traitsOf, { mailboxBytes: runtime.memory.share })
    this.#parts = new Parts({ plan: this.plan, fork: runtime.fork })
    const tight = this.plan.memory.find(({ bytes, planned }) => planned > bytes)
    if (tight !== undefined) throw tooLittleMemory(tight.planned, tight.bytes)
    const file = this.#settings === undefined ? runtime.undrained : undefined
    this.#undrained = new UndrainedItems({ stream: options.id, built: this.built, plan: this.plan, file })
    const result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    result.catch(() => {}) // its failure is reported by whoever owns the program; an unobserved one is no crash
    this.result = result
  }

  /** The name of its checkpoints, where it has any. */
  get streamId(): string | undefined {
    return this.#settings?.streamId
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
    if (!this.isStarted) this.start()
    else if (!this.#awaitsFirstCheckpoint) for (const head of this.#heads) head.resume()
  }

  /**
   * Brings it down as its `graceful-shutdown` says. Without one everything is worked off, or saved where it is checkpointed.
   * A second call waits for the same end. Past the time it is killed and counts as cancelled.
   */
  async drain({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.drain({ timeoutMs })
    if (!this.isOver && !this.isStarted) return this.#end("stopped", null)
    if (this.isOver) return this.#terminated
    const within = Math.min(timeoutMs, this.#shutdown?.timeoutMs ?? Infinity)
    if (!this.#isStopping) this.#beginToStop(within).catch((error: unknown) => this.#fail(error))
    // What is saved in a checkpoint keeps the time itself.
    const slack = this.#strategy === "checkpoint-and-stop" ? 3 * killGraceMs : 0
    if (!(await this.#runtime.promise(isSettledWithin(this.result, within + slack)))) await this.cancel({ withinMs: 0 })
  }

  /** What was handed back would be lost to a checkpointed stream, which is finished by a drain: it is saved instead. */
  get #strategy(): ShutdownPolicy["strategy"] {
    const { strategy } = this.#shutdown ?? {}
    if (this.#settings === undefined) return strategy ?? "drain-all"
    return strategy === undefined || strategy === "finish-current-batch" ? "checkpoint-and-stop" : strategy
  }

  async #beginToStop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    this.#life.send({ type: "drain" })
    switch (this.#strategy) {
      case "immediate":
        this.#isHalted = true
        return this.#terminate(closingMs)
      case "checkpoint-and-stop":
        return this.checkpointAndStop({ timeoutMs })
      case "finish-current-batch":
        this.#undrained.takeBack(this.#actors)
    }
    for (const head of this.#heads) head.drain()
  }

  /**
   * Reads nothing more, saves everything else in a checkpoint, and stops: nothing partial is emitted, no sink is finished,
   * and the next run under the same id goes on. Past the time the last checkpoint stands.
   */
  async checkpointAndStop({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const checkpointing = this.#checkpointing
    if (checkpointing === undefined || this.isOver) return
    for (const head of this.#heads) head.pause()
    const stored = this.#runtime.promise(checkpointing.rounds.round).then((outcome) => {
      if (outcome.type === "failed") this.#runtime.log(`The last checkpoint of ${this.id} failed: ${String(outcome.error)}. The one before it stands.`)
    })
    // It may end by itself meanwhile, when its sources had ended.
    const isInTime = await this.#runtime.promise(isSettledWithin(Promise.race([stored, this.result.catch(() => {})]), timeoutMs))
    if (this.isOver) return
    this.#isBeingSaved = true
    await this.#terminate(isInTime ? closingMs : 0)
    await this.#endInOrder(null)
  }

  /** Its actors are given `withinMs` to close what they have opened; with 0 they are killed, and abandoned if they ignore it. */
  async cancel({ withinMs = closingMs }: { readonly withinMs?: number } = {}): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.cancel({ withinMs })
    if (!this.isOver) {
      this.#life.send({ type: "cancelled" })
      this.#onCancel()
      const down = this.isStarted ? this.#terminate(withinMs) : Promise.resolve()
      this.#terminated = down.then(async () => {
        await this.#tellShutdown().catch((error: unknown) => (this.#error ??= error))
        this.#isDown = true
        this.#releaseMemory()
        this.#settle.reject(new StreamCancelled(this.id, "stream"))
      })
    } else if (withinMs === 0 && this.#terminated !== undefined) void this.#terminate(0)
    // A second call waits for the first one's end, too.
    await this.#terminated
  }

  #terminate(withinMs: number): Promise<void> {
    return this.#runtime.promise(Effect.ignore(this.#runtime.pipelines.terminateChild(this.id, { within: withinMs })))
  }

  /** Everything has stopped. Whoever is told so may not keep the end from coming. */
  async #tellShutdown(): Promise<void> {
    const observer = this.#shutdown?.onComplete
    if (observer === undefined || this.#isToldOfShutdown || !this.isStarted) return
    this.#isToldOfShutdown = true
    const told = observe(observer, undefined)
    // Of a stream that stops in order it has what is left of the time; of one that is cancelled, this little.
    if (this.status !== "cancelled") return void (await this.#unlessCancelled(told))
    if (await this.#runtime.promise(isSettledWithin(told, killGraceMs))) await told
  }

  inspect(): StreamReport & { readonly deadLetters: ReadonlyArray<DeadLetter>; readonly actors: ReadonlyArray<unknown>; readonly metrics?: ReadonlyArray<unknown> } {
    if (this.#leader !== undefined) return this.#leader.inspect()
    return {
      ...this.report(),
      deadLetters: [...this.#deadLetters.kept],
      actors: this.#actors.map((actor) => actor.inspect()),
      ...(this.#metrics === undefined ? {} : { metrics: this.#metrics.latest })
    }
  }

  /** What became of its items. Once it has ended the numbers are final. */
  report(): StreamReport {
    return {
      id: this.id,
      status: this.status,
      ...this.counts(),
      ...this.#parts.report(),
      ...(this.#error === undefined ? {} : { error: this.#error instanceof Error ? this.#error.message : String(this.#error) })
    }
  }

  counts(): ItemCounts {
    return this.#ended ?? this.#countItems()
  }

  /** @param undrained once that is known for good */
  #countItems(undrained?: number): ItemCounts {
    return countItems(this.plan, this.#actors.map((actor) => actor.inspect()), this.#deadLetters.count, undrained)
  }

  /** Of the sink; where there are several, those of all by name, and nil of one that has failed alone. */
  #resultOf(actors: ReadonlyArray<Actor>): unknown {
    const { actors: planned, graph } = this.plan
    const at = (node: string) => {
      const actor = actors[planned.findIndex(({ nodes }) => nodes.includes(node))]!
      return this.#parts.hasFailed(actor.address) ? null : (actor.result() ?? null)
    }
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
      const checkpointing = yield* this.#openCheckpointing
      const last = checkpointing?.last?.record
      if (last?.status === "finished") return yield* Effect.promise(() => this.#repeat(last.result?.value ?? null))
      const actors = yield* launchActors(this.built, this.plan, {
        services,
        pool: pool(),
        spill,
        spillFor: (memory) => Scope.provide(this.#runtime.spillFor(memory), this.#scope),
        log: this.#runtime.log,
        metrics: (this.#metrics = StreamMetrics.of(this.id, this.built, this.plan, { clock: yield* Clock.Clock, log: this.#runtime.log })),
        failures: this.#failures === "at-once" ? "end" : "restart",
        parts: this.#parts,
        items: yield* this.#deadLetters.services(checkpointing?.settings.streamId ?? this.id, this.#runtime, checkpointing?.facts),
        checkpointing
      })
      if (checkpointing !== undefined) yield* Effect.try({ try: () => checkpointing.adopt(actors), catch: (error) => error })
      this.#actors = actors
      this.#metrics?.adopt(actors)
      if (this.isOver) return yield* Effect.promise(() => this.#release())
      const onResumed = last === undefined ? undefined : this.#onResumed
      if (onResumed !== undefined) yield* Effect.tryPromise({ try: () => observe(onResumed, null), catch: (error) => error })
      this.#awaitsFirstCheckpoint = checkpointing !== undefined && last === undefined
      if (this.status === "paused" || this.#awaitsFirstCheckpoint) for (const head of this.#heads) head.pause()
      if (this.status === "draining") for (const head of this.#heads) head.drain()
      // What keeps it from starting is what its life ends with, and is dealt with there.
      yield* Effect.ignore(pipelines.addChild(this.#child))
      this.#parts.started()
    })
  }

  /** The pipeline's own supervisor, as a child of that of all pipelines. */
  get #child(): ChildSpec {
    const spec = streamTree({
      id: this.id,
      actors: this.#actors,
      checkpointing: this.#checkpointing,
      metrics: this.#metrics,
      isGated: () => this.#awaitsFirstCheckpoint,
      onFirstCheckpoint: () => {
        this.#awaitsFirstCheckpoint = false
        if (this.status === "running") for (const head of this.#heads) head.resume()
      },
      onExit: (exit) => this.#decide(exit)
    })
    return {
      ...spec,
      run: (incarnation) => Effect.onExit(spec.run(incarnation), (exit) => Effect.promise(() => this.#conclude(exit)))
    }
  }

  get #openCheckpointing(): Effect.Effect<Checkpointing | undefined, unknown> {
    const { built, plan, value } = this
    const settings = this.#settings
    if (settings === undefined) return Effect.undefined
    const opened = Checkpointing.open(settings, { host: this.#runtime, value, built, plan, checkpointId: this.#checkpointId, anew: this.#anew })
    return Effect.tap(Scope.provide(opened, this.#scope), (checkpointing) => Effect.sync(() => (this.#checkpointing = checkpointing)))
  }

  #release(): Promise<void> {
    return this.#runtime.promise(Scope.close(this.#scope, Exit.void))
  }

  /** The stream had ended in an earlier run: its result is given again, and nothing is done. */
  async #repeat(result: unknown): Promise<void> {
    this.#ended = noItems
    await this.#release()
    this.#end("completed", result)
  }

  /** A crash may be bad luck; an error that was foreseen (a missing file, a failing function) comes again. */
  #decide({ address, exit, otherwise }: ChildExit): Directive {
    const foreseen = exit._tag === "Failure" && !Cause.hasDies(exit.cause)
    const directive: Directive = this.#failures === "at-once" && foreseen ? { type: "escalate" } : otherwise
    if (directive.type !== "escalate" || exit._tag === "Success" || this.#parts.partOf(address) === undefined) return directive
    // Only this part ends.
    this.#parts.fail(address, exit.cause)
    return { type: "stop" }
  }

  async #conclude(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    await this.#runtime.promise(Effect.flatMap(this.#parts.takeRest(), (actors) => this.#undrained.takeRest(actors)))
    this.#ended = this.#countItems(this.#isBeingSaved ? undefined : this.#undrained.count)
    if (this.#metrics !== undefined) await this.#runtime.promise(this.#metrics.finish)
    try {
      await this.#concludeWith(exit)
    } finally {
      await this.#release()
    }
  }

  async #concludeWith(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    if (this.isOver || this.#isBeingSaved) return
    if (this.#isHalted) return this.#endInOrder(null)
    if (Exit.isFailure(exit)) return this.#fail(rootCause(exit.cause))
    const value = this.#resultOf(this.#actors)
    try {
      for (const observer of this.#observers("on-complete")) await this.#unlessCancelled(observe(observer, value))
      if (this.#checkpointing !== undefined) await this.#runtime.promise(this.#checkpointing.finish(value))
    } catch (error) {
      return this.#fail(error)
    }
    await this.#release()
    if (this.status === "draining") return this.#endInOrder(value)
    this.#end("completed", value)
  }

  async #endInOrder(value: unknown): Promise<void> {
    try {
      await this.#tellShutdown()
      this.#end("stopped", value)
    } catch (error) {
      await this.#fail(error)
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.#error = error
    for (const observer of this.#observers("on-error")) {
      // The stream has failed already, and its first error is the one to tell.
      await this.#unlessCancelled(observe(observer, toErrorValue(error))).catch(() => {})
    }
    await this.#release()
    this.#end("failed", error)
  }

  /** What a host's observer gives, which may be nothing for ever: a cancelled stream does not wait for it. */
  #unlessCancelled(called: Promise<unknown>): Promise<unknown> {
    return Promise.race([called, this.#cancelled])
  }

  /** Whether it is over and everything of it has come down. */
  get isSettled(): boolean {
    return this.isOver && this.#isDown
  }

  #end(type: "completed" | "stopped" | "failed", outcome: unknown): void {
    if (this.isOver) return
    this.#life.send({ type })
    this.#isDown = true
    this.#releaseMemory()
    if (type === "completed" || type === "stopped") this.#settle.resolve(outcome ?? null)
    else this.#settle.reject(outcome)
  }

  #observers(name: "on-complete" | "on-error"): ReadonlyArray<StreamFunction> {
    return this.plan.graph.nodes.flatMap(({ options }) => (options[name] === undefined ? [] : [options[name] as StreamFunction]))
  }
}
