import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type HostOptions, StreamHost } from "rtfs-streams"
import { CrashingStore } from "../../property-tests/models/CrashingStore.ts"
import { openStateStore, StoreFailure } from "../../src/state/index.ts"

let ordinal = 0

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Sums 60 numbers, with a checkpoint whenever there may be one. */
const sums = (more = "", reducer = "+") => `
  (call :stream.await
    (call :stream.reduce
      (call :stream.map (call :stream.with-checkpointing numbers {:stream-id "sums" :every-n-items 1 :checkpoint-interval 1 ${more}}) {:transform slow :buffer-size 2})
      {:initial 0 :reducer ${reducer} :on-result (fn [sum] sum)}))`

const numbers = Array.from({ length: 60 }, (_, index) => index + 1)
const slow = async (x: number) => (await turn(), await turn(), x)

const run = async (store: CrashingStore, program: string, options: Pick<HostOptions, "bindings" | "log"> = {}) => {
  await using host = await StreamHost.start({
    store: store.url,
    log: () => {},
    ...options,
    bindings: { numbers, slow, ...options.bindings }
  })
  return await host.eval(program)
}

const newStore = () => CrashingStore.named(`memory:checkpoint-rules-${++ordinal}`)
const kept = (store: CrashingStore, stream: string) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(openStateStore(store.url), (opened) => opened.checkpoints(stream))))

describe("checkpoints of a stream", () => {
  it("CP-6: :on-checkpoint is called behind a commit, once for each, in order, and never while it is being called", async () => {
    const store = await newStore()
    const told: Array<number> = []
    let inside = 0
    const note = async (checkpoint: { readonly "checkpoint-id": number }) => {
      inside++
      expect(inside).toBe(1)
      expect(store.commits.at(-1)).toBe(checkpoint["checkpoint-id"])
      await turn()
      // The next one waits until whoever is told of this one has heard of it.
      expect(store.commits.at(-1)).toBe(checkpoint["checkpoint-id"])
      told.push(checkpoint["checkpoint-id"])
      inside--
    }
    expect(await run(store, sums(":on-checkpoint (fn [c] (note c))"), { bindings: { note } })).toBe(1830)
    expect(told.length).toBeGreaterThan(3)
    // The last commit says that the stream has ended.
    expect(store.commits).toEqual([...told, told.at(-1)! + 1])
  })

  it("CP-6: what an observer throws ends the stream", async () => {
    const store = await newStore()
    const note = () => {
      throw new Error("not my checkpoint")
    }
    await expect(run(store, sums(":on-checkpoint (fn [c] (note c))"), { bindings: { note } })).rejects.toThrow("not my checkpoint")
  })

  it("CP-6: a store that fails for a while advances nothing; it is counted and told, and the stream goes on from the last one", async () => {
    const store = await newStore()
    const told: Array<number> = []
    const lines: Array<string> = []
    store.onCommit = (id) => (id >= 3 && id <= 5 ? Effect.fail(new StoreFailure(store.url, "is full", { fix: "Make room." })) : Effect.void)
    const bindings = { note: (checkpoint: { readonly "checkpoint-id": number }) => void told.push(checkpoint["checkpoint-id"]) }
    expect(await run(store, sums(":on-checkpoint (fn [c] (note c))"), { bindings, log: (line) => void lines.push(line) })).toBe(1830)
    expect(store.commits.filter((id) => id >= 3 && id <= 5)).toEqual([])
    expect(told).toEqual(store.commits.slice(0, -1))
    expect(lines.filter((line) => /Checkpoint [345] of the stream sums failed: .*is full/.test(line))).toHaveLength(3)
  })

  it("CP-6: without a first checkpoint nothing is read", async () => {
    const store = await newStore()
    store.onCommit = () => Effect.fail(new StoreFailure(store.url, "is full", { fix: "Make room." }))
    let seen = 0
    const counting = async (x: number) => (seen++, x)
    await expect(run(store, sums(), { bindings: { slow: counting } })).rejects.toThrow(/is full/)
    expect([seen, store.commits]).toEqual([0, []])
  })

  it("CP-5: ids rise over all processes, and the last three are kept", async () => {
    const store = await newStore()
    for (const last of [20, 40, undefined]) {
      store.revive(undefined)
      let crash = () => {}
      const crashed = new Promise<void>((resolve) => (crash = resolve))
      const stopping = async (x: number) => {
        await slow(x)
        if (x !== last) return x
        store.die()
        crash()
        return new Promise<never>(() => {})
      }
      const host = await StreamHost.start({ store: store.url, log: () => {}, bindings: { numbers, slow: stopping } })
      const running = host.eval(sums()).catch((error: unknown) => error)
      await (last === undefined ? running : crashed)
      await host.stop({ timeout: 0 })
      if (last === undefined) expect(await running).toBe(1830)
    }
    expect(store.commits).toEqual(store.commits.toSorted((a, b) => a - b))
    expect(new Set(store.commits).size).toBe(store.commits.length)
    expect((await kept(store, "sums")).map(({ id }) => id)).toEqual(store.commits.slice(-3).toReversed())
  })

  it("CP-7: a state that can't be saved makes the checkpoint fail, names its node, and keeps the last one", async () => {
    const store = await newStore()
    const lines: Array<string> = []
    await run(store, sums("", "(fn [_ x] {:keeps (fn [] x)})"), { log: (line) => void lines.push(line) })
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.some((line) => /Checkpoint \d+ of the stream sums failed: the state of \S+ can't be saved/.test(line))).toBe(true)
    // Those before the first item came, and the one that says that the stream has ended.
    expect(store.commits.length).toBeLessThan(5)
  })

  it("CP-7: output that waits for a checkpoint which there can't be fails, and does not wait for ever", async () => {
    const store = await newStore()
    const root = mkdtempSync(join(tmpdir(), "rtfs-streams-rules-"))
    const program = `(call :stream.file.write "out.txt" {:format :lines :data-source
      (call :stream.map (call :stream.reduce (call :stream.with-checkpointing numbers {:stream-id "stuck"}) {:initial 0 :reducer (fn [_ x] {:keeps (fn [] x)})})
        {:transform (fn [_] "text")})})`
    await using host = await StreamHost.start({
      store: store.url,
      log: () => {},
      policy: { all: true, fsRoot: root },
      bindings: { numbers }
    })
    await expect(host.run(program)).rejects.toThrow(/stream stuck can't be taken any more, and without it the output is never final/)
    rmSync(root, { recursive: true })
  })
})
