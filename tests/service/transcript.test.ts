import { execFileSync } from "node:child_process"
import { expect, it } from "vitest"

it("docs/agents.md shows what an agent sees", () => {
  expect(() => execFileSync(process.execPath, ["scripts/agent-session.ts", "--check"], { stdio: "pipe" })).not.toThrow()
})
