import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { loadConfig } from "../../src/cli/loadConfig.ts"
import { rtfsStreams } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-config-"))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (text: string): string => {
  const path = join(folder, "servers.json")
  writeFileSync(path, text)
  return path
}

describe("--config", () => {
  it("names servers that a program asks for", async () => {
    const path = file(JSON.stringify({ connections: { orders: `sqlite:${join(folder, "orders.db")}` } }))
    const insert = '(call :stream.db.bulk-insert "orders" {:connection :orders :data-stream [{:id 1}]})'
    const outcome = await rtfsStreams(["eval", insert, "--config", path])
    // The grant is another matter than the name.
    expect(outcome.status).toBe(77)
    expect(outcome.stderr).toMatch(/--allow-db/)
  })

  it.each([
    ["{", /is no JSON/],
    ["[]", /must hold a JSON object/],
    ['{"servers": {}}', /has "servers", but may only have connections, mcpServers, mcpEndpoints/],
    ['{"connections": {"redis": 5}}', /connections\.redis must be a URL/]
  ])("refuses %s", async (text, message) => {
    const outcome = await rtfsStreams(["eval", "1", "--config", file(text)])
    expect(outcome.status).toBe(64)
    expect(outcome.stderr).toMatch(message)
  })

  it.each(['{"connections": {"db": canary}}', "canary", '{"connections": {"db": "kafka://ana:canary@h" , ,}}'])(
    "shows nothing of what is no JSON: %s",
    async (text) => {
      const error: unknown = await loadConfig(file(text)).catch((thrown: unknown) => thrown)
      expect(String(error)).toMatch(/is no JSON: (Unexpected token|Expected)/)
      expect(String(error)).not.toContain("canary")
    }
  )

  it("says which file is not there", async () => {
    const outcome = await rtfsStreams(["eval", "1", "--config", join(folder, "none.json")])
    expect(outcome.status).toBe(74)
    expect(outcome.stderr).toMatch(/none\.json/)
  })
})
