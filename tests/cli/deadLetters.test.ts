import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { rtfsStreams } from "./inThisProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-dead-letters-"))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** Fails on odd numbers. */
const failing = (queue: string, items: string) =>
  `(call :stream.map ${items} {:transform (fn [x] (if (odd? x) (throw {:odd x}) x)) :on-failure :dead-letter :dead-letter-queue "${queue}"})`

describe("rtfs-streams dead-letters", () => {
  const data = join(folder, "data")
  const deadLetters = (...args: ReadonlyArray<string>) => rtfsStreams(["dead-letters", ...args, "--data-dir", data])
  const ids = async () =>
    (await deadLetters("list", "--json")).stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).id)

  beforeAll(async () => {
    const first = await rtfsStreams([
      "run",
      file("a.rtfs", failing("a", "[1 2 3 4 5]")),
      "--data-dir",
      data,
      "--report",
      join(folder, "report.json")
    ])
    expect(first).toMatchObject({ status: 0, stdout: "2\n4\n" })
    expect(first.stderr).toContain(`3 items were given up on and stored: rtfs-streams dead-letters list --data-dir ${data} shows them.`)
    await rtfsStreams(["run", file("b.rtfs", failing("b", "[7]")), "--data-dir", data])
  })

  it("lists them as a table, or as JSON lines, by queue and page", async () => {
    const { stdout } = await deadLetters("list", "--queue", "a")
    const [heading, ...rows] = stdout.trimEnd().split("\n")
    expect(heading).toMatch(/^ID +TIME +QUEUE +STREAM +STAGE +ATTEMPTS +ERROR +ITEM$/)
    expect(rows).toHaveLength(3)
    expect(rows[0]).toMatch(/^1 +\d{4}-.*Z +a +program-1 +map +1 +Uncaught \{:odd 1\} +1$/)
    const page = await deadLetters("list", "--json", "--limit", "2", "--after", "1")
    expect(
      page.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).item)
    ).toEqual([3, 5])
    expect((await deadLetters("list", "--queue", "none")).stderr).toContain("There are no such dead letters.")
  })

  it("shows one in full", async () => {
    const { stdout } = await deadLetters("show", "2")
    expect(stdout).toMatch(/^sequence +3$/m)
    expect(stdout).toMatch(/^error +RtfsError: Uncaught \{:odd 3\}$/m)
    expect(await deadLetters("show", "99")).toMatchObject({ status: 64, stderr: expect.stringContaining("There is no dead letter 99.") })
  })

  it("says what is wrong with what was asked", async () => {
    expect(await deadLetters("drop")).toMatchObject({ status: 64, stderr: expect.stringContaining("--queue QUEUE, or --all") })
    expect(await deadLetters("burn")).toMatchObject({ status: 64, stderr: expect.stringContaining("list, show, drop and replay") })
    expect(await deadLetters("show", "x")).toMatchObject({ status: 64, stderr: expect.stringContaining("no id of a letter") })
    expect(await deadLetters("list", "--all")).toMatchObject({ status: 64, stderr: expect.stringContaining("takes no --all") })
    expect(await deadLetters("replay", "--all")).toMatchObject({ status: 64, stderr: expect.stringContaining("--program FILE") })
    expect(await rtfsStreams(["dead-letters", "list"])).toMatchObject({ status: 64, stderr: expect.stringContaining("--data-dir") })
  })

  it("DL-4 replays each once, keeps them all when the program fails, and a new letter of what fails again", async () => {
    const works = file("replay.rtfs", failing("again", "(stream.map dead-letters (fn [x] (if (= x 3) 3 (+ x 1))))"))
    const broken = file("broken.rtfs", "(call :stream.map dead-letters {:transform (fn [x] (if (= x 5) (throw {:no x}) x))})")
    expect(await deadLetters("replay", "--queue", "a", "--program", broken)).toMatchObject({ status: 1 })
    expect(await ids()).toEqual([1, 2, 3, 4])
    const { status, stderr, stdout } = await deadLetters("replay", "--queue", "a", "--program", works)
    expect({ status, stdout }).toEqual({ status: 0, stdout: "2\n6\n" })
    expect(stderr).toContain("3 letters were worked off and removed.")
    expect(stderr).toContain("1 failed again and are new letters.")
    const left = (await deadLetters("list", "--json")).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(left).toMatchObject([
      { id: 4, queue: "b", item: 7 },
      { id: 5, queue: "again", item: 3 }
    ])
  })

  it("drops what it is told to, and no more", async () => {
    expect((await deadLetters("drop", "4", "99")).stderr).toContain("1 letter was dropped.")
    expect(await ids()).toEqual([5])
    expect((await deadLetters("drop", "--all")).stderr).toContain("1 letter was dropped.")
    expect(await ids()).toEqual([])
  })
})
