import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StreamHost } from "rtfs-streams"
import { builtins, specsOf, type StreamCapability } from "../../src/capabilities/index.ts"
import { RtfsError } from "../../src/rtfs/index.ts"

const root = mkdtempSync(join(tmpdir(), "rtfs-streams-contract-"))
let host: StreamHost

beforeAll(async () => {
  for (const folder of ["data", "out"]) mkdirSync(join(root, folder))
  writeFileSync(join(root, "data/orders.ndjson"), '{"id":1}\n{"id":2}\n')
  const file = join(root, "data/orders.db")
  const database = new DatabaseSync(file)
  database.exec("CREATE TABLE orders (id INTEGER, total INTEGER)")
  database.close()
  host = await StreamHost.start({ policy: { all: true, fsRoot: root }, connections: { "db-conn": `sqlite:${file}` }, print: () => {}, log: () => {} })
})
afterAll(async () => {
  await host.stop({ timeout: 1000 })
  rmSync(root, { recursive: true })
})

const textSubjects: Readonly<Record<string, string>> = { path: '"/data/orders.ndjson"', table: '"orders"', query: '"SELECT 1"', queue: '"orders"' }

/** What stands before the options in a call: nothing, a stream, or a value of the right sort. */
const subjectOf = ({ streams, subject }: StreamCapability): string => {
  if (subject.is === "value") return textSubjects[subject.name] ?? "[1 2 3]"
  return subject.is === "stream" && streams.length === 0 ? "[1 2 3]" : ""
}

const streamOptions = (capability: StreamCapability): string =>
  capability.kind === "source" || capability.streams.length === 0 ? "" : `:${capability.streams[0]} [1 2 3]`

describe.each(builtins.map((capability) => [capability.id, capability] as const))(":%s", (id, capability) => {
  it("has an example that runs as it stands", async () => {
    const report = await host.run(capability.example)
    expect(report.undrained).toBe(0)
  })

  if (capability.kind === "control") return

  it("refuses an option that it does not have, and starts nothing", async () => {
    const call = host.eval(`(call :${id} ${subjectOf(capability)} {${streamOptions(capability)} :no-such-option 1})`)
    await expect(call).rejects.toThrow(`:${id} has no option :no-such-option`)
    await expect(call).rejects.toBeInstanceOf(RtfsError)
  })

  it("names each required option that is missing", async () => {
    const missing = Object.entries(specsOf(capability)).filter(
      ([name, { required }]) => required && !capability.streams.includes(name) && !(capability.subject.is === "value" && capability.subject.name === name)
    )
    if (missing.length === 0) return
    const call = host.eval(`(call :${id} ${subjectOf(capability)} {${streamOptions(capability)}})`)
    await expect(call).rejects.toThrow(`:${id} needs :${missing[0]![0]}`)
  })

  it("is pure until it is consumed: the same value runs any number of times", async () => {
    if (capability.startsAtOnce) return
    const made = capability.example.includes(":on-") ? undefined : capability.example
    if (made === undefined) return
    const [first, second] = [await host.run(made), await host.run(made)]
    expect(second.value).toEqual(first.value)
  })
})
