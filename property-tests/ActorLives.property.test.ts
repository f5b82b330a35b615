import { setImmediate as nextTurn } from "node:timers/promises"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  type Actor,
  type ActorFailure,
  type ActorOrder,
  Mailbox,
  makeActor,
  type StageSpec,
  type StreamServices
} from "../src/actors/index.ts"
import { decodeFrame, FrameEncoder } from "../src/serialization/index.ts"
import { chain, type Fault, faults, items } from "./arbitraries/chains.ts"
import type { StageModel } from "./models/StageModel.ts"

const runs = { numRuns: Number(process.env["FC_RUNS"] ?? 150) }

/** What happens between two looks at the actor. */
interface Step {
  readonly offer: boolean
  readonly drain: boolean
  /** Microtasks to let pass; beyond 6 a turn of the event loop. */
  readonly wait: number
  readonly kill: boolean
}

interface Situation {
  readonly models: ReadonlyArray<StageModel>
  readonly faults: ReadonlyArray<Fault>
  /** Lengths of the frames, in turn. */
  readonly frames: ReadonlyArray<number>
  /** A stage with several calls under way at the end of the chain. */
  readonly parallelism: number
  readonly room: number
  readonly frameItems: number
  readonly steps: ReadonlyArray<Step>
}

const situation: fc.Arbitrary<Situation> = fc.record({
  models: chain,
  faults,
  frames: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
  parallelism: fc.integer({ min: 1, max: 3 }),
  room: fc.integer({ min: 1, max: 3 }),
  frameItems: fc.constantFrom(1, 3, 512),
  steps: fc.array(fc.record({ offer: fc.boolean(), drain: fc.boolean(), wait: fc.nat(8), kill: fc.boolean() }), { maxLength: 25 })
})

const services = { progress: () => undefined, print: () => undefined } as unknown as StreamServices

const makeMailbox = (maxFrames: number): Mailbox<ActorOrder> =>
  Effect.runSync(
    Mailbox.make<ActorOrder>({ address: "/test", edges: 1, maxFrames, maxItems: 1e9, maxBytes: 1e9, overflow: "backpressure" })
  )

/** Calls that fail and wait as the situation has it; none fails more often than an item may end its actor. */
const faulty = (schedule: ReadonlyArray<Fault>) => {
  let calls = 0
  const failures = new Map<string, number>()
  return (compute: () => unknown, value: unknown): unknown => {
    const fault = schedule[calls++] ?? "works"
    const key = JSON.stringify(value)
    const mayFail = (failures.get(key) ?? 0) < 2
    if (mayFail && (fault === "throws" || fault === "promises-and-fails")) {
      failures.set(key, (failures.get(key) ?? 0) + 1)
      if (fault === "throws") throw new Error("thrown")
      return Promise.reject(new Error("rejected"))
    }
    return fault === "promises" ? Promise.resolve().then(compute) : compute()
  }
}

class Test {
  readonly output: Array<unknown> = []
  isEnded = false
  private readonly input: Mailbox<ActorOrder>
  private readonly target: Mailbox<ActorOrder>
  private readonly actor: Actor
  private readonly encoder = new FrameEncoder({ stream: "/test/sender" })
  private rest: ReadonlyArray<unknown>
  private readonly situation: Situation
  private sent = 0
  private isClosed = false
  private life: Fiber.Fiber<void, ActorFailure> | undefined

  constructor(input: ReadonlyArray<number>, situation: Situation) {
    this.rest = input
    this.situation = situation
    this.input = makeMailbox(2)
    this.target = makeMailbox(situation.room)
    const call = faulty(situation.faults)
    const last: StageSpec = {
      kind: "stage",
      capability: "test.last",
      apply: {
        fn: (value: number) => call(() => value + 1, value),
        concurrency: { parallelism: situation.parallelism, offload: "never", operation: "map" }
      }
    }
    const stages = [...situation.models.flatMap((model) => model.stage(call)), last]
    this.actor = makeActor({
      address: "/test/actor",
      input: { mailbox: this.input, edges: 1 },
      stages,
      policies: [],
      outputs: [{ mailbox: this.target, edge: 0 }],
      services,
      failures: "restart",
      frames: { items: situation.frameItems, bytes: 65_536 },
      items: { errorValue: (error) => error, keep: () => assert.fail("no item may end three lives here") }
    })
  }

  async step({ drain, kill, offer, wait }: Step): Promise<void> {
    if (offer) this.offer()
    if (this.life?.pollUnsafe() !== undefined) this.life = undefined
    this.life ??= Effect.runFork(this.actor.run(Effect.void))
    if (wait > 6) await nextTurn()
    else for (let i = 0; i < wait; i++) await Promise.resolve()
    if (kill && this.life.pollUnsafe() === undefined) {
      this.life.interruptUnsafe()
      await nextTurn()
      this.life = undefined
    }
    if (drain) this.drain()
  }

  private offer(): void {
    const count = this.situation.frames[this.sent % this.situation.frames.length]!
    if (this.rest.length > 0) {
      const items = this.rest.slice(0, count)
      if (!this.input.offerNow(0, this.encoder.encode(items, 0, items.length, 0))) return
      this.rest = this.rest.slice(count)
      this.sent++
    } else if (!this.isClosed) this.isClosed = this.input.offerNow(0, this.encoder.signal("end", 0))
  }

  private drain(): void {
    for (let delivery = this.target.peek(); delivery !== undefined; delivery = this.target.peek()) {
      assert.isFalse(this.isEnded, "nothing comes after the end")
      if (delivery.frame.kind === "end") this.isEnded = true
      else {
        assert.isAtMost(delivery.frame.count, this.situation.frameItems)
        this.output.push(...decodeFrame(delivery.frame))
      }
      this.target.release(0)
    }
  }
}

describe("the lives of an actor", () => {
  it("SV-13 OP-3: give what one long life gives, however the input is framed, functions fail or wait, and lives are ended", () =>
    fc.assert(
      fc.asyncProperty(items, situation, async (input, situation) => {
        const test = new Test(input, situation)
        for (const step of situation.steps) await test.step(step)
        for (let i = 0; i < 2000 && !test.isEnded; i++) await test.step({ offer: true, drain: true, wait: 7, kill: false })
        const expected = situation.models.reduce<ReadonlyArray<number>>((list, model) => model.list(list, () => true), input)
        assert.deepEqual(
          test.output,
          expected.map((value) => value + 1)
        )
        assert.isTrue(test.isEnded)
      }),
      runs
    ))
})
