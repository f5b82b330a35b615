import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { MemoryDisk } from "../../property-tests/models/MemoryDisk.ts"
import { Mailbox, type MailboxOptions, SpillDirectory, type SpillFailure, sweepSpill } from "../../src/actors/index.ts"
import { Frame } from "../../src/serialization/index.ts"

const MiB = 1024 * 1024

const frame = (sequence: number, bytes = 60_000): Frame =>
  new Frame({ kind: "data", layout: "rows", stream: "s", sequence, count: 10, time: 0, body: new Uint8Array(bytes).fill(sequence) })

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "rtfs-streams-spill-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const make = (spill: SpillDirectory, options: Partial<MailboxOptions> = {}) =>
  Mailbox.make({ address: "/test", edges: 1, maxFrames: 8, maxItems: 1000, maxBytes: MiB, overflow: "spill", spill, ...options })

/** Works off `count` frames, as an actor does. */
const take = Effect.fnUntraced(function* (mailbox: Mailbox, count: number) {
  const sequences: Array<number> = []
  while (sequences.length < count) {
    const delivery = mailbox.peek()
    if (delivery === undefined) {
      yield* mailbox.awaitWork
      continue
    }
    sequences.push(delivery.frame.sequence)
    mailbox.release(delivery.edge)
  }
  return sequences
})

/** Waits for what the file system does in its own time. */
const eventually = (isSo: () => boolean) =>
  Effect.promise(async () => {
    for (let i = 0; i < 1000 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.isTrue(isSo())
  })

/** Bytes that are really held, at rest: what is read back meanwhile leaves garbage behind that is not held. */
const heldBytes = Effect.promise(async () => {
  let least = Infinity
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    globalThis.gc!()
    globalThis.gc!()
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
})

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

describe("Spilling", () => {
  it.live("a sender does not wait for a reader that stands still, and the reader gets all in order", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB }))
      for (let i = 0; i < 200; i++) yield* mailbox.offer(0, frame(i))
      const stats = mailbox.stats()
      assert.strictEqual(stats.frames, 200)
      assert.isAbove(stats.spilledFrames, 180)
      assert.isAtMost(stats.bytes, MiB + frame(0).byteLength)
      assert.deepStrictEqual(yield* take(mailbox, 200), range(0, 200))
      assert.strictEqual(mailbox.stats().frames, 0)
    })
  )

  it.live("stays in memory while there is room, and after all has come back", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const directory = yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB })
      const spills: Array<number> = []
      const mailbox = yield* make(directory, { onSpill: (edge) => spills.push(edge) })
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 5; i++) assert.isTrue(mailbox.offerNow(0, frame(i)))
        yield* take(mailbox, 5)
      }
      assert.deepStrictEqual(spills, [])
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 40; i++) yield* mailbox.offer(0, frame(i))
        assert.strictEqual(spills.length, round + 1)
        yield* take(mailbox, 40)
        yield* eventually(() => directory.usedBytes === 0)
        assert.deepStrictEqual(readdirSync(directory.path), ["lock"])
      }
    })
  )

  it.live("makes the sender wait when the disk is full as well, and go on when there is room", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const calls: Array<string> = []
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 2 * MiB }), {
        onBackpressure: () => calls.push("pause"),
        onRelief: () => calls.push("go on")
      })
      const sender = yield* Effect.forkChild(Effect.forEach(range(0, 200), (i) => mailbox.offer(0, frame(i)), { discard: true }))
      let before = -1
      let standing = 0
      yield* eventually(() => {
        standing = mailbox.stats().frames === before ? standing + 1 : 0
        before = mailbox.stats().frames
        return standing >= 20
      })
      assert.strictEqual(mailbox.stats().waiting, 1)
      assert.isBelow(mailbox.stats().frames, 60)
      assert.deepStrictEqual(calls, ["pause"])
      assert.deepStrictEqual(yield* take(mailbox, 200), range(0, 200))
      yield* Fiber.join(sender)
      assert.deepStrictEqual(calls.slice(0, 2), ["pause", "go on"])
    })
  )

  it.live("SP-3: a disk that fails makes the sender wait and is told once, and spilling goes on when it works again", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const disk = new MemoryDisk()
      disk.fault = (operation) => (operation === "write" ? "ENOSPC" : undefined)
      const failures: Array<SpillFailure> = []
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB, storage: disk }), {
        onSpillFailure: (failure) => failures.push(failure)
      })
      const sender = yield* Effect.forkChild(Effect.forEach(range(0, 100), (i) => mailbox.offer(0, frame(i)), { discard: true }))
      yield* eventually(() => mailbox.stats().waiting === 1)
      const first = yield* take(mailbox, 2)
      assert.deepStrictEqual(
        failures.map(({ operation, code }) => `${operation} ${code}`),
        ["write ENOSPC"]
      )
      disk.fault = () => undefined
      const second = yield* take(mailbox, 1)
      // Nobody reads any more, so only a disk that is written to again lets the sender go on.
      yield* Fiber.join(sender)
      assert.deepStrictEqual([...first, ...second, ...(yield* take(mailbox, 97))], range(0, 100))
    })
  )

  it.live("SP-3: what can't be read back makes the reader fail, and is there when the disk works again", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const disk = new MemoryDisk()
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB, storage: disk }))
      for (let i = 0; i < 50; i++) yield* mailbox.offer(0, frame(i))
      disk.fault = (operation) => (operation === "read" ? "EIO" : undefined)
      let taken = 0
      const problem = yield* Effect.flip(
        Effect.gen(function* () {
          while (true) taken += (yield* take(mailbox, 1)).length
        })
      )
      assert.strictEqual(problem.code, "EIO")
      assert.isAbove(taken, 0)
      disk.fault = () => undefined
      assert.deepStrictEqual(yield* take(mailbox, 50 - taken), range(taken, 50))
    })
  )

  it.live("disk space that one edge gives back lets the sender of another go on", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 2 * MiB }), { edges: 2 })
      const first = yield* Effect.forkChild(Effect.forEach(range(0, 36), (i) => mailbox.offer(0, frame(i)), { discard: true }))
      yield* eventually(() => first.pollUnsafe() !== undefined)
      mailbox.blockEdge(1)
      const second = yield* Effect.forkChild(Effect.forEach(range(0, 30), (i) => mailbox.offer(1, frame(i)), { discard: true }))
      yield* eventually(() => mailbox.stats().waiting === 1)
      yield* take(mailbox, 36)
      yield* Fiber.join(second)
      mailbox.unblockEdge(1)
      assert.deepStrictEqual(yield* take(mailbox, 30), range(0, 30))
    })
  )

  it.live("SP-2: 64 MiB through 4 MiB take no more than that of the process's memory", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 200 * MiB }), {
        maxBytes: 4 * MiB,
        maxFrames: 1000,
        maxItems: 100_000
      })
      const before = yield* heldBytes
      for (let i = 0; i < 1000; i++) yield* mailbox.offer(0, frame(i, 64 * 1024))
      for (let i = 0; i < 1000; i++) {
        if (i % 100 === 0) {
          assert.isAtMost((yield* heldBytes) - before, 4 * MiB)
        }
        yield* take(mailbox, 1)
      }
      assert.isAtMost((yield* heldBytes) - before, 1000)
    })
  )

  it.live("SP-1: a frame that is on its way back from disk is not overtaken, whenever the next one is offered", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      for (let microtasks = 0; microtasks < 40; microtasks++) {
        const spill = yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB, storage: new MemoryDisk() })
        const mailbox = yield* make(spill, { maxFrames: 1 })
        yield* mailbox.offer(0, frame(0))
        yield* mailbox.offer(0, frame(1))
        yield* eventually(() => mailbox.stats().spilledFrames === 1)
        yield* take(mailbox, 1)
        yield* Effect.promise(async () => {
          for (let i = 0; i < microtasks; i++) await Promise.resolve()
          if (!mailbox.offerNow(0, frame(2))) await Effect.runPromise(mailbox.offer(0, frame(2)))
        })
        assert.deepStrictEqual(yield* take(mailbox, 2), [1, 2], `after ${microtasks} microtasks`)
      }
    })
  )

  it.live("SP-1: closing in the middle of reading back gives each frame back once, in order", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      for (let microtasks = 0; microtasks < 40; microtasks++) {
        const spill = yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB, storage: new MemoryDisk() })
        const mailbox = yield* make(spill, { maxFrames: 2 })
        for (let i = 0; i < 7; i++) yield* mailbox.offer(0, frame(i))
        yield* eventually(() => mailbox.stats().spilledFrames === 5)
        yield* take(mailbox, 2)
        const back = yield* Effect.promise(async () => {
          for (let i = 0; i < microtasks; i++) await Promise.resolve()
          const back = [...mailbox.close("test")]
          for (
            let more = await Effect.runPromise(mailbox.takeSpilled);
            more.length > 0;
            more = await Effect.runPromise(mailbox.takeSpilled)
          ) {
            back.push(...more)
          }
          return back
        })
        assert.deepStrictEqual(
          back.map((delivery) => delivery.frame.sequence),
          range(2, 7),
          `after ${microtasks} microtasks`
        )
      }
    })
  )

  it.live("several edges share the disk and keep their own order", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const mailbox = yield* make(yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB }), { edges: 2 })
      for (let i = 0; i < 60; i++) {
        yield* mailbox.offer(0, frame(i))
        yield* mailbox.offer(1, frame(100 + i))
      }
      const all = yield* take(mailbox, 120)
      assert.deepStrictEqual(
        all.filter((sequence) => sequence < 100),
        range(0, 60)
      )
      assert.deepStrictEqual(
        all.filter((sequence) => sequence >= 100),
        range(100, 160)
      )
    })
  )

  it.live("needs a directory and a MiB", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const spill = yield* SpillDirectory.open({ parent, maxBytes: MiB })
      assert.include((yield* Effect.flip(make(spill, { maxBytes: MiB - 1 }))).message, "1048576")
      const { spill: _, ...without } = {
        address: "/test",
        edges: 1,
        maxFrames: 8,
        maxItems: 8,
        maxBytes: MiB,
        overflow: "spill" as const,
        spill
      }
      assert.include((yield* Effect.flip(Mailbox.make(without))).message, "no directory")
    })
  )
})

describe("SpillDirectory", () => {
  it.live("SP-5: is for its owner only, and gone with its scope, files and all", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      let path = ""
      yield* Effect.scoped(
        Effect.gen(function* () {
          const directory = yield* SpillDirectory.open({ parent, maxBytes: 100 * MiB })
          path = directory.path
          const mailbox = yield* make(directory)
          for (let i = 0; i < 40; i++) yield* mailbox.offer(0, frame(i))
          assert.strictEqual(statSync(path).mode & 0o777, 0o700)
          const files = readdirSync(path)
          assert.strictEqual(files.length, 2)
          for (const file of files) assert.strictEqual(statSync(join(path, file)).mode & 0o777, 0o600, file)
        })
      )
      assert.isFalse(existsSync(path))
      assert.deepStrictEqual(readdirSync(parent), [])
    })
  )

  it.live("says what is wrong with a folder that it can't use", () =>
    Effect.gen(function* () {
      const parent = join(yield* temporaryFolder, "file")
      writeFileSync(parent, "")
      const problem = yield* Effect.flip(Effect.scoped(SpillDirectory.open({ parent, maxBytes: MiB })))
      assert.strictEqual(problem._tag, "SpillFailure")
      assert.strictEqual(problem.code, "ENOTDIR")
      assert.include(problem.message, parent)
    })
  )

  it.live("SP-5: sweeping removes what a killed process left, and nothing of a living one", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const own = yield* SpillDirectory.open({ parent, maxBytes: MiB })
      const child = spawn(process.execPath, [join(import.meta.dirname, "fixtures/spillForEver.ts"), parent], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      try {
        yield* Effect.promise(() => once(child.stdout!, "data"))
        assert.strictEqual(readdirSync(parent).length, 2)
        assert.strictEqual(yield* sweepSpill(parent), 0)
        child.kill("SIGKILL")
        yield* Effect.promise(() => once(child, "exit"))
        assert.strictEqual(yield* sweepSpill(parent), 1)
        assert.strictEqual(join(parent, readdirSync(parent)[0]!), own.path)
      } finally {
        child.kill("SIGKILL")
      }
    })
  )

  it.live("SP-5: sweeping spares a folder that is just being made, and what is not ours", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      const unlocked = join(parent, "spill-00000000-0000-0000-0000-000000000000")
      mkdirSync(unlocked)
      mkdirSync(join(parent, "spill-of-coffee"))
      assert.strictEqual(yield* sweepSpill(parent), 0)
      utimesSync(unlocked, 0, 0)
      assert.strictEqual(yield* sweepSpill(parent), 1)
      assert.deepStrictEqual(readdirSync(parent), ["spill-of-coffee"])
      assert.strictEqual(yield* sweepSpill(join(parent, "missing")), 0)
    })
  )
})
