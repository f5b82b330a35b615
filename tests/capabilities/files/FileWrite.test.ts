import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, zstdDecompressSync } from "node:zlib"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { ItemFailure } from "../../../src/actors/index.ts"
import { UnwritableValue } from "../../../src/capabilities/files/errors.ts"
import type { FileWriteOptions } from "../../../src/capabilities/files/file-write.ts"
import { nodeFiles } from "../../../src/capabilities/files/FileOperations.ts"
import { makeFileAccess } from "../../../src/host/FilePolicy.ts"
import { ErrorValue, HostObject, keyword } from "../../../src/serialization/index.ts"
import { contextOf, readFile, writeBatches, writeFile } from "./fileStreams.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-write-"))
const path = join(folder, "file")
afterEach(() => readdirSync(folder).forEach((name) => rmSync(join(folder, name))))
afterAll(() => rmSync(folder, { recursive: true }))

class Handle extends HostObject {
  readonly label = "handle orders"
  toJSON(): unknown {
    return { stream: "orders" }
  }
}

const write = async (items: ReadonlyArray<unknown>, options: Partial<FileWriteOptions> = {}) => {
  await writeBatches({ path, ...options }, [items])
  return readFileSync(path, "utf8")
}

/** The message of the item that is refused, after its number. */
const refusal = async (items: ReadonlyArray<unknown>, options: Partial<FileWriteOptions> = {}): Promise<string> => {
  const before = readdirSync(folder)
  const error = await writeBatches({ path, ...options }, [items]).then(
    () => undefined,
    (error: unknown) => error
  )
  expect(error).toBeInstanceOf(ItemFailure)
  const { cause, index } = error as ItemFailure
  expect(cause).toBeInstanceOf(UnwritableValue)
  expect((cause as UnwritableValue).item).toBe(index + 1)
  expect(readdirSync(folder)).toEqual(before)
  return `${index}: ${(cause as UnwritableValue).problem}`
}

describe("file.write", () => {
  it("puts strings and bytes behind each other, as they are", async () => {
    expect(await write(["a", "b\n", Buffer.from("é"), ""])).toBe("ab\né")
    expect(await write([])).toBe("")
    expect(await refusal(["a", 1])).toMatch(/^1: .*strings and bytes, not a number/)
    expect(await refusal([null])).toContain("nil")
  })

  it("gives path, items and bytes as its result", async () => {
    expect(await writeBatches({ path, format: "lines" }, [["é"], [], ["b"]])).toEqual({ path, items: 2, bytes: 5 })
  })

  it("writes lines, and refuses what would be read as other lines", async () => {
    expect(await write(["a", "", "b"], { format: "lines" })).toBe("a\n\nb\n")
    expect(await refusal(["a", "b\nc"], { format: "lines" })).toMatch(/^1: .*line end/)
    expect(await refusal(["a\r"], { format: "lines" })).toMatch(/^0: .*line end/)
    expect(await refusal([{}], { format: "lines" })).toContain("strings")
  })

  it("writes what JSON has no type for in a documented form", async () => {
    const error = new ErrorValue({ type: keyword("timeout"), message: "late" })
    const item = {
      kind: keyword("a/b"),
      big: 12345678901234567890n,
      at: new Date(0),
      map: new Map<unknown, unknown>([
        ["2", 1],
        [keyword("k"), 2]
      ]),
      error
    }
    expect(await write([item], { format: "ndjson" })).toBe(
      '{"kind":":a/b","big":12345678901234567890,"at":"1970-01-01T00:00:00.000Z","map":{"2":1,"k":2},"error":{"type":":timeout","message":"late"}}\n'
    )
    expect(await write([1e20, -0, undefined, "\u2028"], { format: "ndjson" })).toBe('1e+20\n-0\nnull\n"\u2028"\n')
    expect(await write([1, [2]], { format: "json" })).toBe("[\n1,\n[2]\n]\n")
    expect(await write([], { format: "json" })).toBe("[]\n")
  })

  it.each([
    ["a function", () => 1, "function"],
    ["a handle", new Handle(), "handle orders"],
    ["bytes", Uint8Array.of(1), "bytes"],
    ["NaN", Number.NaN, "NaN"],
    ["infinity", -Infinity, "-Infinity"],
    ["half a surrogate pair", "\ud800", "surrogate"],
    ["a map with a vector as key", new Map([[[1], 1]]), "key"],
    [
      "a map with two keys of one name",
      new Map<unknown, unknown>([
        ["1", 1],
        [1, 2]
      ]),
      "two keys"
    ],
    ["an object of a class", new URL("http://example.com"), "URL"]
  ])("refuses %s in JSON, wherever it is, and says in which item", async (_, value, why) => {
    expect(await refusal([1, value], { format: "ndjson" })).toMatch(new RegExp(`^1: .*${why}`))
    expect(await refusal([{ a: [1, { b: value }] }], { format: "json" })).toMatch(new RegExp(`^0: .*${why}`))
  })

  it("refuses depth without overflowing", async () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(await refusal([deep], { format: "ndjson" })).toContain("512")
  })

  it("takes the items before a refused one, and can go on behind it", async () => {
    await writeFile({ path, format: "csv" }, (sink) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(sink.write([{ a: 1 }, { a: {} }, { a: 3 }]))
        expect(error).toMatchObject({ _tag: "ItemFailure", index: 1 })
        yield* sink.write([{ a: 3 }])
        return yield* sink.finish
      })
    )
    expect(readFileSync(path, "utf8")).toBe("a\n1\n3\n")
  })

  it("writes CSV by the columns of the first item", async () => {
    expect(await write([{ id: 1, name: 'a "b", c' }, { name: null, id: true }, {}], { format: "csv" })).toBe(
      'id,name\n1,"a ""b"", c"\ntrue,\n,\n'
    )
    expect(
      await write(
        [
          [1, "x"],
          [keyword("k"), 2n]
        ],
        { format: "csv", separator: ";" }
      )
    ).toBe("1;x\n:k;2\n")
    expect(await write([{ a: 1 }], { format: "csv", header: false })).toBe("1\n")
    expect(await refusal([{ a: 1 }, { a: 1, b: 2 }], { format: "csv" })).toMatch(/^1: .*"b"/)
    expect(await refusal([[1], [1, 2]], { format: "csv" })).toMatch(/^1: .*2 fields/)
    expect(await refusal([{ a: [1] }], { format: "csv" })).toContain("a vector")
    expect(await refusal([{}], { format: "csv" })).toContain("no fields")
    expect(await refusal(["text"], { format: "csv" })).toContain("a row is")
  })

  it("escapes formulas in text when asked, and leaves numbers alone", async () => {
    const rows = [["=1+1", "-2", -2, "@x", "a=b"]]
    expect(await write(rows, { format: "csv", "escape-formulas": true })).toBe("'=1+1,'-2,-2,'@x,a=b\n")
    expect(await write(rows, { format: "csv" })).toBe("=1+1,-2,-2,@x,a=b\n")
  })

  it("appends rows under the columns that are there", async () => {
    writeFileSync(path, "b,a\n1,2")
    expect(await write([{ a: 3, b: 4 }], { format: "csv", mode: "append" })).toBe("b,a\n1,2\n4,3\n")
    expect(await write([], { format: "csv", mode: "append" })).toBe("b,a\n1,2\n4,3\n")
  })

  it("writes the encodings it is told, and refuses characters they lack", async () => {
    await write(["é\n"], { encoding: "latin1" })
    expect([...readFileSync(path)]).toEqual([0xe9, 10])
    await write(["é"], { encoding: "utf16le" })
    expect([...readFileSync(path)]).toEqual([0xe9, 0])
    rmSync(path)
    expect(await refusal(["€"], { encoding: "latin1" })).toContain(":latin1")
    expect(await refusal(["é"], { encoding: "ascii" })).toContain(":ascii")
    expect(await refusal(["\ud800"])).toContain(":utf8")
    expect(await refusal(["a"], { encoding: "binary" })).toContain("bytes")
  })

  it("compresses by the name of the file or as told", async () => {
    await writeBatches({ path: `${path}.gz`, format: "lines" }, [["a"]])
    expect(gunzipSync(readFileSync(`${path}.gz`)).toString()).toBe("a\n")
    await writeBatches({ path: `${path}.gz`, format: "lines" }, [])
    expect(await readFile({ path: `${path}.gz`, format: "lines" })).toEqual({ items: [], failure: undefined })
    await writeBatches({ path, format: "lines", compression: "zstd" }, [["a"]])
    expect(zstdDecompressSync(readFileSync(path)).toString()).toBe("a\n")
  })

  it("replaces the target only at the end, keeping its permissions; a link's target, not the link", async () => {
    writeFileSync(path, "old")
    chmodSync(path, 0o640)
    symlinkSync(path, join(folder, "link"))
    await writeFile({ path: join(folder, "link") }, (sink) =>
      Effect.gen(function* () {
        yield* sink.write(["new"])
        yield* sink.sync
        expect(readFileSync(path, "utf8")).toBe("old")
        return yield* sink.finish
      })
    )
    expect(readFileSync(path, "utf8")).toBe("new")
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(folder).toSorted()).toEqual(["file", "link"])
  })

  it("syncs data before the new name and the folder after it, unless told not to", async () => {
    const calls: Array<string> = []
    const files = {
      ...nodeFiles,
      sync: async (fd: number) => void calls.push((await nodeFiles.stat(fd)).isFile() ? "sync file" : "sync folder"),
      rename: async (from: string, to: string) => (calls.push("rename"), nodeFiles.rename(from, to))
    }
    await writeBatches({ path }, [["a"]], { files })
    expect(calls.splice(0)).toEqual(["sync file", "rename", "sync folder"])
    await writeBatches({ path, fsync: false }, [["a"]], { files })
    expect(calls).toEqual(["rename"])
  })

  it("writes nothing where the path leads elsewhere by the time it ends", async () => {
    const outside = mkdtempSync(join(tmpdir(), "rtfs-outside-"))
    const granted = mkdtempSync(join(tmpdir(), "rtfs-granted-"))
    const files = makeFileAccess({ write: [granted] })
    const { fileWriteSink } = await import("../../../src/capabilities/files/file-write.ts")
    const target = join(granted, "out")
    const absent = { separator: undefined, header: undefined, "escape-formulas": undefined }
    const spec = fileWriteSink({
      path: target,
      format: "text",
      encoding: "utf8",
      compression: "auto",
      mode: "replace",
      fsync: true,
      ...absent
    })
    const context = { address: "/test", services: { ...contextOf().services, files }, position: undefined }
    const outcome = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const sink = yield* spec.open(context)
          yield* sink.write(["secret"])
          symlinkSync(join(outside, "stolen"), target)
          return yield* Effect.flip(sink.finish)
        })
      )
    )
    expect((outcome as Error & { readonly _tag: string })._tag).toBe("FileFailure")
    expect(readdirSync(outside)).toEqual([])
    expect(readdirSync(granted)).toEqual(["out"])
    for (const made of [outside, granted]) rmSync(made, { recursive: true })
  })

  it("writes nothing where a link on the path was turned to another file meanwhile", async () => {
    const link = join(folder, "link")
    writeFileSync(path, "old")
    writeFileSync(join(folder, "other"), "other")
    symlinkSync(path, link)
    const failure = await writeFile({ path: link }, (sink) =>
      Effect.gen(function* () {
        yield* sink.write(["new"])
        rmSync(link)
        symlinkSync(join(folder, "other"), link)
        return yield* Effect.flip(sink.finish)
      })
    )
    expect(failure).toMatchObject({ _tag: "FileFailure", message: expect.stringContaining("another place") })
    expect([path, link].map((file) => readFileSync(file, "utf8"))).toEqual(["old", "other"])
    expect(readdirSync(folder).toSorted()).toEqual(["file", "link", "other"])
  })

  it("writes the header with the first row that can be written", async () => {
    await writeFile({ path, format: "csv", encoding: "ascii" }, (sink) =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(sink.write([{ a: "é" }]))).toMatchObject({ _tag: "ItemFailure", index: 0 })
        yield* sink.write([{ b: "e" }])
        return yield* sink.finish
      })
    )
    expect(readFileSync(path, "utf8")).toBe("b\ne\n")
  })

  it("says so when what was written can't be taken back", async () => {
    writeFileSync(path, "old")
    const files = { ...nodeFiles, truncate: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })) }
    const outcome = writeFile({ path, mode: "append" }, (sink) => Effect.andThen(sink.write(["x"]), Effect.interrupt), { files })
    await expect(outcome).rejects.toThrow(/take back/)
  })

  it("refuses to go on from a position that was not synced, or whose part file is gone", async () => {
    const positions = await writeFile({ path }, (sink) =>
      Effect.gen(function* () {
        yield* sink.write(["a"])
        const early = sink.position()
        yield* sink.sync
        return [early, sink.position()]
      })
    )
    await expect(writeBatches({ path }, [["b"]], { position: positions[0] })).rejects.toThrow(/not yet on the disk/)
    await expect(writeBatches({ path }, [["b"]], { position: positions[1] })).rejects.toThrow(/taken back/)
    await expect(
      writeBatches({ path }, [], { position: { ...(positions[1] as object), output: { part: "../../etc/passwd", start: 0, written: 0 } } })
    ).rejects.toMatchObject({ _tag: "FileFailure" })
    expect(readdirSync(folder)).toEqual([])
  })

  it("does not use memory with the size of the file", async () => {
    const batch = Array.from({ length: 500 }, (_, id) => ({ id, text: "x".repeat(200) }))
    const before = process.memoryUsage().rss
    await writeFile({ path, format: "ndjson", fsync: false }, (sink) =>
      Effect.gen(function* () {
        for (let i = 0; i < 1000; i++) yield* sink.write(batch)
        return yield* sink.finish
      })
    )
    expect(statSync(path).size).toBeGreaterThan(100_000_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
  })

  it("refuses options that would mean nothing", () => {
    const refused = (options: Partial<FileWriteOptions>) => expect(() => writeBatches({ path, ...options }, []))
    refused({ format: "json", mode: "append" }).toThrow(/:mode/)
    refused({ format: "lines", encoding: "binary" }).toThrow(/:encoding/)
    refused({ separator: ";" }).toThrow(/:separator/)
    refused({ format: "lines", "escape-formulas": true }).toThrow(/:escape-formulas/)
  })
})
