// Sends messages through queues of every kind, one in a hundred of which fails, and accounts for each of them.
//
//   node tests/drivers/queues.ts --messages 100000 --fails-each 100 [--only embedded,redis,nats,rabbitmq]
//
// Prints a line for each. Exit status 1 where anything was lost, came twice or is in the wrong place.
import { deepStrictEqual } from "node:assert/strict"
import { parseArgs } from "node:util"
import { embedded, servers } from "../state/queues/queueServers.ts"
import { expectedOf, failingQueue, type FailingReport } from "./failingQueues.ts"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "100000" },
    "fails-each": { type: "string", default: "100" },
    only: { type: "string", default: "embedded,redis,nats,rabbitmq" }
  }
})
const wanted = values.only.split(",")
const sizes = { messages: Number(values.messages), failsEach: Number(values["fails-each"]) }
const columns = Object.keys(expectedOf(sizes)) as ReadonlyArray<keyof FailingReport>
const row = (name: string, cells: ReadonlyArray<unknown>) =>
  console.log([name.padEnd(16), ...cells.map((cell, column) => String(cell).padStart(columns[column]!.length + 2))].join(""))

row("", columns)
const all = await servers()
const subjects = [{ ...embedded, name: "embedded", url: undefined }, ...all]
for (const { freshQueue, name, unavailable, url } of subjects) {
  if (!wanted.some((each) => name.toLowerCase().includes(each))) continue
  if (unavailable !== undefined) {
    console.log(`${name} is left out: ${unavailable}`)
    continue
  }
  const began = performance.now()
  const report = await failingQueue({ ...sizes, queue: freshQueue(), url })
  row(
    name,
    columns.map((column) => report[column])
  )
  console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`)
  try {
    deepStrictEqual(report, expectedOf(sizes))
  } catch {
    process.exitCode = 1
  }
}
for (const { remove } of all) await remove()
