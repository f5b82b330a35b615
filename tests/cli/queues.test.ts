import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { rtfsStreams } from "./inThisProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "rtfs-streams-queues-cli-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("rtfs-streams queues", () => {
  const dataDir = join(folder, "data")
  const queues = (...args: ReadonlyArray<string>) => rtfsStreams(["queues", ...args, "--data-dir", dataDir])
  const collect = (queue: string, options = "") =>
    `(call :stream.await (call :stream.to-collection {:source (call :stream.queue.consume "${queue}" {:wait 0 ${options}})}))`
  const withHost = async <A>(use: (host: StreamHost) => Promise<A>) => {
    await using host = await StreamHost.start({ dataDir, policy: { queue: ["*"] }, log: () => {} })
    return await use(host)
  }

  // Read as JSON, "a" and "c" are none, so they are put aside.
  beforeAll(() =>
    withHost(async (host) => {
      await host.run(`(call :stream.queue.produce "orders" {:data-stream ["{a" "[2]" "{c"] :format :text})`)
      await host.run(collect("orders", ':format :json :dead-letter-queue "failed"'))
    })
  )

  it("lists the queues, and what a consumer put aside: from where, and why", async () => {
    expect((await queues("list")).stdout).toMatch(/^QUEUE +MESSAGES +PUT ASIDE\nfailed +2 +2\n$/)
    const [heading, ...rows] = (await queues("list", "failed")).stdout.trimEnd().split("\n")
    expect(heading).toMatch(/^ID +SENT +ATTEMPTS +FROM +REASON +BODY$/)
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatch(/^4 +\d{4}-.*Z +1 +orders +The message 1 of the queue orders can't.*\{a$/)
    const page = await queues("list", "failed", "--json", "--after", "4", "--limit", "5")
    expect(
      page.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
    ).toMatchObject([{ id: 5, queue: "failed", body: "{c", dead: { queue: "orders", attempts: 1 } }])
    expect((await queues("list", "none")).stderr).toContain("There are no such messages.")
  })

  it("shows one in full", async () => {
    const { stdout } = await queues("show", "failed", "4")
    expect(stdout).toMatch(/^body +\{a$/m)
    expect(stdout).toMatch(/^header original-queue +orders$/m)
    expect(stdout).toMatch(/^header dead-letter-reason +The message 1 of the queue orders can't be read/m)
    expect(await queues("show", "failed", "9")).toMatchObject({ status: 64, stderr: "The queue failed has no message 9." })
  })

  it("says what is wrong with what was asked", async () => {
    expect(await queues("burn")).toMatchObject({ status: 64, stderr: expect.stringContaining("list, show, return and drop") })
    expect(await queues("drop", "failed")).toMatchObject({ status: 64, stderr: expect.stringContaining("or --all") })
    expect(await queues("return", "failed", "4", "--all")).toMatchObject({ status: 64, stderr: expect.stringContaining("or --all") })
    expect(await queues("return")).toMatchObject({ status: 64, stderr: expect.stringContaining("needs a QUEUE") })
    expect(await queues("show", "failed", "x")).toMatchObject({ status: 64, stderr: expect.stringContaining("no id of a message") })
    expect(await queues("list", "--all")).toMatchObject({ status: 64, stderr: expect.stringContaining("takes no --all") })
    expect(await rtfsStreams(["queues", "list"])).toMatchObject({ status: 64, stderr: expect.stringContaining("--data-dir") })
  })

  it("puts a message back into its queue as it was published, where it can fail, and be put aside, again", async () => {
    expect((await queues("return", "failed", "5")).stderr).toContain("1 message was put back.")
    const asText = await withHost((host) => host.run(collect("orders")))
    expect(asText.value).toMatchObject([{ id: "5", body: "{c", attempts: 1 }])
    const [message] = asText.value as ReadonlyArray<{ readonly headers: Record<string, string> }>
    expect(Object.keys(message!.headers)).toEqual(["message-key"])
    expect((await queues("return", "failed", "--all")).stderr).toContain("1 message was put back.")
    expect((await queues("list")).stdout).toMatch(/^orders +1 +0$/m)
    await withHost((host) => host.run(collect("orders", ':format :json :dead-letter-queue "failed"')))
    expect((await queues("list")).stdout).toMatch(/^failed +1 +1$/m)
  })

  it("leaves alone what nobody put aside, and drops what it is told to", async () => {
    await withHost((host) => host.run(`(call :stream.queue.produce "failed" {:data-stream ["plain"]})`))
    const ids = (await queues("list", "failed", "--json")).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id)
    expect((await queues("return", "failed", String(ids[1]))).stderr).toContain("0 messages were put back.")
    expect((await queues("drop", "failed", String(ids[0]), "99")).stderr).toContain("1 message was dropped.")
    expect((await queues("drop", "failed", "--all")).stderr).toContain("1 message was dropped.")
    expect((await queues("list")).stderr).toContain("No queue of this store holds anything.")
  })
})
