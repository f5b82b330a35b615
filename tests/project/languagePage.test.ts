import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { languagePage } from "../../scripts/languagePage.ts"

it("docs/language says what the definitions say: else run npm run reference", () => {
  expect(readFileSync(new URL("../../docs/language/README.md", import.meta.url), "utf8")).toBe(languagePage())
})
