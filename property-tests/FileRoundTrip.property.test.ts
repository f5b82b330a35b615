import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { afterAll, describe, it } from "vitest"
import { MalformedFile } from "../src/capabilities/files/errors.ts"
import { contextOf, itemsOf, readFile, readSource, writeBatches, writeFile } from "../tests/capabilities/files/fileStreams.ts"
import { jsonDocument } from "./arbitraries/JsonDocument.ts"
import { faultyFiles } from "./models/FaultyFiles.ts"

const numRuns = Number(process.env["FC_RUNS"] ?? 60)
const folder = mkdtempSync(join(tmpdir(), "rtfs-files-"))
const path = join(folder, "target")
const before = "what was there before\n"
afterAll(() => rmSync(folder, { recursive: true }))

const line = fc
  .array(fc.constantFrom("a", "é", "😀", "\r", "\0", '"', ","), { maxLength: 6 })
  .map((parts) => parts.join("").replace(/\r+$/, ""))
const csvCell = fc.constantFrom("", "a", 'q"', "x,y", "two\nlines", "é")

/** Items that a format can carry, so that reading gives them again. */
const written = fc.oneof(
  fc.record({ format: fc.constant("lines" as const), items: fc.array(line, { maxLength: 12 }) }),
  fc.record({
    format: fc.constantFrom("ndjson" as const, "json" as const),
    items: fc.array(
      jsonDocument.filter(({ text }) => !text.includes("1e400")).map(({ value }) => value),
      { maxLength: 12 }
    )
  }),
  fc.record({
    format: fc.constant("csv" as const),
    items: fc.array(fc.record({ id: csvCell, "full name": csvCell }, { noNullPrototype: true }), { maxLength: 12 })
  })
)
const compression = fc.constantFrom("none" as const, "gzip" as const, "zstd" as const)
const encoding = fc.constantFrom("utf8" as const, "utf16le" as const)

/** Cuts a list at random places. */
const inBatches = <Item>(items: ReadonlyArray<Item>, size: number): ReadonlyArray<ReadonlyArray<Item>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size))

const partFiles = () => readdirSync(folder).filter((name) => name !== "target")

describe("files", () => {
  it("what is written in a format, encoding and compression is read again", () =>
    fc.assert(
      fc.asyncProperty(
        written,
        compression,
        encoding,
        fc.integer({ min: 1, max: 5 }),
        async ({ format, items }, compression, encoding, size) => {
          const result = await writeBatches({ path, format, compression, encoding, fsync: false }, inBatches(items, size))
          assert.deepStrictEqual(result, { path, items: items.length, bytes: readFileSync(path).length })
          assert.deepStrictEqual(await readFile({ path, format, encoding }), { items, failure: undefined })
          assert.deepStrictEqual(partFiles(), [])
        }
      ),
      { numRuns: numRuns * 2 }
    ))

  it("appended items follow the ones that are there, whether or not the file ended with a line end", () =>
    fc.assert(
      fc.asyncProperty(
        written,
        compression,
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        async ({ format, items }, compression, endless, size) => {
          fc.pre(format !== "json")
          rmSync(path, { force: true })
          for (const batch of inBatches(items, size)) {
            await writeBatches({ path, format, compression, mode: "append", fsync: false }, [batch])
            if (endless && compression === "none") writeFileSync(path, readFileSync(path).subarray(0, -1))
          }
          // The end of the last line makes no difference, but where the line is empty.
          fc.pre(!(endless && compression === "none" && items.includes("" as never)))
          assert.deepStrictEqual(items.length === 0 ? items : (await readFile({ path, format })).items, items)
        }
      ),
      { numRuns }
    ))

  it("a system call that fails, whichever it is, leaves the target as it was and nothing beside it", () =>
    fc.assert(
      fc.asyncProperty(
        written,
        compression,
        fc.constantFrom("replace" as const, "append" as const),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        async ({ format, items }, compression, mode, persistent, mostBytes) => {
          fc.pre(!(format === "json" && mode === "append") && !(format === "csv" && mode === "append"))
          const old = compression === "gzip" ? gzipSync(before) : compression === "zstd" ? zstdCompressSync(before) : Buffer.from(before)
          writeFileSync(path, old)
          await writeBatches({ path, format, compression, mode }, [items])
          const complete = readFileSync(path)
          for (let failAt = 0; ; failAt++) {
            writeFileSync(path, old)
            const faulty = faultyFiles(failAt, persistent, mostBytes)
            const outcome = await writeBatches({ path, format, compression, mode }, [items], { files: faulty.files }).then(
              () => "written",
              (error: { readonly _tag?: string }) => error._tag
            )
            assert.deepStrictEqual(partFiles(), [], `a part file is left after a failure of operation ${failAt}`)
            const now = readFileSync(path)
            if (outcome === "written") assert.ok(now.equals(complete), `operation ${failAt} failed unnoticed`)
            else {
              assert.equal(outcome, "FileFailure")
              // Behind the new name only closing and syncing the folder are left, which can't be taken back.
              assert.ok(now.equals(old) || now.equals(complete), `half of it is there after a failure of operation ${failAt}`)
              if (failAt < 3) assert.ok(now.equals(old))
            }
            if (!faulty.failed()) break
          }
        }
      ),
      { numRuns: Math.ceil(numRuns / 4) }
    ))

  it("an interrupted or failed stream leaves the target as it was and nothing beside it", () =>
    fc.assert(
      fc.asyncProperty(
        written,
        compression,
        fc.constantFrom("replace" as const, "append" as const),
        fc.boolean(),
        async ({ format, items }, compression, mode, existed) => {
          fc.pre(!(format === "json" && mode === "append") && !(format === "csv" && mode === "append"))
          rmSync(path, { force: true })
          if (existed) writeFileSync(path, before)
          await assert.rejects(
            writeFile({ path, format, compression, mode }, (sink) =>
              Effect.andThen(Effect.andThen(sink.write(items), sink.sync), Effect.interrupt)
            )
          )
          assert.deepStrictEqual(partFiles(), [])
          assert.equal(existsSync(path) ? readFileSync(path, "utf8") : undefined, existed ? before : undefined)
        }
      ),
      { numRuns }
    ))

  it("a reading that stops after any batch goes on behind it", () =>
    fc.assert(
      fc.asyncProperty(written, compression, encoding, fc.nat(3), async ({ format, items }, compression, encoding, batches) => {
        // Large items, so that there are several batches.
        const many = items.flatMap((item) => Array.from({ length: 3000 }, () => item))
        await writeBatches({ path, format, compression, encoding, fsync: false }, [many])
        const [first, position] = await Effect.runPromise(
          Effect.scoped(
            Effect.gen(function* () {
              const source = yield* readSource({ path, format, encoding }).open(contextOf())
              const taken: Array<unknown> = []
              for (let k = 0; k < batches; k++) {
                const batch = yield* source.read
                if (batch === null) break
                taken.push(...itemsOf(batch))
              }
              return [taken, structuredClone(source.position())] as const
            })
          )
        )
        const rest = await readFile({ path, format, encoding }, position)
        assert.equal(rest.failure, undefined)
        assert.equal(first.length + rest.items.length, many.length)
        assert.deepStrictEqual([...first, ...rest.items].slice(0, 100), many.slice(0, 100))
        assert.deepStrictEqual([...first, ...rest.items].slice(-100), many.slice(-100))
      }),
      { numRuns: Math.ceil(numRuns / 4) }
    ))

  it("a writing that goes on from a synced position, after any later writes, gives the file of one without a stop", () =>
    fc.assert(
      fc.asyncProperty(
        written,
        compression,
        fc.nat(12),
        fc.constantFrom("replace" as const, "append" as const),
        async ({ format, items }, compression, cut, mode) => {
          fc.pre(!(format === "json" && mode === "append"))
          rmSync(path, { force: true })
          let position: unknown
          let left: ReadonlyArray<readonly [string, Buffer]> = []
          // The process dies behind the sync: what it has on the disk then is put back after the clean-up that a kill would not make.
          await assert.rejects(
            writeFile({ path, format, compression, mode }, (sink) =>
              Effect.gen(function* () {
                yield* sink.write(items.slice(0, cut))
                yield* sink.sync
                position = structuredClone(sink.position())
                yield* sink.write([...items.slice(cut), ...items, ...items])
                yield* sink.sync
                left = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const)
                return yield* Effect.interrupt
              })
            )
          )
          for (const [name, bytes] of left) writeFileSync(join(folder, name), bytes)
          await writeBatches({ path, format, compression, mode }, [items.slice(cut)], { position })
          assert.deepStrictEqual(await readFile({ path, format, compression }), { items, failure: undefined })
          assert.deepStrictEqual(partFiles(), [])
        }
      ),
      { numRuns }
    ))

  it("compressed data that is cut off anywhere is an error, never an end", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 3 }),
        fc.constantFrom("gzip" as const, "zstd" as const),
        async (members, compression) => {
          const packed = members.map((text) => (compression === "gzip" ? gzipSync(text) : zstdCompressSync(text)))
          const ends = packed.map((_, index) => packed.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0))
          const whole = Buffer.concat(packed)
          for (let length = 1; length <= whole.length; length++) {
            writeFileSync(path, whole.subarray(0, length))
            const { failure, items } = await readFile({ path, compression, encoding: "utf8" })
            const complete = ends.indexOf(length)
            if (complete === -1)
              assert.ok(failure instanceof MalformedFile, `cut to ${length} of ${whole.length} bytes: ${String(failure)}`)
            else
              assert.deepStrictEqual(
                { failure, text: items.join("") },
                { failure: undefined, text: members.slice(0, complete + 1).join("") }
              )
          }
        }
      ),
      { numRuns: Math.ceil(numRuns / 10) }
    ))
})
