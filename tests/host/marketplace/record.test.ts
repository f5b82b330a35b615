import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { settle } from "../steps.ts"

describe("the record of uses", () => {
  it("is in the data directory, with the counts at the end, and what a listener throws harms nobody", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "rtfs-streams-uses-"))
    try {
      const host = await StreamHost.start({ dataDir })
      host.marketplace.register({ id: "a:v1:b", type: "source", open: () => [1, 2] })
      await host.run('(stream-consume (stream-source "a:b") {x => x})')
      await host.stop({ timeout: 1000 })
      const lines = readFileSync(join(dataDir, "providers.jsonl"), "utf8").trimEnd().split("\n")
      expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { program: "host", call: "register", subject: "a:v1:b" },
        { program: "program-1", call: "marketplace.stream.start", subject: "a:v1:b", outcome: "allowed", stream: "program-1" },
        { program: "program-1", call: "marketplace.stream.start", outcome: "ended", detail: "completed, 2 items out, 0 in" }
      ])
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })
})

describe("explain", () => {
  it("opens no provider and stops where a program takes an item", async () => {
    let opened = 0
    await using host = await StreamHost.start()
    host.marketplace.register({ id: "a:b", type: "source", effects: [":network"], open: () => (opened++, []) })
    const explanation = await host.explain('(let [h (stream-source "a:b")] (call :marketplace.stream.next {:handle h}))')
    expect(explanation.pipelines).toHaveLength(1)
    expect(explanation.stoppedAt).toContain("waits for the result")
    expect(opened).toBe(0)
    expect(host.marketplace.uses().map(({ call }) => call)).toEqual(["register"])
  })
})

describe("a program that is cancelled", () => {
  it("answers whoever waits for an item", async () => {
    await using host = await StreamHost.start()
    host.marketplace.register({
      id: "a:b",
      type: "source",
      open: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) })
    })
    const session = host.session()
    await session.eval('(def h (stream-source "a:b"))')
    const answer = session.eval("(:status (call :marketplace.stream.next {:handle h :timeout-ms 3600000}))")
    await settle()
    await session.cancelStreams()
    expect(String((await answer).value)).toBe(":error")
    await session.close()
  })
})
