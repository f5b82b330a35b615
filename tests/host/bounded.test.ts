import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { Flow, type Handle, StreamHost } from "rtfs-streams"

interface Inspected {
  readonly streams: ReadonlyArray<{ readonly actors: ReadonlyArray<{ readonly mailbox?: { readonly frames: number; readonly items: number; readonly bytes: number } }> }>
}

let host: StreamHost | undefined
afterEach(() => host?.stop({ timeout: 0 }))

/** The mailboxes of all actors, as they are now. */
const mailboxes = () => (host!.inspect() as Inspected).streams.flatMap(({ actors }) => actors.flatMap(({ mailbox }) => (mailbox === undefined ? [] : [mailbox])))

describe("a fast source and a slow sink", () => {
  it("keep within the mailbox's bounds, and the heap stays flat", async () => {
    host = await StreamHost.start({ memory: "16MB" })
    const heaps: Array<number> = []
    let count = 0
    let most = { frames: 0, items: 0, bytes: 0 }
    const source = Flow.generate(0, (n) => (n < 300_000 ? ([{ id: n, name: `item ${n}` }, n + 1] as const) : "done"))
    const report = await host.runFlow(
      source.map((item) => item).forEach(
        () => {
          if (++count % 512 !== 0) return undefined
          for (const { bytes, frames, items } of mailboxes()) {
            most = { frames: Math.max(most.frames, frames), items: Math.max(most.items, items), bytes: Math.max(most.bytes, bytes) }
          }
          if (count % (512 * 100) === 0) {
            globalThis.gc?.()
            heaps.push(process.memoryUsage().heapUsed)
          }
          return new Promise((resolve) => setImmediate(resolve))
        },
        { bufferSize: 1000 }
      )
    )
    expect(report).toMatchObject({ accepted: 300_000, processed: 300_000, undrained: 0 })
    expect(most.items).toBeGreaterThan(0)
    expect(most.items).toBeLessThanOrEqual(1000)
    expect(most.bytes).toBeLessThanOrEqual(512 * 1024)
    expect(Math.max(...heaps.slice(1)) - heaps[1]!).toBeLessThan(3_000_000)
  })

  it("make the source wait: it is asked for no more than the mailboxes hold", async () => {
    host = await StreamHost.start()
    let asked = 0
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const source = Flow.generate(0, (n) => [n, (asked = n + 1)] as const)
    const run = host.runFlow(source.forEach(() => gate, { bufferSize: 100 }))
    run.catch(() => {})
    // Until nothing moves any more: the sink holds its first item and everything before it is full.
    for (let before = -1; before !== asked || asked === 0;) {
      before = asked
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(asked).toBeLessThanOrEqual(100 + 3 * 512)
    const handle = (host.inspect() as { streams: ReadonlyArray<Handle> }).streams[0]!
    expect(handle.status).toBe("running")
    release()
  })
})

describe("a buffer that spills", () => {
  it("takes what a slow sink can't, gives it back in order, and leaves no file behind", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "rtfs-streams-spill-"))
    try {
      host = await StreamHost.start({ dataDir })
      const seen: Array<number> = []
      let made = 0
      let madeAtFirst = 0
      const text = "x".repeat(1000)
      const source = Flow.generate(0, (n) => (n < 20_000 ? ([{ n, text: `${text}${n}` }, (made = n + 1)] as const) : "done"))
      await host.runFlow(
        source.forEach(
          async ({ n }) => {
            // The first item waits until the source is done: everything else must lie somewhere.
            while (n === 0 && made < 20_000) await new Promise((resolve) => setTimeout(resolve, 5))
            if (n === 0) madeAtFirst = made
            seen.push(n)
          },
          { bufferSize: 500, overflow: "spill" }
        )
      )
      expect(madeAtFirst).toBe(20_000)
      expect(seen).toEqual(Array.from({ length: 20_000 }, (_, n) => n))
      await host.stop()
      expect(readdirSync(join(dataDir, "spill"))).toEqual([])
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })
})

describe("the memory of a host", () => {
  it("is shared by its streams: what does not fit is not started, and fits when others have ended", async () => {
    host = await StreamHost.start({ memory: "8MB" })
    const endless = () => Flow.generate(0, (n) => [n, n + 1] as const).forEach(() => new Promise(() => {}), { bufferSize: 100 })
    const runs: Array<Promise<unknown>> = []
    let refused: unknown
    for (let n = 0; n < 100 && refused === undefined; n++) {
      const run = host.runFlow(endless()).catch((error: unknown) => {
        refused ??= error
      })
      runs.push(run)
      await Promise.race([run, new Promise((resolve) => setImmediate(resolve))])
    }
    expect(refused).toMatchObject({ _tag: "MemoryExhausted" })
    expect(runs.length).toBeGreaterThan(20)
    await host.drain({ timeoutMs: 0 })
    await Promise.all(runs)
    const { value } = await host.runFlow(Flow.from([1, 2]).map((n) => n, { bufferSize: 10 }))
    expect(value).toEqual([1, 2])
  })
})
