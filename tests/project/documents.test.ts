import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import * as library from "rtfs-streams"
import { statusByTag } from "../../src/cli/exitStatus.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** What people read; the reference is compared with the definitions elsewhere. */
const documents = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md") && !path.startsWith("reference"))
    .map((path) => `docs/${path}`)
]

/** Code is not looked at for links or headings. */
const proseOf = (page: string): string => read(page).replaceAll(/^```[\s\S]*?^```/gm, "")

/** What a link behind `#` may name on a page: its headings in the form in which GitHub writes them, a repeated one with a number. */
const anchorsOf = (page: string): ReadonlySet<string> => {
  const anchors = new Set<string>()
  const seen = new Map<string, number>()
  for (const [, heading] of proseOf(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase()
    const anchor = text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-")
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    anchors.add(before === 0 ? anchor : `${anchor}-${before}`)
  }
  return anchors
}

/** Every Markdown page of the repository, the generated reference too. */
const pages = [...documents, ...readdirSync(join(root, "docs/reference")).map((name) => `docs/reference/${name}`)]

/** The rows of a page's tables, as cells; heads and rules are left out. */
const rowsOf = (page: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...read(page).matchAll(/^\| (.*) \|$/gm)]
    .map(([, row]) => row!.split(" | ").map((cell) => cell.trim()))
    .filter(([first]) => !/^-+$/.test(first!))

const quoted = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!)

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))

/** Paths of the repository that a page names in code spans or shows as the targets of links. */
const pathsIn = (page: string): ReadonlyArray<string> => {
  const prose = proseOf(page)
  const named = quoted(prose).filter((code) => /^(src|tests|property-tests|benchmarks|examples|docs|scripts|\.ci)\/[\w./-]*$/.test(code))
  const linked = [...prose.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)].map(([, target]) => join(dirname(page), target!))
  return [...named, ...linked]
}

describe("the documents", () => {
  it.each(documents)("%s names files and folders that are there", (page) => {
    expect(pathsIn(page).filter((path) => !existsSync(join(root, path)))).toEqual([])
  })

  it.each(documents)("%s names no source file by a name that no folder has", (page) => {
    const known = new Set(sources.map((path) => path.split("/").at(-1)))
    const bare = quoted(proseOf(page)).filter((code) => /^[\w-]+(\.machine)?\.ts$/.test(code))
    expect(bare.filter((name) => !known.has(name))).toEqual([])
  })

  it("link to pages and headings that are there", () => {
    const broken = pages.flatMap((page) =>
      [
        ...proseOf(page)
          .replaceAll(/`[^`\n]*`/g, "")
          .matchAll(/\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)
      ].flatMap(([link, path, anchor]) => {
        const target = path === "" ? page : join(dirname(page), path!)
        const isThere = existsSync(join(root, target)) && (anchor === undefined || anchorsOf(target).has(anchor))
        return isThere ? [] : [`${page}: ${link.slice(1)}`]
      })
    )
    expect(broken).toEqual([])
  })

  it("number each decision once, without a gap", () => {
    const numbers = readdirSync(join(root, "docs/decisions")).map((name) => Number(name.slice(0, 4)))
    expect(numbers.sort((left, right) => left - right)).toEqual(numbers.map((_, index) => index + 1))
  })

  it("docs/invariants.md claims only what a test with that number in its title proves", () => {
    const rows = rowsOf("docs/invariants.md").filter(([id]) => id !== "Id")
    expect(rows.length).toBeGreaterThan(30)
    const unproved = rows.flatMap(([id, , files]) =>
      quoted(files!)
        .filter((file) => !new RegExp(`\\b(it|test|describe)\\b[^"'\`]{0,80}["'\`][^"'\`\\n]*\\b${id}\\b`).test(read(file)))
        .map((file) => `${id} in ${file}`)
    )
    expect(unproved).toEqual([])
  })

  it("docs/invariants.md has a row for every number in the title of a test", () => {
    const claimed = new Set(rowsOf("docs/invariants.md").map(([id]) => id))
    const titles = ["tests", "property-tests"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith(".test.ts") && !path.startsWith("project/"))
        .flatMap((path) =>
          [...read(`${folder}/${path}`).matchAll(/\b(?:it|test)(?:\.\w+)?\(\s*["'`]([^"'`\n]+)/g)].map(([, title]) => title!)
        )
    )
    const numbers = new Set(titles.flatMap((title) => title.match(/\b(?:SE-R\d+|[A-Z]{2}-\d+)\b/g) ?? []))
    expect([...numbers].filter((id) => !claimed.has(id))).toEqual([])
  })

  it("docs/errors.md has a row for every tag, with the exit status of the command line", () => {
    const tags = sources.flatMap((path) =>
      [...read(`src/${path}`).matchAll(/readonly _tag = "(\w+)"|TaggedError\("(\w+)"\)/g)].map(([, plain, data]) => plain ?? data!)
    )
    const rows = rowsOf("docs/errors.md").filter(([first]) => /^`\w+`$/.test(first!))
    expect(rows.map(([tag]) => quoted(tag!)[0]).sort()).toEqual([...new Set(tags)].sort())
    const wrong = rows.flatMap(([cell, ...rest]) => {
      const status = statusByTag[quoted(cell!)[0]!]
      const expected = status === undefined ? "of its cause" : String(status)
      return rest.at(-1) === expected ? [] : [`${cell}: ${expected}, not ${rest.at(-1)}`]
    })
    expect(wrong).toEqual([])
  })
})

/** Runs the first TypeScript of a page, and gives what it logs. */
const runTypeScript = async (text: string): Promise<ReadonlyArray<unknown>> => {
  const lines: Array<unknown> = []
  const script = stripTypeScriptTypes(text).replace(/import (\{[^}]*\}) from "rtfs-streams"/, "const $1 = library")
  const AsyncFunction = (async () => {}).constructor as new (
    ...names: ReadonlyArray<string>
  ) => (...values: ReadonlyArray<unknown>) => Promise<void>
  await new AsyncFunction("library", "console", script)(library, {
    log: (...values: ReadonlyArray<unknown>) => lines.push(values.join(" "))
  })
  return lines
}

describe("docs/embedding.md", () => {
  const namesOf = (object: object) => Object.getOwnPropertyNames(object).filter((name) => name !== "constructor")

  it("names every method of StreamHost and Flow, and every option of a host", () => {
    const optionsOf = (file: string, name: string) =>
      [...new RegExp(`interface ${name} \\{\n([\\s\\S]*?)^\\}`, "m").exec(read(file))![1]!.matchAll(/^  readonly (\w+)/gm)].map(
        ([, option]) => option!
      )
    const statics = namesOf(library.Flow).filter((name) => typeof library.Flow[name as keyof typeof library.Flow] === "function")
    const names = [
      ...statics,
      ...[library.StreamHost, library.Flow, library.FileFlow].flatMap(({ prototype }) => namesOf(prototype)),
      ...optionsOf("src/host/HostOptions.ts", "HostOptions"),
      ...optionsOf("src/host/PolicyOptions.ts", "PolicyOptions")
    ]
    expect(names.length).toBeGreaterThan(80)
    const said = new Set(quoted(proseOf("docs/embedding.md")).map((code) => /^(?:Flow)?\.?(\w+)/.exec(code)?.[1]))
    expect(names.filter((name) => !said.has(name))).toEqual([])
  })

  it("shows a program that runs", async () => {
    const [, text] = /^```ts\n([\s\S]*?)^```/m.exec(read("docs/embedding.md"))!
    expect(await runTypeScript(text!)).toEqual(["2", "500 2"])
  })
})

describe("the pipelines in README.md", () => {
  const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-readme-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  const block = (language: string) => {
    const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "m").exec(read("README.md"))![1]!
    expect(found.trim().split("\n").length).toBeLessThan(20)
    // Tests leave nothing in the working folder.
    expect(found).toContain("out/")
    return found.replaceAll("out/", `${folder}/`).replaceAll('"out"', JSON.stringify(folder))
  }

  it("run in RTFS", async () => {
    const lines: Array<string> = []
    const host = await library.StreamHost.start({
      policy: { read: ["node_modules/vega-datasets/data"], write: [folder] },
      print: (line) => lines.push(line)
    })
    await host.run(block("clojure"))
    await host.stop()
    expect(lines).toEqual([expect.stringContaining("1444")])
    expect(readFileSync(join(folder, "late.ndjson"), "utf8").split("\n").length).toBe(10_499)
  })

  it("run in TypeScript", async () => {
    expect(await runTypeScript(block("ts"))).toEqual([expect.stringContaining("1444")])
  })
})
