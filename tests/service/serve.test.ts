import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { rtfsStreams } from "../cli/command.ts"
import { ServiceProcess, ticking, until } from "./ServiceProcess.ts"

let service: ServiceProcess
afterEach(() => service.remove())

const begin = async (
  programs: Readonly<Record<string, string>>,
  options: { readonly flags?: ReadonlyArray<string>; readonly env?: NodeJS.ProcessEnv } = {}
) => {
  service = new ServiceProcess()
  const files = Object.entries(programs).map(([name, text]) => service.write(name, text))
  await service.start(["serve", ...files], options)
}

const post = (path: string, init: RequestInit = {}) => service.json(path, { method: "POST", ...init })
const streamOf = async (id: string) => (await service.json("/status")).streams.find((stream: { id: string }) => stream.id === id)
const serviceOf = async (name: string) => (await service.json("/status")).services.find((one: { name: string }) => one.name === name)

describe("serve", () => {
  it("runs each file as a service that can be watched, paused, resumed, and drained by SIGTERM", async () => {
    await begin({ "fast.rtfs": ticking(2), "slow.rtfs": ticking(50) })
    expect(await (await fetch(`${service.url}/health`)).json()).toEqual({ status: "ok" })
    const status = await service.json("/status")
    expect(status.services.map(({ name, status }: any) => [name, status])).toEqual([
      ["fast", "running"],
      ["slow", "running"]
    ])
    await until(
      () => streamOf("fast"),
      (stream) => stream?.processed > 3
    )

    expect(await post("/streams/fast/pause")).toEqual({ id: "fast", status: "paused" })
    const paused = await until(
      () => streamOf("fast"),
      (stream) => stream.accepted === stream.processed
    )
    expect((await streamOf("fast")).accepted).toBe(paused.accepted)
    expect(await post("/streams/fast/resume")).toEqual({ id: "fast", status: "running" })
    await until(
      () => streamOf("fast"),
      (stream) => stream.processed > paused.processed
    )

    expect(await post("/streams/slow/drain", { body: '{"timeoutMs":2000}', headers: { "content-type": "application/json" } })).toEqual({
      id: "slow",
      status: "stopped"
    })
    expect((await serviceOf("slow")).status).toBe("stopped")
    expect(await service.stop()).toBe(0)
    expect(statSync(service.tokenFile).mode & 0o777).toBe(0o600)
  })

  it("starts anew on SIGHUP what has changed, lets the rest go on, and keeps what runs where the new text is wrong", async () => {
    await begin({ "a.rtfs": ticking(2), "b.rtfs": ticking(2), "c.rtfs": ticking(2) })
    const before = await until(
      () => streamOf("b"),
      (stream) => stream?.processed > 10
    )
    service.write("a.rtfs", ticking(1000))
    service.write("c.rtfs", "(call :stream.for-each")
    service.running.process.kill("SIGHUP")
    await service.running.complained("Reloaded: a started anew, b unchanged, c refused.")
    expect((await streamOf("b")).processed).toBeGreaterThan(before.processed)
    expect((await streamOf("a")).processed).toBeLessThan(5)
    expect((await serviceOf("c")).status).toBe("running")
    service.write("c.rtfs", ticking(3))
    service.running.process.kill("SIGHUP")
    await service.running.complained("Reloaded: c started anew, a, b unchanged, none refused.")
    expect(await service.stop()).toBe(0)
  })

  it("says that it is not healthy once a service has spent its restarts, and SIGHUP tries it again", async () => {
    await begin(
      { "bad.rtfs": `(call :stream.for-each (call :stream.periodic {:interval 1 :generator (fn [t] (/ 1 0))}) {:callback (fn [x] nil)})` },
      { flags: ["--restart", "temporary"] }
    )
    await until(
      () => fetch(`${service.url}/health`),
      ({ status }) => status === 503
    )
    expect(await serviceOf("bad")).toMatchObject({ status: "failed", error: expect.stringContaining("zero") })
    service.write("bad.rtfs", ticking(5))
    service.running.process.kill("SIGHUP")
    await service.running.complained("Reloaded: bad started anew")
    expect((await fetch(`${service.url}/health`)).status).toBe(200)
  })

  it("gives metrics that Prometheus can read", async () => {
    await begin({ "a.rtfs": ticking(2) })
    await until(
      () => streamOf("a"),
      (stream) => stream?.processed > 3
    )
    const response = await service.request("/metrics")
    expect(response.headers.get("content-type")).toContain("version=0.0.4")
    const lines = (await response.text()).trimEnd().split("\n")
    for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"\n]*"(,\w+="[^"\n]*")*\})? -?[\d.e+-]+)$/)
    expect(lines.filter((line) => /^rtfs_streams_items_processed_total\{stream="a"\} [1-9]/.test(line))).toHaveLength(1)
    expect(lines).toContain('rtfs_streams_service_up{service="a"} 1')
  })

  it.each<readonly [string, ReadonlyArray<string>]>([
    ["serve", ["a.rtfs"]],
    ["mcp", ["--http"]]
  ])("tells systemd that it is ready, alive, reloads and stops (%s)", async (command, [operand]) => {
    service = new ServiceProcess()
    const file = operand === "--http" ? operand : service.write(operand!, ticking(10))
    mkdirSync(join(service.folder, "bin"))
    const said = join(service.folder, "said")
    writeFileSync(join(service.folder, "bin/systemd-notify"), `#!/bin/sh\necho "$@" >> ${said}\n`)
    chmodSync(join(service.folder, "bin/systemd-notify"), 0o755)
    const lines = () => readFileSync(said, "utf8").trimEnd().split("\n")
    await service.start([command, file], {
      env: {
        PATH: `${join(service.folder, "bin")}:${process.env["PATH"]}`,
        NOTIFY_SOCKET: "/run/none",
        WATCHDOG_USEC: "100000"
      }
    })
    const { pid } = service.running.process
    await until(
      async () => lines(),
      (all) => all.length >= 3
    )
    const before = process.hrtime.bigint() / 1000n
    if (command === "serve") {
      service.running.process.kill("SIGHUP")
      await service.running.complained("Reloaded")
    }
    await service.stop()
    const [ready, ...others] = lines()
    expect(ready).toBe(`--pid=${pid} READY=1`)
    expect(others.slice(0, 2)).toEqual([`--pid=${pid} WATCHDOG=1`, `--pid=${pid} WATCHDOG=1`])
    const rest = others.filter((line) => !line.includes("WATCHDOG"))
    const reloading = /RELOADING=1 MONOTONIC_USEC=(\d+)$/.exec(rest[0]!)
    if (command === "serve") {
      expect(BigInt(reloading![1]!)).toBeGreaterThanOrEqual(before)
      expect(rest.slice(1)).toEqual([`--pid=${pid} READY=1`, `--pid=${pid} STOPPING=1`])
    } else expect(rest).toEqual([`--pid=${pid} STOPPING=1`])
  })

  it("refuses a token file that others may read, a port in use, and two files of one name", async () => {
    await begin({ "a.rtfs": ticking(10) })
    const open = service.write("open-token", "x".repeat(40))
    chmodSync(open, 0o644)
    const file = join(service.folder, "a.rtfs")
    const refused = await rtfsStreams(["serve", file, "--port", "0", "--token-file", open])
    expect(refused).toMatchObject({ status: 77, stderr: expect.stringContaining("chmod 600") })
    const busy = await rtfsStreams(["serve", file, "--port", String(service.port), "--token-file", service.tokenFile])
    expect(busy).toMatchObject({ status: 69, stderr: expect.stringContaining("is in use") })
    mkdirSync(join(service.folder, "more"))
    const twice = await rtfsStreams([
      "serve",
      file,
      service.write("more/a.rtfs", ticking(10)),
      "--port",
      "0",
      "--token-file",
      service.tokenFile
    ])
    expect(twice).toMatchObject({ status: 69, stderr: expect.stringContaining("both be the service a") })
  })
})
