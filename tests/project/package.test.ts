import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, "utf8")

interface LockedPackage {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
}

describe("package", () => {
  it("locks packages by hash and names no server they came from", () => {
    const locked = Object.entries((JSON.parse(read("package-lock.json")) as { packages: Record<string, LockedPackage> }).packages)
    expect(locked.length).toBeGreaterThan(50)
    expect(locked.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([])
    expect(locked.filter(([name, entry]) => name !== "" && entry.integrity === undefined && !entry.link).map(([name]) => name)).toEqual([])
    expect(read(".npmrc")).not.toMatch(/registry\s*=|\/\/|_auth/i)
  })

  it("allows the install scripts it needs by bare name, so that npm 11 and 12 both run them", () => {
    const { allowScripts, devDependencies } = JSON.parse(read("package.json"))
    expect(devDependencies.node).toMatch(/^\d+\.\d+\.\d+$/)
    expect(allowScripts).toMatchObject({ node: true })
    expect(Object.keys(allowScripts).filter((name) => /.@/.test(name))).toEqual([])
  })

  it("guards every script against an old Node", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> }
    const unguarded = Object.keys(scripts).filter(
      (name) => !/^(pre|post)/.test(name) && scripts[`pre${name}`] !== "node scripts/require-node.js"
    )
    expect(unguarded).toEqual([])
  })

  it.each([
    ["18.20.0", 1],
    ["20.20.2", 1],
    ["22.18.9", 1],
    ["22.19.0", 0],
    ["26.10.0", 0]
  ])("with Node %s the guard exits %i", (version, status) => {
    const script = `Object.defineProperty(process, "versions", { value: { node: "${version}" } }); await import("${root}/scripts/require-node.js")`
    const result = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" })
    expect(result.status).toBe(status)
    expect(result.stderr).toMatch(status === 1 ? /needs Node 22\.19 or newer.*npm rebuild node/s : /^$/)
  })
})
