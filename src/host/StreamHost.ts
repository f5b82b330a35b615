import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Diagnostic } from "../rtfs/index.ts"
import type { Explanation } from "./Explanation.ts"
import type { CapabilityDescription } from "./CapabilityDescription.ts"
import type { DeadLetterAccess } from "./DeadLetterAccess.ts"
import type { QueueContents } from "./QueueContents.ts"
import type { Flow } from "./Flow.ts"
import type { Handle } from "./Handle.ts"
import { HostCore } from "./HostCore.ts"
import { isSettledWithin } from "./isSettledWithin.ts"
import type { HostOptions, RunOptions, SpawnOptions } from "./HostOptions.ts"
import type { MarketplaceAccess } from "./MarketplaceAccess.ts"
import type { McpServerAccess } from "./McpServerAccess.ts"
import type { Records } from "./Records.ts"
import type { RunReport } from "./Report.ts"
import type { Session, SessionOptions } from "./Session.ts"

/** What closing takes at most beyond the time to drain: files, stores and threads of a host whose streams are down. */
const closingMs = 1000

/**
 * Runs RTFS programs and flows as supervised trees of actors, inside the process that embeds it.
 *
 * Nothing of a program's failure reaches the embedding process but through what these methods return. A host bounds its
 * mailboxes by `memory` and grants programs only what its policy says.
 *
 * ```ts
 * await using host = await StreamHost.start({ policy: { read: ["./data"] } })
 * const report = await host.run(`(call :stream.file.read "data/a.txt" {:format :lines})`)
 * ```
 */
export class StreamHost implements AsyncDisposable {
  readonly #core: HostCore
  readonly #scope: Scope.Closeable
  #stopping: Promise<void> | undefined

  private constructor(core: HostCore, scope: Scope.Closeable) {
    this.#core = core
    this.#scope = scope
  }

  /**
   * Starts a host. **Fails** with `InvalidHostOption`, which names the option and what it may be; with `DataDirectoryInUse`
   * where another host, of this process or another, has its `dataDir`.
   */
  static async start(options: HostOptions = {}): Promise<StreamHost> {
    const scope = Scope.makeUnsafe()
    const making = Effect.onExit(Scope.provide(HostCore.make(options), scope), (exit) =>
      Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void
    )
    return new StreamHost(await Effect.runPromise(making), scope)
  }

  /**
   * The value of a program's last expression, as plain JavaScript: keywords as `Keyword`, handles as `Handle`. Streams that
   * it started go on.
   *
   * **Fails** with an `RtfsError` that tells where, or with what a capability failed with.
   */
  eval(source: string, options: { readonly file?: string } = {}): Promise<unknown> {
    return this.#core.eval(source, options)
  }

  /**
   * Runs a program until every stream that it started has ended. If its last value is a stream, that is consumed too: each
   * item goes to `onItem`, or they are collected as the report's value.
   *
   * **Fails** at once with the error of the first stream that fails; the others are cancelled. With `PermissionDenied`
   * before anything was done, where the program's text names something that the policy does not grant.
   */
  run(source: string, options: RunOptions = {}): Promise<RunReport> {
    return this.#core.run(source, options)
  }

  /** Consumes a flow that ends in a sink, or collects its items, and gives the report. */
  runFlow(flow: Flow<unknown>, options: Pick<RunOptions, "timeoutMs"> = {}): Promise<RunReport> {
    return this.#core.runFlow(flow, options)
  }

  /** The items of a flow. Nothing is read ahead of the loop but what the mailboxes hold; leaving the loop cancels. */
  stream<Item>(flow: Flow<Item>): AsyncIterableIterator<Item> {
    return this.#core.stream(flow) as AsyncIterableIterator<Item>
  }

  /** Runs a program as a supervised service: it restarts as `restart` says, and goes on until it is drained or cancelled. */
  spawn(source: string, options: SpawnOptions): Promise<Handle> {
    return this.#core.spawn(source, options)
  }

  /**
   * Evaluates inputs that see each other's definitions: a REPL, or a conversation with an agent.
   *
   * **Fails** by throwing `HostUnavailable` once the host was stopped.
   */
  session(options: SessionOptions = {}): Session {
    return this.#core.session(options)
  }

  /** Items that were given up on, in the host's store. */
  get deadLetters(): DeadLetterAccess {
    return this.#core.deadLetters
  }

  /** The queues in the host's store: what they hold, and the messages that consumers put aside. */
  get queues(): QueueContents {
    return this.#core.queues
  }

  /** The MCP servers and endpoints that the host's options name, what a server offers, and what is kept of MCP streams. */
  get mcp(): McpServerAccess {
    return this.#core.mcp
  }

  /**
   * Small values of the embedder under names, in the host's store: they are there again after a restart where the store is.
   *
   * **Fails** with `StreamInUse` while another host on the same store has those of this name, and with `StoreFailure`.
   */
  records(name: string): Promise<Records> {
    return this.#core.records(name, this.#scope)
  }

  /** What the host offers to its programs under ids, and who used it. */
  get marketplace(): MarketplaceAccess {
    return this.#core.market.access
  }

  /** The program after macros and stream forms are lowered. */
  expand(source: string): string {
    return this.#core.expand(source)
  }

  /** All that is wrong with a program, without running it. */
  check(source: string, options: { readonly file?: string } = {}): ReadonlyArray<Diagnostic> {
    return this.#core.check(source, options)
  }

  /** What the program would do: pipelines, boundaries, bounds, effects. Runs nothing and touches nothing. */
  explain(source: string, options: { readonly file?: string } = {}): Promise<Explanation> {
    return this.#core.explain(source, options)
  }

  capabilities(): ReadonlyArray<CapabilityDescription> {
    return this.#core.capabilities()
  }

  /** **Fails** by throwing `UnknownCapability`, which names the nearest id. */
  capability(id: string): CapabilityDescription {
    return this.#core.capability(id)
  }

  /** The supervision tree and what each stream is doing, as plain data. */
  inspect(): unknown {
    return this.#core.inspect()
  }

  /** The running service, stream or MCP stream of this id, to pause, resume, drain or cancel it; a service hides its stream of the same id. */
  handle(id: string): Handle | undefined {
    return this.#core.handle(id)
  }

  /** Drains every stream and service: sources close, what is in flight is worked off. The host stays usable. */
  drain(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#core.drain(options)
  }

  /** Drains within `timeout` milliseconds (by default 30 s), cancels what is left, releases everything. Idempotent. */
  stop({ timeout = 30_000 }: { readonly timeout?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(timeout)
    return this.#stopping
  }

  async #stop(timeout: number): Promise<void> {
    const deadline = performance.now() + timeout + closingMs
    await this.#core.drain({ timeoutMs: timeout })
    const closed = Effect.runPromise(Scope.close(this.#scope, Exit.void))
    const left = Math.max(closingMs, deadline - performance.now())
    const isClosed = await Effect.runPromise(isSettledWithin(closed, left))
    if (isClosed) return closed
    closed.catch(() => {})
    process.emitWarning(
      "The host has stopped, but something that it had opened does not close: a store, a file or a worker thread. It is left behind.",
      { type: "HostCloseAbandoned" }
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
