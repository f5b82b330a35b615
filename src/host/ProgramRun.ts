import * as Effect from "effect/Effect"
import { type McpContext, type ResumeRequest, type StreamHandle, StreamValue } from "../capabilities/index.ts"
import type { StreamFunction } from "../scheduler/index.ts"
import { createEvaluator, textLimit, toText } from "../rtfs/index.ts"
import type { EvaluationLimits } from "./HostOptions.ts"
import { isSettledWithin } from "./isSettledWithin.ts"
import { Pipeline } from "./Pipeline.ts"
import type { PipelineOptions, PipelineRuntime } from "./PipelineRuntime.ts"
import { Program, type ProgramOptions, type StreamStarter, toStream } from "./Program.ts"
import type { RunReport } from "./Report.ts"
import { keptStream } from "./Checkpointing.ts"
import { type StoredStream, storedStream } from "./storedStream.ts"
import { reviveStream } from "./reviveStream.ts"
import { StartedStreams } from "./StartedStreams.ts"
import { HostUnavailable, StreamCancelled } from "./errors.ts"

export interface ProgramRunOptions extends Pick<ProgramOptions, "marketplace" | "market" | "policy" | "print" | "log" | "now"> {
  readonly name: string
  readonly runtime: PipelineRuntime
  readonly globals: ReadonlyMap<string, unknown>
  readonly limits: EvaluationLimits
  readonly failures: PipelineOptions["failures"]
  /** Streams whose checkpoint says that they have ended begin anew. */
  readonly anew: boolean
  /** The stream that runs under an id of its checkpoints in any program of the host. */
  readonly checkpointed: (streamId: string) => Pipeline | undefined
}

export interface ToEndOptions {
  readonly file?: string | undefined
  /** Receives each item of a stream that is the program's last value. */
  readonly onItem?: ((item: unknown) => unknown) | undefined
  /** Runs once the program has been evaluated; its streams may be running already. */
  readonly onEvaluated?: () => Promise<void>
}

/** One run of a program: its evaluation, and the streams that it started. */
export class ProgramRun implements StreamStarter {
  readonly #options: ProgramRunOptions
  readonly #program: Program
  readonly #streams = new StartedStreams()
  #ordinal = 0
  readonly #handleOf = new WeakMap<StreamValue, Pipeline>()
  readonly #startedAt: number
  #value: unknown = null
  #onFailure: (error: unknown) => void = () => {}
  /** The first failure of a stream that nobody awaited. */
  readonly #failure: Promise<never>
  #closed: string | undefined
  /** While the program is being evaluated: settles with the evaluation, or when it is given up. */
  #evaluation: Promise<unknown> | undefined
  #giveUp: (error: unknown) => void = () => {}
  #isGivenUp = false
  /** What the program has defined so far. */
  #defined: (name: string) => unknown = () => undefined

  constructor(options: ProgramRunOptions) {
    this.#options = options
    this.#startedAt = options.now()
    this.#program = new Program({
      ...options,
      starter: this,
      sleep: (milliseconds) => options.runtime.promise(Effect.sleep(milliseconds)),
      files: options.runtime.services.files,
      network: options.runtime.services.network,
      perform: options.runtime.promise,
      resume: (request, defined) => this.#resume(request, defined),
      mcp: () => this.#mcp,
      show: (value) => toText(value, textLimit()),
      asStream: (value) => (value instanceof Pipeline ? this.#streamOfHandle(value) : toStream(value))
    })
    this.#failure = new Promise((_, reject) => {
      this.#onFailure = reject
    })
    this.#failure.catch(() => {})
  }

  get name(): string {
    return this.#options.name
  }

  get streams(): StartedStreams {
    return this.#streams
  }

  /** Starts a stream for the program (`StreamStarter`). */
  start(value: StreamValue, options: { readonly cold: boolean }): StreamHandle {
    return this.#begin(value, options)
  }

  #begin(value: StreamValue, { cold, ...resumed }: { readonly cold: boolean } & Pick<PipelineOptions, "checkpointId" | "onResumed">): Pipeline {
    if (this.#closed !== undefined) throw new HostUnavailable(`No stream can be started: the program ${this.#closed}.`)
    const { anew, failures, name, runtime } = this.#options
    const ordinal = ++this.#ordinal
    const pipeline = new Pipeline(runtime, { id: ordinal === 1 ? name : `${name}-${ordinal}`, ordinal, value, failures, anew, ...resumed })
    this.#streams.checkRoom(value)
    for (const handle of this.#handlesIn(value)) handle.joinTo(pipeline)
    this.#streams.add(pipeline)
    pipeline.result.catch((error: unknown) => {
      if (!pipeline.isAwaited && pipeline.status === "failed") this.#onFailure(error)
    })
    if (!cold) pipeline.start()
    return pipeline
  }

  /** A stream of this program that runs under this id of its checkpoints. */
  checkpointed(streamId: string): Pipeline | undefined {
    return this.#streams.open.find((stream) => stream.streamId === streamId)
  }

  async #resume({ checkpointId, onResumed, store, streamId }: ResumeRequest, defined: StreamValue | undefined): Promise<StreamHandle> {
    const { runtime } = this.#options
    const running = this.#options.checkpointed(streamId)
    if (running !== undefined) return running
    const kept = await runtime.promise(Effect.flatMap(runtime.storeNamed(store), (opened) => keptStream(opened, streamId)))
    return this.#begin(this.#revive(streamId, kept.stream, defined), { cold: false, checkpointId, onResumed })
  }

  #revive(streamId: string, stored: StoredStream, defined: StreamValue | undefined): StreamValue {
    return reviveStream(streamId, stored, {
      capability: (id) => this.#program.streamCapability(id),
      compile: (source, captured) => this.#compile(source, captured),
      binding: (name) => this.#binding(name),
      defined
    })
  }

  #binding(name: string): StreamFunction | undefined {
    return typeof this.#options.globals.get(name) === "function" ? this.#compile(name, new Map()) : undefined
  }

  get #mcp(): McpContext {
    const { mcp, stateStore } = this.#options.runtime
    return {
      access: mcp,
      stateStore,
      global: (name) => this.#defined(name) ?? this.#binding(name),
      keep: storedStream,
      revive: (id, kept) => this.#revive(id, kept as StoredStream, undefined)
    }
  }

  /** Where names of the program are looked up, for an evaluation of the caller's own. */
  lookUpIn(defined: (name: string) => unknown): void {
    this.#defined = defined
  }

  #compile(source: string, captured: ReadonlyMap<string, unknown>): StreamFunction {
    const { globals, limits, marketplace } = this.#options
    const host = { call: (id: string, args: ReadonlyArray<unknown>) => this.#program.call(id, args), globals: new Map([...globals, ...captured]) }
    return createEvaluator({ ...host, capabilityIds: marketplace.ids() }, limits).evaluateNow(source, { file: "checkpoint" }) as StreamFunction
  }

  /** Performs one call for an evaluation of the caller's own. **Fails** as `Program.call` does. */
  call(id: string, args: ReadonlyArray<unknown>): unknown {
    return this.#program.call(id, args)
  }

  /**
   * The value of the program's last expression. Its streams go on.
   *
   * **Stopping** a call of a binding can't be interrupted; when the program is cancelled, nobody waits for it any more.
   */
  async evaluate(source: string, file: string | undefined): Promise<unknown> {
    const { globals, limits, marketplace } = this.#options
    const evaluator = createEvaluator(
      { call: (id, args) => this.#program.call(id, args), globals, capabilityIds: marketplace.ids() },
      limits
    )
    this.#defined = (name) => evaluator.global(name)
    const evaluation = new Promise((resolve, reject) => {
      this.#giveUp = reject
      evaluator.evaluate(source, file === undefined ? {} : { file }).then(resolve, reject)
    })
    this.#evaluation = evaluation
    try {
      this.#value = await evaluation
      return this.#value
    } finally {
      this.#evaluation = undefined
    }
  }

  /**
   * Evaluates, consumes the last value if it is a stream, and waits until every stream has ended.
   *
   * **Fails** with the program's error, or with that of the first stream that fails; all streams are cancelled then.
   */
  async toEnd(source: string, options: ToEndOptions): Promise<RunReport> {
    try {
      await Promise.race([this.#toEnd(source, options), this.#failure])
      return this.report()
    } catch (error) {
      await this.cancel()
      throw error
    }
  }

  /** Consumes a stream as if it were the program's last value, and waits until every stream has ended. */
  async consume(value: StreamValue, onItem?: (item: unknown) => unknown): Promise<void> {
    const handle = this.#program.consume(value, onItem) as Pipeline
    const result = await Promise.race([handle.result, this.#failure])
    this.#value = onItem === undefined ? result : handle
  }

  report(): RunReport {
    return {
      value: this.#value,
      durationMs: this.#options.now() - this.#startedAt,
      streams: this.#streams.reports(),
      ...this.#streams.counts()
    }
  }

  async pause(): Promise<void> {
    await Promise.all(this.#streams.open.map((stream) => stream.pause()))
  }

  async resume(): Promise<void> {
    await Promise.all(this.#streams.open.filter((stream) => stream.isStarted).map((stream) => stream.resume()))
  }

  /**
   * Starts nothing more, closes the sources, and waits until everything is worked off and the program is evaluated.
   *
   * @returns whether that was so within the time; what was not has been cancelled
   */
  async drain({ timeoutMs = Infinity }: { readonly timeoutMs?: number } = {}): Promise<boolean> {
    this.#closed ??= "is being drained"
    const streams = this.#streams.open
    const isBeingEvaluated = this.#evaluation !== undefined
    const done = Promise.all([this.#evaluation?.catch(() => {}), ...streams.map((stream) => stream.drain({ timeoutMs }))])
    if (!(await this.#options.runtime.promise(isSettledWithin(done, timeoutMs)))) await this.cancel({ withinMs: 0 })
    return !(isBeingEvaluated && this.#isGivenUp) && !streams.some(({ status }) => status === "cancelled")
  }

  /** @param options.withinMs see `Pipeline.cancel` */
  async cancel(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closed ??= "was cancelled"
    this.#isGivenUp = true
    this.#giveUp(new StreamCancelled(this.name, "program"))
    // Those too that are just being cancelled: their counts are final only when they have come down.
    await Promise.all(this.#streams.all.filter((stream) => !stream.isSettled).map((stream) => stream.cancel(options)))
  }

  /** Waits until no stream is left that could still be used: neither running nor only created. */
  async ended(): Promise<void> {
    for (let open = this.#streams.open; open.length > 0; open = this.#streams.open) {
      await Promise.all(open.map((stream) => stream.result.catch(() => {})))
    }
  }

  async #toEnd(source: string, options: ToEndOptions): Promise<void> {
    const value = await this.evaluate(source, options.file)
    await options.onEvaluated?.()
    if (value instanceof StreamValue) await this.consume(value, options.onItem)
    // Callbacks may start further streams, so the end is when a look finds none that goes on.
    for (let live = this.#live(); live.length > 0; live = this.#live()) {
      await Promise.all(live.map((stream) => stream.result.catch(() => {})))
    }
  }

  /** The stream of a handle that waits for its consumer; a copy, by which `start` knows that this is its consumer. */
  #streamOfHandle(handle: Pipeline): StreamValue {
    const stream = handle.value.copy()
    this.#handleOf.set(stream, handle)
    return stream
  }

  #handlesIn(value: StreamValue): ReadonlyArray<Pipeline> {
    const own = this.#handleOf.get(value)
    const inside = [...value.inputs, ...value.subStreams.map(({ stream }) => stream)]
    return [...(own === undefined ? [] : [own]), ...inside.flatMap((input) => this.#handlesIn(input))]
  }

  #live(): ReadonlyArray<Pipeline> {
    return this.#streams.open.filter((stream) => stream.isStarted)
  }
}
