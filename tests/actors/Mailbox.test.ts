import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type ControlMessage, Mailbox, type MailboxOptions } from "../../src/actors/index.ts"
import { Frame, type FrameKind } from "../../src/serialization/index.ts"

let sequence = 0
const frame = (kind: FrameKind = "data", { count = kind === "data" ? 1 : 0, bytes = 1, time = 0 } = {}): Frame =>
  new Frame({
    kind,
    layout: kind === "data" ? "rows" : "value",
    stream: "",
    sequence: sequence++,
    count,
    time,
    body: new Uint8Array(bytes)
  })

/** What a frame counts for beside its body. */
const headerBytes = frame("data", { bytes: 0 }).byteLength

const make = (options: Partial<MailboxOptions> = {}) =>
  Mailbox.make({ address: "/test", edges: 1, maxFrames: 4, maxItems: 100, maxBytes: 1 << 20, overflow: "backpressure", ...options })

/** Works one frame off. */
const take = (mailbox: Mailbox): Frame | undefined => {
  const delivery = mailbox.peek()
  if (delivery !== undefined) mailbox.release(delivery.edge)
  return delivery?.frame
}

const takeAll = (mailbox: Mailbox): Array<Frame> => {
  const taken: Array<Frame> = []
  for (let next = take(mailbox); next !== undefined; next = take(mailbox)) taken.push(next)
  return taken
}

/** Lets everything happen that can happen now. */
const settle = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("Mailbox", () => {
  it.effect("makes a sender wait when it is full, until a frame was worked off", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ maxFrames: 1 })
      const [first, second] = [frame(), frame()]
      assert.isTrue(mailbox.offerNow(0, first))
      assert.isFalse(mailbox.offerNow(0, second))
      const sender = yield* Effect.forkChild(mailbox.offer(0, second))
      yield* settle
      assert.strictEqual(mailbox.peek()?.frame, first)
      yield* settle
      assert.strictEqual(mailbox.stats().waiting, 1)
      mailbox.release(0)
      yield* Fiber.join(sender)
      assert.strictEqual(mailbox.peek()?.frame, second)
    })
  )

  it.effect("lets waiting senders in in the order in which they began to wait", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ maxFrames: 1 })
      const frames = [frame(), frame(), frame(), frame()]
      for (const each of frames) {
        yield* Effect.forkChild(mailbox.offer(0, each))
        yield* settle
      }
      const received: Array<Frame | undefined> = []
      for (const _ of frames) {
        received.push(take(mailbox))
        // Room that was made for one who waits is not for one who comes later.
        assert.strictEqual(mailbox.offerNow(0, frame()), received.length === frames.length)
        yield* settle
      }
      assert.deepStrictEqual(received, frames)
    })
  )

  it.effect("withdraws the frame of a sender that is interrupted while it waits", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ maxFrames: 1 })
      const [first, withdrawn, third] = [frame(), frame(), frame()]
      mailbox.offerNow(0, first)
      const sender = yield* Effect.forkChild(mailbox.offer(0, withdrawn))
      yield* settle
      const other = yield* Effect.forkChild(mailbox.offer(0, third))
      yield* settle
      // Its wake is already under way when it is interrupted; the room passes on to the next.
      assert.strictEqual(take(mailbox), first)
      yield* Fiber.interrupt(sender)
      yield* Fiber.join(other)
      assert.deepStrictEqual(takeAll(mailbox), [third])
    })
  )

  it.effect("bounds items and bytes as well as frames", () =>
    Effect.gen(function* () {
      const byItems = yield* make({ maxItems: 10 })
      assert.isTrue(byItems.offerNow(0, frame("data", { count: 6 })))
      assert.isFalse(byItems.offerNow(0, frame("data", { count: 5 })))
      assert.isTrue(byItems.offerNow(0, frame("data", { count: 4 })))
      const byBytes = yield* make({ maxBytes: 2 * headerBytes + 10 })
      assert.isTrue(byBytes.offerNow(0, frame("data", { bytes: 6 })))
      assert.isFalse(byBytes.offerNow(0, frame("data", { bytes: 5 })))
      assert.isTrue(byBytes.offerNow(0, frame("data", { bytes: 4 })))
    })
  )

  it.effect("takes a frame larger than its bounds when it is alone, else it could never pass", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ maxItems: 10, maxBytes: 100 })
      const [small, huge] = [frame(), frame("data", { count: 1000, bytes: 1000 })]
      mailbox.offerNow(0, small)
      const sender = yield* Effect.forkChild(mailbox.offer(0, huge))
      yield* settle
      assert.strictEqual(mailbox.stats().waiting, 1)
      assert.strictEqual(take(mailbox), small)
      yield* Fiber.join(sender)
      assert.isFalse(mailbox.offerNow(0, frame()))
      assert.strictEqual(take(mailbox), huge)
    })
  )

  it.effect("edges take turns, frame by frame", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 3 })
      for (const edge of [0, 0, 0, 2, 2, 1]) mailbox.offerNow(edge, frame())
      const turns: Array<number> = []
      for (let next = mailbox.peek(); next !== undefined; next = mailbox.peek()) {
        turns.push(next.edge)
        mailbox.release(next.edge)
      }
      assert.deepStrictEqual(turns, [0, 2, 1, 0, 2, 0])
    })
  )

  it.effect("an edge that is full does not keep another from being offered to", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2, maxFrames: 1 })
      assert.isTrue(mailbox.offerNow(0, frame()))
      assert.isFalse(mailbox.offerNow(0, frame()))
      assert.isTrue(mailbox.offerNow(1, frame()))
    })
  )

  it.effect("aligning a barrier holds back its own edge only", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2 })
      const [barrier, after, before, otherBarrier] = [frame("barrier"), frame(), frame(), frame("barrier")]
      mailbox.offerNow(0, barrier)
      mailbox.offerNow(0, after)
      assert.strictEqual(mailbox.peek()?.frame, barrier)
      mailbox.blockEdge(0)
      assert.isUndefined(mailbox.peek())
      mailbox.offerNow(1, before)
      mailbox.offerNow(1, otherBarrier)
      assert.strictEqual(take(mailbox), before)
      assert.strictEqual(mailbox.peek()?.frame, otherBarrier)
      // Aligned: both barriers leave.
      mailbox.release(0)
      mailbox.release(1)
      assert.isUndefined(mailbox.peek())
      mailbox.unblockEdge(0)
      assert.deepStrictEqual(takeAll(mailbox), [after])
    })
  )

  it.effect("a restarted actor finds the frames in work again, and no edge blocked", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2 })
      const frames = [frame("barrier"), frame(), frame()]
      mailbox.offerNow(0, frames[0]!)
      mailbox.peek()
      mailbox.blockEdge(0)
      mailbox.offerNow(1, frames[1]!)
      mailbox.offerNow(1, frames[2]!)
      assert.strictEqual(mailbox.peek()?.frame, frames[1])
      mailbox.rewind()
      assert.sameMembers(takeAll(mailbox), frames)
      assert.throws(() => mailbox.release(1), /in work/)
    })
  )

  it.effect("an actor may choose the edge it reads", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2 })
      const [low, high] = [frame(), frame()]
      mailbox.offerNow(0, low)
      mailbox.offerNow(1, high)
      assert.strictEqual(mailbox.peekFrom(1), high)
      assert.strictEqual(mailbox.peekFrom(0), low)
      mailbox.release(1)
      assert.isUndefined(mailbox.peekFrom(1))
      mailbox.release(0)
      assert.strictEqual(mailbox.stats().frames, 0)
    })
  )

  it.effect("control overtakes data, and the last of a kind counts", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      mailbox.offerNow(0, frame())
      for (const type of ["pause", "resume", "pause"]) assert.isTrue(mailbox.sendControl({ type }))
      assert.isTrue(mailbox.sendControl({ type: "died", subject: 1 }))
      assert.isTrue(mailbox.sendControl({ type: "died", subject: 2 }))
      assert.strictEqual(mailbox.controlLength, 4)
      const messages: Array<ControlMessage> = []
      for (let next = mailbox.takeControl(); next !== undefined; next = mailbox.takeControl()) messages.push(next)
      assert.deepStrictEqual(messages, [{ type: "resume" }, { type: "pause" }, { type: "died", subject: 1 }, { type: "died", subject: 2 }])
    })
  )

  it.effect("refuses control messages beyond 256 different ones, and says so", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      for (let subject = 0; subject < 256; subject++) assert.isTrue(mailbox.sendControl({ type: "died", subject }))
      assert.isFalse(mailbox.sendControl({ type: "died", subject: 256 }))
      assert.isTrue(mailbox.sendControl({ type: "died", subject: 0 }))
      assert.strictEqual(mailbox.controlLength, 256)
    })
  )

  it.effect("wakes its reader for a frame, for a control message and for its closing, never inside the call", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      for (const cause of [() => mailbox.offerNow(0, frame()), () => mailbox.sendControl({ type: "pause" }), () => mailbox.close("test")]) {
        const reader = yield* Effect.forkChild(mailbox.awaitWork)
        yield* settle
        assert.isUndefined(reader.pollUnsafe())
        cause()
        assert.isUndefined(reader.pollUnsafe())
        yield* Fiber.join(reader)
        take(mailbox)
        mailbox.takeControl()
      }
    })
  )

  it.effect("does not let its reader wait for what is there already", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      mailbox.offerNow(0, frame())
      yield* mailbox.awaitWork
      take(mailbox)
      mailbox.sendControl({ type: "pause" })
      yield* mailbox.awaitWork
      yield* mailbox.awaitControl
      mailbox.takeControl()
      mailbox.close("test")
      yield* mailbox.awaitWork
      yield* mailbox.awaitControl
    })
  )

  it.effect("a paused actor waits for control only", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      mailbox.offerNow(0, frame())
      const paused = yield* Effect.forkChild(mailbox.awaitControl)
      yield* settle
      mailbox.offerNow(0, frame())
      yield* settle
      assert.isUndefined(paused.pollUnsafe())
      mailbox.sendControl({ type: "resume" })
      yield* Fiber.join(paused)
    })
  )

  it.effect("a reader that was interrupted leaves its place to the next one", () =>
    Effect.gen(function* () {
      const mailbox = yield* make()
      const first = yield* Effect.forkChild(mailbox.awaitWork)
      yield* settle
      const intruder = yield* Effect.exit(mailbox.awaitWork)
      assert.isTrue(Exit.hasDies(intruder))
      yield* Fiber.interrupt(first)
      const second = yield* Effect.forkChild(mailbox.awaitWork)
      yield* settle
      mailbox.offerNow(0, frame())
      yield* Fiber.join(second)
    })
  )

  it.effect("tells the age of its oldest frame and who waits", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2, maxFrames: 1 })
      assert.strictEqual(mailbox.stats().oldestAgeMs, 0)
      mailbox.offerNow(1, frame("data", { time: 2_000 }))
      mailbox.offerNow(0, frame("data", { time: 1_000 }))
      yield* Effect.forkChild(mailbox.offer(0, frame()))
      yield* TestClock.adjust(5_000)
      const stats = mailbox.stats()
      assert.strictEqual(stats.oldestAgeMs, 4_000)
      assert.strictEqual(stats.waiting, 1)
      assert.strictEqual(stats.pressing, 2)
      assert.deepStrictEqual(stats.accepted, { frames: 2, items: 2 })
    })
  )
})

describe("Mailbox water marks", () => {
  it.effect("calls for a pause once at the high mark, and again only after the low mark", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const mailbox = yield* make({
        maxItems: 10,
        maxFrames: 10,
        highWaterMark: 8,
        lowWaterMark: 2,
        marksIn: "items",
        onBackpressure: () => calls.push("pause"),
        onRelief: () => calls.push("go on")
      })
      for (let i = 0; i < 10; i++) mailbox.offerNow(0, frame())
      assert.deepStrictEqual(calls, ["pause"])
      for (let i = 0; i < 7; i++) take(mailbox)
      mailbox.offerNow(0, frame())
      assert.deepStrictEqual(calls, ["pause"])
      take(mailbox)
      assert.deepStrictEqual(calls, ["pause"])
      take(mailbox)
      assert.deepStrictEqual(calls, ["pause", "go on"])
    })
  )

  it.effect("bytes and frames count with the share that the marks have of the items", () =>
    Effect.gen(function* () {
      const calls: Array<number> = []
      const mailbox = yield* make({
        edges: 2,
        maxFrames: 10,
        maxItems: 10,
        maxBytes: 1000,
        highWaterMark: 8,
        marksIn: "items",
        onBackpressure: (edge) => calls.push(edge)
      })
      mailbox.offerNow(1, frame("data", { bytes: 800 - headerBytes - 1 }))
      assert.deepStrictEqual(calls, [])
      mailbox.offerNow(1, frame("data"))
      assert.deepStrictEqual(calls, [1])
      for (let i = 0; i < 8; i++) mailbox.offerNow(0, frame("watermark"))
      assert.deepStrictEqual(calls, [1, 0])
    })
  )

  it.effect("having no room for a frame calls for a pause, too", () =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const mailbox = yield* make({ maxItems: 10, onBackpressure: () => calls.push("pause"), onRelief: () => calls.push("go on") })
      mailbox.offerNow(0, frame())
      mailbox.offerNow(0, frame("data", { count: 10 }))
      assert.deepStrictEqual(calls, ["pause"])
      take(mailbox)
      assert.deepStrictEqual(calls, ["pause", "go on"])
    })
  )

  it.effect("refuses bounds and marks that contradict each other, and says which", () =>
    Effect.gen(function* () {
      for (const options of [
        { maxFrames: 0 },
        { maxItems: 1.5 },
        { maxBytes: Infinity },
        { lowWaterMark: -1 },
        { lowWaterMark: 3, highWaterMark: 3 },
        { highWaterMark: 5 },
        { highWaterMark: 0 },
        { highWaterMark: NaN }
      ]) {
        const problem = yield* Effect.flip(make(options))
        assert.strictEqual(problem._tag, "InvalidMailboxBounds")
        assert.include(problem.message, "/test")
      }
    })
  )
})

describe("Mailbox overflow", () => {
  it.effect("drop-oldest gives up the oldest items, but not the frame in work nor a signal", () =>
    Effect.gen(function* () {
      const drops: Array<Frame> = []
      const mailbox = yield* make({ overflow: "drop-oldest", onDrop: (_, dropped) => drops.push(dropped) })
      const [inWork, barrier, oldest, later, newest] = [frame(), frame("barrier"), frame("data", { count: 3 }), frame(), frame()]
      for (const each of [inWork, barrier, oldest, later]) mailbox.offerNow(0, each)
      mailbox.peek()
      assert.isTrue(mailbox.offerNow(0, newest))
      assert.deepStrictEqual(drops, [oldest])
      assert.deepStrictEqual(mailbox.stats().dropped, { frames: 1, items: 3 })
      assert.deepStrictEqual(takeAll(mailbox), [inWork, barrier, later, newest])
    })
  )

  it.effect("drop-oldest spares what a crashed actor had in work, too", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ overflow: "drop-oldest", maxFrames: 1 })
      const inWork = frame()
      mailbox.offerNow(0, inWork)
      mailbox.peek()
      mailbox.rewind()
      assert.isTrue(mailbox.offerNow(0, frame()))
      assert.deepStrictEqual(takeAll(mailbox), [inWork])
    })
  )

  it.effect("drop-oldest drops no more than it must, and nothing in vain", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ overflow: "drop-oldest", maxItems: 10, maxFrames: 10 })
      const [inWork, ...others] = [2, 3, 4].map((count) => frame("data", { count }))
      for (const each of [inWork!, ...others]) mailbox.offerNow(0, each)
      mailbox.peek()
      // 9 items can't be made to fit beside the 2 in work, so nothing is given up for them but they themselves.
      assert.isTrue(mailbox.offerNow(0, frame("data", { count: 9 })))
      assert.strictEqual(mailbox.stats().frames, 3)
      const small = frame("data", { count: 3 })
      assert.isTrue(mailbox.offerNow(0, small))
      assert.deepStrictEqual(takeAll(mailbox), [inWork, others[1], small])
    })
  )

  it.effect("drop-newest keeps what it holds and gives up what comes", () =>
    Effect.gen(function* () {
      const drops: Array<Frame> = []
      const mailbox = yield* make({ overflow: "drop-newest", maxFrames: 2, onDrop: (_, dropped) => drops.push(dropped) })
      const frames = [frame(), frame(), frame(), frame("watermark")]
      for (const each of frames) assert.isTrue(mailbox.offerNow(0, each))
      assert.deepStrictEqual(drops, frames.slice(2))
      assert.deepStrictEqual(mailbox.stats().dropped, { frames: 2, items: 1 })
      assert.deepStrictEqual(takeAll(mailbox), frames.slice(0, 2))
    })
  )

  for (const overflow of ["drop-oldest", "drop-newest", "fail"] as const) {
    it.effect(`under ${overflow} barriers, ends, errors and directives wait for room`, () =>
      Effect.gen(function* () {
        const mailbox = yield* make({ overflow, maxFrames: 1 })
        const frames = [frame("barrier"), frame("directive"), frame("error"), frame("end")]
        mailbox.offerNow(0, frames[0]!)
        for (const each of frames.slice(1)) {
          assert.isFalse(mailbox.offerNow(0, each))
          yield* Effect.forkChild(mailbox.offer(0, each))
          yield* settle
        }
        const received: Array<Frame | undefined> = []
        for (const _ of frames) {
          received.push(take(mailbox))
          yield* settle
        }
        assert.deepStrictEqual(received, frames)
      })
    )
  }

  it.effect("fail answers MailboxFull, with what was full and what to do", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ overflow: "fail", maxFrames: 1 })
      yield* mailbox.offer(0, frame())
      assert.isFalse(mailbox.offerNow(0, frame()))
      const problem = yield* Effect.flip(mailbox.offer(0, frame()))
      assert.strictEqual(problem._tag, "MailboxFull")
      assert.strictEqual(
        problem.message,
        "Input 0 of /test is full at 1 frames, 100 items or 1048576 bytes: it works more slowly than its senders offer. "
          + "Use :overflow :backpressure, raise :buffer-size or add :parallelism."
      )
    })
  )

  it.effect("fail does not make data wait behind a signal that waits", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ overflow: "fail", maxFrames: 1 })
      mailbox.offerNow(0, frame())
      yield* Effect.forkChild(mailbox.offer(0, frame("end")))
      yield* settle
      assert.strictEqual((yield* Effect.flip(mailbox.offer(0, frame())))._tag, "MailboxFull")
    })
  )
})

describe("Mailbox closing", () => {
  it.effect("gives back what was not worked off, in its order", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ edges: 2 })
      const frames = [frame(), frame(), frame("end")]
      mailbox.offerNow(0, frames[0]!)
      mailbox.offerNow(1, frames[1]!)
      mailbox.offerNow(1, frames[2]!)
      mailbox.peek()
      const [a, b, c] = frames as [Frame, Frame, Frame]
      const undelivered = mailbox.close("stopped")
      assert.deepStrictEqual(undelivered, [
        { edge: 0, frame: a },
        { edge: 1, frame: b },
        { edge: 1, frame: c }
      ])
      assert.isUndefined(mailbox.peek())
      assert.deepStrictEqual(mailbox.close("again"), [])
      assert.strictEqual(mailbox.stats().bytes, 0)
    })
  )

  it.effect("answers MailboxClosed to those who wait and to those who come late, and counts both", () =>
    Effect.gen(function* () {
      const mailbox = yield* make({ maxFrames: 1 })
      mailbox.offerNow(0, frame())
      const waiting = yield* Effect.forkChild(Effect.flip(mailbox.offer(0, frame("data", { count: 7 }))))
      yield* settle
      mailbox.close("stopped by its supervisor")
      assert.include((yield* Fiber.join(waiting)).message, "stopped by its supervisor")
      assert.isFalse(mailbox.offerNow(0, frame()))
      assert.strictEqual((yield* Effect.flip(mailbox.offer(0, frame())))._tag, "MailboxClosed")
      assert.isFalse(mailbox.sendControl({ type: "pause" }))
      assert.deepStrictEqual(mailbox.stats().late, { frames: 2, items: 8 })
    })
  )
})
