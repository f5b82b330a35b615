import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { takeDataDirectory } from "../../src/state/DataDirectory.ts"
import { DataDirectoryInUse } from "../../src/state/errors.ts"
import { exitStatus, exitStatusOf } from "../../src/cli/exitStatus.ts"

describe("DataDirectory", () => {
  let parent: string
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), "rtfs-streams-lock-"))
  })
  afterEach(() => rmSync(parent, { recursive: true, force: true }))

  it("is made when it is missing, and can be taken again after its release", async () => {
    const directory = join(parent, "a", "b")
    const first = await takeDataDirectory(directory)
    await expect(takeDataDirectory(directory)).rejects.toThrow(DataDirectoryInUse)
    first.release()
    ;(await takeDataDirectory(directory)).release()
  })

  it("P13: refuses a second process at once and names the first; a kill -9 leaves no lock behind", async () => {
    const script = `
      const { takeDataDirectory } = await import(${JSON.stringify(new URL("../../src/state/DataDirectory.ts", import.meta.url).href)})
      await takeDataDirectory(${JSON.stringify(parent)})
      console.log("taken")
      setTimeout(() => {}, 15_000)`
    const other = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] })
    await once(other.stdout, "data")

    const began = performance.now()
    const error = await takeDataDirectory(parent).catch((cause: unknown) => cause)
    expect(performance.now() - began).toBeLessThan(1000)
    expect(error).toBeInstanceOf(DataDirectoryInUse)
    expect((error as Error).message).toContain(`process ${other.pid}`)
    expect(exitStatusOf(error)).toBe(exitStatus.busy)

    other.kill("SIGKILL")
    await once(other, "exit")
    ;(await takeDataDirectory(parent)).release()
  })

  it("gives a directory to exactly one of many that come at once", async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => takeDataDirectory(parent)))
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })

  it.runIf(existsSync("/proc/self"))("ends where the system makes no folder in one that is there", async () => {
    const error = await takeDataDirectory("/proc/no-folder/data").catch((cause: unknown) => cause)
    expect(exitStatusOf(error)).toBe(exitStatus.io)
  })

  it("says which path can't be used", async () => {
    writeFileSync(join(parent, "file"), "")
    const error = await takeDataDirectory(join(parent, "file")).catch((cause: unknown) => cause)
    expect(exitStatusOf(error)).toBe(exitStatus.io)
    writeFileSync(join(parent, "lock"), "this is no database, but longer than its header would be".repeat(10))
    chmodSync(join(parent, "lock"), 0o600)
    const damaged = await takeDataDirectory(parent).catch((cause: unknown) => cause)
    expect((damaged as Error).message).toContain(`${parent}/lock can't be locked`)
    expect(exitStatusOf(damaged)).toBe(exitStatus.io)
  })
})
