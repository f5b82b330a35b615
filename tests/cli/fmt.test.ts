import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { rtfsStreams } from "./command.ts"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rtfs-streams-fmt-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("fmt", () => {
  it("formats standard input, and says where it cannot be read", async () => {
    expect(await rtfsStreams(["fmt"], { input: "(f  1\n2) ; x" })).toEqual({ status: 0, stdout: "(f 1\n   2) ; x\n", stderr: "" })
    const wrong = await rtfsStreams(["fmt"], { input: "(f\n (g" })
    expect(wrong).toMatchObject({ status: 65, stdout: "" })
    expect(wrong.stderr).toMatch(/standard input:2:2/)
  })

  it("lists the files that differ with --check, rewrites only these with --write, and keeps mode and links", async () => {
    const bad = join(folder, "bad.rtfs")
    const good = join(folder, "good.rtfs")
    const link = join(folder, "link.rtfs")
    writeFileSync(bad, "(f  1)\n", { mode: 0o640 })
    writeFileSync(good, "(f 1)\n")
    symlinkSync(bad, link)
    expect(await rtfsStreams(["fmt", "--check", good, link])).toEqual({ status: 65, stdout: `${link}\n`, stderr: "" })
    expect(readFileSync(bad, "utf8")).toBe("(f  1)\n")
    const missing = join(folder, "missing.rtfs")
    const written = await rtfsStreams(["fmt", "--write", missing, good, link])
    expect(written).toMatchObject({ status: 74, stdout: `${link}\n` })
    expect(written.stderr).toMatch(/missing\.rtfs/)
    expect(readFileSync(bad, "utf8")).toBe("(f 1)\n")
    expect(statSync(bad).mode & 0o777).toBe(0o640)
    expect(await rtfsStreams(["fmt", "--check", "--write", bad])).toMatchObject({ status: 64 })
  })
})
