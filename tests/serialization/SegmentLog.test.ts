import { mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { decodeFrame, FrameEncoder, frameFromBytes, frameToBytes, SegmentLog } from "../../src/serialization/index.ts"

describe("SegmentLog on a real disk", () => {
  let parent: string
  let directory: string
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "segments-"))
    directory = join(parent, "spill")
  })
  afterEach(() => rm(parent, { recursive: true, force: true }))

  it("gives frames back after it was closed and opened again", async () => {
    const encoder = new FrameEncoder({ stream: "orders" })
    const batches = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 100 }, (_, i) => ({ id: batch * 100 + i, name: `order ${i}` }))
    )
    const log = await SegmentLog.open({ directory, name: "orders", segmentBytes: 10_000 })
    for (const batch of batches) {
      const frame = encoder.encode(batch, 0, batch.length, 0)
      await log.append(frame.sequence, frameToBytes(frame))
    }
    await log.close()
    const again = await SegmentLog.open({ directory, name: "orders", segmentBytes: 10_000 })
    const reader = again.read()
    for (const batch of batches) expect(decodeFrame(frameFromBytes((await reader.next())!.payload))).toEqual(batch)
    expect(await reader.next()).toBeUndefined()
    await again.remove()
    expect(await readdir(directory)).toEqual([])
  })

  it("SP-5: nobody else can read its files or its directory", async () => {
    const log = await SegmentLog.open({ directory, name: "orders" })
    await log.append(0, new Uint8Array(10))
    await log.sync()
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    for (const file of await readdir(directory)) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    await log.remove()
  })

  it("SP-5: follows no link and opens no file that somebody put in its way", async () => {
    const log = await SegmentLog.open({ directory, name: "orders" })
    await writeFile(join(parent, "victim"), "precious")
    await symlink(join(parent, "victim"), join(directory, "orders-00000001.seg"))
    await expect(log.append(0, new Uint8Array(10))).rejects.toMatchObject({ _tag: "SegmentFailed", code: "EEXIST" })
    await expect(SegmentLog.open({ directory, name: "orders" })).rejects.toMatchObject({ _tag: "SegmentFailed", code: "ELOOP" })
  })

  it("refuses names that could leave its directory", async () => {
    await expect(SegmentLog.open({ directory, name: "../orders" })).rejects.toThrow("can't be called")
  })

  it("says which file of which version it can't read", async () => {
    const log = await SegmentLog.open({ directory, name: "orders" })
    await log.close()
    const header = Buffer.alloc(16)
    header.write("RTFSSEG", "latin1")
    header[7] = 9
    header.writeUInt32BE(1, 8)
    await writeFile(join(directory, "orders-00000001.seg"), header)
    await expect(SegmentLog.open({ directory, name: "orders" })).rejects.toThrow("its version is 9 and this release reads 1")
  })

  it("lets a writer wait for the disk and not for each record", async () => {
    const log = await SegmentLog.open({ directory, name: "orders", bufferBytes: 1024 })
    let settled = 0
    const appends = Array.from({ length: 200 }, (_, i) => log.append(i, new Uint8Array(100)).then(() => settled++))
    await Promise.resolve()
    expect(settled).toBeLessThan(200)
    await Promise.all(appends)
    const reader = log.read()
    for (let i = 0; i < 200; i++) expect((await reader.next())!.sequence).toBe(i)
    await log.remove()
  })
})
