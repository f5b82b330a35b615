// Is the package that would be published whole? Packs it, installs it into an empty folder as a user would, and uses its
// command and both of its entries there. Needs a build (`npm run build`).
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-smoke-"))
let failures = 0

const check = (what: string, holds: boolean, otherwise: unknown): void => {
  console.log(`${holds ? "ok    " : "FAILED"} ${what}`)
  if (holds) return
  failures++
  console.log(otherwise)
}

/** Runs a command in the empty folder; its Node is the one that runs this. */
const run = (command: string, args: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd: folder, encoding: "utf8", timeout: 120_000 })
  return { status, stdout, stderr: error === undefined ? stderr : String(error) }
}

const pack = (): string => {
  const [packed] = JSON.parse(
    // The build has been made and checked by its own step.
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root, encoding: "utf8" })
  ) as [{ filename: string; files: ReadonlyArray<{ path: string }> }]
  const paths = packed.files.map(({ path }) => path)
  const strangers = paths.filter((path) => !/^(dist\/|package\.json$|README|LICENSE|CHANGELOG)/.test(path))
  check("the package holds only dist/ and the documents", strangers.length === 0, strangers)
  check("the licence is in the package", paths.includes("LICENSE"), paths)
  return join(folder, packed.filename)
}

const install = (tarball: string): void => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "smoke", private: true, type: "module" }))
  const result = run("npm", ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund"])
  check("npm installs it into an empty folder", result.status === 0, result.stderr)
}

const useCommand = (): void => {
  const sum = run("npx", ["rtfs-streams", "eval", "(+ 1 2)"])
  check('npx rtfs-streams eval "(+ 1 2)" prints 3', sum.status === 0 && sum.stdout === "3\n", sum)

  writeFileSync(
    join(folder, "program.rtfs"),
    `(def numbers (call :stream.from-collection [1 2 3 4]))
     (call :stream.map (call :stream.filter numbers {:predicate (fn [n] (= 0 (mod n 2)))}) {:transform (fn [n] (* n n))})`
  )
  const program = run("npx", ["rtfs-streams", "run", "program.rtfs"])
  check("run prints the items of a program's last stream", program.status === 0 && program.stdout === "4\n16\n", program)

  const wrong = run("npx", ["rtfs-streams", "eval", "(+ 1"])
  check("a program that can't be read ends with status 65", wrong.status === 65 && !/\n\s+at .*\.js/.test(wrong.stderr), wrong)
}

const useLibrary = (): void => {
  writeFileSync(
    join(folder, "consumer.ts"),
    `import { StreamHost } from "rtfs-streams"
import * as effectEntry from "rtfs-streams/effect"

await using host = await StreamHost.start({})
const value: unknown = await host.eval("(* 6 7)")
console.log(value, Object.keys(effectEntry).length > 0)
`
  )
  const ran = run(process.execPath, ["consumer.ts"])
  check("both entries can be imported", ran.status === 0 && ran.stdout === "42 true\n", ran)

  const options = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] }))
  // Types of Node are not there, so console is declared for the check alone.
  writeFileSync(
    join(folder, "consumer.ts"),
    `declare const console: { log(...values: Array<unknown>): void }\n${readFileSync(join(folder, "consumer.ts"), "utf8")}`
  )
  const typed = run(join(root, "node_modules/.bin/tsc"), ["-p", "."])
  check("a TypeScript user finds its types", typed.status === 0, typed.stdout)
}

/** A Node below 22.19, if this machine has one. */
const findOldNode = (): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((place) => join(place, "node"))
    .filter((path) => existsSync(path) && !path.includes("node_modules"))
    .find((path) => {
      const [major, minor] = spawnSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.split(".").map(Number)
      return major! < 22 || (major === 22 && minor! < 19)
    })

const useOldNode = (): void => {
  const old = findOldNode()
  if (old === undefined) return console.log("skip   no Node below 22.19 here to try the command on")
  const refused = run(old, ["node_modules/rtfs-streams/dist/cli/main.js", "eval", "1"])
  check("an old Node is refused with status 64 and one clear message", refused.status === 64 && refused.stdout === "", refused)
  check(
    "the message names the Node that is needed",
    /needs Node 22\.19 or newer/.test(refused.stderr) && !/\n\s+at /.test(refused.stderr),
    refused
  )
}

try {
  install(pack())
  useCommand()
  useLibrary()
  useOldNode()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(failures === 0 ? "The package works." : `${failures} checks failed.`)
process.exitCode = failures === 0 ? 0 : 1
