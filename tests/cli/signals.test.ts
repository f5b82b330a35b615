import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import type { ItemCounts } from "rtfs-streams"
import { type Running, start } from "./command.ts"

// Real processes that are told to end while something in them hangs. `start` kills with SIGKILL after 25 s, which shows as
// 137; what ends by itself with 143 has kept its deadline.

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-signals-"))
afterAll(() => rmSync(folder, { recursive: true }))

const bindings = join(folder, "bindings.mjs")
writeFileSync(
  bindings,
  `const never = () => new Promise(() => {})
   const say = (text) => process.stderr.write(text + "\\n")
   export default {
     never,
     "never-sink": () => (say("begun"), never()),
     say,
     "slowly": async (x) => (await new Promise((resolve) => setTimeout(resolve, 2)), x),
     "stuck-items": { [Symbol.asyncIterator]: () => ({ next: never, return: never }) }
   }`
)

let runs = 0
/** Runs a program with a report and a data directory of its own. */
const begin = (program: string, options: { readonly timeout?: string } = {}) => {
  const own = join(folder, `run-${++runs}`)
  mkdirSync(own)
  writeFileSync(join(own, "program.rtfs"), program)
  const args = ["run", join(own, "program.rtfs"), "--bindings", bindings, "--shutdown-timeout", options.timeout ?? "200ms"]
  const running = start([
    ...args,
    "--report",
    join(own, "report.json"),
    "--data-dir",
    join(own, "data"),
    "--allow-write",
    own,
    "--progress",
    "off"
  ])
  const report = () => JSON.parse(readFileSync(join(own, "report.json"), "utf8")) as ItemCounts & { readonly ending: string }
  const left = () => readFileSync(join(own, "data/undrained.jsonl"), "utf8").trim().split("\n").length
  return { ...running, report, left, own }
}

const total = ({ deadLettered, dropped, processed, undrained }: ItemCounts) => processed + undrained + deadLettered + dropped
const status = async (running: Running) => (await running.outcome).status

const numbers = "(call :stream.generate {:generator (fn [n] [n (inc n)]) :initial-state 0})"

describe("SIGTERM", () => {
  it("SD-3: ends a program with a sink that never returns, and what it leaves is in the report and in undrained.jsonl", async () => {
    const running = begin(`(call :stream.for-each ${numbers} {:callback never-sink :buffer-size 100})`)
    await running.complained("begun")
    running.process.kill("SIGTERM")
    expect(await running.outcome).toMatchObject({
      status: 143,
      stderr: expect.stringContaining("SIGTERM: letting the streams finish, for 0.2 s at most.")
    })
    const report = running.report()
    expect(report).toMatchObject({ ending: "drained", processed: 0, accepted: total(report) })
    expect(running.left()).toBe(report.undrained)
  })

  it("SD-3: ends a program whose iterator can't be closed", async () => {
    const running = begin(`(say "begun") (call :stream.for-each stuck-items {:callback identity})`)
    await running.complained("begun")
    running.process.kill("SIGTERM")
    expect(await status(running)).toBe(143)
  })

  it("SD-3: ends a program whose standard output nobody reads", async () => {
    const running = begin(`(say "begun") ${numbers}`)
    running.process.stdout!.pause()
    await running.complained("begun")
    await new Promise((resolve) => setTimeout(resolve, 300))
    running.process.kill("SIGTERM")
    expect(await status(running)).toBe(143)
    const report = running.report()
    expect(report).toMatchObject({ accepted: total(report) })
    expect(report.undrained).toBeGreaterThan(0)
  })

  it("drains within the time, and leaves no file of its own behind (SD-5)", async () => {
    const running = begin(
      `(say "begun") (call :stream.file.write "${join(folder, "run-4")}/out.txt" {:format :lines
      :data-source (call :stream.map ${numbers} {:transform (fn [n] (slowly (str n)))})})`,
      { timeout: "20s" }
    )
    await running.complained("begun")
    await new Promise((resolve) => setTimeout(resolve, 200))
    running.process.kill("SIGTERM")
    expect(await status(running)).toBe(143)
    const report = running.report()
    const written = readFileSync(join(running.own, "out.txt"), "utf8").split("\n").length - 1
    expect(report).toMatchObject({ ending: "drained", undrained: 0, processed: written, accepted: written })
    expect(readdirSync(running.own).filter((name) => name.startsWith("."))).toEqual([])
  })

  it("a second one does not wait for the draining", async () => {
    const running = begin(`(call :stream.for-each ${numbers} {:callback never-sink :buffer-size 100})`, { timeout: "60s" })
    await running.complained("begun")
    running.process.kill("SIGTERM")
    await new Promise((resolve) => setTimeout(resolve, 100))
    running.process.kill("SIGINT")
    expect([143, 130]).toContain(await status(running))
    const report = running.report()
    expect(report).toMatchObject({ ending: "killed", processed: 0, accepted: total(report) })
    expect(running.left()).toBe(report.undrained)
  })
})
