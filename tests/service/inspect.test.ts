import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ratesBetween, serviceTree } from "../../src/cli/serviceTree.ts"
import { mostScrolled, topFrame } from "../../src/cli/topFrame.ts"
import type { ServiceStatus } from "../../src/service/index.ts"
import { rtfsStreams } from "../cli/command.ts"
import { ServiceProcess, ticking, until } from "./ServiceProcess.ts"

const service = new ServiceProcess()
beforeAll(() => service.start(["serve", service.write("a.rtfs", ticking(5)), service.write("b.rtfs", ticking(5))]))
afterAll(() => service.remove())

const inspect = (...args: ReadonlyArray<string>) =>
  rtfsStreams(["inspect", "--port", String(service.port), "--token-file", service.tokenFile, ...args])

describe("inspect", () => {
  it("prints services, streams and actors, or one of them, or JSON", async () => {
    await until(
      () => service.json("/status"),
      ({ streams }) => streams.length === 2
    )
    const all = await inspect()
    expect(all.stderr).toBe("")
    expect(all.stdout).toMatch(/^running, process \d+, up \d+s: 2 services, 2 streams running\nNAME +STATE/)
    expect(all.stdout).toMatch(/\na +running.*\n {2}a +running.*\n {4}periodic +running.*\n {4}for-each +running/)
    const one = JSON.parse((await inspect("b", "--json")).stdout)
    expect([one.services.length, one.streams.length, one.streams[0].id]).toEqual([1, 1, "b"])
  })

  it("says what is wrong where there is no such stream, no service, no token or another one", async () => {
    expect(await inspect("c")).toMatchObject({ status: 69, stderr: expect.stringContaining("There are a, b.") })
    const other = service.write("other-token", "0123456789012345678901234567890123456789")
    const { chmodSync } = await import("node:fs")
    chmodSync(other, 0o600)
    const port = ["--port", String(service.port)]
    expect(await rtfsStreams(["inspect", ...port, "--token-file", other])).toMatchObject({
      status: 77,
      stderr: expect.stringContaining("does not take the token")
    })
    expect(await rtfsStreams(["inspect", ...port, "--token-file", `${other}-none`])).toMatchObject({
      status: 69,
      stderr: expect.stringContaining("no token file")
    })
    expect(await rtfsStreams(["inspect", "--port", "1", "--token-file", service.tokenFile])).toMatchObject({
      status: 69,
      stderr: expect.stringContaining("No service answers")
    })
  })
})

const status = (uptimeMs: number, processed: number, more: object = {}): ServiceStatus => ({
  pid: 1,
  uptimeMs,
  state: "running",
  services: [],
  streams: [
    {
      id: "s",
      status: "running",
      accepted: processed,
      processed,
      skipped: 0,
      retried: 0,
      dropped: 0,
      deadLettered: 0,
      undrained: 0,
      actors: [],
      ...more
    }
  ],
  omitted: 0
})

describe("the tree of a service", () => {
  it("measures rates between two looks, and from zero where a stream began anew", () => {
    expect(ratesBetween(status(1000, 100), status(3000, 300)).get("s")).toBe(100)
    expect(ratesBetween(status(1000, 100), status(3000, 50)).get("s")).toBe(25)
    expect(ratesBetween(status(1000, 100), { ...status(3000, 300), pid: 2 }).size).toBe(0)
  })

  it("shows no control characters of names and messages", () => {
    const lines = serviceTree(status(1, 1, { id: "\u001b[2Jx", error: "a\nb\u001b]0;title\u0007" })).join("|")
    expect(lines).toContain("?[2Jx")
    expect(lines).not.toMatch(/[\n\u001b\u0007]/)
  })
})

describe("top", () => {
  it("prints one picture with rates under --once, and wants a terminal otherwise", async () => {
    const flags = ["--port", String(service.port), "--token-file", service.tokenFile]
    const { stdout } = await rtfsStreams(["top", "--once", ...flags])
    expect(stdout).toMatch(/\n {4}for-each +running +\S+ +[\d.]+\/s/)
    expect(await rtfsStreams(["top", ...flags])).toMatchObject({ status: 64, stderr: expect.stringContaining("--once") })
  })

  it("fills any screen exactly, and scrolls what does not fit", () => {
    const many = {
      ...status(1, 1),
      streams: Array.from({ length: 50 }, (_, index) => status(1, index, { id: `stream-${index}` }).streams[0]!)
    }
    const view = { url: "http://x", status: many, rates: new Map(), problem: undefined, scrolled: 0 }
    for (const size of [
      { columns: 80, rows: 24 },
      { columns: 20, rows: 5 },
      { columns: 1, rows: 1 },
      { columns: 200, rows: 80 }
    ]) {
      const frame = topFrame(view, size)
      expect(frame.length).toBe(size.rows)
      // oxlint-disable-next-line no-control-regex
      for (const line of frame) expect([...line.replaceAll(/\u001b\[\d*m/g, "")].length).toBeLessThanOrEqual(size.columns)
    }
    const last = topFrame({ ...view, scrolled: mostScrolled(many, 24) }, { columns: 80, rows: 24 })
    expect(last[22]).toContain("stream-49")
    expect(last[23]).toContain("of 50")
  })
})
