import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { rtfsStreams } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-cli-store-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("--store", () => {
  it("reaches the host, which refuses what is no store, without showing a password", async () => {
    const outcome = await rtfsStreams(["run", "-", "--store", "mysql://me:s3cret@db/x"], { input: "1" })
    expect(outcome.status).toBe(64)
    expect(outcome.stderr).toContain("sqlite:FILE")
    expect(outcome.stderr).not.toContain("s3cret")
  })

  it("ends with status 74 where the store is damaged, and leaves it as it is", async () => {
    const file = join(folder, "state.db")
    writeFileSync(file, "this is no database, but longer than its header would be".repeat(100))
    const outcome = await rtfsStreams(["dead-letters", "list", "--store", `sqlite:${file}`])
    expect(outcome.stderr).toMatch(/The store sqlite:.* is damaged \(file is not a database\)/)
    expect(outcome.status).toBe(74)
  })
})
