import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { StreamHost } from "rtfs-streams/effect"
import type { Row } from "./rows.ts"

/** What happened to a program on a host whose clock only the test moves. */
export class Contract {
  /** What came to the end of the stream. */
  readonly out: Array<unknown> = []
  /** The items that `seen` (before the capability) and `work` (in it) were called with, each time. */
  readonly seen: Array<number> = []
  readonly worked: Array<unknown> = []
  readonly told: Array<string> = []
  /** Items that the source was asked for, and how often it was closed. */
  readonly source = { opened: 0, given: 0, closed: 0 }
  readonly root: string
  /** What happens in a call, before anything else does; what it gives is waited for. */
  onSeen: (item: number) => unknown = () => undefined
  onWork: (item: unknown) => unknown = () => undefined
  onOut: (value: unknown) => unknown = () => undefined
  /** Whether a generator of the row never ends. */
  isEndless = false
  readonly items: ReadonlyArray<number>
  readonly #row: Row

  constructor(row: Row, items: ReadonlyArray<number>, root = mkdtempSync(join(tmpdir(), "rtfs-streams-contract-"))) {
    this.#row = row
    this.items = items
    this.root = root
    writeFileSync(join(this.root, "items.ndjson"), items.map((item) => `${item}\n`).join(""))
  }

  get bindings(): Record<string, unknown> {
    const shown = this.#row.shown ?? ((value: unknown) => value)
    return {
      items: this.items,
      iterable: () => this.#iterable(this.items),
      "endless-iterable": () => this.#iterable(endless()),
      endless: this.#iterable(endless()),
      seen: (item: number) => {
        this.seen.push(item)
        return after(this.onSeen(item), () => item)
      },
      work: (...args: ReadonlyArray<unknown>) => {
        const item = args[this.#row.item ?? 0]
        this.worked.push(item)
        return after(this.onWork(item), () => (this.isEndless ? this.#row.endless! : this.#row.work!)(...args))
      },
      out: (value: unknown) => {
        this.out.push(shown(value))
        return this.onOut(value)
      },
      plus: (item: number) => item + 1,
      handle: () => "fail",
      completed: () => void this.told.push("completed"),
      failed: () => void this.told.push("failed")
    }
  }

  /** The program: the source, what sees each item, the capability, and what takes what comes out. */
  program(more = "", input = "items"): string {
    const { call, role } = this.#row
    if (role === "source") return `(call :stream.await (call :stream.for-each ${call("", more)} {:callback out}))`
    const called = call(`(call :stream.map ${input} {:transform seen})`, more)
    return role === "sink" ? `(call :stream.await ${called})` : `(call :stream.await (call :stream.for-each ${called} {:callback out}))`
  }

  /** The same with checkpoints: the result is all that came out, or that of a sink. */
  checkpointed(): string {
    const { call, role } = this.#row
    const input = "(call :stream.map items {:transform seen})"
    const saved = (stream: string) =>
      `(call :stream.with-checkpointing ${stream} {:stream-id "contract" :every-n-items 1 :checkpoint-interval 3600000})`
    if (role === "sink") return `(call :stream.await ${call(saved(input), "")})`
    const stream = role === "source" ? `(call :stream.map ${call("", "")} {:transform seen})` : call(input, "")
    return `(call :stream.await (call :stream.reduce ${saved(stream)} {:initial [] :reducer (fn [all x] (conj all x)) :on-result (fn [all] all)}))`
  }

  /** What came out, or the value of a sink, as rows have it. */
  outcome(value: unknown): unknown {
    const { role, shown } = this.#row
    if (role !== "sink") return this.out
    return shown === undefined || value === null ? value : shown(value)
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  *#source(items: Iterable<number>): Generator<number> {
    this.source.opened++
    try {
      for (const item of items) {
        this.source.given++
        yield item
      }
    } finally {
      this.source.closed++
    }
  }

  #iterable(items: Iterable<number>): Iterable<number> {
    return { [Symbol.iterator]: () => this.#source(items) }
  }
}

function* endless() {
  for (let item = 1; ; item++) yield item
}

const after = (waited: unknown, then: () => unknown): unknown => (waited instanceof Promise ? waited.then(then) : then())

/** Lets everything happen that needs no time. */
export const settle = Effect.repeat(
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
  { times: 15 }
)

/** Lets things happen until the condition holds. It fails if it never does. */
export const until = (condition: () => boolean, step = 0): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; !condition(); turn++) {
      if (turn > 20_000) return yield* Effect.die(new Error(`This never came to hold: ${String(condition)}`))
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      if (step > 0) yield* TestClock.adjust(step)
    }
  })

/** Moves the clock by ms until the fiber has ended. */
export const ended = <A, E>(fiber: Fiber.Fiber<A, E>, step = 0): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.gen(function* () {
    for (let turn = 0; fiber.pollUnsafe() === undefined; turn++) {
      if (turn > 5000) return yield* Effect.die(new Error("The program does not end."))
      // A disk may take its time.
      yield* Effect.promise(() => new Promise((resolve) => (turn > 200 ? setTimeout(resolve, 1) : setImmediate(resolve))))
      yield* TestClock.adjust(turn > 50 ? step : 0)
    }
    return fiber.pollUnsafe()!
  })

/** Uses a host whose clock only the test moves. */
export const onHost = <A, E>(
  contract: Contract,
  use: (host: StreamHost["Service"]) => Effect.Effect<A, E, Scope.Scope>,
  options: { readonly store?: string } = {}
): Promise<A> =>
  Effect.gen(function* () {
    return yield* use(yield* StreamHost)
  }).pipe(
    Effect.provide(
      StreamHost.layer({
        bindings: contract.bindings,
        policy: { all: true, fsRoot: contract.root },
        print: () => {},
        log: () => {},
        ...options
      })
    ),
    Effect.scoped,
    Effect.provide(TestClock.layer()),
    Effect.runPromise
  )
