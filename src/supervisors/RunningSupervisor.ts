import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import { CurrentStackFrame } from "effect/References"
import { ParentSpan } from "effect/Tracer"
import { Child, type ChildInfo } from "./Child.ts"
import { ChildLife, type Fork, type LifeListener, type StartOutcome } from "./ChildLife.ts"
import type { ChildSpec } from "./ChildSpec.ts"
import { type ChildExit, type Directive, directiveOf } from "./Directive.ts"
import {
  type BadSupervision,
  ChildAlreadyPresent,
  ChildEscalated,
  ChildNotFound,
  ChildNotStopped,
  ChildStartFailed,
  RestartIntensityExceeded,
  type SupervisorFailure,
  SupervisorNotRunning
} from "./errors.ts"
import { RestartBudget, type SpentLimit } from "./RestartBudget.ts"
import { RestartPasses } from "./RestartPass.ts"
import { restartedTogether } from "./RestartStrategy.ts"
import { Shutdown } from "./Shutdown.ts"
import type { ChildCounts, StopReport, Supervisor } from "./Supervisor.ts"
import { afterSupervisorSignal, newSupervisor, type SupervisorSignal, type SupervisorState } from "./supervisor.machine.ts"
import { causeOf, kindOfExit, type SupervisorHappening } from "./SupervisorEvent.ts"
import { problemOfSpec, type SupervisorOptions } from "./SupervisorOptions.ts"

/**
 * The one place where things happen to children. What a child does arrives here as a plain call, in the turn in which
 * it happens, and each call leaves table, passes and lifecycle consistent: so there is no lock and no loop, and queries
 * just read. What takes time (stopping, waiting, starting) runs on fibers that call back here.
 */
export class RunningSupervisor implements Supervisor {
  readonly address: string
  readonly ended: Effect.Effect<void, SupervisorFailure>
  readonly #options: SupervisorOptions
  readonly #fork: Fork
  readonly #clock: Clock.Clock
  readonly #random: Random.Random
  readonly #budget: RestartBudget
  readonly #shutdown: Shutdown
  readonly #passes: RestartPasses
  /** In start order. */
  readonly #children = new Map<string, Child>()
  #lifecycle = newSupervisor
  /** Ends of children while their later siblings were still being started: decided about when all are up, as in OTP. */
  readonly #undecided: Array<{ readonly child: Child; readonly end: Pick<ChildExit, "incarnation" | "phase" | "exit"> }> = []
  #failure: SupervisorFailure | undefined
  readonly #killed: Array<string> = []
  readonly #abandoned: Array<string> = []
  readonly #over = Deferred.makeUnsafe<StopReport>()

  constructor(options: SupervisorOptions, context: Context.Context<never>) {
    this.address = options.address
    this.#options = options
    // Children outlive the call that started them, so they are no part of its span or its stack.
    this.#fork = Effect.runForkWith(Context.omit(ParentSpan, CurrentStackFrame)(context))
    this.#clock = Context.get(context, Clock.Clock)
    this.#random = Context.get(context, Random.Random)
    this.#budget = new RestartBudget(options)
    this.#shutdown = new Shutdown({
      order: options.stopOrder ?? "reverse",
      killGrace: Duration.fromInputUnsafe(options.killGrace ?? Duration.seconds(1)),
      fork: this.#fork,
      now: () => this.#now()
    })
    this.#passes = new RestartPasses({
      fork: this.#fork,
      now: () => this.#now(),
      children: () => this.#children.values(),
      stopAll: (children) => this.#shutdown.all(children),
      start: (child) => this.#startLife(child, "supervisor")
    })
    this.ended = Effect.flatMap(Deferred.await(this.#over), () => (this.#failure === undefined ? Effect.void : Effect.fail(this.#failure)))
  }

  // --- queries ----------------------------------------------------------------------------------------------------

  readonly state = (): SupervisorState => this.#lifecycle.value

  readonly whichChildren = (): ReadonlyArray<ChildInfo> => Array.from(this.#children.values(), (child) => child.info())

  readonly countChildren = (): ChildCounts => {
    let active = 0
    let supervisors = 0
    for (const child of this.#children.values()) {
      if (child.life !== undefined) active++
      if (child.type === "supervisor") supervisors++
    }
    return { specs: this.#children.size, active, supervisors, workers: this.#children.size - supervisors }
  }

  // --- what owners ask for ----------------------------------------------------------------------------------------

  /** Starts the children of the options; done once. */
  readonly begin: Effect.Effect<void, ChildStartFailed | SupervisorNotRunning> = Effect.gen({ self: this }, function* () {
    for (const spec of this.#options.children ?? []) {
      if (this.state() !== "starting") break
      const child = this.#enter(spec)
      const outcome = yield* this.#startLife(child, "caller")
      if (outcome.type === "failed") this.#end("startFailed", this.#startFailure(child, outcome))
    }
    this.#signal("started")
    if (this.state() !== "running") {
      yield* Deferred.await(this.#over)
      const failure = this.#failure
      return yield* failure instanceof ChildStartFailed ? failure : this.#notRunning()
    }
    for (let next = this.#undecided.shift(); next !== undefined; next = this.#undecided.shift()) this.#decide(next.child, next.end)
  })

  readonly addChild = (
    spec: ChildSpec
  ): Effect.Effect<ChildInfo, BadSupervision | ChildAlreadyPresent | ChildStartFailed | SupervisorNotRunning> =>
    Effect.gen({ self: this }, function* () {
      const problem = problemOfSpec(spec, this.#options)
      if (problem !== undefined) return yield* problem
      if (this.state() !== "running") return yield* this.#notRunning()
      const present = this.#children.get(spec.id)
      if (present !== undefined) {
        return yield* new ChildAlreadyPresent({ supervisor: this.address, child: spec.id, state: present.state })
      }
      const child = this.#enter(spec)
      return yield* Effect.onError(this.#startForCaller(child), () => Effect.sync(() => this.#forget(child)))
    })

  readonly restartChild = (
    id: string
  ): Effect.Effect<ChildInfo, ChildNotFound | ChildNotStopped | ChildStartFailed | SupervisorNotRunning> =>
    Effect.gen({ self: this }, function* () {
      if (this.state() !== "running") return yield* this.#notRunning()
      const child = yield* this.#find(id)
      if (child.state !== "stopped") return yield* this.#notStopped(child)
      return yield* this.#startForCaller(child)
    })

  readonly terminateChild = (id: string, { within }: { readonly within?: Duration.Input } = {}): Effect.Effect<void, ChildNotFound> =>
    Effect.gen({ self: this }, function* () {
      const child = yield* this.#find(id)
      this.#passes.leave(child)
      if (child.state === "waiting") {
        child.signal("withdrawn")
        this.#keepDown(child)
      }
      yield* this.#shutdown.one(child, within === undefined ? undefined : Duration.fromInputUnsafe(within))
    })

  readonly deleteChild = (id: string): Effect.Effect<void, ChildNotFound | ChildNotStopped> =>
    Effect.gen({ self: this }, function* () {
      const child = yield* this.#find(id)
      if (child.state !== "stopped") return yield* this.#notStopped(child)
      this.#forget(child)
    })

  readonly stop = (options?: { readonly within?: Duration.Input }): Effect.Effect<StopReport> =>
    Effect.suspend(() => {
      this.#end("stopRequested", undefined)
      if (options?.within !== undefined && this.#lifecycle.status === "active") {
        this.#shutdown.limit(Duration.fromInputUnsafe(options.within), () => this.#children.values())
      }
      return Deferred.await(this.#over)
    })

  // --- starting ---------------------------------------------------------------------------------------------------

  #enter(spec: ChildSpec): Child {
    const child = new Child(spec, this.address)
    this.#children.set(child.id, child)
    return child
  }

  #startForCaller(child: Child): Effect.Effect<ChildInfo, ChildStartFailed> {
    return this.#startLife(child, "caller").pipe(
      Effect.flatMap((outcome) =>
        outcome.type === "ready" || outcome.type === "declined"
          ? Effect.succeed(child.info())
          : Effect.fail(this.#startFailure(child, outcome))
      ),
      // It was not up yet, so there is nothing to drain.
      Effect.onInterrupt(() => this.#shutdown.kill(child))
    )
  }

  /** Starts a life of a child that is down, and waits until its start is over. */
  #startLife(child: Child, startedFor: "caller" | "supervisor"): Effect.Effect<StartOutcome> {
    return Effect.suspend(() => {
      if (child.state === "stopped") child.signal("scheduled")
      child.signal("began")
      child.readyAt = undefined
      const listener: LifeListener = {
        becameReady: (life) => this.#becameReady(child, life),
        over: (life, exit) => this.#lifeOver(child, life, exit)
      }
      const life = new ChildLife({ number: ++child.lives, startedFor, fork: this.#fork, listener })
      child.life = life
      life.begin(child.run, child.address)
      // In a turn of its own, or a sibling would start before the child comes back from its call of `ready`.
      return Effect.tap(Deferred.await(life.started), Effect.yieldNow)
    })
  }

  #becameReady(child: Child, life: ChildLife): void {
    if (child.life !== life || child.state !== "starting") return
    child.signal("becameReady")
    child.readyAt = this.#now()
    this.#emit({ type: "child-started", child: child.id, incarnation: life.number })
    life.settle({ type: "ready" })
  }

  // --- ends of children -------------------------------------------------------------------------------------------

  /** A life ended, or (without an exit) was abandoned. */
  #lifeOver(child: Child, life: ChildLife, exit: Exit.Exit<unknown, unknown> | undefined): void {
    // The end of a life that was abandoned: the child may long have another.
    if (child.life !== life) return
    const state = child.state
    const kind = kindOfExit(exit, { wasAsked: state === "stopping", wasKilled: life.wasKilled })
    child.life = undefined
    child.lastExit = { kind, time: this.#clock.currentTimeMillisUnsafe(), exit }
    child.signal("ended")
    // The report is about the end of the supervisor; what happens in its life is told by events, which keep nothing.
    const isEnding = this.state() !== "running"
    if (isEnding && kind === "killed") this.#killed.push(child.address)
    if (isEnding && kind === "abandoned") this.#abandoned.push(child.address)
    this.#emit({ type: "child-exited", child: child.id, incarnation: life.number, kind, exit })

    if (child.pass?.phase === "stopping") {
      // The pass waits for it to go down. On request or by itself, it is down, and comes up with the others.
      this.#keepDown(child)
      if (child.restart !== "temporary") child.signal("scheduled")
      life.settle({ type: "stopped" })
    } else if (state === "stopping" || exit === undefined) {
      this.#keepDown(child)
      life.settle({ type: "stopped" })
    } else if (state === "starting" && Exit.isSuccess(exit)) {
      this.#keepDown(child)
      life.settle({ type: "declined" })
    } else {
      // Who waits for a first start is told, and decides.
      const isDecidedByCaller = state === "starting" && life.startedFor === "caller"
      const phase = state === "starting" ? "starting" : "running"
      if (!isDecidedByCaller) this.#decide(child, { incarnation: life.number, phase, exit })
      life.settle({ type: "failed", cause: causeOf(exit) })
    }
  }

  /** A child that is down stays in the table, but temporary ones are forgotten, arguments and all. */
  #keepDown(child: Child): void {
    if (child.restart === "temporary") this.#forget(child)
  }

  #forget(child: Child): void {
    this.#passes.leave(child)
    if (this.#children.get(child.id) === child) this.#children.delete(child.id)
  }

  // --- decisions --------------------------------------------------------------------------------------------------

  /** A child ended by itself: the owner, or else OTP's rules, say what to do. */
  #decide(child: Child, end: Pick<ChildExit, "incarnation" | "phase" | "exit">): void {
    if (this.state() === "starting") {
      this.#undecided.push({ child, end })
      return
    }
    // A decision that was put off may find the child gone or cared for.
    if (child.state !== "stopped" || this.#children.get(child.id) !== child) return
    if (this.state() !== "running") return this.#keepDown(child)
    const usual = directiveOf(child.restart, end.exit)
    const limit = usual.type === "restart" ? this.#budget.spentLimit(child, this.#children.size, this.#now()) : undefined
    const otherwise: Directive = limit === undefined ? usual : { type: "escalate" }
    const exit: ChildExit = { child: child.id, address: child.address, restarts: child.restarts, ...end, otherwise }
    let directive: Directive
    try {
      directive = this.#options.onExit?.(exit) ?? otherwise
    } catch (error) {
      return this.#escalate(child, error)
    }
    if (directive.type === "stop") this.#giveUp(child)
    else if (directive.type === "restart") this.#restart(child, end.exit, directive)
    // The same object: it is the intensity's word and not the owner's, so the error says that.
    else if (directive === otherwise && limit !== undefined) this.#exceed(child, end.exit, limit)
    else this.#escalate(child, Cause.squash(causeOf(end.exit)))
  }

  /** It ended for good. */
  #giveUp(child: Child): void {
    this.#keepDown(child)
    const autoShutdown = this.#options.autoShutdown ?? "never"
    if (!child.significant || autoShutdown === "never") return
    const isOneLeft = (): boolean => {
      for (const other of this.#children.values()) if (other.significant && other.state !== "stopped") return true
      // What has ended while others started may yet be restarted, or end the supervisor with its failure.
      return this.#undecided.some((other) => other.child.significant)
    }
    if (autoShutdown === "any-significant" || !isOneLeft()) this.#end("stopRequested", undefined)
  }

  #restart(child: Child, exit: Exit.Exit<unknown, unknown>, directive: Directive & { readonly type: "restart" }): void {
    const now = this.#now()
    const counted = directive.counted ?? true
    if (counted) {
      const spent = this.#budget.spentLimit(child, this.#children.size, now)
      if (spent !== undefined) return this.#exceed(child, exit, spent)
      this.#budget.spend(child, this.#children.size, now)
    }
    child.restarts++
    const delay = this.#budget.delay(child, counted, this.#random.nextDoubleUnsafe())
    const strategy = directive.strategy ?? this.#options.strategy ?? "one-for-one"
    const members = strategy === "one-for-one" ? [child] : restartedTogether(strategy, [...this.#children.values()], child)
    const pass = this.#passes.begin(members, now + Duration.toMillis(delay))
    const children = Array.from(pass.pending, ({ id }) => id)
    this.#emit({ type: "restarting", child: child.id, children, delay, counted })
  }

  #exceed(child: Child, exit: Exit.Exit<unknown, unknown>, { intensity, limit }: SpentLimit): void {
    this.#emit({ type: "intensity-exceeded", child: child.id, limit })
    const failure = new RestartIntensityExceeded({
      supervisor: this.address,
      child: child.id,
      limit,
      restarts: intensity.restarts,
      periodMs: Duration.toMillis(intensity.period),
      cause: Cause.squash(causeOf(exit))
    })
    this.#end("escalated", failure)
  }

  #escalate(child: Child, cause: unknown): void {
    this.#end("escalated", new ChildEscalated({ supervisor: this.address, child: child.id, cause }))
  }

  // --- stopping ---------------------------------------------------------------------------------------------------

  /** Begins the end of the supervisor, unless it has begun before. */
  #end(signal: "stopRequested" | "escalated" | "startFailed", failure: SupervisorFailure | undefined): void {
    const before = this.state()
    this.#signal(signal)
    if (this.state() === before) return
    this.#failure = failure
    if (failure !== undefined) this.#emit({ type: "escalated", failure })
    this.#passes.cancel()
    this.#fork(
      Effect.gen({ self: this }, function* () {
        // Whoever caused this finishes its turn first.
        yield* Effect.yieldNow
        yield* this.#shutdown.all([...this.#children.values()])
        this.#signal("allDown")
        this.#shutdown.finish()
        this.#emit({ type: "stopped" })
        const report = { killed: this.#killed, abandoned: this.#abandoned }
        Deferred.doneUnsafe(this.#over, Exit.succeed(report))
      })
    )
  }

  // --- the rest ---------------------------------------------------------------------------------------------------

  #signal(type: SupervisorSignal["type"]): void {
    this.#lifecycle = afterSupervisorSignal(this.#lifecycle, { type })
  }

  #now(): number {
    // Not the wall clock: intensities and backoffs must not notice when it is set.
    return Number(this.#clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  #emit(happening: SupervisorHappening): void {
    try {
      this.#options.onEvent?.({ supervisor: this.address, time: this.#clock.currentTimeMillisUnsafe(), ...happening })
    } catch (error) {
      this.#fork(Effect.logError(`The event listener of supervisor ${this.address} threw`, error))
    }
  }

  #startFailure(child: Child, outcome: StartOutcome): ChildStartFailed {
    const cause = outcome.type === "failed" ? Cause.squash(outcome.cause) : "it was stopped while it was starting"
    return new ChildStartFailed({ supervisor: this.address, child: child.id, cause })
  }

  #notRunning(): SupervisorNotRunning {
    return new SupervisorNotRunning({ supervisor: this.address, state: this.state() })
  }

  #find(id: string): Effect.Effect<Child, ChildNotFound> {
    const child = this.#children.get(id)
    return child === undefined ? Effect.fail(new ChildNotFound({ supervisor: this.address, child: id })) : Effect.succeed(child)
  }

  #notStopped(child: Child): ChildNotStopped {
    return new ChildNotStopped({ supervisor: this.address, child: child.id, state: child.state })
  }
}
