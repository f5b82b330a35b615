import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/** The map of `docs/architecture.md`, lowest layer first: a folder imports only from folders before it. */
const layers = ["serialization", "scheduler", "state", "actors", "supervisors", "capabilities", "rtfs", "host"]

/** The two front ends stand on the host. The command line starts the service, which knows nothing of command lines. */
const frontEnds: Readonly<Record<string, ReadonlyArray<string>>> = {
  // How values read and print is the language's; `decode` looks into frames, for which no host need run.
  cli: ["host", "rtfs", "serialization", "service"],
  service: ["host", "rtfs"]
}

/**
 * Doors beside index.ts: what names types of Effect is kept apart, so that the package's main entry names none; and what
 * the language needs of the capabilities is plain code, which must not bring Effect's Schema to a program that is only evaluated.
 */
const furtherDoors = new Set(["host/effect.ts", "capabilities/schemas/index.ts", "capabilities/providers/ReplayWindow.ts"])

/** Near 250 lines look for the second concept; a file past 400 stands here with its reason. */
const longestFile = 400
const longFiles: Readonly<Record<string, string>> = {}

type Sources = ReadonlyMap<string, string>

const mayImport = (folder: string): ReadonlyArray<string> => frontEnds[folder] ?? layers.slice(0, layers.indexOf(folder))

interface Import {
  readonly specifier: string
  readonly line: number
}

/** Static, dynamic and side-effect imports and re-exports, in type positions too. Comments are blanked out first. */
const importsOf = (text: string): ReadonlyArray<Import> => {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, (comment) => comment.replaceAll(/[^\n]/g, " "))
  const pattern =
    /(?:^|[;\s}])(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']/gm
  return [...code.matchAll(pattern)].map((match) => ({
    specifier: (match[1] ?? match[2] ?? match[3])!,
    line: code.slice(0, match.index + match[0].length).split("\n").length
  }))
}

const folderOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "")

const violationsOfImport = (path: string, { line, specifier }: Import): ReadonlyArray<string> => {
  const at = `src/${path}:${line}`
  if (specifier === "effect" || specifier === "@effect/platform-node-shared") {
    return [`${at} imports the barrel "${specifier}", which loads all of it. Import the module: import * as Effect from "effect/Effect".`]
  }
  if (!specifier.startsWith(".")) return []
  const found: Array<string> = []
  if (!specifier.endsWith(".ts")) found.push(`${at} imports "${specifier}". Write the extension: Node runs the sources as they are.`)
  const target = normalize(join(dirname(path), specifier))
  if (target.startsWith("..")) return [...found, `${at} imports "${specifier}" from outside src/, which is not in the package.`]
  const from = folderOf(path)
  const to = folderOf(target)
  if (from === to) return found
  if (from === "") {
    // The entry points of the package put together what users may import; they stand above every layer.
    if (to in frontEnds) found.push(`${at} takes the front end ${to}/ into the library. Move what it needs into host/.`)
  } else if (!mayImport(from).includes(to)) {
    found.push(
      `${at}: ${from}/ must not know ${to === "" ? "the package's entry point" : `${to}/`} (it may import from ${mayImport(from).join(", ") || "no folder"}). `
        + `Move what both need to the lower folder, or hand it in as an argument.`
    )
  }
  if (to !== "" && target !== `${to}/index.ts` && !furtherDoors.has(target)) {
    found.push(`${at} reaches into ${to}/ past its door. Export the name from src/${to}/index.ts and import it from there.`)
  }
  return found
}

const violationsOfFile = (path: string, text: string): ReadonlyArray<string> => {
  const found = importsOf(text).flatMap((found) => violationsOfImport(path, found))
  const folder = folderOf(path)
  if (folder !== "" && !layers.includes(folder) && !(folder in frontEnds)) {
    found.push(
      `src/${folder}/ is not on the map. Put ${path} into one of ${layers.join(", ")}, cli, service, or add the folder to this test.`
    )
  }
  if (/^\s*export\s*\*/m.test(text)) found.push(`src/${path} has an "export *". List the exports by name, so that the door can be read.`)
  if (/(^|\/)(utils?|helpers?|common|misc|types)\.ts$/.test(path)) {
    found.push(`src/${path} has a name that says nothing. Name it for its concept, and put types beside their code.`)
  }
  const lines = text.split("\n").length - 1
  if (lines > longestFile && !(path in longFiles)) {
    found.push(`src/${path} has ${lines} lines. Look for its second concept and split it, or add it to \`longFiles\` with the reason.`)
  }
  // TypeScript rewrites imports to .js on the way to dist/, but no other strings.
  for (const [whole, target] of text.matchAll(/new URL\(\s*["'](\.[^"']*\.ts)["']\s*,\s*import\.meta\.url/g)) {
    found.push(
      `src/${path}: ${whole}) names a file that does not exist in dist/. Take the extension from the file that asks: `
        + `new URL(\`${target!.replace(/\.ts$/, "")}\${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}\`, import.meta.url).`
    )
  }
  return found
}

/** Everything in which sources depart from the map, one message each, with what to do. */
const violations = (sources: Sources): ReadonlyArray<string> => {
  const found = [...sources].flatMap(([path, text]) => violationsOfFile(path, text))
  for (const path of Object.keys(longFiles)) {
    const text = sources.get(path)
    if (text === undefined || text.split("\n").length - 1 <= longestFile)
      found.push(`${path} needs no entry in \`longFiles\` any more; remove it.`)
  }
  for (const folder of new Set([...sources.keys()].map(folderOf))) {
    if (folder !== "" && !sources.has(`${folder}/index.ts`) && !(folder in frontEnds)) {
      found.push(`src/${folder}/ has no index.ts: the door through which other folders import from it.`)
    }
  }
  return found
}

const readSources = (): Sources => {
  const root = fileURLToPath(new URL("../src", import.meta.url))
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))
  return new Map(paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(root, path), "utf8")]))
}

describe("architecture", () => {
  it("holds: who may import whom, through doors, in files of one concept", () => {
    expect(violations(readSources())).toEqual([])
  })

  // Each rule against a small tree that breaks it, so that a rule which no longer bites is noticed.
  const door = 'export { a } from "./a.ts"\n'
  it.each([
    ["an import of a higher layer", { "actors/a.ts": 'import { b } from "../host/index.ts"' }, "actors/ must not know host/"],
    ["a dynamic import of a higher layer", { "actors/a.ts": 'const b = await import("../rtfs/index.ts")' }, "actors/ must not know rtfs/"],
    [
      "a type import of a higher layer",
      { "scheduler/a.ts": 'import type { B } from "../actors/index.ts"' },
      "scheduler/ must not know actors/"
    ],
    ["a re-export of a higher layer", { "state/a.ts": 'export { b } from "../actors/index.ts"' }, "state/ must not know actors/"],
    [
      "an import over several lines",
      { "state/a.ts": 'import {\n  b,\n  c\n} from "../actors/index.ts"' },
      "state/a.ts:4: state/ must not know"
    ],
    ["the command line in the service", { "service/a.ts": 'import { b } from "../cli/index.ts"' }, "service/ must not know cli/"],
    ["a front end past the host", { "cli/a.ts": 'import { b } from "../actors/index.ts"' }, "cli/ must not know actors/"],
    ["a front end in the library", { "index.ts": 'export { b } from "./cli/index.ts"' }, "takes the front end cli/ into the library"],
    ["an import past a door", { "actors/a.ts": 'import { b } from "../scheduler/Plan.ts"' }, "past its door"],
    ["export *", { "actors/a.ts": 'export * from "./b.ts"' }, 'has an "export *"'],
    ["the barrel of Effect", { "actors/a.ts": 'import { Effect } from "effect"' }, "imports the barrel"],
    ["an import without extension", { "actors/a.ts": 'import { b } from "./b"' }, "Write the extension"],
    ["an import from outside src", { "actors/a.ts": 'import { b } from "../../tests/b.ts"' }, "from outside src/"],
    ["a folder that is not on the map", { "shared/index.ts": door }, "is not on the map"],
    ["a name that says nothing", { "actors/utils.ts": "" }, "a name that says nothing"],
    ["a file that is too long", { "actors/a.ts": "x\n".repeat(401) }, "has 401 lines"],
    ["a worker that dist/ lacks", { "actors/a.ts": 'new URL("./worker.ts", import.meta.url)' }, "does not exist in dist/"],
    ["a folder without a door", { "actors/a.ts": "", "actors/index.ts": undefined }, "has no index.ts"]
  ])("notices %s", (_, broken, message) => {
    const sources = new Map<string, string>(layers.map((folder) => [`${folder}/index.ts`, door]))
    for (const [path, text] of Object.entries(broken)) {
      if (text === undefined) sources.delete(path)
      else sources.set(path, text)
    }
    expect(violations(sources).join("\n")).toContain(message)
    expect(violations(sources).length).toBe(1)
  })

  it("lets through what the map allows, and imports that are only mentioned in comments", () => {
    const sources = new Map<string, string>(layers.map((folder) => [`${folder}/index.ts`, door]))
    sources.set(
      "host/a.ts",
      'import { a } from "../rtfs/index.ts"\nimport * as Effect from "effect/Effect"\n// import { b } from "../cli/index.ts"\n'
    )
    sources.set("cli/a.ts", 'import { a } from "../host/index.ts"\n/** import { b } from "../service/index.ts" */\n')
    expect(violations(sources)).toEqual([])
  })
})
