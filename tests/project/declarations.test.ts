import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The files that a user's compiler reads when it meets `entry`, each with the file that led there, and the packages they name. */
const reach = (entry: string) => {
  const files = new Map<string, string | undefined>([[entry, undefined]])
  const packages = new Map<string, string>()
  for (const file of files.keys()) {
    const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "")
    for (const [, specifier] of code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g)) {
      if (!specifier!.startsWith(".")) packages.set(specifier!, file)
      else {
        const target = join(dirname(file), specifier!.replace(/\.[jt]s$/, ".d.ts"))
        if (!files.has(target)) files.set(target, file)
      }
    }
  }
  const wayTo = (file: string): string => {
    const from = files.get(file)
    return from === undefined ? relative(dirname(entry), file) : `${wayTo(from)} → ${relative(dirname(entry), file)}`
  }
  return { files, packages, wayTo }
}

describe("declarations", () => {
  const dist = mkdtempSync(join(tmpdir(), "rtfs-streams-declarations-"))
  let problems = ""
  beforeAll(() => {
    // What the type check of the whole does not see: a type that no declaration can name ends `npm run build`.
    const { stdout } = spawnSync(
      join(root, "node_modules/.bin/tsc"),
      ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", dist],
      { cwd: root, encoding: "utf8" }
    )
    problems = stdout
  }, 120_000)
  afterAll(() => rmSync(dist, { recursive: true, force: true }))

  it("are written without an error", () => expect(problems).toBe(""))

  it("name no type of Effect, XState or another package in what is reachable from the package's main entry", () => {
    const { files, packages, wayTo } = reach(join(dist, "index.d.ts"))
    expect(files.size).toBeGreaterThan(1)
    const foreign = [...packages].filter(([specifier]) => !specifier.startsWith("node:"))
    expect(foreign.map(([specifier, file]) => `${wayTo(file)} names ${specifier}; move it behind "rtfs-streams/effect"`)).toEqual([])
  })

  it("are there for every entry that package.json exports, and for its bin", () => {
    const { bin, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const declared = Object.values<{ types?: string }>(exports).flatMap((entry) => entry.types ?? [])
    expect(declared).toEqual(["./dist/index.d.ts", "./dist/effect.d.ts"])
    const written = [...declared, ...Object.values<string>(bin).map((path) => path.replace(/\.js$/, ".d.ts"))]
    expect(written.filter((path) => !existsSync(join(dist, path.replace("./dist/", ""))))).toEqual([])
  })
})
