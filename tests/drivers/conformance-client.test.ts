import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/** Where it is installed, if it is not a dependency here. */
const folder =
  process.env["CONFORMANCE_SUITE"] ?? fileURLToPath(new URL("../../node_modules/@modelcontextprotocol/conformance", import.meta.url))
const suite = `${folder}/dist/index.js`
const driver = fileURLToPath(new URL("conformance-client.ts", import.meta.url))

const conformance = async (...args: ReadonlyArray<string>): Promise<{ readonly status: number | null; readonly text: string }> => {
  const child = spawn(process.execPath, [suite, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece: string) => (text += piece))
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve))
  return { status, text }
}

/** Extensions of the protocol that this client does not have: keys that tokens are bound to, and skills. */
const leftOut = /^(auth\/dpop|sep-2640-)/

/** What a stream does not show to its program: the schemas of tools. */
const notOurs = new Set(["json-schema-2020-12-preservation"])

const scenarios = async (): Promise<ReadonlyArray<readonly [scenario: string, era: string]>> => {
  const { text } = await conformance("list", "--client")
  return [...text.matchAll(/^ {2}- (\S+) \[([^\]]*)\]/gm)].flatMap(([, name, eras]) =>
    leftOut.test(name!) || notOurs.has(name!)
      ? []
      : eras!
          .split(",")
          .filter((era) => era !== "2025-06-18")
          .map((era) => [name!, era] as const)
  )
}

describe.runIf(existsSync(suite))("the official conformance suite for clients (package @modelcontextprotocol/conformance)", () => {
  it("passes, scenario by scenario and era by era", async () => {
    const left = [...(await scenarios())]
    expect(left.length).toBeGreaterThan(25)
    const failed: Array<string> = []
    const work = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [scenario, era] = next
        // Extensions and drafts belong to no era of their own.
        const version = /^\d/.test(era) ? ["--spec-version", era] : []
        const { status, text } = await conformance(
          "client",
          "--command",
          `${process.execPath} ${driver}`,
          "--scenario",
          scenario,
          ...version
        )
        if (status !== 0) failed.push(`${scenario} (${era}): ${text.slice(-2000)}`)
      }
    }
    await Promise.all([work(), work()])
    expect(failed).toEqual([])
  }, 300_000)
})
