import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, describe, expect, it } from "vitest"
import { hostFor, serveHttp, type TestServer } from "../network/servers.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-mcp-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Sixty numbers, one after the other, behind what was seen. */
const feed = (onSent: (n: number) => void): Promise<TestServer> =>
  serveHttp(async (request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    for (let n = Number(request.headers["last-event-id"] ?? 0) + 1; n <= 60 && !response.destroyed; n++) {
      response.write(`id: ${n}\ndata: ${n}\n\n`)
      onSent(n)
      await sleep(2)
    }
  })

const sixty = Array.from({ length: 60 }, (_, index) => index + 1)

describe("an MCP stream whose process ends", () => {
  it("goes on in another one, with each chunk in its state once, after a kill", async () => {
    const dataDir = join(folder, "killed")
    const started: Array<ReturnType<typeof spawn>> = []
    await using server = await feed((n) => {
      if (n === 25) started[0]?.kill("SIGKILL")
    })
    const child = spawn(process.execPath, [new URL("./startedElsewhere.ts", import.meta.url).pathname, dataDir, `${server.url}/feed`], {
      stdio: "ignore"
    })
    started.push(child)
    await once(child, "close")
    await using host = await hostFor([server], { dataDir })
    const value = (await host.eval(`
      (def h (call :mcp.stream.resume {:stream-id "mine"}))
      (def left (count (:current-state (call :mcp.stream.inspect h))))
      {:left left :state (call :stream.await h)}`)) as any
    expect(value.state).toEqual(sixty)
    expect(server.requests.length).toBe(2)
    expect(value.left).toBeLessThan(60)
    expect(server.requests[1]!.headers["last-event-id"]).toBe(value.left === 0 ? undefined : String(value.left))
  })

  it("goes on after its host was stopped in order", async () => {
    const dataDir = join(folder, "stopped")
    let told: () => void = () => {}
    const halfway = new Promise<void>((resolve) => (told = resolve))
    await using server = await feed((n) => {
      if (n === 20) told()
    })
    const program = (name: string) => `(call :mcp.stream.${name})`
    const first = await hostFor([server], { dataDir })
    await first.spawn(
      program(
        `start {:endpoint "${server.url}/feed" :stream-id "mine" :initial-state [] :processor (fn [seen n m] {:state (conj seen n) :action (if (= n 60) :complete :continue)})}`
      ),
      { name: "feed", restart: "temporary" }
    )
    await halfway
    await first.stop({ timeout: 2000 })
    await using second = await hostFor([server], { dataDir })
    expect(await second.eval(`(call :stream.await ${program('resume {:stream-id "mine"}')})`)).toEqual(sixty)
  })
})
