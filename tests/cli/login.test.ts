import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it, vi } from "vitest"
import { guardedBy, serveAuthority } from "../capabilities/mcp/oauthServers.ts"
import { rtfsStreams, start } from "./command.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-login-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("login and logout", () => {
  it("lets a person in by way of a browser on this machine, and forgets it again", async () => {
    await using authority = await serveAuthority()
    await using server = await guardedBy(authority)
    const config = join(folder, "servers.json")
    const auth = { type: "authorization-code", issuer: authority.url }
    writeFileSync(config, JSON.stringify({ mcpServers: { weather: { url: server.mcp, auth } } }))
    const flags = ["--config", config, "--data-dir", folder]
    const program = '(call :stream.await (mcp-stream {:server "weather" :tool "weather.count"} {:count 2} (fn [n _ _] {:state (inc n)}) 0))'
    const first = await rtfsStreams(["eval", program, "--config", config])
    expect(first.status).toBe(69)
    expect(first.stderr).toContain("rtfs-streams login weather")

    const running = start(["login", "weather", ...flags])
    let page = ""
    running.process.stdout!.on("data", (text: string) => (page += text))
    await running.complained("Waiting for the browser")
    // It comes through another pipe, so maybe later.
    await vi.waitFor(() => expect(page).toContain("\n"))
    const back = new URL((await fetch(page.trim(), { redirect: "manual" })).headers.get("location")!)
    expect(back.hostname).toBe("127.0.0.1")
    const guessed = new URL(back)
    guessed.searchParams.set("state", "guessed")
    expect((await fetch(guessed)).status).toBe(400)
    expect((await fetch(new URL("/", back))).status).toBe(404)
    expect((await fetch(back)).status).toBe(200)
    const { status, stderr, stdout } = await running.outcome
    expect({ status, lines: stdout.trim().split("\n").length }).toEqual({ status: 0, lines: 1 })
    expect(stderr).toContain(`Logged in to weather; hosts with --data-dir ${folder} may use it now.`)
    await expect(fetch(back)).rejects.toThrow(/fetch failed/)
    expect(`${stdout}${stderr}`).not.toMatch(/access-|refresh-/)

    const second = await rtfsStreams(["run", "-", ...flags, "--json"], { input: program })
    expect(second).toMatchObject({ status: 0, stdout: "3\n" })
    expect((await rtfsStreams(["logout", "weather", ...flags])).stderr).toContain("Logged out of weather.")
    const third = await rtfsStreams(["run", "-", ...flags], { input: program })
    expect(third.status).toBe(69)
  })

  it.each([
    [["login", "rain"], /mcpServers\.rain does not exist; there are weather, plain/],
    [["login", "plain"], /mcpServers\.plain has no auth/],
    [["login", "weather"], /redirectUrl .* is not on this machine/]
  ])("refuses %j", async (args, message) => {
    const config = join(folder, "others.json")
    const weather = { url: "http://127.0.0.1:1/mcp", auth: { type: "authorization-code", redirectUrl: "https://app.example/callback" } }
    writeFileSync(config, JSON.stringify({ mcpServers: { weather, plain: { url: "http://127.0.0.1:1/mcp" } } }))
    const outcome = await rtfsStreams([...args, "--config", config, "--data-dir", folder])
    expect(outcome.status).toBe(64)
    expect(outcome.stderr).toMatch(message)
  })
})
