import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { describe, expect, it } from "vitest"
import { runSuite, serveFixture } from "./conformance-server.ts"

/** Where the official suite is: among our packages, or where the environment says. */
const suite = ((): string | undefined => {
  const named = process.env["MCP_CONFORMANCE_SUITE"]
  if (named !== undefined) return existsSync(named) ? named : undefined
  try {
    return dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json"))
  } catch {
    return undefined
  }
})()

const why = suite === undefined ? " (left out: @modelcontextprotocol/conformance is not installed)" : ""

describe.skipIf(suite === undefined)(`the official conformance suite for servers${why}`, () => {
  it.each(["2025-11-25", "2026-07-28"])("finds nothing wrong with our layer in the era %s", { timeout: 120_000 }, async (version) => {
    await using fixture = await serveFixture()
    const outcomes = await runSuite(suite!, fixture.url, ["--suite", "all", "--spec-version", version])
    expect(outcomes.length).toBeGreaterThan(25)
    expect(outcomes.filter(({ failed }) => failed > 0)).toEqual([])
  })
})
