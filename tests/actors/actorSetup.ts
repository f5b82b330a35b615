import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import {
  type Actor,
  type ActorCheckpointing,
  type ActorDefinition,
  type ActorFailure,
  type ActorOrder,
  type DeadItem,
  type ItemServices,
  Mailbox,
  makeActor,
  type StageSpec,
  type StreamServices
} from "../../src/actors/index.ts"
import { decodeFrame, type Frame, FrameEncoder, signalValue } from "../../src/serialization/index.ts"

/** Services that no test of this folder asks for anything. */
export const services: StreamServices = {
  files: {
    openForReading: () => Effect.die("not in this test"),
    resolveForWriting: () => Effect.die("not in this test")
  },
  print: () => undefined,
  progress: () => undefined
} as unknown as StreamServices

/** Keeps given-up items in a list. */
export const keeping = (kept: Array<DeadItem>): ItemServices => ({
  errorValue: (error) => error,
  keep: (item) => Effect.sync(() => void kept.push(item))
})

/** Notes barriers; a sealed sink may finish at once. */
export const checkpointing = (onBarrier: ActorCheckpointing["onBarrier"]): ActorCheckpointing => ({
  durable: "test",
  onBarrier,
  onSealed: () => Effect.void
})

export const mailbox = (options: { readonly edges?: number; readonly maxFrames?: number; readonly address?: string } = {}) =>
  Effect.runSync(
    Mailbox.make<ActorOrder>({
      address: options.address ?? "/test",
      edges: options.edges ?? 1,
      maxFrames: options.maxFrames ?? 8,
      maxItems: 1_000_000,
      maxBytes: 1_000_000_000,
      overflow: "backpressure"
    })
  )

export const definition = (given: Partial<ActorDefinition> & Pick<ActorDefinition, "input">): ActorDefinition => ({
  address: "/test/actor",
  stages: [],
  policies: [],
  outputs: [],
  services,
  failures: "end",
  ...given
})

export const actor = (given: Partial<ActorDefinition> & Pick<ActorDefinition, "input">): Actor => makeActor(definition(given))

/** Frames of items for one edge, and the signals between them. */
export class Sender {
  private readonly encoder = new FrameEncoder({ stream: "/test/sender" })
  private readonly target: Mailbox<ActorOrder>
  private readonly edge: number

  constructor(target: Mailbox<ActorOrder>, edge = 0) {
    this.target = target
    this.edge = edge
  }

  items(...items: ReadonlyArray<unknown>): this {
    return this.put(this.encoder.encode(items, 0, items.length, 0))
  }

  signal(kind: "end" | "barrier" | "watermark" | "error" | "directive", value?: unknown): this {
    return this.put(this.encoder.signal(kind, 0, value))
  }

  end(): this {
    return this.signal("end")
  }

  private put(frame: Frame): this {
    if (!this.target.offerNow(this.edge, frame)) throw new Error("the mailbox of the test is full")
    return this
  }
}

/** All that lies in a mailbox, taken out: items as they are, signals as `[kind, value]`. */
export const received = (from: Mailbox<ActorOrder>): Array<unknown> => {
  const all: Array<unknown> = []
  for (let delivery = from.peek(); delivery !== undefined; delivery = from.peek()) {
    const { edge, frame } = delivery
    if (frame.kind === "data") all.push(...decodeFrame(frame))
    else all.push(frame.kind === "end" ? "end" : [frame.kind, signalValue(frame)])
    from.release(edge)
  }
  return all
}

/** One life, to its end. */
export const life = (actor: Actor): Promise<Exit.Exit<void, ActorFailure>> => Effect.runPromiseExit(actor.run(Effect.void))

export const begin = (actor: Actor): Fiber.Fiber<void, ActorFailure> => Effect.runFork(actor.run(Effect.void))

export const kill = (fiber: Fiber.Fiber<void, ActorFailure>): Promise<void> => Effect.runPromise(Fiber.interrupt(fiber))

/** Lets everything run that can run now. */
export const quiet = async (): Promise<void> => {
  // Turns, not milliseconds: a busy machine makes them longer, not fewer.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export const failureOf = (exit: Exit.Exit<void, ActorFailure>): ActorFailure => {
  if (Exit.isSuccess(exit)) throw new Error("the life was expected to fail")
  const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  if (error === undefined) throw new Error(`the life ended with ${String(exit.cause)}`)
  return (error as { readonly error: ActorFailure }).error
}

export const map = (fn: (value: any) => unknown, more: Partial<StageSpec> = {}): StageSpec => ({
  kind: "stage",
  capability: "test.map",
  apply: { fn },
  ...more
})

export const filter = (fn: (value: any) => unknown): StageSpec => ({
  kind: "stage",
  capability: "test.filter",
  apply: { fn, concurrency: { parallelism: 1, offload: "auto", operation: "filter" } },
  then: ({ emit, result, value }) => `if (${result} !== false && ${result} != null) { ${emit(value)} }`
})

export const collect = (): StageSpec => ({
  kind: "stage",
  capability: "test.collect",
  state: { items: () => [] },
  then: ({ state, value }) => `${state("items")}.push(${value})`,
  result: ({ items }) => items
})

export const batch = (size: number, timeoutMs?: number): StageSpec => ({
  kind: "stage",
  capability: "test.batch",
  constants: { size, timeoutMs },
  state: { held: () => [], due: () => Infinity },
  then: ({ constant, emit, local, now, state, value }) =>
    `if (${state("held")}.push(${value}) === 1 && ${constant("timeoutMs")} !== undefined) ${state("due")} = ${now} + ${constant("timeoutMs")};
     if (${state("held")}.length === ${constant("size")}) { const ${local("full")} = ${state("held")}; ${state("held")} = []; ${state("due")} = Infinity; ${emit(local("full"))} }`,
  atEnd: ({ emit, local, state }) =>
    `if (${state("held")}.length > 0) { const ${local("rest")} = ${state("held")}; ${state("held")} = []; ${emit(local("rest"))} }`,
  ...(timeoutMs === undefined
    ? {}
    : {
        timer: {
          at: "due",
          fire: ({ emit, local, state }) => `const ${local("late")} = ${state("held")}; ${state("held")} = []; ${emit(local("late"))}`
        }
      })
})

export const fromArray = (items: ReadonlyArray<unknown>) => ({
  source: {
    kind: "sync-source" as const,
    capability: "test.array",
    open: () => ({ items, total: items.length, pull: () => 0, position: () => 0, seek: () => undefined })
  }
})

/** A generator of `count` rising numbers; `fails` makes a pull throw, `waits` makes it a promise. */
export const counting = (count: number, options: { readonly fails?: () => boolean; readonly waits?: () => boolean } = {}) => {
  const pulls: Array<number> = []
  return {
    pulls,
    source: {
      kind: "sync-source" as const,
      capability: "test.counting",
      open: () => {
        let next = 0
        return {
          pull: (into: Array<unknown>, max: number) => {
            pulls.push(max)
            if (options.fails?.() === true) throw new Error("the generator failed")
            const given = Math.min(max, count - next)
            const give = () => {
              for (let i = 0; i < given; i++) into.push(next++)
              return given
            }
            return options.waits?.() === true ? Promise.resolve().then(give) : give()
          },
          position: () => next,
          seek: (position: unknown) => {
            next = position as number
          }
        }
      }
    }
  }
}
