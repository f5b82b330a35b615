import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openStateStore, type StateStore } from "../src/state/index.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-damage-"))
afterAll(() => rmSync(folder, { recursive: true }))

const files = ["state.db", "state.db-wal", "state.db.json"]
const whole = join(folder, "whole")
const foreign = join(folder, "foreign")

/** What each store holds, written by hand here and compared byte by byte below. */
const contentOf = (id: number) => Uint8Array.from({ length: 3000 + id * 1000 }, (_, index) => index * id)
const facts = { a: contentOf(1).slice(0, 10), b: contentOf(2).slice(0, 5000) }
const letters = [1, 2, 3].map((value) => ({
  queue: "q",
  stream: "orders",
  key: `${value}`,
  time: value,
  bytes: contentOf(value).slice(0, 700)
}))

const fill = (directory: string) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function*() {
        const store = yield* openStateStore(`sqlite:${join(directory, "state.db")}`)
        const stream = yield* store.own("orders")
        for (const id of [1, 2, 3, 4]) yield* stream.commit({ id, time: id, bytes: contentOf(id) })
        for (const [name, value] of Object.entries(facts)) yield* stream.facts.set(name, value)
        yield* store.deadLetters.add(letters)
        // As a kill would leave it: the log is there, and the store was not closed.
        mkdirSync(join(directory, "copy"))
        for (const file of files) copyFileSync(join(directory, file), join(directory, "copy", file))
      })
    )
  )

beforeAll(async () => {
  await fill(whole)
  await fill(foreign)
})

const read = (store: StateStore) =>
  Effect.all({
    checkpoints: store.checkpoints("orders"),
    facts: Effect.flatMap(Effect.scoped(store.own("orders")), (stream) => stream.facts.all),
    letters: store.deadLetters.list({ limit: 100 }),
    queues: store.deadLetters.queues
  })

/** Not `fc.double`, of whose values most are next to zero. */
const anywhere = fc.nat(999_999).map((millionths) => millionths / 1e6)
const bit = fc.record({
  kind: fc.constant("flip" as const),
  file: fc.constantFrom("state.db", "state.db", "state.db", ...files),
  place: anywhere,
  bit: fc.nat(7)
})
/** The header and the first page, where the tables are described, are small beside the rest. */
const headerBit = fc.record({ kind: fc.constant("flipAt" as const), file: fc.constant("state.db"), offset: fc.nat(4095), bit: fc.nat(7) })
const mutation = fc.oneof(
  { weight: 6, arbitrary: bit },
  { weight: 4, arbitrary: headerBit },
  fc.record({
    kind: fc.constant("zero" as const),
    file: fc.constantFrom(...files),
    place: anywhere,
    length: fc.integer({ min: 1, max: 5000 })
  }),
  fc.record({
    kind: fc.constant("truncate" as const),
    file: fc.constantFrom(...files),
    place: anywhere
  }),
  fc.record({ kind: fc.constant("delete" as const), file: fc.constantFrom(...files) }),
  fc.record({ kind: fc.constant("empty" as const), file: fc.constantFrom(...files) }),
  fc.record({
    kind: fc.constant("garbage" as const),
    file: fc.constantFrom(...files),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 })
  }),
  fc.record({ kind: fc.constant("foreign" as const), file: fc.constantFrom(...files) })
)

const mutate = (directory: string, change: typeof mutation extends fc.Arbitrary<infer A> ? A : never): void => {
  const path = join(directory, change.file)
  const bytes = readFileSync(path)
  switch (change.kind) {
    case "flip":
    case "flipAt": {
      const at = change.kind === "flip" ? Math.floor(change.place * bytes.length) : change.offset
      if (at < bytes.length) bytes[at]! ^= 1 << change.bit
      return writeFileSync(path, bytes)
    }
    case "zero": {
      const at = Math.floor(change.place * bytes.length)
      return writeFileSync(path, bytes.fill(0, at, Math.min(bytes.length, at + change.length)))
    }
    case "truncate":
      return truncateSync(path, Math.floor(change.place * bytes.length))
    case "delete":
      return rmSync(path)
    case "empty":
      return truncateSync(path, 0)
    case "garbage":
      return writeFileSync(path, change.bytes)
    case "foreign":
      return copyFileSync(join(foreign, "copy", change.file), path)
  }
}

describe("damage to a store in a file", () => {
  // P4. One change to any of its files, at random.
  it("CP-5: gives what was written, an older checkpoint with a damaged newer one, or an error; never less in silence", async () => {
    let runs = 0
    const outcomes = { whole: 0, damaged: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(mutation, async (change) => {
        const directory = join(folder, `run-${++runs}`)
        mkdirSync(directory)
        for (const file of files) copyFileSync(join(whole, "copy", file), join(directory, file))
        mutate(directory, change)
        const exit = await Effect.runPromise(
          Effect.result(Effect.scoped(Effect.flatMap(openStateStore(`sqlite:${join(directory, "state.db")}`), read)))
        )
        rmSync(directory, { recursive: true })
        if (exit._tag === "Failure") {
          expect(exit.failure).toMatchObject({ _tag: "StoreFailure" })
          expect((exit.failure as Error).message).toContain(basename(directory))
          outcomes.refused++
          return
        }
        const found = exit.success
        expect(found.checkpoints.map(({ id }) => id)).toHaveLength(3)
        for (const [index, { content, id }] of found.checkpoints.entries()) {
          if ("bytes" in content) {
            expect(id).toBe(4 - index)
            expect(Buffer.compare(content.bytes, contentOf(id))).toBe(0)
          }
        }
        const isDamaged = found.checkpoints.some(({ content }) => "damage" in content)
        outcomes[isDamaged ? "damaged" : "whole"]++
        expect(new Map(Array.from(found.facts, ([name, value]) => [name, [...value]]))).toEqual(
          new Map(Object.entries(facts).map(([name, value]) => [name, [...value]]))
        )
        expect(found.letters.map(({ bytes, key, time }) => [key, time, [...bytes]])).toEqual(
          letters.map(({ bytes, key, time }) => [key, time, [...bytes]])
        )
        expect(found.queues).toEqual([{ queue: "q", letters: 3 }])
      }),
      { numRuns: Number(process.env["FC_RUNS"] ?? 150) }
    )
    // Or the damage would not have reached what it is meant to.
    expect(outcomes.refused).toBeGreaterThan(0)
    expect(outcomes.damaged).toBeGreaterThan(0)
    if (process.env["FC_RUNS"] !== undefined) console.info(outcomes)
  })

  it.each(["delete", "empty"] as const)(
    "notices that the database is gone (%s), and begins anew only when its marker is gone, too",
    async (kind) => {
      const directory = join(folder, `gone-${kind}`)
      mkdirSync(directory)
      for (const file of files) copyFileSync(join(whole, "copy", file), join(directory, file))
      mutate(directory, { kind, file: "state.db" })
      const opened = Effect.runPromise(
        Effect.scoped(Effect.flatMap(openStateStore(`sqlite:${join(directory, "state.db")}`), ({ streams }) => streams))
      )
      await expect(opened).rejects.toThrow(kind === "delete" ? "is missing, but it was there before" : "is empty, but it was in use before")
      expect(existsSync(join(directory, "state.db"))).toBe(kind === "empty")
      for (const file of files) rmSync(join(directory, file), { force: true })
      expect(
        await Effect.runPromise(
          Effect.scoped(Effect.flatMap(openStateStore(`sqlite:${join(directory, "state.db")}`), ({ streams }) => streams))
        )
      ).toEqual([])
    }
  )
})
