import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import type { FileReadOptions } from "../../../src/capabilities/files/file-read.ts"
import { contextOf, readFile, readSource } from "./fileStreams.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-read-"))
const path = join(folder, "file")
afterEach(() => rmSync(path, { force: true }))
afterAll(() => rmSync(folder, { recursive: true }))

const read = (content: string | Uint8Array, options: Partial<FileReadOptions> = {}) => {
  writeFileSync(path, content)
  return readFile({ path, ...options })
}

const itemsOf = async (content: string | Uint8Array, options?: Partial<FileReadOptions>) => {
  const { failure, items } = await read(content, options)
  expect(failure).toBe(undefined)
  return items
}

/** What a failure says of its place, and the items before it. */
const failureOf = async (content: string | Uint8Array, options?: Partial<FileReadOptions>) => {
  const { failure, items } = await read(content, options)
  const { _tag, byte, column, item, line, message } = failure as Error & Record<string, unknown>
  return { _tag, byte, column, item, line, items, message }
}

const openFiles = () => readdirSync("/proc/self/fd").length

describe("file.read", () => {
  it("gives text in chunks of the size asked for, the last one shorter", async () => {
    expect(await itemsOf("abcdefghij", { "chunk-size": 4 })).toEqual(["abcd", "efgh", "ij"])
    expect(await itemsOf("x".repeat(200_000))).toEqual(["x".repeat(65_536), "x".repeat(65_536), "x".repeat(65_536), "x".repeat(3392)])
    expect(await itemsOf("")).toEqual([])
  })

  it("cuts no character, and gives one whole where it is larger than the chunk", async () => {
    expect(await itemsOf("aé😀b", { "chunk-size": 2 })).toEqual(["a", "é", "😀", "b"])
    expect(await itemsOf(Buffer.from("a😀b", "utf16le"), { encoding: "utf16le", "chunk-size": 3 })).toEqual(["a", "😀", "b"])
  })

  it("reads the encodings it is told, and drops a byte order mark", async () => {
    expect(await itemsOf("\ufeffé")).toEqual(["é"])
    expect(await itemsOf(Buffer.from("\ufeffé", "utf16le"), { encoding: "utf16le" })).toEqual(["é"])
    expect(await itemsOf(Uint8Array.of(0xe9, 0xff), { encoding: "latin1" })).toEqual(["éÿ"])
    expect(await itemsOf("abc", { encoding: "ascii" })).toEqual(["abc"])
    expect(await itemsOf(Uint8Array.of(0, 255, 0xc3), { encoding: "binary", "chunk-size": 2 })).toEqual([
      Uint8Array.of(0, 255),
      Uint8Array.of(0xc3)
    ])
    expect(await itemsOf(Uint8Array.of(0xe9, 10, 0xff), { encoding: "latin1", format: "lines" })).toEqual(["é", "ÿ"])
  })

  it("names the byte that is no text, and what else the file may be", async () => {
    expect(await failureOf(Buffer.from([0x61, 0x62, 0xc3, 0x28]))).toMatchObject({ _tag: "MalformedFile", byte: 2 })
    expect(await failureOf("abé", { encoding: "ascii" })).toMatchObject({ byte: 2 })
    expect((await failureOf(Buffer.from("\ufeffa", "utf16le"))).message).toContain(":utf16le")
    expect(await failureOf(Buffer.from("ab", "utf16le").subarray(0, 3), { encoding: "utf16le" })).toMatchObject({ byte: 2 })
    expect(await failureOf(Buffer.from("a\ud800b", "utf16le"), { encoding: "utf16le" })).toMatchObject({ byte: 2 })
    expect(await failureOf(Buffer.from("a\ud800b\n", "utf16le"), { encoding: "utf16le", format: "lines" })).toMatchObject({ byte: 2 })
    // The character ends behind a block border.
    const cut = Buffer.concat([Buffer.alloc(256 * 1024 - 1, "x"), Buffer.from([0xe2, 0x82, 0x28])])
    expect(await failureOf(cut, { format: "lines", "max-record-size": 1 << 20 })).toMatchObject({ byte: 256 * 1024 - 1, line: 1 })
  })

  it("gives lines of any length up to the bound, over block borders", async () => {
    const lines = Array.from({ length: 2000 }, (_, i) => "é".repeat((i * 37) % 900))
    lines.push("y".repeat(700_000), "", "z".repeat(300_000))
    expect(await itemsOf(lines.join("\n"), { format: "lines" })).toEqual(lines)
    expect(await itemsOf(`${lines.join("\r\n")}\r\n`, { format: "lines" })).toEqual(lines)
    expect(await failureOf(`ok\n${"x".repeat(101)}\n`, { format: "lines", "max-record-size": 100 })).toMatchObject({
      _tag: "MalformedFile",
      line: 2
    })
    expect(await failureOf("x".repeat(2_000_000), { format: "lines" })).toMatchObject({ _tag: "MalformedFile", line: 1 })
  })

  it("tells where JSON is broken: item, line, column, byte; after the items before it", async () => {
    const broken = await failureOf('[\n  {"a": 1},\n  {"a": oops}\n]', { format: "json" })
    expect(broken).toMatchObject({ _tag: "MalformedFile", item: 2, line: 3, column: 9, byte: 22, items: [{ a: 1 }] })
    expect((await read("[oops]", { format: "json" })).failure).toHaveProperty("data", { path, item: 1, line: 1, column: 2, byte: 1 })
    expect(await failureOf('{"a":1}\n\n{"b":\n', { format: "ndjson" })).toMatchObject({ item: 2, line: 3, column: 6, items: [{ a: 1 }] })
    expect(await failureOf('{"a":1}\n"cut', { format: "ndjson" })).toMatchObject({ item: 2, line: 2, items: [{ a: 1 }] })
    expect(await failureOf("[1, 2", { format: "json" })).toMatchObject({ item: 2, items: [1] })
    expect(await failureOf("[1, 2,", { format: "json" })).toMatchObject({ items: [1, 2] })
    expect(await failureOf("[1] [2]", { format: "json" })).toMatchObject({ column: 5, items: [1] })
    expect(await failureOf("", { format: "json" })).toMatchObject({ line: 1 })
    expect((await failureOf('{"a":1}\n{"a":2}\n', { format: "json" })).message).toContain("nothing after the value")
    expect(await failureOf("1,2\n[3\n4]\n", { format: "ndjson" })).toMatchObject({ line: 1, items: [] })
  })

  it("keeps items before a broken one however many batches they fill", async () => {
    const good = Array.from({ length: 20_000 }, (_, id) => ({ id, name: "é".repeat(id % 7) }))
    const content = `${good.map((item) => JSON.stringify(item)).join("\n")}\n{"id": }\n`
    const broken = await failureOf(content, { format: "ndjson" })
    expect(broken).toMatchObject({ line: 20_001, item: 20_001 })
    expect(broken.items).toEqual(good)
    const array = await failureOf(`[${good.map((item) => JSON.stringify(item, null, 1)).join(",\n")}, {]`, { format: "json" })
    expect(array).toMatchObject({ item: 20_001, line: 20_000 * 4 })
    expect(array.items).toEqual(good)
  })

  it("reads integers exactly, and odd keys as a Map", async () => {
    const items = await itemsOf('[9007199254740993, 9007199254740992, -1, {"__proto__": {"x": 1}}, {"b":1,"2":2,"1":3}]', {
      format: "json"
    })
    expect(items).toEqual([
      9007199254740993n,
      9007199254740992,
      -1,
      new Map([["__proto__", { x: 1 }]]),
      new Map([
        ["b", 1],
        ["2", 2],
        ["1", 3]
      ])
    ])
    expect([...(items[4] as Map<string, number>).keys()]).toEqual(["b", "2", "1"])
  })

  it("refuses depth bombs, endless records and half surrogate pairs", async () => {
    expect(await itemsOf(`[${"[".repeat(512)}${"]".repeat(512)}]`, { format: "json" })).toHaveLength(1)
    expect((await failureOf(`[${"[".repeat(513)}${"]".repeat(513)}]`, { format: "json" })).message).toContain("512")
    expect((await failureOf("[".repeat(5_000_000), { format: "ndjson", "max-record-size": 10_000_000 })).message).toContain("512")
    expect((await failureOf(`["${"x".repeat(2_000_000)}"]`, { format: "json" })).message).toContain(":max-record-size")
    expect((await failureOf(`{"a":"${"x".repeat(2_000_000)}"}`, { format: "json" })).message).toContain(":max-record-size")
    expect((await failureOf(String.raw`"\ud800"`, { format: "ndjson" })).message).toContain("surrogate")
    expect(await itemsOf(String.raw`"\ud83d\ude00"`, { format: "ndjson" })).toEqual(["😀"])
    expect((await failureOf("9".repeat(20_000), { format: "ndjson" })).message).toContain("digits")
  })

  it("reads CSV as maps or vectors, and tells the line of a broken row", async () => {
    const content = 'id,name\r\n1,"a ""b"", c"\r\n\r\n2,"two\nlines"\n'
    expect(await itemsOf(content, { format: "csv" })).toEqual([
      { id: "1", name: 'a "b", c' },
      { id: "2", name: "two\nlines" }
    ])
    expect(await itemsOf("a;b\n1;2", { format: "csv", separator: ";", header: false })).toEqual([
      ["a", "b"],
      ["1", "2"]
    ])
    expect(await failureOf("a,b\n1,2\n1,2,3\n", { format: "csv" })).toMatchObject({ line: 3, item: 2, items: [{ a: "1", b: "2" }] })
    expect(await failureOf('a,b\n1,2\n1,"x\n', { format: "csv" })).toMatchObject({ line: 3, item: 2, items: [{ a: "1", b: "2" }] })
    expect(await failureOf('a,b\n1,5" disk\n', { format: "csv" })).toMatchObject({ line: 2, item: 1 })
    expect(await failureOf("a,a\n1,2\n", { format: "csv" })).toMatchObject({ line: 1 })
    expect(await failureOf(`a\n"${"x".repeat(2_000_000)}`, { format: "csv" })).toMatchObject({ line: 2, item: 1 })
    expect(await itemsOf("", { format: "csv" })).toEqual([])
  })

  it("decompresses gzip and zstd, of several members, by their first bytes or when told", async () => {
    for (const pack of [gzipSync, zstdCompressSync]) {
      const content = Buffer.concat([pack("one\n"), pack("two\n")])
      expect(await itemsOf(content, { format: "lines" })).toEqual(["one", "two"])
      expect(await itemsOf(content, { encoding: "binary", compression: "none" })).toEqual([new Uint8Array(content)])
    }
    expect(await itemsOf(Buffer.concat([gzipSync("one"), Buffer.alloc(100_000)]))).toEqual(["one"])
  })

  it("fails on compressed data that is damaged, goes on with something else, or is none", async () => {
    for (const pack of [gzipSync, zstdCompressSync]) {
      expect(await failureOf(Buffer.concat([pack("one"), Buffer.from("xyz")]))).toMatchObject({ _tag: "MalformedFile" })
      expect(await failureOf(Buffer.concat([pack("one"), Buffer.alloc(200_000), pack("two")]))).toMatchObject({ _tag: "MalformedFile" })
      const damaged = pack("one".repeat(1000))
      damaged[damaged.length - 5]! ^= 0xff
      expect(await failureOf(damaged)).toMatchObject({ _tag: "MalformedFile" })
    }
    expect(await failureOf("plain", { compression: "gzip" })).toMatchObject({ _tag: "MalformedFile" })
    writeFileSync(`${path}.gz`, "")
    expect((await readFile({ path: `${path}.gz` })).failure).toMatchObject({ _tag: "MalformedFile" })
  })

  it("takes little memory for what expands to very much", async () => {
    writeFileSync(path, Buffer.concat(Array.from({ length: 8 }, () => gzipSync(Buffer.alloc(20_000_000, "x".repeat(99) + "\n")))))
    const before = process.memoryUsage().rss
    let lines = 0
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const source = yield* readSource({ path, format: "lines" }).open(contextOf())
          for (let batch = yield* source.read; batch !== null; batch = yield* source.read)
            lines += "block" in batch ? batch.lineEnds.length : 0
        })
      )
    )
    expect(lines).toBe(1_600_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })

  it("closes the file on every way out", async () => {
    const before = openFiles()
    await read("a\nb\n", { format: "lines" })
    await read("[1", { format: "json" })
    await read(gzipSync("x".repeat(1_000_000)).subarray(0, 500))
    await Effect.runPromise(
      Effect.scoped(Effect.andThen(readSource({ path }).open(contextOf()), ({ read }) => Effect.andThen(read, Effect.interrupt))).pipe(
        Effect.exit
      )
    )
    expect(openFiles()).toBe(before)
  })

  it("loses nothing when a read is interrupted", async () => {
    writeFileSync(path, Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join(""))
    let next = 0
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const source = yield* readSource({ path, format: "ndjson" }).open(contextOf())
          for (;;) {
            // Every second read is given up at once, mostly while it waits for the disk.
            const fiber = yield* Effect.forkChild(source.read, { startImmediately: true })
            if (fiber.pollUnsafe() === undefined && next % 2 === 0) fiber.interruptUnsafe()
            const exit = yield* Effect.exit(source.read)
            const first = fiber.pollUnsafe()
            for (const done of [first, exit]) {
              if (done === undefined || done._tag === "Failure") continue
              if (done.value === null) return
              for (const item of "items" in done.value ? done.value.items : []) expect(item).toBe(next++)
            }
          }
        })
      )
    )
    expect(next).toBe(60_000)
  })

  it("fails with what stands in the way: nothing there, a folder, a file that shrank", async () => {
    expect((await readFile({ path: join(folder, "none") })).failure).toMatchObject({ _tag: "FileFailure", code: "ENOENT" })
    expect((await readFile({ path: folder })).failure).toMatchObject({ _tag: "FileFailure", code: "EISDIR" })
    writeFileSync(path, "abc")
    expect((await readFile({ path }, { offset: 10, decoder: null })).failure).toMatchObject({ _tag: "FileFailure" })
    writeFileSync(path, gzipSync("abc"))
    expect((await readFile({ path }, { offset: 10, decoder: null })).failure).toMatchObject({ _tag: "FileFailure" })
  })

  it("refuses options that would mean nothing", () => {
    const refused = (options: Partial<FileReadOptions>) => expect(() => readSource({ path, ...options }))
    refused({ format: "lines", "chunk-size": 10 }).toThrow(/:chunk-size/)
    refused({ "max-record-size": 10 }).toThrow(/:max-record-size/)
    refused({ format: "json", encoding: "binary" }).toThrow(/:encoding/)
    refused({ separator: ";" }).toThrow(/:separator/)
    refused({ format: "lines", header: true }).toThrow(/:header/)
    refused({ format: "csv", separator: "--" }).toThrow(/one ASCII character/)
    refused({ format: "csv", separator: '"' }).toThrow(/one ASCII character/)
  })
})
