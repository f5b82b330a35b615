import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as later } from "node:timers/promises"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { type Handle, type ItemCounts, StreamHost } from "rtfs-streams"

// A slow consumer behind stream.memory-efficient: what is beyond its memory waits, or goes to disk and comes back.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-memory-"))
afterAll(() => rmSync(folder, { recursive: true }))
const hosts: Array<StreamHost> = []
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 100 })))
})

const count = 9000
const items = Array.from({ length: count }, (_, index) => `${index} ${"x".repeat(1000)}`)
/** Not `toEqual`: what that prints about megabytes helps nobody. */
const isSame = (seen: ReadonlyArray<unknown>) => seen.length === count && seen.every((item, index) => item === items[index])
const known = new Set(items)
const megabyte = 1024 * 1024

interface Inspected {
  readonly actors: ReadonlyArray<{
    readonly mailbox?: { readonly bytes: number; readonly spilledBytes: number; readonly spilledFrames: number }
  }>
}

const scene = async (options: string) => {
  const dataDir = mkdtempSync(join(folder, "data-"))
  const temp = join(dataDir, "temp")
  const seen: Array<unknown> = []
  const spills: Array<number> = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const host = await StreamHost.start({
    dataDir,
    policy: { write: [dataDir] },
    log: () => {},
    bindings: {
      // Of the host's own iterable each item comes when it is asked for, as from a network.
      items: (async function* () {
        yield* items
      })(),
      f: async (item: unknown) => {
        await gate
        seen.push(item)
      },
      spilled: () => spills.push(1)
    }
  })
  hosts.push(host)
  const source = `(call :stream.for-each (call :stream.memory-efficient (call :stream.map items {:transform identity}) {${options.replace("TEMP", temp)}}) {:callback f})`
  const evaluated = host.eval(source)
  const handle = async () => (await evaluated) as Handle & { readonly report: () => ItemCounts }
  const held = async () => {
    const { actors } = (await handle()).inspect() as Inspected
    const sum = (of: "bytes" | "spilledBytes") => actors.reduce((total, { mailbox }) => total + (mailbox?.[of] ?? 0), 0)
    return { bytes: sum("bytes"), spilled: sum("spilledBytes") }
  }
  /** Waits until the sources make no headway any more; the most that was held meanwhile. */
  const stalled = async () => {
    let most = 0
    for (let last = -1; ;) {
      for (let i = 0; i < 10; i++) {
        await later(5)
        most = Math.max(most, (await held()).bytes)
      }
      const { accepted } = (await handle()).report()
      if (accepted === last && accepted > 0) return { most, accepted, ...(await held()) }
      last = accepted
    }
  }
  return { dataDir, temp, seen, spills, open: () => open(), handle, stalled, host }
}

const foldersIn = (directory: string) => (existsSync(directory) ? readdirSync(directory) : [])

describe("stream.memory-efficient", () => {
  it("SP-1, SP-2: spills what does not fit, within its memory, and everything comes back in order", async () => {
    const { dataDir, handle, open, seen, spills, stalled } = await scene(':max-memory "4MB" :spill-to-disk true :on-spill spilled')
    const { accepted, most, spilled } = await stalled()
    // The sources did not wait: the rest is on disk.
    expect(accepted).toBe(count)
    expect(spilled).toBeGreaterThan(4 * megabyte)
    expect(most).toBeLessThanOrEqual(4 * megabyte)
    expect(spills.length).toBe(1)
    expect(foldersIn(join(dataDir, "spill")).length).toBe(1)
    open()
    await (
      await handle()
    ).result
    expect(isSame(seen)).toBe(true)
    expect(foldersIn(join(dataDir, "spill"))).toEqual([])
  })

  it("makes the sources wait where it may not spill", async () => {
    const { handle, open, seen, stalled } = await scene(':max-memory "4MB"')
    const { accepted, most, spilled } = await stalled()
    expect(spilled).toBe(0)
    expect(most).toBeLessThanOrEqual(4 * megabyte)
    expect(accepted).toBeLessThan(5000)
    open()
    await (
      await handle()
    ).result
    expect(isSame(seen)).toBe(true)
  })

  it("makes the sources wait beyond :max-disk", async () => {
    const { handle, open, seen, stalled } = await scene(':max-memory "4MB" :spill-to-disk true :max-disk "3MB"')
    const { accepted, most, spilled } = await stalled()
    expect(spilled).toBeGreaterThan(megabyte)
    expect(spilled).toBeLessThanOrEqual(3 * megabyte)
    expect(most).toBeLessThanOrEqual(4 * megabyte)
    expect(accepted).toBeLessThan(count)
    open()
    await (
      await handle()
    ).result
    expect(isSame(seen)).toBe(true)
  })

  it("SP-5: uses the :temp-dir, makes it where need be, and leaves nothing in it, however the stream ends", async () => {
    const { handle, stalled, temp } = await scene(':max-memory "4MB" :spill-to-disk true :temp-dir "TEMP"')
    expect((await stalled()).spilled).toBeGreaterThan(megabyte)
    expect(foldersIn(temp).length).toBe(1)
    await (await handle()).cancel()
    expect(foldersIn(temp)).toEqual([])
  })

  it("SD-1: what lies on disk when the stream is stopped is among the undrained items", async () => {
    const { dataDir, handle, seen, stalled } = await scene(':max-memory "4MB" :spill-to-disk true')
    await stalled()
    const stream = await handle()
    await stream.drain({ timeoutMs: 50 })
    const report = stream.report()
    expect(report).toMatchObject({ accepted: count, processed: 0, undrained: count })
    const values = readFileSync(join(dataDir, "undrained.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { value: unknown }).value)
    expect(seen).toEqual([])
    expect(values.filter((value) => !known.has(value as string))).toEqual([])
    const numbers = values.map((value) => Number.parseInt(value as string)).toSorted((a, b) => a - b)
    expect(numbers).toEqual(items.map((_, index) => index))
  })

  it("refuses a :temp-dir that is not granted, too little memory, and options without meaning", async () => {
    const outside = join(folder, "outside")
    mkdirSync(outside)
    const denied = await scene(`:max-memory "4MB" :spill-to-disk true :temp-dir "${outside}"`)
    const stream = denied.handle()
    await expect(stream.then(({ result }) => result)).rejects.toThrow(/not granted|may not|permission|grant/i)
    expect(foldersIn(outside)).toEqual([])
    await expect((await scene(":max-memory 1000")).handle()).rejects.toThrow("needs a :max-memory of at least 4 MB")
    await expect((await scene(':max-memory "4MB" :on-spill spilled')).handle()).rejects.toThrow("mean nothing without :spill-to-disk")
  })
})
