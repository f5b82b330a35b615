import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { newPartName, partName, sweepParts } from "../../../src/capabilities/files/PartFile.ts"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-parts-"))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0
const folder = () => {
  const path = join(root, String(++folders))
  mkdirSync(path)
  return path
}

const place = (target: string, name: string) => {
  writeFileSync(join(target, "..", name), "left behind")
  return name
}
/** The name that a process with this id would have given. */
const ofProcess = (pid: number, target: string) => {
  const name = newPartName(target)
  return `${name.slice(0, 9)}${pid.toString(16).padStart(6, "0")}${name.slice(15)}`
}
/** The id of a process that has ended. */
const deadPid = () => spawnSync(process.execPath, ["-e", ""]).pid

describe("part files", () => {
  it("what a killed process left beside the same target is removed, once", async () => {
    const target = join(folder(), "out.txt")
    expect(newPartName(target)).toMatch(partName)
    place(target, ofProcess(deadPid(), target))
    const other = place(target, ofProcess(deadPid(), join(target, "..", "another.txt")))
    expect(await sweepParts(target)).toBe(1)
    expect(readdirSync(join(target, ".."))).toEqual([other])
    expect(await sweepParts(target)).toBe(0)
  })

  it("what belongs to a living process, to another machine or to a checkpoint stays", async () => {
    const target = join(folder(), "out.txt")
    const dead = ofProcess(deadPid(), target)
    const kept = [
      place(target, ofProcess(process.ppid, target)),
      place(target, newPartName(target)),
      // Another machine's: its process ids say nothing here.
      place(target, `${dead.slice(0, 5)}${dead.slice(5, 9) === "0000" ? "ffff" : "0000"}${dead.slice(9)}`),
      place(target, ".0123456789abcdef0123456789abcdef.rtfs-part"),
      place(target, "out.txt"),
      place(target, `x${dead}`)
    ]
    expect(await sweepParts(target)).toBe(0)
    expect(readdirSync(join(target, "..")).toSorted()).toEqual(kept.toSorted())
  })

  it("a file with our own id that is older than we are is another's, as in a container that was started again", async () => {
    const target = join(folder(), "out.txt")
    const old = place(target, newPartName(target))
    utimesSync(join(target, "..", old), 1, 1)
    const young = place(target, newPartName(target))
    expect(await sweepParts(target)).toBe(1)
    expect(readdirSync(join(target, ".."))).toEqual([young])
  })

  it("a folder that can't be read is no reason to fail", async () => {
    expect(await sweepParts(join(root, "missing", "out.txt"))).toBe(0)
  })
})
