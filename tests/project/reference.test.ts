import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { referencePages } from "../../scripts/referencePages.ts"

const folder = new URL("../../docs/reference/", import.meta.url)

describe("the reference pages", () => {
  it("say what the definitions say (else run `npm run reference`)", () => {
    const pages = referencePages()
    expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort())
    for (const [name, text] of pages) expect(readFileSync(new URL(name, folder), "utf8"), name).toBe(text)
  })
})
