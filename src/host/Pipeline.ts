import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Actor } from "../actors/index.ts"
import {
  buildGraph,
  type BuiltGraph,
  HandleMisuse,
  type HandleStatus,
  shutdownOf,
  StreamHandle,
  type StreamValue,
  tooLittleMemory
} from "../capabilities/index.ts"
import { makePlan, type Plan } from "../scheduler/index.ts"
import type { ChildExit, ChildSpec, Directive } from "../supervisors/index.ts"
import { Checkpointing } from "./Checkpointing.ts"
import { checkpointSettings, type CheckpointSettings } from "./CheckpointSettings.ts"
import { type DeadLetter, DeadLetters } from "./DeadLetters.ts"
import { countItems } from "./countItems.ts"
import { Parts } from "./Parts.ts"
import { refuseUnbounded, StreamCancelled } from "./errors.ts"
import { unboundedIn } from "./explainPipeline.ts"
import { launchActors } from "./launchActors.ts"
import { observe, observersIn } from "./observe.ts"
import type { PipelineOptions, PipelineRuntime } from "./PipelineRuntime.ts"
import { type ItemCounts, noItems, type StreamReport } from "./Report.ts"
import { closingMs, StreamStop, type Stoppable } from "./StreamStop.ts"
import { isOver, StreamLife } from "./StreamLife.ts"
import { StreamMetrics } from "./StreamMetrics.ts"
import { streamTree } from "./streamTree.ts"
import { resultOf } from "./resultOf.ts"
import { asProgramError, rootCause, toErrorValue } from "./rootCause.ts"
import { UndrainedItems } from "./UndrainedItems.ts"

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
  readonly #runtime: PipelineRuntime
  readonly #options: PipelineOptions
  readonly value: StreamValue
  readonly #life = new StreamLife()
  /** The pipeline that this handle's stream became a part of, once it got its consumer. */
  #leader: Pipeline | undefined
  #isStarted = false
  #releaseMemory = () => {}
  #actors: ReadonlyArray<Actor> = []
  readonly #parts: Parts
  readonly #deadLetters = new DeadLetters()
  #ended: ItemCounts | undefined
  #error: unknown
  #isAwaited = false
  #terminated: Promise<void> | undefined
  readonly #undrained: UndrainedItems
  readonly #stop: StreamStop
  readonly #settings: CheckpointSettings | undefined
  #checkpointing: Checkpointing | undefined
  #metrics: StreamMetrics | undefined
  /** What the run holds beside its actors, such as its part of a store. */
  readonly #scope = Scope.makeUnsafe()
  /** Nothing is read before the first checkpoint is durable: without one there is nothing to go back to. */
  #awaitsFirstCheckpoint = false

  constructor(runtime: PipelineRuntime, options: PipelineOptions) {
    super()
    this.id = options.id
    this.value = options.value
    this.#runtime = runtime
    this.#options = options
    this.built = buildGraph(options.value)
    if (runtime.bounded) refuseUnbounded(unboundedIn(options.id, this.built))
    this.#settings = checkpointSettings(this.built, options.ordinal)
    this.plan = makePlan(options.id, this.built.graph, this.built.traitsOf, { mailboxBytes: runtime.memory.share })
    this.#parts = new Parts({ plan: this.plan, fork: runtime.fork })
    const tight = this.plan.memory.find(({ bytes, planned }) => planned > bytes)
    if (tight !== undefined) throw tooLittleMemory(tight.planned, tight.bytes)
    const file = this.#settings === undefined ? runtime.undrained : undefined
    this.#stop = new StreamStop(this.#stoppable, {
      policy: shutdownOf(this.built.graph),
      isCheckpointed: this.#settings !== undefined && !this.#settings.isImplicit,
      promise: runtime.promise,
      log: runtime.log
    })
    this.#undrained = new UndrainedItems({ stream: options.id, built: this.built, plan: this.plan, file })
  }

  /** The name of its checkpoints, where it has any. */
  get streamId(): string | undefined {
    return this.#settings?.isImplicit === false ? this.#settings.streamId : undefined
  }

  get result(): Promise<unknown> {
    return this.#life.result
  }

  get status(): HandleStatus {
    return this.#leader?.status ?? this.#life.status
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
    if (this.status === "paused") leader.#life.send("pause")
    this.#leader = leader
    this.#life.follow(leader.result)
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
    if (this.status !== "paused") this.#life.send("start")
    this.#runtime.fork(Effect.catchCause(this.#launch, (cause) => Effect.promise(() => this.#conclude(Exit.failCause(cause)))))
  }

  async pause(): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.pause()
    if (this.isOver) return
    this.#life.send("pause")
    if (this.status === "paused") for (const head of this.#heads) head.pause()
  }

  async resume(): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.resume()
    if (this.isOver) return
    this.#life.send(this.status === "created" ? "start" : "resume")
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
    if (!(await this.#stop.within(timeoutMs))) await this.cancel({ withinMs: 0 })
  }

  /** Its actors are given `withinMs` to close what they have opened; with 0 they are killed, and abandoned if they ignore it. */
  async cancel({ withinMs = closingMs }: { readonly withinMs?: number } = {}): Promise<void> {
    if (this.#leader !== undefined) return this.#leader.cancel({ withinMs })
    if (!this.isOver) {
      this.#life.cancel()
      const down = this.isStarted ? this.#terminate(withinMs) : Promise.resolve()
      this.#terminated = down.then(async () => {
        await this.#stop.tell().catch((error: unknown) => (this.#error ??= error))
        this.#releaseMemory()
        this.#life.down({ error: new StreamCancelled(this.id, "stream") })
      })
    } else if (withinMs === 0 && this.#terminated !== undefined) void this.#terminate(0)
    // A second call waits for the first one's end, too.
    await this.#terminated
  }

  #terminate(withinMs: number): Promise<void> {
    return this.#runtime.promise(Effect.ignore(this.#runtime.pipelines.terminateChild(this.id, { within: withinMs })))
  }

  /** What bringing it down needs of it. */
  get #stoppable(): Stoppable {
    return {
      id: this.id,
      life: this.#life,
      isStarted: () => this.#isStarted,
      sources: () => this.#heads,
      checkpointing: () => this.#checkpointing,
      terminate: (withinMs) => this.#terminate(withinMs),
      takeBack: () => this.#undrained.takeBack(this.#actors),
      endInOrder: () => this.#endInOrder(null),
      fail: (error) => this.#fail(error)
    }
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

  get #heads(): ReadonlyArray<Actor> {
    return this.#actors.filter(({ kind }) => kind === "source")
  }

  get isOver(): boolean {
    return isOver(this.status)
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
        failures: this.#options.failures === "at-once" ? "end" : "restart",
        parts: this.#parts,
        items: yield* this.#deadLetters.services(checkpointing?.settings.streamId ?? this.id, this.#runtime, checkpointing?.facts),
        checkpointing
      })
      if (checkpointing !== undefined) yield* Effect.try({ try: () => checkpointing.adopt(actors), catch: (error) => error })
      this.#actors = actors
      this.#metrics?.adopt(actors)
      if (this.isOver) return yield* Effect.promise(() => this.#release())
      const onResumed = last === undefined ? undefined : this.#options.onResumed
      if (onResumed !== undefined) yield* Effect.tryPromise({ try: () => observe(onResumed, null), catch: (error) => error })
      this.#awaitsFirstCheckpoint = checkpointing !== undefined && last === undefined
      if (this.status === "paused" || this.#awaitsFirstCheckpoint) for (const head of this.#heads) head.pause()
      // It has read nothing, so there is nothing to save, and the next run is the one to begin.
      if (this.status === "draining" && checkpointing !== undefined) return yield* Effect.promise(() => this.#release().then(() => this.#endInOrder(null)))
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
    const { anew = false, checkpointId } = this.#options
    const settings = this.#settings
    if (settings === undefined) return Effect.undefined
    const opened = Checkpointing.open(settings, { host: this.#runtime, value, built, plan, checkpointId, anew })
    return Effect.tap(Scope.provide(opened, this.#scope), (checkpointing) => Effect.sync(() => (this.#checkpointing = checkpointing)))
  }

  /** The stream had ended in an earlier run: its result is given again, and nothing is done. */
  async #repeat(result: unknown): Promise<void> {
    this.#ended = noItems
    await this.#release()
    this.#end("completed", result)
  }

  readonly #release = (): Promise<void> => this.#runtime.promise(Scope.close(this.#scope, Exit.void))

  /** A crash may be bad luck; an error that was foreseen (a missing file, a failing function) comes again. */
  #decide({ address, exit, otherwise }: ChildExit): Directive {
    const foreseen = exit._tag === "Failure" && !Cause.hasDies(exit.cause)
    const directive: Directive = this.#options.failures === "at-once" && foreseen ? { type: "escalate" } : otherwise
    if (directive.type !== "escalate" || exit._tag === "Success" || this.#parts.partOf(address) === undefined) return directive
    // Only this part ends.
    this.#parts.fail(address, exit.cause)
    return { type: "stop" }
  }

  async #conclude(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    await this.#runtime.promise(Effect.flatMap(this.#parts.takeRest(), (actors) => this.#undrained.takeRest(actors)))
    this.#ended = this.#countItems(this.#stop.isBeingSaved ? undefined : this.#undrained.count)
    if (this.#metrics !== undefined) await this.#runtime.promise(this.#metrics.finish)
    try {
      await this.#concludeWith(exit)
    } finally {
      await this.#release()
    }
  }

  async #concludeWith(exit: Exit.Exit<unknown, unknown>): Promise<void> {
    if (this.isOver || this.#stop.isBeingSaved) return
    if (this.#stop.isHalted) return this.#endInOrder(null)
    if (Exit.isFailure(exit)) return this.#fail(rootCause(exit.cause))
    const value = resultOf(this.plan, this.#actors, this.#parts)
    try {
      for (const observer of observersIn(this.plan.graph, "on-complete")) await this.#life.unlessCancelled(observe(observer, value))
      if (this.#checkpointing !== undefined) {
        await this.#runtime.promise(this.#checkpointing.finish(value))
        if (this.status === "draining" && this.streamId !== undefined) {
          this.#runtime.log(`The stream ${this.streamId} was drained, and that was its end: a later run under this id gives the same result and reads nothing.`)
        }
      }
    } catch (error) {
      return this.#fail(error)
    }
    await this.#release()
    if (this.status === "draining") return this.#endInOrder(value)
    this.#end("completed", value)
  }

  async #endInOrder(value: unknown): Promise<void> {
    try {
      await this.#stop.tell()
      this.#end("stopped", value)
    } catch (error) {
      await this.#fail(error)
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.#error = error
    for (const observer of observersIn(this.plan.graph, "on-error")) {
      // The stream has failed already, and its first error is the one to tell.
      await this.#life.unlessCancelled(observe(observer, toErrorValue(error))).catch(() => {})
    }
    await this.#release()
    this.#end("failed", error)
  }

  /** Whether it is over and everything of it has come down. */
  get isSettled(): boolean {
    return this.isOver && this.#life.isDown
  }

  #end(type: "completed" | "stopped" | "failed", outcome: unknown): void {
    if (this.isOver) return
    this.#life.send(type)
    this.#releaseMemory()
    this.#life.down(type === "failed" ? { error: outcome } : { value: outcome ?? null })
  }
}
