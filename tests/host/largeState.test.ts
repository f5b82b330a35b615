import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { type RunningProgram, StreamHost } from "rtfs-streams"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-large-"))
afterAll(() => rmSync(folder, { recursive: true }))

const pieceBytes = 1024 * 1024
const pieces = 140

/** A stage that keeps a text of 1 MB for each item: more than one item of a stream may take. */
const program = `
(call :stream.for-each
  (call :stream.stateful
    (call :stream.with-checkpointing
      (call :stream.generate {:initial-state 0 :generator (fn [n] (if (< n ${pieces + 2}) [n (inc n)] :done))})
      {:stream-id "large" :checkpoint-interval 3600000})
    {:initial-state []
     :processor (fn [kept n] (let [next (if (< n ${pieces}) (conj kept piece) kept)] [next (count next)]))})
  {:callback seen})`

describe("the state of a stream in a checkpoint", () => {
  it("may be larger than an item may be", async () => {
    const counts: Array<number> = []
    let running: RunningProgram | undefined
    let onDrain = (): void => {}
    const options = {
      dataDir: join(folder, "data"),
      bindings: {
        piece: "x".repeat(pieceBytes),
        seen: (count: number) => {
          counts.push(count)
          if (counts.length === pieces) void running!.drain().then(() => onDrain())
          // Lets the drain stop the source before it has given everything.
          return counts.length === pieces ? new Promise((resolve) => setTimeout(resolve, 20)) : undefined
        }
      }
    }
    const first = await StreamHost.start(options)
    const drained = new Promise<void>((resolve) => (onDrain = resolve))
    await first.run(program, { onStart: (program) => (running = program) })
    await drained
    await first.stop()
    expect(counts.length).toBe(pieces)
    const second = await StreamHost.start(options)
    await second.run(program)
    await second.stop()
    // The last ones have the state of the first run: nothing began anew.
    expect(counts.length).toBe(pieces + 2)
    expect(counts.slice(-2)).toEqual([pieces, pieces])
  })
})
