import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { Mailbox, type MailboxClosed, type MailboxFull, SpillDirectory, type SpillFailure } from "../src/actors/index.ts"
import { Frame, type FrameKind } from "../src/serialization/index.ts"
import { MemoryDisk } from "./models/MemoryDisk.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 200)
const timeout = 30_000 + numRuns * 100

const parent = mkdtempSync(join(tmpdir(), "rtfs-streams-spill-"))
afterAll(() => rmSync(parent, { recursive: true }))

type Fault = "none" | "ENOSPC on write" | "EIO on write" | "EIO on read" | "ENOSPC on create" | "EIO now and then"

type Step =
  | { readonly do: "offerNow" | "offer"; readonly kind: FrameKind; readonly count: number; readonly bytes: number }
  | { readonly do: "work" | "settle" | "microtask" | "block" | "unblock" | "rewind" }
  /** As many as the disk takes, or as come back from it. */
  | { readonly do: "flood" | "ebb"; readonly times: number; readonly bytes: number }
  | { readonly do: "interrupt"; readonly which: number }
  | { readonly do: "fault"; readonly fault: Fault }

/** Small ones that gather in the buffers of the log, and large ones that fill them and the segments. */
const bytes = fc.oneof(fc.nat(100), fc.integer({ min: 30_000, max: 110_000 }))

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom("offerNow", "offerNow", "offer"),
      kind: fc.constantFrom<FrameKind>("data", "data", "data", "barrier"),
      count: fc.integer({ min: 1, max: 9 }),
      bytes
    })
  },
  {
    weight: 9,
    arbitrary: fc.record({ do: fc.constantFrom("work", "work", "work", "settle", "settle", "microtask", "block", "unblock", "rewind") })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("flood", "ebb"), times: fc.integer({ min: 2, max: 16 }), bytes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("interrupt"), which: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("fault"),
      fault: fc.constantFrom<Fault>(
        "none",
        "none",
        "ENOSPC on write",
        "EIO on write",
        "EIO on read",
        "ENOSPC on create",
        "EIO now and then"
      )
    })
  }
) as fc.Arbitrary<Step>

const situation = fc.record({
  maxFrames: fc.constantFrom(1, 2, 4, 20),
  /** From hardly more than one segment to more than all that is sent. */
  diskBytes: fc.constantFrom(150_000, 600_000, 3_000_000, 100_000_000),
  partial: fc.constantFrom(0, 0.5, 1),
  steps: fc.array(step, { size: "+1", maxLength: 80 })
})

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A mailbox that spills to a disk with faults, and beside it the list of frames that it must give back. */
class World {
  readonly offers: Array<{ frame: Frame; fiber: Fiber.Fiber<void, MailboxFull | MailboxClosed> }> = []
  /** Taken and not yet worked off, in order. */
  readonly held: Array<Frame> = []
  readonly taken = new Set<Frame>()
  readonly failures: Array<SpillFailure> = []
  largest = 0
  isBlocked = false
  readonly mailbox: Mailbox
  private readonly disk: MemoryDisk
  private sequence = 0

  constructor(maxFrames: number, disk: MemoryDisk, spill: SpillDirectory) {
    this.disk = disk
    this.mailbox = Effect.runSync(
      Mailbox.make({
        address: "/test",
        edges: 1,
        maxFrames,
        maxItems: 1000,
        maxBytes,
        overflow: "spill",
        spill,
        onSpillFailure: (failure) => this.failures.push(failure)
      })
    )
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case "offerNow": {
        const frame = this.frame(step)
        if (this.mailbox.offerNow(0, frame)) this.take(frame)
        break
      }
      case "flood":
        for (let i = 0; i < step.times; i++) {
          await this.run({ do: "offerNow", kind: "data", count: 1, bytes: step.bytes })
          await settle()
        }
        break
      case "ebb":
        for (let i = 0; i < step.times; i++) {
          this.work()
          await settle()
          this.checkMemory()
        }
        break
      case "offer": {
        const frame = this.frame(step)
        const fiber = Effect.runFork(Effect.map(this.mailbox.offer(0, frame), () => this.take(frame)))
        this.offers.push({ frame, fiber })
        break
      }
      case "interrupt": {
        const waiting = this.offers.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
        waiting[step.which % Math.max(1, waiting.length)]?.fiber.interruptUnsafe()
        break
      }
      case "work":
        this.work()
        break
      case "block":
        this.mailbox.blockEdge(0)
        this.isBlocked = true
        break
      case "unblock":
        this.mailbox.unblockEdge(0)
        this.isBlocked = false
        break
      case "rewind":
        this.mailbox.rewind()
        this.isBlocked = false
        break
      case "microtask":
        await Promise.resolve()
        break
      case "settle":
        await settle()
        break
      case "fault":
        this.setFault(step.fault)
    }
    this.checkMemory()
  }

  private checkMemory(): void {
    const stats = this.mailbox.stats()
    assert.isAtMost(stats.bytes, maxBytes + this.largest, "more in memory than allowed")
    assert.isAtMost(stats.spilledFrames, stats.frames)
  }

  /** The next frame is the oldest one, byte for byte. */
  work(): boolean {
    const delivery = this.mailbox.peek()
    if (delivery === undefined) return false
    const expected = this.held.shift()
    assert.isFalse(this.isBlocked)
    assert.deepStrictEqual(delivery.frame, expected)
    this.mailbox.release(0)
    return true
  }

  setFault(fault: Fault): void {
    const [code, operation] = fault.split(" on ") as [string, string?]
    this.disk.fault = (asked, count) =>
      fault === "none"
        ? undefined
        : fault === "EIO now and then"
          ? count % 3 === 0 && asked !== "list"
            ? "EIO"
            : undefined
          : asked === operation
            ? code
            : undefined
  }

  /** Works everything off, waiting as an actor does. */
  async drain(): Promise<void> {
    this.mailbox.unblockEdge(0)
    this.isBlocked = false
    for (let rounds = 0; this.held.length > 0 || this.offers.some(({ fiber }) => fiber.pollUnsafe() === undefined); rounds++) {
      assert.isBelow(rounds, 10_000, "frames do not come back")
      if (!this.work()) await Promise.race([Effect.runPromise(Effect.exit(this.mailbox.awaitWork)), settle().then(settle)])
    }
  }

  private take(frame: Frame): void {
    this.held.push(frame)
    this.taken.add(frame)
  }

  private frame({ kind, count, bytes }: { readonly kind: FrameKind; readonly count: number; readonly bytes: number }): Frame {
    const sequence = this.sequence++
    const isData = kind === "data"
    const frame = new Frame({
      kind,
      layout: isData ? "rows" : "value",
      stream: "s",
      sequence,
      count: isData ? count : 0,
      time: sequence,
      body: new Uint8Array(bytes).fill(sequence)
    })
    this.largest = Math.max(this.largest, frame.byteLength)
    return frame
  }
}

const maxBytes = 1024 * 1024

const inWorld = async (
  options: { readonly maxFrames: number; readonly diskBytes: number; readonly partial: number },
  run: (world: World) => Promise<void>
) => {
  const scope = Scope.makeUnsafe()
  const disk = new MemoryDisk()
  disk.partial = options.partial
  try {
    const directory = await Effect.runPromise(
      Scope.provide(SpillDirectory.open({ parent, maxBytes: options.diskBytes, storage: disk }), scope)
    )
    const world = new World(options.maxFrames, disk, directory)
    await run(world)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  assert.strictEqual(disk.files.size, 0, "files are left")
}

describe("Spilling", () => {
  it(
    "SP-1 SP-2 SP-3: frames come back in order and whole within the memory given, though the disk fills up and fails",
    () =>
      fc.assert(
        fc.asyncProperty(situation, async (options) =>
          inWorld(options, async (world) => {
            for (const step of options.steps) await world.run(step)
            world.setFault("none")
            await world.drain()
            await settle()
            for (const { frame, fiber } of world.offers) assert.strictEqual(Exit.isSuccess(fiber.pollUnsafe()!), world.taken.has(frame))
            const stats = world.mailbox.stats()
            assert.deepStrictEqual(
              { frames: stats.frames, items: stats.items, waiting: stats.waiting },
              { frames: 0, items: 0, waiting: 0 }
            )
            assert.strictEqual(stats.accepted.frames, world.taken.size)
            assert.strictEqual(stats.dropped.frames, 0)
          })
        ),
        { numRuns }
      ),
    timeout
  )

  it(
    "SP-3: with a disk that never works again everything that was taken still comes, but for what is on it, and that is said",
    () =>
      fc.assert(
        fc.asyncProperty(situation, fc.constantFrom<Fault>("ENOSPC on write", "ENOSPC on create", "EIO on write"), async (options, fault) =>
          inWorld(options, async (world) => {
            world.setFault(fault)
            for (const step of options.steps) if (step.do !== "fault") await world.run(step)
            await world.drain()
            for (const failure of world.failures) assert.strictEqual(failure._tag, "SpillFailure")
          })
        ),
        { numRuns }
      ),
    timeout
  )

  it(
    "MB-6 SP-1: what is on disk when the mailbox closes is given back in order",
    () =>
      fc.assert(
        fc.asyncProperty(situation, async (options) =>
          inWorld(options, async (world) => {
            for (const step of options.steps) if (step.do !== "fault") await world.run(step)
            const back = [...world.mailbox.close("the test ends")]
            for (;;) {
              const more = await Effect.runPromise(world.mailbox.takeSpilled)
              if (more.length === 0) break
              back.push(...more)
              assert.isUndefined(world.mailbox.peek())
            }
            assert.deepStrictEqual(
              back.map(({ frame }) => frame),
              world.held
            )
          })
        ),
        { numRuns }
      ),
    timeout
  )
})
