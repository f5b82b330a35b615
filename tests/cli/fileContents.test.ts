import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { contents, formatOf, UndecodableFile } from "../../src/cli/fileContents.ts"
import { encodeValue, ErrorValue, FrameEncoder, frameToBytes, keyword, SegmentLog } from "../../src/serialization/index.ts"

describe("fileContents", () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rtfs-streams-decode-"))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const readAll = async (path: string) => {
    const values: Array<unknown> = []
    const notes: Array<string> = []
    for await (const value of contents[await formatOf(path)](path, (note) => notes.push(note))) values.push(value)
    return { values, notes }
  }

  it("knows what a file holds by its name or by its first bytes", async () => {
    expect((await readAll(file("a.json", '{\n "b": 1\n}'))).values).toEqual([{ b: 1 }])
    expect((await readAll(file("lines", '{"a":1}\n\n[2]\r\n"x"'))).values).toEqual([{ a: 1 }, [2], "x"])
    expect((await readAll(file("value", encodeValue({ k: keyword("v") })))).values).toEqual([{ k: keyword("v") }])
  })

  it("shows what an error frame tells", async () => {
    const error = new ErrorValue({ type: keyword("timeout"), message: "too slow", data: { ms: 5 } })
    const frame = new FrameEncoder({ stream: "s" }).signal("error", 7, error)
    expect((await readAll(file("frame", frameToBytes(frame)))).values).toEqual([
      { frame: "error", stream: "s", sequence: 0, count: 0, time: 7 },
      { type: keyword("timeout"), message: "too slow", data: { ms: 5 } }
    ])
  })

  const writeLog = async () => {
    const log = await SegmentLog.open({ directory: folder, name: "spill" })
    const encoder = new FrameEncoder({ stream: "orders" })
    for (let n = 0; n < 3; n++) await log.append(n, frameToBytes(encoder.encode([{ n }], 0, 1, 1000)))
    await log.close()
    const [name] = readdirSync(folder)
    return join(folder, name!)
  }

  it("reads the records of a segment and changes nothing, even where a crash cut the last one", async () => {
    const path = await writeLog()
    const { notes, values } = await readAll(path)
    expect(values).toHaveLength(6)
    expect(values.slice(0, 2)).toEqual([{ record: 0, frame: "data", stream: "orders", sequence: 0, count: 1, time: 1000 }, { n: 0 }])
    expect(notes).toEqual([])

    const cut = file("other-name", readFileSync(path).subarray(0, -3))
    const before = readFileSync(cut)
    const again = await readAll(cut)
    expect(again.values).toHaveLength(4)
    expect(again.notes[0]).toMatch(/ends with \d+ bytes of a record/)
    expect(readFileSync(cut)).toEqual(before)
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it("says where a segment is damaged", async () => {
    const path = await writeLog()
    const bytes = readFileSync(path)
    bytes[20]! ^= 1
    writeFileSync(path, bytes)
    await expect(readAll(path)).rejects.toThrow(UndecodableFile)
    await expect(readAll(path)).rejects.toThrow(/spill-00000001\.seg: .*byte 16/s)
  })
})
