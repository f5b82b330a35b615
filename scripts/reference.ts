// Writes docs/reference and docs/language from the definitions: `npm run reference`. Tests fail when they are stale.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { languagePage } from "./languagePage.ts"
import { referencePages } from "./referencePages.ts"

const folder = fileURLToPath(new URL("../docs/reference/", import.meta.url))
mkdirSync(folder, { recursive: true })
const pages = referencePages()
for (const stale of readdirSync(folder)) if (!pages.has(stale)) rmSync(folder + stale)
for (const [name, text] of pages) writeFileSync(folder + name, text)
console.log(`${pages.size} pages in docs/reference`)

const language = fileURLToPath(new URL("../docs/language/", import.meta.url))
mkdirSync(language, { recursive: true })
writeFileSync(`${language}README.md`, languagePage())
console.log("the language in docs/language/README.md")
