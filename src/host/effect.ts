import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Diagnostic } from "../rtfs/index.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"
import type { Explanation } from "./Explanation.ts"
import { Flow } from "./Flow.ts"
import type { Handle } from "./Handle.ts"
import { HostCore } from "./HostCore.ts"
import type { MarketplaceAccess } from "./MarketplaceAccess.ts"
import type { HostOptions, RunOptions, SpawnOptions } from "./HostOptions.ts"
import type { RunReport } from "./Report.ts"

/** What a program, a flow or the host failed with; `cause` is the error as the promise surface gives it. */
export class HostFailure extends Data.TaggedError("HostFailure")<{ readonly cause: unknown; readonly message: string }> {}

/**
 * The host as an Effect service: the same surface as the promises of the package's main entry, in the clock, the logger
 * and the scope of the program that it is part of. Under a test clock its time is virtual.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const host = yield* StreamHost
 *   return yield* host.eval("(+ 1 2)")
 * }).pipe(Effect.provide(StreamHost.layer({ policy: { read: ["./data"] } })))
 * ```
 */
export class StreamHost extends Context.Service<StreamHost, {
  readonly eval: (source: string, options?: { readonly file?: string }) => Effect.Effect<unknown, HostFailure>
  /** Interrupting it cancels the program. */
  readonly run: (source: string, options?: Omit<RunOptions, "onStart">) => Effect.Effect<RunReport, HostFailure>
  readonly runFlow: (flow: Flow<unknown>, options?: Pick<RunOptions, "timeoutMs">) => Effect.Effect<RunReport, HostFailure>
  readonly spawn: (source: string, options: SpawnOptions) => Effect.Effect<Handle, HostFailure>
  /** The items of a flow; ending the stream early cancels the flow. */
  readonly stream: <Item>(flow: Flow<Item>) => Stream.Stream<Item, HostFailure>
  readonly expand: (source: string) => Effect.Effect<string, HostFailure>
  readonly check: (source: string) => Effect.Effect<ReadonlyArray<Diagnostic>>
  readonly explain: (source: string) => Effect.Effect<Explanation, HostFailure>
  /** What the host offers to its programs under ids, and who used it. */
  readonly marketplace: MarketplaceAccess
  readonly capabilities: Effect.Effect<ReadonlyArray<CapabilityDescription>>
  readonly inspect: Effect.Effect<unknown>
  readonly drain: (options?: { readonly timeoutMs?: number }) => Effect.Effect<void>
}>()("rtfs-streams/host/StreamHost") {
  /** The host, released with the layer's scope: streams that still run are cancelled, so drain it before if they matter. */
  static readonly layer = (options: HostOptions = {}): Layer.Layer<StreamHost, HostFailure> =>
    Layer.effect(StreamHost, Effect.map(Effect.mapError(HostCore.make(options), asFailure), serviceOf))
}

/** A flow of the items of an Effect stream, which it pulls on demand. */
export const fromStream = <Item, E>(stream: Stream.Stream<Item, E>): Flow<Item> => Flow.from(Stream.toAsyncIterable(stream))

const serviceOf = (core: HostCore): StreamHost["Service"] => ({
  eval: (source, options = {}) => attempt(() => core.eval(source, options)),
  run: (source, options = {}) => cancellable((onStart) => core.run(source, { ...options, onStart })),
  runFlow: (flow, options = {}) => cancellable((onStart) => core.runFlow(flow, { ...options, onStart })),
  spawn: (source, options) => attempt(() => core.spawn(source, options)),
  stream: (flow) => Stream.fromAsyncIterable(core.stream(flow), asFailure) as Stream.Stream<never, HostFailure>,
  expand: (source) => Effect.try({ try: () => core.expand(source), catch: asFailure }),
  check: (source) => Effect.sync(() => core.check(source, {})),
  explain: (source) => attempt(() => core.explain(source, {})),
  marketplace: core.market.access,
  capabilities: Effect.sync(() => core.capabilities()),
  inspect: Effect.sync(() => core.inspect()),
  drain: (options = {}) => Effect.promise(() => core.drain(options))
})

const asFailure = (cause: unknown): HostFailure =>
  new HostFailure({ cause, message: cause instanceof Error ? cause.message : String(cause) })

const attempt = <A>(body: () => Promise<A>): Effect.Effect<A, HostFailure> => Effect.tryPromise({ try: body, catch: asFailure })

const cancellable = <A>(body: (onStart: NonNullable<RunOptions["onStart"]>) => Promise<A>): Effect.Effect<A, HostFailure> =>
  Effect.callback((resume) => {
    let cancel: (() => Promise<void>) | undefined
    let isInterrupted = false
    const settled = body((program) => {
      cancel = program.cancel
      if (isInterrupted) void cancel()
    }).then(
      (value) => resume(Effect.succeed(value)),
      (error: unknown) => resume(Effect.fail(asFailure(error)))
    )
    return Effect.promise(() => {
      isInterrupted = true
      // What has not begun yet is cancelled as soon as it does.
      return cancel === undefined ? settled : cancel()
    })
  })
