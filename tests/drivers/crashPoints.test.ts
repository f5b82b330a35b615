import { rmSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { crashAt, crashFolder, problemOf } from "./crashPoints.ts"

/** Each process gets so many changes further than the one before, counted from its start. */
const step = 6

// Every point of a fresh start, before and after it: node tests/drivers/crashPoints.ts
describe("CP-2: a process that kills itself at a later change of its files or store each time it is started", () => {
  it.each(["replace", "append"] as const)(
    "has an exact output once none is left (%s)",
    (mode) => {
      const folder = crashFolder(mode)
      const names: Array<string> = []
      try {
        for (let point = 3; names.at(-1) !== "done"; point += step) {
          names.push(crashAt(folder, point, names.length % 2 === 0 ? "before" : "after"))
          if (names.at(-1) !== "done") expect(names.length, names.join(", ")).toBeLessThan(60)
        }
        expect(problemOf(folder), names.join(", ")).toBeUndefined()
        expect(names.length).toBeGreaterThan(4)
      } finally {
        rmSync(folder.path, { recursive: true })
      }
    },
    60_000
  )
})
