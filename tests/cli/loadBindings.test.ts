import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { BindingsFailure, loadBindings } from "../../src/cli/loadBindings.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-bindings-"))
let count = 0
const moduleOf = (text: string, extension = "mjs") => {
  const path = join(folder, `module-${count++}.${extension}`)
  writeFileSync(path, text)
  return path
}

describe("loadBindings", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("takes named exports, and names that are no identifiers from the default export", async () => {
    const path = moduleOf(
      'export const twice = (n) => n * 2\nexport default { "string/reverse": (s) => [...s].reverse().join(""), limit: 3 }'
    )
    const { values } = await loadBindings(path)
    expect(Object.keys(values).toSorted()).toEqual(["limit", "string/reverse", "twice"])
    expect((values["string/reverse"] as (text: string) => string)("abc")).toBe("cba")
  })

  it("takes a TypeScript module, and a package that is installed in the working directory", async () => {
    const { values } = await loadBindings(moduleOf("export const one: number = 1", "ts"))
    expect(values["one"]).toBe(1)
    const packaged = join(folder, "node_modules", "my-bindings")
    mkdirSync(packaged, { recursive: true })
    writeFileSync(join(packaged, "package.json"), '{"name":"my-bindings","type":"module","main":"index.js"}')
    writeFileSync(join(packaged, "index.js"), "export const two = 2")
    const before = process.cwd()
    process.chdir(folder)
    try {
      expect((await loadBindings("my-bindings")).values["two"]).toBe(2)
    } finally {
      process.chdir(before)
    }
  })

  it("lets a symbol have any name", async () => {
    const { values } = await loadBindings(moduleOf('export default { ["__proto__"]: 1, constructor: 2 }'))
    expect(Object.entries(values)).toEqual([
      ["__proto__", 1],
      ["constructor", 2]
    ])
  })

  it.each([
    ["a missing file", () => "./nowhere.mjs", "there is neither such a file nor such a package"],
    ["a module that throws", () => moduleOf('throw new Error("no licence")'), "importing it failed: no licence"],
    ["a default export that is a function", () => moduleOf("export default () => 1"), "default export is no object of names"],
    ["a name that is exported twice", () => moduleOf("export const a = 1\nexport default { a: 2 }"), "a is exported by name and again"]
  ])("refuses %s", async (_, module, message) => {
    const error = await loadBindings(module()).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(BindingsFailure)
    expect((error as Error).message).toContain(message)
  })
})
