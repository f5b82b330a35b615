import * as Effect from "effect/Effect"
import type { Actor } from "../actors/index.ts"
import type { ShutdownPolicy } from "../capabilities/index.ts"
import type { Checkpointing } from "./Checkpointing.ts"
import { isSettledWithin } from "./isSettledWithin.ts"
import { observe } from "./observe.ts"
import { isOver, type StreamLife } from "./StreamLife.ts"
import { killGraceMs } from "./streamTree.ts"

/** What bringing a stream down needs of it. */
export interface Stoppable {
  readonly id: string
  readonly life: StreamLife
  readonly isStarted: () => boolean
  readonly sources: () => ReadonlyArray<Actor>
  readonly checkpointing: () => Checkpointing | undefined
  /** Its actors are given this long to close what they have opened; with 0 they are killed. */
  readonly terminate: (withinMs: number) => Promise<void>
  /** Takes back what waits in its mailboxes. */
  readonly takeBack: () => void
  /** It has stopped, and that is no failure. */
  readonly endInOrder: () => Promise<void>
  readonly fail: (error: unknown) => Promise<void>
}

export interface StopOptions {
  readonly policy: ShutdownPolicy | undefined
  readonly isCheckpointed: boolean
  readonly promise: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  readonly log: (line: string) => unknown
}

/** What actors that are stopped have together for closing what they have opened. */
export const closingMs = 5000

/** How one stream is brought down: by its `graceful-shutdown`, or as streams without one are; once. */
export class StreamStop {
  /** It is to stop at once, and that is no failure. */
  isHalted = false
  /** Its actors are ended behind the last checkpoint: that is neither a failure nor the stream's end. */
  isBeingSaved = false
  readonly #stream: Stoppable
  readonly #options: StopOptions
  #isBegun = false
  #isTold = false

  constructor(stream: Stoppable, options: StopOptions) {
    this.#stream = stream
    this.#options = options
  }

  /** Brings it down. A second call waits for the same end. @returns whether it was down in time */
  within(timeoutMs: number): Promise<boolean> {
    const within = Math.min(timeoutMs, this.#options.policy?.timeoutMs ?? Infinity)
    if (!this.#isBegun) void this.#begin(within).catch((error: unknown) => this.#stream.fail(error))
    // What is saved in a checkpoint keeps the time itself.
    const slack = this.#strategy === "checkpoint-and-stop" ? 3 * killGraceMs : 0
    return this.#options.promise(isSettledWithin(this.#stream.life.result, within + slack))
  }

  /** Everything has stopped. Whoever is told so may not keep the end from coming. */
  async tell(): Promise<void> {
    const observer = this.#options.policy?.onComplete
    const { isStarted, life } = this.#stream
    if (observer === undefined || this.#isTold || !isStarted()) return
    this.#isTold = true
    const told = observe(observer, undefined)
    // Of a stream that stops in order it has what is left of the time; of one that is cancelled, this little.
    if (life.status !== "cancelled") return void (await life.unlessCancelled(told))
    if (await this.#options.promise(isSettledWithin(told, killGraceMs))) await told
  }

  /** What was handed back would be lost to a checkpointed stream, which is finished by a drain: it is saved instead. */
  get #strategy(): ShutdownPolicy["strategy"] {
    const { isCheckpointed, policy } = this.#options
    const strategy = policy?.strategy
    if (!isCheckpointed) return strategy ?? "drain-all"
    return strategy === undefined || strategy === "finish-current-batch" ? "checkpoint-and-stop" : strategy
  }

  async #begin(timeoutMs: number): Promise<void> {
    this.#isBegun = true
    const { life, sources, takeBack, terminate } = this.#stream
    life.send("drain")
    switch (this.#strategy) {
      case "immediate":
        this.isHalted = true
        return terminate(closingMs)
      case "checkpoint-and-stop":
        return this.#save(timeoutMs)
      case "finish-current-batch":
        takeBack()
    }
    for (const source of sources()) source.drain()
  }

  /**
   * Reads nothing more, saves everything else in a checkpoint, and stops: nothing partial is emitted, no sink is finished,
   * and the next run under the same id goes on. Past the time the last checkpoint stands.
   */
  async #save(timeoutMs: number): Promise<void> {
    const { endInOrder, id, life, sources, terminate } = this.#stream
    const checkpointing = this.#stream.checkpointing()
    // It was told before it had its store: its start looks at that.
    if (checkpointing === undefined) return
    for (const source of sources()) source.pause()
    const stored = this.#options.promise(Effect.tap(checkpointing.rounds.lastRound, () => checkpointing.settled)).then((outcome) => {
      if (outcome.type === "failed") this.#options.log(`The last checkpoint of ${id} failed: ${String(outcome.error)}. The one before it stands.`)
    })
    // It may end by itself meanwhile, when its sources had ended.
    const isInTime = await this.#options.promise(isSettledWithin(Promise.race([stored, life.result.catch(() => {})]), timeoutMs))
    if (isOver(life.status)) return
    this.isBeingSaved = true
    await terminate(isInTime ? closingMs : 0)
    await endInOrder()
  }
}
