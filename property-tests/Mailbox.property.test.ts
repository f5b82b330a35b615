import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Mailbox, type MailboxClosed, type MailboxFull, type Overflow } from "../src/actors/index.ts"
import { Frame, type FrameKind } from "../src/serialization/index.ts"
import { type Bounds, bytesOf, type EdgeModel, isData, isWithin, itemsOf, offered } from "./models/MailboxModel.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)
const timeout = 30_000 + numRuns * 20

type Shape = { readonly kind: FrameKind; readonly count: number; readonly bytes: number }

type Step =
  | { readonly do: "offerNow" | "offer"; readonly edge: number; readonly sender: number; readonly shape: Shape }
  | { readonly do: "interrupt"; readonly which: number }
  | { readonly do: "peek" | "work" | "rewind" | "settle" | "microtask" | "close" }
  | { readonly do: "block" | "unblock" | "peekFrom" | "workFrom"; readonly edge: number }

const shape: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("data" as const), count: fc.integer({ min: 1, max: 6 }), bytes: fc.nat(60) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("watermark", "barrier", "end", "error"), count: fc.constant(0), bytes: fc.nat(9) })
  }
)

const steps = (edges: number): fc.Arbitrary<Array<Step>> => {
  const edge = fc.nat(edges - 1)
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("offerNow", "offer", "offer"), edge, sender: fc.nat(2), shape }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("peek", "work", "work", "work", "settle", "microtask", "rewind") }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("block", "unblock", "peekFrom", "workFrom"), edge }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("interrupt"), which: fc.nat(9) }) }
    ) as fc.Arbitrary<Step>,
    { size: "+1", maxLength: 60 }
  )
}

const situation = fc
  .record({
    edges: fc.integer({ min: 1, max: 3 }),
    overflow: fc.constantFrom<Overflow>("backpressure", "drop-oldest", "drop-newest", "fail"),
    maxFrames: fc.integer({ min: 1, max: 4 }),
    maxItems: fc.integer({ min: 1, max: 12 }),
    maxBytes: fc.integer({ min: 40, max: 400 })
  })
  .chain((options) => steps(options.edges).map((all) => ({ ...options, steps: all })))

/** Runs the steps against a mailbox and, beside it, against lists. What the lists know is asserted after every step. */
class World {
  readonly edges: ReadonlyArray<EdgeModel>
  readonly offers: Array<{ frame: Frame; edge: number; sender: number; fiber: Fiber.Fiber<void, MailboxFull | MailboxClosed> }> = []
  readonly sent: Array<{ frame: Frame; edge: number; sender: number }> = []
  readonly received: Array<Frame> = []
  readonly dropped: Array<Frame> = []
  readonly mailbox: Mailbox
  readonly bounds: Bounds
  readonly overflow: Overflow
  private sequence = 0

  constructor(options: Bounds & { readonly edges: number; readonly overflow: Overflow }) {
    this.bounds = options
    this.overflow = options.overflow
    this.edges = Array.from({ length: options.edges }, () => ({ held: [], inWork: undefined, isBlocked: false }))
    this.mailbox = Effect.runSync(
      Mailbox.make({
        address: "/test",
        ...options,
        highWaterMark: options.maxFrames,
        lowWaterMark: 0,
        onDrop: (edge, frame) => this.drop(edge, frame)
      })
    )
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "offerNow": {
        const frame = this.frame(step)
        const edge = this.edges[step.edge]!
        const isQueued = this.waitingAt(step.edge) > 0
        const expected = isQueued
          ? { isDealtWith: this.overflow.startsWith("drop") && isData(frame), gone: [frame] }
          : offered(edge, frame, this.bounds, this.overflow)
        const before = this.dropped.length
        const isDealtWith = this.mailbox.offerNow(step.edge, frame)
        assert.strictEqual(isDealtWith, expected.isDealtWith)
        if (isDealtWith) {
          assert.deepStrictEqual(this.dropped.slice(before), expected.gone)
          this.sent.push({ frame, edge: step.edge, sender: step.sender })
          if (!expected.gone.includes(frame)) edge.held.push(frame)
        }
        break
      }
      case "offer": {
        // A sender sends one after the other.
        if (this.offers.some(({ sender, edge, fiber }) => sender === step.sender && edge === step.edge && fiber.pollUnsafe() === undefined))
          break
        const frame = this.frame(step)
        const entry = { frame, edge: step.edge, sender: step.sender }
        const fiber = Effect.runFork(
          Effect.andThen(
            this.mailbox.offer(step.edge, frame),
            Effect.sync(() => {
              this.sent.push(entry)
              if (!this.dropped.includes(frame)) this.edges[step.edge]!.held.push(frame)
            })
          )
        )
        this.offers.push({ ...entry, fiber })
        break
      }
      case "interrupt": {
        const waiting = this.offers.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
        // Not awaited: whatever is under way for this sender meets the interruption.
        waiting[step.which % Math.max(1, waiting.length)]?.fiber.interruptUnsafe()
        break
      }
      case "peek":
        this.peek()
        break
      case "peekFrom":
        this.peekFrom(step.edge)
        break
      case "workFrom":
        if (this.peekFrom(step.edge)) this.release(step.edge)
        break
      case "work": {
        const edge = this.peek()
        if (edge !== undefined) this.release(edge)
        break
      }
      case "block":
        this.mailbox.blockEdge(step.edge)
        this.edges[step.edge]!.isBlocked = true
        break
      case "unblock":
        this.mailbox.unblockEdge(step.edge)
        this.edges[step.edge]!.isBlocked = false
        break
      case "rewind":
        this.mailbox.rewind()
        for (const edge of this.edges) edge.isBlocked = false
        break
      case "microtask":
        await Promise.resolve()
        break
      case "settle":
        await settle()
        this.checkNobodyWaitsInVain()
        break
      case "close":
        this.close()
    }
    this.check()
  }

  /** The frame handed out is the oldest of an edge that is not blocked, and stays the same until it is released. */
  private peek(): number | undefined {
    const delivery = this.mailbox.peek()
    if (delivery === undefined) {
      assert.isTrue(this.edges.every(({ held, isBlocked }) => held.length === 0 || isBlocked))
      return undefined
    }
    const edge = this.edges[delivery.edge]!
    assert.strictEqual(delivery.frame, edge.held[0])
    assert.isFalse(edge.isBlocked)
    assert.strictEqual(this.mailbox.peek(), delivery)
    edge.inWork = delivery.frame
    return delivery.edge
  }

  private peekFrom(index: number): boolean {
    const edge = this.edges[index]!
    const frame = this.mailbox.peekFrom(index)
    assert.strictEqual(frame, edge.isBlocked ? undefined : edge.held[0])
    if (frame !== undefined) edge.inWork = frame
    return frame !== undefined
  }

  private release(index: number): void {
    const edge = this.edges[index]!
    this.received.push(edge.held.shift()!)
    edge.inWork = undefined
    this.mailbox.release(index)
  }

  private drop(edge: number, frame: Frame): void {
    const { held, inWork } = this.edges[edge]!
    assert.isTrue(isData(frame), `a ${frame.kind} was dropped`)
    assert.notStrictEqual(frame, inWork, "the frame in work was dropped")
    this.dropped.push(frame)
    const place = held.indexOf(frame)
    if (place !== -1) held.splice(place, 1)
  }

  private frame({ shape: { kind, count, bytes } }: { readonly shape: Shape }): Frame {
    const layout = kind === "data" ? "rows" : "value"
    return new Frame({ kind, layout, stream: "", sequence: this.sequence++, count, time: 0, body: new Uint8Array(bytes) })
  }

  private waitingAt(edge: number): number {
    return this.offers.filter((offer) => offer.edge === edge && offer.fiber.pollUnsafe() === undefined).length
  }

  private check(): void {
    const all = this.edges.flatMap(({ held }) => held)
    const stats = this.mailbox.stats()
    assert.deepStrictEqual(
      { frames: stats.frames, items: stats.items, bytes: stats.bytes, dropped: stats.dropped },
      {
        frames: all.length,
        items: itemsOf(all),
        bytes: bytesOf(all),
        dropped: { frames: this.dropped.length, items: itemsOf(this.dropped) }
      }
    )
    for (const { held } of this.edges) assert.isTrue(isWithin(held, this.bounds), "an edge holds more than its bounds")
  }

  private checkNobodyWaitsInVain(): void {
    this.edges.forEach((edge, index) => {
      const first = this.offers.find((offer) => offer.edge === index && offer.fiber.pollUnsafe() === undefined)
      if (first !== undefined)
        assert.isFalse(offered(edge, first.frame, this.bounds, this.overflow).isDealtWith, "a sender waits beside free room")
    })
  }

  private close(): void {
    const undelivered = this.mailbox.close("the test ends")
    this.edges.forEach(({ held }, index) => {
      assert.deepStrictEqual(
        undelivered.filter(({ edge }) => edge === index).map(({ frame }) => frame),
        held
      )
      this.received.push(...held.splice(0))
    })
  }

  /** Every frame that was offered is in exactly one place, and the senders know which. */
  async end(): Promise<void> {
    await settle()
    if (!this.mailbox.isClosed) this.close()
    await settle()
    const taken = new Set(this.sent.map(({ frame }) => frame))
    assert.strictEqual(taken.size, this.sent.length)
    const found = [...this.received, ...this.dropped]
    assert.strictEqual(new Set(found).size, found.length, "a frame is in two places")
    assert.sameMembers(found, [...taken])
    for (const { frame, fiber } of this.offers) {
      const exit = fiber.pollUnsafe()
      assert.isDefined(exit, "a sender is still waiting")
      assert.strictEqual(Exit.isSuccess(exit!), taken.has(frame))
    }
    for (const edge of this.edges.keys()) {
      // Those who waited got in in the order in which they began to wait.
      const begun = this.offers.filter((offer) => offer.edge === edge).map(({ frame }) => frame)
      const held = this.sent.filter((each) => each.edge === edge && !this.dropped.includes(each.frame)).map(({ frame }) => frame)
      assert.deepStrictEqual(
        held.filter((frame) => begun.includes(frame)),
        begun.filter((frame) => held.includes(frame))
      )
      // What one sender sent came in its order.
      for (const sender of [0, 1, 2]) {
        const order = this.sent.filter((each) => each.edge === edge && each.sender === sender && !this.dropped.includes(each.frame))
        const own = new Set(order.map(({ frame }) => frame))
        assert.deepStrictEqual(
          this.received.filter((frame) => own.has(frame)),
          order.map(({ frame }) => frame)
        )
      }
    }
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe("Mailbox", () => {
  it(
    "MB-1 MB-2 MB-3 MB-4 SV-13: keeps order and bounds, and loses, doubles and hides nothing, however offers, work, interrupts and alignment interleave",
    () =>
      fc.assert(
        fc.asyncProperty(situation, async (each) => {
          const world = new World(each)
          for (const step of each.steps) await world.run(step)
          await world.end()
        }),
        { numRuns: numRuns * 2 }
      ),
    timeout
  )

  it(
    "MB-6: after closing nothing is handed out, and no offer vanishes",
    () =>
      fc.assert(
        fc.asyncProperty(situation, fc.nat(59), steps(1), async (each, closing, later) => {
          const world = new World(each)
          for (const step of each.steps.slice(0, closing)) await world.run(step)
          const waiting = world.mailbox.stats().waiting
          await world.run({ do: "close" })
          let late = 0
          for (const step of later) {
            if (step.do !== "offer" && step.do !== "offerNow") continue
            const frame = new Frame({ kind: "data", layout: "rows", stream: "", sequence: 0, count: 1, time: 0, body: new Uint8Array(1) })
            assert.isFalse(world.mailbox.offerNow(0, frame))
            const problem = await Effect.runPromise(Effect.flip(world.mailbox.offer(0, frame)))
            assert.strictEqual(problem._tag, "MailboxClosed")
            assert.isUndefined(world.mailbox.peek())
            late++
          }
          await world.end()
          assert.strictEqual(world.mailbox.stats().late.frames, waiting + late)
        }),
        { numRuns }
      ),
    timeout
  )

  it(
    "MB-4: a reader that is interrupted the moment a frame comes loses nothing and leaves no frame unread",
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ interrupts: fc.boolean(), microtasks: fc.nat(3), waits: fc.nat(3) }), { maxLength: 20 }),
          async (rounds) => {
            const mailbox = Effect.runSync(
              Mailbox.make({ address: "/test", edges: 1, maxFrames: 99, maxItems: 99, maxBytes: 1e6, overflow: "fail" })
            )
            const seen: Array<number> = []
            const reader = Effect.gen(function* () {
              while (true) {
                const delivery = mailbox.peek()
                if (delivery === undefined) {
                  yield* mailbox.awaitWork
                  continue
                }
                seen.push(delivery.frame.sequence)
                mailbox.release(0)
              }
            })
            let fiber = Effect.runFork(reader)
            for (const [sequence, { interrupts, microtasks, waits }] of rounds.entries()) {
              for (let i = 0; i < waits; i++) await Promise.resolve()
              assert.isTrue(
                mailbox.offerNow(
                  0,
                  new Frame({ kind: "data", layout: "rows", stream: "", sequence, count: 1, time: 0, body: new Uint8Array(1) })
                )
              )
              for (let i = 0; i < microtasks; i++) await Promise.resolve()
              if (interrupts) {
                await Effect.runPromise(Fiber.interrupt(fiber))
                fiber = Effect.runFork(reader)
              }
            }
            await settle()
            fiber.interruptUnsafe()
            assert.deepStrictEqual(seen, [...rounds.keys()])
          }
        ),
        { numRuns }
      ),
    timeout
  )
})
