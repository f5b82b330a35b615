import { describe, expect, it } from "vitest"
import { runScenario, suiteIn } from "./conformanceScenarios.ts"

// A few of them, since each is two processes; `node tests/drivers/conformanceClients.ts` runs all.
const some = [
  { name: "tools_call", era: "2025-11-25" },
  { name: "elicitation-sep1034-client-defaults", era: "2025-11-25" },
  { name: "auth/metadata-var3", era: "2025-11-25" },
  { name: "auth/scope-step-up", era: "2025-11-25" },
  { name: "auth/client-credentials-jwt", era: "extension" }
]

const suite = suiteIn()

const why = suite === undefined ? " (left out: @modelcontextprotocol/conformance is not installed)" : ""

describe.skipIf(suite === undefined)(`the official conformance suite for clients${why}`, () => {
  it.each(some)(
    "passes $name",
    async (scenario) => {
      expect((await runScenario(suite!, scenario)).problem).toBeUndefined()
    },
    60_000
  )
})
