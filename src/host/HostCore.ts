import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { isCollection, Marketplace } from "../capabilities/index.ts"
import { check, type Diagnostic, expand, pureBuilder } from "../rtfs/index.ts"
import { keyword } from "../serialization/index.ts"
import { Supervisor } from "../supervisors/index.ts"
import { handedTo } from "./AsyncIterableSink.ts"
import { checkPermission } from "./checkPermission.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"
import { accessDeadLetters } from "./accessDeadLetters.ts"
import { accessMcpServers } from "./accessMcpServers.ts"
import { accessQueues } from "./accessQueues.ts"
import type { DeadLetterAccess } from "./DeadLetterAccess.ts"
import type { McpServerAccess } from "./McpServerAccess.ts"
import type { QueueContents } from "./QueueContents.ts"
import { describeCapability } from "./describeCapability.ts"
import { explainProgram } from "./explainProgram.ts"
import { HostUnavailable, PermissionDenied, ProgramTimeout, refuseUnbounded } from "./errors.ts"
import type { Explanation } from "./Explanation.ts"
import type { Flow } from "./Flow.ts"
import { flowValue } from "./flowValue.ts"
import type { Handle } from "./Handle.ts"
import { Handoff } from "./Handoff.ts"
import { checkHostOptions, type HostOptions, type RunOptions, type SpawnOptions } from "./HostOptions.ts"
import { HostMarket, type HostMarketOptions } from "./HostMarket.ts"
import { MemoryBudget } from "./MemoryBudget.ts"
import { openRecords } from "./openRecords.ts"
import { makeServices } from "./makeServices.ts"
import type { PipelineOptions, PipelineRuntime } from "./PipelineRuntime.ts"
import { Policy } from "./Policy.ts"
import { pipelineBuilders, toStream } from "./Program.ts"
import { ProgramRun } from "./ProgramRun.ts"
import type { RunReport } from "./Report.ts"
import { openProviderUses } from "./ProviderUseFile.ts"
import type { Records } from "./Records.ts"
import { requiredPermissions } from "./requiredPermissions.ts"
import { Service } from "./Service.ts"
import { HostSession } from "./HostSession.ts"
import type { Session, SessionOptions } from "./Session.ts"

/** The host behind `StreamHost` and the Effect service: one implementation, two surfaces. */
export class HostCore {
  readonly marketplace = new Marketplace()
  readonly market: HostMarket
  readonly policy: Policy
  readonly #options: HostOptions
  readonly #runtime: PipelineRuntime
  readonly #clock: Clock.Clock
  readonly #services: Supervisor
  readonly #globals: ReadonlyMap<string, unknown>
  readonly #runs = new Map<string, ProgramRun>()
  readonly #live: Map<string, Service>
  #ordinal = 0
  #closed = false

  private constructor(
    options: HostOptions,
    runtime: PipelineRuntime,
    services: Supervisor,
    live: Map<string, Service>,
    clock: Clock.Clock,
    providerUses: HostMarketOptions["listeners"]
  ) {
    this.#options = options
    this.#runtime = runtime
    this.#services = services
    this.#live = live
    this.#clock = clock
    this.policy = new Policy(options.policy, options.mcpServers)
    this.market = new HostMarket({
      policy: this.policy,
      now: () => clock.currentTimeMillisUnsafe(),
      listeners: providerUses
    })
    this.#globals = new Map<string, unknown>([
      ...pipelineBuilders(this.marketplace).map(([name, build]) => [name, pureBuilder(name, build)] as const),
      // A connection is a value that says its name, and nothing of its URL.
      ...Object.keys(options.connections ?? {}).map((name) => [name, keyword(name)] as const),
      ...Object.entries(options.bindings ?? {}).map(([name, value]) => [name, boundValue(value)] as const)
    ])
  }

  /** **Fails** (as a defect of its caller) with `InvalidHostOption`. */
  static readonly make = Effect.fn("HostCore.make")(function* (options: HostOptions): Effect.fn.Return<HostCore, Error, Scope.Scope> {
    const { memoryBytes } = yield* Effect.try({ try: () => checkHostOptions(options), catch: (error) => error as Error })
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const pipelines = yield* Supervisor.start({ address: "/pipelines", stopOrder: "together" })
    // Started after the pipelines, so stopped before them: a service that is being stopped drains its pipelines.
    const live = new Map<string, Service>()
    const services = yield* Supervisor.start({
      address: "/services",
      stopOrder: "together",
      onExit: (exit) => live.get(exit.child)?.decide(exit) ?? { type: "stop" }
    })
    const runtime: PipelineRuntime = {
      pipelines,
      ...(yield* makeServices(options, new Policy(options.policy, options.mcpServers))),
      memory: new MemoryBudget(memoryBytes),
      bounded: options.bounded ?? false,
      log: options.log ?? ((line) => process.stderr.write(`${line}\n`)),
      fork: Effect.runForkWith(context),
      promise: Effect.runPromiseWith(context)
    }
    const core = new HostCore(options, runtime, services, live, clock, yield* openProviderUses(options))
    yield* Effect.addFinalizer(() => Effect.promise(() => core.#close()))
    return core
  })

  async eval(source: string, { file }: { readonly file?: string }): Promise<unknown> {
    await this.#checkBounds(source)
    const run = this.#newRun("at-once")
    try {
      return await run.evaluate(source, file)
    } finally {
      void this.#forgetOnceEnded(run)
    }
  }

  async run(source: string, options: RunOptions): Promise<RunReport> {
    await this.#checkPermissions(source, options.file)
    await this.#checkBounds(source)
    const run = this.#newRun("at-once")
    return this.#whileRunning(run, options, run.toEnd(source, { file: options.file, onItem: options.onItem }))
  }

  async runFlow(flow: Flow<unknown>, options: Pick<RunOptions, "timeoutMs" | "onStart">): Promise<RunReport> {
    const run = this.#newRun("at-once")
    return this.#whileRunning(
      run,
      options,
      run.consume(streamOf(flow)).then(() => run.report())
    )
  }

  stream(flow: Flow<unknown>): AsyncIterableIterator<unknown> {
    const value = streamOf(flow)
    const handoff = new Handoff()
    let run: ProgramRun | undefined
    const start = () => {
      run = this.#newRun("at-once")
      const handle = run.start(handedTo(handoff, value), { cold: false })
      handle.awaitResult().then(
        () => handoff.end(),
        (error: unknown) => handoff.end({ error })
      )
      void this.#forgetOnceEnded(run)
    }
    return {
      next: async () => {
        if (run === undefined && !handoff.hasEnded) start()
        return handoff.take()
      },
      return: async () => {
        handoff.end()
        await run?.cancel()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      }
    }
  }

  async spawn(source: string, options: SpawnOptions): Promise<Handle> {
    if (!/^[A-Za-z0-9._-]{1,128}$/.test(options.name)) {
      throw new HostUnavailable(
        `A service can't be named ${JSON.stringify(options.name)}: use 1 to 128 of letters, digits, ".", "_" and "-".`
      )
    }
    if (this.#live.has(options.name))
      throw new HostUnavailable(`There is a service ${options.name} already: choose another name, or end that one first.`)
    await this.#checkPermissions(source, options.file)
    await this.#checkBounds(source)
    const service = new Service({
      ...options,
      source,
      supervisor: this.#services,
      fork: this.#runtime.fork,
      newRun: ({ anew }) => this.#newRun("supervised", options.name, anew),
      forget: (run) => void this.#runs.delete(run.name)
    })
    this.#live.set(options.name, service)
    service.result.catch(() => {}).finally(() => this.#live.delete(options.name))
    await service.start()
    return service
  }

  session(options: SessionOptions): Session {
    const run = this.#newRun("at-once")
    return new HostSession({
      ...options,
      run,
      globals: this.#globals,
      limits: this.#options.limits ?? {},
      capabilities: () => this.capabilities(),
      onClose: () => void this.#runs.delete(run.name)
    })
  }

  get deadLetters(): DeadLetterAccess {
    return accessDeadLetters(this.#runtime)
  }

  get queues(): QueueContents {
    return accessQueues(this.#runtime)
  }

  get mcp(): McpServerAccess {
    return accessMcpServers(this.#runtime)
  }

  records(name: string, scope: Scope.Scope): Promise<Records> {
    return openRecords(name, scope, this.#runtime)
  }

  expand(source: string): string {
    return expand(source)
  }

  check(source: string, { file }: { readonly file?: string }): ReadonlyArray<Diagnostic> {
    return check(source, { ...(file === undefined ? {} : { file }), capabilityIds: this.marketplace.ids(), globals: this.#globals })
  }

  explain(source: string, { file }: { readonly file?: string }): Promise<Explanation> {
    return explainProgram(source, {
      file,
      marketplace: this.marketplace,
      market: this.market.contextFor("explain"),
      policy: this.policy,
      globals: this.#globals,
      limits: this.#options.limits ?? {},
      mailboxBytes: this.#runtime.memory.share,
      files: this.#runtime.services.files,
      network: this.#runtime.services.network
    })
  }

  capabilities(): ReadonlyArray<CapabilityDescription> {
    return this.marketplace.all().map(describeCapability)
  }

  capability(id: string): CapabilityDescription {
    return describeCapability(this.marketplace.get(id.replace(/^:/, "").replaceAll("/", ".")))
  }

  inspect(): unknown {
    return {
      pipelines: this.#runtime.pipelines.whichChildren(),
      services: [...this.#live.values()].map((service) => service.inspect()),
      streams: [...this.#runs.values()].flatMap((run) => run.streams.all.map((stream) => stream.inspect()))
    }
  }

  /** The service of this id, or the stream, or the MCP stream; a service hides its stream of the same id. */
  handle(id: string): Handle | undefined {
    const stream = [...this.#runs.values()].flatMap((run) => run.streams.all).find((one) => one.id === id)
    return this.#live.get(id) ?? stream ?? this.#runtime.mcp.streams.find(id)
  }

  async drain(options: { readonly timeoutMs?: number }): Promise<void> {
    // The services first, since a service whose run ends by itself would begin anew.
    const services = [...this.#live.values()].map((service) => service.drain(options))
    const runs = [...this.#runs.values()].map((run) => run.drain(options))
    await Promise.all([...services, ...runs])
  }

  async #close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#runs.values()].map((run) => run.cancel()))
  }

  /**
   * Refuses a program that is not bounded before it did anything, as far as a dry run can tell; what that does not reach is
   * looked at when it is started. Other errors come when it runs.
   */
  async #checkBounds(source: string): Promise<void> {
    if (!this.#runtime.bounded) return
    const explanation = await this.explain(source, {}).catch(() => undefined)
    refuseUnbounded(explanation?.unbounded ?? [])
  }

  /** Refuses a program before it did anything, if its text names what the policy does not grant. */
  async #checkPermissions(source: string, file: string | undefined): Promise<void> {
    const { files, network } = this.#runtime.services
    for (const needed of requiredPermissions(source, this.marketplace, file)) {
      try {
        await this.#runtime.promise(checkPermission(needed, { policy: this.policy, files, network }))
      } catch (denied) {
        if (denied instanceof PermissionDenied) denied.at = needed.at
        throw denied
      }
    }
  }

  #newRun(failures: PipelineOptions["failures"], service?: string, anew = false): ProgramRun {
    if (this.#closed) throw new HostUnavailable("The host was stopped: nothing can be started on it.")
    const name = `${service ?? "program"}${service === undefined || this.#runs.has(service) ? `-${++this.#ordinal}` : ""}`
    const run = new ProgramRun({
      name,
      anew,
      checkpointed: (streamId) =>
        [...this.#runs.values()].map((other) => other.checkpointed(streamId)).find((stream) => stream !== undefined),
      runtime: this.#runtime,
      marketplace: this.marketplace,
      market: this.market.contextFor(name),
      policy: this.policy,
      globals: this.#globals,
      limits: this.#options.limits ?? {},
      print: this.#options.print ?? ((line) => process.stdout.write(`${line}\n`)),
      log: this.#options.log ?? ((line) => process.stderr.write(`${line}\n`)),
      now: () => this.#clock.currentTimeMillisUnsafe(),
      failures
    })
    this.#runs.set(name, run)
    return run
  }

  /** A run whose streams have all ended is held no longer: a host lives for weeks. */
  async #forgetOnceEnded(run: ProgramRun): Promise<void> {
    await run.ended()
    this.#runs.delete(run.name)
  }

  async #whileRunning(run: ProgramRun, { onStart, timeoutMs }: RunOptions, outcome: Promise<RunReport>): Promise<RunReport> {
    onStart?.({
      pause: () => run.pause(),
      resume: () => run.resume(),
      drain: async (options) => void (await run.drain(options)),
      cancel: (options) => run.cancel(options),
      report: () => run.report(),
      inspect: () => run.streams.all.map((stream) => stream.inspect())
    })
    try {
      return timeoutMs === undefined ? await outcome : await this.#within(run, timeoutMs, outcome)
    } finally {
      this.#runs.delete(run.name)
    }
  }

  #within(run: ProgramRun, timeoutMs: number, outcome: Promise<RunReport>): Promise<RunReport> {
    return new Promise((resolve, reject) => {
      const timed = Effect.tryPromise({ try: () => outcome, catch: (error) => error }).pipe(
        Effect.timeoutOption(timeoutMs),
        Effect.matchEffect({
          onFailure: (error) => Effect.sync(() => reject(error)),
          onSuccess: (report) =>
            Option.isSome(report)
              ? Effect.sync(() => resolve(report.value))
              : Effect.promise(() => run.cancel().then(() => reject(new ProgramTimeout(timeoutMs))))
        })
      )
      this.#runtime.fork(timed)
    })
  }
}

const streamOf = (flow: Flow<unknown>) => {
  const value = flowValue(flow)
  if (value === undefined) throw new TypeError("A Flow is expected: make one with Flow.from, Flow.generate or Flow.fromFile.")
  return value
}

/** A flow or an iterable of the host becomes a stream value; everything else, collections too, is bound as it is. */
const boundValue = (value: unknown): unknown =>
  value !== null && typeof value === "object" && !isCollection(value) ? (toStream(value) ?? value) : value
