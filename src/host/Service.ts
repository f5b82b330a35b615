import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { type HandleReport, type HandleStatus, StreamHandle } from "../capabilities/index.ts"
import type { ChildExit, ChildSpec, Directive, Supervisor } from "../supervisors/index.ts"
import { StreamCancelled } from "./errors.ts"
import type { SpawnOptions } from "./HostOptions.ts"
import type { ProgramRun } from "./ProgramRun.ts"
import { noItems } from "./Report.ts"
import { rootCause } from "./rootCause.ts"

export interface ServiceOptions extends SpawnOptions {
  readonly source: string
  /** The supervisor of all services: it restarts this one. */
  readonly supervisor: Supervisor
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** @param anew the life before ended well, so a stream whose checkpoint says that it has ended begins anew */
  readonly newRun: (options: { readonly anew: boolean }) => ProgramRun
  /** The run has ended with all its streams. */
  readonly forget: (run: ProgramRun) => void
}

/**
 * A program that runs under supervision until it is told to end. Each life of it is a run of its own: its streams are
 * started anew by the program's text.
 */
export class Service extends StreamHandle {
  readonly id: string
  readonly result: Promise<unknown>
  readonly #options: ServiceOptions
  #settle!: { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  #run: ProgramRun | undefined
  #lives = 0
  #endedWell = false
  #value: unknown = null
  #status: HandleStatus = "created"
  #lastError: unknown

  constructor(options: ServiceOptions) {
    super()
    this.id = options.name
    this.#options = options
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.result.catch(() => {})
  }

  get status(): HandleStatus {
    return this.#status
  }

  awaitResult(): Promise<unknown> {
    return this.result
  }

  /** Completes once the program has been evaluated for the first time. **Fails** with what keeps it from starting. */
  start(): Promise<void> {
    const { fork, supervisor } = this.#options
    return new Promise((resolve, reject) => {
      // One of this name that has ended leaves it; one that goes on does not, and adding fails.
      const added = Effect.andThen(Effect.ignore(supervisor.deleteChild(this.id)), supervisor.addChild(this.#child))
      const started = Effect.matchEffect(added, {
        onFailure: (error) =>
          Effect.sync(() => {
            this.#end("failed", rootCause(error))
            this.result.then(() => resolve(), reject)
          }),
        onSuccess: () => Effect.sync(resolve)
      })
      fork(started)
    })
  }

  /**
   * What the supervisor of all services does about the end of one life. A service that has spent its restarts ends, with
   * its last error: the others, and the process that embeds them, go on.
   */
  decide({ exit, otherwise }: ChildExit): Directive {
    if (Exit.isFailure(exit)) this.#lastError = rootCause(exit.cause)
    if (isOver(this.#status) || this.#status === "draining") return { type: "stop" }
    if (otherwise.type === "restart") return otherwise
    if (Exit.isFailure(exit)) this.#end("failed", this.#lastError)
    else this.#end("completed", this.#value)
    return { type: "stop" }
  }

  async pause(): Promise<void> {
    if (this.#status === "running") this.#status = "paused"
    await this.#run?.pause()
  }

  async resume(): Promise<void> {
    if (this.#status === "paused") this.#status = "running"
    await this.#run?.resume()
  }

  async drain(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (isOver(this.#status)) return
    this.#status = "draining"
    const isDone = (await this.#run?.drain(options)) ?? true
    if (isDone) this.#end("stopped", this.#value)
    else this.#end("cancelled", new StreamCancelled(this.id, "service"))
    await this.#terminate()
  }

  async cancel(): Promise<void> {
    if (isOver(this.#status)) return
    this.#end("cancelled", new StreamCancelled(this.id, "service"))
    await this.#run?.cancel()
    await this.#terminate()
  }

  /** Of its present life. */
  report(): HandleReport {
    const counts = this.#run?.streams.counts() ?? noItems
    return { id: this.id, status: this.#status, ...counts }
  }

  inspect(): unknown {
    return {
      id: this.id,
      status: this.#status,
      restarts: Math.max(0, this.#lives - 1),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError instanceof Error ? this.#lastError.message : String(this.#lastError) }),
      streams: this.#run?.streams.all.map((stream) => stream.inspect()) ?? []
    }
  }

  get #child(): ChildSpec {
    const { name, restart = "permanent" } = this.#options
    return {
      id: name,
      restart,
      shutdown: "infinity",
      run: ({ onShutdown, ready }) =>
        onShutdown(() => Effect.promise(async () => this.#run?.drain())).pipe(
          Effect.andThen(this.#live(ready)),
          Effect.onExit(() => Effect.promise(() => this.#endLife()))
        )
    }
  }

  /** One life: the program is evaluated, then its streams run to their end. */
  #live(ready: Effect.Effect<void>): Effect.Effect<unknown, unknown> {
    return Effect.suspend(() => {
      const run = this.#options.newRun({ anew: this.#endedWell })
      this.#endedWell = false
      this.#run = run
      this.#lives++
      if (this.#status === "created") this.#status = "running"
      const { file, source } = this.#options
      return Effect.tryPromise({
        try: () =>
          run.toEnd(source, {
            file,
            // A service has no reader for the items of its last value: it is run for its effects.
            onItem: () => {},
            onEvaluated: async () => {
              if (this.#status === "paused") await run.pause()
              Effect.runSync(ready)
            }
          }),
        catch: (error) => error
      }).pipe(
        Effect.map((report) => {
          this.#endedWell = true
          this.#value = report.value
        })
      )
    })
  }

  async #endLife(): Promise<void> {
    if (this.#run === undefined) return
    await this.#run.cancel()
    this.#options.forget(this.#run)
  }

  #terminate(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.fork(Effect.ensuring(Effect.ignore(this.#options.supervisor.terminateChild(this.id)), Effect.sync(resolve)))
    })
  }

  #end(status: "completed" | "stopped" | "cancelled" | "failed", outcome: unknown): void {
    if (isOver(this.#status)) return
    this.#status = status
    if (status === "completed" || status === "stopped") this.#settle.resolve(outcome ?? null)
    else this.#settle.reject(outcome)
  }
}

const isOver = (status: HandleStatus): boolean => ["completed", "stopped", "cancelled", "failed"].includes(status)
