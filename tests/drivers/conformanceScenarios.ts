import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const driver = fileURLToPath(new URL("conformance-client.ts", import.meta.url))

/** The official suite: the package `@modelcontextprotocol/conformance`, where the environment says or among our packages. */
export const suiteIn = (
  folder = process.env["MCP_CONFORMANCE_SUITE"]
    ?? fileURLToPath(new URL("../../node_modules/@modelcontextprotocol/conformance", import.meta.url))
): string | undefined => {
  const program = `${folder}/dist/index.js`
  return existsSync(program) ? program : undefined
}

export interface Scenario {
  readonly name: string
  /** `2025-11-25`, …; or `draft` and `extension`, which belong to none. */
  readonly era: string
}

/** What this client does not have: tokens bound to a key, skills, and a view of the schemas of tools. */
const leftOut = /^(auth\/dpop|sep-2640-|json-schema-2020-12-preservation$)/

/** All that concern this client, once for each era that it speaks. */
export const scenariosOf = async (suite: string): Promise<ReadonlyArray<Scenario>> => {
  const { text } = await run([suite, "list", "--client"])
  return [...text.matchAll(/^ {2}- (\S+) \[([^\]]*)\]/gm)].flatMap(([, name, eras]) =>
    leftOut.test(name!)
      ? []
      : eras!
          .split(",")
          .filter((era) => era !== "2025-06-18")
          .map((era) => ({ name: name!, era }))
  )
}

/** Runs a StreamHost as the client of one scenario. @returns what was wrong, and how many checks passed */
export const runScenario = async (
  suite: string,
  { era, name }: Scenario
): Promise<{ readonly passed: string; readonly problem: string | undefined }> => {
  const version = /^\d/.test(era) ? ["--spec-version", era] : []
  const { status, text } = await run([
    suite,
    "client",
    "--command",
    `${process.execPath} ${driver}`,
    "--scenario",
    name,
    "--timeout",
    "120000",
    ...version
  ])
  const passed = /Passed: (\d+\/\d+)/.exec(text)?.[1] ?? "0"
  return { passed, problem: status === 0 ? undefined : text.slice(text.indexOf("Test Results")) }
}

const run = async (args: ReadonlyArray<string>): Promise<{ readonly status: number | null; readonly text: string }> => {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece: string) => (text += piece))
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve))
  return { status, text }
}
